/* SPDX-License-Identifier: ISC */
/* Attribute lists under the transport keys of Noise (revision 34, section 12),
 * STUN-framed (RFC 8489). */
#include "session.h"

#include <errno.h>
#include <string.h>

#define VALUE_LEN (SESSION_ID_LEN + 8) /* id and counter */
#define AD_LEN (2 + STUN_TID_LEN + VALUE_LEN)

/* Associated data: message type (2), transaction id (12), SESSION_ID (16). */
static void
make_ad(uint8_t ad[AD_LEN], const uint8_t *raw, const uint8_t *tid,
    const uint8_t *value)
{
	memcpy(ad, raw, 2);
	memcpy(ad + 2, tid, STUN_TID_LEN);
	memcpy(ad + 2 + STUN_TID_LEN, value, VALUE_LEN);
}

int
session_seal(struct session *s, uint16_t method, enum stun_class class,
    const uint8_t tid[STUN_TID_LEN], const uint8_t *plain, size_t len,
    size_t padding, uint8_t *out, size_t cap)
{
	uint8_t value[VALUE_LEN], ad[AD_LEN], *p;
	struct stun_buf b;
	int total;

	/* a nonce is never used twice: the session ends before it wraps */
	if (s->counter == UINT64_MAX)
		return -ENOBUFS;
	memcpy(value, s->id, SESSION_ID_LEN);
	put_u64(value + SESSION_ID_LEN, s->counter);
	stun_begin(&b, out, cap, method, class, tid);
	stun_put(&b, NATKIT_SESSION_ID, value, sizeof(value));
	p = stun_put_space(&b, NATKIT_SEALED, len + NOISE_TAG_LEN);
	if (p == NULL)
		return -ENOBUFS;
	if (padding > 0)
		stun_put_space(&b, NATKIT_PADDING, padding);
	make_ad(ad, out, tid, value);
	noise_seal(s->keys.send, s->counter, ad, sizeof(ad), plain, len, p);
	if ((total = stun_end(&b, true)) >= 0)
		s->counter++;
	return total;
}

const uint8_t *
session_id(const struct stun_msg *m, uint16_t method)
{
	struct stun_attr a;

	if (m->method != method || !m->fingerprint ||
	    stun_find(m, NATKIT_SESSION_ID, &a) != 0 || a.len != VALUE_LEN)
		return NULL;
	return a.value;
}

int
session_open(struct session *s, const struct stun_msg *m, uint16_t method,
    uint8_t *plain, size_t cap)
{
	const uint8_t *value = session_id(m, method);
	uint8_t ad[AD_LEN];
	struct stun_attr a;
	struct cursor c;
	uint64_t counter;
	size_t len;

	if (value == NULL || memcmp(value, s->id, SESSION_ID_LEN) != 0 ||
	    stun_find(m, NATKIT_SEALED, &a) != 0 || a.len < NOISE_TAG_LEN)
		return -EBADMSG;
	len = a.len - (size_t)NOISE_TAG_LEN;
	cursor_init(&c, value + SESSION_ID_LEN, 8);
	counter = cursor_u64(&c);
	if (len > cap || counter == UINT64_MAX)
		return -EBADMSG;
	make_ad(ad, m->raw, m->tid, value);
	if (noise_open(s->keys.recv, counter, ad, sizeof(ad), a.value, a.len,
		plain) != 0)
		return -EBADMSG;
	if (replay_check(&s->replay, counter) != 0)
		return -EALREADY;
	return stun_list_valid(plain, len) ? (int)len : -EBADMSG;
}

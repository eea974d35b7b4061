/* SPDX-License-Identifier: ISC */
/* What the rendezvous client and server say to each other (DESIGN.md, "The
 * rendezvous protocol"): HELLO and SESSION messages, STUN-framed (RFC 8489),
 * under Noise_IK. */
#include "wire.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#define TLV(len) (4 + (((len) + 3) & ~3))

/* Payloads of the two Noise messages, which are attribute lists. */
#define MSG1_PAYLOAD TLV(8)
#define MSG2_PAYLOAD_MAX (TLV(2) + TLV(WIRE_ID_LEN) + TLV(2) + TLV(20))

/* STUN header, the Noise message, FINGERPRINT. */
#define ANSWER_MAX                                                             \
	(STUN_HEADER_LEN + TLV(NOISE_MSG2_LEN + MSG2_PAYLOAD_MAX) + TLV(4))
#define HELLO_LEN                                                              \
	(STUN_HEADER_LEN + TLV(NOISE_MSG1_LEN + MSG1_PAYLOAD) + TLV(4))
/* A request is padded to this, so that answers may grow to it one day. */
#define HELLO_PADDED 160
_Static_assert(HELLO_PADDED >= ANSWER_MAX, "no answer is longer");

/* The PADDING of a SESSION request: as long as the MAPPED of its answer. */
#define SESSION_PADDING 20

static bool
is_ours(const struct stun_msg *m, uint16_t method, enum stun_class class)
{
	return m->method == method && m->class == class && m->fingerprint;
}

int
wire_hello_request(struct noise *n, const uint8_t tid[STUN_TID_LEN],
    uint64_t timestamp_ns, const uint8_t *nonce, size_t nonce_len, uint8_t *out,
    size_t cap)
{
	uint8_t payload[MSG1_PAYLOAD];
	struct stun_buf list, b;
	uint8_t *p;
	int len;

	if (nonce != NULL && nonce_len > WIRE_NONCE_MAX)
		return -EINVAL;
	stun_begin_list(&list, payload, sizeof(payload));
	stun_put_u64(&list, NATKIT_TIMESTAMP, timestamp_ns);
	if ((len = stun_end(&list, false)) < 0)
		return len;

	stun_begin(&b, out, cap, NATKIT_HELLO, STUN_REQUEST, tid);
	if (nonce != NULL)
		stun_put(&b, STUN_NONCE, nonce, nonce_len);
	p = stun_put_space(&b, NATKIT_NOISE, NOISE_MSG1_LEN + (size_t)len);
	if (p == NULL)
		return -ENOBUFS;
	len = noise_write1(
	    n, payload, (size_t)len, p, NOISE_MSG1_LEN + (size_t)len);
	if (len < 0)
		return len;
	stun_put_space(&b, NATKIT_PADDING, HELLO_PADDED - HELLO_LEN - 4);
	return stun_end(&b, true);
}

bool
wire_hello_likely(const struct stun_msg *m)
{
	struct stun_attr a;

	return is_ours(m, NATKIT_HELLO, STUN_REQUEST) && m->len >= ANSWER_MAX &&
	       stun_find(m, NATKIT_NOISE, &a) == 0 && a.len >= NOISE_MSG1_LEN;
}

int
wire_hello_read(
    struct noise *n, const struct stun_msg *m, uint64_t *timestamp_ns)
{
	uint8_t payload[STUN_MAX];
	struct stun_attr a;
	struct cursor c;
	int len;

	if (!wire_hello_likely(m) || stun_find(m, NATKIT_NOISE, &a) != 0)
		return -EBADMSG;
	len = noise_read1(n, a.value, a.len, payload, sizeof(payload));
	if (len < 0)
		return len == -EINVAL ? -EINVAL : -EBADMSG;
	if (!stun_list_valid(payload, (size_t)len) ||
	    stun_list_find(payload, (size_t)len, NATKIT_TIMESTAMP, &a) != 0 ||
	    a.len != 8)
		return -EBADMSG;
	cursor_init(&c, a.value, a.len);
	*timestamp_ns = cursor_u64(&c);
	return 0;
}

int
wire_hello_response(struct noise *n, const uint8_t tid[STUN_TID_LEN],
    int status, const uint8_t id[WIRE_ID_LEN], uint16_t keepalive_s,
    const struct addr *mapped, struct session *s, uint8_t *out, size_t cap)
{
	uint8_t payload[MSG2_PAYLOAD_MAX], be[2], *p;
	struct noise_keys keys;
	struct stun_buf list, b;
	int len;

	stun_begin_list(&list, payload, sizeof(payload));
	put_u16(be, (uint16_t)status);
	stun_put(&list, NATKIT_STATUS, be, sizeof(be));
	stun_put(&list, NATKIT_SESSION_ID, id, WIRE_ID_LEN);
	put_u16(be, keepalive_s);
	stun_put(&list, NATKIT_KEEPALIVE, be, sizeof(be));
	wire_put_addr(&list, NATKIT_MAPPED, mapped);
	if ((len = stun_end(&list, false)) < 0)
		return len;

	stun_begin(&b, out, cap, NATKIT_HELLO, STUN_SUCCESS, tid);
	p = stun_put_space(&b, NATKIT_NOISE, NOISE_MSG2_LEN + (size_t)len);
	if (p == NULL)
		return -ENOBUFS;
	len = noise_write2(
	    n, payload, (size_t)len, p, NOISE_MSG2_LEN + (size_t)len, &keys);
	if (len < 0)
		return len;
	if ((len = stun_end(&b, true)) >= 0 && status == WIRE_OK) {
		memset(s, 0, sizeof(*s));
		memcpy(s->id, id, WIRE_ID_LEN);
		s->keys = keys;
	}
	sodium_memzero(&keys, sizeof(keys));
	return len;
}

static int
read_welcome(const uint8_t *list, size_t len, struct wire_welcome *out,
    const uint8_t **id)
{
	struct stun_attr a;
	struct cursor c;

	if (!stun_list_valid(list, len))
		return -EBADMSG;
	if (stun_list_find(list, len, NATKIT_STATUS, &a) != 0 || a.len != 2)
		return -EBADMSG;
	cursor_init(&c, a.value, a.len);
	out->status = cursor_u16(&c);
	if (stun_list_find(list, len, NATKIT_KEEPALIVE, &a) != 0 || a.len != 2)
		return -EBADMSG;
	cursor_init(&c, a.value, a.len);
	out->keepalive_s = cursor_u16(&c);
	if (stun_list_find(list, len, NATKIT_MAPPED, &a) != 0 ||
	    wire_get_addr(&a, &out->mapped) != 0)
		return -EBADMSG;
	if (stun_list_find(list, len, NATKIT_SESSION_ID, &a) != 0 ||
	    a.len != WIRE_ID_LEN)
		return -EBADMSG;
	*id = a.value;
	return 0;
}

int
wire_hello_finish(struct noise *n, const struct stun_msg *m,
    struct wire_welcome *out, struct session *s)
{
	struct wire_welcome welcome = {0};
	struct noise copy = *n;
	uint8_t payload[STUN_MAX];
	struct noise_keys keys;
	const uint8_t *id;
	struct stun_attr a;
	int len, rc = -EBADMSG;

	if (!is_ours(m, NATKIT_HELLO, STUN_SUCCESS) ||
	    stun_find(m, NATKIT_NOISE, &a) != 0)
		goto out;
	len =
	    noise_read2(&copy, a.value, a.len, payload, sizeof(payload), &keys);
	if (len < 0 || read_welcome(payload, (size_t)len, &welcome, &id) != 0)
		goto out;
	if (welcome.status == WIRE_OK) {
		memset(s, 0, sizeof(*s));
		memcpy(s->id, id, WIRE_ID_LEN);
		s->keys = keys;
	}
	*n = copy;
	*out = welcome;
	rc = 0;
out:
	sodium_memzero(&copy, sizeof(copy));
	sodium_memzero(&keys, sizeof(keys));
	return rc;
}

int
wire_challenge(const uint8_t tid[STUN_TID_LEN], const uint8_t *nonce,
    size_t nonce_len, uint8_t *out, size_t cap)
{
	struct stun_buf b;

	if (nonce_len > WIRE_NONCE_MAX)
		return -EINVAL;
	stun_begin(&b, out, cap, NATKIT_HELLO, STUN_ERROR, tid);
	stun_put_error(&b, WIRE_STALE_NONCE, NULL);
	stun_put(&b, STUN_NONCE, nonce, nonce_len);
	return stun_end(&b, true);
}

int
wire_challenge_read(
    const struct stun_msg *m, uint8_t nonce[WIRE_NONCE_MAX], size_t *len)
{
	struct stun_attr a;

	if (!is_ours(m, NATKIT_HELLO, STUN_ERROR) ||
	    stun_get_error(m) != WIRE_STALE_NONCE ||
	    stun_find(m, STUN_NONCE, &a) != 0 || a.len == 0 ||
	    a.len > WIRE_NONCE_MAX)
		return -EBADMSG;
	memcpy(nonce, a.value, a.len);
	*len = a.len;
	return 0;
}

int
wire_seal(struct session *s, enum stun_class class,
    const uint8_t tid[STUN_TID_LEN], const uint8_t *plain, size_t len,
    uint8_t *out, size_t cap)
{
	if (len > WIRE_PLAIN_MAX)
		return -ENOBUFS;
	return session_seal(s, NATKIT_SESSION, class, tid, plain, len,
	    class == STUN_REQUEST ? SESSION_PADDING : 0, out, cap);
}

const uint8_t *
wire_session_id(const struct stun_msg *m)
{
	return session_id(m, NATKIT_SESSION);
}

int
wire_open(
    struct session *s, const struct stun_msg *m, uint8_t *plain, size_t cap)
{
	return session_open(s, m, NATKIT_SESSION, plain,
	    cap < WIRE_PLAIN_MAX ? cap : WIRE_PLAIN_MAX);
}

int
wire_unknown_session(const struct stun_msg *m, uint8_t *out, size_t cap)
{
	struct stun_buf b;
	int len;

	stun_begin(&b, out, cap, NATKIT_SESSION, STUN_ERROR, m->tid);
	stun_put_error(&b, WIRE_UNKNOWN_SESSION, NULL);
	len = stun_end(&b, true);
	return len >= 0 && (size_t)len > m->len ? -ENOBUFS : len;
}

void
wire_put_addr(struct stun_buf *b, uint16_t type, const struct addr *a)
{
	uint8_t value[20] = {a->family};
	size_t len = addr_ip_len(a);

	put_u16(value + 2, a->port);
	memcpy(value + 4, a->ip, len);
	stun_put(b, type, value, 4 + len);
}

int
wire_get_addr(const struct stun_attr *a, struct addr *out)
{
	struct addr got = {0};
	struct cursor c;
	const uint8_t *ip;
	size_t len;

	cursor_init(&c, a->value, a->len);
	got.family = cursor_u8(&c);
	cursor_u8(&c);
	got.port = cursor_u16(&c);
	if (c.bad || (got.family != ADDR_V4 && got.family != ADDR_V6))
		return -EBADMSG;
	len = addr_ip_len(&got);
	ip = cursor_bytes(&c, len);
	if (ip == NULL || cursor_left(&c) != 0)
		return -EBADMSG;
	memcpy(got.ip, ip, len);
	*out = got;
	return 0;
}

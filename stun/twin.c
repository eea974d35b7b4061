/* SPDX-License-Identifier: ISC */
/* What two nat-stund that lend each other their address say to each other:
 * Noise_IK in STUN's frame (RFC 8489). */
#include "twin.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "integrity.h"

#define TLV(len) (4 + (((len) + 3) & ~3))
#define ADDR_V4_VALUE 8 /* RFC 8489 section 14.1 */
#define ADDR_V6_VALUE 20

#define MSG1_PAYLOAD TLV(8)
#define MSG2_PAYLOAD_MAX                                                       \
	(TLV(TWIN_ID_LEN) +                                                    \
	    TWIN_PORTS * (TLV(ADDR_V4_VALUE) + TLV(ADDR_V6_VALUE)))
#define REQUEST_LEN                                                            \
	(STUN_HEADER_LEN + TLV(NOISE_MSG1_LEN + MSG1_PAYLOAD) +                \
	    TLV(INTEGRITY_SHA256_LEN) + TLV(FINGERPRINT_LEN))
_Static_assert(STUN_HEADER_LEN + TLV(NOISE_MSG2_LEN + MSG2_PAYLOAD_MAX) +
		       TLV(FINGERPRINT_LEN) <=
		   TWIN_HELLO_LEN,
    "no answer is longer than its request");
_Static_assert(
    TWIN_CARRY_MAX + 4 + ADDR_V6_VALUE + SESSION_OVERHEAD <= TWIN_MAX,
    "what is carried fits into a message");

#define MAC_LABEL "natkit twin hello 1"
#define UNKNOWN_SESSION 481
#define PADDING_MAX 1500 /* as long as a responder makes it */

static bool
is_hello(const struct stun_msg *m, enum stun_class class)
{
	return m->method == NATKIT_TWIN_HELLO && m->class == class &&
	       m->fingerprint;
}

/* From the secret that the two static keys share, one for each initiator: a
 * request that comes back to its sender is not taken for the other's. */
static void
make_mac(uint8_t out[32], const uint8_t shared[32], const uint8_t from[KEY_LEN])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, shared, 32, 32);
	crypto_generichash_update(
	    &st, (const uint8_t *)MAC_LABEL, sizeof(MAC_LABEL) - 1);
	crypto_generichash_update(&st, from, KEY_LEN);
	crypto_generichash_final(&st, out, 32);
	sodium_memzero(&st, sizeof(st));
}

int
twin_keys_init(struct twin_keys *k, const uint8_t own[KEY_LEN],
    const uint8_t pub[KEY_LEN], const uint8_t peer[KEY_LEN])
{
	uint8_t shared[32];

	if (key_equal(pub, peer) || key_is_low_order(peer) ||
	    crypto_scalarmult(shared, own, peer) != 0)
		return -EINVAL;
	memcpy(k->own, own, KEY_LEN);
	memcpy(k->pub, pub, KEY_LEN);
	memcpy(k->peer, peer, KEY_LEN);
	make_mac(k->mac_ours, shared, pub);
	make_mac(k->mac_theirs, shared, peer);
	sodium_memzero(shared, sizeof(shared));
	return 0;
}

int
twin_hello_request(struct noise *n, const struct twin_keys *k,
    const uint8_t tid[STUN_TID_LEN], uint64_t timestamp_ns, uint8_t *out,
    size_t cap)
{
	uint8_t payload[MSG1_PAYLOAD], *p;
	struct stun_buf list, b;
	int len;

	noise_init_initiator(n, k->own, k->pub, k->peer, TWIN_PROLOGUE,
	    sizeof(TWIN_PROLOGUE) - 1);
	stun_begin_list(&list, payload, sizeof(payload));
	stun_put_u64(&list, NATKIT_TIMESTAMP, timestamp_ns);
	if ((len = stun_end(&list, false)) < 0)
		return len;
	stun_begin(&b, out, cap, NATKIT_TWIN_HELLO, STUN_REQUEST, tid);
	p = stun_put_space(&b, NATKIT_NOISE, NOISE_MSG1_LEN + (size_t)len);
	if (p == NULL)
		return -ENOBUFS;
	len = noise_write1(
	    n, payload, (size_t)len, p, NOISE_MSG1_LEN + (size_t)len);
	if (len < 0)
		return len;
	stun_put_space(&b, NATKIT_PADDING, TWIN_HELLO_LEN - REQUEST_LEN - 4);
	stun_put_integrity_sha256(&b, k->mac_ours, sizeof(k->mac_ours));
	return stun_end(&b, true);
}

bool
twin_hello_check(const struct twin_keys *k, const struct stun_msg *m)
{
	return is_hello(m, STUN_REQUEST) && m->len == TWIN_HELLO_LEN &&
	       stun_check_integrity_sha256(
		   m, k->mac_theirs, sizeof(k->mac_theirs)) == 0;
}

int
twin_hello_read(struct noise *n, const struct twin_keys *k,
    const struct stun_msg *m, uint64_t *timestamp_ns)
{
	uint8_t payload[TWIN_HELLO_LEN];
	struct stun_attr a;
	struct cursor c;
	int len;

	if (!is_hello(m, STUN_REQUEST) || stun_find(m, NATKIT_NOISE, &a) != 0)
		return -EBADMSG;
	noise_init_responder(
	    n, k->own, k->pub, TWIN_PROLOGUE, sizeof(TWIN_PROLOGUE) - 1);
	len = noise_read1(n, a.value, a.len, payload, sizeof(payload));
	if (len < 0)
		return -EBADMSG;
	if (!key_equal(n->rs, k->peer))
		return -EACCES;
	if (!stun_list_valid(payload, (size_t)len) ||
	    stun_list_find(payload, (size_t)len, NATKIT_TIMESTAMP, &a) != 0 ||
	    a.len != 8)
		return -EBADMSG;
	cursor_init(&c, a.value, a.len);
	*timestamp_ns = cursor_u64(&c);
	return 0;
}

static void
put_places(struct stun_buf *b, const struct addr places[TWIN_PORTS])
{
	for (int i = 0; i < TWIN_PORTS; i++)
		if (places[i].family != ADDR_NONE)
			stun_put_addr(b, NATKIT_TWIN_ADDRESS, &places[i]);
}

int
twin_hello_response(struct noise *n, const uint8_t tid[STUN_TID_LEN],
    const uint8_t id[TWIN_ID_LEN], const struct twin_places *places,
    struct session *s, uint8_t *out, size_t cap)
{
	uint8_t payload[MSG2_PAYLOAD_MAX], *p;
	struct noise_keys keys;
	struct stun_buf list, b;
	int len;

	stun_begin_list(&list, payload, sizeof(payload));
	stun_put(&list, NATKIT_SESSION_ID, id, TWIN_ID_LEN);
	put_places(&list, places->v4);
	put_places(&list, places->v6);
	if ((len = stun_end(&list, false)) < 0)
		return len;
	stun_begin(&b, out, cap, NATKIT_TWIN_HELLO, STUN_SUCCESS, tid);
	p = stun_put_space(&b, NATKIT_NOISE, NOISE_MSG2_LEN + (size_t)len);
	if (p == NULL)
		return -ENOBUFS;
	len = noise_write2(
	    n, payload, (size_t)len, p, NOISE_MSG2_LEN + (size_t)len, &keys);
	if (len < 0)
		return len;
	if ((len = stun_end(&b, true)) >= 0) {
		memset(s, 0, sizeof(*s));
		memcpy(s->id, id, TWIN_ID_LEN);
		s->keys = keys;
	}
	sodium_memzero(&keys, sizeof(keys));
	return len;
}

/* In the order of P1 and P2; one that is there alone is of no use. */
static int
read_places(const uint8_t *list, size_t len, struct twin_places *out)
{
	struct twin_places got = {.v4[0].family = ADDR_NONE};
	int n4 = 0, n6 = 0;
	struct stun_attr a;
	struct cursor c;

	cursor_init(&c, list, len);
	while (stun_attr_next(&c, &a) == 1) {
		struct addr at;

		if (a.type != NATKIT_TWIN_ADDRESS)
			continue;
		if (stun_get_addr(&a, &at) != 0)
			return -EBADMSG;
		if (at.family == ADDR_V4 && n4 < TWIN_PORTS)
			got.v4[n4++] = at;
		else if (at.family == ADDR_V6 && n6 < TWIN_PORTS)
			got.v6[n6++] = at;
		else
			return -EBADMSG;
	}
	*out = got;
	return 0;
}

int
twin_hello_finish(struct noise *n, const struct stun_msg *m,
    struct twin_places *places, struct session *s)
{
	struct noise copy = *n;
	uint8_t payload[TWIN_MAX];
	struct noise_keys keys;
	struct stun_attr a, id;
	int len, rc = -EBADMSG;

	if (!is_hello(m, STUN_SUCCESS) || stun_find(m, NATKIT_NOISE, &a) != 0)
		goto out;
	len =
	    noise_read2(&copy, a.value, a.len, payload, sizeof(payload), &keys);
	if (len < 0 || !stun_list_valid(payload, (size_t)len) ||
	    stun_list_find(payload, (size_t)len, NATKIT_SESSION_ID, &id) != 0 ||
	    id.len != TWIN_ID_LEN ||
	    read_places(payload, (size_t)len, places) != 0)
		goto out;
	memset(s, 0, sizeof(*s));
	memcpy(s->id, id.value, TWIN_ID_LEN);
	s->keys = keys;
	*n = copy;
	rc = 0;
out:
	sodium_memzero(&copy, sizeof(copy));
	sodium_memzero(&keys, sizeof(keys));
	return rc;
}

int
twin_unknown(const struct stun_msg *m, uint8_t *out, size_t cap)
{
	struct stun_buf b;
	int len;

	stun_begin(&b, out, cap, NATKIT_TWIN, STUN_ERROR, m->tid);
	stun_put_error(&b, UNKNOWN_SESSION, NULL);
	len = stun_end(&b, true);
	return len >= 0 && (size_t)len > m->len ? -ENOBUFS : len;
}

void
twin_put_order(struct stun_buf *b, const struct twin_order *o)
{
	size_t ip = addr_ip_len(&o->to);
	uint8_t *p = stun_put_space(b, NATKIT_TWIN_SEND, 4 + ip + o->len);

	if (p == NULL)
		return;
	p[0] = o->port;
	p[1] = o->to.family;
	put_u16(p + 2, o->to.port);
	memcpy(p + 4, o->to.ip, ip);
	memcpy(p + 4 + ip, o->data, o->len);
}

int
twin_get_order(const struct stun_attr *a, struct twin_order *out)
{
	struct twin_order o = {.port = 0};
	const uint8_t *ip;
	struct cursor c;

	cursor_init(&c, a->value, a->len);
	o.port = cursor_u8(&c);
	o.to.family = cursor_u8(&c);
	o.to.port = cursor_u16(&c);
	if (c.bad || o.port >= TWIN_PORTS ||
	    (o.to.family != ADDR_V4 && o.to.family != ADDR_V6))
		return -EBADMSG;
	ip = cursor_bytes(&c, addr_ip_len(&o.to));
	o.len = cursor_left(&c);
	o.data = cursor_bytes(&c, o.len);
	if (ip == NULL || o.data == NULL)
		return -EBADMSG;
	memcpy(o.to.ip, ip, addr_ip_len(&o.to));
	*out = o;
	return 0;
}

static bool
is_zero_padding(const struct stun_attr *a)
{
	return a->len <= PADDING_MAX &&
	       (a->len == 0 || sodium_is_zero(a->value, a->len));
}

/* *mapped is set when it tells the receiver's address. */
static bool
attr_fit(const struct stun_msg *m, const struct stun_attr *a,
    const struct addr *to, bool *mapped)
{
	struct addr at;

	switch (a->type) {
	case STUN_XOR_MAPPED_ADDRESS:
		*mapped = true;
		return stun_get_xor_addr(a, m->tid, &at) == 0 &&
		       addr_equal_ip(&at, to);
	case STUN_MAPPED_ADDRESS:
		*mapped = true;
		return stun_get_addr(a, &at) == 0 && addr_equal_ip(&at, to);
	case STUN_SOURCE_ADDRESS:
	case STUN_CHANGED_ADDRESS:
	case STUN_RESPONSE_ORIGIN:
	case STUN_OTHER_ADDRESS:
		return stun_get_addr(a, &at) == 0 && at.family == to->family;
	case STUN_PADDING:
		return is_zero_padding(a);
	case STUN_FINGERPRINT:
		return true; /* stun_parse has looked */
	default:
		return false;
	}
}

bool
twin_order_fit(const struct twin_order *o)
{
	uint8_t copy[TWIN_CARRY_MAX];
	bool mapped = false;
	struct stun_attr a;
	struct stun_msg m;
	struct cursor c;

	if (o->len < STUN_HEADER_LEN || o->len > sizeof(copy) ||
	    !addr_is_sendable(&o->to))
		return false;
	memcpy(copy, o->data, o->len);
	if (stun_parse(&m, copy, o->len) != 0) {
		/* the same without a cookie is RFC 3489's, and has no
		 * FINGERPRINT */
		put_u32(copy + 4, STUN_COOKIE);
		if (stun_parse(&m, copy, o->len) != 0 || m.fingerprint)
			return false;
	}
	if (m.method != STUN_BINDING || m.class != STUN_SUCCESS)
		return false;
	stun_attrs(&c, &m);
	while (stun_attr_next(&c, &a) == 1)
		if (!attr_fit(&m, &a, &o->to, &mapped))
			return false;
	return mapped;
}

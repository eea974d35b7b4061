/* SPDX-License-Identifier: ISC */
/* A rendezvous client for tests: only rendezvous/wire.h, so that a test can do
 * every wrong thing. */
#ifndef NATKIT_TESTS_RV_H
#define NATKIT_TESTS_RV_H

#include <sodium.h>
#include <string.h>

#include "noise.h"
#include "stun.h"
#include "wire.h"

struct rv {
	uint8_t secret[KEY_LEN], public[KEY_LEN];
	struct noise noise;
	struct session session;
	uint8_t tid[STUN_TID_LEN]; /* of the latest request */
	uint64_t timestamp;
};

static inline void
rv_init(struct rv *c)
{
	memset(c, 0, sizeof(*c));
	randombytes_buf(c->secret, KEY_LEN);
	crypto_scalarmult_base(c->public, c->secret);
	c->timestamp = 1;
}

/* A new HELLO request. Returns its length. */
static inline int
rv_hello(struct rv *c, const uint8_t server[KEY_LEN], const uint8_t *nonce,
    size_t nonce_len, uint8_t out[STUN_MAX])
{
	noise_init_initiator(&c->noise, c->secret, c->public, server,
	    WIRE_PROLOGUE, sizeof(WIRE_PROLOGUE) - 1);
	stun_new_tid(c->tid);
	return wire_hello_request(
	    &c->noise, c->tid, c->timestamp++, nonce, nonce_len, out, STUN_MAX);
}

/* Reads the answer. Returns its status, or -errno. */
static inline int
rv_finish(struct rv *c, const uint8_t *data, size_t len)
{
	struct wire_welcome w;
	struct stun_msg m;
	int rc = stun_parse(&m, data, len);

	if (rc == 0)
		rc = wire_hello_finish(&c->noise, &m, &w, &c->session);
	return rc == 0 ? w.status : rc;
}

/* A SESSION request of one attribute; type 0: an empty one. */
static inline int
rv_request(struct rv *c, uint16_t type, const void *value, size_t value_len,
    uint8_t out[STUN_MAX])
{
	uint8_t plain[WIRE_PLAIN_MAX];
	struct stun_buf b;

	stun_begin_list(&b, plain, sizeof(plain));
	if (type != 0)
		stun_put(&b, type, value, value_len);
	stun_new_tid(c->tid);
	return wire_seal(
	    &c->session, STUN_REQUEST, c->tid, plain, b.len, out, STUN_MAX);
}

static inline int
rv_want(struct rv *c, const uint8_t key[KEY_LEN], uint8_t tag,
    uint8_t out[STUN_MAX])
{
	uint8_t value[KEY_LEN + WIRE_TAG_LEN];

	memcpy(value, key, KEY_LEN);
	memset(value + KEY_LEN, tag, WIRE_TAG_LEN);
	return rv_request(c, NATKIT_WANT, value, sizeof(value), out);
}

static inline int
rv_ready(struct rv *c, const uint8_t key[KEY_LEN], uint32_t mine,
    uint32_t theirs, uint16_t rtt_ms, uint8_t out[STUN_MAX])
{
	uint8_t value[KEY_LEN + 10];

	memcpy(value, key, KEY_LEN);
	put_u32(value + KEY_LEN, mine);
	put_u32(value + KEY_LEN + 4, theirs);
	put_u16(value + KEY_LEN + 8, rtt_ms);
	return rv_request(c, NATKIT_READY, value, sizeof(value), out);
}

/* SEND as an indication. */
static inline int
rv_send(struct rv *c, const uint8_t key[KEY_LEN], const void *payload,
    size_t len, uint8_t out[STUN_MAX])
{
	uint8_t plain[WIRE_PLAIN_MAX], *p;
	struct stun_buf b;

	stun_begin_list(&b, plain, sizeof(plain));
	p = stun_put_space(&b, NATKIT_SEND, KEY_LEN + len);
	if (p == NULL)
		return -1;
	memcpy(p, key, KEY_LEN);
	memcpy(p + KEY_LEN, payload, len);
	stun_new_tid(c->tid);
	return wire_seal(
	    &c->session, STUN_INDICATION, c->tid, plain, b.len, out, STUN_MAX);
}

/* Opens what the server sent. Returns the plaintext's length or -errno. */
static inline int
rv_open(struct rv *c, struct stun_msg *m, const uint8_t *data, size_t len,
    uint8_t plain[WIRE_PLAIN_MAX])
{
	int rc = stun_parse(m, data, len);

	return rc != 0 ? rc : wire_open(&c->session, m, plain, WIRE_PLAIN_MAX);
}

/* The acknowledgement of a push. */
static inline int
rv_ack(struct rv *c, const uint8_t tid[STUN_TID_LEN], uint8_t out[STUN_MAX])
{
	return wire_seal(
	    &c->session, STUN_SUCCESS, tid, NULL, 0, out, STUN_MAX);
}

/* The first attribute of a type. Returns 0 or -ENOENT. */
static inline int
rv_find(const uint8_t *plain, size_t len, uint16_t type, struct stun_attr *out)
{
	struct cursor c;

	cursor_init(&c, plain, len);
	while (stun_attr_next(&c, out) == 1)
		if (out->type == type)
			return 0;
	return -1;
}

#endif

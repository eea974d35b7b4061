/* SPDX-License-Identifier: ISC */
/* A TURN server with a list of ports instead of sockets, and clients that sign
 * their requests. */
#ifndef NATKIT_TURN_FIXTURE_H
#define NATKIT_TURN_FIXTURE_H

#include <errno.h>
#include <nettle/md5.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr_fixture.h"
#include "cursor.h"
#include "turnserver.h"

#define PORTS_MAX 64
#define FIRST_PORT 50000
#define REALM "example.org"
#define SECRET "0123456789abcdef north"
#define ANSWER_NONE (-1)
#define ANSWER_FORWARD (-2)

struct world {
	struct turn *t;
	struct accounts *accounts;
	struct peerrules rules;
	struct credential_secret secret[2];
	uint64_t now_ms, wall_s;
	uint16_t port[PORTS_MAX]; /* by index; 0: closed */
	uint16_t held[PORTS_MAX];
	uint16_t next_port;
	unsigned int opened, n_held;
	bool refuse[2]; /* no port of that family is to be had */
	struct turn_result result;
	struct stun_msg answer;
	uint8_t out[TURN_OUT_MAX];
};

struct client {
	struct way way;
	char user[128], password[CREDENTIAL_TURN_PASSWORD_LEN + 1];
	const char *realm;
	char nonce[64];
	bool modern; /* SHA-256, PASSWORD-ALGORITHM */
	uint8_t key[32];
	size_t key_len;
};

static inline int
port_open(void *arg, uint32_t index, int family, bool even, bool next,
    uint16_t port, struct addr *at)
{
	struct world *w = arg;

	assert_true(index < PORTS_MAX && w->port[index] == 0);
	assert_int_equal(index % 2, family == ADDR_V6);
	if (w->refuse[index % 2])
		return -ENOSPC;
	if (port == 0) {
		if (even && w->next_port % 2 == 1)
			w->next_port++;
		port = w->next_port++;
		if (next) {
			w->held[w->n_held++] = w->next_port++;
		}
	} else {
		assert_true(w->n_held > 0 && w->held[w->n_held - 1] == port);
		w->n_held--;
	}
	assert_int_equal(
	    addr_parse_ip(at, index % 2 ? "2001:db8:5::1" : "192.0.2.5", port),
	    0);
	w->port[index] = port;
	w->opened++;
	return 0;
}

static inline void
port_close(void *arg, uint32_t index)
{
	struct world *w = arg;

	assert_true(index < PORTS_MAX && w->port[index] != 0);
	w->port[index] = 0;
	w->opened--;
}

static inline void
port_release(void *arg, int family, uint16_t port)
{
	struct world *w = arg;

	(void)family;
	assert_true(w->n_held > 0 && w->held[w->n_held - 1] == port);
	w->n_held--;
}

static inline void
world_make(struct world *w, uint32_t max, uint32_t per_address)
{
	struct turn_ports ports = {.open = port_open,
	    .close = port_close,
	    .release = port_release,
	    .arg = w};
	struct accounts_config ac = {.max = 64, .per_account = 20};
	struct turn_config c = {.max = max,
	    .realm = REALM,
	    .secrets = w->secret,
	    .n_secrets = 2,
	    .rules = &w->rules,
	    .has4 = true,
	    .has6 = true,
	    .request_rate = 10000,
	    .per_address = per_address};

	assert_true(sodium_init() >= 0);
	*w = (struct world){
	    .now_ms = 5000500, .wall_s = 1000000, .next_port = FIRST_PORT};
	w->secret[0].len = strlen("another secret of old");
	memcpy(w->secret[0].bytes, "another secret of old", w->secret[0].len);
	w->secret[1].len = strlen(SECRET);
	memcpy(w->secret[1].bytes, SECRET, w->secret[1].len);
	assert_int_equal(accounts_new(&w->accounts, &ac), 0);
	assert_int_equal(turn_new(&w->t, &c, &ports, w->accounts), 0);
}

static inline void
world_end(struct world *w)
{
	turn_free(w->t);
	assert_int_equal(w->opened, 0);
	assert_int_equal(w->n_held, 0);
	accounts_free(w->accounts);
}

static inline void
client_key(struct client *c)
{
	char text[512];
	struct md5_ctx md5;
	int n = snprintf(
	    text, sizeof(text), "%s:%s:%s", c->user, c->realm, c->password);

	if (c->modern) {
		crypto_hash_sha256(c->key, (uint8_t *)text, (size_t)n);
		c->key_len = 32;
		return;
	}
	md5_init(&md5);
	md5_update(&md5, (size_t)n, (uint8_t *)text);
	md5_digest(&md5, 16, c->key);
	c->key_len = 16;
}

static inline void
client_make(struct client *c, const char *from, const char *user)
{
	struct credential_secret s = {.len = strlen(SECRET)};

	memcpy(s.bytes, SECRET, s.len);
	*c = (struct client){.way = {.remote = at(from)}, .realm = REALM};
	snprintf(c->user, sizeof(c->user), "%s", user);
	credential_turn_password(&s, user, c->password);
	client_key(c);
}

static inline void
ask(struct stun_buf *b, uint8_t buf[STUN_MAX], uint16_t method)
{
	uint8_t tid[STUN_TID_LEN];

	stun_new_tid(tid);
	stun_begin(b, buf, STUN_MAX, method, STUN_REQUEST, tid);
}

static inline void
take_nonce(const struct world *w, struct client *c)
{
	struct stun_attr a;

	assert_int_equal(stun_find(&w->answer, STUN_NONCE, &a), 0);
	assert_true(a.len < sizeof(c->nonce));
	memcpy(c->nonce, a.value, a.len);
	c->nonce[a.len] = '\0';
}

/* The error code of the answer, 0 for success, or one of ANSWER_. */
static inline int
give(struct world *w, const struct way *from, const uint8_t *data, size_t len)
{
	struct stun_msg m;

	assert_int_equal(stun_parse(&m, data, len), 0);
	turn_message(w->t, from, &m, w->now_ms, w->wall_s, w->out, &w->result);
	if (w->result.action == TURN_FORWARD)
		return ANSWER_FORWARD;
	if (w->result.action == TURN_NOTHING)
		return ANSWER_NONE;
	assert_int_equal(stun_parse(&w->answer, w->out, w->result.len), 0);
	assert_int_equal(w->answer.method, m.method);
	assert_memory_equal(w->answer.tid, m.tid, STUN_TID_LEN);
	if (w->answer.class == STUN_SUCCESS)
		return 0;
	assert_int_equal(w->answer.class, STUN_ERROR);
	return stun_get_error(&w->answer);
}

static inline void
sign(const struct client *c, struct stun_buf *b)
{
	static const uint8_t algorithms[] = {0, 2, 0, 0, 0, 1, 0, 0};

	stun_put(b, STUN_USERNAME, c->user, strlen(c->user));
	stun_put(b, STUN_REALM, c->realm, strlen(c->realm));
	stun_put(b, STUN_NONCE, c->nonce, strlen(c->nonce));
	if (c->modern) {
		stun_put(b, STUN_PASSWORD_ALGORITHMS, algorithms, 8);
		stun_put(b, STUN_PASSWORD_ALGORITHM, algorithms, 4);
		stun_put_integrity_sha256(b, c->key, c->key_len);
	} else {
		stun_put_integrity(b, c->key, c->key_len);
	}
}

/* Signs, sends, and looks whether a success is signed, too. */
static inline int
asked(struct world *w, struct client *c, struct stun_buf *b)
{
	int code;

	sign(c, b);
	code = give(w, &c->way, b->data, b->len);
	if (code == 0)
		assert_int_equal(c->modern ? stun_check_integrity_sha256(
						 &w->answer, c->key, c->key_len)
					   : stun_check_integrity(&w->answer,
						 c->key, c->key_len),
		    0);
	return code;
}

static inline void
challenge(struct world *w, struct client *c)
{
	uint8_t buf[STUN_MAX];
	struct stun_buf b;

	ask(&b, buf, TURN_ALLOCATE);
	stun_put_u32(&b, TURN_REQUESTED_TRANSPORT, 17u << 24);
	assert_int_equal(give(w, &c->way, b.data, b.len), 401);
	take_nonce(w, c);
}

static inline int
allocate(struct world *w, struct client *c)
{
	uint8_t buf[STUN_MAX];
	struct stun_buf b;

	challenge(w, c);
	ask(&b, buf, TURN_ALLOCATE);
	stun_put_u32(&b, TURN_REQUESTED_TRANSPORT, 17u << 24);
	return asked(w, c, &b);
}

static inline int
permit(struct world *w, struct client *c, const char *peer)
{
	struct addr a = at(peer);
	uint8_t buf[STUN_MAX];
	struct stun_buf b;

	ask(&b, buf, TURN_CREATE_PERMISSION);
	stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &a);
	return asked(w, c, &b);
}

static inline int
bind_channel(
    struct world *w, struct client *c, uint16_t number, const char *peer)
{
	struct addr a = at(peer);
	uint8_t buf[STUN_MAX];
	struct stun_buf b;

	ask(&b, buf, TURN_CHANNEL_BIND);
	stun_put_u32(&b, TURN_CHANNEL_NUMBER, (uint32_t)number << 16);
	stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &a);
	return asked(w, c, &b);
}

static inline int
refresh(struct world *w, struct client *c, uint32_t lifetime_s)
{
	uint8_t buf[STUN_MAX];
	struct stun_buf b;

	ask(&b, buf, TURN_REFRESH);
	stun_put_u32(&b, TURN_LIFETIME, lifetime_s);
	return asked(w, c, &b);
}

static inline int
send_to(struct world *w, struct client *c, const char *peer, const char *data)
{
	struct addr a = at(peer);
	uint8_t buf[STUN_MAX], tid[STUN_TID_LEN];
	struct stun_buf b;

	stun_new_tid(tid);
	stun_begin(&b, buf, sizeof(buf), TURN_SEND, STUN_INDICATION, tid);
	stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &a);
	stun_put(&b, TURN_DATA_ATTR, data, strlen(data));
	return give(w, &c->way, b.data, b.len);
}

static inline bool
comes_from(struct world *w, uint32_t index, const char *peer, struct way *to,
    uint16_t *channel)
{
	struct addr a = at(peer);

	return turn_peer(w->t, index, &a, 10, 1, w->now_ms, to, channel);
}

/* Time passes for all. */
static inline void
later(struct world *w, uint64_t seconds)
{
	w->now_ms += seconds * 1000;
	w->wall_s += seconds;
}

/* The n-th relayed address of the answer. */
static inline struct addr
relayed(const struct world *w, unsigned int n)
{
	struct addr a = {.family = ADDR_NONE};
	struct stun_attr attr;
	struct cursor c;

	stun_attrs(&c, &w->answer);
	while (stun_attr_next(&c, &attr) == 1)
		if (attr.type == TURN_XOR_RELAYED_ADDRESS && n-- == 0)
			assert_int_equal(
			    stun_get_xor_addr(&attr, w->answer.tid, &a), 0);
	return a;
}

static inline uint32_t
u32_of(const struct world *w, uint16_t type)
{
	struct stun_attr a;
	struct cursor c;

	assert_int_equal(stun_find(&w->answer, type, &a), 0);
	assert_int_equal(a.len, 4);
	cursor_init(&c, a.value, a.len);
	return cursor_u32(&c);
}

#endif

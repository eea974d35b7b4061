/* SPDX-License-Identifier: ISC */
/* A relay's pairs and its clients, for test_pairs.c and fuzz_pairs.c. */
#ifndef NATKIT_PAIRS_FIXTURE_H
#define NATKIT_PAIRS_FIXTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pairs.h"
#include "stun.h"

#define MAIN4 0 /* sockets */
#define FIRST 2
#define PORTS 4
#define SOCKET4(k) ((uint16_t)(FIRST + (k)))
#define SOCKET6(k) ((uint16_t)(FIRST + PORTS + (k)))
#define WALL_S UINT64_C(1700000000)
#define SILENCE (-1)

struct rig {
	struct credential_secret secret[2];
	struct accounts *accounts;
	struct pairs *pairs;
	uint64_t now_ms, wall_s;
	uint8_t request[STUN_MAX], answer[STUN_MAX];
	size_t request_len, answer_len;
	struct stun_msg m;		      /* the answer, if there was one */
	char nonce[CREDENTIAL_NONCE_LEN + 1]; /* the latest that came */
};

/* A request that is made. */
struct client {
	struct way from;
	struct credential_pair c;
	const struct credential_secret *secret;
	const char *name, *password; /* instead of the right ones */
	char nonce[CREDENTIAL_NONCE_LEN + 1];
	bool leave, no_name, no_integrity, no_fingerprint;
	uint16_t channel, extra;
};

static inline struct addr
fixture_addr(const char *text)
{
	struct addr a;

	if (addr_parse(&a, text) != 0)
		abort();
	return a;
}

static inline void
fixture_key(uint8_t key[KEY_LEN], uint32_t n)
{
	memset(key, 0x42, KEY_LEN);
	put_u32(key, n);
}

static inline void
rig_open(struct rig *r, uint32_t max, const struct accounts_config *accounts,
    uint32_t per_address)
{
	struct pairs_config c = {.max = max,
	    .first_socket = FIRST,
	    .ports = PORTS,
	    .secrets = r->secret,
	    .n_secrets = 2,
	    .bind_rate = 50,
	    .per_address = per_address};

	memset(r, 0, sizeof(*r));
	r->now_ms = 1000000;
	r->wall_s = WALL_S;
	for (int i = 0; i < 2; i++) {
		r->secret[i].len = 32;
		memset(r->secret[i].bytes, 'a' + i, 32);
	}
	for (int k = 0; k < PORTS; k++) {
		c.at[0][k] = fixture_addr("192.0.2.9:0");
		c.at[1][k] = fixture_addr("[2001:db8::9]:0");
		c.at[0][k].port = c.at[1][k].port = (uint16_t)(49152 + k);
	}
	if (accounts_new(&r->accounts, accounts) != 0 ||
	    pairs_new(&r->pairs, &c, r->accounts) != 0)
		abort();
}

static inline void
rig_close(struct rig *r)
{
	pairs_free(r->pairs);
	accounts_free(r->accounts);
}

static inline struct client
fixture_client(
    const struct rig *r, uint32_t key, uint32_t peer, const char *from)
{
	struct client c = {.secret = &r->secret[0]};

	c.from =
	    (struct way){.remote = fixture_addr(from), .socket = SOCKET4(0)};
	if (c.from.remote.family == ADDR_V6)
		c.from.socket = SOCKET6(0);
	c.c.expiry_s = WALL_S + 3600;
	fixture_key(c.c.key, key);
	fixture_key(c.c.peer, peer);
	return c;
}

static inline void
fixture_request(struct rig *r, const struct client *c)
{
	static const uint8_t tid[STUN_TID_LEN] = "transaction";
	char right[CREDENTIAL_NAME_MAX];
	char password[CREDENTIAL_PASSWORD_LEN + 1];
	const char *name = c->name != NULL ? c->name : right;
	struct stun_buf b;

	credential_pair_name(&c->c, right);
	stun_begin(
	    &b, r->request, sizeof(r->request), NATKIT_BIND, STUN_REQUEST, tid);
	if (c->leave)
		stun_put_u32(&b, TURN_LIFETIME, 0);
	if (c->channel != 0)
		stun_put_u32(
		    &b, TURN_CHANNEL_NUMBER, (uint32_t)c->channel << 16);
	if (c->extra != 0)
		stun_put(&b, c->extra, "extra", 5);
	if (!c->no_name)
		stun_put(&b, STUN_USERNAME, name, strlen(name));
	if (c->nonce[0] != '\0')
		stun_put(&b, STUN_NONCE, c->nonce, strlen(c->nonce));
	credential_pair_password(c->secret, name, password);
	if (!c->no_integrity)
		stun_put_integrity_sha256(&b,
		    c->password != NULL ? c->password : password,
		    CREDENTIAL_PASSWORD_LEN);
	r->request_len = (size_t)stun_end(&b, !c->no_fingerprint);
}

/* Sends r->request. Returns the code of the answer, 0 for a success, or
 * SILENCE. */
static inline int
rig_send(struct rig *r, const struct way *from)
{
	struct stun_msg m;
	struct stun_attr a;
	int len;

	if (stun_parse(&m, r->request, r->request_len) != 0)
		abort();
	len = pairs_bind(r->pairs, from, &m, r->now_ms, r->wall_s, r->answer,
	    sizeof(r->answer));
	r->answer_len = (size_t)len;
	if (len == 0)
		return SILENCE;
	if (r->answer_len > r->request_len ||
	    stun_parse(&r->m, r->answer, r->answer_len) != 0 ||
	    !r->m.fingerprint || r->m.method != NATKIT_BIND ||
	    memcmp(r->m.tid, m.tid, STUN_TID_LEN) != 0)
		abort();
	if (stun_find(&r->m, STUN_NONCE, &a) == 0) {
		if (a.len != CREDENTIAL_NONCE_LEN)
			abort();
		memcpy(r->nonce, a.value, a.len);
	}
	return r->m.class == STUN_SUCCESS ? 0 : stun_get_error(&r->m);
}

static inline int
rig_ask(struct rig *r, const struct client *c)
{
	fixture_request(r, c);
	return rig_send(r, &c->from);
}

/* Gets a nonce, and asks with it. */
static inline int
rig_bind(struct rig *r, struct client *c)
{
	struct client first = *c;
	int code;

	first.nonce[0] = '\0';
	first.no_integrity = true;
	code = rig_ask(r, &first);
	if (code != 401)
		return code;
	memcpy(c->nonce, r->nonce, sizeof(c->nonce));
	return rig_ask(r, c);
}

/* Where a datagram of that client goes: false for nowhere. */
static inline bool
rig_forward(struct rig *r, const struct way *from, uint16_t channel,
    struct pairs_hop *hop)
{
	return pairs_forward(r->pairs, from, channel, 148, 1, r->now_ms, hop);
}

#endif

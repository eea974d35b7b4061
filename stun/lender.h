/* SPDX-License-Identifier: ISC */
/* The lending end of the twin link (DESIGN.md, "The twin link"), as a pure
 * state machine: its sessions, and what it lends its address for. Tables of
 * fixed sizes; bytes and a clock in, bytes out. */
#ifndef NATKIT_LENDER_H
#define NATKIT_LENDER_H

#include "limit.h"
#include "twin.h"

#define LENDER_SESSIONS 128 /* two for each process of the twin: old and new */
#define LENDER_PENDING 32   /* answered, and not confirmed */
#define LENDER_PENDING_MS 10000
#define LENDER_REPEATS 8 /* of an answer, to the same request */
/* A session that is silent for so long is forgotten: 4 keepalives */
#define LENDER_SILENT_MS 20000
/* Handshakes per second: each is made with the twin's key, so more are
 * replays, which cost X25519 and are worth nothing. */
#define LENDER_HELLOS 32
/* Requests that are known again: one that was heard on the way must not take
 * the twin's share of those handshakes. */
#define LENDER_SEEN 1024
/* Of a replay: how much older than the latest session's request it may be. */
#define LENDER_STALE_NS (60 * UINT64_C(1000000000))
#define LENDER_ORDERS 5000 /* per second, in all */
#define LENDER_UNKNOWNS 50 /* errors 481 per second */

struct lender_session {
	bool used;
	struct session session;
	uint64_t made_ms;
	uint64_t heard_ms;
	uint64_t timestamp_ns;
};

struct lender_pending {
	struct lender_session s;
	uint64_t request; /* hash of it */
	uint8_t repeats;
	uint8_t answer[TWIN_ANSWER_MAX];
	uint16_t answer_len;
};

/* What became of a message. Also the names of counters. */
#define LENDER_OUTCOMES(X)                                                     \
	X(hello)    /* answered */                                             \
	X(alive)    /* a keepalive: answered */                                \
	X(lent)	    /* an order, to be carried out */                          \
	X(unknown)  /* no such session: error 481, within a rate */            \
	X(replayed) /* not at all, as all below */                             \
	X(forged)   /* or malformed */                                         \
	X(unfit)    /* an order for what we don't send */                      \
	X(limited)

enum lender_outcome {
#define X(name) LENDER_##name,
	LENDER_OUTCOMES(X)
#undef X
	LENDER_OUTCOMES_N
};

/* Holds keys: to be allocated with sodium_malloc. */
struct lender {
	const struct twin_keys *keys;
	struct twin_places places;
	struct lender_session sessions[LENDER_SESSIONS];
	struct lender_pending pending[LENDER_PENDING];
	unsigned int next;	    /* of pending, to be used */
	uint64_t seen[LENDER_SEEN]; /* hashes of requests, by their last bits */
	uint64_t newest_ns;
	uint8_t secret[LIMIT_KEY_LEN];
	struct bucket hellos, orders, unknowns;
	struct limit targets;
	uint8_t plain[TWIN_MAX];
};

struct lender_action {
	size_t len; /* of the answer to who sent it, 0: none */
	/* LENDER_lent: data is valid until the next call */
	struct twin_order order;
};

/* rate is how many answers we send to one address, per second. keys outlive
 * it. Returns 0 or -errno. */
int lender_init(struct lender *l, const struct twin_keys *keys,
    const struct twin_places *places, uint32_t rate, uint64_t now_ms);
void lender_free(struct lender *l);
/* A datagram. out has TWIN_MAX bytes. */
enum lender_outcome lender_input(struct lender *l, const uint8_t *data,
    size_t len, uint64_t now_ms, uint8_t *out, struct lender_action *act);
/* Sessions that are in use now. */
unsigned int lender_sessions(const struct lender *l, uint64_t now_ms);

#endif

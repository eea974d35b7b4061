/* SPDX-License-Identifier: ISC */
/* Where pairs.c keeps its pairs: fixed memory, found by their keys, by the
 * way that a side is bound at, by the key of a side, by a connection or the IP address
 * at a socket. Sides are numbers; the other side of s is s ^ 1. */
#ifndef NATKIT_PAIRTABLE_H
#define NATKIT_PAIRTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "key.h"
#include "limit.h"
#include "way.h"

#define PAIRTABLE_NONE UINT32_MAX
#define PAIRTABLE_MAX (UINT32_C(1) << 24) /* pairs */

/* Chains that a bound side is in. */
enum pairtable_chain {
	PAIRTABLE_BY_WAY,
	PAIRTABLE_BY_KEY,
	PAIRTABLE_BY_ORIGIN, /* connection, or socket and IP address */
	PAIRTABLE_CHAINS,
};

/* What forwarding touches is the first cache line. */
struct side {
	struct way way;
	uint16_t channel; /* over a stream, or 0 */
	bool bound;
	bool carried; /* this pair has, at least once; the same in both */
	struct account *account;
	uint64_t seen_ms;
	uint64_t packets, bytes;
	/* the rest */
	uint64_t since_ms;
	uint32_t dropped;   /* stays at UINT32_MAX */
	uint32_t proven_ms; /* low bits of when its last nonce was given */
	uint8_t key[KEY_LEN];
	uint32_t next[PAIRTABLE_CHAINS];
	uint32_t place; /* of a crowd */
};
_Static_assert(sizeof(struct side) % 64 == 0, "sides share cache lines");

struct pairtable {
	struct side *sides;
	uint32_t *pairs; /* next: in the chain by keys, or free */
	uint32_t *by_keys;
	uint32_t *heads[PAIRTABLE_CHAINS];
	uint32_t max, count, free;
	uint32_t mask; /* of all heads */
	uint8_t secret[LIMIT_KEY_LEN];
};

int pairtable_init(struct pairtable *t, uint32_t max); /* 0 or -ENOMEM */
void pairtable_free(struct pairtable *t);
/* The side of key in its pair with peer, or PAIRTABLE_NONE. */
uint32_t pairtable_find(const struct pairtable *t, const uint8_t key[KEY_LEN],
    const uint8_t peer[KEY_LEN]);
/* Makes that pair, both sides unbound; there must be room (count < max), and a side
 * is to be bound before anything else is done. */
uint32_t pairtable_make(struct pairtable *t, const uint8_t key[KEY_LEN],
    const uint8_t peer[KEY_LEN]);
bool pairtable_exists(const struct pairtable *t, uint32_t pair);
/* The side that is bound there, or PAIRTABLE_NONE. */
uint32_t pairtable_at(
    const struct pairtable *t, const struct way *way, uint16_t channel);
/* Nobody else may be bound there. */
void pairtable_bind(struct pairtable *t, uint32_t side, const struct way *way,
    uint16_t channel);
/* The pair is gone when its other side is not bound, unless it is kept. */
void pairtable_unbind(struct pairtable *t, uint32_t side, bool keep);
/* Some side that is bound over the connection, or PAIRTABLE_NONE. */
uint32_t pairtable_of_stream(const struct pairtable *t, uint32_t stream);
/* The next side after that one (NONE: the first) that is bound at the same socket
 * and IP address as way, or PAIRTABLE_NONE. */
uint32_t pairtable_beside(
    const struct pairtable *t, const struct way *way, uint32_t after);
/* At which of n <= 64 sockets the key has sides bound, other than that one: bits. */
uint64_t pairtable_sockets(const struct pairtable *t,
    const uint8_t key[KEY_LEN], uint32_t other_than, uint32_t first,
    uint32_t n);
size_t pairtable_memory(const struct pairtable *t); /* bytes */

#endif

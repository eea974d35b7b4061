/* SPDX-License-Identifier: ISC */
/* Sessions that were answered but not yet confirmed by the client's first
 * SESSION message. Each address (IPv6: each /64) has one set of the table, by
 * a keyed hash, and pushes only the oldest of that set out. */
#ifndef NATKIT_PENDING_H
#define NATKIT_PENDING_H

#include <stddef.h>
#include <stdint.h>

#include "registry.h"

#define PENDING_SETS 64
#define PENDING_WAYS 64
#define PENDING_MS 10000 /* how long one waits */
#define PENDING_ANSWER_MAX 160
/* Of one answer. A client retransmits six times (RFC 8489 section 6.2.1); who
 * sends more has forged the address, and would flood its owner. */
#define PENDING_REPEATS 8

struct pending_entry {
	struct session session;
	uint8_t key[KEY_LEN];
	struct addr remote;
	uint64_t timestamp_ns;
	uint64_t made_ms;
	uint64_t request; /* hash of it: the same again gets the same answer */
	uint8_t answer[PENDING_ANSWER_MAX];
	uint16_t answer_len;
	uint8_t repeats; /* of the answer */
	uint8_t used;
};

struct pending {
	struct pending_entry *entries;
	uint64_t (*ids)[PENDING_WAYS]; /* of the entries, to search in */
	uint16_t next[PENDING_SETS];
	uint8_t secret[LIMIT_KEY_LEN];
	uint32_t count;
};

int pending_init(struct pending *p); /* 0 or -ENOMEM */
void pending_free(struct pending *p);
size_t pending_memory(void); /* bytes */

/* The entry that answered these very bytes from this address, or NULL. */
struct pending_entry *pending_repeated(struct pending *p,
    const struct addr *from, const uint8_t *request, size_t len,
    uint64_t now_ms);
/* The entry of a session id for this address, or NULL. */
struct pending_entry *pending_find(struct pending *p, const struct addr *from,
    const uint8_t id[WIRE_ID_LEN], uint64_t now_ms);
/* Fills request, remote and made_ms; the caller fills the rest. */
struct pending_entry *pending_add(struct pending *p, const struct addr *from,
    const uint8_t id[WIRE_ID_LEN], const uint8_t *request, size_t len,
    uint64_t now_ms);
void pending_remove(struct pending *p, struct pending_entry *e);

#endif

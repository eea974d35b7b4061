/* SPDX-License-Identifier: ISC */
/* Rates: a token bucket, and a fixed table of them by address (an IPv4
 * address, or the /64 of an IPv6 one). The place of an address in the table
 * depends on a secret, so nobody can choose whom to share it with. */
#ifndef NATKIT_LIMIT_H
#define NATKIT_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define LIMIT_WAYS 4
#define LIMIT_RATE_MAX 1000000 /* per second, also of a burst */
#define LIMIT_KEY_LEN 16

struct bucket {
	uint32_t milli;	  /* tokens, in thousandths */
	uint32_t last_ms; /* low 32 bits of the clock */
};

struct limit {
	struct limit_slot *slots;
	size_t sets; /* a power of 2, of LIMIT_WAYS slots each */
	uint32_t rate;
	uint32_t burst;
	uint8_t key[LIMIT_KEY_LEN];
};

void bucket_fill(struct bucket *b, uint32_t burst, uint64_t now_ms);
/* Takes one token, if there is one. rate is per second. */
bool bucket_take(
    struct bucket *b, uint32_t rate, uint32_t burst, uint64_t now_ms);

/* What stands for one site, which has many such parts: the /48 of an IPv6
 * address, with a hash of its own. False when there is no such thing. */
#define LIMIT_WIDE 2 /* a site may do what so many of its networks may */
bool limit_wide(const struct addr *a, struct addr *out);
/* The part of an address that stands for one customer, hashed. */
uint64_t limit_hash(const struct addr *a, const uint8_t key[LIMIT_KEY_LEN]);

/* At least slots addresses. Returns 0 or -ENOMEM. */
int limit_init(struct limit *l, size_t slots, uint32_t rate, uint32_t burst,
    const uint8_t key[LIMIT_KEY_LEN]);
void limit_free(struct limit *l);
bool limit_take(struct limit *l, const struct addr *a, uint64_t now_ms);
size_t limit_memory(const struct limit *l); /* bytes */

#endif

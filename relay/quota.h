/* SPDX-License-Identifier: ISC */
/* How many things each client has: counts by address (an IPv4 address; a /64
 * and a /48 of IPv6, the latter LIMIT_WIDE times as many), in fixed memory.
 * Where an address stands depends on a secret. */
#ifndef NATKIT_QUOTA_H
#define NATKIT_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "limit.h"

struct quota {
	struct quota_slot *slots;
	size_t mask;
	uint32_t each;
	uint8_t key[LIMIT_KEY_LEN];
};

/* each: how many per address, 0 for no limit; max: in all, which is for the
 * caller to see to. Returns 0 or -ENOMEM. */
int quota_init(struct quota *q, uint32_t max, uint32_t each);
void quota_free(struct quota *q);
/* One more; false: it has all that it may. */
bool quota_take(struct quota *q, const struct addr *a);
/* One less, after quota_take said true. */
void quota_give(struct quota *q, const struct addr *a);
uint32_t quota_count(const struct quota *q, const struct addr *a);
size_t quota_memory(const struct quota *q); /* bytes */

#endif

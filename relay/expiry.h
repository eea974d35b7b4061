/* SPDX-License-Identifier: ISC */
/* Which of many things ends first: a binary heap of times, in fixed memory.
 * Things are numbers below max. */
#ifndef NATKIT_EXPIRY_H
#define NATKIT_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct expiry {
	struct expiry_entry *heap;
	uint32_t *place; /* of a thing in the heap, UINT32_MAX: not there */
	uint32_t n, max;
};

int expiry_init(struct expiry *e, uint32_t max); /* 0 or -ENOMEM */
void expiry_free(struct expiry *e);
/* Adds a thing, or gives it another time. */
void expiry_set(struct expiry *e, uint32_t thing, uint64_t at_ms);
void expiry_remove(struct expiry *e, uint32_t thing);
/* The one with the earliest time; false: there is none. */
bool expiry_first(const struct expiry *e, uint32_t *thing, uint64_t *at_ms);
size_t expiry_memory(const struct expiry *e); /* bytes */

#endif

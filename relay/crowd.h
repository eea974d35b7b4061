/* SPDX-License-Identifier: ISC */
/* How many there are at each address, and at its site (limit_wide), in fixed
 * memory; and whether one more may come. */
#ifndef NATKIT_CROWD_H
#define NATKIT_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "limit.h"

#define CROWD_NONE UINT32_MAX

struct crowd {
	struct crowd_place *places;
	uint32_t *heads;
	uint32_t mask, free, max;
	uint32_t per_address; /* a site may have LIMIT_WIDE times that */
	uint8_t secret[LIMIT_KEY_LEN];
};

/* Room for max in all. Returns 0 or -ENOMEM. */
int crowd_init(struct crowd *c, uint32_t max, uint32_t per_address);
void crowd_free(struct crowd *c);
/* May one more come to that address, who is at the place from now (CROWD_NONE for a new
 * one)? */
bool crowd_room(const struct crowd *c, const struct addr *a, uint32_t from);
/* Returns the place, which crowd_leave wants. */
uint32_t crowd_enter(struct crowd *c, const struct addr *a);
void crowd_leave(struct crowd *c, uint32_t place);
size_t crowd_memory(const struct crowd *c); /* bytes */

#endif

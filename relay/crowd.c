/* SPDX-License-Identifier: ISC */
/* Heads, counted by address. Two addresses whose 64-bit hashes under a secret
 * are the same count as one. */
#include "crowd.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct crowd_place {
	uint64_t hash;
	uint32_t count;
	uint32_t next;
	uint32_t wide; /* the place of its site, or CROWD_NONE */
};

int
crowd_init(struct crowd *c, uint32_t max, uint32_t per_address)
{
	size_t heads = 1;

	memset(c, 0, sizeof(*c));
	/* one of its own and one of its site for everybody */
	c->max = 2 * max;
	c->per_address = per_address;
	while (heads < c->max)
		heads *= 2;
	c->mask = (uint32_t)(heads - 1);
	randombytes_buf(c->secret, sizeof(c->secret));
	c->places = malloc(c->max * sizeof(*c->places));
	c->heads = malloc(heads * sizeof(*c->heads));
	if (c->places == NULL || c->heads == NULL) {
		crowd_free(c);
		return -ENOMEM;
	}
	memset(c->heads, 0xff, heads * sizeof(*c->heads));
	for (uint32_t i = 0; i < c->max; i++)
		c->places[i] = (struct crowd_place){
		    .next = i + 1 == c->max ? CROWD_NONE : i + 1};
	return 0;
}

void
crowd_free(struct crowd *c)
{
	free(c->places);
	free(c->heads);
	memset(c, 0, sizeof(*c));
}

/* Where in its chain the place of an address is, or would be. */
static uint32_t *
link_of(const struct crowd *c, uint64_t hash)
{
	uint32_t *link = &c->heads[hash & c->mask];

	while (*link != CROWD_NONE && c->places[*link].hash != hash)
		link = &c->places[*link].next;
	return link;
}

bool
crowd_room(const struct crowd *c, const struct addr *a, uint32_t from)
{
	uint32_t i = *link_of(c, limit_hash(a, c->secret));
	struct addr site;

	if (i != CROWD_NONE &&
	    (i == from || c->places[i].count >= c->per_address))
		return i == from;
	if (!limit_wide(a, &site))
		return c->per_address > 0;
	i = *link_of(c, limit_hash(&site, c->secret));
	if (i == CROWD_NONE)
		return c->per_address > 0;
	return (from != CROWD_NONE && i == c->places[from].wide) ||
	       c->places[i].count / LIMIT_WIDE < c->per_address;
}

/* A new place is to be counted in at once: free ones are reckoned that way. */
static uint32_t
place_at(struct crowd *c, const struct addr *a)
{
	uint64_t hash = limit_hash(a, c->secret);
	uint32_t *link = link_of(c, hash), i = *link;

	if (i != CROWD_NONE)
		return i;
	i = c->free;
	c->free = c->places[i].next;
	c->places[i] = (struct crowd_place){
	    .hash = hash, .next = CROWD_NONE, .wide = CROWD_NONE};
	*link = i;
	return i;
}

uint32_t
crowd_enter(struct crowd *c, const struct addr *a)
{
	uint32_t i = place_at(c, a), wide;
	struct addr site;

	c->places[i].count++;
	if (limit_wide(a, &site)) {
		wide = place_at(c, &site);
		c->places[wide].count++;
		c->places[i].wide = wide;
	}
	return i;
}

void
crowd_leave(struct crowd *c, uint32_t place)
{
	uint32_t wide;

	for (; place != CROWD_NONE; place = wide) {
		struct crowd_place *p = &c->places[place];

		wide = p->wide;
		if (--p->count > 0)
			continue;
		*link_of(c, p->hash) = p->next;
		p->next = c->free;
		c->free = place;
	}
}

size_t
crowd_memory(const struct crowd *c)
{
	return c->max * sizeof(*c->places) +
	       ((size_t)c->mask + 1) * sizeof(*c->heads);
}

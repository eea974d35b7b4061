/* SPDX-License-Identifier: ISC */
/* Counts by address: open addressing, linear probing, half full at most. */
#include "quota.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

struct quota_slot {
	uint64_t hash;	/* stands for the address: 64 keyed bits */
	uint32_t count; /* 0: empty */
};

int
quota_init(struct quota *q, uint32_t max, uint32_t each)
{
	size_t slots = 4;

	while (slots < (size_t)max * 4) /* each has two, and half stay free */
		slots *= 2;
	q->slots = calloc(slots, sizeof(*q->slots));
	if (q->slots == NULL)
		return -ENOMEM;
	q->mask = slots - 1;
	q->each = each;
	randombytes_buf(q->key, sizeof(q->key));
	return 0;
}

void
quota_free(struct quota *q)
{
	free(q->slots);
	q->slots = NULL;
}

/* Where the hash is, or would be. */
static size_t
place(const struct quota *q, uint64_t hash)
{
	size_t i = hash & q->mask;

	while (q->slots[i].count > 0 && q->slots[i].hash != hash)
		i = (i + 1) & q->mask;
	return i;
}

static void
add(struct quota *q, uint64_t hash)
{
	struct quota_slot *s = &q->slots[place(q, hash)];

	s->hash = hash;
	s->count++;
}

/* Takes one away; an emptied slot is filled from those after it that it had
 * pushed on. */
static void
take_away(struct quota *q, uint64_t hash)
{
	size_t hole = place(q, hash), i = hole, home;

	if (q->slots[hole].count == 0 || --q->slots[hole].count > 0)
		return;
	for (;;) {
		i = (i + 1) & q->mask;
		if (q->slots[i].count == 0)
			break;
		home = q->slots[i].hash & q->mask;
		if (((i - home) & q->mask) < ((i - hole) & q->mask))
			continue;
		q->slots[hole] = q->slots[i];
		hole = i;
	}
	q->slots[hole] = (struct quota_slot){0};
}

bool
quota_take(struct quota *q, const struct addr *a)
{
	uint64_t hash = limit_hash(a, q->key), wide = 0;
	struct addr site;
	bool has_site = limit_wide(a, &site);

	if (has_site)
		wide = limit_hash(&site, q->key);
	if (q->each > 0) {
		if (q->slots[place(q, hash)].count >= q->each)
			return false;
		if (has_site &&
		    q->slots[place(q, wide)].count / LIMIT_WIDE >= q->each)
			return false;
	}
	add(q, hash);
	if (has_site)
		add(q, wide);
	return true;
}

void
quota_give(struct quota *q, const struct addr *a)
{
	struct addr site;

	take_away(q, limit_hash(a, q->key));
	if (limit_wide(a, &site))
		take_away(q, limit_hash(&site, q->key));
}

uint32_t
quota_count(const struct quota *q, const struct addr *a)
{
	return q->slots[place(q, limit_hash(a, q->key))].count;
}

size_t
quota_memory(const struct quota *q)
{
	return (q->mask + 1) * sizeof(*q->slots);
}

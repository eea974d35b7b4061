/* SPDX-License-Identifier: ISC */
/* Token buckets, by address, in fixed memory. */
#include "limit.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct limit_slot {
	uint32_t tag; /* more bits of the hash; 0 is an empty slot */
	struct bucket bucket;
};

void
bucket_fill(struct bucket *b, uint32_t burst, uint64_t now_ms)
{
	b->milli = burst * 1000;
	b->last_ms = (uint32_t)now_ms;
}

/* A token per second is a thousandth of one per millisecond. */
static uint32_t
refilled(const struct bucket *b, uint32_t rate, uint32_t burst, uint64_t now_ms)
{
	uint32_t elapsed_ms = (uint32_t)now_ms - b->last_ms;
	uint64_t milli = b->milli + (uint64_t)elapsed_ms * rate;
	uint64_t most = (uint64_t)burst * 1000;

	return (uint32_t)(milli < most ? milli : most);
}

bool
bucket_take(struct bucket *b, uint32_t rate, uint32_t burst, uint64_t now_ms)
{
	b->milli = refilled(b, rate, burst, now_ms);
	b->last_ms = (uint32_t)now_ms;
	if (b->milli < 1000)
		return false;
	b->milli -= 1000;
	return true;
}

/* A family that no address has, so that it is not taken for its first /64. */
#define WIDE 0x80

bool
limit_wide(const struct addr *a, struct addr *out)
{
	if (a->family != ADDR_V6)
		return false;
	*out = (struct addr){.family = ADDR_V6 | WIDE};
	memcpy(out->ip, a->ip, 6);
	return true;
}

uint64_t
limit_hash(const struct addr *a, const uint8_t key[LIMIT_KEY_LEN])
{
	uint8_t in[9] = {a->family}, out[8];
	uint64_t h;

	memcpy(in + 1, a->ip, a->family == ADDR_V4 ? 4 : 8);
	crypto_shorthash(out, in, sizeof(in), key);
	memcpy(&h, out, sizeof(h));
	return h;
}

int
limit_init(struct limit *l, size_t slots, uint32_t rate, uint32_t burst,
    const uint8_t key[LIMIT_KEY_LEN])
{
	size_t sets = 1;

	while (sets * LIMIT_WAYS < slots)
		sets *= 2;
	l->slots = calloc(sets * LIMIT_WAYS, sizeof(*l->slots));
	if (l->slots == NULL)
		return -ENOMEM;
	l->sets = sets;
	l->rate = rate;
	l->burst = burst;
	memcpy(l->key, key, sizeof(l->key));
	return 0;
}

void
limit_free(struct limit *l)
{
	free(l->slots);
	l->slots = NULL;
}

/* The slot of an address; else the one in its set with most tokens, whose
 * loss gives its owner least. */
static struct limit_slot *
find(struct limit *l, const struct addr *a, uint64_t now_ms)
{
	uint64_t h = limit_hash(a, l->key);
	struct limit_slot *set = l->slots + (h & (l->sets - 1)) * LIMIT_WAYS;
	struct limit_slot *best = set;
	uint32_t tag = (uint32_t)(h >> 32) | 1, most = 0;

	for (struct limit_slot *s = set; s < set + LIMIT_WAYS; s++) {
		uint32_t milli;

		if (s->tag == tag)
			return s;
		milli = s->tag == 0
			    ? UINT32_MAX
			    : refilled(&s->bucket, l->rate, l->burst, now_ms);
		if (milli > most) {
			best = s;
			most = milli;
		}
	}
	best->tag = tag;
	bucket_fill(&best->bucket, l->burst, now_ms);
	return best;
}

bool
limit_take(struct limit *l, const struct addr *a, uint64_t now_ms)
{
	return bucket_take(
	    &find(l, a, now_ms)->bucket, l->rate, l->burst, now_ms);
}

size_t
limit_memory(const struct limit *l)
{
	return l->sets * LIMIT_WAYS * sizeof(*l->slots);
}

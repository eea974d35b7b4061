/* SPDX-License-Identifier: ISC */
/* Pairs in fixed memory. All hashes are under a secret, so that nobody can
 * choose whom to share a chain with. */
#include "pairtable.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NONE PAIRTABLE_NONE

static void *
heads(const struct pairtable *t)
{
	size_t len = ((size_t)t->mask + 1) * sizeof(uint32_t);
	void *p = malloc(len);

	if (p != NULL)
		memset(p, 0xff, len);
	return p;
}

int
pairtable_init(struct pairtable *t, uint32_t max)
{
	bool ok = true;

	memset(t, 0, sizeof(*t));
	t->max = max;
	for (t->mask = 1; t->mask < max * 2 - 1; t->mask = t->mask * 2 + 1)
		;
	randombytes_buf(t->secret, sizeof(t->secret));
	t->sides = aligned_alloc(64, (size_t)max * 2 * sizeof(*t->sides));
	t->pairs = malloc(max * sizeof(*t->pairs));
	t->by_keys = heads(t);
	for (int i = 0; i < PAIRTABLE_CHAINS; i++) {
		t->heads[i] = heads(t);
		ok = ok && t->heads[i] != NULL;
	}
	if (!ok || t->sides == NULL || t->pairs == NULL || t->by_keys == NULL) {
		pairtable_free(t);
		return -ENOMEM;
	}
	memset(t->sides, 0, (size_t)max * 2 * sizeof(*t->sides));
	for (uint32_t i = 0; i < max; i++)
		t->pairs[i] = i + 1 == max ? NONE : i + 1;
	return 0;
}

void
pairtable_free(struct pairtable *t)
{
	free(t->sides);
	free(t->pairs);
	free(t->by_keys);
	for (int i = 0; i < PAIRTABLE_CHAINS; i++)
		free(t->heads[i]);
	memset(t, 0, sizeof(*t));
}

static uint32_t
hash(const struct pairtable *t, const uint8_t *in, size_t len)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint32_t h;

	crypto_shorthash(out, in, len, t->secret);
	memcpy(&h, out, sizeof(h));
	return h & t->mask;
}

static uint32_t
hash_way(const struct pairtable *t, const struct way *w, uint16_t channel)
{
	uint8_t in[24] = {0};

	memcpy(in, &w->socket, 2);
	if (w->socket == WAY_STREAM) {
		memcpy(in + 2, &channel, 2);
		memcpy(in + 4, &w->stream, 4);
		return hash(t, in, 8);
	}
	memcpy(in + 2, &w->remote.port, 2);
	in[4] = w->remote.family;
	memcpy(in + 5, w->remote.ip, 16);
	return hash(t, in, 21);
}

/* The keys of a pair in the one order. */
static uint32_t *
keys_head(const struct pairtable *t, const uint8_t a[KEY_LEN],
    const uint8_t b[KEY_LEN])
{
	uint8_t in[2 * KEY_LEN];
	bool swap = memcmp(a, b, KEY_LEN) > 0;

	memcpy(in, swap ? b : a, KEY_LEN);
	memcpy(in + KEY_LEN, swap ? a : b, KEY_LEN);
	return &t->by_keys[hash(t, in, sizeof(in))];
}

uint32_t
pairtable_find(const struct pairtable *t, const uint8_t key[KEY_LEN],
    const uint8_t peer[KEY_LEN])
{
	uint32_t i = *keys_head(t, key, peer);

	for (; i != NONE; i = t->pairs[i]) {
		for (uint32_t s = 2 * i; s <= 2 * i + 1; s++)
			if (memcmp(t->sides[s].key, key, KEY_LEN) == 0 &&
			    memcmp(t->sides[s ^ 1].key, peer, KEY_LEN) == 0)
				return s;
	}
	return NONE;
}

uint32_t
pairtable_make(struct pairtable *t, const uint8_t key[KEY_LEN],
    const uint8_t peer[KEY_LEN])
{
	uint32_t *head = keys_head(t, key, peer), i = t->free;

	t->free = t->pairs[i];
	t->pairs[i] = *head;
	*head = i;
	t->count++;
	memset(&t->sides[2 * i], 0, 2 * sizeof(*t->sides));
	memcpy(t->sides[2 * i].key, key, KEY_LEN);
	memcpy(t->sides[2 * i + 1].key, peer, KEY_LEN);
	return 2 * i;
}

bool
pairtable_exists(const struct pairtable *t, uint32_t pair)
{
	return pair < t->max &&
	       (t->sides[2 * pair].bound || t->sides[2 * pair + 1].bound);
}

static void
end_pair(struct pairtable *t, uint32_t i)
{
	uint32_t *link =
	    keys_head(t, t->sides[2 * i].key, t->sides[2 * i + 1].key);

	while (*link != i)
		link = &t->pairs[*link];
	*link = t->pairs[i];
	t->pairs[i] = t->free;
	t->free = i;
	t->count--;
}

uint32_t
pairtable_at(const struct pairtable *t, const struct way *way, uint16_t channel)
{
	uint32_t i = t->heads[PAIRTABLE_BY_WAY][hash_way(t, way, channel)];

	while (i != NONE && !(way_equal(&t->sides[i].way, way) &&
				t->sides[i].channel == channel))
		i = t->sides[i].next[PAIRTABLE_BY_WAY];
	return i;
}

static uint32_t
hash_origin(const struct pairtable *t, const struct way *w)
{
	uint8_t in[19];

	if (w->socket == WAY_STREAM)
		return hash(t, (const uint8_t *)&w->stream, sizeof(w->stream));
	memcpy(in, &w->socket, 2);
	in[2] = w->remote.family;
	memcpy(in + 3, w->remote.ip, 16);
	return hash(t, in, sizeof(in));
}

static void
chain_add(
    struct pairtable *t, enum pairtable_chain chain, uint32_t h, uint32_t side)
{
	t->sides[side].next[chain] = t->heads[chain][h];
	t->heads[chain][h] = side;
}

static void
chain_remove(
    struct pairtable *t, enum pairtable_chain chain, uint32_t h, uint32_t side)
{
	uint32_t *link = &t->heads[chain][h];

	while (*link != side)
		link = &t->sides[*link].next[chain];
	*link = t->sides[side].next[chain];
}

void
pairtable_bind(
    struct pairtable *t, uint32_t side, const struct way *way, uint16_t channel)
{
	struct side *s = &t->sides[side];

	s->way = *way;
	s->channel = channel;
	s->bound = true;
	chain_add(t, PAIRTABLE_BY_WAY, hash_way(t, way, channel), side);
	chain_add(t, PAIRTABLE_BY_KEY, hash(t, s->key, KEY_LEN), side);
	chain_add(t, PAIRTABLE_BY_ORIGIN, hash_origin(t, way), side);
}

void
pairtable_unbind(struct pairtable *t, uint32_t side, bool keep)
{
	struct side *s = &t->sides[side];

	chain_remove(
	    t, PAIRTABLE_BY_WAY, hash_way(t, &s->way, s->channel), side);
	chain_remove(t, PAIRTABLE_BY_KEY, hash(t, s->key, KEY_LEN), side);
	chain_remove(t, PAIRTABLE_BY_ORIGIN, hash_origin(t, &s->way), side);
	s->bound = false;
	if (!keep && !t->sides[side ^ 1].bound)
		end_pair(t, side / 2);
}

uint32_t
pairtable_of_stream(const struct pairtable *t, uint32_t stream)
{
	const struct way w = {.socket = WAY_STREAM, .stream = stream};
	uint32_t i = t->heads[PAIRTABLE_BY_ORIGIN][hash_origin(t, &w)];

	while (i != NONE && !way_equal(&t->sides[i].way, &w))
		i = t->sides[i].next[PAIRTABLE_BY_ORIGIN];
	return i;
}

uint32_t
pairtable_beside(
    const struct pairtable *t, const struct way *way, uint32_t after)
{
	uint32_t i = after == NONE
			 ? t->heads[PAIRTABLE_BY_ORIGIN][hash_origin(t, way)]
			 : t->sides[after].next[PAIRTABLE_BY_ORIGIN];

	while (i != NONE &&
	       !(t->sides[i].way.socket == way->socket &&
		   addr_equal_ip(&t->sides[i].way.remote, &way->remote)))
		i = t->sides[i].next[PAIRTABLE_BY_ORIGIN];
	return i;
}

uint64_t
pairtable_sockets(const struct pairtable *t, const uint8_t key[KEY_LEN],
    uint32_t other_than, uint32_t first, uint32_t n)
{
	uint32_t i = t->heads[PAIRTABLE_BY_KEY][hash(t, key, KEY_LEN)];
	uint64_t bits = 0;

	for (; i != NONE; i = t->sides[i].next[PAIRTABLE_BY_KEY]) {
		const struct side *s = &t->sides[i];

		if (i != other_than && s->way.socket != WAY_STREAM &&
		    s->way.socket >= first && s->way.socket - first < n &&
		    memcmp(s->key, key, KEY_LEN) == 0)
			bits |= UINT64_C(1) << (s->way.socket - first);
	}
	return bits;
}

size_t
pairtable_memory(const struct pairtable *t)
{
	size_t n_heads = (1 + PAIRTABLE_CHAINS) * ((size_t)t->mask + 1);

	return (size_t)t->max * 2 * sizeof(*t->sides) +
	       t->max * sizeof(*t->pairs) + n_heads * sizeof(uint32_t);
}

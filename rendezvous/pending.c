/* SPDX-License-Identifier: ISC */
/* Sessions that were answered but not yet confirmed. */
#include "pending.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES (PENDING_SETS * PENDING_WAYS)

int
pending_init(struct pending *p)
{
	memset(p, 0, sizeof(*p));
	randombytes_buf(p->secret, sizeof(p->secret));
	p->entries = calloc(ENTRIES, sizeof(*p->entries));
	p->ids = calloc(PENDING_SETS, sizeof(*p->ids));
	if (p->entries != NULL && p->ids != NULL) {
		/* touched, so that it is there when needed */
		sodium_memzero(p->entries, ENTRIES * sizeof(*p->entries));
		sodium_memzero(p->ids, PENDING_SETS * sizeof(*p->ids));
		return 0;
	}
	pending_free(p);
	return -ENOMEM;
}

void
pending_free(struct pending *p)
{
	if (p->entries != NULL)
		sodium_memzero(p->entries, ENTRIES * sizeof(*p->entries));
	free(p->entries);
	free(p->ids);
	p->entries = NULL;
	p->ids = NULL;
}

size_t
pending_memory(void)
{
	return ENTRIES * (sizeof(struct pending_entry) + sizeof(uint64_t));
}

static size_t
set_of(const struct pending *p, const struct addr *from)
{
	return limit_hash(from, p->secret) % PENDING_SETS;
}

static uint64_t
id_number(const uint8_t id[WIRE_ID_LEN])
{
	uint64_t n;

	memcpy(&n, id, sizeof(n));
	return n;
}

static uint64_t
hash(const struct pending *p, const uint8_t *data, size_t len)
{
	uint8_t out[8];

	crypto_shorthash(out, data, len, p->secret);
	return id_number(out);
}

static bool
is_live(const struct pending_entry *e, const struct addr *from, uint64_t now_ms)
{
	return e->used && now_ms - e->made_ms < PENDING_MS &&
	       addr_equal(&e->remote, from);
}

struct pending_entry *
pending_repeated(struct pending *p, const struct addr *from,
    const uint8_t *request, size_t len, uint64_t now_ms)
{
	struct pending_entry *e = p->entries + set_of(p, from) * PENDING_WAYS;
	uint64_t h = hash(p, request, len);

	for (int i = 0; i < PENDING_WAYS; i++, e++)
		if (e->request == h && is_live(e, from, now_ms))
			return e;
	return NULL;
}

struct pending_entry *
pending_find(struct pending *p, const struct addr *from,
    const uint8_t id[WIRE_ID_LEN], uint64_t now_ms)
{
	size_t set = set_of(p, from);
	uint64_t number = id_number(id);

	for (size_t i = 0; i < PENDING_WAYS; i++) {
		struct pending_entry *e = &p->entries[set * PENDING_WAYS + i];

		if (p->ids[set][i] == number && is_live(e, from, now_ms))
			return e;
	}
	return NULL;
}

struct pending_entry *
pending_add(struct pending *p, const struct addr *from,
    const uint8_t id[WIRE_ID_LEN], const uint8_t *request, size_t len,
    uint64_t now_ms)
{
	size_t set = set_of(p, from), way = p->next[set];
	struct pending_entry *e = &p->entries[set * PENDING_WAYS + way];

	p->next[set] = (uint16_t)((way + 1) % PENDING_WAYS);
	if (!e->used)
		p->count++;
	memset(e, 0, sizeof(*e));
	p->ids[set][way] = id_number(id);
	e->request = hash(p, request, len);
	e->remote = *from;
	e->made_ms = now_ms;
	e->used = 1;
	return e;
}

void
pending_remove(struct pending *p, struct pending_entry *e)
{
	size_t at = (size_t)(e - p->entries);

	p->ids[at / PENDING_WAYS][at % PENDING_WAYS] = 0;
	sodium_memzero(e, sizeof(*e));
	p->count--;
}

/* SPDX-License-Identifier: ISC */
/* Who is registered, and whom each client wants to meet, in fixed memory. */
#include "registry.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WANTS_PER_CLIENT 4 /* of the pool, on average */

/* An address, or a site, with clients at it. Two addresses whose 64-bit hashes under a
 * secret are the same count as one. */
struct place {
	uint64_t hash;
	uint32_t count; /* of clients */
	uint32_t wants; /* of theirs */
	uint32_t next;
	uint32_t wide; /* the place of its site */
};

/* Zeroed memory that is really there, or NULL. */
static void *
table(struct registry *r, size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		return NULL;
	for (size_t i = 0; i < n * size; i += 4096)
		((volatile uint8_t *)p)[i] = 0;
	r->memory += n * size;
	return p;
}

static uint32_t *
heads(struct registry *r)
{
	uint32_t *p = table(r, (size_t)r->mask + 1, sizeof(*p));

	if (p != NULL)
		memset(p, 0xff, ((size_t)r->mask + 1) * sizeof(*p));
	return p;
}

static void
chain_free_lists(struct registry *r)
{
	for (uint32_t i = 0; i < r->max; i++) {
		bool last = i + 1 == r->max;

		r->clients[i].id_next = last ? REGISTRY_NONE : i + 1;
	}
	for (uint32_t i = 0; i < 2 * r->max; i++)
		r->places[i].next = i + 1 == 2 * r->max ? REGISTRY_NONE : i + 1;
	for (uint32_t i = 0; i < r->edges_max; i++)
		r->edges[i].next =
		    i + 1 == r->edges_max ? REGISTRY_NONE : i + 1;
}

int
registry_init(struct registry *r, uint32_t max, uint32_t per_address)
{
	memset(r, 0, sizeof(*r));
	if (max == 0 || max > REGISTRY_CLIENTS_MAX)
		return -EINVAL;
	r->max = max;
	r->edges_max = max * WANTS_PER_CLIENT;
	r->per_address = per_address;
	r->wants_per_address = per_address * WANTS_PER_CLIENT;
	if (r->wants_per_address < REGISTRY_WANTS)
		r->wants_per_address = REGISTRY_WANTS;
	r->oldest = r->newest = REGISTRY_NONE;
	for (r->mask = 1; r->mask < max; r->mask = r->mask * 2 + 1)
		;
	randombytes_buf(r->secret, sizeof(r->secret));
	r->clients = table(r, max, sizeof(*r->clients));
	r->edges = table(r, r->edges_max, sizeof(*r->edges));
	r->places = table(r, (size_t)max * 2, sizeof(*r->places));
	r->by_id = heads(r);
	r->by_key = heads(r);
	r->by_place = heads(r);
	if (r->clients == NULL || r->edges == NULL || r->places == NULL ||
	    r->by_id == NULL || r->by_key == NULL || r->by_place == NULL) {
		registry_free(r);
		return -ENOMEM;
	}
	chain_free_lists(r);
	return 0;
}

void
registry_free(struct registry *r)
{
	if (r->clients != NULL)
		sodium_memzero(r->clients, r->max * sizeof(*r->clients));
	free(r->clients);
	free(r->edges);
	free(r->places);
	free(r->by_id);
	free(r->by_key);
	free(r->by_place);
	memset(r, 0, sizeof(*r));
}

/* Session ids are random numbers of ours: no need to hash them. */
static uint32_t *
id_head(const struct registry *r, const uint8_t id[WIRE_ID_LEN])
{
	uint32_t h;

	memcpy(&h, id, sizeof(h));
	return &r->by_id[h & r->mask];
}

static uint32_t *
key_head(const struct registry *r, const uint8_t key[KEY_LEN])
{
	uint8_t out[8];
	uint32_t h;

	crypto_shorthash(out, key, KEY_LEN, r->secret);
	memcpy(&h, out, sizeof(h));
	return &r->by_key[h & r->mask];
}

uint32_t
registry_by_id(const struct registry *r, const uint8_t id[WIRE_ID_LEN])
{
	uint32_t i = *id_head(r, id);

	while (i != REGISTRY_NONE &&
	       memcmp(r->clients[i].session.id, id, WIRE_ID_LEN) != 0)
		i = r->clients[i].id_next;
	return i;
}

uint32_t
registry_by_key(const struct registry *r, const uint8_t key[KEY_LEN])
{
	uint32_t i = *key_head(r, key);

	while (
	    i != REGISTRY_NONE && memcmp(r->clients[i].key, key, KEY_LEN) != 0)
		i = r->clients[i].key_next;
	return i;
}

uint32_t
registry_edge(
    const struct registry *r, uint32_t client, const uint8_t key[KEY_LEN])
{
	uint32_t i = r->clients[client].edges;

	while (i != REGISTRY_NONE && memcmp(r->edges[i].key, key, KEY_LEN) != 0)
		i = r->edges[i].next;
	return i;
}

/* Where in its chain the place of an address is, or would be. */
static uint32_t *
place_link(const struct registry *r, uint64_t hash)
{
	uint32_t *link = &r->by_place[hash & r->mask];

	while (*link != REGISTRY_NONE && r->places[*link].hash != hash)
		link = &r->places[*link].next;
	return link;
}

/* The place of an address; a new one is to be counted in at once. There are
 * places for each client's address and for its site, so there always is one. */
static uint32_t
place_at(struct registry *r, const struct addr *a)
{
	uint64_t hash = limit_hash(a, r->secret);
	uint32_t *link = place_link(r, hash), wide = REGISTRY_NONE, i = *link;
	struct addr site;

	if (i != REGISTRY_NONE)
		return i;
	if (limit_wide(a, &site))
		wide = place_at(r, &site);
	link = place_link(r, hash); /* the site's may stand there now */
	i = r->free_place;
	r->free_place = r->places[i].next;
	r->places[i] =
	    (struct place){.hash = hash, .next = REGISTRY_NONE, .wide = wide};
	*link = i;
	return i;
}

/* Counts a client, and its wants, at an address and its site. */
static uint32_t
place_enter(struct registry *r, const struct addr *a, uint32_t wants)
{
	uint32_t at = place_at(r, a);

	for (uint32_t i = at; i != REGISTRY_NONE; i = r->places[i].wide) {
		r->places[i].count++;
		r->places[i].wants += wants;
	}
	return at;
}

static void
place_leave(struct registry *r, uint32_t i, uint32_t wants)
{
	uint32_t wide;

	for (; i != REGISTRY_NONE; i = wide) {
		struct place *p = &r->places[i];
		uint32_t *link = place_link(r, p->hash);

		wide = p->wide;
		p->wants -= wants;
		if (--p->count > 0)
			continue;
		*link = p->next;
		p->next = r->free_place;
		r->free_place = i;
	}
}

/* Is there room for so many more at a place, which may take so many times what
 * one address may, and at its site? */
static bool
place_has_room(const struct registry *r, uint32_t i, uint32_t times,
    uint32_t clients, uint32_t wants)
{
	for (; i != REGISTRY_NONE; i = r->places[i].wide) {
		const struct place *p = &r->places[i];

		if (p->count + clients > times * r->per_address ||
		    p->wants + wants > times * r->wants_per_address)
			return false;
		times *= LIMIT_WIDE;
	}
	return true;
}

/* The same at an address. */
static bool
has_room(const struct registry *r, const struct addr *a, uint32_t clients,
    uint32_t wants)
{
	uint32_t i = *place_link(r, limit_hash(a, r->secret)), times = 1;
	struct addr site;

	if (i == REGISTRY_NONE && limit_wide(a, &site)) {
		i = *place_link(r, limit_hash(&site, r->secret));
		times = LIMIT_WIDE;
	}
	return place_has_room(r, i, times, clients, wants);
}

bool
registry_has_room(const struct registry *r, const struct addr *from)
{
	return r->count < r->max && has_room(r, from, 1, 0);
}

static void
unlist(struct registry *r, uint32_t i)
{
	struct member *c = &r->clients[i];

	if (c->older != REGISTRY_NONE)
		r->clients[c->older].newer = c->newer;
	else
		r->oldest = c->newer;
	if (c->newer != REGISTRY_NONE)
		r->clients[c->newer].older = c->older;
	else
		r->newest = c->older;
}

static void
list_newest(struct registry *r, uint32_t i)
{
	struct member *c = &r->clients[i];

	c->older = r->newest;
	c->newer = REGISTRY_NONE;
	if (r->newest != REGISTRY_NONE)
		r->clients[r->newest].newer = i;
	else
		r->oldest = i;
	r->newest = i;
}

static void
unhash_id(struct registry *r, uint32_t i)
{
	uint32_t *link = id_head(r, r->clients[i].session.id);

	while (*link != i)
		link = &r->clients[*link].id_next;
	*link = r->clients[i].id_next;
}

static void
hash_id(struct registry *r, uint32_t i)
{
	uint32_t *head = id_head(r, r->clients[i].session.id);

	r->clients[i].id_next = *head;
	*head = i;
}

/* Takes a free client and lists it under its key and address. */
static uint32_t
take_client(
    struct registry *r, const uint8_t key[KEY_LEN], const struct path *path)
{
	uint32_t i = r->free_client, *head = key_head(r, key);
	struct member *c = &r->clients[i];

	r->free_client = c->id_next;
	r->count++;
	memset(c, 0, sizeof(*c));
	memcpy(c->key, key, KEY_LEN);
	c->used = true;
	c->edges = REGISTRY_NONE;
	c->key_next = *head;
	*head = i;
	c->place = place_enter(r, &path->remote, 0);
	list_newest(r, i);
	return i;
}

uint32_t
registry_add(struct registry *r, const uint8_t key[KEY_LEN],
    const struct session *s, const struct path *path, uint64_t timestamp_ns,
    uint64_t now_ms)
{
	uint32_t i = registry_by_key(r, key);
	struct member *c;

	if (i == REGISTRY_NONE) {
		if (!registry_has_room(r, &path->remote))
			return REGISTRY_NONE;
		i = take_client(r, key, path);
	} else {
		unhash_id(r, i);
		for (uint32_t e = r->clients[i].edges; e != REGISTRY_NONE;
		     e = r->edges[e].next)
			r->edges[e].stale = true;
	}
	c = &r->clients[i];
	c->session = *s;
	c->path = *path;
	registry_proven(r, i);
	c->since_ms = now_ms;
	c->timestamp_ns = timestamp_ns;
	hash_id(r, i);
	registry_seen(r, i, now_ms);
	return i;
}

void
registry_remove(struct registry *r, uint32_t i)
{
	struct member *c = &r->clients[i];
	uint32_t *link = key_head(r, c->key);

	while (*link != i)
		link = &r->clients[*link].key_next;
	*link = c->key_next;
	unhash_id(r, i);
	unlist(r, i);
	place_leave(r, c->place, c->n_edges);
	sodium_memzero(c, sizeof(*c));
	c->id_next = r->free_client;
	r->free_client = i;
	r->count--;
}

void
registry_seen(struct registry *r, uint32_t i, uint64_t now_ms)
{
	r->clients[i].seen_ms = now_ms;
	unlist(r, i);
	list_newest(r, i);
}

void
registry_move(struct registry *r, uint32_t i, const struct path *p)
{
	r->clients[i].path = *p;
}

void
registry_proven(struct registry *r, uint32_t i)
{
	struct member *c = &r->clients[i];
	uint32_t at = *place_link(r, limit_hash(&c->path.remote, r->secret));

	c->proven = true;
	if (at == c->place || !has_room(r, &c->path.remote, 1, c->n_edges))
		return;
	/* leave first: the freed place is the one that may be needed */
	place_leave(r, c->place, c->n_edges);
	c->place = place_enter(r, &c->path.remote, c->n_edges);
}

uint32_t
registry_want(struct registry *r, uint32_t client, const uint8_t key[KEY_LEN])
{
	struct member *c = &r->clients[client];
	uint32_t i = r->free_edge, version;
	struct edge *e;

	if (i == REGISTRY_NONE || c->n_edges == REGISTRY_WANTS ||
	    !place_has_room(r, c->place, 1, 0, 1))
		return REGISTRY_NONE;
	for (uint32_t p = c->place; p != REGISTRY_NONE; p = r->places[p].wide)
		r->places[p].wants++;
	e = &r->edges[i];
	r->free_edge = e->next;
	version = e->version;
	memset(e, 0, sizeof(*e));
	memcpy(e->key, key, KEY_LEN);
	e->version = version;
	e->owner = client;
	e->peer = REGISTRY_NONE;
	e->next = c->edges;
	c->edges = i;
	c->n_edges++;
	r->edges_count++;
	return i;
}

void
registry_unwant(struct registry *r, uint32_t edge)
{
	struct edge *e = &r->edges[edge];
	struct member *c = &r->clients[e->owner];
	uint32_t *link = &c->edges;

	while (*link != edge)
		link = &r->edges[*link].next;
	*link = e->next;
	for (uint32_t p = c->place; p != REGISTRY_NONE; p = r->places[p].wide)
		r->places[p].wants--;
	c->n_edges--;
	r->edges_count--;
	e->next = r->free_edge;
	r->free_edge = edge;
}

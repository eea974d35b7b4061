/* SPDX-License-Identifier: ISC */
/* TURN allocations, in fixed memory. */
#include "allocation.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NONE ALLOCATION_NONE
/* Seconds round the wheel: more than any lifetime, so that all in one place
 * are due in the same second. */
#define WHEEL 4096

_Static_assert(TURN_LIFETIME_MAX_S + 2 < WHEEL, "the wheel is too small");

static void
fill(uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		list[i] = NONE;
}

int
allocations_init(struct allocations *t, uint32_t max)
{
	uint32_t heads = 4;

	*t = (struct allocations){.max = max};
	while (heads < max && heads < UINT32_C(1) << 31)
		heads *= 2;
	t->mask = heads - 1;
	t->all = calloc(max > 0 ? max : 1, sizeof(*t->all));
	t->heads = malloc(heads * sizeof(*t->heads));
	t->wheel = malloc(WHEEL * sizeof(*t->wheel));
	if (t->all == NULL || t->heads == NULL || t->wheel == NULL) {
		allocations_free(t);
		return -ENOMEM;
	}
	fill(t->heads, heads);
	fill(t->wheel, WHEEL);
	for (uint32_t i = 0; i < max; i++)
		t->all[i].next = i + 1 < max ? i + 1 : NONE;
	t->free = max > 0 ? 0 : NONE;
	randombytes_buf(t->key, sizeof(t->key));
	return 0;
}

void
allocations_free(struct allocations *t)
{
	free(t->all);
	free(t->heads);
	free(t->wheel);
	*t = (struct allocations){0};
}

size_t
allocations_memory(const struct allocations *t)
{
	return (size_t)t->max * sizeof(*t->all) +
	       ((size_t)t->mask + 1) * sizeof(*t->heads) +
	       WHEEL * sizeof(*t->wheel);
}

/* What way_equal compares. */
static uint32_t *
head(const struct allocations *t, const struct way *w)
{
	uint8_t in[2 + 1 + 16 + 2] = {0}, out[8];
	uint32_t h;

	memcpy(in, &w->socket, 2);
	if (w->socket == WAY_STREAM) {
		memcpy(in + 3, &w->stream, 4);
	} else {
		in[2] = w->remote.family;
		memcpy(in + 3, w->remote.ip, addr_ip_len(&w->remote));
		memcpy(in + 19, &w->remote.port, 2);
	}
	crypto_shorthash(out, in, sizeof(in), t->key);
	memcpy(&h, out, sizeof(h));
	return &t->heads[h & t->mask];
}

struct allocation *
allocations_find(const struct allocations *t, const struct way *way)
{
	for (uint32_t i = *head(t, way); i != NONE; i = t->all[i].next)
		if (way_equal(&t->all[i].way, way))
			return &t->all[i];
	return NULL;
}

struct allocation *
allocations_at(const struct allocations *t, uint32_t i)
{
	return i < t->max && t->all[i].account != NULL ? &t->all[i] : NULL;
}

uint32_t
allocations_index(const struct allocations *t, const struct allocation *a)
{
	return (uint32_t)(a - t->all);
}

struct allocation *
allocations_take(
    struct allocations *t, const struct way *way, struct account *account)
{
	struct allocation *a;
	uint32_t i = t->free, *h;

	if (i == NONE)
		return NULL;
	a = &t->all[i];
	t->free = a->next;
	h = head(t, way);
	*a = (struct allocation){.way = *way,
	    .account = account,
	    .next = *h,
	    .due_next = NONE,
	    .due_prev = NONE};
	*h = i;
	t->used++;
	return a;
}

static void
unschedule(struct allocations *t, struct allocation *a)
{
	if (a->due_s == 0)
		return;
	if (a->due_prev != NONE)
		t->all[a->due_prev].due_next = a->due_next;
	else
		t->wheel[a->due_s % WHEEL] = a->due_next;
	if (a->due_next != NONE)
		t->all[a->due_next].due_prev = a->due_prev;
	a->due_s = 0;
}

void
allocations_give(struct allocations *t, struct allocation *a)
{
	uint32_t i = allocations_index(t, a), *p = head(t, &a->way);

	unschedule(t, a);
	while (*p != i)
		p = &t->all[*p].next;
	*p = a->next;
	*a = (struct allocation){.next = t->free};
	t->free = i;
	t->used--;
}

static void
sooner(uint32_t *due_s, uint32_t until_s)
{
	if (until_s != 0 && (*due_s == 0 || until_s < *due_s))
		*due_s = until_s;
}

void
allocations_schedule(struct allocations *t, struct allocation *a)
{
	uint32_t i = allocations_index(t, a), due_s = 0, *slot;

	sooner(&due_s, a->relayed[0].until_s);
	sooner(&due_s, a->relayed[1].until_s);
	sooner(&due_s, a->reserved_until_s);
	if (due_s == a->due_s)
		return;
	unschedule(t, a);
	if (due_s == 0)
		return;
	slot = &t->wheel[due_s % WHEEL];
	a->due_s = due_s;
	a->due_prev = NONE;
	a->due_next = *slot;
	if (*slot != NONE)
		t->all[*slot].due_prev = i;
	*slot = i;
}

struct allocation *
allocations_due(struct allocations *t, uint64_t now_ms)
{
	uint32_t now_s = (uint32_t)(now_ms / 1000);

	/* after a long sleep once round is enough */
	if (now_s > t->now_s && now_s - t->now_s > WHEEL)
		t->now_s = now_s - WHEEL;
	for (; t->now_s <= now_s; t->now_s++) {
		for (uint32_t i = t->wheel[t->now_s % WHEEL]; i != NONE;
		     i = t->all[i].due_next)
			if (t->all[i].due_s <= now_s)
				return &t->all[i];
	}
	t->now_s = now_s; /* what is put into this second now is due, too */
	return NULL;
}

uint64_t
allocations_next_ms(const struct allocations *t)
{
	for (uint32_t s = t->now_s; t->used > 0 && s < t->now_s + WHEEL; s++)
		if (t->wheel[s % WHEEL] != NONE)
			return (uint64_t)s * 1000;
	return UINT64_MAX;
}

static bool
is_ip(const uint8_t ip[16], uint8_t family, const struct addr *peer)
{
	/* addresses are zero after an IPv4 address's end */
	return family == peer->family && memcmp(ip, peer->ip, 16) == 0;
}

bool
permission_is_there(const struct permission list[TURN_PERMISSIONS],
    const struct addr *peer, uint64_t now_ms)
{
	for (int i = 0; i < TURN_PERMISSIONS; i++)
		if (is_ip(list[i].ip, list[i].family, peer))
			return allocation_is_live(list[i].until_s, now_ms);
	return false;
}

bool
permission_put(struct permission list[TURN_PERMISSIONS],
    const struct addr *peer, uint64_t now_ms)
{
	struct permission *p = NULL;

	for (int i = 0; i < TURN_PERMISSIONS; i++) {
		if (is_ip(list[i].ip, list[i].family, peer)) {
			p = &list[i];
			break;
		}
		if (p == NULL && !allocation_is_live(list[i].until_s, now_ms))
			p = &list[i];
	}
	if (p == NULL)
		return false;
	memcpy(p->ip, peer->ip, sizeof(p->ip));
	p->family = peer->family;
	p->until_s = allocation_until(now_ms, TURN_PERMISSION_S);
	return true;
}

const struct channel *
channel_by_number(const struct allocation *a, uint16_t number, uint64_t now_ms)
{
	for (int i = 0; i < TURN_CHANNELS; i++)
		if (a->channel[i].number == number &&
		    allocation_is_live(a->channel[i].until_s, now_ms))
			return &a->channel[i];
	return NULL;
}

const struct channel *
channel_by_peer(
    const struct allocation *a, const struct addr *peer, uint64_t now_ms)
{
	for (int i = 0; i < TURN_CHANNELS; i++) {
		const struct channel *c = &a->channel[i];

		if (c->port == peer->port && is_ip(c->ip, c->family, peer) &&
		    allocation_is_live(c->until_s, now_ms))
			return c;
	}
	return NULL;
}

struct addr
channel_peer(const struct channel *c)
{
	struct addr a = {.family = c->family, .port = c->port};

	memcpy(a.ip, c->ip, sizeof(a.ip));
	return a;
}

int
channel_put(struct allocation *a, uint16_t number, const struct addr *peer,
    uint64_t now_ms)
{
	const struct channel *c = channel_by_number(a, number, now_ms);
	int i;

	if (c != channel_by_peer(a, peer, now_ms))
		return -EEXIST;
	if (c != NULL) {
		i = (int)(c - a->channel);
	} else {
		for (i = 0; i < TURN_CHANNELS; i++)
			if (!allocation_is_live(a->channel[i].until_s, now_ms))
				break;
		if (i == TURN_CHANNELS)
			return -ENOSPC;
	}
	a->channel[i] = (struct channel){.family = peer->family,
	    .port = peer->port,
	    .number = number,
	    .until_s = allocation_until(now_ms, TURN_CHANNEL_S)};
	memcpy(a->channel[i].ip, peer->ip, sizeof(peer->ip));
	return 0;
}

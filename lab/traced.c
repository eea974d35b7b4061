/* SPDX-License-Identifier: ISC */
/* Packets on their way through one box's netfilter. */
#include "traced.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
traced_init(struct traced *t, const char *table)
{
	memset(t, 0, sizeof(*t));
	strncpy(t->table, table, sizeof(t->table) - 1);
	t->slot = calloc(TRACED_MAX, sizeof(*t->slot));
	return t->slot == NULL ? -ENOMEM : 0;
}

void
traced_free(struct traced *t)
{
	free(t->slot);
	t->slot = NULL;
}

static struct traced_packet *
find(struct traced *t, uint32_t id)
{
	for (size_t i = 0; i < TRACED_MAX; i++)
		if (t->slot[i].used && t->slot[i].id == id)
			return &t->slot[i];
	return NULL;
}

static bool
same_packet(const struct packet *a, const struct packet *b)
{
	return a->protocol == b->protocol && a->ip_id == b->ip_id &&
	       a->hash == b->hash && addr_equal(&a->from, &b->from);
}

/* The kernel may give a packet another id when it is routed: then it is the
 * one that waits there with the same source (only the destination may be
 * translated yet), whose time to live may be one more. */
static struct traced_packet *
find_routed(struct traced *t, const struct traceevent *e)
{
	for (size_t i = 0; i < TRACED_MAX; i++) {
		struct traced_packet *p = &t->slot[i];

		if (p->used && !p->own && !p->routed &&
		    (p->latest.ttl == e->packet.ttl ||
			p->latest.ttl == e->packet.ttl + 1) &&
		    same_packet(&p->latest, &e->packet)) {
			p->routed = true;
			p->id = e->id;
			return p;
		}
	}
	return NULL;
}

static struct traced_packet *
begin(struct traced *t, const struct traceevent *e, uint64_t wall_us)
{
	struct traced_packet *p = &t->slot[t->next++ % TRACED_MAX];

	memset(p, 0, sizeof(*p));
	p->used = true;
	p->id = e->id;
	p->packet = e->packet;
	p->iif = e->iif;
	p->own = e->iif == 0;
	p->wall_us = wall_us;
	return p;
}

static struct traced_packet *
place(struct traced *t, const struct traceevent *e, bool arrival,
    uint64_t wall_us)
{
	struct traced_packet *p = find(t, e->id);

	if (p == NULL && e->has_packet && !arrival)
		p = find_routed(t, e);
	if (p == NULL && e->has_packet && packet_is_unicast(&e->packet))
		p = begin(t, e, wall_us);
	return p;
}

/* Where a packet is out of our sight: it left the box, or a socket took it
 * (handle 0 is the end of the chain, and the policy is still to come). */
static bool
is_last(const struct traceevent *e, bool witness)
{
	if (!witness)
		return false;
	if (strcmp(e->chain, TRACED_INSIDE) == 0)
		return e->handle != 0;
	return strcmp(e->chain, TRACED_AWAY) == 0;
}

enum traced_end
traced_step(struct traced *t, const struct traceevent *e, uint64_t now_ms,
    uint64_t wall_us, struct traced_packet *out)
{
	bool witness = strcmp(e->table, t->table) == 0;
	bool arrival = witness && (strcmp(e->chain, TRACED_EARLY) == 0 ||
				      strcmp(e->chain, TRACED_FIRST) == 0);
	struct traced_packet *p = place(t, e, arrival, wall_us);
	enum traced_end end = TRACED_GOES_ON;

	if (p == NULL)
		return end;
	p->last_ms = now_ms;
	if (e->has_packet)
		p->latest = e->packet;
	if (e->dropped)
		end = TRACED_DROPPED;
	else if (witness && e->policy && strcmp(e->chain, TRACED_INSIDE) == 0)
		end = TRACED_UNWANTED;
	else if (!is_last(e, witness))
		return end;
	*out = *p;
	p->used = false;
	return end;
}

bool
traced_vanished(struct traced *t, uint64_t now_ms, struct traced_packet *out)
{
	for (size_t i = 0; i < TRACED_MAX; i++) {
		struct traced_packet *p = &t->slot[i];

		if (!p->used || p->last_ms + TRACED_WAIT_MS > now_ms)
			continue;
		p->used = false;
		/* What is put together of fragments goes on as another one;
		 * and a drop right after the last hook shows nowhere. */
		if (p->packet.part || p->own)
			continue;
		*out = *p;
		return true;
	}
	return false;
}

uint64_t
traced_next_ms(const struct traced *t)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < TRACED_MAX; i++)
		if (t->slot[i].used &&
		    t->slot[i].last_ms + TRACED_WAIT_MS < next)
			next = t->slot[i].last_ms + TRACED_WAIT_MS;
	return next;
}

/* SPDX-License-Identifier: ISC */
/* The mappings of one box (RFC 4787 section 4.1). */
#include "flowtable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
flowtable_init(struct flowtable *t)
{
	memset(t, 0, sizeof(*t));
	t->flow = calloc(FLOWTABLE_MAX, sizeof(*t->flow));
	return t->flow == NULL ? -ENOMEM : 0;
}

void
flowtable_free(struct flowtable *t)
{
	free(t->flow);
	t->flow = NULL;
}

static bool
same_tuple(const struct flow *a, const struct flow *b)
{
	return a->protocol == b->protocol &&
	       addr_equal(&a->internal, &b->internal) &&
	       addr_equal(&a->external, &b->external) &&
	       addr_equal(&a->remote, &b->remote);
}

static struct flow *
find(struct flowtable *t, const struct flow *f)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->flow[i].used && t->flow[i].id == f->id &&
		    same_tuple(&t->flow[i], f))
			return &t->flow[i];
	return NULL;
}

static struct flow *
slot(struct flowtable *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (!t->flow[i].used)
			return &t->flow[i];
	if (t->n < FLOWTABLE_MAX)
		return &t->flow[t->n++];
	return &t->flow[t->next++ % FLOWTABLE_MAX];
}

/* Which end is inside: a translated source is; so is the place that a
 * translated destination leads to; else the box itself, or who began. */
static void
read_flow(struct flow *f, const struct ctevent *e,
    bool (*local)(void *arg, const struct addr *ip), void *arg)
{
	const struct ctevent_tuple *o = &e->original, *r = &e->reply;
	bool src = !addr_equal(&o->from, &r->to);
	bool dst = !addr_equal(&o->to, &r->from);

	memset(f, 0, sizeof(*f));
	f->id = e->id;
	f->protocol = o->protocol;
	f->translated = src || dst;
	f->own = !f->translated && local(arg, &o->to);
	if (dst && !src) {
		f->internal = r->from;
		f->external = o->to;
		f->remote = o->from;
	} else if (f->own) {
		f->internal = f->external = o->to;
		f->remote = o->from;
	} else {
		f->internal = o->from;
		f->external = r->to;
		f->remote = o->to;
	}
}

/* The port was not kept, and the NAT itself has an entry that would be it. */
static bool
clashes(const struct flowtable *t, const struct flow *f)
{
	struct addr wanted = f->external;

	wanted.port = f->internal.port;
	if (!f->translated || wanted.port == f->external.port)
		return false;
	for (size_t i = 0; i < t->n; i++)
		if (t->flow[i].used && t->flow[i].own &&
		    t->flow[i].protocol == f->protocol &&
		    addr_equal(&t->flow[i].external, &wanted) &&
		    addr_equal(&t->flow[i].remote, &f->remote))
			return true;
	return false;
}

void
flowtable_step(struct flowtable *t, const struct ctevent *e,
    bool (*local)(void *arg, const struct addr *ip), void *arg,
    struct flow_news *out)
{
	struct flow *f;

	memset(out, 0, sizeof(*out));
	read_flow(&out->flow, e, local, arg);
	out->timeout_s = e->timeout_s;
	f = find(t, &out->flow);
	if (e->kind == CTEVENT_DESTROY) {
		out->state = FLOW_EXPIRED;
		if (f != NULL)
			f->used = false;
		return;
	}
	out->state = e->kind == CTEVENT_NEW ? FLOW_MADE : FLOW_REFRESHED;
	if (f != NULL)
		return;
	out->clash = clashes(t, &out->flow);
	f = slot(t);
	*f = out->flow;
	f->used = true;
}

bool
flowtable_mapped(
    const struct flowtable *t, uint8_t protocol, const struct addr *external)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->flow[i].used && !t->flow[i].own &&
		    t->flow[i].protocol == protocol &&
		    addr_equal(&t->flow[i].external, external))
			return true;
	return false;
}

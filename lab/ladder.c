/* SPDX-License-Identifier: ISC */
/* One time line of what happened in a lab. */
#include "ladder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows that a repeat may stand apart from the one that stands for it: two
 * sides that send in turns, and their answers. */
#define REPEAT_ROWS 4
#define LATE_NS 1000000000u

int
ladder_init(struct ladder *l)
{
	memset(l, 0, sizeof(*l));
	return trails_init(&l->trails);
}

void
ladder_free(struct ladder *l)
{
	trails_free(&l->trails);
	free(l->event);
	free(l->row);
	memset(l, 0, sizeof(*l));
}

uint64_t
ladder_us(const struct ladder *l, uint64_t ns)
{
	return ns > l->begin_ns ? (ns - l->begin_ns) / 1000 : 0;
}

static int
add_event(struct ladder *l, const struct row *r)
{
	if (l->nevent == LADDER_EVENTS_MAX) {
		l->over++;
		return 0;
	}
	if (l->nevent == l->event_cap) {
		size_t cap = l->event_cap == 0 ? 64 : l->event_cap * 2;
		struct row *p = realloc(l->event, cap * sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		l->event = p;
		l->event_cap = cap;
	}
	l->event[l->nevent++] = *r;
	return 0;
}

/* Text of a record for a row: other bytes than printing ASCII become '?'. */
static void
take(const struct record_view *r, const char *key, char *out, size_t size)
{
	const char *value = record_get(r, key);

	snprintf(out, size, "%s", value == NULL ? "" : value);
	for (; *out != '\0'; out++)
		if (*out < ' ' || *out > '~')
			*out = '?';
}

/* Whoever has mappings is more than a router. */
static void
learn_kind(struct place *p, const struct row *e)
{
	if (!addr_equal(&e->internal, &e->external))
		p->kind = PLACE_NAT;
	else if (p->kind == PLACE_ROUTER)
		p->kind = PLACE_FIREWALL;
}

static int
feed_event(struct ladder *l, const struct record_view *r, enum row_kind kind)
{
	struct row e = {.kind = kind, .times = 1};
	const char *box = record_get(r, "box");
	uint64_t us, timeout = 0;

	e.box = box == NULL ? -1 : places_find(&l->places, box);
	if (e.box < 0 || record_get_u64(r, "time_us", &us) != 0 ||
	    us > UINT64_MAX / 1000)
		return -EBADMSG;
	e.ns = e.last_ns = us * 1000;
	take(r, "state", e.state, sizeof(e.state));
	take(r, "protocol", e.protocol, sizeof(e.protocol));
	take(r, "reason", e.reason, sizeof(e.reason));
	take(r, "rule", e.rule, sizeof(e.rule));
	record_get_u64(r, "timeout_s", &timeout);
	e.timeout_s = timeout > UINT32_MAX ? UINT32_MAX : (uint32_t)timeout;
	if (kind == ROW_DROP) {
		if (record_get_addr(r, "from", &e.internal) != 0 ||
		    record_get_addr(r, "to", &e.external) != 0 ||
		    e.reason[0] == '\0')
			return -EBADMSG;
	} else if (record_get_addr(r, "internal", &e.internal) != 0 ||
		   record_get_addr(r, "external", &e.external) != 0 ||
		   record_get_addr(r, "remote", &e.remote) != 0) {
		return -EBADMSG;
	} else {
		learn_kind(&l->places.place[e.box], &e);
	}
	return add_event(l, &e);
}

int
ladder_feed(struct ladder *l, const struct record_view *r)
{
	if (record_is(r, "mapping"))
		return feed_event(l, r, ROW_MAPPING);
	if (record_is(r, "drop"))
		return feed_event(l, r, ROW_DROP);
	return places_feed(&l->places, r);
}

static uint8_t
protocol_number(const char *name)
{
	if (strcmp(name, "udp") == 0)
		return PACKET_UDP;
	if (strcmp(name, "tcp") == 0)
		return PACKET_TCP;
	return strcmp(name, "icmp") == 0 ? PACKET_ICMP : (uint8_t)atoi(name);
}

/* A drop belongs to the packet that ended by it. */
static bool
drop_has_trail(struct ladder *l, const struct row *e)
{
	uint8_t protocol = protocol_number(e->protocol);
	struct trail *t = trails_drop(&l->trails, e->box, protocol,
	    &e->internal, &e->external, e->ns, e->reason, e->rule);

	if (t == NULL && protocol == PACKET_ICMP)
		t = trails_drop(&l->trails, e->box, PACKET_ICMP6, &e->internal,
		    &e->external, e->ns, e->reason, e->rule);
	return t != NULL;
}

/* Is that hop the mapping's, outward or inward (or what the NAT took itself)? */
static bool
uses_outward(const struct trail_hop *h, const struct row *e)
{
	return h->out && addr_equal(&h->out_from, &e->external) &&
	       addr_equal(&h->out_to, &e->remote) &&
	       (!h->in || addr_equal(&h->in_from, &e->internal));
}

static bool
uses_inward(const struct trail_hop *h, const struct row *e)
{
	return h->in && addr_equal(&h->in_from, &e->remote) &&
	       addr_equal(&h->in_to, &e->external) &&
	       addr_equal(h->out ? &h->out_to : &h->in_to, &e->internal);
}

static uint64_t
hop_ns(const struct trail *t, const struct row *e)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct trail_hop *h = &t->hop[i];

		if (h->box == e->box &&
		    (uses_outward(h, e) || uses_inward(h, e)))
			return h->in ? h->in_ns : h->out_ns;
	}
	return 0;
}

/* nat-watch is told of a mapping a little late, and later when the machine has
 * much to do. It was made by the first packet that used it, and refreshed by
 * the last one before: the row belongs right after that one. */
static void
retime(const struct ladder *l, struct row *e)
{
	bool first = strcmp(e->state, "made") == 0;
	uint64_t at, found = 0;

	if (!first && strcmp(e->state, "refreshed") != 0)
		return;
	for (size_t i = l->trails.n; i > 0; i--) {
		const struct trail *t = &l->trails.trail[i - 1];

		if (t->begin_ns + LATE_NS < e->ns)
			break;
		at = hop_ns(t, e);
		if (at == 0 || at > e->ns)
			continue;
		found = at;
		if (!first)
			break;
	}
	if (found != 0)
		e->ns = e->last_ns = found + 1;
}

static int
compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

static int
collect(struct ladder *l)
{
	l->row = calloc(l->trails.n + l->nevent + 1, sizeof(*l->row));
	if (l->row == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < l->nevent; i++) {
		if (l->event[i].kind == ROW_MAPPING)
			retime(l, &l->event[i]);
		else if (drop_has_trail(l, &l->event[i]))
			continue;
		l->row[l->nrow++] = l->event[i];
	}
	trails_settle(&l->trails, &l->places);
	places_settle(&l->places);
	for (size_t i = 0; i < l->trails.n; i++) {
		struct trail *t = &l->trails.trail[i];

		l->row[l->nrow++] = (struct row){.kind = ROW_PACKET,
		    .ns = t->begin_ns,
		    .last_ns = t->begin_ns,
		    .times = 1,
		    .trail = t,
		    .box = -1};
	}
	qsort(l->row, l->nrow, sizeof(*l->row), compare);
	if (l->nrow > 0)
		l->begin_ns = l->row[0].ns;
	return 0;
}

static bool
same_hop(const struct trail_hop *a, const struct trail_hop *b)
{
	return a->box == b->box && a->in == b->in && a->out == b->out &&
	       addr_equal(&a->in_from, &b->in_from) &&
	       addr_equal(&a->in_to, &b->in_to) &&
	       addr_equal(&a->out_from, &b->out_from) &&
	       addr_equal(&a->out_to, &b->out_to);
}

static bool
same_trail(const struct trail *a, const struct trail *b)
{
	if (a->n != b->n || a->end != b->end || a->duplicate != b->duplicate ||
	    strcmp(a->what.name, b->what.name) != 0 ||
	    strcmp(a->what.detail, b->what.detail) != 0 ||
	    strcmp(a->reason, b->reason) != 0)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same_hop(&a->hop[i], &b->hop[i]))
			return false;
	return true;
}

static bool
same_row(const struct row *a, const struct row *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == ROW_PACKET)
		return same_trail(a->trail, b->trail);
	return a->kind == ROW_DROP && a->box == b->box &&
	       strcmp(a->reason, b->reason) == 0 &&
	       addr_equal(&a->internal, &b->internal) &&
	       addr_equal(&a->external, &b->external);
}

/* A row close by that this one repeats; what happens to a mapping in between
 * is never stepped over. */
static struct row *
find_repeated(struct ladder *l, size_t n, const struct row *r)
{
	for (size_t i = n; i > 0 && n - i < REPEAT_ROWS; i--) {
		if (same_row(&l->row[i - 1], r))
			return &l->row[i - 1];
		if (l->row[i - 1].kind != ROW_PACKET)
			return NULL;
	}
	return NULL;
}

static void
fold(struct ladder *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->nrow; i++) {
		struct row *same = find_repeated(l, n, &l->row[i]);

		if (same == NULL) {
			l->row[n++] = l->row[i];
			continue;
		}
		same->times++;
		same->last_ns = l->row[i].ns;
		l->repeated++;
	}
	l->nrow = n;
}

static void
clip(struct ladder *l, const struct ladder_window *w)
{
	size_t n = 0;
	uint64_t ms;

	for (size_t i = 0; i < l->nrow; i++) {
		ms = ladder_us(l, l->row[i].ns) / 1000;
		if (ms < w->begin_ms)
			l->before++;
		else if (w->end_ms != 0 && ms >= w->end_ms)
			l->after++;
		else
			l->row[n++] = l->row[i];
	}
	l->nrow = n;
}

/* Routers only pass packets on: they get a lane when one ends or begins there,
 * all others when they have a part in anything. */
static void
mark(struct ladder *l, const struct row *r, bool *shown)
{
	const struct trail *t = r->trail;

	if (r->kind != ROW_PACKET) {
		shown[r->box] = true;
		return;
	}
	for (size_t i = 0; i < t->n; i++)
		if (l->places.place[t->hop[i].box].kind != PLACE_ROUTER)
			shown[t->hop[i].box] = true;
	if (!t->duplicate)
		shown[t->hop[0].box] = true;
	if (!t->hop[t->n - 1].out)
		shown[t->hop[t->n - 1].box] = true;
}

static void
assign_lanes(struct ladder *l)
{
	bool shown[PLACES_MAX] = {false};

	for (size_t i = 0; i < l->nrow; i++)
		mark(l, &l->row[i], shown);
	l->nlane = 0;
	for (size_t i = 0; i < l->places.n; i++) {
		l->lane[i] = shown[i] ? (int)l->nlane : -1;
		if (shown[i])
			l->box[l->nlane++] = (int)i;
	}
}

void
ladder_cut(struct ladder *l, size_t n)
{
	if (l->nrow <= n)
		return;
	l->over += l->nrow - n;
	l->nrow = n;
	assign_lanes(l);
}

int
ladder_build(struct ladder *l, const struct ladder_window *w)
{
	int err = collect(l);

	if (err != 0)
		return err;
	clip(l, w);
	if (!w->repeats)
		fold(l);
	assign_lanes(l);
	if (w->rows != 0)
		ladder_cut(l, w->rows);
	return 0;
}

static bool
changed(const struct trail_hop *h)
{
	return h->in && h->out &&
	       (!addr_equal(&h->in_from, &h->out_from) ||
		   !addr_equal(&h->in_to, &h->out_to));
}

/* A router on the way is passed by: no arrow bends for it. */
static int
hop_lane(const struct ladder *l, const struct trail *t, size_t i)
{
	int box = t->hop[i].box;

	if (l->places.place[box].kind == PLACE_ROUTER && i > 0 && i + 1 < t->n)
		return -1;
	return l->lane[box];
}

size_t
ladder_legs(const struct ladder *l, const struct trail *t, struct leg *legs)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct trail_hop *h = &t->hop[i];
		int lane = hop_lane(l, t, i);

		if (n > 0 && legs[n - 1].to_lane < 0 && lane >= 0)
			legs[n - 1].to_lane = lane;
		if (h->out && lane >= 0)
			legs[n++] = (struct leg){.from_lane = lane,
			    .to_lane = -1,
			    .from = &h->out_from,
			    .to = &h->out_to,
			    .translated = changed(h)};
	}
	return n;
}

int
ladder_first_lane(const struct ladder *l, const struct trail *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (l->lane[t->hop[i].box] >= 0)
			return l->lane[t->hop[i].box];
	return -1;
}

int
ladder_last_lane(const struct ladder *l, const struct trail *t)
{
	for (size_t i = t->n; i > 0; i--)
		if (l->lane[t->hop[i - 1].box] >= 0)
			return l->lane[t->hop[i - 1].box];
	return -1;
}

int
ladder_aim(const struct ladder *l, const struct trail *t)
{
	const struct trail_hop *h = &t->hop[t->n - 1];
	const struct addr *to = h->out ? &h->out_to : &h->in_to;

	for (size_t i = 0; i < l->nlane; i++)
		if (place_has_addr(&l->places.place[l->box[i]], to))
			return (int)i;
	return -1;
}

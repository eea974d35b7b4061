/* SPDX-License-Identifier: ISC */
/* Which captured packets are one and the same datagram. */
#include "trails.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bridge and its port show one packet twice, at once. */
#define TWICE_NS 2000000u
/* What took longer on a wire was another one of the same bytes. */
#define WIRE_NS 1000000000u
/* nat-watch reads a drop so much later than the packet came, at most. */
#define DROP_NS 200000000u
/* And no packet is on its way for longer than this. */
#define WAY_NS 10000000000u

int
trails_init(struct trails *t)
{
	memset(t, 0, sizeof(*t));
	t->bucket = calloc(TRAILS_BUCKETS, sizeof(*t->bucket));
	return t->bucket == NULL ? -ENOMEM : 0;
}

void
trails_free(struct trails *t)
{
	free(t->trail);
	free(t->bucket);
	memset(t, 0, sizeof(*t));
}

int
trails_direction(const struct place *box, const struct packet *p, bool *out)
{
	if (p->has_direction) {
		*out = p->leaving;
		return 0;
	}
	if (!p->has_mac) { /* a tunnel */
		*out = place_has_addr(box, &p->from);
		return *out || place_has_addr(box, &p->to) ? 0 : -ENOENT;
	}
	*out = place_has_mac(box, p->mac_from);
	return *out || place_has_mac(box, p->mac_to) ? 0 : -ENOENT;
}

static struct trail_hop *
last(struct trail *t)
{
	return &t->hop[t->n - 1];
}

static struct trail *
chain(struct trails *t, size_t link)
{
	return link == 0 ? NULL : &t->trail[link - 1];
}

/* A bridge that translates what it switches shows other addresses at its
 * port than inside: on the way out, the last ones are those on the wire. */
static bool
is_again(const struct trail_hop *h, const struct sight *s)
{
	if (h->box != s->box)
		return false;
	if (s->out)
		return h->out && h->out_at != s->at &&
		       s->ns - h->out_ns < TWICE_NS;
	return h->in && !h->out && h->in_at != s->at &&
	       s->ns - h->in_ns < TWICE_NS;
}

/* Did this box get it, and sends it on now? */
static bool
is_forwarded(const struct trail_hop *h, const struct sight *s)
{
	return s->out && h->box == s->box && h->in && !h->out &&
	       (s->packet->ttl == h->in_ttl || s->packet->ttl + 1 == h->in_ttl);
}

/* Is it what another box sent? On the wire nothing changes. */
static bool
is_arrival(const struct trail_hop *h, const struct sight *s)
{
	return !s->out && h->out && h->box != s->box &&
	       h->out_ttl == s->packet->ttl &&
	       addr_equal(&h->out_from, &s->packet->from) &&
	       addr_equal(&h->out_to, &s->packet->to);
}

/* The oldest that fits, as wires keep the order; but one that has been away
 * for too long was lost. */
static struct trail *
find(struct trails *t, const struct sight *s, bool *again)
{
	struct trail *found = NULL, *i;

	*again = false;
	for (i = chain(t, t->bucket[s->packet->hash % TRAILS_BUCKETS]);
	     i != NULL; i = chain(t, i->next)) {
		struct trail_hop *h = last(i);

		if (i->hash != s->packet->hash)
			continue;
		if (is_again(h, s)) {
			*again = true;
			return i;
		}
		if (is_forwarded(h, s) ||
		    (is_arrival(h, s) &&
			(found == NULL || s->ns - h->out_ns < WIRE_NS)))
			found = i;
	}
	return found;
}

static void
see(struct trail_hop *h, const struct sight *s)
{
	h->box = s->box;
	if (s->out) {
		h->out = true;
		h->out_at = s->at;
		h->out_ttl = s->packet->ttl;
		h->out_ns = s->ns;
		h->out_from = s->packet->from;
		h->out_to = s->packet->to;
	} else {
		h->in = true;
		h->in_at = s->at;
		h->in_ttl = s->packet->ttl;
		h->in_ns = s->ns;
		h->in_from = s->packet->from;
		h->in_to = s->packet->to;
	}
}

static struct trail *
new_trail(struct trails *t)
{
	if (t->n == t->cap) {
		size_t cap = t->cap == 0 ? 256 : t->cap * 2;
		struct trail *p = realloc(t->trail, cap * sizeof(*p));

		if (p == NULL)
			return NULL;
		t->trail = p;
		t->cap = cap;
	}
	memset(&t->trail[t->n], 0, sizeof(t->trail[0]));
	return &t->trail[t->n++];
}

/* A second arrival of what came already: the wire made two of it. */
static void
find_original(struct trails *t, struct trail *copy, const struct sight *s)
{
	struct trail *i;

	for (i = chain(t, copy->next); i != NULL; i = chain(t, i->next)) {
		if (i->hash != s->packet->hash)
			continue;
		for (size_t k = 1; k < i->n; k++) {
			if (!is_arrival(&i->hop[k - 1], s) ||
			    i->hop[k].box != s->box)
				continue;
			copy->hop[0] = i->hop[k - 1];
			copy->hop[0].in = false;
			copy->n = 1;
			copy->duplicate = true;
			return;
		}
	}
}

static int
begin(struct trails *t, const struct sight *s)
{
	size_t *bucket = &t->bucket[s->packet->hash % TRAILS_BUCKETS];
	struct trail *n;

	if (t->n == TRAILS_MAX) {
		t->left_out++;
		return 0;
	}
	n = new_trail(t);
	if (n == NULL)
		return -ENOMEM;
	n->hash = s->packet->hash;
	n->begin_ns = s->ns;
	n->protocol = s->packet->protocol;
	n->what = *s->what;
	n->next = *bucket;
	*bucket = t->n;
	if (!s->out)
		find_original(t, n, s);
	see(&n->hop[n->n++], s);
	return 0;
}

int
trails_add(struct trails *t, const struct sight *s)
{
	bool again;
	struct trail *found = find(t, s, &again);

	if (again && s->out)
		see(last(found), s);
	if (again)
		return 0;
	if (found == NULL)
		return begin(t, s);
	if (!s->out) {
		if (found->n == TRAIL_HOPS)
			return begin(t, s);
		found->n++;
	}
	see(last(found), s);
	return 0;
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

struct trail *
trails_drop(struct trails *t, int box, uint8_t protocol,
    const struct addr *from, const struct addr *to, uint64_t ns,
    const char *reason, const char *rule)
{
	struct trail *found = NULL;
	uint64_t best = DROP_NS;

	for (size_t i = t->n; i > 0; i--) {
		struct trail *r = &t->trail[i - 1];
		struct trail_hop *h = last(r);

		if (r->begin_ns + WAY_NS < ns)
			break;
		if (h->box != box || !h->in || h->out ||
		    r->protocol != protocol || r->reason[0] != '\0' ||
		    !addr_equal(&h->in_from, from) ||
		    !addr_equal(&h->in_to, to) ||
		    distance(h->in_ns, ns) >= best)
			continue;
		best = distance(h->in_ns, ns);
		found = r;
	}
	if (found != NULL) {
		snprintf(found->reason, sizeof(found->reason), "%s", reason);
		snprintf(found->rule, sizeof(found->rule), "%s", rule);
	}
	return found;
}

static enum trail_end
ending(const struct trail *t, const struct places *places)
{
	const struct trail_hop *h = &t->hop[t->n - 1];

	if (t->reason[0] != '\0')
		return TRAIL_DROPPED;
	if (h->out)
		return TRAIL_LOST;
	if (place_has_addr(&places->place[h->box], &h->in_to))
		return TRAIL_ARRIVED;
	return TRAIL_ENDED;
}

void
trails_settle(struct trails *t, struct places *places)
{
	for (size_t i = 0; i < t->n; i++) {
		struct trail *r = &t->trail[i];

		r->end = ending(r, places);
		for (size_t k = 0; k < r->n; k++) {
			struct trail_hop *h = &r->hop[k];

			if (h->in && h->out &&
			    (!addr_equal(&h->in_from, &h->out_from) ||
				!addr_equal(&h->in_to, &h->out_to)))
				places->place[h->box].kind = PLACE_NAT;
		}
	}
}

/* SPDX-License-Identifier: ISC */
/* The peer's candidates, and what the checks to each have shown. */
#include "candidate.h"

#include <string.h>

#include "port.h"

static const char *const names[] = {
    [CANDIDATE_HOST] = "host",
    [CANDIDATE_SRFLX] = "srflx",
    [CANDIDATE_PRFLX] = "prflx",
    [CANDIDATE_RELAY] = "relay",
};

const char *
candidate_type_name(enum candidate_type type)
{
	return names[type];
}

enum candidate_type
candidate_type_parse(const char *name)
{
	static const enum candidate_type types[] = {
	    CANDIDATE_HOST, CANDIDATE_SRFLX, CANDIDATE_RELAY};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(name, names[types[i]]) == 0)
			return types[i];
	return CANDIDATE_NONE;
}

void
candidates_clear(struct candidates *c)
{
	memset(c, 0, sizeof(*c));
}

static void
set(struct candidate *c, const struct remote *r, uint64_t now_us)
{
	memset(c, 0, sizeof(*c));
	c->r = *r;
	c->due_us = now_us;
	c->found_us = now_us;
}

struct candidate *
candidates_find(struct candidates *c, const struct addr *addr)
{
	for (size_t i = 0; i < c->n; i++)
		if (addr_equal(&c->list[i].r.addr, addr))
			return &c->list[i];
	return NULL;
}

struct candidate *
candidates_add(struct candidates *c, const struct remote *r, uint64_t now_us)
{
	struct candidate *known = candidates_find(c, &r->addr);

	if (known != NULL) {
		if (r->priority > known->r.priority)
			known->r = *r;
		return known;
	}
	if (c->n == CANDIDATE_MAX)
		return NULL;
	set(&c->list[c->n], r, now_us);
	return &c->list[c->n++];
}

struct candidate *
candidates_reflexive(struct candidates *c, const struct addr *addr,
    uint32_t priority, const struct candidate *keep, uint64_t now_us)
{
	const struct remote r = {
	    .type = CANDIDATE_PRFLX, .addr = *addr, .priority = priority};
	struct candidate *oldest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct candidate *p = &c->list[i];

		if (p->r.type != CANDIDATE_PRFLX)
			continue;
		n++;
		if (p != keep && !p->answered &&
		    (oldest == NULL || p->found_us < oldest->found_us))
			oldest = p;
	}
	if (n < CANDIDATE_REFLEXIVE)
		return candidates_add(c, &r, now_us);
	if (oldest != NULL)
		set(oldest, &r, now_us);
	return oldest;
}

struct candidate *
candidates_best(struct candidates *c, const struct candidate *skip)
{
	struct candidate *best = NULL;

	for (size_t i = 0; i < c->n; i++) {
		struct candidate *p = &c->list[i];

		if (p != skip && p->answered &&
		    (best == NULL || p->r.priority > best->r.priority))
			best = p;
	}
	return best;
}

bool
candidates_better_possible(
    const struct candidates *c, const struct candidate *than)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].r.priority > than->r.priority &&
		    c->list[i].error == PORT_E_NONE)
			return true;
	return false;
}

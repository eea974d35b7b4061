/* SPDX-License-Identifier: ISC */
/* A check list of relays: its candidates are our own bindings, which come and
 * go while it runs; and it sleeps while a direct path stands. */
#include <errno.h>
#include <string.h>

#include "search.h"

static struct remote *
find(const struct checklist *x, const struct addr *addr)
{
	for (size_t i = 0; i < x->n_remotes; i++)
		if (addr_equal(&x->remotes[i].addr, addr))
			return (struct remote *)&x->remotes[i];
	return NULL;
}

bool
checklist_bound(const struct checklist *x, const struct addr *addr)
{
	return find(x, addr) != NULL;
}

/* A relay is there: is it worth a look? */
static void
consider(struct checklist *x, const struct remote *r, uint64_t now_us)
{
	if (!x->introduced || x->asleep || x->gone)
		return;
	if (search_checking(x))
		candidates_add(&x->candidates, r, now_us);
	else if (x->phase == PHASE_IDLE || r->priority > x->path.priority)
		search_start(x, PHASE_FULL, now_us, CHECKLIST_FULL_US);
}

int
checklist_bind(struct checklist *x, const struct remote *r, uint64_t now_us)
{
	struct remote *known = find(x, &r->addr);

	if (!addr_is_sendable(&r->addr))
		return -EINVAL;
	if (known == NULL) {
		if (x->n_remotes == CANDIDATE_REMOTES)
			return -ENOSPC;
		known = &x->remotes[x->n_remotes++];
	} else if (known->priority == r->priority) {
		return 0; /* bound again, as it has to be */
	}
	*known = *r;
	consider(x, r, now_us);
	return 0;
}

static void
forget(struct checklist *x, const struct addr *addr)
{
	struct candidates *c = &x->candidates;
	struct candidate *gone = candidates_find(c, addr);
	int i;

	if (gone == NULL)
		return;
	i = (int)(gone - c->list);
	if (x->nominee == i)
		x->nominee = -1;
	else if (x->nominee == (int)c->n - 1)
		x->nominee = i;
	*gone = c->list[--c->n];
}

void
checklist_unbind(struct checklist *x, const struct addr *addr, uint64_t now_us)
{
	struct remote *known = find(x, addr);

	if (known == NULL)
		return;
	*known = x->remotes[--x->n_remotes];
	forget(x, addr);
	if (x->path.addr.family != ADDR_NONE &&
	    addr_equal(&x->path.addr, addr)) {
		bool active = x->consent.active;

		if (active)
			search_lose(x, "gone", now_us);
		memset(&x->path, 0, sizeof(x->path));
		forget(x, addr); /* the path was looked for again, too */
	}
	if (x->n_remotes == 0 && search_checking(x))
		search_fail(x, "no-relay", now_us);
}

void
checklist_unserved(struct checklist *x, uint64_t now_us)
{
	if (x->introduced && !x->gone && x->n_remotes == 0 &&
	    !x->consent.active && !search_checking(x))
		search_fail(x, "no-relay", now_us);
}

/* The peer may have named it as its own, or have checked from there before we
 * knew whose it is. */
void
checklist_shun(struct checklist *x, const struct addr *addr, uint64_t now_us)
{
	struct remote *known = find(x, addr);
	bool path =
	    x->path.addr.family != ADDR_NONE && addr_equal(&x->path.addr, addr);

	if (known != NULL)
		*known = x->remotes[--x->n_remotes];
	if (addr_equal(&x->elsewhere.addr, addr))
		memset(&x->elsewhere, 0, sizeof(x->elsewhere));
	if (path)
		memset(&x->path, 0, sizeof(x->path));
	if (path && x->consent.active)
		search_lose(x, "relay", now_us);
	forget(x, addr);
}

void
checklist_sleep(struct checklist *x, uint64_t now_us)
{
	if (x->asleep)
		return;
	x->asleep = true;
	x->consent.active = false;
	x->nominee = -1;
	x->retry_us = NEVER;
	x->state = PATH_WAITING;
	search_enter(x, PHASE_IDLE, now_us, NEVER);
}

void
checklist_wake(struct checklist *x, uint64_t now_us)
{
	if (!x->asleep)
		return;
	x->asleep = false;
	if (x->introduced && x->n_remotes > 0)
		search_start(x, PHASE_FULL, now_us, CHECKLIST_FULL_US);
}

void
checklist_nudge(struct checklist *x)
{
	if (x->consent.active)
		x->consent.nudged = true;
}

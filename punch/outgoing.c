/* SPDX-License-Identifier: ISC */
/* What goes out: whose turn it is to send a check, and the check itself. */
#include "outgoing.h"

#include <string.h>

#include "port.h"
#include "search.h"

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
send_check(struct checklist *x, const struct addr *to, int ttl, bool use,
    struct flight *flight, uint64_t now_us, uint8_t tid[STUN_TID_LEN])
{
	const struct check check = {
	    .priority = x->relayed ? CHECK_PRIORITY_RELAYED : CHECK_PRIORITY,
	    .hint = x->relayed ? x->hint : 0,
	    .mapped = x->mapped,
	    .controlling = x->controlling,
	    .nominate = use,
	};
	struct output *o = outputs_add(&x->out);
	int len;

	stun_new_tid(tid);
	if (flight != NULL)
		flight_add(flight, tid, use, now_us);
	pace_spend(&x->pace, now_us);
	if (o == NULL)
		return;
	o->remote = *to;
	o->ttl = (uint8_t)ttl;
	len = check_request(&x->credentials, &check, x->tie_breaker, tid,
	    o->data, sizeof(o->data));
	o->len = len > 0 ? (size_t)len : 0;
}

/* Past our NATs, as far as we know them, and not to theirs. */
static int
low_ttl(const struct checklist *x, const struct addr *to)
{
	if (x->depth == 0 || to->family != ADDR_V4)
		return PORT_LOW_TTL;
	return PORT_LOW_TTL - 1 + (int)x->depth;
}

static int
ttl_of(const struct checklist *x, const struct candidate *c)
{
	int ttl = low_ttl(x, &c->r.addr);

	/* The path that we have is no exception: we may be the ones that have
	 * moved, and be new to the peer's NAT. */
	if (c->heard || x->relayed)
		return 0; /* its NAT is open, or there is none to open */
	if (x->phase == PHASE_OPENING)
		return ttl;
	if (x->phase != PHASE_ROUNDS)
		return 0;
	/* Unknown: the one NAT first, then whatever may stand behind it. */
	if (x->depth == 0)
		ttl = PORT_LOW_TTL + (int)(c->round % 3);
	return ttl;
}

static enum pace_class
class_of(const struct checklist *x, const struct candidate *c)
{
	if (c->again > 0)
		return PACE_URGENT;
	if (x->phase == PHASE_OPENING)
		return PACE_OPENING;
	return x->phase == PHASE_ROUNDS ? PACE_ROUND : PACE_CHECK;
}

static void
send_candidate(struct checklist *x, struct candidate *c, uint64_t now_us)
{
	uint8_t tid[STUN_TID_LEN];

	send_check(x, &c->r.addr, ttl_of(x, c), false, &c->flight, now_us, tid);
	c->error = PORT_E_NONE; /* until the port says so again */
	c->due_us = now_us + c->interval_us;
	if (c->again > 0)
		c->again--;
	if (x->phase == PHASE_OPENING) {
		c->due_us = now_us + CHECKLIST_OPENING_US;
	} else if (x->phase == PHASE_ROUNDS) {
		c->round++;
		c->due_us = now_us + x->round_us;
	} else {
		c->interval_us =
		    sooner(c->interval_us * 2, CHECKLIST_RTO_MAX_US);
		if (x->phase == PHASE_SETTLED && c->again == 0)
			c->due_us = NEVER;
	}
}

static void
offer_turn(struct turn *best, const struct turn *t)
{
	if (t->at_us < best->at_us)
		*best = *t;
}

struct turn
outgoing_next(struct checklist *x)
{
	struct turn best = {.at_us = NEVER, .who = TURN_NONE}, t;
	uint64_t urgent = pace_at(&x->pace, PACE_URGENT), at;

	if (x->nominee != -1 && !x->nominee_answered) {
		t.who = TURN_NOMINEE;
		t.at_us =
		    x->nominee_due_us > urgent ? x->nominee_due_us : urgent;
		offer_turn(&best, &t);
	}
	if (x->consent.active) {
		t.who = TURN_CONSENT;
		at = consent_next(&x->consent, &t.action);
		t.at_us = at > urgent ? at : urgent;
		offer_turn(&best, &t);
	}
	for (size_t i = 0; i < x->candidates.n; i++) {
		t.who = TURN_CANDIDATE;
		t.c = &x->candidates.list[i];
		if (t.c->due_us == NEVER)
			continue;
		at = pace_at(&x->pace, class_of(x, t.c));
		t.at_us = t.c->due_us > at ? t.c->due_us : at;
		/* At the same time, the one with the higher priority. */
		if (t.at_us == best.at_us && best.who == TURN_CANDIDATE &&
		    t.c->r.priority > best.c->r.priority)
			best = t;
		offer_turn(&best, &t);
	}
	return best;
}

static void
send_nominee(struct checklist *x, uint64_t now_us)
{
	struct candidate *c = &x->candidates.list[x->nominee];
	uint8_t tid[STUN_TID_LEN];

	send_check(x, &c->r.addr, 0, true, &c->flight, now_us, tid);
	x->nominee_due_us = now_us + x->nominee_interval_us;
	x->nominee_interval_us =
	    sooner(x->nominee_interval_us * 2, CHECKLIST_RTO_MAX_US);
}

void
outgoing_take(struct checklist *x, const struct turn *t, uint64_t now_us)
{
	uint8_t tid[STUN_TID_LEN];

	if (t->who == TURN_NOMINEE) {
		send_nominee(x, now_us);
	} else if (t->who == TURN_CANDIDATE) {
		send_candidate(x, t->c, now_us);
	} else if (t->action == CONSENT_LOST) {
		search_lose(x, "no-answer", now_us);
	} else {
		send_check(x, &x->consent.remote,
		    t->action == CONSENT_OPEN ? low_ttl(x, &x->consent.remote)
					      : 0,
		    x->controlling, NULL, now_us, tid);
		consent_sent(&x->consent, t->action, tid, now_us);
	}
}

/* SPDX-License-Identifier: ISC */
/* One peer's path: RFC 8445 with one base a side and roles that follow from
 * the keys, preceded by low TTL and a barrier (DESIGN.md). */
#include "checklist.h"

#include <errno.h>
#include <string.h>

#include "outgoing.h"
#include "search.h"

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void
checklist_init(struct checklist *x, bool again, uint64_t tie_breaker)
{
	memset(x, 0, sizeof(*x));
	x->again = again;
	x->tie_breaker = tie_breaker;
	x->nominee = -1;
	x->phase_end_us = NEVER;
	x->retry_us = NEVER;
	x->wait_us = CHECKLIST_WAIT_US;
}

void
checklist_init_relayed(struct checklist *x, bool again, uint64_t tie_breaker)
{
	checklist_init(x, again, tie_breaker);
	x->relayed = true;
	x->consent.kind = CONSENT_RELAYED;
}

uint64_t
checklist_step(struct checklist *x, uint64_t now_us)
{
	struct turn t;
	uint64_t next;

	search_step(x, now_us);
	nomination_step(x, now_us);
	t = outgoing_next(x);
	if (t.at_us <= now_us) {
		outgoing_take(x, &t, now_us);
		t = outgoing_next(x);
	}
	next = sooner(t.at_us, sooner(search_end(x), x->retry_us));
	next = sooner(next, nomination_next(x, now_us));
	if (x->phase == PHASE_FULL && search_send_error(x) != NULL)
		next = sooner(next, x->phase_us + CHECKLIST_ERROR_US);
	return next > now_us ? next : now_us + 1000;
}

int
checklist_remote(
    struct checklist *x, uint32_t generation, const struct remote *r)
{
	struct offer *o = &x->offer;

	if (!o->open || o->generation != generation) {
		memset(o, 0, sizeof(*o));
		o->open = true;
		o->generation = generation;
	}
	o->seen++;
	if (r->type == CANDIDATE_NONE)
		return 0;
	if (!addr_is_sendable(&r->addr))
		return -EINVAL;
	if (o->n == CANDIDATE_REMOTES)
		return -ENOSPC;
	o->remote[o->n++] = *r;
	return 0;
}

/* The candidates of this generation become the peer's. */
static int
take_offer(struct checklist *x, const struct introduction *i)
{
	struct offer *o = &x->offer;
	bool match = o->open && o->generation == i->generation
			 ? o->seen == i->count
			 : i->count == 0;

	if (match) {
		x->n_remotes = i->count == 0 ? 0 : o->n;
		memcpy(x->remotes, o->remote, sizeof(x->remotes));
	}
	memset(o, 0, sizeof(*o));
	return match ? 0 : -EBADMSG;
}

/* As if nothing had been tried before. */
static void
afresh(struct checklist *x)
{
	x->gone = false;
	x->lost = false;
	x->wait_us = CHECKLIST_WAIT_US;
	x->sweep = false;
}

int
checklist_introduce(
    struct checklist *x, const struct introduction *i, uint64_t now_us)
{
	if (!x->relayed && take_offer(x, i) != 0)
		return -EBADMSG;
	if (!x->introduced)
		pace_init(&x->pace, now_us);
	afresh(x);
	x->introduced = true;
	x->generation = i->generation;
	x->controlling = i->controlling;
	x->consent.controlling = i->controlling;
	x->credentials = i->credentials;
	if (x->relayed) {
		if (x->n_remotes > 0 && !x->asleep)
			search_start(x, PHASE_FULL, now_us, CHECKLIST_FULL_US);
		return 0;
	}
	search_start(x, PHASE_OPENING, now_us, CHECKLIST_NO_GO_US);
	if (x->candidates.n == 0)
		search_fail(x, "no-candidates", now_us);
	return 0;
}

int
checklist_go(struct checklist *x, uint32_t generation, uint64_t age_ms,
    uint64_t skew_ms, uint64_t now_us)
{
	uint64_t lasts_us = CHECKLIST_ROUNDS_US;

	if (!x->introduced || generation != x->generation)
		return -ENOENT;
	if (skew_ms > CHECKLIST_ROUNDS_MAX_US / 2000)
		skew_ms = CHECKLIST_ROUNDS_MAX_US / 2000;
	if (age_ms > CHECKLIST_ROUNDS_MAX_US / 1000)
		age_ms = CHECKLIST_ROUNDS_MAX_US / 1000;
	if (2 * skew_ms * 1000 > lasts_us)
		lasts_us = 2 * skew_ms * 1000;
	lasts_us = lasts_us > age_ms * 1000 + CHECKLIST_ROUNDS_MIN_US
		       ? lasts_us - age_ms * 1000
		       : CHECKLIST_ROUNDS_MIN_US;
	afresh(x);
	if (x->phase == PHASE_FULL) /* late: the peer begins only now */
		x->phase_end_us = now_us + CHECKLIST_FULL_US;
	else if (x->phase == PHASE_IDLE || x->phase == PHASE_SETTLED)
		search_start(x, PHASE_OPENING, now_us, CHECKLIST_NO_GO_US);
	if (x->phase == PHASE_OPENING && x->candidates.n > 0)
		search_rounds(x, lasts_us, now_us);
	x->went = true;
	return 0;
}

void
checklist_gone(struct checklist *x, uint64_t now_us)
{
	x->gone = true;
	if (x->consent.active)
		return;
	if (x->state != PATH_FAILED)
		search_fail(x, "gone", now_us);
	x->retry_us = NEVER;
}

/* In mid-search only as long as nothing goes out at full TTL: a peer that names
 * one after the other is not followed. */
void
checklist_elsewhere(
    struct checklist *x, const struct addr *addr, uint64_t now_us)
{
	if (!addr_is_sendable(addr) || addr_equal(&x->elsewhere.addr, addr))
		return;
	x->elsewhere = (struct remote){.type = CANDIDATE_SRFLX,
	    .addr = *addr,
	    .priority = CANDIDATE_PRIORITY_SRFLX};
	if (x->phase == PHASE_OPENING)
		candidates_add(&x->candidates, &x->elsewhere, now_us);
}

void
checklist_try(struct checklist *x, uint64_t now_us)
{
	if (!x->introduced || x->gone || x->consent.active || x->n_remotes == 0)
		return;
	if (x->phase == PHASE_IDLE)
		search_start(x, PHASE_OPENING, now_us, CHECKLIST_MEET_US);
	if (x->phase == PHASE_OPENING)
		x->met = x->went = true;
}

uint64_t
checklist_opened_at(const struct checklist *x)
{
	if (x->phase == PHASE_OPENING)
		return x->phase_us + CHECKLIST_OPENED_US;
	return x->phase == PHASE_ROUNDS ? x->phase_us : NEVER;
}

bool
checklist_settled(const struct checklist *x, uint64_t now_us)
{
	if (x->state == PATH_DIRECT)
		return consent_settled(&x->consent, now_us);
	return x->state == PATH_FAILED;
}

const char *
checklist_missing(const struct checklist *x)
{
	if (!x->introduced)
		return "no introduction: it isn't there, or doesn't want us";
	if (x->relayed && x->n_remotes == 0)
		return "no relay is bound";
	if (x->relayed)
		return "no answer through the relay";
	if (x->candidates.n == 0)
		return "it has no candidates";
	if (x->phase == PHASE_OPENING && !x->went)
		return "no go from the rendezvous server";
	if (x->first_us == 0)
		return x->went ? "no answer to checks"
			       : "no go, and no answer to checks";
	return "it answers, but its own checks don't come through";
}

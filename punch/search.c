/* SPDX-License-Identifier: ISC */
/* A check list's search for a path: its phases, the choice of the path, and what is
 * reported of them (RFC 8445 section 6.1.2 and 8). */
#include "search.h"

#include <string.h>

#include "port.h"

bool
search_checking(const struct checklist *x)
{
	return x->phase == PHASE_OPENING || x->phase == PHASE_ROUNDS ||
	       x->phase == PHASE_FULL;
}

/* Reports */

static void
report(struct checklist *x, enum path_state state, const char *reason)
{
	struct output *o = outputs_add(&x->out);

	if (o == NULL)
		return;
	o->is_report = true;
	o->report.state = state;
	o->report.reason = reason;
	if (state == PATH_DIRECT || state == PATH_LOST)
		o->report.endpoint = x->path.addr;
}

static void
report_direct(struct checklist *x, const struct candidate *c)
{
	struct output *o = outputs_add(&x->out);

	if (o == NULL)
		return;
	o->is_report = true;
	o->report.state = PATH_DIRECT;
	o->report.endpoint = c->r.addr;
	o->report.rtt_us = c->rtt_us;
	o->report.local = c->local;
	o->report.method = c->r.type;
}

/* Phases */

void
search_enter(struct checklist *x, enum checklist_phase phase, uint64_t now_us,
    uint64_t lasts_us)
{
	x->phase = phase;
	x->phase_us = now_us;
	x->phase_end_us = lasts_us == NEVER ? NEVER : now_us + lasts_us;
	for (size_t i = 0; i < x->candidates.n; i++) {
		struct candidate *c = &x->candidates.list[i];

		c->round = 0;
		c->interval_us = CHECKLIST_RTO_US;
		c->due_us =
		    phase == PHASE_SETTLED || phase == PHASE_IDLE || c->answered
			? NEVER
			: now_us;
	}
}

/* A fresh list out of the peer's candidates and the path that we have. */
void
search_start(struct checklist *x, enum checklist_phase phase, uint64_t now_us,
    uint64_t lasts_us)
{
	candidates_clear(&x->candidates);
	for (size_t i = 0; i < x->n_remotes; i++)
		candidates_add(&x->candidates, &x->remotes[i], now_us);
	if (x->elsewhere.addr.family != ADDR_NONE && x->n_remotes > 0)
		candidates_add(&x->candidates, &x->elsewhere, now_us);
	if (x->path.addr.family != ADDR_NONE)
		candidates_add(&x->candidates, &x->path, now_us);
	x->nominee = -1;
	x->first_us = 0;
	x->retry_us = NEVER;
	x->went = x->met = false;
	search_enter(x, phase, now_us, lasts_us);
	if (x->consent.active || x->state == PATH_CHECKING)
		return;
	x->state = PATH_CHECKING;
	report(x, PATH_CHECKING, NULL);
}

void
search_rounds(struct checklist *x, uint64_t lasts_us, uint64_t now_us)
{
	x->round_us = lasts_us / 3 + 1;
	if (x->round_us > CHECKLIST_OPENING_US)
		x->round_us = CHECKLIST_OPENING_US;
	search_enter(x, PHASE_ROUNDS, now_us, lasts_us);
}

/* How long to leave a peer alone that has failed. A path that was lost and
 * doesn't come back at once needs the silence, each time: a try in between would
 * only keep a clash alive. With a relay one side leads, and the other follows its
 * TRY: else they would break each other's long silence. */
static uint64_t
patience(struct checklist *x)
{
	bool soon = x->spare && !x->lost;
	uint64_t us = x->wait_us;

	if (x->relayed)
		return CHECKLIST_RELAY_WAIT_US;
	if (soon && us < CHECKLIST_WAIT_MAX_US) {
		x->wait_us = us * 2 < CHECKLIST_WAIT_MAX_US
				 ? us * 2
				 : CHECKLIST_WAIT_MAX_US;
		return us;
	}
	if (x->spare && !x->controlling)
		return CHECKLIST_SWEEP_US;
	us = soon ? CHECKLIST_WAIT_MAX_US : CHECKLIST_SILENCE_US;
	if (x->sweep)
		us = CHECKLIST_SWEEP_US;
	x->sweep = !x->sweep;
	return us;
}

/* While a path still stands, a failed search for a better one says nothing. */
void
search_fail(struct checklist *x, const char *reason, uint64_t now_us)
{
	x->nominee = -1;
	if (x->consent.active) {
		search_enter(x, PHASE_SETTLED, now_us, NEVER);
		return;
	}
	search_enter(x, PHASE_IDLE, now_us, NEVER);
	memset(&x->path, 0, sizeof(x->path));
	x->retry_us = NEVER;
	if (x->again && !x->gone && x->n_remotes > 0)
		x->retry_us = now_us + patience(x);
	x->state = PATH_FAILED;
	report(x, PATH_FAILED, reason);
}

void
search_lose(struct checklist *x, const char *reason, uint64_t now_us)
{
	x->consent.active = false;
	x->lost = true;
	x->state = PATH_LOST;
	report(x, PATH_LOST, reason);
	if (x->relayed && x->n_remotes == 0) {
		search_fail(x, "no-relay", now_us);
	} else if (x->gone && !x->relayed) {
		search_fail(x, "gone", now_us);
	} else if (search_checking(x)) {
		x->state = PATH_CHECKING;
		report(x, PATH_CHECKING, NULL);
	} else if (x->relayed) {
		search_start(x, PHASE_FULL, now_us, CHECKLIST_FULL_US);
	} else {
		search_start(x, PHASE_OPENING, now_us, CHECKLIST_REOPEN_US);
	}
}

/* When no candidate can even be sent to, that is the reason. */
const char *
search_send_error(const struct checklist *x)
{
	bool denied = false;

	for (size_t i = 0; i < x->candidates.n; i++) {
		if (x->candidates.list[i].error == PORT_E_NONE)
			return NULL;
		if (x->candidates.list[i].error == PORT_E_DENIED)
			denied = true;
	}
	if (x->candidates.n == 0)
		return NULL;
	return port_error_name(denied ? PORT_E_DENIED : PORT_E_UNREACHABLE);
}

uint64_t
search_end(const struct checklist *x)
{
	uint64_t at = x->phase_end_us, sooner = NEVER;

	if (x->phase == PHASE_OPENING && x->met)
		sooner = x->phase_us + CHECKLIST_OPENED_US;
	else if (x->phase == PHASE_FULL && x->spare)
		sooner = x->phase_us + CHECKLIST_SHORT_US;
	return sooner < at ? sooner : at;
}

static void
retry(struct checklist *x, uint64_t now_us)
{
	if (x->relayed)
		search_start(x, PHASE_FULL, now_us, CHECKLIST_FULL_US);
	else
		search_start(x, PHASE_OPENING, now_us,
		    x->spare ? CHECKLIST_MEET_US : CHECKLIST_NO_GO_US);
}

void
search_step(struct checklist *x, uint64_t now_us)
{
	const char *error;

	if (x->retry_us <= now_us)
		retry(x, now_us);
	if (x->phase == PHASE_FULL &&
	    now_us >= x->phase_us + CHECKLIST_ERROR_US &&
	    (error = search_send_error(x)) != NULL)
		search_fail(x, error, now_us);
	if (now_us < search_end(x))
		return;
	if (x->phase == PHASE_OPENING)
		search_rounds(x, CHECKLIST_ROUNDS_US, now_us);
	else if (x->phase == PHASE_ROUNDS)
		search_enter(x, PHASE_FULL, now_us, CHECKLIST_FULL_US);
	else if (x->phase == PHASE_FULL)
		search_fail(x, "no-answer", now_us);
}

/* Nomination (RFC 8445 section 8.1.1), by the controlling side. */

bool
search_is_path(const struct checklist *x, const struct candidate *c)
{
	return x->consent.active && addr_equal(&c->r.addr, &x->consent.remote);
}

void
search_choose(struct checklist *x, const struct candidate *c, uint64_t now_us)
{
	/* Both sides have proven it: there is nothing left to be checked. */
	bool same =
	    search_is_path(x, c) && addr_equal_ip(&c->local, &x->path_local);

	x->path = c->r;
	x->path_local = c->local;
	x->nominee = -1;
	x->lost = false;
	x->wait_us = CHECKLIST_WAIT_US;
	x->sweep = false;
	search_enter(x, PHASE_SETTLED, now_us, NEVER);
	if (same) {
		x->consent.good_us = now_us;
		return;
	}
	consent_start(
	    &x->consent, x->controlling, &c->r.addr, c->rtt_us, now_us);
	x->state = PATH_DIRECT;
	report_direct(x, c);
}

/* Of those that have answered: the path that works already (but there are
 * better relays and worse ones), else the best; NULL as long as a better one
 * has its chance. */
static struct candidate *
favourite(struct checklist *x, uint64_t now_us)
{
	struct candidate *best, *path;

	best = candidates_best(&x->candidates, NULL);
	if (best == NULL)
		return NULL;
	path = x->consent.active && !x->relayed
		   ? candidates_find(&x->candidates, &x->consent.remote)
		   : NULL;
	if (path != NULL && path->answered)
		return path;
	if ((path != NULL ||
		candidates_better_possible(&x->candidates, best)) &&
	    now_us < x->first_us + CHECKLIST_GRACE_US)
		return NULL;
	return best;
}

void
search_nominate(struct checklist *x, struct candidate *c, uint64_t now_us)
{
	x->nominee = (int)(c - x->candidates.list);
	x->nominee_answered = false;
	x->nominee_us = now_us;
	x->nominee_due_us = now_us;
	x->nominee_interval_us = CHECKLIST_RTO_US;
}

void
nomination_step(struct checklist *x, uint64_t now_us)
{
	struct candidate *c;

	if (!x->controlling || !search_checking(x))
		return;
	if (x->nominee == -1) {
		c = favourite(x, now_us);
	} else {
		if (now_us < x->nominee_us + CHECKLIST_NOMINATE_US)
			return;
		c = candidates_best(
		    &x->candidates, &x->candidates.list[x->nominee]);
	}
	if (c != NULL)
		search_nominate(x, c, now_us);
}

/* When nominate_step has to look again, without an event. */
uint64_t
nomination_next(const struct checklist *x, uint64_t now_us)
{
	uint64_t at = NEVER;

	if (!x->controlling || !search_checking(x))
		return NEVER;
	if (x->nominee != -1)
		at = x->nominee_us + CHECKLIST_NOMINATE_US;
	else if (x->first_us != 0)
		at = x->first_us + CHECKLIST_GRACE_US;
	return at > now_us ? at : NEVER;
}

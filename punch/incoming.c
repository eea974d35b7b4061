/* SPDX-License-Identifier: ISC */
/* What comes in from the peer: checks, which are answered, trigger ours and
 * reveal peer-reflexive candidates (RFC 8445 section 7.3), and answers to our
 * checks (section 7.2.5). */
#include <errno.h>

#include "port.h"
#include "search.h"

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
answer(struct checklist *x, const struct stun_msg *m, const struct addr *from,
    const struct addr *local, uint64_t now_us)
{
	struct output *o;
	int len;

	if (pace_at(&x->pace, PACE_ANSWER) > now_us)
		return; /* the peer asks again */
	o = outputs_add(&x->out);
	if (o == NULL)
		return;
	o->remote = *from;
	o->local = *local;
	len = check_response(
	    &x->credentials, from, m->tid, o->data, sizeof(o->data));
	o->len = len > 0 ? (size_t)len : 0;
	pace_spend(&x->pace, now_us);
}

/* A triggered check (RFC 8445 section 7.3.1.4): at once, at full TTL, since
 * what the peer sent came through. */
static void
trigger(struct candidate *c, uint64_t now_us)
{
	c->again = 4;
	c->due_us = now_us;
	c->interval_us = CHECKLIST_RTO_US;
}

/* The peer, which controls, wants this one. */
static void
nominated(struct checklist *x, struct candidate *c, uint64_t now_us)
{
	for (size_t i = 0; i < x->candidates.n; i++)
		x->candidates.list[i].nominated = false;
	c->nominated = true;
	/* A settled path is left only for one that answers now. */
	if (x->phase == PHASE_SETTLED && !search_is_path(x, c))
		c->answered = false;
	if (c->answered)
		search_choose(x, c, now_us);
}

static void
heard(struct checklist *x, struct candidate *c, const struct check *check,
    uint64_t now_us)
{
	bool nominee = x->nominee != -1 && c == &x->candidates.list[x->nominee];

	c->heard = true;
	c->error = PORT_E_NONE;
	if (!x->controlling && check->nominate)
		nominated(x, c, now_us);
	else if (x->controlling && nominee && x->nominee_answered)
		search_choose(x, c, now_us);
	/* The peer has moved, and the path that we have is in doubt. */
	if (x->controlling && x->phase == PHASE_SETTLED &&
	    !search_is_path(x, c) && consent_doubtful(&x->consent, now_us))
		c->answered = false;
	if (!c->answered)
		trigger(c, now_us);
}

/* Who sent it. Through a relay that is one of ours, or nobody; else it may be a
 * peer-reflexive candidate. */
static struct candidate *
sender(struct checklist *x, const struct addr *from, uint32_t priority,
    uint64_t now_us)
{
	struct candidate *c = candidates_find(&x->candidates, from);

	if (c != NULL)
		return c;
	if (x->relayed)
		for (size_t i = 0; i < x->n_remotes; i++)
			if (addr_equal(&x->remotes[i].addr, from))
				return candidates_add(
				    &x->candidates, &x->remotes[i], now_us);
	return x->relayed
		   ? NULL
		   : candidates_reflexive(&x->candidates, from, priority,
			 x->nominee == -1 ? NULL
					  : &x->candidates.list[x->nominee],
			 now_us);
}

/* The peer checks a better relay than the one that we use. */
static bool
better(const struct checklist *x, const struct addr *from)
{
	if (!x->relayed || !x->controlling || x->phase != PHASE_SETTLED)
		return false;
	for (size_t i = 0; i < x->n_remotes; i++)
		if (addr_equal(&x->remotes[i].addr, from))
			return x->remotes[i].priority > x->path.priority;
	return false;
}

static int
receive_request(struct checklist *x, const struct stun_msg *m,
    const struct addr *from, const struct addr *local, uint64_t now_us)
{
	struct candidate *c;
	struct check check;
	int rc = check_read_request(&x->credentials, m, &check);

	if (rc != 0)
		return rc;
	/* Ours, come back: a peer may name our credentials as its own, and our
	 * addresses as candidates. The roles follow from the keys. */
	if (check.controlling == x->controlling)
		return -EACCES;
	if (x->relayed && !checklist_bound(x, from))
		return -ENOENT;
	if (!addr_is_sendable(from) ||
	    (x->gone && !x->consent.active && !x->relayed))
		return 0;
	x->hinted |= check.hint;
	x->content = (check.hint & CHECK_HINT_NEED) == 0;
	x->only = (check.hint & CHECK_HINT_ONLY) != 0;
	x->seen = check.mapped;
	if ((check.hint & CHECK_HINT_NEED) != 0)
		checklist_wake(x, now_us);
	/* Receipt proves that the peer's hole is open: try again now. */
	if ((x->phase == PHASE_IDLE && !x->asleep) || better(x, from))
		search_start(x, PHASE_FULL, now_us, CHECKLIST_FULL_US);
	answer(x, m, from, local, now_us);
	if (x->asleep)
		return 0;
	if (x->consent.active && addr_equal(from, &x->consent.remote))
		consent_heard(&x->consent, now_us);
	c = sender(x, from, check.priority, now_us);
	if (c != NULL)
		heard(x, c, &check, now_us);
	return 0;
}

static void
answered(struct checklist *x, struct candidate *c,
    const struct flight_slot *sent, uint64_t now_us)
{
	bool nominee = x->nominee != -1 && c == &x->candidates.list[x->nominee];

	c->answered = true;
	c->error = PORT_E_NONE;
	c->again = 0;
	c->due_us = NEVER;
	c->rtt_us = (uint32_t)sooner(now_us - sent->at_us, UINT32_MAX);
	if (x->first_us == 0)
		x->first_us = now_us;
	if (!x->controlling && c->nominated)
		search_choose(x, c, now_us);
	else if (nominee && sent->nominate)
		x->nominee_answered = true;
	if (nominee && x->nominee_answered && c->heard)
		search_choose(x, c, now_us);
	/* After a move that its own checks have shown (see heard). */
	if (x->controlling && x->phase == PHASE_SETTLED &&
	    !search_is_path(x, c) && c->heard &&
	    consent_doubtful(&x->consent, now_us)) {
		search_enter(x, PHASE_FULL, now_us, CHECKLIST_FULL_US);
		search_nominate(x, c, now_us);
	}
}

/* Only from where the check went to (RFC 8445 section 7.2.5.2.1). */
static int
receive_response(struct checklist *x, const struct stun_msg *m,
    const struct addr *from, const struct addr *local, uint64_t now_us)
{
	struct candidate *c = candidates_find(&x->candidates, from);
	bool path = x->consent.active && addr_equal(from, &x->consent.remote) &&
		    flight_has(&x->consent.flight, m->tid);
	struct flight_slot sent;
	struct addr seen;
	int rc;

	if (!path && (c == NULL || !flight_has(&c->flight, m->tid)))
		return -ENOENT;
	rc = check_read_response(&x->credentials, m, &seen);
	if (rc != 0)
		return rc;
	if (path)
		consent_answered(&x->consent, m->tid, now_us);
	else if (flight_take(&c->flight, m->tid, &sent)) {
		c->local = *local;
		answered(x, c, &sent, now_us);
	}
	return 0;
}

int
checklist_receive(struct checklist *x, const struct stun_msg *m,
    const struct addr *from, const struct addr *local, uint64_t now_us)
{
	if (!x->introduced)
		return -ENOENT;
	if (m->class == STUN_REQUEST)
		return receive_request(x, m, from, local, now_us);
	if (m->class == STUN_SUCCESS)
		return receive_response(x, m, from, local, now_us);
	return -EBADMSG;
}

void
checklist_port_error(
    struct checklist *x, const struct addr *remote, int error, uint64_t now_us)
{
	struct candidate *c = candidates_find(&x->candidates, remote);

	if (c == NULL || c->answered)
		return;
	c->error = (uint8_t)error;
	/* It may be cured later; until then, no storm of errors. */
	if (c->due_us < now_us + CHECKLIST_RTO_MAX_US)
		c->due_us = now_us + CHECKLIST_RTO_MAX_US;
}

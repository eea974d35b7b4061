/* SPDX-License-Identifier: ISC */
/* Two check lists, one path: what is said of a peer. */
#include "choice.h"

#include <string.h>

void
choice_init(struct choice *c, bool relay_only)
{
	memset(c, 0, sizeof(*c));
	c->relay_only = relay_only;
	c->direct.state = PATH_WAITING;
	c->relay.state = PATH_WAITING;
	c->said.state = PATH_WAITING;
}

static bool
active(const struct report *r)
{
	return r->state == PATH_DIRECT;
}

static bool
trying(const struct report *r)
{
	return r->state == PATH_CHECKING || r->state == PATH_LOST;
}

/* What holds now. */
static struct report
merged(const struct choice *c)
{
	const struct report gone = {.state = PATH_FAILED, .reason = "gone"};
	struct report r = c->relay;

	if (active(&c->direct))
		return c->direct;
	if (active(&c->relay)) {
		r.state = PATH_RELAYED;
		r.method = CANDIDATE_RELAY;
		r.reason = c->why == NULL ? "checking" : c->why;
		if (c->peer_only)
			r.reason = "peer-relay-only";
		if (c->relay_only)
			r.reason = "relay-only";
		return r;
	}
	if (c->gone)
		return gone;
	if (c->relay_only) {
		/* one try after the other says nothing new */
		if (c->said.state == PATH_FAILED && r.state != PATH_FAILED)
			return c->said;
		if (r.state == PATH_WAITING && c->introduced)
			r.state = PATH_CHECKING;
		r.method = CANDIDATE_RELAY;
		return r;
	}
	r = c->direct;
	/* Not failed as long as a relay may do. Once it was said, what is tried
	 * again and again there is no news. */
	if (r.state == PATH_FAILED && (c->expected || trying(&c->relay)) &&
	    c->said.state != PATH_FAILED)
		r = (struct report){.state = PATH_CHECKING};
	return r;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
news(const struct report *said, const struct report *r)
{
	return said->state != r->state || !same_text(said->reason, r->reason) ||
	       !addr_equal(&said->endpoint, &r->endpoint) ||
	       !addr_equal(&said->local, &r->local);
}

static bool
stands(enum path_state state)
{
	return state == PATH_DIRECT || state == PATH_RELAYED;
}

static void
say(struct choice *c, const struct report *r, struct report *out, size_t *n)
{
	out[(*n)++] = *r;
	c->said = *r;
}

/* event is what a list has just reported. */
static size_t
decide(struct choice *c, const struct report *event, bool from_direct,
    struct report out[CHOICE_MAX])
{
	struct report now = merged(c);
	size_t n = 0;

	if (stands(c->said.state) && !stands(now.state)) {
		struct report lost = {.state = PATH_LOST,
		    .endpoint = c->said.endpoint,
		    .reason = event->reason};

		say(c, &lost, out, &n);
		now = merged(c);
	}
	if (now.state == PATH_WAITING || now.state == PATH_LOST)
		return n;
	/* A path that is chosen anew is told anew. */
	if (news(&c->said, &now) ||
	    (active(event) && from_direct == (now.state == PATH_DIRECT)))
		say(c, &now, out, &n);
	return n;
}

size_t
choice_direct(
    struct choice *c, const struct report *r, struct report out[CHOICE_MAX])
{
	c->direct = *r;
	if (r->state == PATH_DIRECT)
		c->why = NULL;
	else if (r->state == PATH_LOST)
		c->why = "lost";
	else if (r->state == PATH_FAILED)
		c->why = r->reason;
	else if (c->why == NULL)
		c->why = "checking";
	return decide(c, r, true, out);
}

size_t
choice_relay(
    struct choice *c, const struct report *r, struct report out[CHOICE_MAX])
{
	c->relay = *r;
	return decide(c, r, false, out);
}

size_t
choice_expect(struct choice *c, bool expected, struct report out[CHOICE_MAX])
{
	const struct report none = {.state = PATH_WAITING};

	if (c->expected == expected)
		return 0;
	c->expected = expected;
	return decide(c, &none, true, out);
}

void
choice_asleep(struct choice *c)
{
	memset(&c->relay, 0, sizeof(c->relay));
	c->relay.state = PATH_WAITING;
}

size_t
choice_anew(struct choice *c, struct report out[CHOICE_MAX])
{
	const struct report none = {.state = PATH_WAITING};

	c->introduced = true;
	c->gone = false;
	if (c->why != NULL)
		c->why = "checking";
	/* else the direct list begins, and reports it */
	return c->relay_only ? decide(c, &none, false, out) : 0;
}

size_t
choice_waiting(
    struct choice *c, const char *reason, struct report out[CHOICE_MAX])
{
	const struct report r = {.state = PATH_WAITING, .reason = reason};
	size_t n = 0;

	if (c->said.state == PATH_WAITING && news(&c->said, &r))
		say(c, &r, out, &n);
	return n;
}

void
choice_gone(struct choice *c)
{
	c->gone = true;
}

size_t
choice_peer_only(struct choice *c, bool only, struct report out[CHOICE_MAX])
{
	const struct report none = {.state = PATH_WAITING};

	if (c->peer_only == only)
		return 0;
	c->peer_only = only;
	return decide(c, &none, false, out);
}

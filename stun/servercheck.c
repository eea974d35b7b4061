/* SPDX-License-Identifier: ISC */
/* What one address of a STUN server can do (RFC 8489, RFC 5780). */
#include "servercheck.h"

#include <stdio.h>
#include <string.h>

static const struct {
	unsigned int fault;
	const char *name;
} faults[] = {
    {SERVERCHECK_NO_XOR, "no-xor"},
    {SERVERCHECK_WRONG_SOURCE, "wrong-source"},
    {SERVERCHECK_WRONG_ORIGIN, "wrong-origin"},
    {SERVERCHECK_SAME_IP, "same-ip"},
    {SERVERCHECK_SAME_PORT, "same-port"},
    {SERVERCHECK_BAD_OTHER, "bad-other"},
    {SERVERCHECK_OTHER_SILENT, "other-silent"},
    {SERVERCHECK_BAD_PORT, "change-port"},
    {SERVERCHECK_BAD_IP, "change-ip"},
    {SERVERCHECK_NO_420, "no-420"},
    {SERVERCHECK_NO_LIST, "no-list"},
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

void
servercheck_init(struct servercheck *c, const struct addr *server)
{
	*c = (struct servercheck){.server = *server};
}

/* Is there an address to change to? */
static bool
has_other(const struct servercheck *c)
{
	return c->other.family != ADDR_NONE &&
	       (c->faults & (SERVERCHECK_SAME_IP | SERVERCHECK_SAME_PORT |
				SERVERCHECK_BAD_OTHER)) == 0;
}

/* The place that an answer has to come from (RFC 5780 section 7.2). */
static struct addr
place(const struct servercheck *c, bool ip, bool port)
{
	struct addr a = ip ? c->other : c->server;

	a.port = port ? c->other.port : c->server.port;
	return a;
}

static bool
changes_ip(enum servercheck_step step)
{
	return step == SERVERCHECK_ASK_IP || step == SERVERCHECK_ASK_BOTH ||
	       step == SERVERCHECK_CHANGE_IP || step == SERVERCHECK_CHANGE_BOTH;
}

static bool
changes_port(enum servercheck_step step)
{
	return step == SERVERCHECK_ASK_PORT || step == SERVERCHECK_ASK_BOTH ||
	       step == SERVERCHECK_CHANGE_PORT ||
	       step == SERVERCHECK_CHANGE_BOTH;
}

/* ---- questions */

bool
servercheck_next(const struct servercheck *c, struct servercheck_ask *out)
{
	struct servercheck_ask ask = {.to = c->server, .q.filler = c->filler};

	switch (c->step) {
	case SERVERCHECK_STEPS:
		return false;
	case SERVERCHECK_ASK_PORT:
	case SERVERCHECK_ASK_IP:
	case SERVERCHECK_ASK_BOTH:
		ask.to = place(c, changes_ip(c->step), changes_port(c->step));
		break;
	case SERVERCHECK_CHANGE_PORT:
	case SERVERCHECK_CHANGE_IP:
	case SERVERCHECK_CHANGE_BOTH:
		ask.q.change_ip = changes_ip(c->step);
		ask.q.change_port = changes_port(c->step);
		break;
	case SERVERCHECK_SHORT:
	case SERVERCHECK_LONG:
		ask.second = true;
		ask.q.response_port = c->mapped.port;
		ask.q.response_port_long = c->step == SERVERCHECK_LONG;
		break;
	case SERVERCHECK_PADDED:
		ask.q.padding = SERVERCHECK_PADDING;
		break;
	case SERVERCHECK_STRANGE:
		ask.q.unknown = SERVERCHECK_UNKNOWN;
		break;
	default:
		break;
	}
	*out = ask;
	return true;
}

/* Without an answer to the first question there is nothing else to ask, and
 * without another address nothing to change to. */
static void
advance(struct servercheck *c)
{
	if (c->step == SERVERCHECK_PLAIN && c->mapped.family == ADDR_NONE)
		c->step = SERVERCHECK_STEPS;
	else
		c->step++;
	while (c->step >= SERVERCHECK_ASK_PORT &&
	       c->step <= SERVERCHECK_CHANGE_BOTH && !has_other(c))
		c->step++;
}

/* ---- answers */

static void
take_other(struct servercheck *c, const struct addr *other)
{
	c->other = *other;
	if (other->family == ADDR_NONE)
		return;
	if (!answer_other_is_askable(other, &c->server))
		c->faults |= SERVERCHECK_BAD_OTHER;
	if (addr_equal_ip(other, &c->server))
		c->faults |= SERVERCHECK_SAME_IP;
	if (other->port == c->server.port)
		c->faults |= SERVERCHECK_SAME_PORT;
}

static void
take_plain(struct servercheck *c, const struct answer *a)
{
	if (a == NULL)
		return;
	c->from = a->from;
	if (!addr_equal(&a->from, &c->server))
		c->faults |= SERVERCHECK_WRONG_SOURCE;
	if (a->error != 0)
		return;
	c->mapped = *answer_endpoint(a);
	if (a->mapped.family == ADDR_NONE)
		c->faults |= SERVERCHECK_NO_XOR;
	if (a->origin.family != ADDR_NONE && !addr_equal(&a->origin, &a->from))
		c->faults |= SERVERCHECK_WRONG_ORIGIN;
	take_other(c, &a->other);
}

static void
take_asked(struct servercheck *c, const struct answer *a)
{
	if (a == NULL || a->error != 0) {
		c->faults |= SERVERCHECK_OTHER_SILENT;
		return;
	}
	if (!addr_equal(answer_endpoint(a), &c->mapped))
		c->dependent = true;
	if (a->origin.family != ADDR_NONE && !addr_equal(&a->origin, &a->from))
		c->faults |= SERVERCHECK_WRONG_ORIGIN;
}

static void
take_changed(struct servercheck *c, const struct answer *a)
{
	struct addr right =
	    place(c, changes_ip(c->step), changes_port(c->step));

	if (a == NULL && c->dependent) {
		c->found[c->step] = SERVERCHECK_FILTERED;
		return;
	}
	if (a != NULL && a->error == 0 && addr_equal(&a->from, &right)) {
		c->found[c->step] = SERVERCHECK_YES;
		return;
	}
	/* both at once fail with each alone: that tells nothing new */
	if (c->step == SERVERCHECK_CHANGE_BOTH &&
	    (c->faults & (SERVERCHECK_BAD_PORT | SERVERCHECK_BAD_IP)) != 0)
		return;
	if (c->step != SERVERCHECK_CHANGE_IP)
		c->faults |= SERVERCHECK_BAD_PORT;
	if (c->step != SERVERCHECK_CHANGE_PORT)
		c->faults |= SERVERCHECK_BAD_IP;
}

static void
take_strange(struct servercheck *c, const struct answer *a)
{
	if (c->found[c->step] != SERVERCHECK_REFUSED)
		c->faults |= SERVERCHECK_NO_420;
	else if (!answer_refuses(a, SERVERCHECK_UNKNOWN))
		c->faults |= SERVERCHECK_NO_LIST;
}

static void
weigh(struct servercheck *c, const struct answer *a)
{
	uint8_t tid[STUN_TID_LEN] = {0}, request[QUESTION_MAX];
	struct servercheck_ask ask;
	int len = 0;
	unsigned int percent = 0;

	if (!servercheck_next(c, &ask))
		return;
	len = question_build(&ask.q, tid, request, sizeof(request));
	if (len > 0)
		percent = (unsigned int)(a->len * 100 / (size_t)len);
	if (percent > c->percent)
		c->percent = percent;
}

static enum servercheck_word
word_of(const struct answer *a)
{
	if (a == NULL)
		return SERVERCHECK_SILENT;
	if (a->error == 420)
		return SERVERCHECK_REFUSED;
	return a->error != 0 ? SERVERCHECK_OTHER_ERROR : SERVERCHECK_IGNORED;
}

void
servercheck_tell(struct servercheck *c, const struct answer *a, bool second)
{
	if (c->step == SERVERCHECK_STEPS)
		return;
	if (a != NULL)
		weigh(c, a);
	else if (c->step == SERVERCHECK_PLAIN && c->filler == 0) {
		c->filler = SERVERCHECK_FILLER;
		return;
	}
	c->found[c->step] = word_of(a);
	switch (c->step) {
	case SERVERCHECK_PLAIN:
		take_plain(c, a);
		break;
	case SERVERCHECK_ASK_PORT:
	case SERVERCHECK_ASK_IP:
	case SERVERCHECK_ASK_BOTH:
		take_asked(c, a);
		break;
	case SERVERCHECK_CHANGE_PORT:
	case SERVERCHECK_CHANGE_IP:
	case SERVERCHECK_CHANGE_BOTH:
		take_changed(c, a);
		break;
	case SERVERCHECK_SHORT:
	case SERVERCHECK_LONG:
		if (a != NULL && a->error == 0 && !second)
			c->found[c->step] = SERVERCHECK_YES;
		break;
	case SERVERCHECK_PADDED:
		if (a != NULL && a->error == 0 && a->padded)
			c->found[c->step] = SERVERCHECK_YES;
		break;
	case SERVERCHECK_STRANGE:
		take_strange(c, a);
		break;
	default:
		break;
	}
	advance(c);
}

/* ---- what was found */

enum servercheck_word
servercheck_5780(const struct servercheck *c)
{
	unsigned int wrong = SERVERCHECK_SAME_IP | SERVERCHECK_SAME_PORT |
			     SERVERCHECK_BAD_OTHER | SERVERCHECK_OTHER_SILENT |
			     SERVERCHECK_BAD_PORT | SERVERCHECK_BAD_IP;
	bool filtered = false;

	if (c->step == SERVERCHECK_PLAIN || c->mapped.family == ADDR_NONE)
		return SERVERCHECK_UNTRIED;
	if (c->other.family == ADDR_NONE || (c->faults & wrong) != 0)
		return SERVERCHECK_NO;
	for (int i = SERVERCHECK_CHANGE_PORT; i <= SERVERCHECK_CHANGE_BOTH;
	     i++) {
		if (c->found[i] == SERVERCHECK_UNTRIED)
			return SERVERCHECK_UNTRIED;
		filtered = filtered || c->found[i] == SERVERCHECK_FILTERED;
	}
	return filtered ? SERVERCHECK_FILTERED : SERVERCHECK_YES;
}

const char *
servercheck_response_port(const struct servercheck *c)
{
	bool s = c->found[SERVERCHECK_SHORT] == SERVERCHECK_YES;
	bool l = c->found[SERVERCHECK_LONG] == SERVERCHECK_YES;

	if (c->found[SERVERCHECK_LONG] == SERVERCHECK_UNTRIED)
		return NULL;
	return s && l ? "both" : s ? "2" : l ? "4" : "none";
}

static const char *
name(enum servercheck_word word)
{
	static const char *const names[] = {
	    [SERVERCHECK_UNTRIED] = NULL,
	    [SERVERCHECK_YES] = "yes",
	    [SERVERCHECK_NO] = "no",
	    [SERVERCHECK_REFUSED] = "420",
	    [SERVERCHECK_IGNORED] = "ignored",
	    [SERVERCHECK_SILENT] = "silent",
	    [SERVERCHECK_FILTERED] = "unknown",
	    [SERVERCHECK_OTHER_ERROR] = "error",
	};

	return names[word];
}

const char *
servercheck_padding(const struct servercheck *c)
{
	return name(c->found[SERVERCHECK_PADDED]);
}

const char *
servercheck_unknown(const struct servercheck *c)
{
	return name(c->found[SERVERCHECK_STRANGE]);
}

const char *
servercheck_reply(const struct servercheck *c)
{
	if (c->from.family == ADDR_NONE)
		return NULL;
	if (!addr_equal_ip(&c->from, &c->server))
		return "wrong-address";
	return c->from.port == c->server.port ? "right" : "wrong-port";
}

void
servercheck_faults(
    const struct servercheck *c, char out[SERVERCHECK_FAULTS_LEN])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < FAULTS; i++)
		if ((c->faults & faults[i].fault) != 0 &&
		    n < SERVERCHECK_FAULTS_LEN)
			n += (size_t)snprintf(out + n,
			    SERVERCHECK_FAULTS_LEN - n, "%s%s",
			    n > 0 ? "," : "", faults[i].name);
}

bool
servercheck_good(const struct servercheck *c)
{
	return c->step == SERVERCHECK_STEPS && c->faults == 0 &&
	       servercheck_5780(c) == SERVERCHECK_YES;
}

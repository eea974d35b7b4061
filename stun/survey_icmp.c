/* SPDX-License-Identifier: ISC */
/* Does a mapping outlive an ICMP error that comes in for it (RFC 4787 REQ-10)?
 * A port is looked at without a packet from it, which would make the mapping
 * anew: the helper asks for an answer to it (RESPONSE-PORT). */
#include "survey.h"

#include <string.h>

#define PORTS 3	 /* two are hit by an error; one is not: the control */
#define HOPS 8	 /* routers that are looked for */
#define TIMES 2	 /* each */
#define ERRORS 8 /* tries to get an error */
#define ROUNDS_MAX 14

#define TIME_EXCEEDED_4 (11 << 8) /* RFC 792: TTL exceeded in transit */
#define TIME_EXCEEDED_6 (3 << 8)  /* RFC 4443 */

static void look(struct survey *s);

static void
icmp_done(struct survey *s, const char *reason)
{
	struct survey_finding f = {.axis = "icmp", .reason = reason};
	int value = 0;

	for (unsigned n = 0; n < PORTS - 1; n++) {
		double chance = axes_silence(s->run_sent[n], s->rate);

		s->value[n] =
		    axes_heard(s->run_sent[n], s->run_heard[n], s->rate);
		if (s->value[n] == AXES_NO && chance > f.chance)
			f.chance = chance;
	}
	value = reason == NULL ? axes_agree(s->value, PORTS - 1, &f.runs) : 0;
	if (value == AXES_NO && s->exact[0] < 2) {
		value = 0;
		f.runs = 0;
		f.reason = "control";
	}
	if (value != 0)
		f.value = value == AXES_YES ? "kept" : "killed";
	else if (f.reason == NULL && survey_deaf(s, 0))
		f.reason = "control";
	else if (f.reason == NULL)
		f.reason = s->value[0] != 0 && s->value[1] != 0
			       ? "disagree"
			       : survey_why_open(s);
	survey_tell(s, &f);
	survey_next(s);
}

/* ---- 3. is the mapping still there? */

static void
look_over(struct survey *s)
{
	bool open = false;

	for (size_t n = 0; n < s->asked; n++) {
		struct survey_item *i = &s->item[n];
		bool in =
		    survey_heard(i, &s->place[0][0], s->probe[i->tag].index);

		if (i->tag == PORTS - 1) {
			survey_prove(s, i, 0, in);
			continue;
		}
		s->run_sent[i->tag] += i->outcome != ASKER_UNSENT;
		s->run_heard[i->tag] += in;
	}
	for (unsigned n = 0; n < PORTS - 1; n++)
		open = open || axes_heard(s->run_sent[n], s->run_heard[n],
				   s->rate) == AXES_OPEN;
	if (open && s->rounds < ROUNDS_MAX && !survey_late(s) &&
	    !survey_deaf(s, 0))
		look(s);
	else
		icmp_done(s, NULL);
}

static void
look(struct survey *s)
{
	unsigned times = s->rounds++ == 0 ? 1 : 3;

	for (; times > 0; times--)
		for (unsigned n = 0; n < PORTS; n++) {
			struct survey_item *i = NULL;

			if (n < PORTS - 1 &&
			    axes_heard(s->run_sent[n], s->run_heard[n],
				s->rate) != AXES_OPEN)
				continue;
			i = survey_ask(s, n, s->helper.index, &s->place[0][0]);
			if (i == NULL)
				continue;
			survey_redirect(s, i, &s->probe[n].seen);
			i->control = n == PORTS - 1 && s->exact[0] > 0;
		}
	survey_run_mixed(s, look_over);
}

/* ---- 2. an error for each of the two */

static bool
is_exceeded(const struct survey_item *i)
{
	return i->outcome == ASKER_ICMP &&
	       i->error == (i->to.family == ADDR_V6 ? TIME_EXCEEDED_6
						    : TIME_EXCEEDED_4);
}

static void hit(struct survey *s);

static void
hit_over(struct survey *s)
{
	for (size_t n = 0; n < s->asked; n++)
		if (is_exceeded(&s->item[n]))
			s->run_heard[s->item[n].tag] = 1;
	if (s->run_heard[0] > 0 && s->run_heard[1] > 0) {
		memset(s->run_heard, 0, sizeof(s->run_heard));
		s->rounds = 0;
		look(s);
	} else if (++s->rounds < ERRORS && !survey_late(s)) {
		hit(s);
	} else {
		memset(s->run_heard, 0, sizeof(s->run_heard));
		icmp_done(s, survey_late(s) ? "time" : "icmp");
	}
}

static void
hit(struct survey *s)
{
	for (unsigned n = 0; n < PORTS - 1; n++) {
		struct survey_item *i = NULL;

		if (s->run_heard[n] > 0)
			continue;
		i = survey_ask(s, n, s->probe[n].index, &s->place[0][0]);
		if (i != NULL)
			i->ttl = s->hop;
	}
	survey_run(s, hit_over);
}

/* ---- 1. a router outside that answers */

/* The NAT itself, and routers before it, answer from the inside: their errors
 * never pass the mapping. Without translation nothing tells the sides apart
 * but the distance. */
static bool
is_outside(const struct survey *s, const struct survey_item *i)
{
	if (s->translated != AXES_YES)
		return i->ttl > 1;
	return addr_is_public4(&i->from) &&
	       !addr_equal_ip(&i->from, &s->probe[0].seen);
}

static void
hops_over(struct survey *s)
{
	s->hop = 0;
	for (size_t n = 0; n < s->asked; n++) {
		const struct survey_item *i = &s->item[n];

		if (is_exceeded(i) && is_outside(s, i) && i->ttl > s->hop)
			s->hop = i->ttl;
	}
	s->rounds = 0;
	if (s->hop == 0)
		icmp_done(s, survey_late(s) ? "time" : "icmp");
	else
		hit(s);
}

/* From a port of its own: errors may end the helper's mapping, too, and then
 * another address could be the helper's, to which the server would send. */
static void
mapped_over(struct survey *s)
{
	int port = 0;

	for (unsigned n = 0; n < PORTS; n++) {
		s->probe[n].seen = *survey_seen(&s->item[n]);
		if (s->probe[n].seen.family == ADDR_NONE) {
			icmp_done(s, survey_why_open(s));
			return;
		}
		if (!addr_equal_ip(&s->probe[n].seen, &s->helper.seen)) {
			icmp_done(s, "pooling");
			return;
		}
	}
	if ((port = survey_open(s)) < 0) {
		icmp_done(s, "unsent");
		return;
	}
	s->probe[s->probes++].index = port;
	for (int n = 0; n < HOPS * TIMES; n++) {
		struct survey_item *i = survey_ask(s, 0, port, &s->place[0][0]);

		if (i != NULL)
			i->ttl = 1 + n % HOPS;
	}
	survey_run(s, hops_over);
}

void
survey_icmp(struct survey *s)
{
	int port = 0;

	if (s->response_port != AXES_YES) {
		icmp_done(
		    s, s->response_port == AXES_NO ? "server" : "control");
		return;
	}
	for (unsigned n = 0; n < PORTS; n++) {
		struct survey_item *i = NULL;

		if ((port = survey_open(s)) < 0) {
			s->items = 0;
			icmp_done(s, "unsent");
			return;
		}
		s->probe[s->probes++].index = port;
		if ((i = survey_ask(s, n, port, &s->place[0][0])) != NULL)
			i->must = i->control = true;
	}
	survey_run(s, mapped_over);
}

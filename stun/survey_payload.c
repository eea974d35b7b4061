/* SPDX-License-Identifier: ISC */
/* What a NAT does to what is inside: do UDP fragments pass (RFC 5780 section
 * 4.7; RFC 4787 section 11), and are addresses in payloads rewritten by an
 * application level gateway (RFC 5780 section 4.8)?
 *
 * A datagram of just two packets is compared with one that just fits into one:
 * four bytes more or less are all the same to a server. Outwards a long
 * question has a short answer (an attribute that the server ignores); inwards
 * a long answer, with as much PADDING as the question, has a question that
 * still fits into one packet. */
#include "survey.h"

#include <string.h>

#define RUNS 2
#define ROUNDS_MAX 14
#define SMALL 400 /* bytes that fit into one packet anywhere */
#define ATTR 4	  /* header of an attribute */
#define CONTROL_TAG RUNS

/* Which of the two is measured stands in stage. */
enum {
	OUT,
	IN,
};

static void round_over(struct survey *s);

static size_t
headers(const struct survey *s)
{
	return s->place[0][0].family == ADDR_V6 ? 48 : 28; /* IP and UDP */
}

/* The longest payload of one packet. */
static size_t
payload(const struct survey *s)
{
	return s->mtu > headers(s) ? s->mtu - headers(s) : 0;
}

static void
set(const struct survey *s, struct survey_item *i, size_t len)
{
	if (s->stage == OUT)
		i->q.filler = len;
	else
		i->q.padding = len;
}

static enum axes_heard
heard(const struct survey *s, unsigned run)
{
	return axes_heard_beside(s->run_sent[run], s->run_heard[run],
	    axes_rate_twice(s->rate), s->run_heard[!run] > 0);
}

static void
ask_round(struct survey *s)
{
	unsigned times = s->rounds == 0 ? 1 : 3;

	s->rounds++;
	for (; times > 0; times--) {
		struct survey_item *i = NULL;

		for (unsigned n = 0; n < RUNS; n++) {
			if (heard(s, n) != AXES_OPEN)
				continue;
			i = survey_ask(
			    s, n, s->probe[n].index, &s->place[0][0]);
			if (i != NULL)
				set(s, i, s->large);
		}
		i = survey_ask(
		    s, CONTROL_TAG, s->probe[RUNS].index, &s->place[0][0]);
		if (i == NULL)
			continue;
		set(s, i, s->small);
		i->control = s->exact[0] > 0;
	}
	survey_run_mixed(s, round_over);
}

static double
doubt(const struct survey *s)
{
	double most = 0;

	for (unsigned n = 0; n < RUNS; n++) {
		double chance =
		    axes_silence(s->run_sent[n], axes_rate_twice(s->rate));

		if (heard(s, n) == AXES_NO && chance > most)
			most = chance;
	}
	return most;
}

static void
done(struct survey *s, const char *reason)
{
	struct survey_finding f = {.reason = reason};
	int value = 0;

	for (unsigned n = 0; n < RUNS; n++)
		s->value[n] = heard(s, n);
	value = reason == NULL ? axes_agree(s->value, RUNS, &f.runs) : 0;
	/* the short ones have shown that the server does answer such */
	if (value == AXES_NO && s->exact[0] < 2) {
		value = 0;
		f.reason = "control";
		f.runs = 0;
	}
	if (value != 0)
		f.value = value == AXES_YES ? "yes" : "no";
	else if (f.reason == NULL)
		f.reason = survey_deaf(s, 0) ? "control"
			   : s->value[0] != 0 && s->value[1] != 0
			       ? "disagree"
			       : survey_why_open(s);
	f.chance = doubt(s);
	f.axis = s->stage == OUT ? "fragments_out" : "fragments_in";
	survey_tell(s, &f);
	survey_next(s);
}

/* Returns why there is no use in going on, or NULL. */
static const char *
take(struct survey *s, struct survey_item *i)
{
	bool ok = i->outcome == ASKER_ANSWER && i->answer.error == 0;

	if (i->outcome == ASKER_ANSWER && i->answer.error != 0)
		return "server"; /* 420: it knows no PADDING */
	if (ok && s->stage == IN && !i->answer.padded)
		return "server"; /* or ignores it */
	if (i->outcome == ASKER_UNSENT)
		return survey_late(s) ? NULL : "unsent";
	if (i->tag >= RUNS) {
		survey_prove(s, i, 0, ok);
		return NULL;
	}
	s->run_sent[i->tag]++;
	if (!ok)
		return NULL;
	if (s->stage == IN && i->answer.len <= payload(s))
		return "server"; /* it shortens what it sends back */
	s->run_heard[i->tag]++;
	return NULL;
}

static void
round_over(struct survey *s)
{
	const char *reason = NULL;
	bool open = false;

	for (size_t n = 0; n < s->asked && reason == NULL; n++)
		reason = take(s, &s->item[n]);
	for (unsigned n = 0; n < RUNS; n++)
		open = open || heard(s, n) == AXES_OPEN;
	if (reason == NULL && open && s->rounds < ROUNDS_MAX &&
	    !survey_late(s) && !survey_deaf(s, 0))
		ask_round(s);
	else
		done(s, reason);
}

static bool
open_ports(struct survey *s)
{
	int port = 0;

	for (unsigned n = 0; n <= RUNS; n++) {
		if ((port = survey_open(s)) < 0)
			return false;
		s->probe[s->probes++].index = port;
	}
	return true;
}

/* Values are multiples of 4, so the next longer one makes a second packet. */
void
survey_fragments_out(struct survey *s)
{
	size_t rest = STUN_HEADER_LEN + ATTR;

	s->stage = OUT;
	if (payload(s) < SMALL || payload(s) + 4 > QUESTION_MAX) {
		done(s, "mtu");
		return;
	}
	s->small = (payload(s) - rest) & ~(size_t)3;
	s->large = s->small + 4;
	if (open_ports(s))
		ask_round(s);
	else
		done(s, "unsent");
}

/* What a server adds to its PADDING shows in a short answer. Some send as much
 * as their MTU whatever they are asked (RFC 5780 section 7.6): then there is
 * nothing to compare with, but what arrives has arrived. */
static void
learned(struct survey *s)
{
	const struct survey_item *i = &s->item[0];
	size_t padded = (i->answer.padding + 3) & ~(size_t)3;

	if (i->outcome != ASKER_ANSWER) {
		done(s, survey_late(s) ? "time" : "control");
		return;
	}
	if (i->answer.error != 0 || !i->answer.padded) {
		done(s, "server");
		return;
	}
	s->small = SMALL;
	s->large = SMALL;
	if (i->answer.len <= payload(s)) {
		s->small = (payload(s) - (i->answer.len - padded)) & ~(size_t)3;
		s->large = s->small + 4;
	}
	ask_round(s);
}

void
survey_fragments_in(struct survey *s)
{
	struct survey_item *i = NULL;

	s->stage = IN;
	if (payload(s) < SMALL * 2 || payload(s) + 4 > QUESTION_MAX) {
		done(s, "mtu");
		return;
	}
	if (!open_ports(s)) {
		done(s, "unsent");
		return;
	}
	i = survey_ask(s, 0, s->probe[RUNS].index, &s->place[0][0]);
	if (i != NULL) {
		i->must = true;
		set(s, i, SMALL);
	}
	survey_run(s, learned);
}

/* Every answer of the whole run has told. */
void
survey_alg(struct survey *s)
{
	struct survey_finding f = {.axis = "alg"};
	unsigned n = s->alg_same + s->alg_other;

	s->sent = s->answered = n;
	f.runs = n < 2 ? n : 2;
	if (n < 2)
		f.reason = "server";
	else if (s->alg_same == 0 || s->alg_other == 0)
		f.value = s->alg_other > 0 ? "rewrites" : "no";
	else
		f.reason = "disagree";
	survey_tell(s, &f);
	survey_next(s);
}

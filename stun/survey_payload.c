/* SPDX-License-Identifier: ISC */
/* What a NAT does to what is inside: do UDP fragments pass (RFC 5780 section
 * 4.7; RFC 4787 section 11), and are addresses in payloads rewritten by an
 * application level gateway (RFC 5780 section 4.8)? */
#include "survey.h"

#include <string.h>

#define RUNS 2
#define ROUNDS_MAX 14
#define SMALL 400 /* bytes that fit into one packet anywhere */
#define CONTROL_TAG 100
#define OVERHEAD 48 /* headers: IPv6 and UDP */

/* Which of the two is measured stands in stage. */
enum {
	OUT,
	IN,
};

static void round_over(struct survey *s);

/* A payload that needs two packets here, and can be sent by lib/port.h. */
static size_t
large(const struct survey *s)
{
	return (s->mtu + 3) & ~(size_t)3;
}

static void
set(const struct survey *s, struct survey_item *i, size_t len)
{
	if (s->stage == OUT)
		i->q.filler = len;
	else
		i->q.padding = len;
}

/* In three fragments or more it would take more luck than counted on. */
static bool
is_large(const struct survey *s, const struct survey_item *i)
{
	return i->answer.len + (i->to.family == ADDR_V6 ? 48 : 28) > s->mtu;
}

static enum axes_heard
heard(const struct survey *s, unsigned run)
{
	return axes_heard(
	    s->run_sent[run], s->run_heard[run], axes_rate_twice(s->rate));
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
				set(s, i, large(s));
		}
		i = survey_ask(
		    s, CONTROL_TAG, s->probe[RUNS].index, &s->place[0][0]);
		if (i != NULL) {
			set(s, i, SMALL);
			i->control = true;
		}
	}
	survey_run(s, round_over);
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
	/* the small ones have shown that the server does answer such */
	if (value == AXES_NO && s->exact[0] < 2) {
		value = 0;
		f.reason = "control";
	}
	if (value != 0)
		f.value = value == AXES_YES ? "yes" : "no";
	else if (f.reason == NULL)
		f.reason = s->value[0] != 0 && s->value[1] != 0
			       ? "disagree"
			       : survey_why_open(s);
	f.chance = doubt(s);
	f.axis = s->stage == OUT ? "fragments_out" : "fragments_in";
	if (s->stage == OUT)
		s->fragments_out = (enum axes_heard)value;
	survey_tell(s, &f);
	survey_next(s);
}

/* Returns why there is no use in going on, or NULL. */
static const char *
take(struct survey *s, const struct survey_item *i)
{
	bool ok = i->outcome == ASKER_ANSWER && i->answer.error == 0;

	if (i->outcome == ASKER_ANSWER && i->answer.error != 0)
		return "server"; /* 420: it knows no PADDING */
	if (ok && s->stage == IN && !i->answer.padded)
		return "server"; /* or ignores it */
	if (i->outcome == ASKER_UNSENT)
		return survey_late(s) ? NULL : "unsent";
	if (i->tag >= RUNS) {
		s->exact[0] += ok;
		return NULL;
	}
	s->run_sent[i->tag]++;
	if (!ok)
		return NULL;
	if (s->stage == IN && !is_large(s, i))
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
	if (reason == NULL && open && s->rounds < ROUNDS_MAX && !survey_late(s))
		ask_round(s);
	else
		done(s, reason);
}

static void
start(struct survey *s, unsigned stage)
{
	int port = 0;

	s->stage = stage;
	if (s->mtu == 0 || large(s) + OVERHEAD > QUESTION_MAX) {
		done(s, "mtu");
		return;
	}
	for (unsigned n = 0; n <= RUNS; n++) {
		if ((port = survey_open(s)) < 0) {
			done(s, "unsent");
			return;
		}
		s->probe[s->probes++].index = port;
	}
	ask_round(s);
}

void
survey_fragments_out(struct survey *s)
{
	start(s, OUT);
}

/* A long answer takes a long question here: RFC 5780 lets a server send more
 * than it got, but one that does so is of use to others than us. */
void
survey_fragments_in(struct survey *s)
{
	s->stage = IN;
	if (s->fragments_out == AXES_NO)
		done(s, "fragments-out");
	else
		start(s, IN);
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

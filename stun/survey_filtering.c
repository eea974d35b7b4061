/* SPDX-License-Identifier: ISC */
/* Who may send to a mapped port (RFC 5780 section 4.4)? Asked on fresh ports:
 * does an answer from B:P2 come in, one from A:P2? Until that is over, no port
 * of ours sends to any place but A:P1: a filter may be kept for the whole host,
 * and what one port has opened is open for all then. Plain questions, in turn
 * with those, show what the way loses meanwhile. That the server does send from
 * there, and how much of that is lost, is only seen afterwards, on a port that
 * has opened every filter. */
#include "survey.h"

#include <string.h>

#include "log.h"

#define BATCH_MAX 8 /* times each question in one round */
#define PROOFS 5    /* are enough when none is lost */
#define PROOFS_MAX 60
#define CONTROL_TAG 100
#define OTHER_TAG (CONTROL_TAG * 2)

enum {
	BOTH, /* from B:P2 */
	PORT, /* from A:P2 */
};

/* By what was lost in the same time; see is_proven for what comes after. */
static enum axes_heard
heard(const struct survey *s, const struct survey_filter *f, int kind)
{
	return axes_heard(f->sent[kind], f->heard[kind], s->meanwhile);
}

/* A daemon's port is only asked about B:P2: see survey_mapping.c. */
static bool
is_daemon(const struct survey_filter *f)
{
	return f->port == 0;
}

static bool
wants(const struct survey *s, const struct survey_filter *f, int kind)
{
	if (f->refused || f->ignored > 1 || f->heard[BOTH] > 0 ||
	    (kind == PORT && is_daemon(f)))
		return false;
	return f->sent[kind] < AXES_SENDS_MAX && heard(s, f, kind) == AXES_OPEN;
}

static const struct addr *
source(const struct survey *s, int kind)
{
	return kind == BOTH ? &s->place[1][1] : &s->place[0][1];
}

static struct survey_item *
ask(struct survey *s, unsigned tag, int port, int kind)
{
	struct survey_item *i = survey_ask(s, tag, port, &s->place[0][0]);

	if (i != NULL) {
		i->q.change_port = true;
		i->q.change_ip = kind == BOTH;
	}
	return i;
}

/* With endpoint-independent mapping the control port asks for itself: it has
 * sent to all places from one mapping. Else the helper has the answer sent to
 * the mapping that the control port has towards where it comes from. */
static bool
can_control(const struct survey *s, int kind)
{
	const struct addr *seen =
	    kind == BOTH ? &s->seen[1][1] : &s->seen[0][1];

	if (seen->family == ADDR_NONE || s->seen[0][0].family == ADDR_NONE)
		return false;
	return addr_equal(seen, &s->seen[0][0]) ||
	       (s->response_port == AXES_YES &&
		   addr_equal_ip(seen, &s->helper.seen));
}

static void
ask_control(struct survey *s, int kind)
{
	const struct addr *seen =
	    kind == BOTH ? &s->seen[1][1] : &s->seen[0][1];
	bool same = addr_equal(seen, &s->seen[0][0]);
	struct survey_item *i = NULL;

	if (!can_control(s, kind))
		return;
	i = ask(s, CONTROL_TAG + (unsigned)kind,
	    same ? s->control : s->helper.index, kind);
	if (i == NULL)
		return;
	i->control = s->exact[kind] > 0;
	if (!same)
		survey_redirect(s, i, seen);
}

static void round_over(struct survey *s);
static void prove(struct survey *s);

/* What the neediest port still needs, all in one round. */
static unsigned
times(const struct survey *s)
{
	unsigned most = 1;

	if (s->rounds == 0)
		return 1; /* an open filter shows at once */
	for (size_t n = 0; n < s->filters; n++)
		for (int kind = BOTH; kind <= PORT; kind++) {
			const struct survey_filter *f = &s->filter[n];
			unsigned missing = 0;

			if (!wants(s, f, kind))
				continue;
			missing = axes_missing(
			    f->sent[kind], f->heard[kind], s->meanwhile);
			if (missing > most)
				most = missing;
		}
	return most < BATCH_MAX ? most : BATCH_MAX;
}

/* Ports of our own are the first ones; the daemon's has the last place. */
static size_t
own(const struct survey *s)
{
	return s->filters - (s->shared ? 1 : 0);
}

/* From the fresh ports in turn, so that their mappings are seen to work. */
static void
ask_plain(struct survey *s, unsigned t)
{
	struct survey_item *i = NULL;

	if (own(s) == 0)
		return;
	i = survey_ask(
	    s, OTHER_TAG, s->filter[t % own(s)].port, &s->place[0][0]);
	if (i != NULL)
		i->control = true;
}

static bool
ask_round(struct survey *s)
{
	bool any = false;

	for (unsigned t = times(s); t > 0; t--) {
		bool asked = false;

		for (int kind = BOTH; kind <= PORT; kind++)
			for (size_t n = 0; n < s->filters; n++) {
				if (!wants(s, &s->filter[n], kind))
					continue;
				ask(s, (unsigned)n, s->filter[n].port, kind);
				asked = true;
			}
		if (asked)
			ask_plain(s, t);
		if (asked && s->rate.answered < s->rate.asked)
			ask_plain(s, t + 1); /* how much is it? */
		any = any || asked;
	}
	return any;
}

static int
class_of(const struct survey *s, const struct survey_filter *f)
{
	return axes_filtering(heard(s, f, BOTH), heard(s, f, PORT));
}

static void
add_port(struct survey *s, int port)
{
	s->filter[s->filters++] = (struct survey_filter){.port = port};
	if (port > 0)
		s->probe[s->probes++].index = port;
}

static void
step(struct survey *s)
{
	s->meanwhile = s->rate;
	if (!survey_late(s) && s->rounds < AXES_SENDS_MAX && ask_round(s)) {
		s->rounds++;
		survey_run_mixed(s, round_over);
		return;
	}
	prove(s);
}

static void
count(struct survey *s, struct survey_filter *f, const struct survey_item *i)
{
	int kind = i->q.change_ip ? BOTH : PORT;

	f->sent[kind] += i->outcome != ASKER_UNSENT;
	if (survey_heard(i, source(s, kind), f->port))
		f->heard[kind]++;
	else if (i->outcome == ASKER_ANSWER && i->answer.error == 0)
		f->ignored++;
	else if (i->outcome == ASKER_ANSWER && i->answer.error == 420)
		f->refused = true;
}

static void
round_over(struct survey *s)
{
	for (size_t n = 0; n < s->asked; n++)
		if (s->item[n].tag < s->filters)
			count(s, &s->filter[s->item[n].tag], &s->item[n]);
	step(s);
}

/* ---- afterwards: is the server, or the way from there, to be blamed? */

/* All questions whose answers from there would have been the first. */
static unsigned
silent(const struct survey *s, int kind)
{
	unsigned sent = 0;

	for (size_t n = 0; n < s->filters; n++) {
		const struct survey_filter *f = &s->filter[n];

		if (f->heard[BOTH] == 0 && f->heard[kind] == 0 && !f->refused)
			sent += f->sent[kind];
	}
	return sent;
}

/* The server is seen to do it, and what is lost of the very same questions does
 * not explain why all ports together heard nothing. */
static bool
is_proven(const struct survey *s, int kind)
{
	struct axes_rate r = {s->exact_sent[kind], s->exact[kind]};

	return silent(s, kind) == 0 ||
	       (s->exact[kind] > 1 &&
		   axes_silence(silent(s, kind), r) < AXES_CHANCE);
}

/* Answers come in from a place that is not the server's: then it does not send
 * from where it was told to, and no filter is to be blamed for silence. */
static bool
is_astray(const struct survey *s)
{
	return asker_stats(s->asker).foreign > 0;
}

static bool
is_faulty(const struct survey *s)
{
	for (size_t n = 0; n < s->filters; n++)
		if (s->filter[n].refused || s->filter[n].ignored > 0)
			return true;
	return is_astray(s);
}

static const char *
why(const struct survey *s)
{
	if (is_faulty(s))
		return "server";
	for (int kind = BOTH; kind <= PORT; kind++)
		if (silent(s, kind) > 0 && s->exact[kind] < 2 &&
		    !survey_late(s))
			return "control";
	return survey_why_open(s);
}

/* Of the daemon's port only this is known: is it open to B:P2? More open than
 * a fresh port it may be by a port forward, or by what was asked from it a
 * moment ago. */
static const char *
daemon_differs(const struct survey *s, int value)
{
	const struct survey_filter *f = &s->filter[s->filters - 1];
	enum axes_heard open = heard(s, f, BOTH);

	if (!s->shared)
		return NULL;
	if (open == AXES_OPEN)
		return survey_why_open(s);
	if (open == AXES_YES && value != AXES_INDEPENDENT)
		return "port-open";
	if (open == AXES_NO && value == AXES_INDEPENDENT)
		return "port-closed";
	return NULL;
}

static double
doubt(const struct survey *s)
{
	double most = 0;

	for (size_t n = 0; n < s->filters; n++)
		for (int kind = BOTH; kind <= PORT; kind++) {
			const struct survey_filter *f = &s->filter[n];
			double chance =
			    axes_silence(f->sent[kind], s->meanwhile);

			if (heard(s, f, kind) == AXES_NO && chance > most)
				most = chance;
		}
	return most;
}

static void
tell(struct survey *s)
{
	struct survey_finding f = {.axis = "filtering"};
	bool proven = is_proven(s, BOTH) && is_proven(s, PORT);
	int value = 0;

	for (size_t n = 0; n < own(s); n++)
		s->value[n] = class_of(s, &s->filter[n]);
	value = axes_agree(s->value, own(s), &f.runs);
	if (!proven || (silent(s, BOTH) > 0 && is_astray(s)))
		value = 0;
	else if (value == 0 && own(s) > 1 && s->value[0] != 0 &&
		 s->value[1] != 0)
		f.reason = "disagree";
	if (value == 0 && f.reason == NULL)
		f.reason = why(s);
	if (value == AXES_INDEPENDENT && s->opened) {
		f.reason = "opened";
		value = 0;
	}
	if (value != 0 && (f.reason = daemon_differs(s, value)) != NULL)
		value = 0;
	if (f.reason != NULL && strcmp(f.reason, "port-open") == 0)
		log_warnx("the lent port is forwarded, or was used for a "
			  "measurement moments ago: wait for its mapping's "
			  "lifetime and measure again");
	s->filtering = (enum axes_dependence)value;
	if (value == 0)
		f.runs = 0;
	f.value = axes_dependence_name(s->filtering);
	f.chance = doubt(s);
	survey_tell(s, &f);
	s->filters = 0;
}

static void
proof_over(struct survey *s)
{
	for (size_t n = 0; n < s->asked; n++) {
		struct survey_item *i = &s->item[n];
		int kind = i->q.change_ip ? BOTH : PORT;

		if (i->tag < OTHER_TAG)
			survey_prove(s, i, kind,
			    survey_heard(i, source(s, kind), s->control));
	}
	survey_filtering_proof(s);
}

/* The control port's own filters: B:P2 and A:P2 were asked a while ago. */
static void
keep_open(struct survey *s)
{
	if (can_control(s, BOTH))
		survey_ask(s, OTHER_TAG, s->control, &s->place[1][1]);
	if (can_control(s, PORT))
		survey_ask(s, OTHER_TAG, s->control, &s->place[0][1]);
}

static bool
ask_proof(struct survey *s)
{
	bool any = false;

	for (int kind = BOTH; kind <= PORT; kind++) {
		if (is_proven(s, kind) || !can_control(s, kind) ||
		    survey_deaf(s, kind) || s->exact_sent[kind] >= PROOFS_MAX)
			continue;
		for (unsigned t = 0; t < PROOFS; t++)
			ask_control(s, kind);
		any = true;
	}
	if (any)
		keep_open(s);
	return any;
}

void
survey_filtering_proof(struct survey *s)
{
	if (s->filters > 0 && !is_faulty(s) && !survey_late(s) &&
	    ask_proof(s)) {
		survey_run_mixed(s, proof_over);
		return;
	}
	if (s->filters > 0)
		tell(s);
	survey_next(s);
}

/* What was heard needs no proof. */
static void
prove(struct survey *s)
{
	if (silent(s, BOTH) == 0 && silent(s, PORT) == 0)
		tell(s);
	s->rounds = 0;
	survey_control(s);
}

void
survey_filtering(struct survey *s)
{
	struct survey_finding f = {.axis = "filtering", .reason = s->no_other};
	int port = 0;

	if (s->no_other != NULL) {
		survey_tell(s, &f);
		survey_control(s);
		return;
	}
	for (int n = 0; n < 2; n++)
		if ((port = survey_open(s)) >= 0)
			add_port(s, port);
	if (s->shared)
		add_port(s, 0);
	step(s);
}

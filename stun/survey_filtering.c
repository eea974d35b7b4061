/* SPDX-License-Identifier: ISC */
/* Who may send to a mapped port (RFC 5780 section 4.4)? Asked on ports that
 * have sent to A:P1 only: does an answer from B:P2 come in, one from A:P2? For
 * silence to mean something, the same questions are asked on a port where
 * every filter is open, in turn with those. */
#include "survey.h"

#include <string.h>

#include "log.h"

#define BATCH_MAX 8 /* times each question in one round */
#define CONTROL_TAG 100

enum {
	BOTH, /* from B:P2 */
	PORT, /* from A:P2 */
};

static enum axes_heard
heard(const struct survey *s, const struct survey_filter *f, int kind)
{
	return axes_heard(f->sent[kind], f->heard[kind], s->rate);
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
	if (f->refused || f->ignored > 1 || heard(s, f, BOTH) == AXES_YES ||
	    survey_deaf(s, kind))
		return false;
	if (kind == PORT && is_daemon(f))
		return false;
	return heard(s, f, kind) == AXES_OPEN && f->sent[kind] < AXES_SENDS_MAX;
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
static void done(struct survey *s);

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
			    f->sent[kind], f->heard[kind], s->rate);
			if (missing > most)
				most = missing;
		}
	return most < BATCH_MAX ? most : BATCH_MAX;
}

/* The control port's own filters are kept open, too. */
static void
keep_open(struct survey *s)
{
	if (can_control(s, BOTH))
		survey_ask(s, CONTROL_TAG * 2, s->control, &s->place[1][1]);
	if (can_control(s, PORT))
		survey_ask(s, CONTROL_TAG * 2, s->control, &s->place[0][1]);
}

static bool
ask_round(struct survey *s)
{
	bool any = false;

	for (unsigned t = times(s); t > 0; t--)
		for (int kind = BOTH; kind <= PORT; kind++) {
			bool asked = false;

			for (size_t n = 0; n < s->filters; n++) {
				if (!wants(s, &s->filter[n], kind))
					continue;
				ask(s, (unsigned)n, s->filter[n].port, kind);
				asked = true;
			}
			if (asked)
				ask_control(s, kind);
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

/* Ports of our own are the first ones; the daemon's has the last place. */
static size_t
own(const struct survey *s)
{
	return s->filters - (s->shared ? 1 : 0);
}

static bool
more_ports(struct survey *s, unsigned agreeing)
{
	int port = 0;

	if (agreeing >= 2 || s->filters > AXES_RUNS_MAX - 1 || s->shared)
		return false;
	for (size_t n = 0; n < own(s); n++)
		if (s->value[n] == AXES_UNKNOWN)
			return false; /* more of them would not know either */
	if ((port = survey_open(s)) < 0)
		return false;
	add_port(s, port);
	return true;
}

static void
step(struct survey *s)
{
	unsigned agreeing = 0;

	if (!survey_late(s) && s->rounds < AXES_SENDS_MAX) {
		if (s->rounds > 0)
			keep_open(s);
		if (ask_round(s)) {
			s->rounds++;
			survey_run_mixed(s, round_over);
			return;
		}
		s->items = 0; /* what keep_open has queued */
		for (size_t n = 0; n < own(s); n++)
			s->value[n] = class_of(s, &s->filter[n]);
		axes_agree(s->value, own(s), &agreeing);
		if (more_ports(s, agreeing)) {
			step(s);
			return;
		}
	}
	done(s);
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
	for (size_t n = 0; n < s->asked; n++) {
		struct survey_item *i = &s->item[n];
		int kind = i->q.change_ip ? BOTH : PORT;

		if (i->tag < s->filters)
			count(s, &s->filter[i->tag], i);
		else if (i->tag < CONTROL_TAG * 2)
			survey_prove(s, i, kind,
			    survey_heard(i, source(s, kind), s->control));
	}
	step(s);
}

/* Answers come in from a place that is not the server's: then it does not send
 * from where it was told to, and no filter is to be blamed for silence. */
static bool
is_astray(const struct survey *s)
{
	return asker_stats(s->asker).foreign > 0;
}

static const char *
why(const struct survey *s)
{
	bool ignored = is_astray(s), refused = false, proven = true;

	for (size_t n = 0; n < s->filters; n++) {
		const struct survey_filter *f = &s->filter[n];

		refused = refused || f->refused;
		ignored = ignored || f->ignored > 0;
		proven = proven && (f->sent[BOTH] == 0 || s->exact[BOTH] > 1) &&
			 (f->sent[PORT] == 0 || s->exact[PORT] > 1);
	}
	if (refused || ignored)
		return "server";
	if (!proven)
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
			double chance = axes_silence(f->sent[kind], s->rate);

			if (heard(s, f, kind) == AXES_NO && chance > most)
				most = chance;
		}
	return most;
}

static void
done(struct survey *s)
{
	struct survey_finding f = {.axis = "filtering"};
	bool silent = false;
	int value = 0;

	for (size_t n = 0; n < own(s); n++) {
		s->value[n] = class_of(s, &s->filter[n]);
		silent = silent || heard(s, &s->filter[n], BOTH) == AXES_NO;
	}
	value = axes_agree(s->value, own(s), &f.runs);
	if (value == 0 && own(s) > 1 && s->value[0] != 0 && s->value[1] != 0)
		f.reason = "disagree";
	/* silence counts only from a server that is seen to do it */
	if (silent && (s->exact[BOTH] < 2 || is_astray(s)))
		value = 0;
	if (value == AXES_ADDRESS_PORT && s->exact[PORT] < 2)
		value = 0;
	if (value == 0 && f.reason == NULL)
		f.reason = why(s);
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
	survey_next(s);
}

void
survey_filtering(struct survey *s)
{
	struct survey_finding f = {.axis = "filtering", .reason = s->no_other};
	int port = 0;

	if (s->no_other != NULL) {
		survey_tell(s, &f);
		survey_next(s);
		return;
	}
	s->filters = 0;
	for (int n = 0; n < 2; n++)
		if ((port = survey_open(s)) >= 0)
			add_port(s, port);
	if (s->shared)
		add_port(s, 0);
	step(s);
}

/* SPDX-License-Identifier: ISC */
/* Do inbound packets keep a mapping alive (RFC 4787 section 4.3, REQ-6)? Two
 * ports get a packet from outside every second and send none; pairs of others
 * are left in peace until their hour comes. When such a pair is dead, the fed
 * ones tell. */
#include "survey.h"

#include <string.h>

#define FED 2
#define CONTROL 2 /* probe[2]: sends now and then, so it is alive */
#define SILENT 3  /* probe[3..] in pairs, one pair for each cliff */
#define TICK_MS 1000
#define AFTER_MS 4000 /* to look, once the time has come */
#define ROUNDS_MAX 14

static const unsigned cliffs[] = {10, 25, 35, 65, 95, 125, 185, 305};
#define CLIFFS (sizeof(cliffs) / sizeof(cliffs[0]))

static void look(struct survey *s);
static void wait_more(struct survey *s);

/* A run is a fed port and a silent one: [0..2) fed, [2..4) silent. */
static enum axes_heard
heard(const struct survey *s, unsigned n)
{
	return axes_heard(s->run_sent[n], s->run_heard[n], s->rate);
}

static void
tell(struct survey *s, const char *value, const char *reason)
{
	struct survey_finding f = {
	    .axis = "refresh", .value = value, .reason = reason};

	f.runs = value != NULL ? FED : 0;
	for (unsigned n = 0; n < 4; n++) {
		double chance = axes_silence(s->run_sent[n], s->rate);

		if (heard(s, n) == AXES_NO && chance > f.chance)
			f.chance = chance;
	}
	survey_tell(s, &f);
	survey_next(s);
}

static struct survey_item *
feed(struct survey *s, unsigned tag, unsigned probe)
{
	struct survey_item *i =
	    survey_ask(s, tag, s->helper.index, &s->place[0][0]);

	if (i != NULL)
		survey_redirect(s, i, &s->probe[probe].seen);
	return i;
}

static unsigned
pairs(const struct survey *s)
{
	return (unsigned)(s->probes - SILENT) / 2;
}

static unsigned
first_silent(const struct survey *s)
{
	return SILENT + s->stage * 2;
}

/* All that was needed is known of this cliff. A dead mapping that had been fed
 * means nothing if the food may have been lost all the while that a shorter
 * silence is survived. */
static void
judge(struct survey *s)
{
	bool dead = heard(s, 2) == AXES_NO && heard(s, 3) == AXES_NO;
	unsigned survived = s->stage > 0 ? cliffs[s->stage - 1] : 0;

	if (heard(s, 2) == AXES_YES || heard(s, 3) == AXES_YES) {
		s->stage++;
		memset(s->run_sent, 0, sizeof(s->run_sent));
		memset(s->run_heard, 0, sizeof(s->run_heard));
		wait_more(s);
	} else if (!dead || s->exact[0] < 2) {
		tell(s, NULL, survey_why_open(s));
	} else if (heard(s, 0) == AXES_YES && heard(s, 1) == AXES_YES) {
		tell(s, "inbound", NULL);
	} else if (heard(s, 0) != AXES_NO || heard(s, 1) != AXES_NO) {
		tell(s, NULL, "disagree");
	} else if (axes_silence(survived * 1000 / TICK_MS, s->rate) >=
		   AXES_CHANCE) {
		tell(s, NULL, survived == 0 ? "short" : "loss");
	} else {
		tell(s, "outbound", NULL);
	}
}

static void
look_over(struct survey *s)
{
	bool open = false;

	for (size_t n = 0; n < s->asked; n++) {
		struct survey_item *i = &s->item[n];
		unsigned probe = i->tag < 2    ? i->tag
				 : i->tag == 4 ? CONTROL
					       : first_silent(s) + i->tag - 2;
		bool in =
		    survey_heard(i, &s->place[0][0], s->probe[probe].index);

		if (i->tag == 4) {
			survey_prove(s, i, 0, in);
			continue;
		}
		s->run_sent[i->tag] += i->outcome != ASKER_UNSENT;
		s->run_heard[i->tag] += in;
	}
	for (unsigned n = 0; n < 4; n++)
		open = open || heard(s, n) == AXES_OPEN;
	if (heard(s, 2) == AXES_YES || heard(s, 3) == AXES_YES)
		open = false;
	if (open && s->rounds < ROUNDS_MAX && !survey_late(s) &&
	    !survey_deaf(s, 0))
		look(s);
	else
		judge(s);
}

static void
look(struct survey *s)
{
	unsigned times = s->rounds++ == 0 ? 1 : 3;

	for (; times > 0; times--) {
		struct survey_item *i = NULL;

		for (unsigned n = 0; n < 4; n++)
			if (heard(s, n) == AXES_OPEN)
				feed(s, n, n < 2 ? n : first_silent(s) + n - 2);
		if ((i = feed(s, 4, CONTROL)) != NULL)
			i->control = s->exact[0] > 0;
	}
	survey_run_mixed(s, look_over);
}

/* It may have slept too long, and have another mapping now. */
static void
awake_over(struct survey *s)
{
	s->probe[CONTROL].seen = *survey_seen(&s->item[0]);
	if (s->probe[CONTROL].seen.family == ADDR_NONE)
		tell(s, NULL, survey_why_open(s));
	else
		look(s);
}

/* The control port sends something first: it must be alive. */
static void
awake(struct survey *s)
{
	struct survey_item *i =
	    survey_ask(s, 0, s->probe[CONTROL].index, &s->place[0][0]);

	if (i != NULL)
		i->must = i->control = true;
	s->rounds = 0;
	s->exact[0] = s->exact_sent[0] = 0;
	survey_run(s, awake_over);
}

static uint64_t
due_ms(const struct survey *s)
{
	const struct survey_port *p = &s->probe[first_silent(s)];
	uint64_t last =
	    p[0].asked_ms > p[1].asked_ms ? p[0].asked_ms : p[1].asked_ms;

	return last + cliffs[s->stage] * 1000;
}

static void
tick(struct survey *s)
{
	if (now_ms() >= due_ms(s)) {
		awake(s);
		return;
	}
	for (unsigned n = 0; n < FED; n++)
		feed(s, n, n);
	survey_run(s, wait_more);
}

static void
wait_more(struct survey *s)
{
	if (s->stage == pairs(s) || survey_late(s))
		tell(s, NULL, "time");
	else
		survey_wait(s, TICK_MS, tick);
}

static void
mapped_over(struct survey *s)
{
	uint64_t now = now_ms();

	for (size_t n = 0; n < s->probes; n++) {
		s->probe[n].seen = *survey_seen(&s->item[n]);
		s->probe[n].asked_ms = now;
		if (s->probe[n].seen.family == ADDR_NONE) {
			tell(s, NULL, survey_why_open(s));
			return;
		}
		if (!addr_equal_ip(&s->probe[n].seen, &s->helper.seen)) {
			tell(s, NULL, "pooling");
			return;
		}
	}
	s->stage = 0;
	wait_more(s);
}

void
survey_refresh(struct survey *s)
{
	uint64_t left = s->end_ms > now_ms() ? s->end_ms - now_ms() : 0;
	size_t n = 0;
	int port = 0;

	if (s->response_port != AXES_YES) {
		tell(s, NULL,
		    s->response_port == AXES_NO ? "server" : "control");
		return;
	}
	while (n < CLIFFS && cliffs[n] * 1000 + AFTER_MS <= left)
		n++;
	if (n == 0) {
		tell(s, NULL, "time");
		return;
	}
	for (n = SILENT + 2 * n; n > 0; n--) {
		struct survey_item *i = NULL;

		if ((port = survey_open(s)) < 0) {
			s->items = 0;
			tell(s, NULL, "unsent");
			return;
		}
		s->probe[s->probes++].index = port;
		if ((i = survey_ask(s, 0, port, &s->place[0][0])) != NULL)
			i->must = i->control = true;
	}
	survey_run(s, mapped_over);
}

/* SPDX-License-Identifier: ISC */
/* Does a packet to an external endpoint of ours come back in, and from which
 * source (RFC 4787 section 6)? Two pairs of ports send to each other's, again
 * and again, so that whatever filter there is has been opened from inside. */
#include "survey.h"

#include <string.h>

#include "strays.h"

#define PAIRS 2
#define ROUNDS_MAX 12
#define CONTROL_TAG 100

enum {
	INTERNAL = 1, /* as values of a run */
	EXTERNAL,
	NO,
};

static void round_over(struct survey *s);

/* Does the system drop what it takes for its own (and count it)? IPv6 has no
 * such check. */
static bool
may_stray(const struct survey *s)
{
	return s->place[0][0].family == ADDR_V4;
}

/* The counters since the last call. */
static uint64_t
strays(struct survey *s)
{
	struct strays now = {0};
	uint64_t n = 0;

	if (!may_stray(s))
		return 0;
	s->stray_known = strays_read(&now) == 0;
	n = s->stray_known ? strays_between(&s->stray, &now) : 0;
	s->stray = now;
	return n;
}

static void
done(struct survey *s)
{
	static const char *const names[] = {
	    [INTERNAL] = "internal", [EXTERNAL] = "external", [NO] = "no"};
	struct survey_finding f = {.axis = "hairpin"};
	int value = axes_agree(s->value, PAIRS, &f.runs);

	if (value == 0 && s->value[0] != 0 && s->value[1] != 0)
		f.reason = "disagree";
	if (value == NO && s->unsteady) {
		value = 0;
		f.reason = "unsteady";
	} else if (value == NO && may_stray(s) && !s->stray_known) {
		value = 0;
		f.reason = "internal-unseen";
	} else if (value == NO && s->stray_on > 0) {
		/* the quiet rounds in between tell noise from echo */
		value = s->stray_off == 0 && s->stray_on * 2 >= s->stray_sent
			    ? INTERNAL
			    : 0;
		if (value == 0)
			f.reason = "noise";
	}
	if (value == NO)
		for (int n = 0; n < PAIRS; n++) {
			double chance = axes_silence(s->run_sent[n], s->rate);

			f.chance = chance > f.chance ? chance : f.chance;
		}
	if (value != 0)
		f.value = names[value];
	else if (f.reason == NULL && s->elsewhere > 0)
		f.reason = "other-source"; /* the router's inner address */
	else if (f.reason == NULL)
		f.reason = survey_why_open(s);
	for (size_t n = 0; n < s->probes; n++)
		if (s->probe[n].seen.family != ADDR_NONE)
			f.endpoint[f.endpoints++] = s->probe[n].seen;
	survey_tell(s, &f);
	survey_next(s);
}

static void
classify(struct survey *s, const struct survey_item *i, unsigned pair)
{
	const struct survey_port *p = &s->probe[pair * 2];
	const struct addr *ip = &i->from;

	p += p->index != i->port;
	s->run_heard[pair]++;
	if (addr_equal(&i->from, &p->local) && !addr_equal_ip(ip, &p->seen))
		s->internal++;
	else if (addr_equal_ip(ip, &p->seen) ||
		 addr_equal_ip(ip, &s->probe[0].seen) || addr_is_public4(ip))
		s->external++; /* perhaps another address of its pool */
	else
		s->elsewhere++;
}

static void
judge(struct survey *s)
{
	for (unsigned n = 0; n < PAIRS; n++) {
		enum axes_heard h =
		    axes_heard(s->run_sent[n], s->run_heard[n], s->rate);

		s->value[n] = h == AXES_NO ? NO : h == AXES_YES ? EXTERNAL : 0;
		if (h == AXES_YES && s->internal + s->elsewhere > 0)
			s->value[n] =
			    s->external + s->elsewhere == 0 ? INTERNAL : 0;
	}
}

/* Pair n's ports send to each other; the first time is only to open filters. */
static void
ask_pair(struct survey *s, unsigned n)
{
	for (unsigned k = 0; k < 2; k++) {
		struct survey_item *i = survey_ask(s, n,
		    s->probe[n * 2 + k].index, &s->probe[n * 2 + (k ^ 1)].seen);

		if (i != NULL)
			i->hairpin = true;
	}
}

static void
ask_control(struct survey *s)
{
	struct survey_item *i =
	    survey_ask(s, CONTROL_TAG, s->control, &s->place[0][0]);

	if (i != NULL)
		i->control = true;
}

static void
ask_round(struct survey *s)
{
	unsigned times = s->rounds == 0 ? 1 : 2;

	s->rounds++;
	for (; times > 0; times--) {
		for (unsigned n = 0; n < PAIRS; n++)
			if (s->value[n] == 0)
				ask_pair(s, n);
		ask_control(s);
	}
	strays(s);
	survey_run(s, round_over);
}

static void
quiet_over(struct survey *s)
{
	s->stray_off += strays(s);
	for (size_t n = 0; n < s->asked; n++)
		s->item[n].tag = CONTROL_TAG;
	judge(s);
	if ((s->value[0] != 0 && s->value[1] != 0) || s->rounds == ROUNDS_MAX ||
	    survey_late(s))
		done(s);
	else
		ask_round(s);
}

static void
round_over(struct survey *s)
{
	unsigned sent = 0;

	for (size_t n = 0; n < s->asked; n++) {
		const struct survey_item *i = &s->item[n];

		if (i->tag >= PAIRS || i->outcome == ASKER_UNSENT)
			continue;
		sent++;
		if (i->outcome == ASKER_SELF)
			classify(s, i, i->tag);
		if (s->rounds > 1)
			s->run_sent[i->tag]++;
	}
	s->stray_sent += sent;
	s->stray_on += strays(s);
	if (s->run_heard[0] > 0 && s->run_heard[1] > 0) {
		judge(s);
		done(s);
		return;
	}
	for (int n = 0; n < 3; n++)
		ask_control(s);
	survey_run(s, quiet_over);
}

static void
mapped_over(struct survey *s)
{
	for (unsigned n = 0; n < PAIRS * 2; n++) {
		s->probe[n].seen = *survey_seen(&s->item[n]);
		s->probe[n].local = s->item[n].answer.local;
		if (s->probe[n].seen.family == ADDR_NONE) {
			done(s);
			return;
		}
	}
	ask_round(s);
}

void
survey_hairpin(struct survey *s)
{
	int port = 0;

	s->internal = s->external = s->elsewhere = 0;
	s->stray_on = s->stray_off = s->stray_sent = 0;
	memset(s->probe, 0, sizeof(s->probe));
	for (unsigned n = 0; n < PAIRS * 2; n++) {
		struct survey_item *i = NULL;

		if ((port = survey_open(s)) < 0) {
			s->items = 0;
			done(s);
			return;
		}
		s->probe[s->probes++].index = port;
		if ((i = survey_ask(s, n, port, &s->place[0][0])) != NULL)
			i->must = i->control = true;
	}
	survey_run(s, mapped_over);
}

/* SPDX-License-Identifier: ISC */
/* Is there a translation, and on what does a mapping depend (RFC 5780 section
 * 4.3)? Also the ports that the other axes lean on: a control port whose
 * filters are all open, and a helper that has answers sent to it. */
#include "survey.h"

#include <string.h>

/* Different public addresses of a pool, until one fits. */
#define HELPERS 6

/* ---- translation: two ports, seen as they are or not */

static int
is_translated(const struct survey_item *i)
{
	const struct addr *seen = survey_seen(i);

	if (seen->family == ADDR_NONE)
		return 0;
	return addr_equal(seen, &i->answer.local) ? 1 : 2;
}

/* The same way again gives the same endpoint, whatever the NAT. */
static void
compare(struct survey *s, const struct survey_item *i)
{
	const struct addr *seen = survey_seen(i);

	if (seen->family != ADDR_NONE && s->seen[0][0].family != ADDR_NONE &&
	    !addr_equal(seen, &s->seen[0][0]))
		s->unsteady = true;
}

static void
translation_over(struct survey *s)
{
	struct survey_finding f = {.axis = "translation"};
	int value = 0;

	for (size_t n = 0; n < 2; n++) {
		const struct survey_item *i = &s->item[n];

		s->value[n] = is_translated(i);
		if (s->value[n] == 0)
			continue;
		f.base = i->answer.local;
		f.endpoint[f.endpoints++] = *survey_seen(i);
		f.server[f.servers++] = i->to;
	}
	compare(s, &s->item[0]);
	/* two ports can't be one to a server: answers would be ambiguous */
	if (f.endpoints == 2 && addr_equal(&f.endpoint[0], &f.endpoint[1]))
		s->unsteady = true;
	value = s->unsteady ? 0 : axes_agree(s->value, 2, &f.runs);
	if (value != 0)
		f.value = value == 1 ? "none" : "nat";
	else if (s->unsteady)
		f.reason = "unsteady";
	else
		f.reason = s->value[0] != 0 && s->value[1] != 0
			       ? "disagree"
			       : survey_why_open(s);
	s->translated = value == 1   ? AXES_NO
			: value == 2 ? AXES_YES
				     : AXES_OPEN;
	survey_tell(s, &f);
	survey_next(s);
}

static void
ask_place(struct survey *s, unsigned tag, int port, int address, int number)
{
	struct survey_item *i =
	    survey_ask(s, tag, port, &s->place[address][number]);

	if (i == NULL)
		return;
	i->must = true;
	/* the other places may not answer at all: that is not the path's loss */
	i->control = address == 0 && number == 0;
}

void
survey_translation(struct survey *s)
{
	ask_place(s, 0, s->control, 0, 0);
	ask_place(s, 1, 0, 0, 0);
	survey_run(s, translation_over);
}

/* ---- the control port and the helper */

static void find_helper(struct survey *s);

static void
try_redirect(struct survey *s)
{
	struct survey_item *i = NULL;

	for (unsigned n = 0; n < AXES_SENDS; n++) {
		i = survey_ask(s, 0, s->helper.index, &s->place[0][0]);
		if (i != NULL) {
			i->q.response_port = s->seen[0][0].port;
			i->q.response_port_long = s->response_port_long;
		}
	}
}

/* An answer at the control port: the server can. Anything else at the helper:
 * it can't, in this form. Silence in both forms is no proof, but then there is
 * no use of it either. */
static void
redirect_over(struct survey *s)
{
	bool no = false;

	for (size_t n = 0; n < AXES_SENDS; n++) {
		const struct survey_item *i = &s->item[n];

		if (survey_heard(i, &s->place[0][0], s->control))
			s->response_port = AXES_YES;
		else if (i->outcome == ASKER_ANSWER)
			no = true;
	}
	if (s->response_port == AXES_YES || survey_late(s)) {
		survey_filtering_proof(s);
		return;
	}
	if (no || ++s->rounds == 3) {
		if (s->response_port_long) {
			s->response_port = no ? AXES_NO : AXES_OPEN;
			survey_filtering_proof(s);
			return;
		}
		s->response_port_long = true;
		s->rounds = 0;
	}
	try_redirect(s);
	survey_run(s, redirect_over);
}

/* The server sends to another port of the address that it is asked from: so
 * the helper has to be seen with the control port's address. */
static void
helper_over(struct survey *s)
{
	s->helper.seen = *survey_seen(&s->item[0]);
	if (s->helper.seen.family == ADDR_NONE) {
		survey_filtering_proof(s);
		return;
	}
	if (!addr_equal_ip(&s->helper.seen, &s->seen[0][0])) {
		asker_close(s->asker, s->helper.index);
		find_helper(s);
		return;
	}
	try_redirect(s);
	survey_run(s, redirect_over);
}

static void
find_helper(struct survey *s)
{
	s->helper.seen = (struct addr){0};
	if (s->helpers++ == HELPERS || survey_late(s) ||
	    (s->helper.index = survey_open(s)) < 0) {
		survey_filtering_proof(s);
		return;
	}
	ask_place(s, 0, s->helper.index, 0, 0);
	survey_run(s, helper_over);
}

static void
control_over(struct survey *s)
{
	compare(s, &s->item[0]);
	for (size_t n = 0; n < 4; n++)
		if (s->known[n / 2][n % 2])
			s->seen[n / 2][n % 2] = *survey_seen(&s->item[n]);
	find_helper(s);
}

void
survey_control(struct survey *s)
{
	for (int n = 0; n < 4; n++)
		if (s->known[n / 2][n % 2])
			ask_place(s, (unsigned)n, s->control, n / 2, n % 2);
	survey_run(s, control_over);
}

/* ---- mapping */

static void next_run(struct survey *s);

static void
show(struct survey *s, struct survey_finding *f)
{
	for (unsigned r = 0; r < s->runs; r++) {
		for (int n = 0; n < 4; n++) {
			const struct addr *a = &s->run_seen[r][n / 2][n % 2];

			if (a->family == ADDR_NONE ||
			    f->endpoints == SURVEY_SHOWN)
				continue;
			f->endpoint[f->endpoints++] = *a;
			f->server[f->servers++] = s->place[n / 2][n % 2];
		}
	}
}

/* base is that of the first run, whose endpoints come first. */
static void
mapping_done(struct survey *s)
{
	struct survey_finding f = {.axis = "mapping"};

	s->mapping =
	    (enum axes_dependence)axes_agree(s->value, s->runs, &f.runs);
	if (s->unsteady)
		s->mapping = AXES_UNKNOWN;
	f.value = axes_dependence_name(s->mapping);
	f.base = s->base;
	show(s, &f);
	if (f.value == NULL && s->no_other != NULL)
		f.reason = s->no_other;
	else if (s->unsteady)
		f.reason = "unsteady";
	else if (f.value == NULL && survey_late(s))
		f.reason = "time";
	else if (f.value == NULL)
		f.reason =
		    s->value[s->runs - 1] != 0 ? "disagree" : "no-answer";
	survey_tell(s, &f);
	survey_next(s);
}

static void
run_over(struct survey *s)
{
	unsigned r = s->runs++;

	memset(s->run_seen[r], 0, sizeof(s->run_seen[r]));
	for (size_t n = 0; n < 3; n++) {
		const struct survey_item *i = &s->item[n];

		if (!s->known[i->tag / 2][i->tag % 2] || n >= s->rounds)
			continue;
		s->run_seen[r][i->tag / 2][i->tag % 2] = *survey_seen(i);
		if (r == 0 && survey_seen(i)->family != ADDR_NONE)
			s->base = i->answer.local;
	}
	s->value[r] = axes_mapping((const struct addr(*)[2])s->run_seen[r]);
	next_run(s);
}

/* Never B:P2, which has sent to a daemon's port unasked while the filter was
 * looked at: some NATs take that for a session of their own, and then give the
 * port's traffic to there another mapping. */
static void
ask_run(struct survey *s, int port)
{
	s->rounds = 0;
	for (int n = 0; n < 3; n++) {
		if (!s->known[n / 2][n % 2])
			continue;
		ask_place(s, (unsigned)n, port, n / 2, n % 2);
		s->rounds++;
	}
	survey_run(s, run_over);
}

/* Of a daemon's port both runs are about that port; else each has another. No
 * third one votes: answers are no matter of chance, so that where they differ
 * the NAT does (RFC 4787 REQ-7). */
static void
next_run(struct survey *s)
{
	int port = 0;

	if (s->runs == 2 || s->value[s->runs - 1] == AXES_UNKNOWN ||
	    s->no_other != NULL || survey_late(s)) {
		mapping_done(s);
		return;
	}
	if (s->runs > 0 && !s->shared) {
		if ((port = survey_open(s)) < 0) {
			mapping_done(s);
			return;
		}
		s->probe[s->probes++].index = port;
	}
	ask_run(s, port);
}

void
survey_mapping(struct survey *s)
{
	/* what one address alone shows is shown, though it proves nothing */
	ask_run(s, 0);
}

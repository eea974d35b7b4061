/* SPDX-License-Identifier: ISC */
/* Which external port does a fresh port get, and which address (RFC 4787
 * sections 4.2 and 4.1)? One port after the other, so that the order in which
 * the NAT sees them is ours whatever gets lost. Every fresh port of the survey
 * is evidence of pooling; the later ones are asked from at random times. */
#include "survey.h"

#include <sodium.h>
#include <string.h>

#define PORTS 10
#define RUNS 3
#define APART_MAX 16 /* ports more, for pooling, if need be */
#define WAIT_MS 600

static void next_port(struct survey *s);
static void pooling(struct survey *s);

/* Whoever else makes mappings behind this NAT at the asker's even pace (another
 * one of us that waits like this included) makes none or any number of them in
 * that time, odd or even: most waits are short, and some are long. */
static void
wait_apart(struct survey *s, survey_fn *then)
{
	uint32_t most = 1 + randombytes_uniform(WAIT_MS);

	s->apart = true;
	survey_wait(s, ASKER_GAP_MS + randombytes_uniform(most), then);
}

/* ---- pooling */

/* One port, but another public address for each of the server's addresses: in
 * two runs, for one may have seen the NAT get a new address. */
static bool
is_by_destination(const struct survey *s)
{
	unsigned apart = 0;

	for (unsigned r = 0; r < AXES_RUNS_MAX; r++) {
		const struct addr *a = &s->run_seen[r][0][0],
				  *b = &s->run_seen[r][1][0];

		apart += a->family != ADDR_NONE && b->family != ADDR_NONE &&
			 !addr_equal_ip(a, b);
	}
	return apart > 1;
}

static void
pooling_done(struct survey *s)
{
	struct survey_finding f = {.axis = "pooling", .runs = s->runs};
	enum axes_heard paired = axes_paired(&s->pool, &f.chance);

	if (is_by_destination(s)) {
		paired = AXES_NO;
		f.chance = 0;
	}
	s->apart = false;
	if (s->unsteady)
		f.reason = "unsteady";
	else if (paired == AXES_OPEN)
		f.reason =
		    s->pool.changes > 0 ? "disagree" : survey_why_open(s);
	else
		f.value = paired == AXES_YES ? "paired" : "arbitrary";
	for (size_t i = 0; i < s->pool.addresses; i++)
		f.endpoint[f.endpoints++] = s->pool.seen[i];
	if (is_by_destination(s) && f.endpoints < SURVEY_SHOWN)
		f.endpoint[f.endpoints++] = s->run_seen[0][1][0];
	survey_tell(s, &f);
	survey_next(s);
}

static void
pooling_ask(struct survey *s)
{
	struct survey_item *i = NULL;
	int port = survey_open(s);

	if (port < 0) {
		pooling_done(s);
		return;
	}
	s->probe[s->probes++].index = port;
	if ((i = survey_ask(s, 0, port, &s->place[0][0])) != NULL)
		i->control = true;
	survey_run(s, pooling);
}

/* The second run may have been enough. */
static void
pooling(struct survey *s)
{
	double chance = 0;

	if (axes_paired(&s->pool, &chance) != AXES_OPEN ||
	    is_by_destination(s) || s->unsteady || s->rounds++ == APART_MAX ||
	    survey_late(s))
		pooling_done(s);
	else
		wait_apart(s, pooling_ask);
}

/* ---- allocation */

static void
done(struct survey *s)
{
	struct survey_finding f = {.axis = "allocation"};
	int step[RUNS] = {0}, value = 0;
	double chance = 1, one = 1;

	for (unsigned r = 0; r < s->runs; r++) {
		s->value[r] =
		    axes_allocation(s->fresh[r], s->fresh_n[r], &step[r], &one);
		chance *= one;
		for (size_t i = 0; i < s->fresh_n[r]; i++)
			if (f.endpoints < SURVEY_SHOWN)
				f.endpoint[f.endpoints++] = s->fresh[r][i].seen;
	}
	f.chance = chance;
	value = axes_agree(s->value, s->runs, &f.runs);
	if (value == AXES_CONTIGUOUS && axes_agree(step, s->runs, &f.runs) == 0)
		value = 0;
	if (s->unsteady)
		value = 0;
	f.value = axes_allocation_name((enum axes_allocation)value);
	if (value == AXES_CONTIGUOUS)
		f.step = axes_agree(step, s->runs, &f.runs);
	if (f.value == NULL)
		f.reason = s->unsteady	    ? "unsteady"
			   : survey_late(s) ? "time"
					    : "disagree";
	survey_tell(s, &f);
	pooling(s);
}

static bool
is_settled(const struct survey *s)
{
	int value[RUNS], step[RUNS];
	unsigned agreeing = 0;
	double chance = 0;

	if (s->runs < 2)
		return false;
	for (unsigned r = 0; r < s->runs; r++)
		value[r] = axes_allocation(
		    s->fresh[r], s->fresh_n[r], &step[r], &chance);
	return axes_agree(value, s->runs, &agreeing) != 0;
}

static void
port_over(struct survey *s)
{
	struct axes_port *p = &s->fresh[s->runs][s->fresh_n[s->runs]];
	const struct survey_item *i = &s->item[0];

	if (survey_seen(i)->family != ADDR_NONE) {
		p->local = i->answer.local.port;
		p->seen = *survey_seen(i);
		s->fresh_n[s->runs]++;
	}
	/* one that has stayed silent may have taken its place in the order all
	 * the same: it only makes one greater step */
	next_port(s);
}

static void
ask_port(struct survey *s)
{
	struct survey_item *i = NULL;
	int port = survey_open(s);

	if (port < 0) {
		s->runs++;
		done(s);
		return;
	}
	s->probe[s->probes++].index = port;
	if ((i = survey_ask(s, 0, port, &s->place[0][0])) != NULL)
		i->must = i->control = true;
	survey_run(s, port_over);
}

/* The first run at the asker's pace: contiguous ports show best then. */
static void
next_port(struct survey *s)
{
	if (s->probes == (s->runs + 1) * PORTS) {
		s->runs++;
		if (s->runs == RUNS || is_settled(s)) {
			done(s);
			return;
		}
	}
	if (survey_late(s)) {
		s->runs++;
		done(s);
	} else if (s->runs > 0) {
		wait_apart(s, ask_port);
	} else {
		ask_port(s);
	}
}

void
survey_allocation(struct survey *s)
{
	memset(s->fresh_n, 0, sizeof(s->fresh_n));
	next_port(s);
}

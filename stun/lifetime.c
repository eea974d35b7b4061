/* SPDX-License-Identifier: ISC */
/* The search for a binding lifetime (RFC 5780 section 4.6). */
#include "lifetime.h"

#include <string.h>

/* A wrong "dead" of the last step in so many: its questions all got lost. */
#define SURE 10000.0
#define CERTAIN 99u

static const unsigned int cliffs[] = {10, 30, 60, 120, 180, LIFETIME_MAX_S};
#define CLIFFS (sizeof(cliffs) / sizeof(cliffs[0]))

void
lifetime_init(struct lifetime *l, unsigned int width, unsigned int sends,
    unsigned int least)
{
	memset(l, 0, sizeof(*l));
	l->width = width < 1		    ? 1
		   : width > LIFETIME_WIDTH ? LIFETIME_WIDTH
					    : width;
	l->sends = sends;
	l->least = least;
}

void
lifetime_loss(struct lifetime *l, uint64_t sent, uint64_t answered)
{
	if (sent > 0 && answered <= sent)
		l->loss = (unsigned int)((sent - answered) * 1000 / sent);
}

/* The chance, in 1 / SURE, that so many trials found nothing by loss. */
static double
by_loss(const struct lifetime *l, unsigned int trials)
{
	double chance = SURE;

	for (unsigned int i = 0; i < trials * l->sends; i++)
		chance *= l->loss / 1000.0;
	return chance;
}

static unsigned int
needed(const struct lifetime *l)
{
	unsigned int n = l->least;

	while (by_loss(l, n) > 1.0 && n < 50)
		n++;
	return n;
}

static unsigned int
longest(const struct lifetime *l)
{
	unsigned int v = LIFETIME_MAX_S;

	while (v > 0 && l->alive[v] == 0)
		v--;
	return v;
}

unsigned int
lifetime_dies(const struct lifetime *l)
{
	for (unsigned int v = longest(l) + 1; v <= LIFETIME_MAX_S; v++)
		if (l->dead[v] > 0)
			return v;
	return 0;
}

/* The shortest silence that was not survived although a longer one was, with
 * at least so many trials; 0 none. */
static unsigned int
conflict(const struct lifetime *l, unsigned int trials)
{
	unsigned int lo = longest(l);

	for (unsigned int v = 1; v < lo; v++)
		if (l->alive[v] == 0 && l->dead[v] >= trials)
			return v;
	return 0;
}

/* A conflict gets as many trials again before it counts as one. */
enum lifetime_state
lifetime_state(const struct lifetime *l)
{
	unsigned int lo = longest(l), hi = lifetime_dies(l);

	if (l->misses >= LIFETIME_LOST)
		return LIFETIME_GONE;
	if (lo != LIFETIME_MAX_S && (hi != lo + 1 || l->dead[hi] < needed(l)))
		return LIFETIME_OPEN;
	if (conflict(l, needed(l) + 1) != 0)
		return LIFETIME_UNSTABLE;
	if (conflict(l, needed(l)) != 0)
		return LIFETIME_OPEN;
	return lo == LIFETIME_MAX_S ? LIFETIME_ENDLESS : LIFETIME_FOUND;
}

unsigned int
lifetime_lives(const struct lifetime *l)
{
	unsigned int v = conflict(l, needed(l) + 1);

	if (v == 0)
		return longest(l);
	while (v > 0 && l->alive[v] == 0)
		v--;
	return v;
}

static bool
any_open(const struct lifetime *l, unsigned int from, unsigned int to)
{
	for (unsigned int v = from; v <= to; v++)
		if (l->open[v] > 0)
			return true;
	return false;
}

static size_t
start(struct lifetime *l, unsigned int out[LIFETIME_NEXT], size_t n,
    unsigned int v)
{
	if (n == LIFETIME_NEXT || l->open[v] > 0)
		return n;
	l->open[v]++;
	l->trials++;
	out[n] = v;
	return n + 1;
}

static size_t
next_cliffs(
    struct lifetime *l, unsigned int lo, unsigned int out[LIFETIME_NEXT])
{
	size_t n = 0;

	if (l->width == 1 && any_open(l, 1, LIFETIME_MAX_S))
		return 0;
	for (size_t i = 0; i < CLIFFS; i++) {
		if (cliffs[i] <= lo)
			continue;
		n = start(l, out, n, cliffs[i]);
		if (l->width == 1)
			return n;
	}
	return n;
}

/* As many values as may run at once, spread evenly. */
static size_t
next_inside(struct lifetime *l, unsigned int lo, unsigned int hi,
    unsigned int out[LIFETIME_NEXT])
{
	unsigned int inside = hi - lo - 1;
	unsigned int k = inside < l->width ? inside : l->width;
	size_t n = 0;

	if (any_open(l, lo + 1, hi - 1))
		return 0;
	for (unsigned int i = 1; i <= k; i++)
		n = start(l, out, n, lo + (inside + 1) * i / (k + 1));
	return n;
}

size_t
lifetime_next(struct lifetime *l, unsigned int out[LIFETIME_NEXT])
{
	unsigned int lo = longest(l), hi = lifetime_dies(l), v = 0;

	if (lifetime_state(l) != LIFETIME_OPEN)
		return 0;
	if (lo == LIFETIME_MAX_S ||
	    (hi == lo + 1 && l->dead[hi] >= needed(l))) {
		v = conflict(l, needed(l));
		return any_open(l, v, v) ? 0 : start(l, out, 0, v);
	}
	if (hi == 0)
		return next_cliffs(l, lo, out);
	if (hi == lo + 1)
		return start(l, out, 0, hi);
	return next_inside(l, lo, hi, out);
}

bool
lifetime_wanted(const struct lifetime *l, unsigned int seconds)
{
	unsigned int lo = longest(l), hi = lifetime_dies(l);

	if (lifetime_state(l) != LIFETIME_OPEN)
		return false;
	if (seconds < lo)
		return l->dead[seconds] > 0 && l->alive[seconds] == 0;
	return seconds > lo &&
	       (hi == 0 || seconds < hi || (seconds == hi && hi == lo + 1));
}

void
lifetime_give_up(struct lifetime *l, unsigned int seconds)
{
	if (l->open[seconds] > 0)
		l->open[seconds]--;
}

void
lifetime_tell(
    struct lifetime *l, unsigned int seconds, enum lifetime_result result)
{
	uint8_t *count =
	    result == LIFETIME_ALIVE ? &l->alive[seconds] : &l->dead[seconds];

	lifetime_give_up(l, seconds);
	if (result == LIFETIME_NOTHING) {
		l->misses++;
		return;
	}
	l->misses = 0;
	if (*count < UINT8_MAX)
		(*count)++;
}

unsigned int
lifetime_confidence(const struct lifetime *l)
{
	unsigned int hi = lifetime_dies(l);
	double wrong = 0;

	if (lifetime_state(l) != LIFETIME_FOUND || hi == 0)
		return CERTAIN; /* what was survived was survived */
	wrong = by_loss(l, l->dead[hi]) * 100 / SURE;
	return wrong < 1	 ? CERTAIN
	       : wrong > CERTAIN ? 0
				 : CERTAIN - (unsigned int)wrong;
}

unsigned int
lifetime_keepalive(unsigned int seconds)
{
	return seconds * 4 / 5 > 1 ? seconds * 4 / 5 : 1;
}

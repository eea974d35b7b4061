/* SPDX-License-Identifier: ISC */
/* The search for a binding lifetime (RFC 5780 section 4.6): which silences to
 * try next, by how the ones before have ended. Ascending cliffs find the
 * interval, then as many values inside it as may run at once, until two whole
 * seconds next to each other are left. Results in, silences out; no clock.
 *
 * A trial is one silence on one port or several: alive when one answer at
 * least came through, which proves it; dead when none came although the server
 * answered a control question meanwhile; else lost. */
#ifndef NATKIT_LIFETIME_H
#define NATKIT_LIFETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIFETIME_MAX_S 300
#define LIFETIME_WIDTH 10 /* greatest number of trials inside an interval */
#define LIFETIME_NEXT 16  /* room for what one lifetime_next gives */
/* Trials lost in a row that end the search. */
#define LIFETIME_LOST 12

enum lifetime_result {
	LIFETIME_ALIVE,
	LIFETIME_DEAD,
	LIFETIME_NOTHING, /* lost: it shows nothing */
};

enum lifetime_state {
	LIFETIME_OPEN,
	LIFETIME_FOUND,	   /* lifetime_lives is the answer */
	LIFETIME_ENDLESS,  /* every cliff was alive */
	LIFETIME_UNSTABLE, /* a shorter silence kills, a longer does not */
	LIFETIME_GONE,	   /* nothing but lost trials */
};

struct lifetime {
	unsigned int width;  /* trials at once inside an interval */
	unsigned int sends;  /* questions in one trial */
	unsigned int least;  /* dead trials that the last step needs */
	unsigned int loss;   /* of a question and its answer, in 1/1000 */
	unsigned int misses; /* lost trials in a row */
	unsigned int trials;
	uint8_t alive[LIFETIME_MAX_S + 1];
	uint8_t dead[LIFETIME_MAX_S + 1];
	uint8_t open[LIFETIME_MAX_S + 1]; /* under way */
};

/* width 1 is one port that serves for everything, one trial at a time. */
void lifetime_init(struct lifetime *l, unsigned int width, unsigned int sends,
    unsigned int least);
/* What questions that need no mapping have shown so far. */
void lifetime_loss(struct lifetime *l, uint64_t sent, uint64_t answered);
/* The silences to start now, in seconds, shortest first; they are under way
 * from then on. Returns how many. Call it after every result. */
size_t lifetime_next(struct lifetime *l, unsigned int out[LIFETIME_NEXT]);
/* Does a trial that is under way still matter? If not, give it up. */
bool lifetime_wanted(const struct lifetime *l, unsigned int seconds);
void lifetime_give_up(struct lifetime *l, unsigned int seconds);
void lifetime_tell(
    struct lifetime *l, unsigned int seconds, enum lifetime_result result);

enum lifetime_state lifetime_state(const struct lifetime *l);
/* The longest silence that was survived; with LIFETIME_UNSTABLE, the longest
 * below which nothing died. 0: none. */
unsigned int lifetime_lives(const struct lifetime *l);
/* The shortest that was not, or 0. */
unsigned int lifetime_dies(const struct lifetime *l);
/* Percent, at most 99, of what state says. */
unsigned int lifetime_confidence(const struct lifetime *l);
/* What to set a keepalive to: four fifths, at least 1. */
unsigned int lifetime_keepalive(unsigned int seconds);

#endif

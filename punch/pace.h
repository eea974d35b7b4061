/* SPDX-License-Identifier: ISC */
/* How fast packets may go to one peer: a token bucket and a least gap, so
 * that no input makes us a source of floods. In any second at most
 * PACE_BURST + PACE_RATE packets leave. */
#ifndef NATKIT_PACE_H
#define NATKIT_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_RATE 34u  /* packets a second, sustained */
#define PACE_BURST 18u /* three TTLs to six candidates at once */

/* What a packet is for: its gap to the one before, and how many tokens must
 * stay for more urgent ones. */
enum pace_class {
	PACE_ANSWER,  /* to a check of the peer: no gap */
	PACE_URGENT,  /* nominations, triggered checks, consent */
	PACE_ROUND,   /* low TTL after go */
	PACE_CHECK,   /* full TTL */
	PACE_OPENING, /* low TTL before go: leaves tokens for the rounds */
	PACE_CLASSES
};

struct pace {
	uint64_t spent_us; /* the bucket as a time: empty when at now */
	uint64_t last_us;  /* the latest packet */
};

void pace_init(struct pace *p, uint64_t now_us);
/* The earliest time at which a packet of the class may go (maybe past). */
uint64_t pace_at(const struct pace *p, enum pace_class class);
void pace_spend(struct pace *p, uint64_t now_us);

#endif

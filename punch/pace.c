/* SPDX-License-Identifier: ISC */
/* How fast packets may go to one peer: a token bucket and a least gap. */
#include "pace.h"

#define TOKEN_US (1000000u / PACE_RATE)

static const struct {
	uint64_t gap_us;
	uint64_t reserve; /* tokens */
} classes[PACE_CLASSES] = {
    [PACE_ANSWER] = {0, 0},
    [PACE_URGENT] = {5000, 1},
    [PACE_ROUND] = {5000, 2},
    [PACE_CHECK] = {10000, 2},
    [PACE_OPENING] = {5000, 12},
};

/* The bucket is kept as the time at which it would have been full: one token
 * is TOKEN_US of it. A clock that starts at 0 must not underflow. */
#define FULL_US ((uint64_t)PACE_BURST * TOKEN_US)

void
pace_init(struct pace *p, uint64_t now_us)
{
	p->spent_us = now_us;
	p->last_us = 0;
}

uint64_t
pace_at(const struct pace *p, enum pace_class class)
{
	/* A token and the reserve are left while spent + (1 + reserve)
	 * tokens <= now + a full bucket. */
	uint64_t need = p->spent_us + (1 + classes[class].reserve) * TOKEN_US;
	uint64_t tokens = need > FULL_US ? need - FULL_US : 0;
	uint64_t gap = p->last_us == 0 ? 0 : p->last_us + classes[class].gap_us;

	return tokens > gap ? tokens : gap;
}

void
pace_spend(struct pace *p, uint64_t now_us)
{
	if (p->spent_us < now_us)
		p->spent_us = now_us;
	p->spent_us += TOKEN_US;
	p->last_us = now_us;
}

/* SPDX-License-Identifier: ISC */
/* What a wire does to frames besides carrying them, as words: delay_ms=20
 * loss=0.5 ... The same words on nat-link's command line and control socket. */
#ifndef NATKIT_IMPAIRMENT_H
#define NATKIT_IMPAIRMENT_H

#include <stdint.h>

#include "record.h"

#define IMPAIRMENT_ALL 1000000 /* of the probabilities: 100 % */

struct impairment {
	uint64_t delay_us;
	uint64_t jitter_us; /* delay_us plus or minus this */
	uint64_t loss;	    /* in millionths, as the two below */
	uint64_t reorder;   /* leave without the delay */
	uint64_t duplicate;
	uint64_t rate_kbit; /* 0 is no limit */
	uint64_t seed;	    /* 32 bits */
	uint64_t queue_ms;  /* longest wait for the line, with a rate */
};

/* Nothing impaired; queue_ms is 200. */
void impairment_init(struct impairment *i, uint32_t seed);
/* Changes what the word says. Returns 0, -ENOENT for a key that is none,
 * -EBADMSG for another value than a number of that key's form, -ERANGE when it
 * is too great; *i is as it was on all of these. */
int impairment_set(struct impairment *i, const char *word);
/* All of them, in the order of nat-records(5). */
void impairment_put(const struct impairment *i, struct record *r);
/* What a value of this word's key may be, for people; NULL for no key. */
const char *impairment_range(const char *word);

#endif

/* SPDX-License-Identifier: ISC */
/* A calendar of equal slots of time, each for one question: so that questions
 * that have to leave at a certain moment, minutes from now, don't meet. */
#ifndef NATKIT_SLOTS_H
#define NATKIT_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#define SLOTS_MAX 40000

struct slots {
	uint8_t busy[SLOTS_MAX / 8];
};

/* The first slot from which on all of s + offset[0..n) are free; they are taken
 * then. Returns SIZE_MAX when there is none before the calendar ends. */
size_t slots_take(
    struct slots *s, size_t from, const size_t offset[], size_t n);

#endif

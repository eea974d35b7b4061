/* SPDX-License-Identifier: ISC */
/* A stream's credit (RFC 9000 section 4.1): what its sender may have sent beyond
 * what the reader behind us has taken. It doubles while the reader is so fast
 * that credit is what keeps the stream back, as TCP's receive buffer does. */
#ifndef NATKIT_WINDOW_H
#define NATKIT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct window {
	uint64_t size, max; /* bytes */
	uint64_t owed;	    /* credit that was not given yet */
	uint64_t taken;	    /* since `since_us` */
	uint64_t since_us;
};

void window_init(struct window *w, uint64_t size, uint64_t max);
/* The reader has taken n bytes. */
void window_took(struct window *w, uint64_t n);
/* By how much it should grow: not 0 when the reader took half a window within
 * two round trips. That it does is up to window_grow. */
uint64_t window_wants(struct window *w, uint64_t now_us, uint64_t rtt_us);
void window_grow(struct window *w, uint64_t by);
/* The credit to give now: 0, or at least a quarter of the window (small steps
 * would cost a frame each). */
uint64_t window_credit(struct window *w);

#endif

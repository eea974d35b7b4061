/* SPDX-License-Identifier: ISC */
/* A stream's credit, and how it grows. */
#include "window.h"

void
window_init(struct window *w, uint64_t size, uint64_t max)
{
	*w = (struct window){.size = size, .max = max};
}

void
window_took(struct window *w, uint64_t n)
{
	w->owed += n;
	w->taken += n;
}

uint64_t
window_wants(struct window *w, uint64_t now_us, uint64_t rtt_us)
{
	bool fast;

	if (w->since_us == 0) {
		w->since_us = now_us;
		w->taken = 0;
		return 0;
	}
	if (w->taken < w->size / 2)
		return 0;
	fast = now_us - w->since_us <= 2 * rtt_us;
	w->since_us = now_us;
	w->taken = 0;
	if (!fast || w->size >= w->max)
		return 0;
	return w->size < w->max - w->size ? w->size : w->max - w->size;
}

void
window_grow(struct window *w, uint64_t by)
{
	w->size += by;
	w->owed += by;
}

uint64_t
window_credit(struct window *w)
{
	uint64_t credit = w->owed;

	if (credit == 0 || credit < w->size / 4)
		return 0;
	w->owed = 0;
	return credit;
}

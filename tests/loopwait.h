/* SPDX-License-Identifier: ISC */
/* For tests with a loop and real sockets: runs the loop until something is so,
 * and fails the test when that takes far too long. */
#ifndef NATKIT_TESTS_LOOPWAIT_H
#define NATKIT_TESTS_LOOPWAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

#define LOOPWAIT_MS 20000

static inline void
loopwait_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	*(bool *)arg = true;
}

/* Runs the loop until *flag is not 0 (or less than ms passed and it is). */
static inline bool
loopwait_ms(struct loop *l, const int *flag, uint32_t ms)
{
	bool late = false;
	struct event *guard = loop_event(l, -1, 0, loopwait_cb, &late);

	loop_at(guard, now_ms() + ms);
	while (*flag == 0 && !late)
		event_base_loop(l->base, EVLOOP_ONCE);
	event_free(guard);
	return *flag != 0;
}

#define loopwait(l, flag) assert_true(loopwait_ms(l, flag, LOOPWAIT_MS))

#endif

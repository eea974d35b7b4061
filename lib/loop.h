/* SPDX-License-Identifier: ISC */
/* The event loop: libevent's base, the signals that end a program, the
 * monotonic clock. */
#ifndef NATKIT_LOOP_H
#define NATKIT_LOOP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct loop {
	struct event_base *base;
	struct event *sigint;
	struct event *sigterm;
	int code; /* what loop_run returns */
	bool ended;
};

/* any_fd: also regular files can be watched (a program that reads standard
 * input), at the cost of epoll. SIGINT and SIGTERM end the loop with code 0
 * and SIGPIPE is ignored. Exits 111 when libevent can't start. */
void loop_init(struct loop *l, bool any_fd);
void loop_free(struct loop *l);
/* Runs until loop_end, which may have been before; returns its code. */
int loop_run(struct loop *l);
void loop_end(struct loop *l, int code);
/* A new event, or exit 111. events is EV_READ|EV_PERSIST, 0 for a timer... */
struct event *loop_event(
    struct loop *l, int fd, short events, event_callback_fn cb, void *arg);
/* Arms a timer event for an absolute time on the monotonic clock. */
void loop_at(struct event *timer, uint64_t at_ms);

uint64_t now_ms(void);	/* monotonic */
uint64_t now_us(void);	/* monotonic */
uint64_t wall_ns(void); /* since 1970 */

#endif

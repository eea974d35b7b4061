/* SPDX-License-Identifier: ISC */
/* The event loop: libevent's base, the signals that end a program, the
 * monotonic clock. */
#include "loop.h"

#include <event2/event.h>
#include <signal.h>
#include <time.h>

#include "exitcode.h"
#include "log.h"

static void
signal_cb(evutil_socket_t sig, short events, void *arg)
{
	(void)sig;
	(void)events;
	loop_end(arg, EXIT_YES);
}

void
loop_init(struct loop *l, bool any_fd)
{
	struct event_config *cfg = event_config_new();

	if (cfg == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	if (any_fd)
		event_config_require_features(cfg, EV_FEATURE_FDS);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER);
	l->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (l->base == NULL)
		fatalx(EXIT_TEMP, "libevent has no event backend here");
	signal(SIGPIPE, SIG_IGN);
	l->sigint = evsignal_new(l->base, SIGINT, signal_cb, l);
	l->sigterm = evsignal_new(l->base, SIGTERM, signal_cb, l);
	if (l->sigint == NULL || l->sigterm == NULL ||
	    event_add(l->sigint, NULL) == -1 ||
	    event_add(l->sigterm, NULL) == -1)
		fatalx(EXIT_TEMP, "can't watch signals");
	l->code = EXIT_YES;
	l->ended = false;
}

void
loop_free(struct loop *l)
{
	event_free(l->sigint);
	event_free(l->sigterm);
	event_base_free(l->base);
	libevent_global_shutdown();
}

int
loop_run(struct loop *l)
{
	/* libevent forgets a break from before its loop */
	if (!l->ended && event_base_dispatch(l->base) == -1)
		return EXIT_INTERNAL;
	return l->code;
}

void
loop_end(struct loop *l, int code)
{
	l->code = code;
	l->ended = true;
	event_base_loopbreak(l->base);
}

struct event *
loop_event(
    struct loop *l, int fd, short events, event_callback_fn cb, void *arg)
{
	struct event *ev = event_new(l->base, fd, events, cb, arg);

	if (ev == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	return ev;
}

void
loop_at(struct event *timer, uint64_t at_ms)
{
	uint64_t now = now_ms();
	uint64_t wait = at_ms > now ? at_ms - now : 0;
	struct timeval tv = {
	    .tv_sec = (time_t)(wait / 1000),
	    .tv_usec = (suseconds_t)(wait % 1000 * 1000),
	};

	event_add(timer, &tv);
}

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000u;
}

uint64_t
now_us(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000u;
}

uint64_t
wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

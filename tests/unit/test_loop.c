/* SPDX-License-Identifier: ISC */
/* The event loop: how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop.h"

static void
end_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	loop_end(arg, 7);
}

static void
test_end(void **state)
{
	struct event *timer;
	struct loop l;

	(void)state;
	loop_init(&l, false);
	timer = loop_event(&l, -1, 0, end_cb, &l);
	loop_at(timer, now_ms());
	assert_int_equal(loop_run(&l), 7);
	event_free(timer);
	loop_free(&l);
}

/* What fails between loop_init and loop_run is not forgotten. */
static void
test_ended_before(void **state)
{
	struct loop l;

	(void)state;
	alarm(5); /* or it would run for ever */
	loop_init(&l, false);
	loop_end(&l, 7);
	assert_int_equal(loop_run(&l), 7);
	loop_free(&l);
	alarm(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_end),
	    cmocka_unit_test(test_ended_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

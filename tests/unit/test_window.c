/* SPDX-License-Identifier: ISC */
/* A stream's credit: what is taken is given back, in steps worth a frame, and it
 * grows for fast readers alone. */
#include "window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RTT 20000

static void
a_slow_reader_gets_no_more(void **state)
{
	struct window w;
	uint64_t now = 1;

	(void)state;
	window_init(&w, 1000, 16000);
	for (int i = 0; i < 100; i++) {
		window_took(&w, 100);
		/* half of it takes five steps: more than two round trips */
		now += RTT / 2;
		assert_int_equal(window_wants(&w, now, RTT), 0);
		window_credit(&w);
	}
}

static void
a_fast_reader_gets_twice_as_much_up_to_the_bound(void **state)
{
	struct window w;
	uint64_t now = 1, sizes = 0;

	(void)state;
	window_init(&w, 1000, 10000);
	for (int i = 0; i < 1000; i++) {
		uint64_t by;

		window_took(&w, 100);
		by = window_wants(&w, ++now, RTT);
		if (by > 0) {
			sizes++;
			assert_true(by <= w.size);
			window_grow(&w, by);
		}
		window_credit(&w);
	}
	assert_int_equal(w.size, 10000);
	assert_int_equal(sizes, 4); /* 2, 4, 8, 10 thousand */
}

static void
who_begins_after_a_pause_is_not_slow_for_ever(void **state)
{
	struct window w;
	uint64_t now = 100 * RTT, by = 0;

	(void)state;
	window_init(&w, 1000, 10000);
	window_took(&w, 500);
	window_wants(&w, 1, RTT);
	for (int i = 0; i < 20 && by == 0; i++) {
		window_took(&w, 100);
		by = window_wants(&w, ++now, RTT);
	}
	assert_int_equal(by, 1000);
}

static void
all_credit_comes_back_in_large_steps(void **state)
{
	struct window w;
	uint64_t given = 0, steps = 0;

	(void)state;
	window_init(&w, 1000, 1000);
	for (int i = 0; i < 1000; i++) {
		uint64_t c;

		window_took(&w, 10);
		c = window_credit(&w);
		given += c;
		steps += c > 0;
	}
	assert_int_equal(given, 10000);
	assert_int_equal(steps, 40);
	window_took(&w, 249);
	assert_int_equal(window_credit(&w), 0);
	window_took(&w, 1);
	assert_int_equal(window_credit(&w), 250);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_slow_reader_gets_no_more),
	    cmocka_unit_test(a_fast_reader_gets_twice_as_much_up_to_the_bound),
	    cmocka_unit_test(who_begins_after_a_pause_is_not_slow_for_ever),
	    cmocka_unit_test(all_credit_comes_back_in_large_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

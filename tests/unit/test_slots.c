/* SPDX-License-Identifier: ISC */
/* stun/slots: a calendar for questions. */
#include "slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
never_twice(void **state)
{
	static struct slots s;
	static uint8_t used[SLOTS_MAX];
	size_t offset[9], at = 0;

	(void)state;
	for (size_t length = 10; length < 3000; length += 97) {
		for (size_t i = 0; i < 9; i++)
			offset[i] = i < 3 ? i : length + i;
		at = slots_take(&s, 5, offset, 9);
		assert_in_range(at, 5, 2000);
		for (size_t i = 0; i < 9; i++)
			assert_int_equal(used[at + offset[i]]++, 0);
	}
}

static void
dense(void **state)
{
	static struct slots s;
	const size_t two[] = {0, 2};

	(void)state;
	assert_int_equal(slots_take(&s, 0, two, 2), 0);
	assert_int_equal(slots_take(&s, 0, two, 2), 1);
	assert_int_equal(slots_take(&s, 0, two, 2), 4);
	assert_int_equal(slots_take(&s, 7, two, 1), 8 - 1);
}

static void
the_end(void **state)
{
	static struct slots s;
	const size_t far[] = {0, SLOTS_MAX - 1};

	(void)state;
	assert_int_equal(slots_take(&s, 1, far, 2), SIZE_MAX);
	assert_int_equal(slots_take(&s, 0, far, 2), 0);
	assert_int_equal(slots_take(&s, 0, far, 2), SIZE_MAX);
	assert_int_equal(slots_take(&s, SLOTS_MAX, far, 1), SIZE_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(never_twice),
	    cmocka_unit_test(dense),
	    cmocka_unit_test(the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

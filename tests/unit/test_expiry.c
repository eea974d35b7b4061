/* SPDX-License-Identifier: ISC */
/* The first of many times, against a plain search. */
#include "expiry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define THINGS 100

static void
an_empty_one(void **state)
{
	struct expiry e;
	uint64_t at;
	uint32_t thing;

	(void)state;
	assert_int_equal(expiry_init(&e, 1), 0);
	assert_false(expiry_first(&e, &thing, &at));
	expiry_remove(&e, 0); /* is not there */
	expiry_set(&e, 0, 5);
	expiry_set(&e, 0, 3);
	assert_true(expiry_first(&e, &thing, &at));
	assert_int_equal(at, 3);
	expiry_remove(&e, 0);
	assert_false(expiry_first(&e, &thing, &at));
	expiry_free(&e);
}

static void
always_the_earliest(void **state)
{
	uint64_t times[THINGS], at, least;
	uint32_t x = 1, thing, n;
	struct expiry e;

	(void)state;
	memset(times, 0xff, sizeof(times));
	assert_int_equal(expiry_init(&e, THINGS), 0);
	for (int i = 0; i < 20000; i++) {
		x = x * 1664525 + 1013904223; /* any numbers, the same ones */
		thing = (x >> 8) % THINGS;
		if (x >> 30 == 0) {
			expiry_remove(&e, thing);
			times[thing] = UINT64_MAX;
		} else {
			times[thing] = (x >> 16) % 1000;
			expiry_set(&e, thing, times[thing]);
		}
		least = UINT64_MAX;
		n = 0;
		for (int k = 0; k < THINGS; k++) {
			least = times[k] < least ? times[k] : least;
			n += times[k] != UINT64_MAX;
		}
		assert_int_equal(e.n, n);
		assert_int_equal(expiry_first(&e, &thing, &at), n > 0);
		if (n == 0)
			continue;
		assert_int_equal(at, least);
		assert_int_equal(times[thing], least);
	}
	expiry_free(&e);
}

/* Some are taken from the middle; the rest comes in order. */
static void
in_order_to_the_end(void **state)
{
	uint32_t x = 1, thing;
	struct expiry e;
	uint64_t at, last;

	(void)state;
	assert_int_equal(expiry_init(&e, THINGS), 0);
	for (int round = 0; round < 1000; round++) {
		for (uint32_t i = 0; i < THINGS; i++) {
			x = x * 1664525 + 1013904223;
			expiry_set(&e, i, x >> 16);
		}
		for (int i = 0; i < THINGS / 3; i++) {
			x = x * 1664525 + 1013904223;
			expiry_remove(&e, (x >> 8) % THINGS);
		}
		for (last = 0; expiry_first(&e, &thing, &at); last = at) {
			assert_true(at >= last);
			expiry_remove(&e, thing);
		}
	}
	expiry_free(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_one),
	    cmocka_unit_test(always_the_earliest),
	    cmocka_unit_test(in_order_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

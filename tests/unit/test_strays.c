/* SPDX-License-Identifier: ISC */
/* strays: the counters of /proc, whatever they look like. */
#include "strays.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

static void
no_such_counter(void **state)
{
	uint64_t n = 7;
	int64_t m = 7;

	(void)state;
	assert_int_equal(strays_martian(&n, ""), -ENOENT);
	assert_int_equal(strays_martian(&n, "entries  in_hit\n1 2\n"), -ENOENT);
	assert_int_equal(
	    strays_martian(&n, "entries in_martian_src\n0000002a\n"), -ENOENT);
	assert_int_equal(strays_undelivered(&m, ""), -ENOENT);
	assert_int_equal(
	    strays_undelivered(&m, "Tcp: a b\nTcp: 1 2\n"), -ENOENT);
	assert_int_equal(strays_undelivered(&m, "Ip: InReceives\n"), -ENOENT);
	assert_int_equal(
	    strays_undelivered(&m, "Ip: InReceives InDelivers\nIp: 1 2\n"),
	    -ENOENT);
	assert_int_equal(n, 7);
	assert_int_equal(m, 7);
}

static void
sum_of_all_processors(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_int_equal(
	    strays_martian(&n, "entries  in_brd   in_martian_src out_hit \n"
			       "0000002a 00000000 00000083       00000000\n"
			       "0000002a 00000000 00000095       00000000\n"),
	    0);
	assert_int_equal(n, 0x83 + 0x95);
}

static void
undelivered(void **state)
{
	int64_t n = 0;

	(void)state;
	assert_int_equal(
	    strays_undelivered(&n,
		"Ip: Forwarding InReceives ForwDatagrams InDiscards "
		"InDelivers\n"
		"Ip: 1 100 20 3 70\nIcmp: a\n"),
	    0);
	assert_int_equal(n, 7);
}

static void
the_lesser_counts(void **state)
{
	struct strays a = {100, 10}, more = {105, 13}, less = {103, 20},
		      back = {90, 9};

	(void)state;
	assert_int_equal(strays_between(&a, &a), 0);
	assert_int_equal(strays_between(&a, &more), 3);
	assert_int_equal(strays_between(&a, &less), 3);
	assert_int_equal(strays_between(&a, &back), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_such_counter),
	    cmocka_unit_test(sum_of_all_processors),
	    cmocka_unit_test(undelivered),
	    cmocka_unit_test(the_lesser_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

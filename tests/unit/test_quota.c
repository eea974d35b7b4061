/* SPDX-License-Identifier: ISC */
/* Counts by address. */
#include "quota.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct addr
v4(uint32_t n)
{
	struct addr a = {.family = ADDR_V4};

	a.ip[0] = (uint8_t)(n >> 24);
	a.ip[1] = (uint8_t)(n >> 16);
	a.ip[2] = (uint8_t)(n >> 8);
	a.ip[3] = (uint8_t)n;
	return a;
}

static struct addr
v6(uint8_t site, uint8_t net, uint8_t host)
{
	struct addr a = {.family = ADDR_V6};

	a.ip[0] = 0x20;
	a.ip[5] = site;
	a.ip[7] = net;
	a.ip[15] = host;
	return a;
}

static void
an_address_has_no_more(void **state)
{
	struct addr a = v4(1), b = v4(2);
	struct quota q;

	(void)state;
	assert_int_equal(quota_init(&q, 16, 3), 0);
	for (int i = 0; i < 3; i++) {
		a.port = (uint16_t)i;
		assert_true(quota_take(&q, &a));
	}
	assert_false(quota_take(&q, &a));
	assert_true(quota_take(&q, &b));
	quota_give(&q, &a);
	assert_true(quota_take(&q, &a));
	assert_false(quota_take(&q, &a));
	assert_int_equal(quota_count(&q, &a), 3);
	quota_free(&q);
}

/* A network counts as one, a site as LIMIT_WIDE of them. */
static void
networks_and_sites(void **state)
{
	struct addr a;
	struct quota q;

	(void)state;
	assert_int_equal(quota_init(&q, 16, 2), 0);
	a = v6(1, 1, 1);
	assert_true(quota_take(&q, &a));
	a = v6(1, 1, 2);
	assert_true(quota_take(&q, &a));
	a = v6(1, 1, 3);
	assert_false(quota_take(&q, &a));
	a = v6(1, 2, 1);
	assert_true(quota_take(&q, &a));
	a = v6(1, 3, 1);
	assert_true(quota_take(&q, &a));
	a = v6(1, 4, 1);
	assert_false(quota_take(&q, &a));
	a = v6(2, 4, 1);
	assert_true(quota_take(&q, &a));
	a = v6(1, 3, 9);
	quota_give(&q, &a);
	a = v6(1, 4, 1);
	assert_true(quota_take(&q, &a));
	quota_free(&q);
}

/* Against plain counting: what was pushed on is found again. */
static void
any_order(void **state)
{
	enum {
		MAX = 64,
		ADDRESSES = 40
	};
	unsigned int count[ADDRESSES] = {0}, used = 0;
	struct quota q;

	(void)state;
	assert_int_equal(quota_init(&q, MAX, 0), 0);
	for (int step = 0; step < 200000; step++) {
		unsigned int i = randombytes_uniform(ADDRESSES);
		struct addr a = v4(i);

		if (used < MAX && randombytes_uniform(2) == 0) {
			assert_true(quota_take(&q, &a));
			count[i]++;
			used++;
		} else if (count[i] > 0) {
			quota_give(&q, &a);
			count[i]--;
			used--;
		}
		i = randombytes_uniform(ADDRESSES);
		a = v4(i);
		assert_int_equal(quota_count(&q, &a), count[i]);
	}
	quota_free(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_has_no_more),
	    cmocka_unit_test(networks_and_sites),
	    cmocka_unit_test(any_order),
	};

	return sodium_init() < 0 ||
	       cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

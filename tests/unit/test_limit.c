/* SPDX-License-Identifier: ISC */
/* Token buckets, alone and by address. */
#include "limit.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint8_t secret[LIMIT_KEY_LEN] = {1, 2, 3};

static struct addr
v4(uint32_t n)
{
	struct addr a = {.family = ADDR_V4, .port = 1};

	a.ip[0] = (uint8_t)(n >> 24);
	a.ip[1] = (uint8_t)(n >> 16);
	a.ip[2] = (uint8_t)(n >> 8);
	a.ip[3] = (uint8_t)n;
	return a;
}

static void
bucket_empties_and_fills(void **state)
{
	struct bucket b;

	(void)state;
	bucket_fill(&b, 3, 1000);
	for (int i = 0; i < 3; i++)
		assert_true(bucket_take(&b, 10, 3, 1000));
	assert_false(bucket_take(&b, 10, 3, 1000));
	/* 10 a second: one per 100 ms; asking early does not reset it */
	assert_false(bucket_take(&b, 10, 3, 1050));
	assert_false(bucket_take(&b, 10, 3, 1099));
	assert_true(bucket_take(&b, 10, 3, 1100));
	/* never above the burst */
	for (int i = 0; i < 3; i++)
		assert_true(bucket_take(&b, 10, 3, 900000));
	assert_false(bucket_take(&b, 10, 3, 900000));
}

static void
bucket_survives_its_clock(void **state)
{
	struct bucket b;
	uint64_t wrap = UINT64_C(1) << 32;

	(void)state;
	bucket_fill(&b, 1, wrap - 50);
	assert_true(bucket_take(&b, 10, 1, wrap - 50));
	assert_false(bucket_take(&b, 10, 1, wrap + 49));
	assert_true(bucket_take(&b, 10, 1, wrap + 50));
	/* the greatest rate and burst do not overflow */
	bucket_fill(&b, 3 * LIMIT_RATE_MAX, 0);
	assert_true(
	    bucket_take(&b, LIMIT_RATE_MAX, 3 * LIMIT_RATE_MAX, wrap - 1));
	assert_int_equal(b.milli, 3000000000u - 1000);
}

static void
addresses_are_apart(void **state)
{
	struct addr a = v4(1), b = v4(2), port = v4(1);
	struct limit l;

	(void)state;
	assert_int_equal(limit_init(&l, 1024, 1, 2, secret), 0);
	port.port = 99;
	assert_true(limit_take(&l, &a, 0));
	assert_true(limit_take(&l, &port, 0));
	assert_false(limit_take(&l, &a, 0)); /* ports share */
	assert_true(limit_take(&l, &b, 0));
	assert_true(limit_take(&l, &a, 1000));
	limit_free(&l);
}

static void
ipv6_counts_by_64(void **state)
{
	struct addr a = {.family = ADDR_V6, .ip = {0x20, 1}}, b = a, c = a;
	struct limit l;

	(void)state;
	b.ip[15] = 9;
	b.ip[8] = 9;
	c.ip[7] = 1;
	assert_int_equal(limit_init(&l, 1024, 1, 1, secret), 0);
	assert_true(limit_take(&l, &a, 0));
	assert_false(limit_take(&l, &b, 0));
	assert_true(limit_take(&l, &c, 0));
	limit_free(&l);
}

static void
a_site_has_many_networks(void **state)
{
	struct addr a = {.family = ADDR_V6, .ip = {0x20, 1}}, b = a, c = a;
	struct addr wide_a, wide_b, wide_c, four = v4(1);

	(void)state;
	b.ip[6] = b.ip[7] = b.ip[15] = 9;
	c.ip[5] = 1;
	assert_true(limit_wide(&a, &wide_a));
	assert_true(limit_wide(&b, &wide_b));
	assert_true(limit_wide(&c, &wide_c));
	assert_true(limit_hash(&wide_a, secret) == limit_hash(&wide_b, secret));
	assert_true(limit_hash(&wide_a, secret) != limit_hash(&wide_c, secret));
	/* not the first network of the site, and of no greater site */
	assert_true(limit_hash(&wide_a, secret) != limit_hash(&a, secret));
	assert_false(limit_wide(&wide_a, &wide_b));
	assert_false(limit_wide(&four, &wide_b));
}

/* A flood from more addresses than there are slots: whoever is over the rate
 * stays over it unless pushed out, and memory stays. */
static void
many_addresses(void **state)
{
	struct limit l;
	struct addr heavy = v4(0xffffffff);
	int refused = 0;

	(void)state;
	assert_int_equal(limit_init(&l, 4096, 1, 4, secret), 0);
	for (uint32_t i = 0; i < 3000; i++) {
		struct addr a = v4(i);

		assert_true(limit_take(&l, &a, 0));
		refused += !limit_take(&l, &heavy, 0);
	}
	/* the fullest bucket of a set goes first: never the heavy one */
	assert_int_equal(refused, 3000 - 4);
	assert_int_equal(limit_memory(&l), 4096 * 12);
	limit_free(&l);
}

static void
the_secret_decides(void **state)
{
	uint8_t other[LIMIT_KEY_LEN] = {9};
	struct addr a = v4(1);

	(void)state;
	assert_true(limit_hash(&a, secret) != limit_hash(&a, other));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bucket_empties_and_fills),
	    cmocka_unit_test(bucket_survives_its_clock),
	    cmocka_unit_test(addresses_are_apart),
	    cmocka_unit_test(ipv6_counts_by_64),
	    cmocka_unit_test(a_site_has_many_networks),
	    cmocka_unit_test(many_addresses),
	    cmocka_unit_test(the_secret_decides),
	};

	return sodium_init() == -1 ? 1
				   : cmocka_run_group_tests(tests, NULL, NULL);
}

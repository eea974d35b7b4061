/* SPDX-License-Identifier: ISC */
/* Bytes between what is kept and what is appended: never changed, never lost,
 * and never in more blocks than the purse allows. */
#include "blockq.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "purse_fixture.h"

static struct purse purse;
static struct blockq q;

static int
start(void **state)
{
	(void)state;
	budget = UINT64_MAX;
	used = 0;
	purse = purse_with(2);
	blockq_init(&q, &purse);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	blockq_clear(&q);
	assert_int_equal(purse.held, 0);
	assert_int_equal(used, 0);
	block_trim();
	return 0;
}

/* The byte at a place of the stream. */
static uint8_t
byte(uint64_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

static void
fill(const struct iovec *iov, size_t n, uint64_t at, size_t len)
{
	for (size_t i = 0; i < n && len > 0; i++)
		for (size_t k = 0; k < iov[i].iov_len && len > 0; k++, len--)
			((uint8_t *)iov[i].iov_base)[k] = byte(at++);
}

static void
check_ahead(void)
{
	struct iovec iov[8];
	uint64_t at = q.mark;
	size_t got, n = blockq_peek(&q, iov, 8, 100000, &got), sum = 0;

	assert_true(got <= 100000);
	for (size_t i = 0; i < n; i++) {
		assert_true(iov[i].iov_len > 0);
		for (size_t k = 0; k < iov[i].iov_len; k++)
			if (((uint8_t *)iov[i].iov_base)[k] != byte(at++))
				fail_msg("byte %llu changed",
				    (unsigned long long)at - 1);
		sum += iov[i].iov_len;
	}
	assert_int_equal(sum, got);
	if (got < blockq_ahead(&q))
		assert_true(got == 100000 || n == 8);
}

static void
a_purse_bounds_it(void **state)
{
	struct iovec iov[16];
	size_t len = 0, n;

	(void)state;
	budget = 3 * BLOCK_LEN;
	n = blockq_room(&q, iov, 16, 10 * BLOCK_LEN);
	for (size_t i = 0; i < n; i++)
		len += iov[i].iov_len;
	/* two are free, three are paid for */
	assert_int_equal(len, 5 * BLOCK_LEN);
	assert_int_equal(used, 3 * BLOCK_LEN);
	blockq_grow(&q, 1);
	assert_int_equal(used, 0); /* the rest was given back */
	assert_int_equal(purse.held, 1);
}

static void
without_budget_the_reserve_is_left(void **state)
{
	static uint8_t data[3 * BLOCK_LEN];

	(void)state;
	budget = 0;
	assert_int_equal(blockq_append(&q, data, sizeof(data)), -ENOMEM);
	assert_int_equal(blockq_len(&q), 0);
	assert_int_equal(purse.held, 0);
	assert_int_equal(blockq_append(&q, data, 2 * BLOCK_LEN), 0);
	assert_int_equal(blockq_append(&q, data, 1), -ENOMEM);
	blockq_advance(&q, 2 * BLOCK_LEN);
	blockq_release(&q, BLOCK_LEN);
	assert_int_equal(blockq_append(&q, data, 1), 0);
}

static void
nothing_is_released_before_it_is_used(void **state)
{
	(void)state;
	blockq_append(&q, "abcdef", 6);
	blockq_advance(&q, 2);
	blockq_release(&q, 100);
	assert_int_equal(q.begin, 2);
	blockq_advance(&q, 100);
	assert_int_equal(q.mark, 6);
}

static void
any_order_of_steps(void **state)
{
	(void)state;
	srandom(7);
	for (int i = 0; i < 20000; i++) {
		size_t len = (size_t)random() % (random() % 8 ? 3000 : 70000);
		struct iovec iov[8];
		uint8_t buf[3000];

		switch (random() % 5) {
		case 0:
			if (blockq_len(&q) > 500000)
				break;
			fill(iov, blockq_room(&q, iov, 8, 70000), q.end,
			    len % 70000);
			blockq_grow(&q, len % 70000);
			break;
		case 1:
			if (len > sizeof(buf))
				break;
			fill(&(struct iovec){buf, len}, 1, q.end, len);
			assert_int_equal(blockq_append(&q, buf, len), 0);
			break;
		case 2:
			blockq_advance(&q, len);
			break;
		default:
			blockq_release(&q, len);
			break;
		}
		assert_true(q.begin <= q.mark && q.mark <= q.end);
		assert_true(purse.held <= blockq_len(&q) / BLOCK_LEN + 2);
		assert_int_equal(
		    used, purse.held > 2 ? (purse.held - 2) * BLOCK_LEN : 0);
		if (i % 16 == 0)
			check_ahead();
	}
	assert_true(q.begin > 1000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_purse_bounds_it, start, end),
	    cmocka_unit_test_setup_teardown(
		without_budget_the_reserve_is_left, start, end),
	    cmocka_unit_test_setup_teardown(
		nothing_is_released_before_it_is_used, start, end),
	    cmocka_unit_test_setup_teardown(any_order_of_steps, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

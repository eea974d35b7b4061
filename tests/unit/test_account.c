/* SPDX-License-Identifier: ISC */
/* Accounts: who has no place left, who sends too much, whom we forget. */
#include "account.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct accounts *
table(struct accounts_config c)
{
	struct accounts *a;

	assert_int_equal(accounts_new(&a, &c), 0);
	return a;
}

static void
bad_limits(void **state)
{
	struct accounts *a = NULL;

	(void)state;
	assert_int_equal(
	    accounts_new(&a, &(struct accounts_config){.per_account = 1}),
	    -EINVAL);
	assert_int_equal(
	    accounts_new(&a, &(struct accounts_config){.max = 1}), -EINVAL);
	assert_int_equal(
	    accounts_new(&a,
		&(struct accounts_config){.max = UINT32_MAX, .per_account = 1}),
	    -EINVAL);
	assert_null(a);
	accounts_free(NULL);
}

static void
own_limit_is_not_the_tables(void **state)
{
	struct accounts *a =
	    table((struct accounts_config){.max = 2, .per_account = 2});
	struct account *x, *y;
	char name[ACCOUNT_NAME_MAX + 2];
	bool mine;

	(void)state;
	x = accounts_take(a, "x", 0, &mine);
	assert_non_null(x);
	assert_ptr_equal(accounts_take(a, "x", 0, &mine), x);
	assert_null(accounts_take(a, "x", 0, &mine));
	assert_true(mine);
	y = accounts_take(a, "y", 0, &mine);
	assert_non_null(y);
	assert_null(accounts_take(a, "z", 0, &mine)); /* full */
	assert_false(mine);
	accounts_release(a, x);
	assert_null(accounts_take(a, "z", 0, &mine)); /* x has one yet */
	assert_ptr_equal(accounts_take(a, "x", 0, &mine), x);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_null(accounts_take(a, name, 0, &mine));
	assert_false(mine);
	accounts_free(a);
}

static void
forgets_who_left_first(void **state)
{
	struct accounts *a =
	    table((struct accounts_config){.max = 3, .per_account = 1});
	struct account *x, *y, *z, *w;
	const struct account *seen;
	uint64_t position = 0;
	bool mine;

	(void)state;
	x = accounts_take(a, "x", 0, &mine);
	y = accounts_take(a, "y", 0, &mine);
	z = accounts_take(a, "z", 0, &mine);
	assert_true(accounts_spend(a, x, y, 3, 300, 0));
	accounts_release(a, y);
	accounts_release(a, x);
	/* comes back: counters are still there, and it isn't to be forgotten */
	assert_ptr_equal(accounts_take(a, "y", 0, &mine), y);
	assert_int_equal(y->packets_out, 3);
	w = accounts_take(a, "w", 0, &mine);
	assert_ptr_equal(w, x);
	assert_string_equal(w->name, "w");
	assert_int_equal(w->packets_in, 0);
	assert_null(accounts_take(a, "x", 0, &mine));
	accounts_release(a, z);
	assert_ptr_equal(accounts_take(a, "x", 0, &mine), z);
	while (accounts_next(a, &position, &seen))
		assert_int_equal(seen->used, 1);
	assert_int_equal(position, 3);
	accounts_free(a);
}

static void
many_names_and_flat_memory(void **state)
{
	struct accounts *a =
	    table((struct accounts_config){.max = 1000, .per_account = 1});
	size_t memory = accounts_memory(a);
	struct account *keep, *acc;
	struct accounts_total total;
	char name[32];
	bool mine;

	(void)state;
	keep = accounts_take(a, "keep", 0, &mine);
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		acc = accounts_take(a, name, 0, &mine);
		assert_non_null(acc);
		assert_string_equal(acc->name, name);
		accounts_release(a, acc);
	}
	assert_string_equal(keep->name, "keep");
	accounts_sum(a, &total);
	assert_int_equal(total.accounts, 1000);
	assert_int_equal(accounts_memory(a), memory);
	accounts_free(a);
}

static unsigned int
send_for(struct accounts *a, struct account *from, unsigned int each_ms,
    size_t bytes, uint64_t from_ms, uint64_t to_ms)
{
	unsigned int n = 0;

	for (uint64_t t = from_ms; t < to_ms; t++)
		for (unsigned int i = 0; i < each_ms; i++)
			n += accounts_spend(a, from, NULL, 1, bytes, t);
	return n;
}

static void
packets_of_one_are_limited(void **state)
{
	struct accounts *a = table((struct accounts_config){
	    .max = 2, .per_account = 1, .packets_s = 1000});
	struct account *x, *y;
	bool mine;

	(void)state;
	x = accounts_take(a, "x", 5000, &mine);
	y = accounts_take(a, "y", 5000, &mine);
	/* a burst of a quarter second, then the rate: not more, nor less */
	assert_int_equal(send_for(a, x, 10, 100, 5000, 6000), 250 + 999);
	assert_int_equal(x->packets_in, 1249);
	assert_int_equal(x->bytes_in, 124900);
	assert_int_equal(x->dropped, 10000 - 1249);
	/* which is not the others' loss */
	assert_true(accounts_spend(a, y, x, 250, 1, 6000));
	assert_int_equal(x->packets_out, 250);
	/* a clock that stands still or goes back gives nothing */
	assert_false(accounts_spend(a, y, x, 1, 1, 6000));
	assert_false(accounts_spend(a, y, x, 1, 1, 10));
	/* nor does a long wait give more than the burst */
	assert_false(accounts_spend(a, y, x, 251, 1, UINT64_MAX / 2));
	assert_true(accounts_spend(a, y, x, 250, 1, UINT64_MAX / 2));
	accounts_free(a);
}

static void
bytes_of_one_are_limited(void **state)
{
	struct accounts *a = table((struct accounts_config){
	    .max = 2, .per_account = 1, .bytes_s = 1000000});
	struct account *x;
	bool mine;

	(void)state;
	x = accounts_take(a, "x", 0, &mine);
	/* 250 kB, then 1 kB each millisecond */
	assert_int_equal(send_for(a, x, 10, 500, 0, 1000), 500 + 2 * 999);
	/* to a user from whom has none: the user pays */
	assert_false(accounts_spend(a, NULL, x, 1, 1000, 999));
	assert_int_equal(x->packets_out, 0);
	assert_true(accounts_spend(a, NULL, x, 1, 1000, 1000));
	assert_int_equal(x->bytes_out, 1000);
	accounts_free(a);
}

static void
all_together_are_limited(void **state)
{
	struct accounts *a = table((struct accounts_config){.max = 10,
	    .per_account = 1,
	    .all_packets_s = 1000,
	    .all_bytes_s = 4000000000});
	struct accounts_total total;
	unsigned int n = 0;
	char name[2] = "a";
	bool mine;

	(void)state;
	for (; name[0] < 'k'; name[0]++)
		n += send_for(
		    a, accounts_take(a, name, 0, &mine), 100, 100, 0, 1);
	assert_int_equal(n, 250);
	accounts_sum(a, &total);
	assert_int_equal(total.packets, 250);
	assert_int_equal(total.bytes, 25000);
	assert_int_equal(total.dropped, 750);
	accounts_free(a);
}

static void
a_train_fits_the_least_rate(void **state)
{
	struct accounts *a = table((struct accounts_config){
	    .max = 1, .per_account = 1, .packets_s = 1, .bytes_s = 1});
	struct account *x;
	bool mine;

	(void)state;
	x = accounts_take(a, "x", 0, &mine);
	assert_true(accounts_spend(
	    a, x, NULL, ACCOUNT_BURST_PACKETS, ACCOUNT_BURST_BYTES, 0));
	assert_false(accounts_spend(a, x, NULL, 1, 1, 999));
	assert_true(accounts_spend(a, x, NULL, 1, 1, 1000));
	accounts_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_limits),
	    cmocka_unit_test(own_limit_is_not_the_tables),
	    cmocka_unit_test(forgets_who_left_first),
	    cmocka_unit_test(many_names_and_flat_memory),
	    cmocka_unit_test(packets_of_one_are_limited),
	    cmocka_unit_test(bytes_of_one_are_limited),
	    cmocka_unit_test(all_together_are_limited),
	    cmocka_unit_test(a_train_fits_the_least_rate),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

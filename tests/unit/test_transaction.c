/* SPDX-License-Identifier: ISC */
/* transaction: the schedule of RFC 8489 section 6.2.1. */
#include "transaction.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>
#include <string.h>

#define START UINT64_C(5000000000) /* past 32 bits: uptime is no excuse */

/* Steps through each millisecond; sends must come at exactly these. */
static void
expect_schedule(
    uint32_t rto_ms, const uint64_t sends[TRANSACTION_RC], uint64_t fail_ms)
{
	struct transaction t;
	unsigned int n = 0;

	transaction_start(&t, START, rto_ms);
	for (uint64_t ms = 0; ms < fail_ms; ms++) {
		enum transaction_action action =
		    transaction_step(&t, START + ms);

		if (n < TRANSACTION_RC && ms == sends[n]) {
			assert_int_equal(action, TRANSACTION_SEND);
			assert_true(t.last_ms == START + ms);
			n++;
			assert_int_equal(t.sent, n);
			assert_true(
			    t.next_ms ==
			    START + (n < TRANSACTION_RC ? sends[n] : fail_ms));
		} else {
			assert_int_equal(action, TRANSACTION_WAIT);
		}
	}
	assert_int_equal(n, TRANSACTION_RC);
	assert_true(t.start_ms == START);
	assert_int_equal(
	    transaction_step(&t, START + fail_ms), TRANSACTION_FAIL);
	assert_int_equal(
	    transaction_step(&t, START + fail_ms), TRANSACTION_FAIL);
	assert_int_equal(t.sent, TRANSACTION_RC);
}

static void
test_rfc8489(void **state)
{
	(void)state;
	expect_schedule(TRANSACTION_RTO_MS,
	    (const uint64_t[]){0, 500, 1500, 3500, 7500, 15500, 31500}, 39500);
}

static void
test_known_round_trip(void **state)
{
	(void)state;
	expect_schedule(
	    20, (const uint64_t[]){0, 20, 60, 140, 300, 620, 1260}, 1580);
	/* a round trip of less than a millisecond still doubles */
	expect_schedule(0, (const uint64_t[]){0, 1, 3, 7, 15, 31, 63}, 79);
}

/* A laptop that slept through the schedule sends once, not a burst. */
static void
test_late_steps(void **state)
{
	struct transaction t;

	(void)state;
	transaction_start(&t, START, TRANSACTION_RTO_MS);
	assert_int_equal(transaction_step(&t, START), TRANSACTION_SEND);
	assert_int_equal(
	    transaction_step(&t, START + 100000), TRANSACTION_SEND);
	assert_int_equal(
	    transaction_step(&t, START + 100000), TRANSACTION_WAIT);
	assert_int_equal(
	    transaction_step(&t, START + 100999), TRANSACTION_WAIT);
	assert_int_equal(
	    transaction_step(&t, START + 101000), TRANSACTION_SEND);
}

/* Sent later than made: the intervals count from the send. */
static void
test_first_step_late(void **state)
{
	struct transaction t;

	(void)state;
	transaction_start(&t, START, TRANSACTION_RTO_MS);
	assert_int_equal(t.sent, 0);
	assert_true(t.next_ms == START);
	assert_int_equal(transaction_step(&t, START + 40), TRANSACTION_SEND);
	assert_true(t.start_ms == START + 40);
	assert_true(t.next_ms == START + 540);
}

static void
test_fresh_ids(void **state)
{
	struct transaction a, b;

	(void)state;
	transaction_start(&a, 0, TRANSACTION_RTO_MS);
	transaction_start(&b, 0, TRANSACTION_RTO_MS);
	assert_memory_not_equal(a.tid, b.tid, STUN_TID_LEN);
	assert_false(sodium_is_zero(a.tid, STUN_TID_LEN));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rfc8489),
	    cmocka_unit_test(test_known_round_trip),
	    cmocka_unit_test(test_late_steps),
	    cmocka_unit_test(test_first_step_late),
	    cmocka_unit_test(test_fresh_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

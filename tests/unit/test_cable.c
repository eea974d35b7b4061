/* SPDX-License-Identifier: ISC */
/* One direction of a wire, with a clock of the test's own. */
#include "cable.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000u
#define US 1000u
#define SLOTS 64

static void
fresh(struct cable *c, const char *words)
{
	struct impairment is;
	char text[200], *word, *rest = text;

	assert_int_equal(cable_init(c, SLOTS, 0), 0);
	impairment_init(&is, 7);
	snprintf(text, sizeof(text), "%s", words);
	while ((word = strsep(&rest, " ")) != NULL)
		assert_int_equal(impairment_set(&is, word), 0);
	cable_set(c, &is, 0);
}

/* Takes and releases what is due; returns the slot. */
static int
send_one(struct cable *c, uint64_t now)
{
	int slot = cable_take(c, now);

	if (slot != CABLE_NONE)
		cable_release(c, slot);
	return slot;
}

static void
delay_is_exact(void **state)
{
	struct cable c;
	int first, second;

	(void)state;
	fresh(&c, "delay_ms=20.5");
	assert_true(cable_next(&c) == CABLE_NEVER);
	first = cable_put(&c, 1000 * MS, 100);
	second = cable_put(&c, 1001 * MS, 100);
	assert_true(cable_next(&c) == 1020 * MS + 500 * US);
	assert_int_equal(cable_take(&c, 1020 * MS), CABLE_NONE);
	assert_int_equal(send_one(&c, 1020 * MS + 500 * US), first);
	assert_int_equal(cable_take(&c, 1021 * MS + 500 * US - 1), CABLE_NONE);
	assert_int_equal(send_one(&c, 1021 * MS + 500 * US), second);
	assert_true(cable_next(&c) == CABLE_NEVER);
	cable_free(&c);
}

static void
jitter_stays_within_and_keeps_the_order(void **state)
{
	struct cable c;
	uint64_t low = UINT64_MAX, high = 0, sum = 0;
	int n = 20000;

	(void)state;
	fresh(&c, "delay_ms=20 jitter_ms=5");
	/* far apart: each has its own delay */
	for (int i = 0; i < n; i++) {
		uint64_t now = (uint64_t)i * 100 * MS, d;

		assert_int_not_equal(cable_put(&c, now, 100), CABLE_NONE);
		d = cable_next(&c) - now;
		low = d < low ? d : low;
		high = d > high ? d : high;
		sum += d;
		send_one(&c, cable_next(&c));
	}
	assert_true(low >= 15 * MS && low < 15 * MS + 10 * US);
	assert_true(high <= 25 * MS && high > 25 * MS - 10 * US);
	assert_in_range(sum / (uint64_t)n, 19900 * US, 20100 * US);
	/* close together: in order all the same */
	for (int round = 0; round < 100; round++) {
		uint64_t now = (uint64_t)(n + round) * 100 * MS, last = 0;
		int slots[SLOTS];

		for (unsigned i = 0; i < SLOTS; i++)
			slots[i] = cable_put(&c, now + i * US, 100);
		for (unsigned i = 0; i < SLOTS; i++) {
			assert_true(cable_next(&c) >= last);
			last = cable_next(&c);
			assert_int_equal(cable_take(&c, last), slots[i]);
		}
		for (unsigned i = 0; i < SLOTS; i++)
			cable_release(&c, slots[i]);
	}
	assert_true(c.stats.reordered == 0);
	cable_free(&c);
}

/* Which of n frames get lost, as a bit pattern's hash, and how many. */
static uint64_t
losses(struct cable *c, int n, int *count)
{
	uint64_t hash = 0xcbf29ce484222325;

	*count = 0;
	for (int i = 0; i < n; i++) {
		int lost = cable_put(c, (uint64_t)i * MS, 100) == CABLE_NONE;

		hash = (hash ^ (uint64_t)lost) * 0x100000001b3;
		*count += lost;
		while (send_one(c, UINT64_MAX - 1) != CABLE_NONE)
			;
	}
	return hash;
}

static void
one_seed_loses_the_same_frames(void **state)
{
	struct cable a, b, c, d;
	struct impairment is;
	int n[4];
	uint64_t hash;

	(void)state;
	fresh(&a, "loss=5");
	hash = losses(&a, 20000, &n[0]);
	assert_in_range(n[0], 900, 1100);
	assert_true(a.stats.lost == (uint64_t)n[0]);
	assert_true(a.stats.frames == 20000 && a.stats.bytes == 2000000);
	assert_true(a.stats.sent == 20000 - a.stats.lost);
	/* whatever else is set */
	fresh(&b, "loss=5 delay_ms=3 jitter_ms=2 reorder=10 duplicate=10");
	assert_true(losses(&b, 20000, &n[1]) == hash);
	/* another seed; the other direction of the same one */
	fresh(&c, "loss=5 seed=8");
	assert_true(losses(&c, 20000, &n[2]) != hash);
	assert_int_equal(cable_init(&d, SLOTS, 1), 0);
	cable_set(&d, &a.is, 1);
	assert_true(losses(&d, 20000, &n[3]) != hash);
	/* the seed again starts it again, and nothing else does */
	is = c.is;
	is.seed = 7;
	cable_set(&c, &is, 0);
	cable_set(&c, &is, 0);
	assert_true(losses(&c, 20000, &n[2]) == hash);
	assert_true(losses(&c, 20000, &n[2]) != hash);
	cable_free(&a);
	cable_free(&b);
	cable_free(&c);
	cable_free(&d);
}

static void
loss_of_none_all_and_a_little(void **state)
{
	struct cable c;
	int n;

	(void)state;
	fresh(&c, "loss=0");
	losses(&c, 10000, &n);
	assert_int_equal(n, 0);
	cable_free(&c);
	fresh(&c, "loss=100");
	losses(&c, 10000, &n);
	assert_int_equal(n, 10000);
	cable_free(&c);
	fresh(&c, "loss=0.05");
	losses(&c, 200000, &n);
	assert_in_range(n, 70, 130);
	cable_free(&c);
}

static void
rate_takes_its_time_and_drops_the_tail(void **state)
{
	struct cable c;
	uint64_t at = 0;
	int taken = 0;

	(void)state;
	/* 1250 bytes at 1 Mbit/s are 10 ms; a wait of more than 50 ms is too
	 * long: one is on the line, five wait */
	fresh(&c, "rate_kbit=1000 queue_ms=50 delay_ms=7");
	for (int i = 0; i < 20; i++)
		taken += cable_put(&c, 0, 1250) != CABLE_NONE;
	assert_int_equal(taken, 6);
	assert_true(c.stats.tail == 14);
	for (unsigned i = 1; i <= 6; i++) {
		at = cable_next(&c);
		assert_true(at == (i * 10 + 7) * MS);
		send_one(&c, at);
	}
	/* the line is free again, and bursts are not saved up */
	assert_int_not_equal(cable_put(&c, 500 * MS, 1250), CABLE_NONE);
	assert_true(cable_next(&c) == 517 * MS);
	cable_free(&c);
}

static void
slots_run_out_and_come_back(void **state)
{
	struct cable c;
	bool seen[SLOTS] = {false};

	(void)state;
	fresh(&c, "duplicate=100 delay_ms=1");
	for (int i = 0; i < SLOTS; i++) {
		int slot = cable_put(&c, 0, 60);

		assert_in_range(slot, 0, SLOTS - 1);
		assert_false(seen[slot]);
		seen[slot] = true;
	}
	assert_int_equal(cable_put(&c, 0, 60), CABLE_NONE);
	assert_true(c.stats.full == 1);
	/* the first copy does not free the slot, the second does */
	assert_int_not_equal(send_one(&c, MS), CABLE_NONE);
	assert_int_equal(cable_put(&c, MS, 60), CABLE_NONE);
	assert_int_not_equal(send_one(&c, MS), CABLE_NONE);
	assert_int_not_equal(cable_put(&c, MS, 60), CABLE_NONE);
	while (send_one(&c, 10 * MS) != CABLE_NONE)
		;
	assert_true(c.stats.sent == 2 * (SLOTS + 1));
	assert_true(c.stats.duplicated == SLOTS + 1);
	cable_free(&c);
}

static void
a_copy_follows_at_once(void **state)
{
	struct cable c;
	int first, second;

	(void)state;
	fresh(&c, "duplicate=100 delay_ms=1");
	first = cable_put(&c, 0, 60);
	second = cable_put(&c, 0, 60);
	assert_int_equal(cable_take(&c, MS), first);
	assert_int_equal(cable_take(&c, MS), first);
	assert_int_equal(cable_take(&c, MS), second);
	assert_int_equal(cable_take(&c, MS), second);
	assert_int_equal(cable_take(&c, MS), CABLE_NONE);
	cable_free(&c);
}

static void
reordered_frames_overtake(void **state)
{
	struct cable c;
	int a, b;

	(void)state;
	fresh(&c, "delay_ms=20");
	a = cable_put(&c, 0, 60);
	impairment_set(&c.is, "reorder=100");
	b = cable_put(&c, 5 * MS, 60);
	assert_int_equal(send_one(&c, 5 * MS), b);
	assert_int_equal(send_one(&c, 20 * MS), a);
	assert_true(c.stats.reordered == 1);
	/* with nobody to overtake it is none */
	cable_put(&c, 100 * MS, 60);
	assert_true(c.stats.reordered == 1);
	cable_free(&c);
}

static void
a_shorter_delay_waits_for_what_is_on_its_way(void **state)
{
	struct cable c;
	struct impairment is;
	int a, b;

	(void)state;
	fresh(&c, "delay_ms=50");
	a = cable_put(&c, 0, 60);
	is = c.is;
	is.delay_us = 0;
	cable_set(&c, &is, 0);
	b = cable_put(&c, 10 * MS, 60);
	assert_int_equal(send_one(&c, 49 * MS), CABLE_NONE);
	assert_int_equal(send_one(&c, 50 * MS), a);
	assert_int_equal(send_one(&c, 50 * MS), b);
	cable_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(delay_is_exact),
	    cmocka_unit_test(jitter_stays_within_and_keeps_the_order),
	    cmocka_unit_test(one_seed_loses_the_same_frames),
	    cmocka_unit_test(loss_of_none_all_and_a_little),
	    cmocka_unit_test(rate_takes_its_time_and_drops_the_tail),
	    cmocka_unit_test(slots_run_out_and_come_back),
	    cmocka_unit_test(a_copy_follows_at_once),
	    cmocka_unit_test(reordered_frames_overtake),
	    cmocka_unit_test(a_shorter_delay_waits_for_what_is_on_its_way),
	};

	return cmocka_run_group_tests_name("cable", tests, NULL, NULL);
}

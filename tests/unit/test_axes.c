/* SPDX-License-Identifier: ISC */
/* axes: silence means something only as far as control questions say, and
 * every kind of NAT is named by what it shows, or not at all. */
#include "axes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "addr_fixture.h"

/* ---- silence */

static void
silence_without_controls_says_nothing(void **state)
{
	struct axes_rate none = {0}, dead = {40, 0};

	(void)state;
	assert_int_equal(axes_heard(4, 0, none), AXES_OPEN);
	assert_int_equal(axes_heard(40, 0, none), AXES_OPEN);
	assert_int_equal(axes_heard(40, 0, dead), AXES_OPEN);
}

static void
three_sends_are_never_silence(void **state)
{
	struct axes_rate perfect = {1000, 1000};

	(void)state;
	assert_true(axes_silence(3, perfect) < AXES_CHANCE);
	assert_int_equal(axes_heard(3, 0, perfect), AXES_OPEN);
	assert_int_equal(axes_heard(4, 0, perfect), AXES_NO);
}

static void
one_answer_is_an_answer(void **state)
{
	struct axes_rate none = {0};

	(void)state;
	assert_int_equal(axes_heard(1, 1, none), AXES_YES);
	assert_int_equal(axes_heard(40, 1, none), AXES_YES);
}

/* Four that were lost by chance are no reason to say that two differ. */
static void
silence_beside_an_answer_needs_more(void **state)
{
	struct axes_rate good = {60, 60};
	unsigned n = AXES_SENDS;

	(void)state;
	assert_int_equal(axes_heard_beside(4, 0, good, false), AXES_NO);
	assert_int_equal(axes_heard_beside(4, 0, good, true), AXES_OPEN);
	assert_int_equal(axes_heard_beside(5, 1, good, true), AXES_YES);
	while (n < AXES_SENDS_MAX &&
	       axes_heard_beside(n, 0, good, true) == AXES_OPEN)
		n++;
	assert_int_equal(axes_heard_beside(n, 0, good, true), AXES_NO);
	assert_true(axes_silence(n, good) < AXES_CHANCE * AXES_CHANCE);
}

/* The chance is that of the mean over rates: exact for small numbers. */
static void
silence_by_hand(void **state)
{
	struct axes_rate none = {0}, one = {1, 1};

	(void)state;
	/* all rates alike: integral of (1-p) dp, (1-p)^2 dp */
	assert_true(axes_silence(0, none) == 1);
	assert_true(axes_silence(1, none) == 0.5);
	assert_true(
	    axes_silence(2, none) > 0.333 && axes_silence(2, none) < 0.334);
	/* after one answer: integral of 2p(1-p) dp */
	assert_true(
	    axes_silence(1, one) > 0.333 && axes_silence(1, one) < 0.334);
}

static void
loss_needs_more_sends(void **state)
{
	struct axes_rate good = {60, 60}, fair = {60, 54}, bad = {60, 29};
	unsigned few = axes_missing(0, 0, good);
	unsigned some = axes_missing(0, 0, fair);
	unsigned many = axes_missing(0, 0, bad);

	(void)state;
	assert_int_equal(few, AXES_SENDS);
	assert_true(some > few && some <= 8);
	assert_true(many > some && many < AXES_SENDS_MAX);
	assert_int_equal(axes_heard(many, 0, bad), AXES_NO);
	assert_int_equal(axes_heard(many - 1, 0, bad), AXES_OPEN);
	assert_int_equal(axes_missing(many, 0, bad), 0);
	assert_int_equal(axes_missing(1, 1, bad), 0);
}

/* Simulated: a path that loses half, an axis that is open. How often is it
 * called silent? Not once in 20 thousand. */
static void
silence_is_not_called_by_loss(void **state)
{
	unsigned wrong = 0;

	(void)state;
	srand(1);
	for (int run = 0; run < 20000; run++) {
		struct axes_rate rate = {0};
		unsigned sent = 0, heard = 0;

		while (sent < AXES_SENDS_MAX &&
		       axes_heard(sent, heard, rate) == AXES_OPEN) {
			sent++;
			heard += rand() % 100 < 49;
			axes_rate_add(&rate, rand() % 100 < 49);
		}
		wrong += axes_heard(sent, heard, rate) == AXES_NO;
	}
	assert_int_equal(wrong, 0);
}

static void
old_controls_fade(void **state)
{
	struct axes_rate r = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		axes_rate_add(&r, true);
	assert_true(r.asked <= 60 && r.answered == r.asked);
	for (int i = 0; i < 200; i++)
		axes_rate_add(&r, false);
	assert_true(r.answered < r.asked / 4);
}

static void
fragments_get_lost_twice(void **state)
{
	struct axes_rate r = {60, 30}, none = {0};

	(void)state;
	assert_int_equal(axes_rate_twice(r).answered, 15);
	assert_int_equal(axes_rate_twice(none).answered, 0);
}

/* ---- mapping, filtering */

static void
mappings(void **state)
{
	struct addr a = at("198.51.100.1:1"), b = at("198.51.100.1:2");
	struct addr c = at("198.51.100.1:3"), d = at("198.51.100.1:4");
	struct addr no = {0};
	struct {
		struct addr seen[2][2];
		enum axes_dependence is;
	} cases[] = {
	    {{{no, no}, {no, no}}, AXES_UNKNOWN},
	    {{{a, no}, {no, no}}, AXES_UNKNOWN},
	    {{{a, no}, {a, no}}, AXES_UNKNOWN}, /* ports may still differ */
	    {{{a, no}, {b, no}}, AXES_UNKNOWN},
	    {{{a, a}, {no, no}}, AXES_UNKNOWN},
	    {{{a, a}, {a, no}}, AXES_INDEPENDENT},
	    {{{a, a}, {a, a}}, AXES_INDEPENDENT},
	    {{{a, a}, {b, no}}, AXES_ADDRESS},
	    {{{a, no}, {b, b}}, AXES_ADDRESS},
	    {{{a, a}, {b, b}}, AXES_ADDRESS},
	    {{{a, b}, {no, no}}, AXES_ADDRESS_PORT},
	    {{{a, b}, {c, no}}, AXES_ADDRESS_PORT},
	    {{{a, b}, {c, d}}, AXES_ADDRESS_PORT},
	    {{{a, a}, {b, c}}, AXES_ADDRESS_PORT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
		    axes_mapping((const struct addr(*)[2])cases[i].seen),
		    cases[i].is);
}

static void
filterings(void **state)
{
	(void)state;
	assert_int_equal(axes_filtering(AXES_YES, AXES_OPEN), AXES_INDEPENDENT);
	assert_int_equal(axes_filtering(AXES_NO, AXES_YES), AXES_ADDRESS);
	assert_int_equal(axes_filtering(AXES_NO, AXES_NO), AXES_ADDRESS_PORT);
	assert_int_equal(axes_filtering(AXES_OPEN, AXES_YES), AXES_UNKNOWN);
	assert_int_equal(axes_filtering(AXES_NO, AXES_OPEN), AXES_UNKNOWN);
}

/* ---- allocation, pooling */

#define N 10

static enum axes_allocation
allocation(const uint16_t local[N], const uint16_t seen[N], int *step)
{
	struct axes_port list[N];
	double chance = 0;

	for (size_t i = 0; i < N; i++) {
		list[i].local = local[i];
		list[i].seen = at("198.51.100.1:1");
		list[i].seen.port = seen[i];
	}
	return axes_allocation(list, N, step, &chance);
}

static void
allocations(void **state)
{
	static const uint16_t local[N] = {40111, 53012, 33333, 60000, 45671,
	    50002, 41235, 38888, 59999, 36120};
	static const uint16_t odd[N] = {40111, 53013, 33333, 60001, 45671,
	    50003, 41235, 38889, 59999, 36121};
	static const uint16_t most[N] = {40111, 53012, 1024, 60000, 45671,
	    50002, 41235, 38888, 59999, 36120};
	static const uint16_t some[N] = {
	    40111, 53012, 1024, 6000, 4567, 5002, 4123, 3888, 5999, 3612};
	static const uint16_t by1[N] = {
	    1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009};
	static const uint16_t by2[N] = {
	    65530, 65532, 65534, 1024, 1026, 1028, 1030, 1032, 1034, 1036};
	static const uint16_t down[N] = {
	    1009, 1008, 1007, 1006, 1005, 1004, 1003, 1002, 1001, 1000};
	static const uint16_t busy[N] = {
	    1000, 1001, 1003, 1004, 1005, 1008, 1009, 1010, 1011, 1012};
	static const uint16_t parity[N] = {
	    2001, 52, 4001, 60, 40001, 62000, 3, 88, 9001, 12344};
	static const uint16_t random[N] = {
	    2001, 53, 4001, 60, 40001, 62000, 3, 88, 9000, 12344};
	static const uint16_t leaps[N] = {20000, 20100, 20200, 20300, 20400,
	    20500, 20600, 20700, 20800, 20900};
	static const uint16_t rising[N] = {
	    20000, 20090, 20311, 20402, 20777, 20801, 1030, 1477, 1500, 1899};
	static const uint16_t twice[N] = {
	    2001, 53, 4001, 60, 2001, 62000, 3, 88, 9000, 12344};
	uint16_t shifted[N];
	int step = 0;

	(void)state;
	assert_int_equal(allocation(local, local, &step), AXES_PRESERVED);
	assert_int_equal(allocation(local, most, &step), AXES_PRESERVED);
	assert_int_equal(allocation(local, some, &step), AXES_A_UNKNOWN);
	assert_int_equal(allocation(local, by1, &step), AXES_CONTIGUOUS);
	assert_int_equal(step, 1);
	assert_int_equal(allocation(local, by2, &step), AXES_CONTIGUOUS);
	assert_int_equal(step, 2);
	assert_int_equal(allocation(local, down, &step), AXES_CONTIGUOUS);
	assert_int_equal(step, -1);
	assert_int_equal(allocation(local, busy, &step), AXES_CONTIGUOUS);
	assert_int_equal(step, 1);
	assert_int_equal(allocation(local, parity, &step), AXES_PARITY);
	assert_int_equal(allocation(local, random, &step), AXES_RANDOM);
	assert_int_equal(allocation(local, leaps, &step), AXES_CONTIGUOUS);
	assert_int_equal(step, 100);
	/* in turn, but with many others; not possible; something added */
	assert_int_equal(allocation(local, rising, &step), AXES_A_UNKNOWN);
	assert_int_equal(allocation(local, twice, &step), AXES_A_UNKNOWN);
	for (size_t i = 0; i < N; i++)
		shifted[i] = (uint16_t)(local[i] + 30001);
	assert_int_equal(allocation(local, shifted, &step), AXES_A_UNKNOWN);
	/* only odd ports of ours: the NAT may do so by chance or habit */
	assert_int_equal(allocation(odd, odd, &step), AXES_PRESERVED);
	assert_int_equal(step, 0);
}

static void
few_ports_say_nothing(void **state)
{
	struct axes_port list[5] = {0};
	double chance = 0;
	int step = 0;

	(void)state;
	assert_int_equal(
	    axes_allocation(list, 5, &step, &chance), AXES_A_UNKNOWN);
}

/* Addresses a, b, c; in capitals: after a wait of no certain length. */
static enum axes_heard
paired(const char *which)
{
	struct axes_pool p = {0};
	double chance = 0;

	for (; *which != '\0'; which++) {
		struct addr a = at("198.51.100.0:1");

		a.ip[3] = (uint8_t)(*which | 0x20);
		axes_pool_add(&p, &a, *which < 'a');
	}
	return axes_paired(&p, &chance);
}

static void
pools(void **state)
{
	(void)state;
	assert_int_equal(paired(""), AXES_OPEN);
	assert_int_equal(paired("AAAAAAAAAAA"), AXES_OPEN);
	assert_int_equal(paired("aaaaaaaaaaAAAAAAAAAAAA"), AXES_YES);
	assert_int_equal(paired("ababababab"), AXES_NO);
	assert_int_equal(paired("aaaabaaaaa"), AXES_NO);
	assert_int_equal(paired("aaaaAABA"), AXES_NO);
	assert_int_equal(paired("abcabc"), AXES_NO);
	/* the NAT got a new address meanwhile */
	assert_int_equal(paired("aaaaabbbbbBBBBBBBBBBBBB"), AXES_OPEN);
	/* others may have taken every second one */
	assert_int_equal(paired("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), AXES_OPEN);
}

/* Simulated: pools that go round, and another host that takes as many ports
 * for each of ours as keep us at one address, one every 100 ms; ours are that
 * far apart, too, and then 100 to 700 ms. */
static void
a_pool_in_step_is_not_paired(void **state)
{
	unsigned wrong = 0, found = 0;

	(void)state;
	srand(1);
	for (unsigned run = 0; run < 10000; run++) {
		unsigned period = 2 + run % 4, index = 0;
		struct axes_pool p = {0};
		struct addr a = at("198.51.100.0:1");
		enum axes_heard is = AXES_OPEN;
		double chance = 0, ms = 0;

		for (int i = 0; i < 20; i++)
			axes_pool_add(&p, &a, false);
		assert_int_equal(axes_paired(&p, &chance), AXES_OPEN);
		for (int i = 0; i < 16 && is == AXES_OPEN; i++) {
			ms += 100 + rand() % (1 + rand() % 600);
			while (ms >= 100) {
				ms -= 100;
				index += period - 1;
			}
			a.ip[3] = (uint8_t)(++index % period);
			axes_pool_add(&p, &a, true);
			is = axes_paired(&p, &chance);
		}
		wrong += is == AXES_YES;
		found += is == AXES_NO;
	}
	assert_true(wrong <= 10000 / 100);
	assert_true(found >= 9500);
}

/* ---- runs and the verdict */

static void
runs_must_agree(void **state)
{
	static const int one[] = {1}, split[] = {1, 2}, three[] = {1, 2, 1},
			 torn[] = {1, 2, 1, 2}, none[] = {0, 0, 0};
	unsigned n = 9;

	(void)state;
	assert_int_equal(axes_agree(one, 1, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(axes_agree(split, 2, &n), 0);
	assert_int_equal(axes_agree(none, 3, &n), 0);
	assert_int_equal(axes_agree(torn, 4, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(axes_agree(three, 3, &n), 1);
	assert_int_equal(n, 2);
}

static void
confidences(void **state)
{
	(void)state;
	assert_int_equal(axes_confidence(0), 99);
	assert_int_equal(axes_confidence(0.5), 50);
	assert_int_equal(axes_confidence(1), 0);
	assert_int_equal(axes_confidence(1.5), 0);
}

static void
verdict(enum axes_heard translated, enum axes_dependence mapping,
    enum axes_dependence filtering, const char *reaches, const char *method)
{
	struct axes_verdict v = axes_verdict(translated, mapping, filtering);

	assert_string_equal(axes_reach_name(v.reach), reaches);
	if (method == NULL)
		assert_null(v.method);
	else
		assert_string_equal(v.method, method);
}

static void
verdicts(void **state)
{
	(void)state;
	verdict(AXES_YES, AXES_UNKNOWN, AXES_UNKNOWN, "unknown", NULL);
	verdict(AXES_YES, AXES_INDEPENDENT, AXES_UNKNOWN, "unknown", NULL);
	verdict(AXES_YES, AXES_UNKNOWN, AXES_ADDRESS, "unknown", NULL);
	/* a firewall lets nobody in just because nothing is translated */
	verdict(AXES_NO, AXES_INDEPENDENT, AXES_ADDRESS_PORT, "independent",
	    "punch");
	verdict(AXES_NO, AXES_INDEPENDENT, AXES_INDEPENDENT, "any", "direct");
	verdict(AXES_YES, AXES_UNKNOWN, AXES_INDEPENDENT, "any", "direct");
	verdict(AXES_YES, AXES_ADDRESS_PORT, AXES_INDEPENDENT, "any", "direct");
	verdict(AXES_YES, AXES_INDEPENDENT, AXES_ADDRESS, "any", "punch");
	verdict(AXES_YES, AXES_INDEPENDENT, AXES_ADDRESS_PORT, "independent",
	    "punch");
	verdict(AXES_YES, AXES_ADDRESS, AXES_ADDRESS, "open", "relay");
	verdict(
	    AXES_YES, AXES_ADDRESS_PORT, AXES_ADDRESS_PORT, "open", "relay");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(silence_without_controls_says_nothing),
	    cmocka_unit_test(three_sends_are_never_silence),
	    cmocka_unit_test(one_answer_is_an_answer),
	    cmocka_unit_test(silence_beside_an_answer_needs_more),
	    cmocka_unit_test(silence_by_hand),
	    cmocka_unit_test(loss_needs_more_sends),
	    cmocka_unit_test(silence_is_not_called_by_loss),
	    cmocka_unit_test(old_controls_fade),
	    cmocka_unit_test(fragments_get_lost_twice),
	    cmocka_unit_test(mappings),
	    cmocka_unit_test(filterings),
	    cmocka_unit_test(allocations),
	    cmocka_unit_test(few_ports_say_nothing),
	    cmocka_unit_test(pools),
	    cmocka_unit_test(a_pool_in_step_is_not_paired),
	    cmocka_unit_test(runs_must_agree),
	    cmocka_unit_test(confidences),
	    cmocka_unit_test(verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

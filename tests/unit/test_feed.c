/* SPDX-License-Identifier: ISC */
/* Candidate records in, generations out: a bad line costs nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "feed.h"

static enum feed_result
line(struct feed *f, const char *text)
{
	return feed_line(f, text, strlen(text));
}

#define GOOD                                                                   \
	"candidate type=host endpoint=192.0.2.1:51820 base=192.0.2.1:51820 "   \
	"priority=2130706431"

static void
says_what_is_bad_and_loses_nothing(void **state)
{
	static const char *const bad[] = {
	    "candidate type=host endpoint=192.0.2.1:51820",
	    "candidate type=host priority=1",
	    "candidate endpoint=192.0.2.1:51820 priority=1",
	    "candidate type=prflx endpoint=192.0.2.1:51820 priority=1",
	    "candidate type=host endpoint=192.0.2.1 priority=1",
	    "candidate type=host endpoint=0.0.0.0:51820 priority=1",
	    "candidate type=host endpoint=192.0.2.1:0 priority=1",
	    "candidate type=host endpoint=192.0.2.1:1 priority=4294967296",
	    "candidate type=host endpoint=192.0.2.1:1 priority=-1",
	    "candidate type",
	    "=",
	};
	struct feed f;

	(void)state;
	feed_init(&f);
	assert_int_equal(line(&f, GOOD), FEED_NOTHING);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(line(&f, bad[i]), FEED_BAD);
		assert_non_null(f.why);
	}
	assert_int_equal(
	    line(&f, "candidates generation=1 count=1"), FEED_GENERATION);
	assert_int_equal(f.n, 1);
}

static void
skips_other_records_silently(void **state)
{
	struct feed f;

	(void)state;
	feed_init(&f);
	assert_int_equal(line(&f, ""), FEED_NOTHING);
	assert_int_equal(
	    line(&f, "nat axis=mapping value=endpoint-independent"),
	    FEED_NOTHING);
	assert_int_equal(line(&f, "later a=b"), FEED_NOTHING);
	assert_null(f.why);
}

static void
each_generation_stands_alone(void **state)
{
	struct feed f;

	(void)state;
	feed_init(&f);
	line(&f, GOOD);
	line(&f, "candidate type=srflx endpoint=[2001:db8::1]:9 priority=7");
	assert_int_equal(
	    line(&f, "candidates generation=1 count=2"), FEED_GENERATION);
	assert_null(f.why);
	assert_int_equal(f.n, 2);
	assert_int_equal(f.list[1].type, OFFER_SRFLX);
	assert_int_equal(f.list[1].priority, 7);
	/* half of the next one changes nothing yet */
	line(&f, "candidate type=relay endpoint=192.0.2.9:9 priority=1");
	assert_int_equal(f.n, 2);
	assert_int_equal(
	    line(&f, "candidates generation=2 count=1"), FEED_GENERATION);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.list[0].type, OFFER_RELAY);
	assert_int_equal(
	    line(&f, "candidates generation=3 count=0"), FEED_GENERATION);
	assert_int_equal(f.n, 0);
	assert_null(f.why);
}

static void
warns_of_a_wrong_count(void **state)
{
	struct feed f;

	(void)state;
	feed_init(&f);
	line(&f, GOOD);
	assert_int_equal(
	    line(&f, "candidates generation=1 count=2"), FEED_GENERATION);
	assert_non_null(f.why);
	assert_int_equal(f.n, 1);
}

static void
keeps_the_best_sixteen(void **state)
{
	struct feed f;
	char text[100];

	(void)state;
	feed_init(&f);
	for (int i = 1; i <= 20; i++) {
		snprintf(text, sizeof(text),
		    "candidate type=host endpoint=192.0.2.%d:9 priority=%d", i,
		    i);
		assert_int_equal(line(&f, text), FEED_NOTHING);
	}
	line(&f, "candidate type=host endpoint=192.0.2.20:9 priority=99");
	assert_int_equal(
	    line(&f, "candidates generation=1 count=21"), FEED_GENERATION);
	assert_non_null(f.why);
	assert_int_equal(f.n, OFFER_CANDIDATES);
	for (size_t i = 0; i < f.n; i++)
		assert_in_range(f.list[i].priority, 5, 20);
}

static void
end_of_input_keeps_what_was_complete(void **state)
{
	struct feed f;

	(void)state;
	feed_init(&f);
	line(&f, GOOD);
	assert_int_equal(feed_end(&f), FEED_GENERATION);
	assert_non_null(f.why);
	assert_int_equal(f.n, 1);

	feed_init(&f);
	line(&f, "candidates generation=1 count=0");
	line(&f, GOOD);
	assert_int_equal(feed_end(&f), FEED_NOTHING);
	assert_int_equal(f.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_what_is_bad_and_loses_nothing),
	    cmocka_unit_test(skips_other_records_silently),
	    cmocka_unit_test(each_generation_stands_alone),
	    cmocka_unit_test(warns_of_a_wrong_count),
	    cmocka_unit_test(keeps_the_best_sixteen),
	    cmocka_unit_test(end_of_input_keeps_what_was_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

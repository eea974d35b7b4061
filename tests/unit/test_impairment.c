/* SPDX-License-Identifier: ISC */
/* The words of a wire: values, ranges, directions, all or nothing. */
#include "impairment.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "change.h"

static void
what_is_no_value_changes_nothing(void **state)
{
	static const struct {
		const char *word;
		int rc;
	} bad[] = {
	    {"", -ENOENT},
	    {"=5", -ENOENT},
	    {"los=5", -ENOENT},
	    {"losss=5", -ENOENT},
	    {"loss", -EBADMSG},
	    {"loss=", -EBADMSG},
	    {"loss=.5", -EBADMSG},
	    {"loss=5.", -EBADMSG},
	    {"loss=5.00001", -EBADMSG},
	    {"loss=1.2.3", -EBADMSG},
	    {"loss=-1", -EBADMSG},
	    {"loss=+1", -EBADMSG},
	    {"loss= 1", -EBADMSG},
	    {"loss=1e1", -EBADMSG},
	    {"loss=5%", -EBADMSG},
	    {"loss=100.0001", -ERANGE},
	    {"loss=99999999999999999999999999", -ERANGE},
	    {"delay_ms=60000.001", -ERANGE},
	    {"seed=1.5", -EBADMSG},
	    {"seed=4294967296", -ERANGE},
	    {"rate_kbit=100000001", -ERANGE},
	    {"queue_ms=60001", -ERANGE},
	};
	struct impairment i, before;

	(void)state;
	impairment_init(&i, 1);
	before = i;
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
		if (impairment_set(&i, bad[n].word) != bad[n].rc)
			fail_msg("%s", bad[n].word);
		assert_memory_equal(&i, &before, sizeof(i));
	}
	assert_null(impairment_range("los=5"));
	assert_non_null(impairment_range("loss=x"));
}

static void
values_go_in_and_come_out(void **state)
{
	static const char *const words[] = {"delay_ms=60000", "jitter_ms=0.25",
	    "loss=0.0001", "rate_kbit=100000000", "reorder=12.5",
	    "duplicate=100", "seed=4294967295", "queue_ms=0"};
	struct impairment i;
	struct record r;

	(void)state;
	impairment_init(&i, 3);
	record_begin(&r, "link");
	impairment_put(&i, &r);
	assert_string_equal(r.text,
	    "link delay_ms=0 jitter_ms=0 loss=0 rate_kbit=0 reorder=0 "
	    "duplicate=0 seed=3 queue_ms=200");
	for (size_t n = 0; n < sizeof(words) / sizeof(words[0]); n++)
		assert_int_equal(impairment_set(&i, words[n]), 0);
	assert_true(i.jitter_us == 250 && i.loss == 1);
	record_begin(&r, "link");
	impairment_put(&i, &r);
	assert_string_equal(r.text,
	    "link delay_ms=60000 jitter_ms=0.25 loss=0.0001 "
	    "rate_kbit=100000000 reorder=12.5 duplicate=100 seed=4294967295 "
	    "queue_ms=0");
	assert_int_equal(impairment_set(&i, "loss=007.50"), 0);
	assert_true(i.loss == 75000);
}

static struct change
two_ways(void)
{
	struct change c = {.from = {"wa", "wb"}};

	impairment_init(&c.is[0], 1);
	impairment_init(&c.is[1], 1);
	return c;
}

static void
one_bad_word_spoils_the_line(void **state)
{
	static const char *const bad[] = {"", "  \t ", "loss=5 colour=red",
	    "loss=5 delay_ms=x", "loss=5 direction=wc",
	    "loss=5 direction=", "direction=wa direction=wb loss=5",
	    "direction=wa", "direction=both", "loss=5 direction"};
	struct change c = two_ways(), before = c;
	char why[CHANGE_WHY], longest[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		if (change_line(&c, bad[i], why) != -EBADMSG || why[0] == '\0')
			fail_msg("'%s' %s", bad[i], why);
		assert_memory_equal(&c, &before, sizeof(c));
	}
	change_line(&c, "loss=x", why);
	assert_string_equal(
	    why, "loss=x: per cent up to 100, with 4 decimals at most");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(change_line(&c, longest, why), -EBADMSG);
	for (size_t i = 0; i <= CHANGE_WORDS; i++)
		memcpy(longest + 7 * i, "loss=1 ", 8);
	assert_int_equal(change_line(&c, longest, why), -EBADMSG);
	assert_memory_equal(&c, &before, sizeof(c));
}

static void
a_line_has_one_direction(void **state)
{
	struct change c = two_ways();
	char why[CHANGE_WHY];

	(void)state;
	assert_int_equal(change_line(&c, "loss=5 \t delay_ms=7", why), 0);
	assert_true(c.is[0].loss == 50000 && c.is[1].loss == 50000);
	assert_int_equal(
	    change_line(&c, "loss=6 direction=wa delay_ms=8", why), 0);
	assert_true(c.is[0].loss == 60000 && c.is[0].delay_us == 8000);
	assert_true(c.is[1].loss == 50000 && c.is[1].delay_us == 7000);
	assert_int_equal(change_line(&c, "direction=wb loss=9", why), 0);
	assert_true(c.is[0].loss == 60000 && c.is[1].loss == 90000);
	assert_int_equal(change_line(&c, "loss=1 direction=both", why), 0);
	assert_true(c.is[0].loss == 10000 && c.is[1].loss == 10000);
}

static void
words_have_many(void **state)
{
	static const char *const words[] = {"loss=1", "direction=wa", "loss=2",
	    "direction=wb", "loss=3", "delay_ms=4", "direction=both", "seed=5"};
	struct change c = two_ways(), before;
	char why[CHANGE_WHY];

	(void)state;
	assert_int_equal(change_words(&c, words, 0, why), 0);
	assert_int_equal(change_words(&c, words, 8, why), 0);
	assert_true(c.is[0].loss == 20000 && c.is[1].loss == 30000);
	assert_true(c.is[0].delay_us == 0 && c.is[1].delay_us == 4000);
	assert_true(c.is[0].seed == 5 && c.is[1].seed == 5);
	before = c;
	assert_int_equal(
	    change_words(&c, (const char *const[]){"loss=7", "loss=x"}, 2, why),
	    -EBADMSG);
	assert_memory_equal(&c, &before, sizeof(c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_no_value_changes_nothing),
	    cmocka_unit_test(values_go_in_and_come_out),
	    cmocka_unit_test(one_bad_word_spoils_the_line),
	    cmocka_unit_test(a_line_has_one_direction),
	    cmocka_unit_test(words_have_many),
	};

	return cmocka_run_group_tests_name("impairment", tests, NULL, NULL);
}

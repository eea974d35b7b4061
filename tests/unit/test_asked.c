/* SPDX-License-Identifier: ISC */
/* What nat-probe's server takes for a question. */
#include "asked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static enum asked_for
parse(const char *text, uint32_t *ms)
{
	return asked_parse((const uint8_t *)text, strlen(text), ms);
}

/* With a forged source two servers would go on for ever. */
static void
an_answer_is_no_question(void **state)
{
	uint32_t ms;

	(void)state;
	assert_int_equal(parse("counted 64", &ms), ASKED_FOR_NOTHING);
	assert_int_equal(parse(ASKED_CALL, &ms), ASKED_FOR_NOTHING);
}

static void
what_is_no_time_calls_nobody(void **state)
{
	static const char *const bad[] = {"call ", "call x", "call -1",
	    "call +1", "call  1", "call 1x", "call 600001",
	    "call 99999999999999999999", "called 1", "Call 1", "error",
	    "error x", "error 65536", "errors 3"};
	uint32_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &ms) != ASKED_FOR_NOTHING)
			fail_msg("%s", bad[i]);
}

static void
questions(void **state)
{
	uint32_t ms = 0;

	(void)state;
	assert_int_equal(parse("count", &ms), ASKED_FOR_COUNT);
	assert_int_equal(parse("fragments\n", &ms), ASKED_FOR_FRAGMENTS);
	assert_int_equal(parse("call 600000", &ms), ASKED_FOR_CALL);
	assert_int_equal(ms, 600000);
	assert_int_equal(
	    asked_parse((const uint8_t *)"call 7\0\0", 8, &ms), ASKED_FOR_CALL);
	assert_int_equal(ms, 7);
	assert_int_equal(parse("error 771", &ms), ASKED_FOR_ERROR);
	assert_int_equal(ms, 771);
	assert_int_equal(parse("", &ms), ASKED_FOR_NOTHING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_is_no_question),
	    cmocka_unit_test(what_is_no_time_calls_nobody),
	    cmocka_unit_test(questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

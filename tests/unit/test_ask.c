/* SPDX-License-Identifier: ISC */
/* What a client asks of an engine: streams, forwards, and nonsense. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ask.h"

#define KEY "a9mPnsQApCYnykrznbsR3LhKmpbdXiNZI/1nvIVgojk="
#define ASK "ask key=" KEY " wait_s=7\n"
#define OPEN "open to=program"

static void
test_nonsense(void **state)
{
	static const char *const bad[] = {"", "quit", "ask", ASK, OPEN,
	    "ask key=x\n" OPEN, ASK "open to=nonsense", ASK "forward",
	    ASK "forward -", ASK "forward -L", ASK "forward -L ",
	    ASK "forward -X 1:h:2", ASK "forward -L 1:h", ASK "forward L 1:h:2",
	    ASK "forward -L 1:h:2\n" OPEN, ASK OPEN "\nmore", ASK "more",
	    "forward -L 1:h:2", ASK "with\n" OPEN, ASK "with option=\n" OPEN,
	    ASK "with option=d\n" OPEN, ASK "with option=-dr\n" OPEN, "\n\n",
	    "=\n", ASK OPEN "\n\n" OPEN};
	struct ask a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ask_parse(&a, bad[i]), -EBADMSG);
}

static void
test_stream(void **state)
{
	struct ask a;

	(void)state;
	assert_int_equal(
	    ask_parse(&a, ASK "server name=" KEY "@h:1\n" OPEN), 0);
	assert_true(a.open);
	assert_int_equal(a.what.to, OPENING_PROGRAM);
	assert_int_equal(a.wait_s, 7);
	assert_int_equal(a.servers, 1);
	assert_string_equal(a.server[0], KEY "@h:1");
	assert_int_equal(a.forwards, 0);
}

static void
test_options(void **state)
{
	struct ask a;

	(void)state;
	assert_int_equal(
	    ask_parse(&a, ASK "with option=-d\nwith option=-x%20eth0\n" OPEN),
	    0);
	assert_int_equal(a.demand.n, 2);
	assert_string_equal(a.demand.text[0], "-d");
	assert_string_equal(a.demand.text[1], "-x eth0");
}

static void
test_forwards(void **state)
{
	struct ask a;

	(void)state;
	assert_int_equal(ask_parse(&a, ASK "forward -L 8080:h:80\n"
					   "forward -D 1080\nmore"),
	    0);
	assert_false(a.open);
	assert_true(a.more);
	assert_int_equal(a.forwards, 2);
	assert_int_equal(a.forward[0].kind, 'L');
	assert_int_equal(a.forward[0].port, 8080);
	assert_string_equal(a.forward[0].target.host, "h");
	assert_int_equal(a.forward[1].kind, 'D');
	/* even a path with blanks in it */
	assert_int_equal(ask_parse(&a, ASK "forward -L /a b:/c"), 0);
	assert_string_equal(a.forward[0].path, "/a b");
	assert_false(a.more);
}

static void
test_too_many(void **state)
{
	static const char one[] = "forward -D 1\n";
	char text[sizeof(ASK) + (ASK_FORWARDS + 1) * sizeof(one)] = ASK;
	char *end = text + strlen(ASK);
	struct ask a;

	(void)state;
	for (size_t i = 0; i < ASK_FORWARDS; i++, end += strlen(one))
		memcpy(end, one, sizeof(one));
	assert_int_equal(ask_parse(&a, text), 0);
	assert_int_equal(a.forwards, ASK_FORWARDS);
	memcpy(end, one, sizeof(one));
	assert_int_equal(ask_parse(&a, text), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nonsense),
	    cmocka_unit_test(test_stream),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_forwards),
	    cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

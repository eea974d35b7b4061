/* SPDX-License-Identifier: ISC */
/* Why a path is not direct, for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plainly.h"

static void
words(void **state)
{
	(void)state;
	assert_string_equal(plainly("direct", NULL), "");
	assert_string_equal(plainly("relayed", ""), "");
	assert_non_null(strstr(plainly("waiting", NULL), "being asked"));
	assert_non_null(strstr(plainly("waiting", "absent"), "has not come"));
	assert_non_null(strstr(plainly("waiting", "no-server"), "no rendez"));
	assert_non_null(strstr(plainly("waiting", "wrong-key"), "key"));
	assert_non_null(strstr(plainly("waiting", "refused"), "refuses"));
	/* what to do */
	assert_non_null(strstr(plainly("failed", "no-answer"), "-d forbids"));
	assert_null(strstr(plainly("relayed", "no-answer"), "-d"));
	assert_non_null(
	    strstr(plainly("failed", "no-relay"), "nat-rendezvousd -R"));
	assert_non_null(strstr(plainly("relayed", "gone"), "has left"));
	assert_non_null(strstr(plainly("failed", "relay-only"), "-r"));
	/* what is new, and sentences */
	assert_string_equal(plainly("failed", "new-word"), "new-word");
	assert_string_equal(plainly("waiting", "it is a b c"), "it is a b c");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(words)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

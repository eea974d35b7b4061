/* SPDX-License-Identifier: ISC */
/* Names of boxes are names and no paths. */
#include "netns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static void
what_is_no_name_opens_nothing(void **state)
{
	static const char *const bad[] = {"", "=", "=/proc/self/ns/net", "-x",
	    ".", "..", "a b", "a/b", "a\n", "../../proc/self/ns/net",
	    "../../../proc/self/ns/net", "/proc/self/ns/net", "a/b=/x",
	    "..=/proc/self/ns/net", "a=", "a=proc/self/ns/net",
	    "a=../../../proc/self/ns/net",
	    "a23456789012345678901234567890123=/proc/self/ns/net"};
	struct netns ns;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (netns_open(&ns, bad[i]) != -EBADMSG)
			fail_msg("%s", bad[i]);
}

static void
a_name_and_its_path(void **state)
{
	struct netns ns;

	(void)state;
	assert_int_equal(netns_open(&ns, "wire-na=/proc/self/ns/net"), 0);
	assert_string_equal(ns.name, "wire-na");
	close(ns.fd);
	assert_int_equal(netns_open(&ns, "a=/proc/self/nonesuch"), -ENOENT);
	assert_int_equal(netns_open(&ns, "no-such-box"), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_no_name_opens_nothing),
	    cmocka_unit_test(a_name_and_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* -N: which descriptors it takes, and what it writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "ready.h"

static void
parse_refuses(void **state)
{
	static const char *const bad[] = {"", "x", "-1", "+3", " 3", "3 ", "3x",
	    "0x3", "0", "1", "2", "999", "65536", "99999999999999999999"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (ready_parse(bad[i]) != -EBADMSG)
			fail_msg("took '%s'", bad[i]);
}

static void
tells_once(void **state)
{
	char text[16], got[4];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	snprintf(text, sizeof(text), "%d", fds[1]);
	assert_int_equal(ready_parse(text), fds[1]);
	assert_true(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
	ready_tell(fds[1]);
	/* a newline, then the end: it was closed */
	assert_int_equal(read(fds[0], got, sizeof(got)), 1);
	assert_int_equal(got[0], '\n');
	assert_int_equal(read(fds[0], got, sizeof(got)), 0);
	assert_int_equal(ready_parse(text), -EBADMSG);
	close(fds[0]);
	ready_tell(-1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse_refuses),
	    cmocka_unit_test(tells_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

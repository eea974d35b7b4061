/* SPDX-License-Identifier: ISC */
/* Numbers on command lines: what is none ends the program with 100. */
#include "option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "exitcode.h"

/* The exit code of a process that reads the text; 0 when it was taken. */
static int
code_of(const char *text, uint32_t min, uint32_t max)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		close(STDERR_FILENO);
		option_number("-w", text, min, max);
		_exit(EXIT_YES);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
no_numbers(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "-1", "+1", "0x1",
	    "1.0", "1e3", "4294967297", "99999999999999999999", "one"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(code_of(bad[i], 0, UINT32_MAX), EXIT_USAGE);
}

static void
bounds(void **state)
{
	(void)state;
	assert_int_equal(code_of("9", 10, 20), EXIT_USAGE);
	assert_int_equal(code_of("21", 10, 20), EXIT_USAGE);
	assert_int_equal(code_of("10", 10, 20), EXIT_YES);
	assert_int_equal(option_number("-w", "0", 0, 20), 0);
	assert_int_equal(option_number("-w", "20", 10, 20), 20);
	assert_int_equal(option_number("-w", "007", 1, 20), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_numbers),
	    cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* Giving privileges up: each case in a child of its own, which ends with 0
 * when all is as it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drop.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Returns waitpid's status. */
static int
in_child(int (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* The capability sets of this process, ORed; -1 when unreadable. Not the
 * bounding set, which only CAP_SETPCAP may empty. */
static long long
caps_left(void)
{
	char line[256];
	unsigned long long v, all = 0;
	FILE *f = fopen("/proc/self/status", "r");

	if (f == NULL)
		return -1;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "Cap", 3) == 0 &&
		    strncmp(line, "CapBnd", 6) != 0) {
			v = strtoull(line + 7, NULL, 16);
			all |= v;
		}
	fclose(f);
	return (long long)all;
}

static int
unknown_user(void)
{
	const char *what = NULL;
	long long before = caps_left();

	if (drop_privileges("no such user", true, &what) != -ENOENT ||
	    what == NULL)
		return 1;
	/* refused: nothing has changed */
	return caps_left() == before &&
		       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0
		   ? 0
		   : 2;
}

static int
unknown_default_user(void)
{
	const char *what;

	if (drop_privileges("no such user", false, &what) != 0)
		return 1;
	return caps_left() == 0 ? 0 : 2;
}

static int
everything(void)
{
	drop_all();
	if (caps_left() != 0)
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	if (getuid() == 0 && setuid(1) == 0)
		return 3;
	if (socket(AF_INET, SOCK_RAW, 17) != -1)
		return 4;
	return 0;
}

static int
other_user_without_right(void)
{
	const char *what;

	/* the first drop takes the right that the second one needs */
	if (drop_privileges(NULL, false, &what) != 0)
		return 1;
	if (drop_privileges("daemon", true, &what) != -EPERM)
		return 2;
	return drop_privileges("daemon", false, &what) == 0 ? 0 : 3;
}

static int
call_not_listed(void)
{
	if (drop_syscalls(NULL, 0) != 0)
		return 1;
	return listen(0, 1);
}

static int
call_listed(void)
{
	static const char *const extra[] = {"listen"};
	char *p;

	if (drop_syscalls(extra, 1) != 0)
		return 1;
	if (listen(-1, 1) == 0)
		return 3;
	p = malloc(1 << 24);
	if (p == NULL)
		return 2;
	p[0] = 1;
	free(p);
	return 0;
}

static int
call_unknown(void)
{
	static const char *const extra[] = {"no_such_call"};

	return drop_syscalls(extra, 1) == -EINVAL ? 0 : 1;
}

static int
memory_to_run(void)
{
	const char *what;

	if (drop_privileges(NULL, false, &what) != 0 ||
	    drop_syscalls(NULL, 0) != 0)
		return 1;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		   ? 2
		   : 0;
}

static void
privileges(void **state)
{
	(void)state;
	assert_int_equal(in_child(unknown_user), 0);
	assert_int_equal(in_child(unknown_default_user), 0);
	assert_int_equal(in_child(everything), 0);
	assert_int_equal(in_child(other_user_without_right), 0);
}

static void
syscalls(void **state)
{
	int status;

	(void)state;
	status = in_child(call_not_listed);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	assert_int_equal(in_child(call_listed), 0);
	assert_int_equal(in_child(call_unknown), 0);
	/* the sanitizers' runtime maps such memory itself */
	if (!SANITIZED) {
		status = in_child(memory_to_run);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(privileges),
	    cmocka_unit_test(syscalls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* tunnel/onpath: what it finds is what execvp(3) runs. */
#include "onpath.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test_onpath.XXXXXX";

static void
put(const char *name, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	close(fd);
}

/* error: or 0, and what is found with this PATH */
static void
finds(const char *path, const char *program, int error, const char *want)
{
	char out[PATH_MAX] = "untouched";

	if (path != NULL)
		setenv("PATH", path, 1);
	else
		unsetenv("PATH");
	assert_int_equal(onpath_look(program, out), -error);
	assert_string_equal(out, error == 0 ? want : "untouched");
	assert_int_equal(onpath_look(program, NULL), -error);
}

static void
as_execvp(void **state)
{
	char longer[PATH_MAX + 10];

	(void)state;
	finds("a:b", "yes", 0, "b/yes"); /* the one of a is no program */
	finds("a", "yes", EACCES, NULL);
	finds("a:c", "folder", EACCES, NULL);
	finds("a:b", "none", ENOENT, NULL);
	finds("nowhere:b", "./b/yes", 0, "./b/yes");
	finds("b", "./yes", ENOENT, NULL);
	finds(NULL, "sh", 0, "/bin/sh");
	/* an empty part is the working directory, wherever it stands */
	finds("", "here", 0, "here");
	finds(":b", "here", 0, "here");
	finds("a::b", "here", 0, "here");
	finds("b:", "here", 0, "here");
	finds("b", "here", ENOENT, NULL);
	memset(longer, 'x', sizeof(longer));
	memcpy(longer + sizeof(longer) - 3, ":b", 3);
	finds(longer, "yes", 0, "b/yes");
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL || chdir(dir) == -1 ||
	    mkdir("a", 0700) == -1 || mkdir("b", 0700) == -1 ||
	    mkdir("a/folder", 0700) == -1)
		return -1;
	put("a/yes", 0600);
	put("b/yes", 0700);
	put("here", 0700);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink("a/yes");
	unlink("b/yes");
	unlink("here");
	rmdir("a/folder");
	rmdir("a");
	rmdir("b");
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_execvp),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

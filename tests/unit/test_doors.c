/* SPDX-License-Identifier: ISC */
/* Where the engine of a key file is met. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "doors.h"

static char dir[40];
static const uint8_t pub[KEY_LEN] = {7}, other[KEY_LEN] = {8};

static int
make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/natkit-test-doors.XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static int
remove_dir(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* DIR/more; of a file, with a file there. */
static const char *
in_dir(const char *more, bool file)
{
	static char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, more);
	if (file) {
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	return path;
}

static void
beside_the_key(void **state)
{
	char folder[DOORS_PATH], want[400], link[400];
	struct doors d;

	(void)state;
	assert_int_equal(
	    doors_find(&d, in_dir("key", true), pub, dir, folder), 0);
	snprintf(want, sizeof(want), "%s/key.sock", dir);
	assert_string_equal(d.mux, want);
	snprintf(want, sizeof(want), "%s/key.ctl", dir);
	assert_string_equal(d.control, want);
	/* a link to it is the same key */
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink("key", link), 0);
	assert_int_equal(doors_find(&d, link, pub, dir, folder), 0);
	assert_string_equal(d.control, want);
}

/* Where others may make files, one of theirs could be taken for our engine's
 * socket. */
static void
beside_others(void **state)
{
	char folder[DOORS_PATH];
	struct doors d;

	(void)state;
	in_dir("key", true);
	assert_int_equal(chmod(dir, 01777), 0);
	assert_int_equal(
	    doors_find(&d, in_dir("key", false), pub, dir, folder), 0);
	assert_non_null(strstr(d.mux, "/natkit/"));
	assert_int_equal(chmod(dir, 0770), 0);
	assert_int_equal(
	    doors_find(&d, in_dir("key", false), pub, dir, folder), 0);
	assert_non_null(strstr(d.mux, "/natkit/"));
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(
	    doors_find(&d, in_dir("key", false), pub, dir, folder), 0);
	assert_null(strstr(d.mux, "/natkit/"));
}

/* A path that does not fit a socket address: the runtime folder, by public
 * key. */
static void
too_long(void **state)
{
	char folder[DOORS_PATH], name[120], first[DOORS_PATH];
	struct doors d;
	struct stat st;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(
	    doors_find(&d, in_dir(name, true), pub, dir, folder), 0);
	assert_int_equal(strncmp(d.mux, dir, strlen(dir)), 0);
	assert_non_null(strstr(d.mux, "/natkit/"));
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	memcpy(first, d.mux, sizeof(first));
	assert_int_equal(
	    doors_find(&d, in_dir(name, false), other, dir, folder), 0);
	assert_string_not_equal(first, d.mux);
	assert_int_equal(
	    doors_find(&d, in_dir(name, false), pub, dir, folder), 0);
	assert_string_equal(first, d.mux);
}

/* A folder that others can use, or that is a link somewhere, is refused. */
static void
not_ours(void **state)
{
	char folder[DOORS_PATH], name[120], path[400];
	struct doors d;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	in_dir(name, true);
	snprintf(path, sizeof(path), "%s/natkit", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0770), 0);
	assert_int_equal(
	    doors_find(&d, in_dir(name, false), pub, dir, folder), -EPERM);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/", path), 0);
	assert_int_equal(
	    doors_find(&d, in_dir(name, false), pub, dir, folder), -EPERM);
}

/* Who holds the lock keeps all others out until he is gone, however he goes. */
static void
one_at_a_time(void **state)
{
	char folder[DOORS_PATH], c;
	int fds[2], lock;
	struct doors d;
	pid_t pid;

	(void)state;
	assert_int_equal(
	    doors_find(&d, in_dir("key", true), pub, dir, folder), 0);
	lock = doors_lock(&d);
	assert_true(lock >= 0);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(lock);
		if (write(fds[1], "a", 1) != 1 || doors_lock(&d) < 0 ||
		    write(fds[1], "b", 1) != 1)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(c, 'a');
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	close(lock);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(c, 'b');
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	lock = doors_lock(&d); /* its end has let it go */
	assert_true(lock >= 0);
	close(lock);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		beside_the_key, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(
		beside_others, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(too_long, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(not_ours, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(
		one_at_a_time, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

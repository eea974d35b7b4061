/* SPDX-License-Identifier: ISC */
/* The watch over standard output's reader: each case in a child, whose standard
 * output it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reader.h"

enum {
	QUIET = 0,
	GONE = 7,
	BROKEN = 8
};

static void
gone_cb(void *arg)
{
	loop_end(arg, GONE);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	loop_end(arg, QUIET);
}

/* What happens to out in 100 ms, or sooner. */
static int
watch(int out)
{
	struct reader r = {0};
	struct event *timer;
	struct loop l;
	int code;

	if (dup2(out, STDOUT_FILENO) == -1)
		return BROKEN;
	close(out);
	loop_init(&l, true);
	reader_stop(&r);
	reader_watch(&r, &l, gone_cb, &l);
	timer = loop_event(&l, -1, 0, timer_cb, &l);
	loop_at(timer, now_ms() + 100);
	code = loop_run(&l);
	reader_stop(&r);
	event_free(timer);
	loop_free(&l);
	return code;
}

/* in, if any, is the reader's end, and stays open in the parent only. */
static int
outcome(int in, int out)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (in != -1)
			close(in);
		_exit(watch(out));
	}
	close(out);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (in != -1)
		close(in);
	return WEXITSTATUS(status);
}

static void
tells_of_a_pipe(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(outcome(-1, fds[1]), GONE);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(outcome(fds[0], fds[1]), QUIET);
}

/* Readable with data, at once and for ever, but it has a reader: us. */
static void
is_silent_on_a_fifo_open_both_ways(void **state)
{
	char dir[] = "/tmp/test_reader.XXXXXX", path[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	rmdir(dir);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(outcome(-1, fd), QUIET);
}

static void
is_silent_on_a_file(void **state)
{
	(void)state;
	assert_int_equal(outcome(-1, open("/dev/null", O_WRONLY)), QUIET);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tells_of_a_pipe),
	    cmocka_unit_test(is_silent_on_a_fifo_open_both_ways),
	    cmocka_unit_test(is_silent_on_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

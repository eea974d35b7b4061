/* SPDX-License-Identifier: ISC */
/* Lines out of files, fifos and pipes, as they come. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "follow.h"

struct fixture {
	struct loop loop;
	char dir[40], path[60];
	char got[4000]; /* the lines, each with a ';' */
};

static int
set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	snprintf(f.dir, sizeof(f.dir), "/tmp/natkit-test-follow.XXXXXX");
	if (mkdtemp(f.dir) == NULL)
		return -1;
	snprintf(f.path, sizeof(f.path), "%s/f", f.dir);
	loop_init(&f.loop, false);
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	loop_free(&f->loop);
	unlink(f->path);
	return rmdir(f->dir);
}

static void
line_cb(void *arg, const char *line, size_t len)
{
	struct fixture *f = arg;
	size_t at = strlen(f->got);

	assert_int_equal(strlen(line), len);
	snprintf(f->got + at, sizeof(f->got) - at, "%s;", line);
}

/* Turns the loop until so much has come. */
static void
await(struct fixture *f, const char *want)
{
	for (int i = 0; i < 1000 && strcmp(f->got, want) != 0; i++) {
		event_base_loop(f->loop.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	assert_string_equal(f->got, want);
}

static void
put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int
opened(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void
a_file(void **state)
{
	struct fixture *f = *state;
	struct follow *w = NULL;
	int fd = opened(f->path, O_CREAT | O_WRONLY);

	put(fd, "one\ntwo\nthree");
	close(fd);
	assert_int_equal(follow_path(&w, &f->loop, f->path, line_cb, f), 0);
	assert_string_equal(f->got, "one;two;three;");
	follow_free(w);
}

static void
none(void **state)
{
	struct fixture *f = *state;
	struct follow *w = NULL;

	assert_int_equal(
	    follow_path(&w, &f->loop, f->path, line_cb, f), -ENOENT);
	assert_int_equal(
	    follow_path(&w, &f->loop, f->dir, line_cb, f), -EISDIR);
	assert_null(w);
	assert_int_equal(follow_path(&w, &f->loop, "/dev/null", line_cb, f), 0);
	follow_free(w);
	follow_free(NULL);
	follow_drain(NULL);
}

/* Writers come and go, and nothing of theirs is lost between. */
static void
a_fifo(void **state)
{
	struct fixture *f = *state;
	struct follow *w = NULL;
	int fd;

	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(follow_path(&w, &f->loop, f->path, line_cb, f), 0);
	fd = opened(f->path, O_WRONLY);
	put(fd, "one\nhalf");
	close(fd);
	fd = opened(f->path, O_WRONLY); /* before the end was seen */
	put(fd, "\n");
	await(f, "one;half;");
	close(fd);
	event_base_loop(f->loop.base, EVLOOP_NONBLOCK);
	fd = opened(f->path, O_WRONLY);
	put(fd, "two\n");
	await(f, "one;half;two;");
	close(fd);
	/* without writers it does not spin */
	for (int i = 0; i < 5; i++)
		event_base_loop(f->loop.base, EVLOOP_NONBLOCK);
	assert_int_equal(
	    event_base_get_num_events(f->loop.base, EVENT_BASE_COUNT_ACTIVE),
	    0);
	follow_free(w);
}

static void
a_pipe(void **state)
{
	struct fixture *f = *state;
	struct follow *w = NULL;
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(follow_fd(&w, &f->loop, fds[0], line_cb, f), 0);
	put(fds[1], "one\n");
	await(f, "one;");
	/* what is there when a child has ended */
	put(fds[1], "two\nthree");
	follow_drain(w);
	close(fds[1]);
	follow_drain(w);
	assert_string_equal(f->got, "one;two;three;");
	follow_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_file, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(none, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_fifo, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_pipe, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

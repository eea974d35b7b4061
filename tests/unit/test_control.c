/* SPDX-License-Identifier: ISC */
/* The control socket, with real clients in the same process: between two of
 * their calls the loop runs until it has nothing to do. */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 20000

static struct loop loop;
static struct control *control;
static struct sockaddr_un name = {.sun_family = AF_UNIX};
static char dir[sizeof("/tmp/test_control.XXXXXX")];
static char got[1 << 21];

static void
turn(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(loop.base, EVLOOP_NONBLOCK);
}

static void
number(struct record *r, uint64_t n)
{
	record_begin(r, "item");
	record_put_u64(r, "n", n);
}

static void
more(void *arg, struct control_conn *c, uint64_t *position)
{
	struct record r;

	(void)arg;
	for (int i = 0; i < 100; i++) {
		number(&r, (*position)++);
		control_put(c, &r);
	}
	if (*position == MANY)
		control_end(c, NULL);
}

static void
command(void *arg, struct control_conn *c, const char *what, const char *args)
{
	struct record r;

	(void)arg;
	if (strcmp(what, "echo") == 0) {
		record_begin(&r, "echo");
		record_put(&r, "args", args);
		control_put(c, &r);
		control_end(c, NULL);
	} else if (strcmp(what, "many") == 0)
		control_stream(c, more);
	else if (strcmp(what, "flood") == 0) {
		for (uint64_t i = 0; i < MANY; i++) {
			number(&r, i);
			control_put(c, &r);
		}
		control_end(c, NULL);
	} else if (strcmp(what, "watch") == 0)
		control_watch(c);
	else
		control_end(c, "what?");
}

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "%s", "/tmp/test_control.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(name.sun_path, sizeof(name.sun_path), "%s/s", dir);
	loop_init(&loop, false);
	return control_open(&control, &loop, name.sun_path, command, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	control_free(control);
	loop_free(&loop);
	return rmdir(dir); /* so the socket is gone */
}

static int
client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(
	    connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	turn();
	return fd;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	turn();
}

/* All that is there. Returns true at the end of the stream. */
static bool
hear(int fd)
{
	size_t len = 0;
	ssize_t n;

	turn();
	while ((n = read(fd, got + len, sizeof(got) - 1 - len)) > 0) {
		len += (size_t)n;
		turn();
	}
	got[len] = '\0';
	return n == 0 || (n == -1 && errno == ECONNRESET);
}

static void
commands_and_errors(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "echo a b\n\n  echo\tc\r\nbogus\nec");
	assert_false(hear(fd));
	assert_string_equal(got, "echo args=a%20b\nend status=ok\n"
				 "echo args=c\nend status=ok\n"
				 "end status=error reason=what%3F\n");
	close(fd);
}

static void
half_a_line(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "ec");
	assert_false(hear(fd));
	assert_string_equal(got, "");
	say(fd, "ho x\n");
	hear(fd);
	assert_string_equal(got, "echo args=x\nend status=ok\n");
	close(fd);
}

static void
line_too_long(void **state)
{
	static char line[5000];
	int fd = client();

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	say(fd, line);
	assert_true(hear(fd));
	assert_string_equal(got, "end status=error reason=line-too-long\n");
	close(fd);
}

/* What is longer than the backlog: streamed it comes whole, at once not. */
static void
long_answers(void **state)
{
	int fd = client();
	const char *end;

	(void)state;
	say(fd, "many\necho after\n");
	assert_false(hear(fd));
	assert_memory_equal(got, "item n=0\nitem n=1\n", 18);
	end = strstr(got, "item n=19999\n");
	assert_non_null(end);
	assert_string_equal(end,
	    "item n=19999\nend status=ok\necho args=after\nend status=ok\n");
	say(fd, "flood\n");
	assert_true(hear(fd));
	assert_null(strstr(got, "end status"));
	close(fd);
}

static void
half_closed(void **state)
{
	int fd = client();

	(void)state;
	assert_int_equal(write(fd, "many\n", 5), 5);
	shutdown(fd, SHUT_WR);
	assert_true(hear(fd)); /* answered to the end, then closed */
	assert_non_null(strstr(got, "item n=19999\nend status=ok\n"));
	close(fd);
}

static void
slow_watcher_is_cut_off(void **state)
{
	int slow = client(), quick = client();
	bool ended = false;
	struct record r;

	(void)state;
	say(slow, "watch\n");
	say(quick, "watch\n");
	for (uint64_t i = 0; i < MANY * 5; i++) {
		number(&r, i);
		control_publish(control, &r);
		if (i % 100 == 0) {
			turn();
			assert_false(hear(quick));
		}
	}
	assert_false(hear(quick));
	number(&r, 424242);
	control_publish(control, &r);
	assert_false(hear(quick));
	assert_string_equal(got, "item n=424242\n");
	ended = hear(slow);
	assert_true(ended);
	assert_null(strstr(got, "424242"));
	close(slow);
	close(quick);
}

static void
places(void **state)
{
	int fds[CONTROL_CLIENTS], extra;

	(void)state;
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		fds[i] = client();
		say(fds[i], "watch\n");
	}
	extra = client();
	assert_true(hear(extra)); /* refused */
	close(extra);
	/* a watcher that half-closed and then went makes room */
	shutdown(fds[3], SHUT_WR);
	turn();
	close(fds[3]);
	turn();
	fds[3] = client();
	say(fds[3], "echo in\n");
	assert_false(hear(fds[3]));
	assert_string_equal(got, "echo args=in\nend status=ok\n");
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		close(fds[i]);
	turn();
	extra = client();
	assert_false(hear(extra));
	close(extra);
}

static void
socket_file(void **state)
{
	struct control *second;
	struct stat st;
	char path[200];
	int fd;

	(void)state;
	assert_int_equal(stat(name.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* in use */
	assert_int_equal(
	    control_open(&second, &loop, name.sun_path, command, NULL),
	    -EADDRINUSE);
	/* not a socket */
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(
	    control_open(&second, &loop, path, command, NULL), -EEXIST);
	assert_int_equal(unlink(path), 0);
	/* left behind */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(path, sizeof(path), "%s/stale", dir);
	{
		struct sockaddr_un stale = {.sun_family = AF_UNIX};

		memcpy(stale.sun_path, path, strlen(path) + 1);
		assert_int_equal(
		    bind(fd, (struct sockaddr *)&stale, sizeof(stale)), 0);
	}
	close(fd);
	assert_int_equal(control_open(&second, &loop, path, command, NULL), 0);
	control_free(second);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(
	    control_open(&second, &loop, path, command, NULL), -ENAMETOOLONG);
	assert_int_equal(
	    control_open(&second, &loop, "", command, NULL), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(commands_and_errors),
	    TEST(half_a_line),
	    TEST(line_too_long),
	    TEST(long_answers),
	    TEST(half_closed),
	    TEST(slow_watcher_is_cut_off),
	    TEST(places),
	    TEST(socket_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* Descriptors of every kind: none blocks, and none is changed for others who
 * share it. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "loopback.h"

static char buf[100000];

static ssize_t
get(const struct descriptor *d, size_t len)
{
	struct iovec iov = {buf, len};

	return descriptor_read(d, &iov, 1);
}

static ssize_t
put(const struct descriptor *d, const char *text)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

	return descriptor_write(d, &iov, 1);
}

/* Writes until it would block: that it does not is the point. */
static size_t
stuff(const struct descriptor *d)
{
	static char zeros[50000];
	struct iovec iov = {zeros, sizeof(zeros)};
	size_t total = 0;
	ssize_t r;

	while ((r = descriptor_write(d, &iov, 1)) > 0)
		total += (size_t)r;
	assert_int_equal(r, -EAGAIN);
	return total;
}

static void
is_blocking_still(int fd)
{
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

static void
check_pair(int in, int out, bool shared)
{
	int in2 = dup(in), out2 = dup(out);
	struct descriptor r, w;

	assert_int_equal(descriptor_open(&r, in, false), 0);
	assert_int_equal(descriptor_open(&w, out, true), 0);
	descriptor_settle(&r);
	descriptor_settle(&w);
	if (shared) {
		r.kind = w.kind = DESCRIPTOR_SHARED;
		r.step = w.step = 256;
		assert_int_equal(dup2(in2, r.fd), r.fd);
		assert_int_equal(dup2(out2, w.fd), w.fd);
	}
	assert_int_equal(get(&r, 10), -EAGAIN);
	assert_int_equal(put(&w, "hello\n"), 6);
	assert_int_equal(get(&r, 10), 6);
	assert_memory_equal(buf, "hello\n", 6);
	assert_int_equal(get(&r, 10), -EAGAIN);
	assert_true(stuff(&w) > 0);
	is_blocking_still(in2);
	is_blocking_still(out2);
	descriptor_close(&w, false);
	close(out2);
	descriptor_close(&r, false);
	close(in2);
}

static void
pipes(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	check_pair(p[0], p[1], false);
	assert_int_equal(pipe(p), 0);
	check_pair(p[0], p[1], true);
}

static void
sockets(void **state)
{
	int s[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	check_pair(s[0], s[1], false);
}

/* From the terminal's program to who watches it, and the other way. */
static void
terminals(void **state)
{
	struct termios raw;
	int m, s;

	(void)state;
	cfmakeraw(&raw);
	for (int shared = 0; shared < 2; shared++) {
		memset(&raw, 0, sizeof(raw));
		assert_int_equal(openpty(&m, &s, NULL, NULL, NULL), 0);
		assert_int_equal(tcgetattr(s, &raw), 0);
		cfmakeraw(&raw);
		tcsetattr(s, TCSANOW, &raw);
		check_pair(m, s, shared == 1);
		assert_int_equal(openpty(&m, &s, NULL, NULL, NULL), 0);
		tcsetattr(s, TCSANOW, &raw);
		check_pair(s, m, shared == 1);
	}
}

/* Opening /dev/ptmx anew would make another terminal. */
static void
a_master_side_is_itself(void **state)
{
	struct descriptor d;
	int m, s;

	(void)state;
	assert_int_equal(openpty(&m, &s, NULL, NULL, NULL), 0);
	assert_int_equal(descriptor_open(&d, m, false), 0);
	assert_int_equal(d.kind, DESCRIPTOR_SHARED);
	assert_int_equal(d.fd, m);
	close(s);
	assert_int_equal(get(&d, 10), 0); /* and its end is no error */
	descriptor_close(&d, false);
}

static void
files_are_always_ready(void **state)
{
	struct descriptor d;
	FILE *f = tmpfile();

	(void)state;
	assert_int_equal(descriptor_open(&d, dup(fileno(f)), true), 0);
	assert_int_equal(d.kind, DESCRIPTOR_FILE);
	assert_int_equal(put(&d, "abc"), 3);
	lseek(d.fd, 0, SEEK_SET);
	assert_int_equal(get(&d, 10), 3);
	assert_int_equal(get(&d, 10), 0);
	descriptor_close(&d, false);
	fclose(f);
	assert_int_equal(
	    descriptor_open(&d, open("/dev/null", O_RDWR), true), 0);
	assert_int_equal(d.kind, DESCRIPTOR_FILE);
	assert_int_equal(put(&d, "abc"), 3);
	assert_int_equal(get(&d, 10), 0);
	descriptor_close(&d, false);
}

static void
what_is_nothing_is_refused(void **state)
{
	struct descriptor d;
	int dir = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(descriptor_open(&d, dir, false), -EISDIR);
	close(dir);
	assert_int_equal(descriptor_open(&d, dir, false), -EBADF);
	assert_int_equal(descriptor_open(&d, -1, false), 0);
	assert_false(descriptor_is_open(&d));
	descriptor_close(&d, true);
}

static void
released_it_is_the_callers(void **state)
{
	struct descriptor d;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(descriptor_open(&d, p[0], false), 0);
	assert_int_equal(d.kind, DESCRIPTOR_OWN);
	assert_int_not_equal(d.fd, p[0]);
	descriptor_release(&d);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(read(p[0], buf, 1), 1);
	close(p[0]);
	close(p[1]);
}

static void
errors_are_seen_without_reading(void **state)
{
	struct descriptor d;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(descriptor_open(&d, p[1], true), 0);
	descriptor_settle(&d);
	assert_int_equal(descriptor_error(&d), 0);
	close(p[0]);
	assert_int_equal(descriptor_error(&d), -EPIPE);
	assert_int_equal(put(&d, "x"), -EPIPE);
	descriptor_close(&d, false);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	assert_int_equal(descriptor_open(&d, p[1], true), 0);
	assert_int_equal(write(p[0], "last", 4), 4);
	assert_int_equal(write(p[1], "unread", 6), 6);
	assert_int_equal(descriptor_error(&d), 0);
	close(p[0]);
	assert_int_not_equal(descriptor_error(&d), 0);
	/* what was said before is still there, and then an end */
	assert_int_equal(get(&d, 10), 4);
	assert_int_equal(get(&d, 10), 0);
	descriptor_close(&d, false);
}

static void
tcp_pair(struct descriptor *a, struct descriptor *b)
{
	int s[2];

	loopback_tcp(s);
	assert_int_equal(descriptor_open(a, s[0], false), 0);
	assert_int_equal(descriptor_open(b, s[1], false), 0);
}

static void
an_abort_is_no_end(void **state)
{
	struct descriptor a, b;

	(void)state;
	tcp_pair(&a, &b);
	assert_true(a.tcp);
	descriptor_close(&a, true);
	assert_int_equal(descriptor_error(&b), -ECONNRESET);
	descriptor_close(&b, false);

	tcp_pair(&a, &b);
	descriptor_close(&a, false);
	assert_int_equal(descriptor_error(&b), 0);
	assert_int_equal(get(&b, 1), 0);
	descriptor_close(&b, false);
}

/* The kernel closes what a process leaves that was killed. */
static void
a_sudden_death_is_no_end(void **state)
{
	struct descriptor a, b;

	(void)state;
	tcp_pair(&a, &b);
	descriptor_arm(&a);
	close(a.fd);
	assert_int_equal(get(&b, 1), -ECONNRESET);
	descriptor_close(&b, false);

	tcp_pair(&a, &b);
	descriptor_arm(&a);
	assert_int_equal(put(&a, "all"), 3);
	descriptor_close(&a, false);
	assert_int_equal(get(&b, 10), 3);
	assert_int_equal(get(&b, 10), 0);
	descriptor_close(&b, false);
}

static void
one_socket_by_two_numbers(void **state)
{
	struct descriptor a, b, c;
	int s[2], other;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	other = dup(s[0]);
	assert_int_equal(descriptor_open(&a, s[0], false), 0);
	assert_int_equal(descriptor_open(&b, other, true), 0);
	assert_int_equal(descriptor_open(&c, s[1], true), 0);
	assert_true(descriptor_is_same(&a, &b));
	assert_false(descriptor_is_same(&a, &c));
	descriptor_shut(&b);
	assert_int_equal(get(&c, 1), 0);
	descriptor_close(&a, false);
	descriptor_close(&b, false);
	descriptor_close(&c, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pipes),
	    cmocka_unit_test(sockets),
	    cmocka_unit_test(terminals),
	    cmocka_unit_test(a_master_side_is_itself),
	    cmocka_unit_test(files_are_always_ready),
	    cmocka_unit_test(what_is_nothing_is_refused),
	    cmocka_unit_test(released_it_is_the_callers),
	    cmocka_unit_test(errors_are_seen_without_reading),
	    cmocka_unit_test(an_abort_is_no_end),
	    cmocka_unit_test(a_sudden_death_is_no_end),
	    cmocka_unit_test(one_socket_by_two_numbers),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(60); /* what blocks fails */
	return cmocka_run_group_tests(tests, NULL, NULL);
}

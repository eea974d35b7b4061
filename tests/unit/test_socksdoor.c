/* SPDX-License-Identifier: ISC */
/* tunnel/socksdoor: a client that is refused reads why, whatever else it has
 * sent, and does not stay for ever. */
#include "socksdoor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../loopwait.h"
#include "loopback.h"

/* "bind" instead of "connect", which nobody does for anybody */
static const uint8_t hello[] = {5, 1, 0};
static const uint8_t bind_request[] = {5, 2, 0, 1, 127, 0, 0, 1, 0, 80};
static const uint8_t connect_request[] = {5, 1, 0, 1, 127, 0, 0, 1, 0, 80};

struct fix {
	struct loop loop;
	struct socksdoors doors;
	int client;
	int known, fd;
};

static void
known_cb(void *arg, int fd, const struct opening *what)
{
	struct fix *f = arg;

	assert_int_equal(what->port, 80);
	f->fd = fd;
	f->known++;
}

static int
setup(void **state)
{
	static struct fix f;
	int s[2];

	memset(&f, 0, sizeof(f));
	loop_init(&f.loop, false);
	f.doors =
	    (struct socksdoors){.loop = &f.loop, .known = known_cb, .arg = &f};
	loopback_tcp(s);
	fcntl(s[1], F_SETFL, O_NONBLOCK);
	f.client = s[0];
	socksdoor_take(&f.doors, s[1]);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fix *f = *state;

	socksdoors_end(&f->doors);
	assert_int_equal(f->doors.open, 0);
	close(f->client);
	loop_free(&f->loop);
	return 0;
}

static void
say(struct fix *f, const void *data, size_t len)
{
	assert_int_equal(send(f->client, data, len, MSG_NOSIGNAL), len);
}

static void
wait_refused(struct fix *f)
{
	while (f->doors.refused == 0)
		event_base_loop(f->loop.base, EVLOOP_ONCE);
}

static void
wait_gone(struct fix *f)
{
	while (f->doors.open > 0)
		event_base_loop(f->loop.base, EVLOOP_ONCE);
}

/* A refusal with a reason, and after it an end: no reset. */
static void
test_reads_the_refusal(void **state)
{
	struct fix *f = *state;
	static const uint8_t more[100000];
	uint8_t in[64];

	say(f, hello, sizeof(hello));
	say(f, bind_request, sizeof(bind_request));
	say(f, more, sizeof(more));
	wait_refused(f);
	assert_int_equal(recv(f->client, in, 2, MSG_WAITALL), 2);
	assert_int_equal(recv(f->client, in, 10, MSG_WAITALL), 10);
	assert_int_equal(in[1], 7); /* no such command */
	assert_int_equal(recv(f->client, in, 1, 0), 0);
	shutdown(f->client, SHUT_WR);
	wait_gone(f);
	assert_int_equal(recv(f->client, in, 1, 0), 0);
	assert_int_equal(f->doors.refused, 1);
}

/* Who does not close is closed. */
static void
test_does_not_stay(void **state)
{
	struct fix *f = *state;

	say(f, hello, sizeof(hello));
	say(f, bind_request, sizeof(bind_request));
	wait_gone(f);
	assert_int_equal(f->doors.refused, 1);
	assert_int_equal(f->known, 0);
}

static void
test_leaves(void **state)
{
	struct fix *f = *state;

	say(f, hello, 2);
	shutdown(f->client, SHUT_WR);
	wait_gone(f);
	assert_int_equal(f->doors.refused, 1);
}

/* What comes after the request is left for the stream. */
static void
test_known(void **state)
{
	struct fix *f = *state;
	char in[8];

	say(f, hello, sizeof(hello));
	say(f, connect_request, sizeof(connect_request));
	say(f, "data", 4);
	loopwait(&f->loop, &f->known);
	assert_int_equal(recv(f->fd, in, sizeof(in), MSG_DONTWAIT), 4);
	assert_int_equal(f->doors.open, 0);
	assert_int_equal(f->doors.refused, 0);
	close(f->fd);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_reads_the_refusal),
	    T(test_does_not_stay),
	    T(test_leaves),
	    T(test_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

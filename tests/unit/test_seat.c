/* SPDX-License-Identifier: ISC */
/* A seat whose daemon is named, beside other programs of the host. Real
 * sockets on 127.0.0.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "seat.h"

static struct loop loop;
static unsigned heard;
static uint8_t last;

static void
heard_cb(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	assert_true(len > 0);
	last = data[0];
	heard++;
}

static int
program(uint16_t *port)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	sin.sin_port = htons(*port);
	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

static void
say(int fd, const struct seat *s, uint8_t first)
{
	uint8_t data[1000] = {first};
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(seat_local(s), &ss);

	(void)sendto(
	    fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&ss, len);
}

static void
turn(void)
{
	for (int i = 0; i < 100; i++)
		event_base_loop(loop.base, EVLOOP_NONBLOCK);
}

/* It takes none of the room that the daemon's datagrams need. */
static void
flooded(void **state)
{
	struct seat *s = NULL;
	uint16_t daemon = 0, other = 0;
	int d = program(&daemon), o = program(&other);

	(void)state;
	heard = 0;
	assert_int_equal(seat_open(&s, &loop, 0, daemon, heard_cb, NULL), 0);
	for (int i = 0; i < 20000; i++)
		say(o, s, 'x');
	say(d, s, 'd');
	turn();
	assert_int_equal(heard, 1);
	assert_int_equal(last, 'd');
	seat_free(s);
	close(d);
	close(o);
}

/* A daemon that is away for a while is heard when it is back. */
static void
comes_back(void **state)
{
	struct seat *s = NULL;
	uint16_t daemon = 0;
	int d = program(&daemon);
	uint8_t data[4];

	(void)state;
	heard = 0;
	assert_int_equal(seat_open(&s, &loop, 0, daemon, heard_cb, NULL), 0);
	close(d);
	for (int i = 0; i < 3; i++)
		(void)seat_deliver(s, (const uint8_t *)"ping", 4);
	turn();
	d = program(&daemon);
	assert_int_equal(seat_deliver(s, (const uint8_t *)"ping", 4), 0);
	assert_int_equal(recv(d, data, sizeof(data), 0), 4);
	say(d, s, 'd');
	turn();
	assert_int_equal(heard, 1);
	seat_free(s);
	close(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flooded),
	    cmocka_unit_test(comes_back),
	};
	int failed;

	loop_init(&loop, true);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	loop_free(&loop);
	return failed;
}

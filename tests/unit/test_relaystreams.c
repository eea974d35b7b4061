/* SPDX-License-Identifier: ISC */
/* The relay's connections: real ones over loopback, and who may stay. */
#include "relaystreams.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY UINT32_MAX

static struct loop loop;
static struct relaystreams *streams;
static struct addr at;
static uint32_t latest, in_use;

static bool
message(void *arg, const struct way *from, const uint8_t *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
	latest = from->stream;
	return true;
}

static void
gone(void *arg, uint32_t stream)
{
	(void)arg;
	(void)stream;
}

/* Tables are walked for longer than the clock stands. */
static void
used(void *arg)
{
	uint64_t begin = now_ms();

	(void)arg;
	while (now_ms() == begin)
		;
	relaystreams_keep(streams, in_use);
}

static void
begin(uint32_t max, uint32_t rate)
{
	struct relaystreams_config config = {.max = max,
	    .per_address = 100,
	    .rate = rate,
	    .message = message,
	    .gone = gone,
	    .used = used};

	assert_true(sodium_init() >= 0);
	loop_init(&loop, false);
	in_use = latest = NOBODY;
	assert_int_equal(relaystreams_new(&streams, &loop, &config), 0);
	assert_int_equal(addr_parse_ip(&at, "127.0.0.1", 0), 0);
	assert_int_equal(relaystreams_listen(streams, &at), 0);
	relaystreams_start(streams);
}

static void
end(void)
{
	relaystreams_free(streams);
	loop_free(&loop);
}

static int
come(void)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&at, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static void
turn_loop(void)
{
	event_base_loop(loop.base, EVLOOP_NONBLOCK);
}

/* How many have been accepted or refused. */
static uint64_t
seen(void)
{
	const struct relaystreams_counters *n = relaystreams_counters(streams);

	return n->connections + n->connections_refused;
}

static bool
is_open(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

/* A connection in use stays, also when the clock goes on while it is asked
 * which are; and one that is of no use makes room. */
static void
who_is_of_no_use_makes_room(void **state)
{
	static const uint8_t binding[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	uint64_t begin_ms = now_ms();
	int mine, idle, other = -1;

	(void)state;
	begin(2, 1000);
	mine = come();
	assert_int_equal(write(mine, binding, sizeof(binding)), 20);
	while (latest == NOBODY)
		turn_loop();
	in_use = latest;
	idle = come();
	while (relaystreams_count(streams) < 2)
		turn_loop();
	/* that is sooner than RELAYSTREAMS_IDLE_MS */
	while (relaystreams_counters(streams)->connections < 3) {
		uint64_t n = seen();

		assert_true(now_ms() - begin_ms < 20000);
		if (other != -1)
			close(other);
		other = come();
		while (seen() == n)
			turn_loop();
		usleep(20000);
	}
	assert_true(is_open(mine));
	assert_false(is_open(idle));
	assert_true(is_open(other));
	close(mine);
	close(idle);
	close(other);
	end();
}

/* Ten per second, and twenty at once. */
static void
one_address_comes_too_often(void **state)
{
	int fd[100];

	(void)state;
	begin(100, 10);
	for (int i = 0; i < 100; i++) {
		fd[i] = come();
		while (seen() < (uint64_t)i + 1)
			turn_loop();
	}
	assert_in_range(relaystreams_counters(streams)->connections, 20, 60);
	for (int i = 0; i < 100; i++)
		close(fd[i]);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_is_of_no_use_makes_room),
	    cmocka_unit_test(one_address_comes_too_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* Datagrams, each way: whole, in order, the oldest dropped and counted when too
 * many wait. */
#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "joint.h"
#include "loopback.h"
#include "purse_fixture.h"

static struct loop loop;
static struct purse sending, writing;
static struct flow flow;
static struct descriptor in, out;
static int far_end;
static uint64_t dropped;
static int ended, failures;

static void
ready(void *arg)
{
	(void)arg;
}

static void
on_end(void *arg)
{
	(void)arg;
	ended++;
}

static void
on_drop(void *arg, uint64_t n)
{
	(void)arg;
	dropped += n;
}

static void
on_failure(void *arg, bool write, int error)
{
	(void)arg;
	(void)write;
	assert_true(error < 0);
	failures++;
}

static const struct flow_calls calls = {ready, on_end, on_drop, on_failure};

static void
begin(int fd, int far)
{
	loop_init(&loop, false);
	dropped = 0;
	ended = failures = 0;
	budget = UINT64_MAX;
	sending = writing = purse_with(2);
	flow_init(&flow, &sending, &writing, &calls, NULL);
	far_end = far;
	fcntl(far_end, F_SETFL, O_NONBLOCK);
	assert_int_equal(descriptor_open(&in, fd, false), 0);
	assert_int_equal(descriptor_open(&out, fd, true), 0);
	flow_start(&flow, &loop, &in, &out);
}

static int
udp_setup(void **state)
{
	int s[2];

	(void)state;
	loopback_udp(s);
	begin(s[0], s[1]);
	return 0;
}

static int
local_setup(void **state)
{
	int s[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	begin(s[0], s[1]);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	flow_free(&flow);
	descriptor_close(&in, false);
	close(far_end);
	assert_int_equal(sending.held, 0);
	assert_int_equal(writing.held, 0);
	block_trim();
	loop_free(&loop);
	return 0;
}

static void
turn(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(loop.base, EVLOOP_NONBLOCK);
}

static size_t
length_of(int i)
{
	return (size_t)(i * 37 % 1200);
}

static void
write_far(int i)
{
	uint8_t data[1200];

	memset(data, i, sizeof(data));
	assert_int_equal(
	    write(far_end, data, length_of(i)), (ssize_t)length_of(i));
}

static void
take(int i)
{
	const uint8_t *data;
	size_t len;

	assert_true(flow_next(&flow, &data, &len));
	assert_int_equal(len, length_of(i));
	for (size_t k = 0; k < len; k++)
		assert_int_equal(data[k], (uint8_t)i);
	flow_pop(&flow);
}

static void
each_is_whole_and_in_order(void **state)
{
	const uint8_t *data;
	size_t len;
	uint8_t buf[2000];

	(void)state;
	for (int i = 0; i < 200; i++) {
		write_far(i);
		if (i % 16 == 0)
			turn();
	}
	turn();
	for (int i = 0; i < 200; i++)
		take(i);
	assert_false(flow_next(&flow, &data, &len));
	assert_int_equal(dropped, 0);
	memset(buf, 'x', sizeof(buf));
	for (int i = 0; i < 100; i++)
		flow_put(&flow, buf, length_of(i));
	flow_flush(&flow);
	turn();
	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    read(far_end, buf, sizeof(buf)), (ssize_t)length_of(i));
	assert_int_equal(ended, 0); /* empty ones are no end */
}

static void
the_oldest_give_way(void **state)
{
	(void)state;
	for (int i = 0; i < JOINT_DATAGRAMS + 50; i++) {
		write_far(i);
		turn();
	}
	assert_int_equal(dropped, 50);
	for (int i = 50; i < JOINT_DATAGRAMS + 50; i++)
		take(i);
}

static void
without_budget_there_are_fewer(void **state)
{
	(void)state;
	budget = 0;
	for (int i = 0; i < 200; i++) {
		write_far(i);
		turn();
	}
	assert_int_equal(sending.held, 2);
	assert_int_equal(dropped + flow.sending.count, 200);
	assert_true(dropped > 100);
	take((int)dropped);
}

static void
a_writer_that_is_blocked_drops_the_oldest(void **state)
{
	uint8_t buf[1000];
	ssize_t first = -1, n = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		memset(buf, 0, sizeof(buf));
		buf[0] = (uint8_t)(i >> 8);
		buf[1] = (uint8_t)i;
		flow_put(&flow, buf, sizeof(buf));
		flow_flush(&flow);
	}
	assert_int_equal(flow.writing.count, JOINT_DATAGRAMS);
	assert_true(dropped > 0);
	while (read(far_end, buf, sizeof(buf)) > 0) {
		if (first == -1)
			first = buf[0] << 8 | buf[1];
		n++;
		turn();
	}
	assert_int_equal(first, 0);
	assert_int_equal(n + (ssize_t)dropped, 5000);
	/* the newest came through */
	assert_int_equal(buf[0] << 8 | buf[1], 4999);
}

static void
what_is_too_long_is_dropped_and_counted(void **state)
{
	static uint8_t big[FLOW_DATAGRAM_MAX + 1];

	(void)state;
	assert_int_equal(
	    write(far_end, big, sizeof(big)), (ssize_t)sizeof(big));
	write_far(1);
	turn();
	assert_int_equal(dropped, 1);
	take(1);
	flow_put(&flow, big, sizeof(big));
	assert_int_equal(dropped, 2);
	assert_int_equal(flow.writing.count, 0);
}

static void
nobody_there_is_no_end(void **state)
{
	(void)state;
	close(far_end);
	far_end = -1;
	for (int i = 0; i < 4; i++) {
		flow_put(&flow, "ping", 4);
		flow_flush(&flow);
		turn();
	}
	assert_int_equal(ended + failures, 0);
	assert_int_equal(flow.writing.count, 0);
}

static void
the_other_end_closed_is_one(void **state)
{
	(void)state;
	write_far(3);
	close(far_end);
	far_end = -1;
	turn();
	take(3);
	assert_int_equal(ended, 1);
	assert_int_equal(failures, 0);
}

#define UDP(name) cmocka_unit_test_setup_teardown(name, udp_setup, end)
#define LOCAL(name) cmocka_unit_test_setup_teardown(name, local_setup, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    UDP(each_is_whole_and_in_order),
	    UDP(the_oldest_give_way),
	    UDP(without_budget_there_are_fewer),
	    UDP(what_is_too_long_is_dropped_and_counted),
	    UDP(nobody_there_is_no_end),
	    LOCAL(a_writer_that_is_blocked_drops_the_oldest),
	    LOCAL(the_other_end_closed_is_one),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

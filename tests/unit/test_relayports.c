/* SPDX-License-Identifier: ISC */
/* Relayed ports, on a loopback address of this process's own: a reserved one is
 * its holder's until that opens or releases it, whatever fails. */
#include "relayports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOW 20000

static struct loop loop;
static struct trains *trains;
static struct relayports *ports;
static struct turn_ports turn;
static struct addr at;

static void
readable(void *arg, uint32_t index, struct train *t)
{
	(void)arg;
	(void)index;
	(void)t;
}

/* Two ports are all that there is. */
static int
setup(void **state)
{
	struct relayports_config config = {.low = LOW,
	    .high = LOW + 1,
	    .allocations = 4,
	    .readable = readable};
	unsigned int pid = (unsigned int)getpid();

	(void)state;
	config.at[0] = (struct addr){.family = ADDR_V4,
	    .ip = {127, (uint8_t)(64 + pid / 65536 % 64), (uint8_t)(pid / 256),
		(uint8_t)(1 + pid % 254)}};
	config.external[0] = config.at[0];
	loop_init(&loop, false);
	assert_int_equal(trains_new(&trains), 0);
	assert_int_equal(relayports_new(&ports, &loop, trains, &config), 0);
	turn = relayports_turn(ports);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	relayports_free(ports);
	trains_free(trains);
	loop_free(&loop);
	return 0;
}

static int
open_some(uint32_t index, bool next)
{
	return turn.open(turn.arg, index, ADDR_V4, next, next, 0, &at);
}

static int
open_held(uint32_t index)
{
	return turn.open(turn.arg, index, ADDR_V4, false, false, LOW + 1, &at);
}

/* Opens the held one while there are no descriptors. */
static void
fail_to_open(uint32_t index)
{
	struct rlimit before, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(open_held(index), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void
held_is_nobody_elses(void **state)
{
	(void)state;
	assert_int_equal(open_held(0), -EADDRNOTAVAIL);
	assert_int_equal(open_some(0, true), 0);
	assert_int_equal(at.port, LOW);
	assert_int_equal(open_some(1, false), -EADDRNOTAVAIL);
	assert_int_equal(open_held(1), 0);
	assert_int_equal(at.port, LOW + 1);
	/* It is open now: there is nothing to release. */
	turn.release(turn.arg, ADDR_V4, LOW + 1);
	assert_true(relayports_open_at(ports, ADDR_V4, LOW + 1));
	assert_int_equal(open_some(2, false), -EADDRNOTAVAIL);
	turn.close(turn.arg, 1);
	assert_int_equal(open_some(2, false), 0);
	assert_int_equal(at.port, LOW + 1);
}

static void
held_still_when_it_can_not_be_opened(void **state)
{
	(void)state;
	assert_int_equal(open_some(0, true), 0);
	turn.close(turn.arg, 0);
	fail_to_open(1);
	/* Another can't reserve what the first one has yet to release. */
	assert_int_equal(open_some(2, true), -EADDRNOTAVAIL);
	assert_int_equal(open_held(1), 0);
	turn.close(turn.arg, 1);
	/* Or it is released: then another reserves it, and has it. */
	assert_int_equal(open_some(0, true), 0);
	turn.close(turn.arg, 0);
	fail_to_open(1);
	turn.release(turn.arg, ADDR_V4, LOW + 1);
	assert_int_equal(open_some(2, true), 0);
	assert_int_equal(open_some(3, false), -EADDRNOTAVAIL);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(held_is_nobody_elses),
	    TEST(held_still_when_it_can_not_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

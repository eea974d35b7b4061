/* SPDX-License-Identifier: ISC */
/* servers: rounds, keepalives, and what several answers say of the NAT. */
#include "servers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#include "addr_fixture.h"
#include "mapping.h"
#include "stun.h"

#define MS UINT64_C(1000)
#define START (UINT64_C(90000000) * MS)

/* Steps until nothing is due; returns how many requests went out, and the
 * last event other than a send. */
static int
drain(struct servers *s, uint64_t now_us, enum servers_event *last)
{
	uint8_t out[BINDING_REQUEST_MAX];
	enum servers_event event = SERVERS_NOTHING;
	struct server *who = NULL;
	size_t len = 0;
	int sends = 0;

	while ((event = servers_step(s, now_us, out, &len, &who)) !=
	       SERVERS_NOTHING) {
		assert_non_null(who);
		if (event == SERVERS_SEND)
			sends++;
		else if (last != NULL)
			*last = event;
		assert_true(sends <= SERVERS_MAX);
	}
	return sends;
}

/* Server i answers its present request. */
static enum servers_event
answer(struct servers *s, size_t i, const char *mapped, uint64_t now_us)
{
	struct addr m = at(mapped), base = at("10.0.0.1:5");
	struct server *who = NULL;
	uint8_t data[STUN_MAX];
	struct stun_buf buf;
	int len = 0;

	stun_begin(&buf, data, sizeof(data), STUN_BINDING, STUN_SUCCESS,
	    s->list[i].binding.t.tid);
	stun_put_xor_addr(&buf, STUN_XOR_MAPPED_ADDRESS, &m);
	len = stun_end(&buf, false);
	return servers_reply(
	    s, data, (size_t)len, &s->list[i].addr, &base, now_us, &who);
}

static void
two(struct servers *s, uint32_t keepalive_ms)
{
	struct addr list[] = {at("192.0.2.1:3478"), at("192.0.2.2:3478")};

	servers_init(s, keepalive_ms);
	servers_round(s, START, 1500, 300);
	servers_set(s, 0, list, 2, START);
	assert_int_equal(drain(s, START, NULL), 2);
}

static void
test_same_address_once(void **state)
{
	struct addr a = at("192.0.2.1:3478"), b = at("192.0.2.2:3478");
	struct addr both[] = {b, a, b};
	struct servers s;

	(void)state;
	servers_init(&s, 0);
	servers_set(&s, 0, &a, 1, START);
	servers_set(&s, 1, both, 3, START);
	assert_int_equal(s.n, 2);
	assert_int_equal(drain(&s, START, NULL), 2);
	/* name 0 moves away, but name 1 still has the address */
	assert_false(servers_set(&s, 0, &b, 1, START));
	assert_int_equal(s.n, 2);
	assert_int_equal(
	    answer(&s, 0, "198.51.100.1:7", START), SERVERS_ANSWER);
	assert_true(servers_set(&s, 1, &b, 1, START));
	assert_int_equal(s.n, 1);
	assert_true(addr_equal(&s.list[0].addr, &b));
}

static void
test_table_full(void **state)
{
	struct addr list[SERVERS_MAX + 5];
	struct servers s;

	(void)state;
	servers_init(&s, 0);
	for (size_t i = 0; i < SERVERS_MAX + 5; i++) {
		list[i] = at("192.0.2.1:1");
		list[i].port = (uint16_t)(i + 1);
	}
	servers_set(&s, 0, list, SERVERS_MAX + 5, START);
	assert_int_equal(s.n, SERVERS_MAX);
}

static void
test_round_waits(void **state)
{
	struct servers s;

	(void)state;
	two(&s, 0);
	assert_false(servers_over(&s, START + 1499 * MS));
	assert_true(servers_over(&s, START + 1500 * MS));
}

static void
test_round_after_first(void **state)
{
	struct servers s;

	(void)state;
	two(&s, 0);
	assert_int_equal(
	    answer(&s, 1, "198.51.100.1:7", START + 40 * MS), SERVERS_ANSWER);
	assert_false(servers_over(&s, START + 339 * MS));
	assert_true(servers_over(&s, START + 340 * MS));
	assert_true(servers_next(&s) <= START / MS + 340);
}

static void
test_round_all_answered(void **state)
{
	struct servers s;

	(void)state;
	two(&s, 0);
	answer(&s, 1, "198.51.100.1:7", START + 40 * MS);
	answer(&s, 0, "198.51.100.1:7", START + 41 * MS);
	assert_true(servers_over(&s, START + 41 * MS));
}

static void
test_round_unreachable(void **state)
{
	struct addr a = at("192.0.2.1:3478"), none = at("192.0.2.3:3478");
	struct servers s;

	(void)state;
	two(&s, 0);
	assert_null(servers_unreachable(&s, &none));
	assert_non_null(servers_unreachable(&s, &a));
	assert_null(servers_unreachable(&s, &a));
	answer(&s, 1, "198.51.100.1:7", START + 40 * MS);
	assert_true(servers_over(&s, START + 40 * MS));
	/* but it is asked on, and may answer yet */
	assert_int_equal(drain(&s, START + 600 * MS, NULL), 1);
	assert_int_equal(
	    answer(&s, 0, "198.51.100.1:7", START + 700 * MS), SERVERS_ANSWER);
}

/* After a change, an answer to a request from before it is of the past. */
static void
test_round_is_fresh(void **state)
{
	uint8_t data[STUN_MAX];
	struct addr m = at("198.51.100.1:7"), base = at("10.0.0.1:5");
	struct server *who = NULL;
	struct stun_buf buf;
	struct servers s;
	int len = 0;

	(void)state;
	two(&s, 0);
	stun_begin(&buf, data, sizeof(data), STUN_BINDING, STUN_SUCCESS,
	    s.list[0].binding.t.tid);
	stun_put_xor_addr(&buf, STUN_XOR_MAPPED_ADDRESS, &m);
	len = stun_end(&buf, false);
	answer(&s, 1, "198.51.100.1:7", START);
	servers_round(&s, START + MS, 1500, 300);
	assert_false(s.list[1].known);
	assert_int_equal(servers_reply(&s, data, (size_t)len, &s.list[0].addr,
			     &base, START + MS, &who),
	    SERVERS_NOTHING);
	assert_int_equal(drain(&s, START + MS, NULL), 2);
}

static void
test_keepalive(void **state)
{
	enum servers_event last = SERVERS_NOTHING;
	struct servers s;

	(void)state;
	two(&s, 25000);
	answer(&s, 0, "198.51.100.1:7", START);
	answer(&s, 1, "198.51.100.1:7", START);
	s.open = false;
	assert_true(servers_next(&s) == START / MS + 25000);
	assert_int_equal(drain(&s, START + 24999 * MS, &last), 0);
	assert_int_equal(drain(&s, START + 25000 * MS, &last), 2);
	assert_int_equal(last, SERVERS_NOTHING);
	assert_int_equal(answer(&s, 0, "198.51.100.1:7", START + 25001 * MS),
	    SERVERS_NOTHING);
	assert_int_equal(answer(&s, 1, "198.51.100.1:8", START + 25001 * MS),
	    SERVERS_REMAPPED);
}

static void
test_keepalive_fails(void **state)
{
	enum servers_event last = SERVERS_NOTHING;
	struct servers s;
	uint64_t t = START;

	(void)state;
	two(&s, 25000);
	answer(&s, 0, "198.51.100.1:7", START);
	answer(&s, 1, "198.51.100.1:7", START);
	for (int i = 1; i <= 4; i++) {
		assert_true(s.list[1].known);
		last = SERVERS_NOTHING;
		t = START + (uint64_t)i * 25000 * MS;
		assert_true(drain(&s, t, &last) >= 2);
		answer(&s, 0, "198.51.100.1:7", t);
		assert_int_equal(last, i == 1	? SERVERS_NOTHING
				       : i == 4 ? SERVERS_FORGOTTEN
						: SERVERS_SILENT);
	}
	assert_false(s.list[1].known);
	assert_true(s.list[0].known);
	/* it is asked on, and comes back */
	assert_int_equal(
	    answer(&s, 1, "198.51.100.1:7", t + MS), SERVERS_ANSWER);
	assert_int_equal(s.list[1].failures, 0);
}

static void
test_mapping(void **state)
{
	struct mapping m;
	struct servers s;
	size_t i = 0;

	(void)state;
	two(&s, 0);
	assert_false(mapping_next(&m, &s, &i));
	answer(&s, 0, "198.51.100.1:7", START);
	i = 0;
	assert_false(mapping_next(&m, &s, &i)); /* one says nothing */
	answer(&s, 1, "198.51.100.1:7", START);
	i = 0;
	assert_true(mapping_next(&m, &s, &i));
	assert_false(m.dependent);
	assert_int_equal(m.n, 2);
	assert_false(mapping_next(&m, &s, &i));
	servers_round(&s, START, 1500, 300);
	drain(&s, START, NULL);
	answer(&s, 0, "198.51.100.1:7", START);
	answer(&s, 1, "198.51.100.1:8", START);
	i = 0;
	assert_true(mapping_next(&m, &s, &i));
	assert_true(m.dependent);
	assert_string_equal(mapping_name(&m), "endpoint-dependent");
}

/* Six servers, and only the last disagrees: the record must show it. */
static void
test_mapping_shows_it(void **state)
{
	struct addr list[6];
	struct mapping m;
	struct servers s;
	size_t i = 0;

	(void)state;
	servers_init(&s, 0);
	for (i = 0; i < 6; i++) {
		list[i] = at("192.0.2.1:1");
		list[i].port = (uint16_t)(i + 1);
	}
	servers_set(&s, 0, list, 6, START);
	drain(&s, START, NULL);
	for (i = 0; i < 6; i++)
		answer(
		    &s, i, i == 5 ? "198.51.100.1:8" : "198.51.100.1:7", START);
	i = 0;
	assert_true(mapping_next(&m, &s, &i));
	assert_true(m.dependent);
	assert_int_equal(m.n, MAPPING_SHOWN);
	assert_int_equal(m.endpoint[MAPPING_SHOWN - 1].port, 8);
	assert_int_equal(m.server[MAPPING_SHOWN - 1].port, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_address_once),
	    cmocka_unit_test(test_table_full),
	    cmocka_unit_test(test_round_waits),
	    cmocka_unit_test(test_round_after_first),
	    cmocka_unit_test(test_round_all_answered),
	    cmocka_unit_test(test_round_unreachable),
	    cmocka_unit_test(test_round_is_fresh),
	    cmocka_unit_test(test_keepalive),
	    cmocka_unit_test(test_keepalive_fails),
	    cmocka_unit_test(test_mapping),
	    cmocka_unit_test(test_mapping_shows_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* The table of clients and wants: what it refuses, and that it forgets. */
#include "registry.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct registry reg;

static int
setup(void **state)
{
	(void)state;
	return registry_init(&reg, 100, 10);
}

static int
teardown(void **state)
{
	(void)state;
	registry_free(&reg);
	return 0;
}

static struct path
at(uint32_t ip)
{
	struct path p = {.remote = {.family = ADDR_V4, .port = 1000}};

	p.remote.ip[0] = 10;
	p.remote.ip[2] = (uint8_t)(ip >> 8);
	p.remote.ip[3] = (uint8_t)ip;
	return p;
}

static const uint8_t *
key(uint32_t n)
{
	static uint8_t k[KEY_LEN];

	memset(k, 0, sizeof(k));
	k[0] = 77;
	put_u32(k + 8, n);
	return k;
}

static uint32_t
add(uint32_t n, uint32_t ip, uint64_t now)
{
	struct session s = {0};
	struct path p = at(ip);

	randombytes_buf(s.id, sizeof(s.id));
	return registry_add(&reg, key(n), &s, &p, now, now);
}

/* The client of a key, with its wants */
static void
remove_all(uint32_t n)
{
	uint32_t c = registry_by_key(&reg, key(n));

	while (reg.clients[c].edges != REGISTRY_NONE)
		registry_unwant(&reg, reg.clients[c].edges);
	registry_remove(&reg, c);
}

static void
full(void **state)
{
	struct path other = at(999);

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		assert_true(add(i, i, 1) != REGISTRY_NONE);
	assert_false(registry_has_room(&reg, &other.remote));
	assert_int_equal(add(100, 999, 1), REGISTRY_NONE);
	assert_int_equal(registry_by_key(&reg, key(100)), REGISTRY_NONE);
	/* who is in it may renew, also from elsewhere */
	assert_true(add(5, 999, 2) != REGISTRY_NONE);
	assert_int_equal(reg.count, 100);
	registry_remove(&reg, registry_by_key(&reg, key(7)));
	assert_true(add(100, 999, 1) != REGISTRY_NONE);
}

static void
one_address_has_its_share(void **state)
{
	struct path p = at(1), port = at(1), q = at(2);

	(void)state;
	port.remote.port = 9;
	for (uint32_t i = 0; i < 10; i++)
		assert_true(add(i, 1, 1) != REGISTRY_NONE);
	assert_false(registry_has_room(&reg, &p.remote));
	assert_false(registry_has_room(&reg, &port.remote));
	assert_true(registry_has_room(&reg, &q.remote));
	assert_int_equal(add(50, 1, 1), REGISTRY_NONE);
	/* renewing does not count twice; leaving makes room, and moving does
	 * when it is proven */
	assert_true(add(0, 1, 2) != REGISTRY_NONE);
	registry_move(&reg, registry_by_key(&reg, key(1)), &q);
	assert_int_equal(add(50, 1, 1), REGISTRY_NONE);
	registry_proven(&reg, registry_by_key(&reg, key(1)));
	assert_true(add(50, 1, 1) != REGISTRY_NONE);
	assert_int_equal(add(51, 1, 1), REGISTRY_NONE);
	registry_remove(&reg, registry_by_key(&reg, key(2)));
	assert_true(add(51, 1, 1) != REGISTRY_NONE);
}

/* Two addresses hold two shares, however clients go from one to the other. */
static void
no_more_by_moving(void **state)
{
	uint32_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < 50; i++)
		if (add(i, 1, i) != REGISTRY_NONE) {
			n++;
			add(i, 2, i);
		}
	assert_int_equal(n, 20);
}

static uint32_t
add6(uint32_t n, uint32_t net)
{
	struct path p = {.remote = {.family = ADDR_V6, .port = 1}};
	struct session s = {0};

	p.remote.ip[0] = 0x20;
	p.remote.ip[5] = (uint8_t)(net >> 16); /* of the /48 */
	p.remote.ip[6] = (uint8_t)(net >> 8);
	p.remote.ip[7] = (uint8_t)net;
	randombytes_buf(s.id, sizeof(s.id));
	return registry_add(&reg, key(n), &s, &p, n, n);
}

/* Who has a /48 has 65536 networks, and yet no more than two shares. */
static void
many_networks_of_one_site(void **state)
{
	uint32_t clients = 0, wants = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t c = add6(i, i);

		clients += c != REGISTRY_NONE;
		for (uint32_t k = 0; c != REGISTRY_NONE && k < 64; k++)
			wants +=
			    registry_want(&reg, c, key(k)) != REGISTRY_NONE;
	}
	assert_int_equal(clients, 20);
	assert_int_equal(wants, 2 * 64);
	/* one of its networks can't take both */
	for (uint32_t i = 0; i < 20; i++)
		remove_all(i);
	clients = 0;
	for (uint32_t i = 0; i < 100; i++)
		clients += add6(i, 7) != REGISTRY_NONE;
	assert_int_equal(clients, 10);
	assert_true(add6(200, 8) != REGISTRY_NONE);
	assert_true(add6(201, 1 << 16) != REGISTRY_NONE);
}

static void
found_by_id_and_key(void **state)
{
	uint8_t id[WIRE_ID_LEN], zero[WIRE_ID_LEN] = {0};
	uint32_t c = add(1, 1, 1);

	(void)state;
	memcpy(id, reg.clients[c].session.id, sizeof(id));
	assert_int_equal(registry_by_id(&reg, id), c);
	assert_int_equal(registry_by_key(&reg, key(1)), c);
	assert_int_equal(registry_by_id(&reg, zero), REGISTRY_NONE);
	/* a new session: the old id is nobody's */
	assert_int_equal(add(1, 2, 2), c);
	assert_int_equal(registry_by_id(&reg, id), REGISTRY_NONE);
	memcpy(id, reg.clients[c].session.id, sizeof(id));
	registry_remove(&reg, c);
	assert_int_equal(registry_by_id(&reg, id), REGISTRY_NONE);
	assert_int_equal(registry_by_key(&reg, key(1)), REGISTRY_NONE);
	/* and its keys are not in memory any more */
	assert_true(sodium_is_zero(
	    (uint8_t *)&reg.clients[c].session, sizeof(struct session)));
}

static void
oldest_first(void **state)
{
	uint32_t a = add(1, 1, 10), b = add(2, 2, 20), c = add(3, 3, 30);

	(void)state;
	assert_int_equal(reg.oldest, a);
	registry_seen(&reg, a, 40);
	assert_int_equal(reg.oldest, b);
	registry_seen(&reg, c, 50);
	assert_int_equal(reg.oldest, b);
	registry_remove(&reg, b);
	assert_int_equal(reg.oldest, a);
	assert_int_equal(reg.newest, c);
	registry_remove(&reg, c);
	registry_remove(&reg, a);
	assert_int_equal(reg.oldest, REGISTRY_NONE);
	assert_int_equal(reg.newest, REGISTRY_NONE);
}

static void
wants_of_one_client(void **state)
{
	uint32_t c = add(1, 1, 1), e = REGISTRY_NONE;

	(void)state;
	for (uint32_t i = 0; i < REGISTRY_WANTS; i++) {
		e = registry_want(&reg, c, key(i));
		assert_true(e != REGISTRY_NONE);
	}
	assert_int_equal(registry_want(&reg, c, key(1000)), REGISTRY_NONE);
	assert_int_equal(registry_edge(&reg, c, key(63)), e);
	registry_unwant(&reg, registry_edge(&reg, c, key(30)));
	assert_int_equal(registry_edge(&reg, c, key(30)), REGISTRY_NONE);
	assert_int_equal(registry_edge(&reg, c, key(63)), e);
	assert_true(registry_want(&reg, c, key(1000)) != REGISTRY_NONE);
}

/* One address can't take all wants with the clients that it may have. */
static void
wants_of_one_address(void **state)
{
	uint32_t c[10], got = 0;

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		c[i] = add(i, 1, 1);
		for (uint32_t k = 0; k < REGISTRY_WANTS; k++)
			got += registry_want(&reg, c[i], key(100 + k)) !=
			       REGISTRY_NONE;
	}
	assert_int_equal(got, REGISTRY_WANTS); /* its share of 400 is 64 */
	c[0] = add(50, 2, 1);
	assert_true(registry_want(&reg, c[0], key(1)) != REGISTRY_NONE);
}

static void
wants_of_all(void **state)
{
	uint32_t got = 0;

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t c = add(i, i, 1);

		for (uint32_t k = 0; k < REGISTRY_WANTS; k++)
			got += registry_want(&reg, c, key(100 + k)) !=
			       REGISTRY_NONE;
	}
	assert_int_equal(got, 400);
	assert_int_equal(reg.edges_count, 400);
}

static void
renewed_wants_are_stale(void **state)
{
	uint32_t c = add(1, 1, 1), e = registry_want(&reg, c, key(2));

	(void)state;
	assert_false(reg.edges[e].stale);
	add(1, 1, 2);
	assert_true(reg.edges[e].stale);
}

/* Chains and free lists after much coming and going. */
static void
churn(void **state)
{
	bool in[300] = {false};

	(void)state;
	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t n = randombytes_uniform(300);
		uint32_t c = registry_by_key(&reg, key(n));

		assert_int_equal(c != REGISTRY_NONE, in[n]);
		if (in[n] && randombytes_uniform(2) == 0) {
			while (reg.clients[c].edges != REGISTRY_NONE)
				registry_unwant(&reg, reg.clients[c].edges);
			registry_remove(&reg, c);
			in[n] = false;
		} else if (in[n]) {
			struct path p = at(randombytes_uniform(40));

			if (round % 3 == 0) {
				p.remote.family = ADDR_V6;
				p.remote.ip[6] = p.remote.ip[3];
				p.remote.ip[3] = 0;
			}

			registry_want(&reg, c, key(round));
			registry_move(&reg, c, &p);
			if (round % 2 == 0)
				registry_proven(&reg, c);
		} else {
			in[n] = add(n, n / 9, round) != REGISTRY_NONE;
		}
	}
	for (uint32_t n = 0; n < 300; n++) {
		uint32_t c = registry_by_key(&reg, key(n));

		if (c == REGISTRY_NONE)
			continue;
		while (reg.clients[c].edges != REGISTRY_NONE)
			registry_unwant(&reg, reg.clients[c].edges);
		registry_remove(&reg, c);
	}
	assert_int_equal(reg.count, 0);
	assert_int_equal(reg.edges_count, 0);
	for (uint32_t n = 0; n < 100; n++)
		assert_true(add(n, n / 10, 1) != REGISTRY_NONE);
}

static void
limits_of_size(void **state)
{
	struct registry r;

	(void)state;
	assert_int_equal(registry_init(&r, 0, 1), -EINVAL);
	assert_int_equal(
	    registry_init(&r, REGISTRY_CLIENTS_MAX + 1, 1), -EINVAL);
	/* 100,000 clients in 128 MiB, with room to spare */
	assert_int_equal(registry_init(&r, 100000, 1), 0);
	assert_true(r.memory < 90u * 1000 * 1000);
	registry_free(&r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(full),
	    TEST(one_address_has_its_share),
	    TEST(no_more_by_moving),
	    TEST(many_networks_of_one_site),
	    TEST(found_by_id_and_key),
	    TEST(oldest_first),
	    TEST(wants_of_one_client),
	    TEST(wants_of_one_address),
	    TEST(wants_of_all),
	    TEST(renewed_wants_are_stale),
	    TEST(churn),
	    cmocka_unit_test(limits_of_size),
	};

	return sodium_init() == -1 ? 1
				   : cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* So many at an address, twice as many at a site, and all gone at the end. */
#include "crowd.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>

#include <cmocka.h>

static struct addr
v6(uint16_t network)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, "[2001:db8:7::1]:5"), 0);
	a.ip[6] = (uint8_t)(network >> 8);
	a.ip[7] = (uint8_t)network;
	return a;
}

static void
an_address_is_full(void **state)
{
	struct addr a, port, b;
	struct crowd c;
	uint32_t first;

	(void)state;
	assert_int_equal(addr_parse(&a, "192.0.2.1:1"), 0);
	assert_int_equal(addr_parse(&port, "192.0.2.1:2"), 0);
	assert_int_equal(addr_parse(&b, "192.0.2.2:1"), 0);
	assert_int_equal(crowd_init(&c, 4, 2), 0);
	first = crowd_enter(&c, &a);
	assert_true(crowd_room(&c, &port, CROWD_NONE));
	crowd_enter(&c, &port);
	assert_false(crowd_room(&c, &a, CROWD_NONE));
	assert_true(crowd_room(&c, &a, first)); /* is one of them */
	assert_true(crowd_room(&c, &b, CROWD_NONE));
	crowd_leave(&c, first);
	assert_true(crowd_room(&c, &a, CROWD_NONE));
	crowd_free(&c);
}

static void
a_site_is_full(void **state)
{
	struct addr a[5];
	struct crowd c;
	uint32_t at[5];

	(void)state;
	assert_int_equal(crowd_init(&c, 5, 2), 0);
	for (uint16_t i = 0; i < 5; i++) {
		a[i] = v6(i);
		assert_int_equal(crowd_room(&c, &a[i], CROWD_NONE), i < 4);
		if (i < 4)
			at[i] = crowd_enter(&c, &a[i]);
	}
	/* to another network of it, though full */
	assert_true(crowd_room(&c, &a[4], at[0]));
	crowd_leave(&c, at[0]);
	assert_true(crowd_room(&c, &a[4], CROWD_NONE));
	crowd_free(&c);
}

static void
nobody_may_come(void **state)
{
	struct addr a = v6(1);
	struct crowd c;

	(void)state;
	assert_int_equal(crowd_init(&c, 5, 0), 0);
	assert_false(crowd_room(&c, &a, CROWD_NONE));
	assert_int_equal(addr_parse(&a, "192.0.2.1:1"), 0);
	assert_false(crowd_room(&c, &a, CROWD_NONE));
	crowd_free(&c);
}

/* Every place comes back: as many as it was made for, again and again. */
static void
all_places_come_back(void **state)
{
	struct crowd c;
	struct addr a;
	uint32_t at[64];

	(void)state;
	assert_int_equal(crowd_init(&c, 64, 64), 0);
	for (uint32_t round = 0; round < 1000; round++) {
		for (uint32_t i = 0; i < 64; i++) {
			a = v6((uint16_t)(i * 7 + round));
			a.ip[5] = (uint8_t)(i * 3 + round); /* the site */
			at[i] = crowd_enter(&c, &a);
			assert_true(at[i] != CROWD_NONE);
		}
		for (uint32_t i = 0; i < 64; i++)
			crowd_leave(&c, at[(i * 5 + round) % 64]);
	}
	crowd_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_is_full),
	    cmocka_unit_test(a_site_is_full),
	    cmocka_unit_test(nobody_may_come),
	    cmocka_unit_test(all_places_come_back),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

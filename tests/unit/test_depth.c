/* SPDX-License-Identifier: ISC */
/* How many NATs the hops on the way tell of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "depth.h"

static void
hops(void **state)
{
	static const struct {
		const char *hop[DEPTH_HOPS]; /* NULL: silent */
		unsigned depth;
	} table[] = {
	    {{NULL, NULL, NULL}, 0},
	    {{"192.168.1.1", NULL, NULL}, 0},
	    {{"192.168.1.1", NULL, "198.51.100.1"}, 0},
	    {{NULL, "10.0.0.1", "198.51.100.1"}, 0},
	    {{NULL, NULL, "198.51.100.1"}, 0},
	    {{"192.168.1.1", "198.51.100.1", NULL}, 1},
	    {{NULL, "198.51.100.1", "198.51.100.9"}, 1},
	    {{"198.51.100.1", NULL, NULL}, 1},
	    {{"192.168.1.1", "100.64.0.1", "198.51.100.1"}, 2},
	    {{"192.168.1.1", "172.31.0.1", "198.51.100.1"}, 2},
	    {{"192.168.1.1", "10.9.9.9", "100.127.0.1"}, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct addr hop[DEPTH_HOPS] = {{.family = ADDR_NONE}};

		for (int k = 0; k < DEPTH_HOPS; k++)
			if (table[i].hop[k] != NULL)
				assert_int_equal(
				    addr_parse_ip(&hop[k], table[i].hop[k], 0),
				    0);
		assert_int_equal(depth_of(hop), table[i].depth);
	}
}

static void
public_addresses(void **state)
{
	static const char *const yes[] = {"198.51.100.1", "172.15.0.1",
	    "172.32.0.1", "100.63.0.1", "100.128.0.1", "11.0.0.1",
	    "192.167.0.1"};
	static const char *const no[] = {"10.0.0.1", "172.16.0.1",
	    "192.168.0.1", "100.64.0.1", "127.0.0.1", "169.254.0.1",
	    "224.0.0.1", "0.0.0.0", "2001:db8::1"};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		assert_int_equal(addr_parse_ip(&a, yes[i], 1), 0);
		assert_true(depth_is_public(&a));
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		assert_int_equal(addr_parse_ip(&a, no[i], 1), 0);
		assert_false(depth_is_public(&a));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hops),
	    cmocka_unit_test(public_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

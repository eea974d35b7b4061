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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

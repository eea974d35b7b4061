/* SPDX-License-Identifier: ISC */
/* Options that an engine has, and those that a client wants it to have. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "demand.h"

static void
nonsense(void **state)
{
	char text[DEMAND_TEXT + 1] = "-x ";
	struct demand d = {.n = 0};

	(void)state;
	assert_int_equal(demand_take(&d, ""), -EBADMSG);
	assert_int_equal(demand_take(&d, "d"), -EBADMSG);
	assert_int_equal(demand_take(&d, "-"), -EBADMSG);
	assert_int_equal(demand_take(&d, "-dr"), -EBADMSG);
	memset(text + 3, 'a', sizeof(text) - 4);
	assert_int_equal(demand_take(&d, text), -EMSGSIZE);
	assert_int_equal(demand_add(&d, 'x', text), -EMSGSIZE);
	assert_int_equal(d.n, 0);
	for (size_t i = 0; i < DEMAND_MAX; i++) {
		snprintf(text, sizeof(text), "%zu", i);
		assert_int_equal(demand_add(&d, 'x', text), 0);
	}
	assert_int_equal(demand_add(&d, 'd', NULL), -ENOSPC);
	assert_int_equal(demand_add(&d, 'x', "0"), 0);
}

static void
another(void **state)
{
	struct demand engine = {.n = 0}, asked = {.n = 0};

	(void)state;
	assert_null(demand_missing(&engine, &asked));
	assert_int_equal(demand_add(&asked, 'd', NULL), 0);
	assert_string_equal(demand_missing(&engine, &asked), "-d");
	assert_int_equal(demand_add(&engine, 'd', NULL), 0);
	assert_null(demand_missing(&engine, &asked));
	assert_null(demand_extra(&engine, &asked));
	/* another interface */
	assert_int_equal(demand_add(&engine, 'x', "eth0"), 0);
	assert_int_equal(demand_add(&engine, 'x', "eth1"), 0);
	assert_int_equal(demand_add(&asked, 'x', "eth1"), 0);
	assert_null(demand_missing(&engine, &asked));
	assert_string_equal(demand_extra(&engine, &asked), "-x eth0");
	assert_int_equal(demand_add(&asked, 'x', "wlan0"), 0);
	assert_string_equal(demand_missing(&engine, &asked), "-x wlan0");
}

static void
values(void **state)
{
	struct demand engine = {.n = 0}, asked = {.n = 0};

	(void)state;
	assert_int_equal(demand_add(&engine, 'p', "7001"), 0);
	assert_int_equal(demand_add(&asked, 'p', "7002"), 0);
	assert_string_equal(demand_missing(&engine, &asked), "-p 7002");
	/* the latest counts */
	assert_int_equal(demand_add(&asked, 'p', "7001"), 0);
	assert_int_equal(asked.n, 1);
	assert_null(demand_missing(&engine, &asked));
	/* a port is nothing that a client has to ask for */
	asked.n = 0;
	assert_null(demand_extra(&engine, &asked));
	assert_true(demand_has(&engine, 'p'));
	assert_false(demand_has(&engine, 'm'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nonsense),
	    cmocka_unit_test(another),
	    cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

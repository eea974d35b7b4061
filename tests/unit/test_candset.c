/* SPDX-License-Identifier: ISC */
/* candset: priorities, redundancy and equality of sets (RFC 8445 section
 * 5.1). */
#include "candset.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "addr_fixture.h"

static int
host(struct candset *s, const char *text)
{
	struct addr a = at(text);

	return candset_add(s, CANDSET_HOST, &a, &a, NULL);
}

static int
srflx(struct candset *s, const char *text, const char *base)
{
	struct addr a = at(text), b = at(base), server = at("192.0.2.9:3478");

	return candset_add(s, CANDSET_SRFLX, &a, &b, &server);
}

static void
test_redundant(void **state)
{
	struct candset s = {0};

	(void)state;
	assert_int_equal(host(&s, "10.0.0.1:5"), 0);
	assert_int_equal(host(&s, "10.0.0.1:5"), -EEXIST);
	/* no NAT: the server sees the host candidate */
	assert_int_equal(srflx(&s, "10.0.0.1:5", "10.0.0.1:5"), -EEXIST);
	assert_int_equal(srflx(&s, "192.0.2.1:5", "10.0.0.1:5"), 0);
	assert_int_equal(srflx(&s, "192.0.2.1:5", "10.0.0.1:5"), -EEXIST);
	assert_int_equal(srflx(&s, "192.0.2.1:6", "10.0.0.1:5"), 0);
	assert_int_equal(srflx(&s, "192.0.2.1:6", "10.0.0.2:5"), 0);
	assert_int_equal(s.n, 4);
}

static void
test_limits(void **state)
{
	struct candset s = {0};
	char text[ADDR_STRLEN];

	(void)state;
	for (int i = 0; i < 2 * CANDSET_HOSTS; i++) {
		snprintf(text, sizeof(text), "10.0.0.%d:5", i + 1);
		assert_int_equal(
		    host(&s, text), i < CANDSET_HOSTS ? 0 : -ENOSPC);
		snprintf(text, sizeof(text), "[2001:db8::%d]:5", i + 1);
		assert_int_equal(
		    host(&s, text), i < CANDSET_HOSTS ? 0 : -ENOSPC);
	}
	for (int i = 2 * CANDSET_HOSTS; i < 30; i++) {
		snprintf(text, sizeof(text), "192.0.2.1:%d", i + 1);
		assert_int_equal(srflx(&s, text, "10.0.0.1:5"),
		    i < CANDSET_MAX ? 0 : -ENOSPC);
	}
	assert_int_equal(s.n, CANDSET_MAX);
}

static void
test_priority(void **state)
{
	struct candset s = {0};

	(void)state;
	/* RFC 8445 section 5.1.2.1, with 126, 65535 and component 1 */
	assert_true(candset_priority(CANDSET_HOST, 65535) == 2130706431u);
	assert_true(candset_priority(CANDSET_SRFLX, 65535) == 1694498815u);
	host(&s, "10.0.0.1:5");
	host(&s, "10.0.0.2:5");
	host(&s, "[2001:db8::1]:5");
	srflx(&s, "[2001:db8::2]:5", "[2001:db8::1]:5");
	srflx(&s, "192.0.2.1:5", "10.0.0.1:5");
	assert_true(s.list[2].priority > s.list[0].priority);
	assert_true(s.list[0].priority > s.list[1].priority);
	assert_true(s.list[1].priority > s.list[3].priority);
	assert_true(s.list[3].priority > s.list[4].priority);
}

static void
test_equal(void **state)
{
	struct candset a = {0}, b = {0}, c = {0}, none = {0};

	(void)state;
	host(&a, "10.0.0.1:5");
	srflx(&a, "192.0.2.1:5", "10.0.0.1:5");
	srflx(&a, "192.0.2.1:6", "10.0.0.1:5");
	assert_false(candset_equal(&a, &none));
	assert_false(candset_equal(&none, &a));
	assert_true(candset_equal(&none, &none));

	host(&b, "10.0.0.1:5");
	srflx(&b, "192.0.2.1:6", "10.0.0.1:5");
	assert_false(candset_equal(&a, &b));
	assert_false(candset_equal(&b, &a));
	srflx(&b, "192.0.2.1:5", "10.0.0.1:5");
	assert_true(candset_equal(&a, &b)); /* another order */

	host(&c, "10.0.0.1:5");
	srflx(&c, "192.0.2.1:5", "10.0.0.1:5");
	srflx(&c, "192.0.2.1:6", "10.0.0.2:5"); /* another base */
	assert_false(candset_equal(&a, &c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_redundant),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_priority),
	    cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

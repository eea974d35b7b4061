/* SPDX-License-Identifier: ISC */
/* Which peers a TURN client may reach: the forbidden first. */
#include "peerrule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* As it is, without the unmapping that a parser of text or STUN does. */
static struct addr
ip(const char *text)
{
	static const uint8_t ffff[12] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	struct addr a, raw = {.family = ADDR_V6, .port = 9};

	assert_int_equal(addr_parse_ip(&a, text, 9), 0);
	if (a.family == ADDR_V6 || strchr(text, ':') == NULL)
		return a;
	memcpy(raw.ip, ffff, 12);
	memcpy(raw.ip + 12, a.ip, 4);
	return raw;
}

static void
check(const struct peerrules *r, const char *text, bool want)
{
	struct addr a = ip(text);

	if (peerrules_allow(r, &a) != want)
		fail_msg("%s is %s", text, want ? "refused" : "allowed");
}

static void
forbidden_ranges(void **state)
{
	static const char *const refused[] = {"0.0.0.0", "0.1.2.3", "10.0.0.1",
	    "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
	    "127.255.0.9", "169.254.169.254", "172.16.0.1", "172.31.255.255",
	    "192.0.0.8", "192.168.1.1", "198.18.0.1", "198.19.255.255",
	    "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255",
	    "::", "::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1",
	    "ff02::1", "100::1", "64:ff9b:1::1", "4000::1", "2001:2::1",
	    "2001:10::1", "2001:20::1", "2001:1::1", "5f00::1"};
	static const char *const fine[] = {"1.1.1.1", "9.255.255.255",
	    "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.1.1.1",
	    "128.0.0.1", "172.15.255.255", "172.32.0.1", "192.0.2.1",
	    "198.51.100.7", "203.0.113.9", "223.255.255.255", "2001:db8::1",
	    "2600::1", "2a00:1450::1", "3fff::1"};
	struct peerrules r = {.n = 0};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		check(&r, refused[i], false);
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		check(&r, fine[i], true);
}

/* The same inside by another name. */
static void
hidden_addresses(void **state)
{
	static const char *const refused[] = {"::ffff:10.0.0.1",
	    "::ffff:127.0.0.1", "::127.0.0.1", "::10.0.0.1",
	    "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1",
	    "64:ff9b::169.254.169.254", "2002:a00:1::1",
	    "2002:7f00:1::", "2002:c0a8:101::1",
	    /* Teredo: the client 10.0.0.1, then the server */
	    "2001:0:101:101:0:1:f5ff:fffe", "2001:0:a00:1:0:1:fefe:fefe",
	    "2001:db8::5efe:10.0.0.1", "2001:db8::200:5efe:127.0.0.1"};
	static const char *const fine[] = {"::ffff:1.1.1.1", "64:ff9b::1.1.1.1",
	    "2002:101:101::1", "2001:0:101:101:0:1:fefe:fefe",
	    "2001:db8::5efe:1.1.1.1"};
	struct peerrules r = {.n = 0};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		check(&r, refused[i], false);
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		check(&r, fine[i], true);
	/* to allow all of IPv6 is not to allow what it may hold */
	assert_int_equal(peerrules_add(&r, "::/0"), 0);
	check(&r, "64:ff9b::10.0.0.1", false);
	check(&r, "fd00::1", true);
	check(&r, "::1", true);
	assert_int_equal(peerrules_add(&r, "10.0.0.0/8"), 0);
	check(&r, "64:ff9b::10.0.0.1", true);
	check(&r, "::ffff:10.0.0.1", true);
}

static void
own_addresses(void **state)
{
	struct peerrules r = {.n = 0};
	struct peerrules none = {.n = 0};
	struct addr a = ip("203.0.113.9"), b = ip("10.1.1.1");

	(void)state;
	assert_int_equal(peerrules_add_own(&r, &a), 0);
	assert_int_equal(peerrules_add_own(&r, &b), 0);
	assert_int_equal(peerrules_add_own(&r, &a), 0);
	assert_int_equal(r.n_own, 2);
	check(&r, "203.0.113.9", false);
	check(&r, "::ffff:203.0.113.9", false);
	check(&r, "64:ff9b::203.0.113.9", false);
	check(&r, "2002:cb00:7109::1", false);
	check(&r, "203.0.113.10", true);
	/* a network is not meant to be the relay's own part of it */
	assert_int_equal(peerrules_add(&r, "10.0.0.0/8"), 0);
	check(&r, "10.1.1.1", false);
	check(&r, "10.1.1.2", true);
	r.n = 0;
	assert_int_equal(peerrules_add(&r, "10.1.1.1"), 0);
	check(&r, "10.1.1.1", true);
	check(&r, "10.1.1.2", false);
	/* a host may have as many as it likes */
	for (int i = 0; i < 1000; i++) {
		a = ip("198.51.100.0");
		a.ip[2] = (uint8_t)(i % 7);
		a.ip[3] = (uint8_t)(i / 7);
		assert_int_equal(peerrules_add_own(&r, &a), 0);
	}
	assert_int_equal(r.n_own, 1002);
	check(&r, "198.51.6.141", false);
	check(&r, "198.51.6.142", true);
	check(&r, "203.0.113.9", false);
	peerrules_take_own(&r, &none);
	check(&r, "203.0.113.9", true);
}

static void
first_rule_decides(void **state)
{
	struct peerrules r = {.n = 0};

	(void)state;
	assert_int_equal(peerrules_add(&r, "!10.9.0.0/16"), 0);
	assert_int_equal(peerrules_add(&r, "10.0.0.0/8"), 0);
	assert_int_equal(peerrules_add(&r, "!1.1.1.0/25"), 0);
	assert_int_equal(peerrules_add(&r, "!2001:db8::/33"), 0);
	check(&r, "10.9.1.1", false);
	check(&r, "10.8.1.1", true);
	check(&r, "1.1.1.127", false);
	check(&r, "64:ff9b::1.1.1.127", false);
	check(&r, "1.1.1.128", true);
	check(&r, "2001:db8:7fff::1", false);
	check(&r, "2001:db8:8000::1", true);
	r.n = 0;
	assert_int_equal(peerrules_add(&r, "!0.0.0.0/0"), 0);
	check(&r, "1.1.1.1", false);
	check(&r, "2600::1", true);
}

static void
bad_rules(void **state)
{
	static const char *const bad[] = {"", "!", "/8", "10.0.0.0/",
	    "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8 ",
	    "10.0.0/8", "2001:db8::/129", "2001:db8::/1281", "name",
	    "!!10.0.0.0/8", "::ffff:10.0.0.0/104", "10.0.0.1:80"};
	struct peerrules r = {.n = 0};
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (peerrules_add(&r, bad[i]) != -EBADMSG)
			fail_msg("'%s' is taken", bad[i]);
	assert_int_equal(r.n, 0);
	for (int i = 0; i < PEERRULE_MAX; i++) {
		snprintf(text, sizeof(text), "10.0.%d.0/24", i);
		assert_int_equal(peerrules_add(&r, text), 0);
	}
	assert_int_equal(peerrules_add(&r, "10.1.0.0/24"), -ENOSPC);
	assert_int_equal(r.n, PEERRULE_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forbidden_ranges),
	    cmocka_unit_test(hidden_addresses),
	    cmocka_unit_test(own_addresses),
	    cmocka_unit_test(first_rule_decides),
	    cmocka_unit_test(bad_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

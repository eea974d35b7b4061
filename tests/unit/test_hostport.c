/* SPDX-License-Identifier: ISC */
/* Hosts and ports: what is none, what a resolver would take for an address, and
 * that each has one spelling. */
#include "hostport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void
no_host(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a..b", ".a", "-a",
	    "a-", "a-.b", "a b", "a\tb", "a\nb", "a\x7f", "caf\xc3\xa9", "a/b",
	    "a@b", "a,b", "*", "*.example.org", "a:80", "$(id)", "a;b", "[::1]",
	    "[127.0.0.1]", "::1]", "[::1", ":::", "1::2::3", "::1%", "::1%lo",
	    "fe80::1%", "fe80::1%a b", "fe80::1%eth0%1", "fe80::1%a/b",
	    "fe80::1%0123456789abcdef", "127.0.0.1%lo", "example.org%lo"};
	char out[HOSTPORT_HOST] = "kept";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (hostport_host(out, bad[i]) != -EBADMSG)
			fail_msg("taken for a host: %s", bad[i]);
		assert_string_equal("kept", out);
	}
}

/* inet_aton(3), and with it getaddrinfo(3), would reach an address. */
static void
no_number(void **state)
{
	static const char *const bad[] = {"127.1", "127.0.1", "2130706433",
	    "0x7f000001", "0X7F.1", "0177.0.0.1", "127.0.0.01", "127.0.0.0x1",
	    "127.0.0.1.", "1", "0", "0x", "1.2.3.4.5", "256.1.1.1",
	    "example.0x1", "example.1", "example.1."};
	char out[HOSTPORT_HOST];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (hostport_host(out, bad[i]) != -EBADMSG)
			fail_msg("taken for a host: %s", bad[i]);
}

static void
one_spelling(void **state)
{
	static const char *const good[][2] = {
	    {"localhost", "localhost"},
	    {"LocalHost", "localhost"},
	    {"localhost.", "localhost."},
	    {"Pi_4.Example.ORG", "pi_4.example.org"},
	    {"4com", "4com"},
	    {"0xg", "0xg"},
	    {"1.example", "1.example"},
	    {"xn--caf-dma.example", "xn--caf-dma.example"},
	    {L63 ".org", L63 ".org"},
	    {"127.0.0.1", "127.0.0.1"},
	    {"0.0.0.0", "0.0.0.0"},
	    {"::1", "::1"},
	    {"0:0::1", "::1"},
	    {"0:0:0:0:0:0:0:1", "::1"},
	    {"2001:DB8::A", "2001:db8::a"},
	    {"::ffff:192.0.2.1", "192.0.2.1"},
	    {"::FFFF:c000:201", "192.0.2.1"},
	    {"fe80:0::1%eth0", "fe80::1%eth0"},
	    {"fe80::1%br-lan.7", "fe80::1%br-lan.7"},
	};
	char out[HOSTPORT_HOST];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(0, hostport_host(out, good[i][0]));
		assert_string_equal(good[i][1], out);
	}
	assert_true(hostport_is_address("127.0.0.1"));
	assert_true(hostport_is_address("fe80::1%eth0"));
	assert_false(hostport_is_address("localhost"));
}

static void
longest_name(void **state)
{
	char name[HOSTPORT_HOST + 1], out[HOSTPORT_HOST];

	(void)state;
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	assert_int_equal(-EBADMSG, hostport_host(out, L63 "l"));
	assert_int_equal(-EBADMSG, hostport_host(out, L63 "l.org"));
	name[HOSTPORT_HOST] = '\0'; /* 254 octets */
	assert_int_equal(-EBADMSG, hostport_host(out, name));
	name[HOSTPORT_HOST - 1] = '\0'; /* 253 */
	assert_int_equal(0, hostport_host(out, name));
	assert_string_equal(name, out);
}

static void
ports(void **state)
{
	static const char *const bad[] = {"", " ", "+1", "-1", " 1", "1 ", "01",
	    "00", "65536", "99999", "100000", "4294967297", "0x50", "80a", "a",
	    "http", "8\n", "*", "8.0"};
	uint16_t port = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (hostport_port(&port, bad[i]) != -EBADMSG)
			fail_msg("taken for a port: %s", bad[i]);
		assert_int_equal(7, port);
	}
	assert_int_equal(0, hostport_port(&port, "0"));
	assert_int_equal(0, port);
	assert_int_equal(0, hostport_port(&port, "65535"));
	assert_int_equal(65535, port);
}

static int
split(const char *text, struct hostport_field f[HOSTPORT_FIELDS])
{
	static char copy[256];

	(void)snprintf(copy, sizeof(copy), "%s", text);
	return hostport_split(copy, f);
}

static void
no_fields(void **state)
{
	static const char *const bad[] = {"a:b:c:d:e", "::::", "[::1",
	    "[::1:80", "[::1]80", "[::1]]:80", "[[::1]:80", "[a[b]:80", "a\\",
	    "a:b\\", "[", "[]a"};
	struct hostport_field f[HOSTPORT_FIELDS];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (split(bad[i], f) != -EBADMSG)
			fail_msg("was split: %s", bad[i]);
}

static void
fields(void **state)
{
	struct hostport_field f[HOSTPORT_FIELDS];

	(void)state;
	assert_int_equal(1, split("", f));
	assert_string_equal("", f[0].text);
	assert_int_equal(2, split(":8080", f));
	assert_string_equal("", f[0].text);
	assert_string_equal("8080", f[1].text);
	assert_int_equal(4, split("[::1]:80:[fe80::1%eth0]:81", f));
	assert_string_equal("::1", f[0].text);
	assert_true(f[0].bracketed);
	assert_string_equal("80", f[1].text);
	assert_false(f[1].bracketed);
	assert_string_equal("fe80::1%eth0", f[2].text);
	assert_string_equal("81", f[3].text);
	assert_int_equal(2, split("/a\\:b\\\\c:/d[e]", f));
	assert_string_equal("/a:b\\c", f[0].text);
	assert_string_equal("/d[e]", f[1].text);
	assert_int_equal(2, split("a:", f));
	assert_string_equal("", f[1].text);
	assert_int_equal(1, split("[]", f));
	assert_true(f[0].bracketed);
}

/* Brackets are for IPv6 and for nothing else. */
static void
brackets(void **state)
{
	struct hostport_field f[HOSTPORT_FIELDS];
	char out[HOSTPORT_HOST];

	(void)state;
	assert_int_equal(2, split("[127.0.0.1]:80", f));
	assert_int_equal(-EBADMSG, hostport_field_host(out, &f[0]));
	assert_int_equal(2, split("[localhost]:80", f));
	assert_int_equal(-EBADMSG, hostport_field_host(out, &f[0]));
	assert_int_equal(2, split("\\:\\:1:80", f));
	assert_int_equal(-EBADMSG, hostport_field_host(out, &f[0]));
	assert_int_equal(2, split("[::1]:80", f));
	assert_int_equal(0, hostport_field_host(out, &f[0]));
	assert_string_equal("::1", out);
}

static void
formatted(void **state)
{
	char buf[HOSTPORT_TEXT];

	(void)state;
	assert_string_equal("80", hostport_format("", 80, buf));
	assert_string_equal("*:80", hostport_format("*", 80, buf));
	assert_string_equal("[::1]:65535", hostport_format("::1", 65535, buf));
	assert_string_equal("a.b:1", hostport_format("a.b", 1, buf));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_host),
	    cmocka_unit_test(no_number),
	    cmocka_unit_test(one_spelling),
	    cmocka_unit_test(longest_name),
	    cmocka_unit_test(ports),
	    cmocka_unit_test(no_fields),
	    cmocka_unit_test(fields),
	    cmocka_unit_test(brackets),
	    cmocka_unit_test(formatted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

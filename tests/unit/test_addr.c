/* SPDX-License-Identifier: ISC */
/* addr: one spelling in, one spelling out, and what an address is good for. */
#include "addr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
test_parse_refuses(void **state)
{
	static const char *const bad[] = {"", ":", "[", "]", "[]",
	    "[]:", "[]:1", ":1", "-", "192.0.2.1",
	    "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:99999",
	    "192.0.2.1:100000", "192.0.2.1:4294967297",
	    "192.0.2.1:18446744073709551617", "192.0.2.1:-1", "192.0.2.1:+1",
	    "192.0.2.1: 1", "192.0.2.1:1 ", "192.0.2.1:1\n", " 192.0.2.1:1",
	    "192.0.2.1 :1", "192.0.2.1:0x1", "192.0.2.1:01", "192.0.2.1:00",
	    "192.0.2.1:1:1", "192.0.2.1:1a", "192.0.2:1", "192.0.2.1.1:1",
	    "192.0.2.256:1", "192.0.02.1:1", "0300.0.2.1:1", "0xc0.0.2.1:1",
	    "3221225985:1", "192.0.2.:1", "host:1", "localhost:1",
	    "[192.0.2.1]:1", "2001:db8::1", "2001:db8::1:51820",
	    "[2001:db8::1]", "[2001:db8::1]51820",
	    "[2001:db8::1]:", "[2001:db8::1:1", "2001:db8::1]:1",
	    "[[2001:db8::1]]:1", "[2001:db8::1]]:1", "[2001:db8::1]:1]",
	    "[2001:db8::1]:65536", "[fe80::1%eth0]:1", "[fe80::1%2]:1",
	    "[2001:db8::g]:1", "[2001:db8:::1]:1", "[1:2:3:4:5:6:7]:1",
	    "[1:2:3:4:5:6:7:8:9]:1", "[::ffff:192.0.2.256]:1",
	    "[ 2001:db8::1]:1",
	    "[0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0]:1"};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		memset(&a, 0x5a, sizeof(a));
		if (addr_parse(&a, bad[i]) != -EBADMSG)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(a.family, 0x5a); /* output only on success */
	}
}

static void
test_parse_ip_refuses(void **state)
{
	static const char *const bad[] = {"", "[", "[]", "]", "-",
	    "192.0.2.1:1", "[192.0.2.1]", "192.0.2", "192.0.2.1 ", " 192.0.2.1",
	    "192.0.2.01", "[2001:db8::1]:1", "[2001:db8::1", "2001:db8::1]",
	    "[[::1]]", "fe80::1%eth0", "fe80::1%1", "example.org",
	    "2001:db8::1 ", "1:2:3:4:5:6:7:8:9"};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (addr_parse_ip(&a, bad[i], 1) != -EBADMSG)
			fail_msg("\"%s\" was taken", bad[i]);
}

/* Other programs of a pipe compare endpoints as text. */
static void
test_one_spelling(void **state)
{
	static const struct {
		const char *in, *out, *out_ip;
		uint8_t family;
		uint16_t port;
	} t[] = {
	    {"192.0.2.1:51820", "192.0.2.1:51820", "192.0.2.1", ADDR_V4, 51820},
	    {"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", ADDR_V4, 0},
	    {"255.255.255.255:65535", "255.255.255.255:65535",
		"255.255.255.255", ADDR_V4, 65535},
	    {"[2001:db8::1]:51820", "[2001:db8::1]:51820", "2001:db8::1",
		ADDR_V6, 51820},
	    {"[2001:0DB8:0:0:0:0:0:1]:1", "[2001:db8::1]:1", "2001:db8::1",
		ADDR_V6, 1},
	    {"[::]:0", "[::]:0", "::", ADDR_V6, 0},
	    {"[::ffff:192.0.2.1]:7", "192.0.2.1:7", "192.0.2.1", ADDR_V4, 7},
	    {"[::ffff:c000:201]:7", "192.0.2.1:7", "192.0.2.1", ADDR_V4, 7},
	    {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDR_V6, 65535},
	};
	char buf[ADDR_STRLEN];
	struct addr a, b;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		memset(&a, 0x5a, sizeof(a));
		assert_int_equal(addr_parse(&a, t[i].in), 0);
		assert_int_equal(a.family, t[i].family);
		assert_int_equal(a.port, t[i].port);
		assert_ptr_equal(addr_format(&a, buf), buf);
		assert_string_equal(buf, t[i].out);
		assert_ptr_equal(addr_format_ip(&a, buf), buf);
		assert_string_equal(buf, t[i].out_ip);
		assert_int_equal(addr_parse_ip(&b, buf, t[i].port), 0);
		assert_true(addr_equal(&a, &b));
		/* IPv4 leaves no rubbish behind its 4 bytes */
		assert_memory_equal(a.ip, b.ip, sizeof(a.ip));
	}
	assert_int_equal(addr_parse_ip(&a, "[2001:db8::1]", 9), 0);
	assert_string_equal(addr_format(&a, buf), "[2001:db8::1]:9");
}

static void
test_none(void **state)
{
	const struct addr none = {.port = 1};
	struct sockaddr_storage ss;
	char buf[ADDR_STRLEN];

	(void)state;
	assert_string_equal(addr_format(&none, buf), "-");
	assert_string_equal(addr_format_ip(&none, buf), "-");
	assert_int_equal(addr_to_sockaddr(&none, &ss), 0);
	assert_int_equal(addr_ip_len(&none), 0);
	assert_false(addr_is_any(&none));
	assert_false(addr_is_loopback(&none));
	assert_false(addr_is_link_local(&none));
	assert_false(addr_is_multicast(&none));
	assert_false(addr_is_sendable(&none));
}

static void
test_sockaddr(void **state)
{
	static const char *const text[] = {
	    "192.0.2.1:51820", "[2001:db8::1]:51820"};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in6 in6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(7)};
	struct sockaddr_storage ss;
	char buf[ADDR_STRLEN];
	struct addr a, b;

	(void)state;
	assert_int_equal(
	    addr_from_sockaddr(&a, (struct sockaddr *)&un), -EPROTONOSUPPORT);
	for (size_t i = 0; i < COUNT(text); i++) {
		assert_int_equal(addr_parse(&a, text[i]), 0);
		assert_int_equal(addr_to_sockaddr(&a, &ss),
		    i == 0 ? sizeof(struct sockaddr_in)
			   : sizeof(struct sockaddr_in6));
		assert_int_equal(
		    addr_from_sockaddr(&b, (struct sockaddr *)&ss), 0);
		assert_true(addr_equal(&a, &b));
	}
	/* what a dual-stack socket gives for an IPv4 peer */
	in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
	in6.sin6_addr.s6_addr[12] = 192;
	in6.sin6_addr.s6_addr[15] = 9;
	assert_int_equal(addr_from_sockaddr(&a, (struct sockaddr *)&in6), 0);
	assert_string_equal(addr_format(&a, buf), "192.0.0.9:7");
	assert_int_equal(addr_to_sockaddr(&a, &ss), sizeof(struct sockaddr_in));
}

static void
test_equal(void **state)
{
	struct addr a, port, ip, v6;

	(void)state;
	assert_int_equal(addr_parse(&a, "192.0.2.1:1"), 0);
	assert_int_equal(addr_parse(&port, "192.0.2.1:2"), 0);
	assert_int_equal(addr_parse(&ip, "192.0.2.2:1"), 0);
	assert_int_equal(addr_parse(&v6, "[c000:201::]:1"), 0);
	assert_false(addr_equal(&a, &port));
	assert_true(addr_equal_ip(&a, &port));
	assert_false(addr_equal(&a, &ip));
	assert_false(addr_equal_ip(&a, &ip));
	/* the same first four bytes in another family */
	assert_memory_equal(a.ip, v6.ip, sizeof(a.ip));
	assert_false(addr_equal_ip(&a, &v6));
	assert_false(addr_equal_ip(&v6, &a));
	assert_true(addr_equal(&a, &a));
}

static void
test_kinds(void **state)
{
	static const struct {
		const char *text;
		const char *kinds; /* any, Loopback, link-local, multicast,
				      sendable: one letter each */
	} t[] = {
	    {"0.0.0.0:1", "a"},
	    {"[::]:1", "a"},
	    {"192.0.2.1:0", ""},
	    {"[2001:db8::1]:0", ""},
	    {"192.0.2.1:1", "s"},
	    {"[2001:db8::1]:1", "s"},
	    {"127.0.0.1:1", "Ls"},
	    {"127.255.255.255:1", "Ls"},
	    {"126.255.255.255:1", "s"},
	    {"128.0.0.1:1", "s"},
	    {"[::1]:1", "Ls"},
	    {"[::2]:1", "s"},
	    {"[7f00::1]:1", "s"},
	    {"169.254.0.1:1", "ls"},
	    {"169.253.0.1:1", "s"},
	    {"[fe80::1]:1", "ls"},
	    {"[febf::1]:1", "ls"},
	    {"[fec0::1]:1", "s"},
	    {"[a9fe::1]:1", "s"},
	    {"223.255.255.255:1", "s"},
	    {"224.0.0.1:1", "m"},
	    {"239.255.255.255:1", "m"},
	    {"240.0.0.1:1", "s"},
	    {"255.255.255.255:1", "m"},
	    {"[ff02::1]:1", "m"},
	    {"[feff::1]:1", "s"},
	};
	char got[8];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		assert_int_equal(addr_parse(&a, t[i].text), 0);
		(void)snprintf(got, sizeof(got), "%s%s%s%s%s",
		    addr_is_any(&a) ? "a" : "", addr_is_loopback(&a) ? "L" : "",
		    addr_is_link_local(&a) ? "l" : "",
		    addr_is_multicast(&a) ? "m" : "",
		    addr_is_sendable(&a) ? "s" : "");
		if (strcmp(got, t[i].kinds) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", t[i].text, got,
			    t[i].kinds);
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
		assert_true(addr_is_public4(&a));
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		assert_int_equal(addr_parse_ip(&a, no[i], 1), 0);
		assert_false(addr_is_public4(&a));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_refuses),
	    cmocka_unit_test(test_parse_ip_refuses),
	    cmocka_unit_test(test_one_spelling),
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_sockaddr),
	    cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(public_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

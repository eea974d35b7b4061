/* SPDX-License-Identifier: ISC */
/* Forwards in ssh's notation: what is none and why, all the shapes, and that
 * what is written parses to the same. */
#include "forward.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define L100                                                                   \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"                   \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
bad(char kind, const char *text, const char *says)
{
	struct forward f = {.kind = 'x'};
	const char *why = NULL;

	if (forward_parse(&f, kind, text, &why) != -EBADMSG)
		fail_msg("taken for a forward: -%c %s", kind, text);
	assert_int_equal('x', f.kind);
	if (why == NULL || strstr(why, says) == NULL)
		fail_msg("-%c %s: %s", kind, text, why);
}

static void
no_forward(void **state)
{
	static const char *const shapeless[] = {"", ":", "8080", "8080:80",
	    "a:b:c:d:e", "8080:a:80:b:c", "/a", "[::1", "8080:[::1:80",
	    "8080:a:80\\"};
	char text[FORWARD_TEXT + 8];

	(void)state;
	for (size_t i = 0; i < sizeof(shapeless) / sizeof(shapeless[0]); i++) {
		bad('L', shapeless[i], "[bind:]port:host:hostport");
		bad('R', shapeless[i], "[bind:]port:host:hostport");
		bad('U', shapeless[i], "[bind:]port:host:hostport");
	}
	bad('D', "a:b:c", "[bind:]port");
	bad('D', "8080:a:80", "[bind:]port");
	bad('X', "8080:a:80", "-L, -R, -D or -U");
	bad('l', "8080:a:80", "-L, -R, -D or -U");
	bad('\0', "8080:a:80", "-L, -R, -D or -U");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	bad('L', text, "[bind:]port");
	bad('U', "/run/x:a:80", "a port");
	bad('U', "8080:/run/x", "[bind:]port:host:hostport");
	bad('D', "/run/x", "a port");
}

static void
no_listener(void **state)
{
	static const char *const ports[] = {
	    "", "x", "-1", "+1", " 1", "08", "65536", "http", "*", "[80]"};
	static const char *const binds[] = {"example.org", "127.1", "-x",
	    "[127.0.0.1]", "[localhost]", "[*]", "[]", "Localhost", "0x7f.1",
	    "[::1%lo]", "127.0.0.1 "};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s:a:80", ports[i]);
		bad('L', text, "a port");
		bad('U', text, "a port");
		(void)snprintf(text, sizeof(text), "127.0.0.1:%s", ports[i]);
		bad('D', text, "a port");
	}
	for (size_t i = 0; i < sizeof(binds) / sizeof(binds[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s:1:a:80", binds[i]);
		bad('R', text, "bind to");
		(void)snprintf(text, sizeof(text), "%s:1", binds[i]);
		bad('D', text, "bind to");
	}
	bad('L', "x:/run/x", "a port");
	bad('L', "/run/../x:a:80", "a path");
	bad('L', "/run/:a:80", "a path");
	bad('R', "/" L100 "1234567:a:80", "a path");
}

static void
no_target(void **state)
{
	bad('L', "1:a:0", "from 1");
	bad('L', "1:a:", "from 1");
	bad('L', "1:a:080", "from 1");
	bad('L', "1:a:65536", "from 1");
	bad('U', "1:a:[80]", "from 1");
	bad('L', "1::80", "the target");
	bad('L', "1:*:80", "the target");
	bad('L', "1:a b:80", "the target");
	bad('L', "1:a\x1b:80", "the target");
	bad('L', "1:-x:80", "the target");
	bad('L', "1:127.1:80", "the target");
	bad('L', "1:[a]:80", "the target");
	bad('U', "1:\\:\\:1:80", "the target");
	bad('L', "1:/run/..", "a path");
	bad('R', "1:/", "a path");
	bad('R', "1:/a\nb", "a path");
	bad('R', "/a:/" L100 "1234567", "a path");
	(void)state;
}

static void
forwards(void **state)
{
	static const struct {
		const char *text, *format;
		struct forward f;
	} good[] = {
	    {"8080:127.0.0.1:80", "-L 8080:127.0.0.1:80",
		{.kind = 'L',
		    .port = 8080,
		    .target = {OPENING_TCP, "127.0.0.1", 80, "", 0}}},
	    {"0:Pi:1", "-L 0:pi:1",
		{.kind = 'L', .target = {OPENING_TCP, "pi", 1, "", 0}}},
	    {"localhost:1:a:2", "-L 1:a:2",
		{.kind = 'L',
		    .port = 1,
		    .target = {OPENING_TCP, "a", 2, "", 0}}},
	    {":1:a:2", "-R *:1:a:2",
		{.kind = 'R',
		    .bind = "*",
		    .port = 1,
		    .target = {OPENING_TCP, "a", 2, "", 0}}},
	    {"*:1:a:2", "-L *:1:a:2",
		{.kind = 'L',
		    .bind = "*",
		    .port = 1,
		    .target = {OPENING_TCP, "a", 2, "", 0}}},
	    {"[0:0::1]:1:[2001:DB8::1]:2", "-L [::1]:1:[2001:db8::1]:2",
		{.kind = 'L',
		    .bind = "::1",
		    .port = 1,
		    .target = {OPENING_TCP, "2001:db8::1", 2, "", 0}}},
	    {"8080:/run/x", "-L 8080:/run/x",
		{.kind = 'L',
		    .port = 8080,
		    .target = {OPENING_UNIX, "", 0, "/run/x", 0}}},
	    {"127.0.0.1:8080:/run/x", "-R 127.0.0.1:8080:/run/x",
		{.kind = 'R',
		    .bind = "127.0.0.1",
		    .port = 8080,
		    .target = {OPENING_UNIX, "", 0, "/run/x", 0}}},
	    {"/run/x:a:80", "-L /run/x:a:80",
		{.kind = 'L',
		    .path = "/run/x",
		    .target = {OPENING_TCP, "a", 80, "", 0}}},
	    {"/run/a\\:b:/run/c\\\\d", "-L /run/a\\:b:/run/c\\\\d",
		{.kind = 'L',
		    .path = "/run/a:b",
		    .target = {OPENING_UNIX, "", 0, "/run/c\\d", 0}}},
	    {"1080", "-D 1080", {.kind = 'D', .port = 1080}},
	    {"*:0", "-D *:0", {.kind = 'D', .bind = "*"}},
	    {"[fe80::1%eth0]:1", "-D [fe80::1%eth0]:1",
		{.kind = 'D', .bind = "fe80::1%eth0", .port = 1}},
	    {"25565:[::1]:25565", "-U 25565:[::1]:25565",
		{.kind = 'U',
		    .port = 25565,
		    .target = {OPENING_UDP, "::1", 25565, "", 0}}},
	};
	char buf[FORWARD_TEXT];
	struct forward f;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		memset(&f, 'x', sizeof(f));
		assert_int_equal(
		    0, forward_parse(&f, good[i].f.kind, good[i].text, &why));
		assert_true(forward_equal(&f, &good[i].f));
		assert_string_equal(good[i].format, forward_format(&f, buf));
		memset(&f, 'y', sizeof(f));
		assert_int_equal(
		    0, forward_parse(&f, good[i].f.kind, buf + 3, &why));
		assert_true(forward_equal(&f, &good[i].f));
	}
}

/* The longest there is, every byte of it with a backslash. */
static void
longest(void **state)
{
	struct forward f = {.kind = 'L', .target = {.to = OPENING_UNIX}}, g;
	char buf[FORWARD_TEXT];
	const char *why;

	(void)state;
	memset(f.path, ':', sizeof(f.path) - 1);
	memset(f.target.path, '\\', sizeof(f.target.path) - 1);
	f.path[0] = f.target.path[0] = '/';
	assert_int_equal(
	    0, forward_parse(&g, 'L', forward_format(&f, buf) + 3, &why));
	assert_true(forward_equal(&f, &g));
}

static void
differs(void **state)
{
	static const char *const texts[] = {"1:a:80", "2:a:80", "1:b:80",
	    "1:a:81", "*:1:a:80", "127.0.0.1:1:a:80", "1:/a", "1:/b", "/a:a:80",
	    "/b:a:80", "/a:/a"};
	struct forward f, g;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(0, forward_parse(&f, 'L', texts[i], &why));
		assert_int_equal(0, forward_parse(&g, 'R', texts[i], &why));
		assert_false(forward_equal(&f, &g));
		for (size_t k = 0; k < i; k++) {
			assert_int_equal(
			    0, forward_parse(&g, 'L', texts[k], &why));
			assert_false(forward_equal(&f, &g));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_forward),
	    cmocka_unit_test(no_listener),
	    cmocka_unit_test(no_target),
	    cmocka_unit_test(forwards),
	    cmocka_unit_test(longest),
	    cmocka_unit_test(differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

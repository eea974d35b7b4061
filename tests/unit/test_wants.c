/* SPDX-License-Identifier: ISC */
/* Whom an engine wants to meet, and where. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wants.h"

#define KEY "GDg5cdLXcECghxvfGDg5cdLXcECghxvfGDg5cdLXcEs="

static void
reasons(void **state)
{
	struct wants w = {.n = 0};
	uint8_t a[KEY_LEN] = {1}, b[KEY_LEN] = {2};

	(void)state;
	assert_int_equal(wants_add(&w, a, WANTS_ALLOWED), 1);
	assert_int_equal(wants_add(&w, a, WANTS_ALLOWED), 0);
	assert_int_equal(wants_add(&w, a, WANTS_ASKED), 0);
	assert_int_equal(wants_add(&w, b, WANTS_ROUTED), 1);
	wants_drop(&w, NULL, WANTS_ALLOWED | WANTS_ROUTED);
	assert_true(wants_has(&w, a)); /* a client asked for it */
	assert_false(wants_has(&w, b));
	assert_int_equal(w.n, 1);
	wants_drop(&w, b, WANTS_ASKED);
	assert_true(wants_has(&w, a));
	wants_drop(&w, a, WANTS_ASKED);
	assert_int_equal(w.n, 0);
}

static void
full(void **state)
{
	struct wants w = {.n = 0};
	uint8_t key[KEY_LEN] = {0};

	(void)state;
	for (int i = 0; i < TUNNEL_PEERS; i++) {
		key[0] = (uint8_t)i;
		assert_int_equal(wants_add(&w, key, WANTS_ALLOWED), 1);
	}
	key[1] = 1;
	assert_int_equal(wants_add(&w, key, WANTS_ALLOWED), -ENOSPC);
	key[1] = 0;
	assert_int_equal(wants_add(&w, key, WANTS_ROUTED), 0);
	wants_drop(&w, key, WANTS_ALLOWED | WANTS_ROUTED);
	key[1] = 1;
	assert_int_equal(wants_add(&w, key, WANTS_ALLOWED), 1);
}

static void
bad_servers(void **state)
{
	static const char *const bad[] = {"", "h", "@h", KEY, KEY "@",
	    KEY "@:1", KEY "@h:0", KEY "@h:65536", KEY "@h:x", KEY "@h@h",
	    KEY "@::1", "short@h:1", KEY "@h -x", KEY "@$(id)",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@h"};
	struct wants w = {.n = 0};
	char text[600];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(wants_server(&w, bad[i]), -EBADMSG);
	memset(text, 'h', sizeof(text));
	memcpy(text, KEY "@", KEY_STRLEN);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(wants_server(&w, text), -EBADMSG);
	assert_int_equal(w.servers, 0);
}

/* Another key for each i. */
static const char *
server(int i, const char *at)
{
	static char text[100];
	uint8_t key[KEY_LEN] = {9, (uint8_t)i};
	char buf[KEY_STRLEN];

	snprintf(text, sizeof(text), "%s@%s", key_format(key, buf), at);
	return text;
}

static void
servers(void **state)
{
	struct wants w = {.n = 0};

	(void)state;
	assert_int_equal(wants_server(&w, KEY "@example.org"), 1);
	assert_string_equal(w.server[0], KEY "@example.org:3478");
	assert_int_equal(wants_server(&w, KEY "@example.org:3478"), 0);
	/* it takes one session of a key of ours: the latest place counts */
	assert_int_equal(wants_server(&w, KEY "@198.51.100.1:3479"), 1);
	assert_string_equal(w.server[0], KEY "@198.51.100.1:3479");
	assert_int_equal(wants_server(&w, KEY "@198.51.100.1:3479"), 0);
	assert_int_equal(w.servers, 1);
	assert_int_equal(wants_server(&w, server(1, "[2001:db8::1]")), 1);
	assert_non_null(strstr(w.server[1], "@[2001:db8::1]:3478"));
	for (int i = 2; i < WANTS_SERVERS; i++)
		assert_int_equal(wants_server(&w, server(i, "h:1")), 1);
	assert_int_equal(
	    wants_server(&w, server(WANTS_SERVERS, "h:1")), -ENOSPC);
	assert_int_equal(wants_server(&w, server(2, "h:2")), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reasons),
	    cmocka_unit_test(full),
	    cmocka_unit_test(bad_servers),
	    cmocka_unit_test(servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

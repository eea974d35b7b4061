/* SPDX-License-Identifier: ISC */
/* resolve: what is a server's name, and lookups that need no name server. */
#include "resolve.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

struct result {
	struct loop *loop;
	int calls;
	int error;
	size_t n;
	struct addr first;
};

static void
test_parse_refused(void **state)
{
	static const char *const bad[] = {"", ":1", "host:", "host:0",
	    "host:65536", "host:1x", "host:+1", "host: 1", "[2001:db8::1",
	    "[2001:db8::1]3478", "[2001:db8::1]:", "[host]:1", "1.2.3",
	    "300.1.1.1", "1:2:3", "2001:db8::1::", "a b", "a/b", "h\xc3\xb6st",
	    "a@b", "host:1:2"};
	char host[RESOLVE_HOST], longer[RESOLVE_HOST + 2];
	uint16_t port = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (resolve_parse(bad[i], 3478, host, &port) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
	memset(longer, 'a', sizeof(longer));
	longer[RESOLVE_HOST] = '\0';
	assert_int_equal(resolve_parse(longer, 3478, host, &port), -EBADMSG);
	longer[RESOLVE_HOST - 1] = '\0';
	assert_int_equal(resolve_parse(longer, 3478, host, &port), 0);
}

static void
test_parse(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} good[] = {
	    {"stun.example.org", "stun.example.org", 3478},
	    {"stun.example.org.:1", "stun.example.org.", 1},
	    {"localhost:65535", "localhost", 65535},
	    {"my_box", "my_box", 3478},
	    {"192.0.2.1", "192.0.2.1", 3478},
	    {"192.0.2.1:99", "192.0.2.1", 99},
	    {"2001:db8::1", "2001:db8::1", 3478},
	    {"[2001:db8::1]", "2001:db8::1", 3478},
	    {"[2001:db8::1]:99", "2001:db8::1", 99},
	};
	char host[RESOLVE_HOST];
	uint16_t port = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(
		    resolve_parse(good[i].text, 3478, host, &port), 0);
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
}

static void
result_cb(void *arg, int error, const struct addr *list, size_t n)
{
	struct result *r = arg;

	r->calls++;
	r->error = error;
	r->n = n;
	if (n > 0)
		r->first = list[0];
	loop_end(r->loop, 0);
}

static struct result
look_up(const char *text)
{
	struct loop loop;
	struct resolver *resolver = NULL;
	struct resolve *q = NULL;
	struct result r = {.loop = &loop};

	loop_init(&loop, false);
	assert_int_equal(resolver_new(&resolver, &loop), 0);
	assert_int_equal(
	    resolve_start(&q, resolver, text, 3478, 20000, result_cb, &r), 0);
	assert_int_equal(r.calls, 0); /* never from within the call */
	loop_run(&loop);
	resolver_free(resolver);
	loop_free(&loop);
	assert_int_equal(r.calls, 1);
	return r;
}

static void
test_numeric(void **state)
{
	struct result r = look_up("192.0.2.1:99");
	struct addr want;

	(void)state;
	assert_int_equal(r.error, 0);
	assert_int_equal(r.n, 1);
	addr_parse(&want, "192.0.2.1:99");
	assert_true(addr_equal(&r.first, &want));
	r = look_up("[2001:db8::1]");
	addr_parse(&want, "[2001:db8::1]:3478");
	assert_true(addr_equal(&r.first, &want));
	r = look_up("0.0.0.0:1"); /* nobody's address */
	assert_int_equal(r.error, -ENOENT);
}

static void
test_hosts_file(void **state)
{
	struct result r = look_up("localhost:7");

	(void)state;
	assert_int_equal(r.error, 0);
	assert_true(r.n >= 1);
	assert_true(addr_is_loopback(&r.first));
	assert_int_equal(r.first.port, 7);
}

static void
test_cancel(void **state)
{
	struct loop loop;
	struct resolver *resolver = NULL;
	struct resolve *numeric = NULL, *local = NULL, *left = NULL;
	struct result r = {.loop = &loop};

	(void)state;
	loop_init(&loop, false);
	assert_int_equal(resolver_new(&resolver, &loop), 0);
	resolve_cancel(NULL);
	resolve_start(&numeric, resolver, "192.0.2.1", 1, 1, result_cb, &r);
	resolve_start(&local, resolver, "localhost", 1, 1, result_cb, &r);
	resolve_start(&left, resolver, "192.0.2.1", 1, 1, result_cb, &r);
	resolve_cancel(numeric);
	resolve_cancel(local);
	resolver_free(resolver); /* cancels the one that is left */
	loop_free(&loop);
	assert_int_equal(r.calls, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_refused),
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_numeric),
	    cmocka_unit_test(test_hosts_file),
	    cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

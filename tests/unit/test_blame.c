/* SPDX-License-Identifier: ISC */
/* tunnel/blame: what a person is told, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "blame.h"

static void
told(const char *wanted, const struct opening *what, enum joint_end end,
    enum opening_reason r)
{
	const struct joint_result res = {.end = end, .reason = r};
	char out[BLAME_TEXT];
	const char *text = blame_end(out, &res, what, 10, "pi", "KEY");

	if (wanted == NULL)
		assert_null(text);
	else
		assert_string_equal(text, wanted);
}

static void
sentences(void **state)
{
	struct opening program = {.to = OPENING_PROGRAM};
	struct opening tcp = {
	    .to = OPENING_TCP, .host = "2001:db8::1", .port = 80};
	struct opening udp = {
	    .to = OPENING_UDP, .host = "127.0.0.1", .port = 53};
	struct opening path = {.to = OPENING_UNIX, .path = "/run/a b"};
	struct opening listen = {.to = OPENING_LISTEN, .port = 17001};
	struct opening any = {.to = OPENING_LISTEN, .host = "127.0.0.1"};

	(void)state;
	told("pi does not allow us to its program: add 'allow KEY' to its "
	     "allow file",
	    &program, JOINT_REFUSED, OPENING_PERMIT);
	told("pi does not permit [2001:db8::1]:80: add 'permit KEY "
	     "[2001:db8::1]:80' to its allow file",
	    &tcp, JOINT_REFUSED, OPENING_PERMIT);
	told("pi does not permit 127.0.0.1:53/udp: add 'permit KEY "
	     "127.0.0.1:53/udp' to its allow file",
	    &udp, JOINT_REFUSED, OPENING_PERMIT);
	told("pi does not permit /run/a b: add 'permit KEY /run/a b' to its "
	     "allow file",
	    &path, JOINT_REFUSED, OPENING_PERMIT);
	told("pi does not permit us to listen at 17001: add 'listen KEY "
	     "17001' to its allow file",
	    &listen, JOINT_REFUSED, OPENING_PERMIT);
	/* any free port is permitted by * alone */
	told("pi does not permit us to listen at 127.0.0.1:*: add 'listen KEY "
	     "127.0.0.1:*' to its allow file",
	    &any, JOINT_REFUSED, OPENING_PERMIT);
	any.host[0] = '\0';
	told("pi does not permit us to listen at *: add 'listen KEY *' to its "
	     "allow file",
	    &any, JOINT_REFUSED, OPENING_PERMIT);
	told("pi: [2001:db8::1]:80: the target refused the connection", &tcp,
	    JOINT_REFUSED, OPENING_REFUSED);
	told("pi: nothing serves that at the peer", &program, JOINT_REFUSED,
	    OPENING_NOBODY);
	told("pi was not there within 10 s", &tcp, JOINT_NO_PATH, OPENING_OK);
	told("pi: the connection was lost: nothing heard", &tcp, JOINT_GONE,
	    OPENING_OK);
	/* who wanted it has gone, or had it */
	told(NULL, &tcp, JOINT_DONE, OPENING_OK);
	told(NULL, &tcp, JOINT_READ, OPENING_OK);
	told(NULL, &tcp, JOINT_CLOSED, OPENING_OK);
}

/* Nothing that a person could have typed is cut. */
static void
longest(void **state)
{
	struct opening o = {.to = OPENING_UDP, .port = 65535};
	struct joint_result res = {
	    .end = JOINT_REFUSED, .reason = OPENING_PERMIT};
	char out[BLAME_TEXT], who[65], own[45];

	(void)state;
	memset(o.host, 'h', sizeof(o.host) - 1);
	memset(who, 'w', 64);
	memset(own, 'k', 44);
	who[64] = own[44] = '\0';
	blame_end(out, &res, &o, 10, who, own);
	assert_non_null(strstr(out, "h:65535/udp' to its allow file"));
}

static void
once(void **state)
{
	struct opening one = {.to = OPENING_TCP, .host = "one", .port = 1};
	struct opening two = {.to = OPENING_TCP, .host = "one", .port = 2};
	struct joint_result permit = {
	    .end = JOINT_REFUSED, .reason = OPENING_PERMIT};
	struct joint_result name = {
	    .end = JOINT_REFUSED, .reason = OPENING_NAME};
	struct joint_result no_path = {.end = JOINT_NO_PATH};
	struct blame b = {0};

	(void)state;
	assert_true(blame_tell(&b, &permit, &one, 1));
	assert_false(blame_tell(&b, &permit, &one, 1));
	assert_true(blame_tell(&b, &name, &one, 1));
	assert_true(blame_tell(&b, &permit, &two, 1));
	assert_true(blame_tell(&b, &no_path, &one, 1));
	assert_false(blame_tell(&b, &no_path, &one, 1u << 30));
	/* one works: there is a way to the peer; what it permits of two is
	 * another matter */
	blame_over(&b, &one);
	assert_true(blame_tell(&b, &no_path, &one, 2));
	assert_true(blame_tell(&b, &permit, &one, 2));
	assert_false(blame_tell(&b, &permit, &two, 2));
}

/* Who asks for ever new targets (SOCKS) is told of sixteen a minute. */
static void
many(void **state)
{
	struct opening o = {.to = OPENING_TCP, .host = "h"};
	struct joint_result res = {
	    .end = JOINT_REFUSED, .reason = OPENING_PERMIT};
	struct blame b = {0};
	int n = 0;

	(void)state;
	for (o.port = 1; o.port < 1000; o.port++)
		n += blame_tell(&b, &res, &o, 5);
	assert_int_equal(n, BLAME_TARGETS);
	for (; o.port < 2000; o.port++)
		n += blame_tell(&b, &res, &o, 5 + BLAME_ROOM_MS);
	assert_int_equal(n, 2 * BLAME_TARGETS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sentences),
	    cmocka_unit_test(longest),
	    cmocka_unit_test(once),
	    cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* How a stream begins: what a hostile opener says, and each of its words. */
#include "opening.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int
parse(struct opening *o, const char *line)
{
	return opening_parse(o, line, strlen(line));
}

static void
no_opening(void **state)
{
	static const char *const bad[] = {"", "open", "open ", "to=tcp",
	    "opened to=program", "ok", "no reason=busy", "OPEN to=program",
	    "open to=", "open to=shell", "open to=Program", "open to=program ",
	    " open to=program", "open to=program\r", "open to=program\tx=y",
	    "open to=program to=program", "open to=tcp", "open to=tcp host=a",
	    "open to=tcp port=1", "open to=tcp host= port=0",
	    "open to=tcp host= port=1", "open to=tcp host=a port=0",
	    "open to=udp host=a port=0", "open to=udp host=a",
	    "open to=tcp host=a port=", "open to=tcp host=a port=65536",
	    "open to=tcp host=a port=080", "open to=tcp host=a port=-1",
	    "open to=tcp host=a port=%2B1", "open to=tcp host=a port=+1",
	    "open to=tcp host=a port=%201", "open to=tcp host=a port=1%20",
	    "open to=tcp host=a port=1%0A", "open to=tcp host=a port=http",
	    "open to=tcp host=a port=0x50",
	    "open to=tcp host=a port=18446744073709551617",
	    "open to=tcp host=a port=1 port=2",
	    "open to=tcp host=a host=b port=1", "open to=tcp host=a%00b port=1",
	    "open to=tcp host=a%0Ab port=1", "open to=tcp host=a%1B port=1",
	    "open to=tcp host=a%20b port=1", "open to=tcp host=[::1] port=1",
	    "open to=tcp host=* port=1", "open to=tcp host=%2A port=1",
	    "open to=tcp host=-x port=1", "open to=tcp host=127.1 port=1",
	    "open to=udp host=0x7f.1 port=1", "open to=tcp host=a,b port=1",
	    "open to=tcp host=127.0.0.1:22 port=1"};
	struct opening o = {.to = OPENING_BACK, .id = 7}, kept = o;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(&o, bad[i]) != -EBADMSG)
			fail_msg("taken for an opening: %s", bad[i]);
		assert_memory_equal(&kept, &o, sizeof(o));
	}
	assert_int_equal(-EBADMSG,
	    opening_parse(&o, "open to=program\0", sizeof("open to=program")));
	assert_int_equal(-EBADMSG, opening_parse(&o, "open to=program\n", 16));
}

static void
no_path(void **state)
{
	static const char *const bad[] = {"", "run/x", "./x", "x", "%2E%2E/x",
	    "/../x", "/run/../x", "/run/..", "/..", "/run/x/", "/", "//",
	    "/run/x%00", "/run/%0Ax", "/run/x%7F", "/%1B[2J", "@abstract",
	    "%00abstract"};
	struct opening o;
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(
		    line, sizeof(line), "open to=unix path=%s", bad[i]);
		if (parse(&o, line) != -EBADMSG)
			fail_msg("taken for a path: %s", line);
		(void)snprintf(line, sizeof(line),
		    "open to=listen proto=unix id=1 bind=%s", bad[i]);
		if (parse(&o, line) != -EBADMSG)
			fail_msg("taken for a path: %s", line);
	}
	assert_int_equal(-EBADMSG, parse(&o, "open to=unix"));
	assert_true(opening_path_is_good("/run/..x"));
	assert_true(opening_path_is_good("/run/x.."));
	assert_true(opening_path_is_good("/run/...//x"));
}

static void
longest_path(void **state)
{
	char path[OPENING_PATH + 1], line[256];
	struct opening o;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[OPENING_PATH] = '\0';
	assert_false(opening_path_is_good(path));
	(void)snprintf(line, sizeof(line), "open to=unix path=%s", path);
	assert_int_equal(-EBADMSG, parse(&o, line));
	path[OPENING_PATH - 1] = '\0';
	assert_true(opening_path_is_good(path));
	(void)snprintf(line, sizeof(line), "open to=unix path=%s", path);
	assert_int_equal(0, parse(&o, line));
	assert_string_equal(path, o.path);
}

static void
no_listen(void **state)
{
	static const char *const bad[] = {"", "proto=tcp", "bind=80",
	    "proto=tcp bind=80", "proto=tcp id=1", "bind=80 id=1",
	    "proto=udp bind=80 id=1", "proto=tcp bind=/run/x id=1",
	    "proto=unix bind=80 id=1", "proto=tcp bind=a:b:80 id=1",
	    "proto=tcp bind=:80 id=1", "proto=tcp bind=80: id=1",
	    "proto=tcp bind=65536 id=1", "proto=tcp bind=080 id=1",
	    "proto=tcp bind=-1 id=1", "proto=tcp bind=[::1] id=1",
	    "proto=tcp bind=::1:80 id=1", "proto=tcp bind=[127.0.0.1]:80 id=1",
	    "proto=tcp bind=[%2A]:80 id=1", "proto=tcp bind=*:80 id=1",
	    "proto=tcp bind=localhost:80 id=1", "proto=tcp bind=a.b:80 id=1",
	    "proto=tcp bind=127.1:80 id=1", "proto=tcp bind=%2A:%2A id=1",
	    "proto=tcp bind=80 id=", "proto=tcp bind=80 id=-1",
	    "proto=tcp bind=80 id=4294967296", "proto=tcp bind=80 id=01",
	    "proto=tcp bind=80 id=%201", "proto=tcp bind=80 id=x"};
	struct opening o;
	char line[512];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(line, sizeof(line), "open to=listen%s%s",
		    bad[i][0] != '\0' ? " " : "", bad[i]);
		if (parse(&o, line) != -EBADMSG)
			fail_msg("taken for an opening: %s", line);
	}
	assert_int_equal(-EBADMSG, parse(&o, "open to=back"));
	assert_int_equal(-EBADMSG, parse(&o, "open to=back id=00"));
	assert_int_equal(-EBADMSG, parse(&o, "open to=back id=4294967296"));
	/* more than any bind can be */
	(void)snprintf(line, sizeof(line),
	    "open to=listen proto=tcp id=1 bind=%0400d", 80);
	assert_int_equal(-EBADMSG, parse(&o, line));
}

static void
too_long(void **state)
{
	char line[RECORD_MAX + 8] = "open to=program x=";
	size_t len = strlen(line);
	struct opening o;
	enum opening_reason r;
	uint16_t port;

	(void)state;
	memset(line + len, 'x', sizeof(line) - len);
	assert_int_equal(-EMSGSIZE, opening_parse(&o, line, RECORD_MAX));
	assert_int_equal(0, opening_parse(&o, line, RECORD_MAX - 1));
	assert_int_equal(
	    -EMSGSIZE, opening_answer_parse(&r, &port, line, RECORD_MAX));
}

/* Unknown keys are for later versions. */
static void
openings(void **state)
{
	static const struct {
		const char *line;
		struct opening o;
	} good[] = {
	    {"open to=program", {.to = OPENING_PROGRAM}},
	    {"open to=tcp host=127.0.0.1 port=80",
		{.to = OPENING_TCP, .host = "127.0.0.1", .port = 80}},
	    {"open to=tcp host=::1 port=65535",
		{.to = OPENING_TCP, .host = "::1", .port = 65535}},
	    {"open to=udp host=example.org port=1",
		{.to = OPENING_UDP, .host = "example.org", .port = 1}},
	    {"open to=tcp host=fe80::1%25eth0 port=1",
		{.to = OPENING_TCP, .host = "fe80::1%eth0", .port = 1}},
	    {"open to=unix path=/run/x",
		{.to = OPENING_UNIX, .path = "/run/x"}},
	    {"open to=unix path=/run/a%20b%25%C3%A9",
		{.to = OPENING_UNIX, .path = "/run/a b%\xc3\xa9"}},
	    {"open to=listen proto=tcp bind=0 id=0", {.to = OPENING_LISTEN}},
	    {"open to=listen proto=tcp bind=%2A:80 id=4294967295",
		{.to = OPENING_LISTEN,
		    .host = "*",
		    .port = 80,
		    .id = UINT32_MAX}},
	    {"open to=listen proto=tcp bind=127.0.0.1:8080 id=1",
		{.to = OPENING_LISTEN,
		    .host = "127.0.0.1",
		    .port = 8080,
		    .id = 1}},
	    {"open to=listen proto=tcp bind=[::1]:8080 id=1",
		{.to = OPENING_LISTEN, .host = "::1", .port = 8080, .id = 1}},
	    {"open to=listen proto=unix bind=/run/x id=2",
		{.to = OPENING_LISTEN, .path = "/run/x", .id = 2}},
	    {"open to=back id=9", {.to = OPENING_BACK, .id = 9}},
	};
	struct opening o;
	struct record r;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(0, parse(&o, good[i].line));
		assert_true(opening_equal(&o, &good[i].o));
		assert_int_equal(0, opening_write(&o, &r));
		assert_string_equal(good[i].line, r.text);
	}
	assert_int_equal(
	    0, parse(&o, "open x=1 port=80 later=%FF host=LOCALHOST to=tcp"));
	assert_string_equal("localhost", o.host);
	assert_int_equal(0, parse(&o, "open to=tcp host=0:0::1 port=1"));
	assert_string_equal("::1", o.host);
}

static void
equal(void **state)
{
	struct opening a = {.to = OPENING_TCP, .host = "a", .port = 1}, b = a;

	(void)state;
	/* what is behind the end of the text does not count */
	b.host[100] = 'x';
	assert_true(opening_equal(&a, &b));
	b.port = 2;
	assert_false(opening_equal(&a, &b));
	b = a;
	b.to = OPENING_UDP;
	assert_false(opening_equal(&a, &b));
	b = a;
	b.host[0] = 'b';
	assert_false(opening_equal(&a, &b));
	b = a;
	b.id = 1;
	assert_false(opening_equal(&a, &b));
	b = a;
	b.path[0] = '/';
	assert_false(opening_equal(&a, &b));
}

static void
does_not_fit(void **state)
{
	struct opening o = {.to = OPENING_TCP, .port = 1};
	struct record r;

	(void)state;
	memset(o.host, '*', sizeof(o.host) - 1);
	assert_int_equal(-EMSGSIZE, opening_write(&o, &r));
	/* the longest of what parses does */
	o = (struct opening){.to = OPENING_LISTEN, .id = UINT32_MAX};
	memset(o.path, 0xff, sizeof(o.path) - 1);
	o.path[0] = '/';
	assert_int_equal(0, opening_write(&o, &r));
}

static void
no_answer(void **state)
{
	static const char *const bad[] = {"", "okay", "ok port=0", "ok port=01",
	    "ok port=65536", "ok port=-1", "ok port=x", "ok port=1 port=1",
	    "no", "no reason=", "no reason=ok", "no reason=what",
	    "no reason=Busy", "no port=1", "yes", "open to=program", "OK",
	    "ok\r", "no reason=busy%20"};
	enum opening_reason r = OPENING_NAME;
	uint16_t port = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (opening_answer_parse(&r, &port, bad[i], strlen(bad[i])) !=
		    -EBADMSG)
			fail_msg("taken for an answer: %s", bad[i]);
		assert_int_equal(OPENING_NAME, r);
		assert_int_equal(7, port);
	}
	assert_int_equal(-EBADMSG, opening_answer_parse(&r, &port, "ok\0", 3));
}

static void
answers(void **state)
{
	enum opening_reason r;
	struct record rec;
	uint16_t port;

	(void)state;
	assert_int_equal(0, opening_answer_write(OPENING_OK, 0, &rec));
	assert_string_equal("ok", rec.text);
	assert_int_equal(0, opening_answer_write(OPENING_OK, 8080, &rec));
	assert_string_equal("ok port=8080", rec.text);
	assert_int_equal(0, opening_answer_parse(&r, &port, rec.text, rec.len));
	assert_int_equal(OPENING_OK, r);
	assert_int_equal(8080, port);
	assert_int_equal(0, opening_answer_write(OPENING_PERMIT, 80, &rec));
	assert_string_equal("no reason=not-permitted", rec.text);
	for (int i = OPENING_PERMIT; i <= OPENING_FAILED; i++) {
		assert_int_equal(
		    0, opening_answer_write((enum opening_reason)i, 0, &rec));
		assert_int_equal(
		    0, opening_answer_parse(&r, &port, rec.text, rec.len));
		assert_int_equal(i, r);
		assert_int_equal(0, port);
	}
	assert_int_equal(0, opening_answer_parse(&r, &port, "ok later=1", 10));
	assert_int_equal(0, port);
}

/* Each has a name of its own, and a sentence. */
static void
reasons(void **state)
{
	(void)state;
	for (int i = OPENING_OK; i <= OPENING_FAILED; i++) {
		assert_non_null(opening_reason_text((enum opening_reason)i));
		for (int k = OPENING_OK; k < i; k++)
			assert_string_not_equal(
			    opening_reason_name((enum opening_reason)i),
			    opening_reason_name((enum opening_reason)k));
	}
	assert_string_equal(
	    "failed", opening_reason_name((enum opening_reason)99));
	assert_string_equal(opening_reason_text(OPENING_FAILED),
	    opening_reason_text((enum opening_reason)99));
}

static void
formatted(void **state)
{
	static const char *const lines[][2] = {
	    {"open to=program", "program"},
	    {"open to=tcp host=127.0.0.1 port=80", "tcp 127.0.0.1:80"},
	    {"open to=tcp host=::1 port=80", "tcp [::1]:80"},
	    {"open to=udp host=a port=1", "udp a:1"},
	    {"open to=unix path=/run/x", "unix /run/x"},
	    {"open to=listen proto=tcp bind=80 id=1", "listen 80"},
	    {"open to=listen proto=tcp bind=%2A:0 id=1", "listen *:0"},
	    {"open to=listen proto=unix bind=/run/x id=1", "listen /run/x"},
	    {"open to=back id=1", "back"},
	};
	char buf[OPENING_TEXT];
	struct opening o;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(0, parse(&o, lines[i][0]));
		assert_string_equal(lines[i][1], opening_format(&o, buf));
	}
	o = (struct opening){.to = (enum opening_to)99};
	assert_string_equal("?", opening_format(&o, buf));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_opening),
	    cmocka_unit_test(no_path),
	    cmocka_unit_test(longest_path),
	    cmocka_unit_test(no_listen),
	    cmocka_unit_test(too_long),
	    cmocka_unit_test(openings),
	    cmocka_unit_test(equal),
	    cmocka_unit_test(does_not_fit),
	    cmocka_unit_test(no_answer),
	    cmocka_unit_test(answers),
	    cmocka_unit_test(reasons),
	    cmocka_unit_test(formatted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

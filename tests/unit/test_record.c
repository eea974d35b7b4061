/* SPDX-License-Identifier: ISC */
/* Records: what is one, what a value can't do to the line it stands in, and
 * how it leaves the program. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PUBLIC "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define ZERO "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static int
parse_str(struct record_view *v, const char *line)
{
	return record_parse(v, line, strlen(line));
}

static void
no_record(void **state)
{
	static const char *const bad[] = {
	    "",
	    " ",
	    " path key=1",
	    "path ",
	    "path  key=1",
	    "path key=1 ",
	    "path\tkey=1",
	    "path key",
	    "path =1",
	    "path key=1\r",
	    "path key=\"1\"",
	    "path key=a;b",
	    "path key=$(id)",
	    "path key=`id`",
	    "path key=a*b",
	    "path key=a\\b",
	    "path key=\x1b[2J",
	    "path key=\xc3\xa9",
	    "path key=%",
	    "path key=%4",
	    "path key=%4g",
	    "path key=%g4",
	    "path key=%00",
	    "path key=a%00b",
	    "path key=1 key=2",
	    "path KEY=1",
	    "path ke-y=1",
	    "path 1key=1",
	    "path k%65y=1",
	    "Path key=1",
	    "path=1",
	    "path;id key=1",
	    "{\"record\":\"path\"}",
	};
	struct record_view v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse_str(&v, bad[i]) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
		assert_null(record_get(&v, "key"));
		assert_false(record_is(&v, "path"));
	}
	assert_int_equal(-EBADMSG, record_parse(&v, "path\0key=1", 10));
	assert_int_equal(-EBADMSG, record_parse(&v, "path key=1\0", 11));
}

static void
parsed(void **state)
{
	struct record_view v;

	(void)state;
	assert_int_equal(0, parse_str(&v, "path"));
	assert_true(record_is(&v, "path"));
	assert_false(record_is(&v, "pat"));
	assert_int_equal(0, v.n);
	assert_int_equal(
	    0, parse_str(&v, "path a=1 b_2=x%20y%3d%2F none= c==[]-,@:"));
	assert_int_equal(3, v.n);
	assert_string_equal("1", record_get(&v, "a"));
	assert_string_equal("x y=/", record_get(&v, "b_2"));
	assert_string_equal("=[]-,@:", record_get(&v, "c"));
	assert_null(record_get(&v, "none"));
	assert_null(record_get(&v, "path"));
}

static void
too_much(void **state)
{
	struct record_view v;
	char line[RECORD_MAX + 1];
	size_t len, i;

	(void)state;
	len = (size_t)snprintf(line, sizeof(line), "path a=");
	memset(line + len, 'x', sizeof(line) - len);
	assert_int_equal(0, record_parse(&v, line, RECORD_MAX - 1));
	assert_int_equal(RECORD_MAX - 1 - len, strlen(record_get(&v, "a")));
	assert_int_equal(-EMSGSIZE, record_parse(&v, line, RECORD_MAX));
	assert_null(record_get(&v, "a"));
	assert_int_equal(-EMSGSIZE, record_parse(&v, line, SIZE_MAX));

	len = (size_t)snprintf(line, sizeof(line), "path");
	for (i = 0; i < RECORD_FIELDS; i++)
		len += (size_t)snprintf(
		    line + len, sizeof(line) - len, " k%zu=%zu", i, i);
	assert_int_equal(0, record_parse(&v, line, len));
	assert_string_equal("23", record_get(&v, "k23"));
	len += (size_t)snprintf(line + len, sizeof(line) - len, " more=1");
	assert_int_equal(-EMSGSIZE, record_parse(&v, line, len));
}

static void
get_errors(void **state)
{
	struct record_view v;
	struct addr a;
	uint64_t n = 7;
	uint8_t key[KEY_LEN];

	(void)state;
	assert_int_equal(0,
	    parse_str(&v,
		"x neg=-1 big=18446744073709551616 text=1x hex=0x1 "
		"ep=192.0.2.1 port=192.0.2.1:99999 zero=" ZERO " short=AAAA"));
	assert_int_equal(-ENOENT, record_get_u64(&v, "none", &n));
	assert_int_equal(-EBADMSG, record_get_u64(&v, "neg", &n));
	assert_int_equal(-EBADMSG, record_get_u64(&v, "big", &n));
	assert_int_equal(-EBADMSG, record_get_u64(&v, "text", &n));
	assert_int_equal(-EBADMSG, record_get_u64(&v, "hex", &n));
	assert_int_equal(7, n);
	assert_int_equal(-ENOENT, record_get_addr(&v, "none", &a));
	assert_int_equal(-EBADMSG, record_get_addr(&v, "ep", &a));
	assert_int_equal(-EBADMSG, record_get_addr(&v, "port", &a));
	assert_int_equal(-ENOENT, record_get_key(&v, "none", key));
	assert_int_equal(-EBADMSG, record_get_key(&v, "zero", key));
	assert_int_equal(-EBADMSG, record_get_key(&v, "short", key));
}

static void
put_and_get(void **state)
{
	struct addr a, b;
	struct record_view v;
	struct record r;
	uint8_t key[KEY_LEN], back[KEY_LEN];
	uint64_t n;

	(void)state;
	assert_int_equal(0, key_parse_public(key, PUBLIC));
	assert_int_equal(0, addr_parse(&a, "[2001:db8::1]:51820"));
	memset(&b, 0, sizeof(b));
	record_begin(&r, "path");
	record_put_key(&r, "key", key);
	record_put_addr(&r, "endpoint", &a);
	record_put_addr(&r, "local", &b);
	record_put(&r, "reason", NULL);
	record_put(&r, "method", "");
	record_put_u64(&r, "n", UINT64_MAX);
	record_put_i64(&r, "i", INT64_MIN);
	assert_string_equal("path key=" PUBLIC " endpoint=[2001:db8::1]:51820"
			    " n=18446744073709551615 i=-9223372036854775808",
	    r.text);
	assert_int_equal(strlen(r.text), r.len);
	assert_int_equal(0, record_parse(&v, r.text, r.len));
	assert_int_equal(0, record_get_key(&v, "key", back));
	assert_memory_equal(key, back, KEY_LEN);
	assert_int_equal(0, record_get_addr(&v, "endpoint", &b));
	assert_true(addr_equal(&a, &b));
	assert_int_equal(0, record_get_u64(&v, "n", &n));
	assert_true(n == UINT64_MAX);
	assert_string_equal("-9223372036854775808", record_get(&v, "i"));
}

/* Every byte that a value can hold, one by one: the line stays one record of
 * one field, and the value comes back. */
static void
every_byte(void **state)
{
	const char *plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
			    "xyz0123456789._:/@+=,[]-";
	struct record_view v;
	char value[4] = "a?b", want[16];
	struct record r;
	int c;

	(void)state;
	for (c = 1; c < 256; c++) {
		value[1] = (char)c;
		record_begin(&r, "x");
		record_put(&r, "k", value);
		if (strchr(plain, c) != NULL)
			snprintf(want, sizeof(want), "x k=a%cb", c);
		else
			snprintf(want, sizeof(want), "x k=a%%%02Xb", c);
		assert_string_equal(want, r.text);
		assert_int_equal(0, record_parse(&v, r.text, r.len));
		assert_int_equal(1, v.n);
		assert_string_equal(value, record_get(&v, "k"));
	}
}

/* The write as its reader sees it: on a SOCK_SEQPACKET socket each write(2)
 * is one packet. Returns the length of the only one. */
static ssize_t
written(const struct record *r, bool json, int *rc, char buf[2 * RECORD_MAX])
{
	int fds[2];
	ssize_t n;
	char more;

	assert_int_equal(
	    0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds));
	*rc = record_write(r, fds[0], json);
	close(fds[0]);
	n = read(fds[1], buf, 2 * RECORD_MAX - 1);
	assert_true(n >= 0);
	buf[n] = '\0';
	if (n > 0)
		assert_int_equal(0, read(fds[1], &more, 1));
	close(fds[1]);
	return n;
}

static void
one_write(void **state)
{
	char buf[2 * RECORD_MAX];
	struct record r;
	int rc;

	(void)state;
	record_begin(&r, "go");
	record_put(&r, "key", PUBLIC);
	record_put_u64(&r, "age_ms", 12);
	written(&r, false, &rc, buf);
	assert_int_equal(0, rc);
	assert_string_equal("go key=" PUBLIC " age_ms=12\n", buf);
	written(&r, true, &rc, buf);
	assert_int_equal(0, rc);
	assert_string_equal(
	    "{\"record\":\"go\",\"key\":\"" PUBLIC "\",\"age_ms\":12}\n", buf);
}

static void
boundary(void **state)
{
	char value[RECORD_MAX + 1], buf[2 * RECORD_MAX];
	const size_t most = RECORD_MAX - 1 - strlen("x k=");
	const size_t most_json =
	    RECORD_MAX - 1 - strlen("{\"record\":\"x\",\"k\":\"\"}");
	struct record r;
	int rc;

	(void)state;
	memset(value, 'v', sizeof(value));
	value[most] = '\0';
	record_begin(&r, "x");
	record_put(&r, "k", value);
	assert_int_equal(RECORD_MAX, written(&r, false, &rc, buf));
	assert_int_equal(0, rc);
	assert_int_equal(0, written(&r, true, &rc, buf));
	assert_int_equal(-EMSGSIZE, rc);

	value[most_json] = '\0';
	record_begin(&r, "x");
	record_put(&r, "k", value);
	assert_int_equal(RECORD_MAX, written(&r, true, &rc, buf));
	assert_int_equal(0, rc);
	value[most_json] = 'v';
	value[most_json + 1] = '\0';
	record_begin(&r, "x");
	record_put(&r, "k", value);
	assert_int_equal(0, written(&r, true, &rc, buf));
	assert_int_equal(-EMSGSIZE, rc);

	/* too long stays too long, whatever comes after */
	value[most_json + 1] = 'v';
	value[most] = 'v';
	value[most + 1] = '\0';
	record_begin(&r, "x");
	record_put(&r, "k", value);
	record_put(&r, "small", "1");
	assert_true(r.overflow);
	assert_true(r.len < RECORD_MAX);
	assert_int_equal(0, written(&r, false, &rc, buf));
	assert_int_equal(-EMSGSIZE, rc);
	/* and a new record starts afresh */
	record_begin(&r, "x");
	assert_int_equal(2, written(&r, false, &rc, buf));
	assert_int_equal(0, rc);
}

/* Three bytes for one may not end in the middle. */
static void
escape_at_the_boundary(void **state)
{
	char value[RECORD_MAX];
	const size_t room = RECORD_MAX - 1 - strlen("x k=");
	struct record r;
	size_t len;

	(void)state;
	for (len = room - 3; len <= room; len++) {
		memset(value, 'v', len);
		value[len - 1] = ' ';
		value[len] = '\0';
		record_begin(&r, "x");
		record_put(&r, "k", value);
		assert_int_equal(len + 2 > room, r.overflow);
		assert_true(r.len < RECORD_MAX);
		assert_int_equal(strlen(r.text), r.len);
	}
}

static void
json_values(void **state)
{
	static const struct {
		const char *value, *json;
	} cases[] = {
	    {"0", "0"},
	    {"-5", "-5"},
	    {"18446744073709551615", "18446744073709551615"},
	    {"007", "\"007\""},
	    {"-0", "\"-0\""},
	    {"-", "\"-\""},
	    {"+1", "\"+1\""},
	    {"1.5", "\"1.5\""},
	    {"1e3", "\"1e3\""},
	    {"0x1", "\"0x1\""},
	    {"12a", "\"12a\""},
	    {"true", "\"true\""},
	    {"null", "\"null\""},
	    {"a\"b", "\"a\\\"b\""},
	    {"a\\b", "\"a\\\\b\""},
	    {"a\nb\tc", "\"a\\u000ab\\u0009c\""},
	    {"\x7f", "\"\\u007f\""},
	    {"\",\"x\":\"", "\"\\\",\\\"x\\\":\\\"\""},
	    {"\xc3\xa9", "\"\\u00e9\""},
	    {"\xe2\x82\xac", "\"\\u20ac\""},
	    {"\xf0\x9f\x98\x80", "\"\\ud83d\\ude00\""},
	    {"\xff", "\"\\ufffd\""},
	    {"\xc3", "\"\\ufffd\""},
	    {"\xc3(", "\"\\ufffd(\""},
	    {"\xc0\xaf", "\"\\ufffd\\ufffd\""},		   /* overlong */
	    {"\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* too */
	    {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* surrogate */
	    {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	};
	char buf[2 * RECORD_MAX], want[RECORD_MAX];
	struct record r;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		record_begin(&r, "x");
		record_put(&r, "k", cases[i].value);
		written(&r, true, &rc, buf);
		assert_int_equal(0, rc);
		snprintf(want, sizeof(want), "{\"record\":\"x\",\"k\":%s}\n",
		    cases[i].json);
		assert_string_equal(want, buf);
	}
}

/* candidate has a key "type" itself: no member may hide another. */
static void
json_type_is_apart(void **state)
{
	char buf[2 * RECORD_MAX];
	struct record r;
	int rc;

	(void)state;
	record_begin(&r, "candidate");
	record_put(&r, "type", "host");
	written(&r, true, &rc, buf);
	assert_string_equal(
	    "{\"record\":\"candidate\",\"type\":\"host\"}\n", buf);
}

/* A key twice is a bug of the caller's, which must not get out as JSON. */
static void
json_of_no_record(void **state)
{
	char buf[2 * RECORD_MAX];
	struct record r;
	int rc;

	(void)state;
	record_begin(&r, "x");
	record_put(&r, "k", "1");
	record_put(&r, "k", "2");
	assert_int_equal(0, written(&r, true, &rc, buf));
	assert_int_equal(-EBADMSG, rc);
}

static void
write_errors(void **state)
{
	struct record r;
	int fds[2], rc;
	size_t n = 0;

	(void)state;
	record_begin(&r, "x");
	assert_int_equal(-EBADF, record_write(&r, -1, false));
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(0, pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	do {
		rc = record_write(&r, fds[1], n % 2 == 1);
		n++;
	} while (rc == 0 && n < 1000000);
	assert_int_equal(-EAGAIN, rc); /* full: it says so, it does not wait */
	close(fds[0]);
	assert_int_equal(-EPIPE, record_write(&r, fds[1], false));
	assert_int_equal(-EPIPE, record_write(&r, fds[1], true));
	close(fds[1]);
	fds[1] = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_not_equal(-1, fds[1]);
	assert_int_equal(-ENOSPC, record_write(&r, fds[1], false));
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_record),
	    cmocka_unit_test(parsed),
	    cmocka_unit_test(too_much),
	    cmocka_unit_test(get_errors),
	    cmocka_unit_test(put_and_get),
	    cmocka_unit_test(every_byte),
	    cmocka_unit_test(one_write),
	    cmocka_unit_test(boundary),
	    cmocka_unit_test(escape_at_the_boundary),
	    cmocka_unit_test(json_values),
	    cmocka_unit_test(json_type_is_apart),
	    cmocka_unit_test(json_of_no_record),
	    cmocka_unit_test(write_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

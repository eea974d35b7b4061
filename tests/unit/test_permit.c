/* SPDX-License-Identifier: ISC */
/* nat-pipe's allow file: lines that say nothing, and who may reach what: first
 * all that nobody may. */
#include "permit.h"

#include "book_fixture.h"

static uint8_t a[KEY_LEN], b[KEY_LEN], c[KEY_LEN];
static struct peerbook *book;

static int
setup(void **state)
{
	(void)state;
	return book_open(&book) | key_parse_public(a, KEY_A) |
	       key_parse_public(b, KEY_B) | key_parse_public(c, KEY_C);
}

static int
teardown(void **state)
{
	(void)state;
	peerbook_free(book);
	return 0;
}

static void
bad_lines(void **state)
{
	static const struct bad_file bad[] = {
	    {"deny pi\n", -EBADMSG, 1, "deny: a line begins with"},
	    {"Allow pi\n", -EBADMSG, 1, "begins with"},
	    {KEY_A "\n", -EBADMSG, 1, "begins with"},
	    {"allow\n", -EBADMSG, 1, "allow and a key"},
	    {"allow pi 127.0.0.1:80\n", -EBADMSG, 1, "allow and a key"},
	    {"allow pi hook=/x\n", -EBADMSG, 1, "allow and a key"},
	    {"allow pi\n\nallow nobody\n", -ENOENT, 3,
		"no peer named nobody: add a line 'nobody KEY' there"},
	    {"allow *\n", -ENOENT, 1, "neither"},
	    {"allow " KEY_A "x\n", -ENOENT, 1, "neither"},
	    {"allow " ZERO "\n", -EINVAL, 1, "weak"},
	    {"permit " ZERO " a:1\n", -EINVAL, 1, "weak"},
	    {"permit pi\n", -EBADMSG, 1, "give permit"},
	    {"permit a:1 pi\n", -EBADMSG, 1, "host:port"},
	    {"permit pi a:1 b:2\n", -EBADMSG, 1, "hook="},
	    {"permit pi a:1 hook=/x hook=/y\n", -EBADMSG, 1, "give permit"},
	    {"permit pi a:1 hook=\n", -EBADMSG, 1, "begins with /"},
	    {"permit pi a:1 hook=x\n", -EBADMSG, 1, "begins with /"},
	    {"permit pi a:1 Hook=/x\n", -EBADMSG, 1, "Hook=/x: what"},
	    {"permit pi a\n", -EBADMSG, 1, "a: give host:port"},
	    {"permit pi 80\n", -EBADMSG, 1, "host:port"},
	    {"permit pi *\n", -EBADMSG, 1, "host:port"},
	    {"permit pi a:b:80\n", -EBADMSG, 1, "a:b:80: give host:port"},
	    {"permit pi ::1:80\n", -EBADMSG, 1, "host:port"},
	    {"permit pi [::1]\n", -EBADMSG, 1, "host:port"},
	    {"permit pi a:80/tcp\n", -EBADMSG, 1, "host:port"},
	    {"permit pi a:80/udp/udp\n", -EBADMSG, 1, "a port"},
	    {"permit pi a:\n", -EBADMSG, 1, "a port"},
	    {"permit pi a:0\n", -EBADMSG, 1, "a port"},
	    {"permit pi a:080\n", -EBADMSG, 1, "a port"},
	    {"permit pi a:+80\n", -EBADMSG, 1, "a port"},
	    {"permit pi a:65536\n", -EBADMSG, 1, "a port"},
	    {"permit pi a:http\n", -EBADMSG, 1, "a port"},
	    {"permit pi a:80-90\n", -EBADMSG, 1, "a port"},
	    {"permit pi a:[*]\n", -EBADMSG, 1, "a port"},
	    {"permit pi :80\n", -EBADMSG, 1, "the host"},
	    {"permit pi *.example.org:80\n", -EBADMSG, 1, "the host"},
	    {"permit pi 10.0.0.0/8:80\n", -EBADMSG, 1, "host:port"},
	    {"permit pi 127.1:80\n", -EBADMSG, 1, "the host"},
	    {"permit pi [*]:80\n", -EBADMSG, 1, "the host"},
	    {"permit pi [a]:80\n", -EBADMSG, 1, "the host"},
	    {"permit pi /run/../x\n", -EBADMSG, 1, "a path"},
	    {"permit pi /run/\n", -EBADMSG, 1, "a path"},
	    {"permit nobody a:1\n", -ENOENT, 1,
		"no peer named nobody: add a line 'nobody KEY' there"},
	    {"listen pi\n", -EBADMSG, 1, "give listen"},
	    {"listen pi 80 hook=/x\n", -EBADMSG, 1, "give listen"},
	    {"listen pi 0\n", -EBADMSG, 1, "a port"},
	    {"listen pi 80/udp\n", -EBADMSG, 1, "a port"},
	    {"listen pi a:b:80\n", -EBADMSG, 1, "port, bind:port"},
	    {"listen pi :80\n", -EBADMSG, 1, "the host"},
	    {"listen pi example.org:80\n", -EBADMSG, 1, "at an address"},
	    {"listen pi [localhost]:80\n", -EBADMSG, 1, "the host"},
	    {"listen pi /\n", -EBADMSG, 1, "a path"},
	    {"allow pi\nlisten nobody 80\n", -ENOENT, 2,
		"no peer named nobody: add a line 'nobody KEY' there"},
	};
	struct permit *p = NULL;
	const char *why;
	unsigned line;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc = permit_parse(
		    &p, bad[i].text, strlen(bad[i].text), book, &line, &why);

		is_refused(&bad[i], rc, line, why);
		assert_null(p);
	}
}

/* The code of a fault, too. */
static void
codes(void **state)
{
	struct permit *p = NULL;
	const char *why;
	unsigned line;

	(void)state;
	assert_int_equal(
	    -ENOENT, permit_parse(&p, "allow nobody", 12, book, &line, &why));
	assert_int_equal(
	    -ENOENT, permit_parse(&p, "allow pi", 8, NULL, &line, &why));
	assert_int_equal(
	    -ENOENT, permit_parse(&p, "allow =", 7, book, &line, &why));
	assert_int_equal(
	    -EBADMSG, permit_parse(&p, "allow\0pi", 8, book, &line, &why));
	assert_int_equal(
	    -EINVAL, permit_parse(&p, "allow " ZERO, 50, book, &line, &why));
	assert_null(p);
}

static void
files(void **state)
{
	char path[] = "/tmp/natkit-allow-XXXXXX";
	int fd = mkstemp(path);
	struct permit *p = NULL;
	const char *why;
	unsigned line = 9;

	(void)state;
	assert_int_not_equal(-1, fd);
	assert_int_equal(8, (int)write(fd, "allow pi", 8));
	assert_int_equal(0, fchmod(fd, 0620));
	assert_int_equal(-EPERM, permit_read(&p, path, book, &line, &why));
	assert_int_equal(0, line);
	assert_int_equal(0, fchmod(fd, 0602));
	assert_int_equal(-EPERM, permit_read(&p, path, book, &line, &why));
	assert_null(p);
	assert_int_equal(0, fchmod(fd, 0644));
	assert_int_equal(0, permit_read(&p, path, book, &line, &why));
	assert_memory_equal(a, permit_key(p, 0), KEY_LEN);
	permit_free(p);
	p = NULL;
	close(fd);
	(void)unlink(path);
	assert_int_equal(-ENOENT, permit_read(&p, path, book, &line, &why));
	assert_int_equal(0, line);
	assert_non_null(why);
	assert_null(p);
}

/* What is asked for, in the words of its stream. */
static enum permit_answer
asked(const struct permit *p, const uint8_t key[KEY_LEN], const char *line,
    const char **hook)
{
	struct opening o;

	if (opening_parse(&o, line, strlen(line)) != 0)
		fail_msg("no opening: %s", line);
	return permit_check(p, key, &o, hook);
}

static void
expect(const char *text, const uint8_t key[KEY_LEN], const char *line,
    enum permit_answer answer)
{
	struct permit *p = NULL;
	const char *why, *hook = "x";
	unsigned number;

	if (permit_parse(&p, text, strlen(text), book, &number, &why) != 0)
		fail_msg("%s: line %u: %s", text, number, why);
	if (asked(p, key, line, &hook) != answer)
		fail_msg("%s: %s: not %d", text, line, answer);
	assert_true((hook != NULL) == (answer == PERMIT_HOOK));
	permit_free(p);
}

#define TCP(host, port) "open to=tcp host=" host " port=" port
#define UDP(host, port) "open to=udp host=" host " port=" port
#define LISTEN(bind) "open to=listen proto=tcp id=1 bind=" bind

static void
closed_by_default(void **state)
{
	static const char *const lines[] = {"open to=program",
	    TCP("127.0.0.1", "80"), UDP("127.0.0.1", "80"),
	    "open to=unix path=/run/x", LISTEN("80"),
	    "open to=listen proto=unix id=1 bind=/run/x", "open to=back id=1"};
	static const char all[] = "allow pi\npermit pi *:*\npermit pi *:*/udp\n"
				  "permit pi /run/x\nlisten pi *:*\n"
				  "listen pi /run/x\n";
	const char *hook = "x", *why;
	struct permit *p = NULL;
	unsigned line;

	(void)state;
	assert_int_equal(0, permit_read(&p, NULL, NULL, &line, &why));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(PERMIT_NO, asked(NULL, a, lines[i], &hook));
		assert_null(hook);
		assert_int_equal(PERMIT_NO, asked(p, a, lines[i], &hook));
		/* one peer's permit is no other's */
		expect(all, b, lines[i], PERMIT_NO);
		expect(all, c, lines[i], PERMIT_NO);
		/* and with all of them there is still no listener that
		 * nobody asked for */
		expect(all, a, lines[i],
		    strstr(lines[i], "back") != NULL ? PERMIT_NO : PERMIT_YES);
	}
	assert_null(permit_key(p, 0));
	assert_null(permit_key(NULL, 0));
	permit_free(p);
	permit_free(NULL);
}

static void
one_kind_is_no_other(void **state)
{
	(void)state;
	expect("allow pi\n", a, TCP("127.0.0.1", "80"), PERMIT_NO);
	expect("allow pi\n", a, LISTEN("80"), PERMIT_NO);
	expect("permit pi *:*\n", a, "open to=program", PERMIT_NO);
	expect("permit pi *:*\n", a, UDP("127.0.0.1", "80"), PERMIT_NO);
	expect("permit pi *:*\n", a, "open to=unix path=/run/x", PERMIT_NO);
	expect("permit pi *:*\n", a, LISTEN("80"), PERMIT_NO);
	expect("permit pi *:*/udp\n", a, TCP("127.0.0.1", "80"), PERMIT_NO);
	expect("permit pi /run/x\n", a, TCP("127.0.0.1", "80"), PERMIT_NO);
	expect("permit pi /run/x\n", a,
	    "open to=listen proto=unix id=1 bind=/run/x", PERMIT_NO);
	expect("listen pi /run/x\n", a, "open to=unix path=/run/x", PERMIT_NO);
	expect("listen pi *:*\n", a, TCP("127.0.0.1", "80"), PERMIT_NO);
	expect("listen pi *:*\n", a,
	    "open to=listen proto=unix id=1 bind=/run/x", PERMIT_NO);
	expect("listen pi /run/x\n", a, LISTEN("80"), PERMIT_NO);
}

static void
other_hosts(void **state)
{
	(void)state;
	expect(
	    "permit pi 127.0.0.1:80\n", a, TCP("127.0.0.1", "81"), PERMIT_NO);
	expect(
	    "permit pi 127.0.0.1:80\n", a, TCP("127.0.0.2", "80"), PERMIT_NO);
	expect("permit pi 127.0.0.1:80\n", a, TCP("::1", "80"), PERMIT_NO);
	/* nothing is resolved, neither way */
	expect(
	    "permit pi 127.0.0.1:80\n", a, TCP("localhost", "80"), PERMIT_NO);
	expect(
	    "permit pi localhost:80\n", a, TCP("127.0.0.1", "80"), PERMIT_NO);
	expect("permit pi localhost:80\n", a, TCP("::1", "80"), PERMIT_NO);
	expect(
	    "permit pi localhost:80\n", a, TCP("localhost.", "80"), PERMIT_NO);
	expect("permit pi 127.0.0.1:80\n", a, TCP("0.0.0.0", "80"), PERMIT_NO);
	expect("permit pi [::1]:80\n", a, TCP("::", "80"), PERMIT_NO);
	expect("permit pi example.org:80\n", a, TCP("a.example.org", "80"),
	    PERMIT_NO);
	expect("permit pi example.org:80\n", a, TCP("example.or", "80"),
	    PERMIT_NO);
	expect("permit pi [fe80::1]:80\n", a, TCP("fe80::1%25eth0", "80"),
	    PERMIT_NO);
	expect("permit pi [fe80::1%eth0]:80\n", a, TCP("fe80::1%25eth1", "80"),
	    PERMIT_NO);
	expect("permit pi *:80\n", a, TCP("127.0.0.1", "8080"), PERMIT_NO);
	expect("permit pi a:*\n", a, TCP("b", "80"), PERMIT_NO);
	expect("permit pi /run/x\n", a, "open to=unix path=/run/xy", PERMIT_NO);
	expect("permit pi /run/x\n", a, "open to=unix path=/run/X", PERMIT_NO);
	expect("permit pi /run/x\n", a, "open to=unix path=/run//x", PERMIT_NO);
	expect(
	    "permit pi /run/x\n", a, "open to=unix path=/run/./x", PERMIT_NO);
}

static void
targets(void **state)
{
	(void)state;
	expect("allow " KEY_C "\n", c, "open to=program", PERMIT_YES);
	expect(
	    "permit pi 127.0.0.1:80\n", a, TCP("127.0.0.1", "80"), PERMIT_YES);
	expect("permit pi 127.0.0.1:80\n", a, TCP("::ffff:127.0.0.1", "80"),
	    PERMIT_YES);
	expect("permit pi [0:0::1]:80\n", a, TCP("::1", "80"), PERMIT_YES);
	expect("permit pi [::1]:80\n", a, TCP("0:0:0:0:0:0:0:1", "80"),
	    PERMIT_YES);
	expect("permit pi Example.org:80\n", a, TCP("eXAMPLE.org", "80"),
	    PERMIT_YES);
	expect("permit pi *:80\n", a, TCP("::1", "80"), PERMIT_YES);
	expect("permit pi a:*\n", a, TCP("a", "65535"), PERMIT_YES);
	expect("permit pi [::1]:53/udp\n", a, UDP("::1", "53"), PERMIT_YES);
	expect("permit pi *:*/udp\n", a, UDP("a", "53"), PERMIT_YES);
	expect("permit pi /run/x\n", a, "open to=unix path=/run/x", PERMIT_YES);
	expect("permit pi [fe80::1%eth0]:80\n", a,
	    TCP("fe80:0::1%25eth0", "80"), PERMIT_YES);
}

static void
listeners(void **state)
{
	(void)state;
	/* without an address: loopback, and nothing else */
	expect("listen pi 80\n", a, LISTEN("%2A:80"), PERMIT_NO);
	expect("listen pi 80\n", a, LISTEN("0.0.0.0:80"), PERMIT_NO);
	expect("listen pi 80\n", a, LISTEN("[::]:80"), PERMIT_NO);
	expect("listen pi 80\n", a, LISTEN("127.0.0.2:80"), PERMIT_NO);
	expect("listen pi 80\n", a, LISTEN("192.0.2.1:80"), PERMIT_NO);
	expect("listen pi 80\n", a, LISTEN("81"), PERMIT_NO);
	expect("listen pi 80\n", a, LISTEN("0"), PERMIT_NO);
	/* one of the two is not both */
	expect("listen pi 127.0.0.1:80\n", a, LISTEN("80"), PERMIT_NO);
	expect("listen pi 127.0.0.1:80\n", a, LISTEN("[::1]:80"), PERMIT_NO);
	expect("listen pi 192.0.2.1:80\n", a, LISTEN("%2A:80"), PERMIT_NO);
	expect("listen pi 0.0.0.0:80\n", a, LISTEN("%2A:80"), PERMIT_NO);
	expect("listen pi *\n", a, LISTEN("%2A:80"), PERMIT_NO);
	expect("listen pi *:80\n", a, LISTEN("81"), PERMIT_NO);

	expect("listen pi 80\n", a, LISTEN("80"), PERMIT_YES);
	expect("listen pi 80\n", a, LISTEN("127.0.0.1:80"), PERMIT_YES);
	expect("listen pi 80\n", a, LISTEN("[::1]:80"), PERMIT_YES);
	expect("listen pi localhost:80\n", a, LISTEN("80"), PERMIT_YES);
	expect("listen pi *\n", a, LISTEN("0"), PERMIT_YES);
	expect("listen pi *\n", a, LISTEN("[::1]:65535"), PERMIT_YES);
	expect(
	    "listen pi 127.0.0.1:80\n", a, LISTEN("127.0.0.1:80"), PERMIT_YES);
	expect("listen pi [0::1]:80\n", a, LISTEN("[::1]:80"), PERMIT_YES);
	expect("listen pi *:80\n", a, LISTEN("80"), PERMIT_YES);
	expect("listen pi *:80\n", a, LISTEN("%2A:80"), PERMIT_YES);
	expect("listen pi *:80\n", a, LISTEN("192.0.2.1:80"), PERMIT_YES);
	expect("listen pi *:*\n", a, LISTEN("%2A:0"), PERMIT_YES);
	expect("listen pi /run/x\n", a,
	    "open to=listen proto=unix id=1 bind=/run/x", PERMIT_YES);
}

static void
first_line_decides(void **state)
{
	static const char text[] = "permit pi 127.0.0.1:22 hook=/bin/first\n"
				   "permit laptop *:* # all\n"
				   "permit pi *:* hook=/bin/second\n"
				   "permit pi 127.0.0.1:23\n"
				   "permit pi /run/x hook=/bin/third\n"
				   "permit pi *:*/udp\n"
				   "permit pi a:1/udp hook=/bin/never\n";
	struct permit *p = NULL;
	const char *why, *hook;
	unsigned line;

	(void)state;
	assert_int_equal(
	    0, permit_parse(&p, text, sizeof(text) - 1, book, &line, &why));
	assert_int_equal(
	    PERMIT_HOOK, asked(p, a, TCP("127.0.0.1", "22"), &hook));
	assert_string_equal("/bin/first", hook);
	assert_int_equal(
	    PERMIT_HOOK, asked(p, a, TCP("127.0.0.1", "23"), &hook));
	assert_string_equal("/bin/second", hook);
	assert_int_equal(
	    PERMIT_HOOK, asked(p, a, "open to=unix path=/run/x", &hook));
	assert_string_equal("/bin/third", hook);
	assert_int_equal(PERMIT_YES, asked(p, a, UDP("a", "1"), &hook));
	assert_null(hook);
	assert_int_equal(
	    PERMIT_YES, asked(p, b, TCP("127.0.0.1", "22"), &hook));
	permit_free(p);
}

/* By name or as text, it is one key. */
static void
keys(void **state)
{
	static const char text[] =
	    "allow pi\npermit " KEY_A " a:1\nlisten laptop 80\nallow " KEY_C
	    "\nallow " KEY_B "\nallow pi\n";
	bool has_a = false, has_b = false, has_c = false;
	struct permit *p = NULL;
	const uint8_t *key;
	const char *why;
	unsigned line;
	size_t i;

	(void)state;
	assert_int_equal(
	    0, permit_parse(&p, text, sizeof(text) - 1, book, &line, &why));
	for (i = 0; (key = permit_key(p, i)) != NULL; i++) {
		has_a = has_a || memcmp(key, a, KEY_LEN) == 0;
		has_b = has_b || memcmp(key, b, KEY_LEN) == 0;
		has_c = has_c || memcmp(key, c, KEY_LEN) == 0;
	}
	assert_int_equal(3, i);
	assert_true(has_a && has_b && has_c);
	permit_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_lines),
	    cmocka_unit_test(codes),
	    cmocka_unit_test(files),
	    cmocka_unit_test(closed_by_default),
	    cmocka_unit_test(one_kind_is_no_other),
	    cmocka_unit_test(other_hosts),
	    cmocka_unit_test(targets),
	    cmocka_unit_test(listeners),
	    cmocka_unit_test(first_line_decides),
	    cmocka_unit_test(keys),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

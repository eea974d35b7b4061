/* SPDX-License-Identifier: ISC */
/* The peers file: names that are none, keys that are none, and who is who. */
#include "peerbook.h"

#include "book_fixture.h"

#define TEXT_ROOM ((PEERBOOK_MAX + 1) * 64)
#define N64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static int
parse(struct peerbook **b, const char *text, unsigned *line, const char **why)
{
	return peerbook_parse(b, text, strlen(text), line, why);
}

static void
bad_lines(void **state)
{
	static const struct bad_file bad[] = {
	    {"pi\n", -EBADMSG, 1, "a name and a key"},
	    {KEY_A " pi\n", -EBADMSG, 1, "a name has"},
	    {KEY_A " " KEY_B "\n", -EBADMSG, 1, "a name has"},
	    {"-pi " KEY_A "\n", -EBADMSG, 1, "a name has"},
	    {".pi " KEY_A "\n", -EBADMSG, 1, "a name has"},
	    {"p/i " KEY_A "\n", -EBADMSG, 1, "a name has"},
	    {"p:i " KEY_A "\n", -EBADMSG, 1, "a name has"},
	    {"p@i " KEY_A "\n", -EBADMSG, 1, "a name has"},
	    {"p\xc3\xa9 " KEY_A "\n", -EBADMSG, 1, "a name has"},
	    {N64 "a " KEY_A "\n", -EBADMSG, 1, "a name has"},
	    {"# x\npi nonsense\n", -EBADMSG, 2, "44 characters"},
	    {"pi " KEY_A "x\n", -EBADMSG, 1, "44 characters"},
	    {"pi " ZERO "\n", -EINVAL, 1, "weak"},
	    {"pi " KEY_A "\n\nPI " KEY_B "\n", -EEXIST, 3, "twice"},
	    {"pi " KEY_A " x\n", -EBADMSG, 1, "unknown"},
	    {"pi " KEY_A " Server=" KEY_B "@h:1\n", -EBADMSG, 1, "unknown"},
	    {"pi " KEY_A " server=\n", -EBADMSG, 1, "KEY@host"},
	    {"pi " KEY_A " server=h:1\n", -EBADMSG, 1, "KEY@host"},
	    {"pi " KEY_A " server=" KEY_B "@\n", -EBADMSG, 1, "KEY@host"},
	    {"pi " KEY_A " server=" KEY_B "@h:\n", -EBADMSG, 1, "KEY@host"},
	    {"pi " KEY_A " server=" KEY_B "@h:0\n", -EBADMSG, 1, "KEY@host"},
	    {"pi " KEY_A " server=" KEY_B "@h:1:2\n", -EBADMSG, 1, "KEY@host"},
	    {"pi " KEY_A " server=" KEY_B "@::1\n", -EBADMSG, 1, "KEY@host"},
	    {"pi " KEY_A " server=" KEY_B "@[::1\n", -EBADMSG, 1, "KEY@host"},
	    {"pi " KEY_A " server=" KEY_B "@" N64 N64 N64 N64 N64 N64 ":1\n",
		-EBADMSG, 1, "KEY@host"},
	    {"pi " KEY_A " server=" ZERO "@h:1\n", -EINVAL, 1, "weak"},
	    {"pi " KEY_A " server=" KEY_B "@h:1 server=" KEY_B "@i:1\n",
		-EEXIST, 1, "twice"},
	    {"pi " KEY_A "\nok\x01 " KEY_A "\n", -EBADMSG, 2, "control"},
	};
	struct peerbook *b = NULL;
	const char *why;
	unsigned line;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc = parse(&b, bad[i].text, &line, &why);

		is_refused(&bad[i], rc, line, why);
		assert_null(b);
	}
}

static void
too_many(void **state)
{
	char *text = malloc(TEXT_ROOM), *p = text;
	struct peerbook *b = NULL;
	const char *why;
	unsigned line;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < PEERBOOK_MAX; i++)
		p += sprintf(p, "p%d " KEY_A "\n", i);
	assert_int_equal(0, parse(&b, text, &line, &why));
	assert_non_null(peerbook_entry(b, PEERBOOK_MAX - 1));
	assert_null(peerbook_entry(b, PEERBOOK_MAX));
	assert_string_equal("p4095", peerbook_named(b, "p4095")->name);
	peerbook_free(b);
	b = NULL;
	(void)sprintf(p, "last " KEY_A "\n");
	assert_int_equal(-E2BIG, parse(&b, text, &line, &why));
	assert_int_equal(PEERBOOK_MAX + 1, line);
	assert_null(b);
	free(text);
}

static void
too_many_servers(void **state)
{
	struct peerbook *b = NULL;
	const char *why;
	unsigned line;

	(void)state;
	assert_int_equal(-E2BIG,
	    parse(&b,
		"pi " KEY_A " server=" KEY_A "@h server=" KEY_B
		"@h server=" KEY_C "@h "
		"server=IaaaUkyxOGR+5sVfDMVNP1lJ0iTV4LbPbyBKkL1dZUM=@h "
		"server=IabaUkyxOGR+5sVfDMVNP1lJ0iTV4LbPbyBKkL1dZUM=@h\n",
		&line, &why));
	assert_null(b);
	assert_non_null(strstr(why, "too many servers"));
}

static void
looked_up(void **state)
{
	uint8_t a[KEY_LEN], bk[KEY_LEN], c[KEY_LEN], key[KEY_LEN];
	const struct peerbook_entry *e;
	struct peerbook *b = NULL;
	const char *why;
	unsigned line;

	(void)state;
	assert_int_equal(0, key_parse_public(a, KEY_A));
	assert_int_equal(0, key_parse_public(bk, KEY_B));
	assert_int_equal(0, key_parse_public(c, KEY_C));
	assert_int_equal(
	    0, parse(&b,
		   "# name key\nPi-4.x_1 " KEY_A " server=" KEY_B
		   "@example.org server=" KEY_C "@[2001:db8::1]  # home\r\n"
		   "pi " KEY_B " server=" KEY_C "@[::1]:1\n\npi2 " KEY_B
		   "\n" N64 " " KEY_B,
		   &line, &why));
	e = peerbook_named(b, "pi-4.X_1");
	assert_non_null(e);
	assert_string_equal("Pi-4.x_1", e->name);
	assert_memory_equal(a, e->key, KEY_LEN);
	assert_int_equal(2, e->servers);
	assert_string_equal(KEY_B "@example.org:3478", e->server[0]);
	assert_string_equal(KEY_C "@[2001:db8::1]:3478", e->server[1]);
	assert_string_equal(
	    KEY_C "@[::1]:1", peerbook_named(b, "pi")->server[0]);
	assert_non_null(peerbook_named(b, N64));
	assert_null(peerbook_named(b, "p"));
	assert_null(peerbook_named(b, ""));
	/* the first name of a key that has several */
	assert_string_equal("pi", peerbook_keyed(b, bk)->name);
	assert_null(peerbook_keyed(b, c));
	assert_ptr_equal(e, peerbook_entry(b, 0));
	assert_null(peerbook_entry(b, 4));

	assert_int_equal(0, peerbook_find(b, "PI", key));
	assert_memory_equal(bk, key, KEY_LEN);
	assert_int_equal(0, peerbook_find(b, KEY_C, key));
	assert_memory_equal(c, key, KEY_LEN);
	assert_int_equal(-ENOENT, peerbook_find(b, "nobody", key));
	assert_int_equal(-ENOENT, peerbook_find(b, "", key));
	assert_int_equal(-EINVAL, peerbook_find(b, ZERO, key));
	peerbook_free(b);
}

static void
says_why(void **state)
{
	(void)state;
	assert_string_equal(peerbook_why(-ENOENT, "pi"),
	    "there is no peer named pi: add a line 'pi KEY'");
	assert_string_equal(peerbook_why_there(-ENOENT, "pi"),
	    "the peers file has no peer named pi: add a line 'pi KEY' there");
	assert_non_null(
	    strstr(peerbook_why(-ENOENT, "/bin/sh"), "neither a public key"));
	assert_non_null(strstr(peerbook_why(-EINVAL, ZERO), "weak"));
}

static void
empty(void **state)
{
	struct peerbook *b = NULL;
	uint8_t key[KEY_LEN] = {1};
	const char *why;
	unsigned line;

	(void)state;
	assert_int_equal(
	    0, peerbook_read(&b, "/nonexistent/peers", &line, &why));
	assert_null(peerbook_entry(b, 0));
	peerbook_free(b);
	assert_int_equal(0, peerbook_read(&b, NULL, &line, &why));
	assert_null(peerbook_named(b, "pi"));
	peerbook_free(b);
	peerbook_free(NULL);
	assert_null(peerbook_named(NULL, "pi"));
	assert_null(peerbook_keyed(NULL, key));
	assert_null(peerbook_entry(NULL, 0));
	assert_int_equal(-ENOENT, peerbook_find(NULL, "pi", key));
	assert_int_equal(0, peerbook_find(NULL, KEY_A, key));
}

static void
files(void **state)
{
	char path[] = "/tmp/natkit-peers-XXXXXX";
	int fd = mkstemp(path);
	struct peerbook *b = NULL;
	const char *why;
	unsigned line;

	(void)state;
	assert_int_not_equal(-1, fd);
	assert_int_equal(
	    KEY_STRLEN + 2, (int)write(fd, "pi " KEY_A, KEY_STRLEN + 2));
	assert_int_equal(0, fchmod(fd, 0666));
	assert_int_equal(-EPERM, peerbook_read(&b, path, &line, &why));
	assert_int_equal(0, line);
	assert_null(b);
	assert_int_equal(0, fchmod(fd, 0644));
	assert_int_equal(0, peerbook_read(&b, path, &line, &why));
	assert_non_null(peerbook_named(b, "pi"));
	peerbook_free(b);
	close(fd);
	(void)unlink(path);
	assert_int_equal(
	    -ENOTDIR, peerbook_read(&b, "/dev/null/peers", &line, &why));
	assert_int_equal(0, line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_lines),
	    cmocka_unit_test(too_many),
	    cmocka_unit_test(too_many_servers),
	    cmocka_unit_test(looked_up),
	    cmocka_unit_test(says_why),
	    cmocka_unit_test(empty),
	    cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

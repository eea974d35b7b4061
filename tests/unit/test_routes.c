/* SPDX-License-Identifier: ISC */
/* The routes file: a fault in it changes no route that stands. */
#include "routes.h"

#include "book_fixture.h"

static struct peerbook *book;

static int
setup(void **state)
{
	(void)state;
	return book_open(&book);
}

static int
teardown(void **state)
{
	(void)state;
	peerbook_free(book);
	return 0;
}

static int
parse(struct routes *r, const char *text, unsigned *line, const char **why)
{
	return routes_parse(r, text, strlen(text), book, line, why);
}

static void
bad_lines(void **state)
{
	static const struct bad_file bad[] = {
	    {"pi\n", -EBADMSG, 1, "give a peer"},
	    {"pi -L\n", -EBADMSG, 1, "give a peer"},
	    {"pi 1:a:80\n", -EBADMSG, 1, "give a peer"},
	    {"pi L 1:a:80\n", -EBADMSG, 1, "give a peer"},
	    {"pi xL 1:a:80\n", -EBADMSG, 1, "give a peer"},
	    {"-L 1:a:80 pi\n", -EBADMSG, 1, "give a peer"},
	    {"pi -L 1:a:80 -L 2:a:80\n", -EBADMSG, 1, "give a peer"},
	    {"pi -L1:a:80 x\n", -EBADMSG, 1, "give a peer"},
	    {"pi -LL 1:a:80\n", -EBADMSG, 1, "give a peer"},
	    {"pi -X 1:a:80\n", -EBADMSG, 1, "-L, -R, -D or -U"},
	    {"pi -- 1:a:80\n", -EBADMSG, 1, "-L, -R, -D or -U"},
	    {"pi -L 1:a:80\n\npi -L 1:a:0\n", -EBADMSG, 3, "from 1"},
	    {"pi -U /x:a:80\n", -EBADMSG, 1, "/x:a:80: "},
	    {"nobody -L 1:a:80\n", -ENOENT, 1,
		"no peer named nobody: add a line 'nobody KEY' there"},
	    {"* -L 1:a:80\n", -ENOENT, 1, "neither"},
	    {ZERO " -L 1:a:80\n", -EINVAL, 1, "weak"},
	    {"pi -L 1:a:80\nlaptop -L 1:a:80\nPI -L localhost:1:A:80\n",
		-EEXIST, 3, "twice"},
	    {"pi -L1:a:80\n" KEY_A " -L 1:a:80\n", -EEXIST, 2, "twice"},
	};
	struct routes r = {0};
	const char *why;
	unsigned line;

	(void)state;
	assert_int_equal(0, parse(&r, "laptop -D 1080\n", &line, &why));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc = parse(&r, bad[i].text, &line, &why);

		is_refused(&bad[i], rc, line, why);
		assert_int_equal(1, r.n);
		assert_int_equal('D', r.route[0].forward.kind);
	}
	assert_int_equal(
	    -EBADMSG, routes_parse(&r, "pi -D 1\0\n", 9, book, &line, &why));
	assert_int_equal(
	    -ENOENT, routes_parse(&r, "pi -D 1\n", 8, NULL, &line, &why));
	routes_clear(&r);
	assert_int_equal(0, r.n);
}

static void
too_many(void **state)
{
	char *text = malloc((ROUTES_MAX + 1) * 16), *p = text;
	struct routes r = {0};
	const char *why;
	unsigned line;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < ROUTES_MAX; i++)
		p += sprintf(p, "pi -D %d\n", i);
	assert_int_equal(0, parse(&r, text, &line, &why));
	assert_int_equal(ROUTES_MAX, r.n);
	routes_clear(&r);
	(void)sprintf(p, "pi -D 65535\n");
	assert_int_equal(-E2BIG, parse(&r, text, &line, &why));
	assert_int_equal(ROUTES_MAX + 1, line);
	assert_int_equal(0, r.n);
	free(text);
}

/* What a reload asks: is that one still in it? */
static void
has(void **state)
{
	struct routes r = {0}, other = {0};
	const char *why;
	unsigned line;

	(void)state;
	assert_int_equal(
	    0, parse(&r,
		   "# peer forward\npi -L 8080:127.0.0.1:80 # web\n"
		   "laptop -U25565:[::1]:25565\n" KEY_B " -R /run/x:/run/y\r\n",
		   &line, &why));
	assert_int_equal(3, r.n);
	assert_memory_equal(r.route[1].key, r.route[2].key, KEY_LEN);
	for (size_t i = 0; i < r.n; i++)
		assert_true(routes_has(&r, &r.route[i]));
	assert_int_equal(
	    0, parse(&other,
		   KEY_A " -L 8080:127.0.0.1:81\nlaptop -L 8080:127.0.0.1:80\n"
			 "laptop -R 25565:a:25565\nlaptop -L /run/x:/run/y\n",
		   &line, &why));
	for (size_t i = 0; i < other.n; i++)
		assert_false(routes_has(&r, &other.route[i]));
	routes_clear(&other);
	assert_int_equal(
	    0, parse(&other, KEY_A " -L localhost:8080:127.0.0.1:80\n", &line,
		   &why));
	assert_true(routes_has(&r, &other.route[0]));
	routes_clear(&other);
	assert_false(routes_has(&other, &r.route[0]));
	routes_clear(&r);
}

static void
files(void **state)
{
	char path[] = "/tmp/natkit-routes-XXXXXX";
	int fd = mkstemp(path);
	struct routes r = {0};
	const char *why;
	unsigned line = 9;

	(void)state;
	assert_int_not_equal(-1, fd);
	assert_int_equal(10, (int)write(fd, "pi -D 1080", 10));
	assert_int_equal(0, fchmod(fd, 0666));
	assert_int_equal(-EPERM, routes_read(&r, path, book, &line, &why));
	assert_int_equal(0, line);
	assert_int_equal(0, r.n);
	assert_int_equal(0, fchmod(fd, 0600));
	assert_int_equal(0, routes_read(&r, path, book, &line, &why));
	assert_int_equal(1080, r.route[0].forward.port);
	close(fd);
	(void)unlink(path);
	assert_int_equal(-ENOENT, routes_read(&r, path, book, &line, &why));
	assert_int_equal(0, line);
	assert_int_equal(1, r.n);
	routes_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_lines),
	    cmocka_unit_test(too_many),
	    cmocka_unit_test(has),
	    cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

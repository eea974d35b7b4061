/* SPDX-License-Identifier: ISC */
/* Files that a person edits: whose word is taken, where a fault is. */
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/natkit-textfile-XXXXXX";
static char path[sizeof(dir) + 8];

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static void
make(const char *text, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_not_equal(-1, fd);
	assert_int_equal((int)len, (int)write(fd, text, len));
	assert_int_equal(0, fchmod(fd, mode));
	close(fd);
}

struct seen {
	char text[4096];
	unsigned lines;
	int fail_at;
};

/* Writes what it gets as "word|word;". */
static int
see(void *arg, char *word[], size_t n, const char **why)
{
	struct seen *s = arg;

	if (s->fail_at != 0 && --s->fail_at == 0) {
		*why = "told to";
		return -EXDEV;
	}
	assert_true(n > 0 && n <= TEXTFILE_WORDS);
	for (size_t i = 0; i < n; i++) {
		strncat(
		    s->text, word[i], sizeof(s->text) - strlen(s->text) - 1);
		strncat(s->text, i + 1 < n ? "|" : ";",
		    sizeof(s->text) - strlen(s->text) - 1);
	}
	s->lines++;
	return 0;
}

static int
parse(struct seen *s, const char *text, size_t len, unsigned *line,
    const char **why)
{
	*s = (struct seen){0};
	return textfile_parse(text, len, see, s, line, why);
}

static void
bad_lines(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		unsigned line;
		const char *why;
	} bad[] = {
	    {"a\nb\0c\n", 6, 2, "a NUL in it"},
	    {"# \0\n", 4, 1, "a NUL in it"},
	    {"\n\na\x1b[2J b\n", 11, 3, "a control character"},
	    {"a b\x7f", 4, 1, "a control character"},
	    {"a\vb", 3, 1, "a control character"},
	    {"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", 42, 1,
		"too many words"},
	};
	struct seen s;
	unsigned line;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    -EBADMSG, parse(&s, bad[i].text, bad[i].len, &line, &why));
		assert_int_equal(bad[i].line, line);
		assert_string_equal(bad[i].why, why);
	}
}

static void
long_line(void **state)
{
	char text[TEXTFILE_LINE + 4] = "\n";
	struct seen s;
	unsigned line;
	const char *why;

	(void)state;
	memset(text + 1, 'x', TEXTFILE_LINE + 1);
	assert_int_equal(
	    -EBADMSG, parse(&s, text, TEXTFILE_LINE + 2, &line, &why));
	assert_int_equal(2, line);
	assert_string_equal("the line is too long", why);
	assert_int_equal(0, parse(&s, text, TEXTFILE_LINE + 1, &line, &why));
	assert_int_equal(1, s.lines);
	text[TEXTFILE_LINE + 1] = '\n';
	assert_int_equal(0, parse(&s, text, TEXTFILE_LINE + 2, &line, &why));
	assert_int_equal(TEXTFILE_LINE + 1, strlen(s.text));
}

static void
words(void **state)
{
	static const char text[] =
	    "# all\n\n \t\n  a  b\tc # d\r\ne#f # \x1b\ng\r\n"
	    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n\xc3\xa9";
	struct seen s;
	unsigned line;
	const char *why;

	(void)state;
	assert_int_equal(0, parse(&s, text, sizeof(text) - 1, &line, &why));
	assert_string_equal("a|b|c;e#f;g;"
			    "1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16;\xc3\xa9;",
	    s.text);
	assert_int_equal(0, parse(&s, "", 0, &line, &why));
	assert_int_equal(0, s.lines);
}

static void
callback_ends_it(void **state)
{
	struct seen s = {.fail_at = 2};
	unsigned line;
	const char *why;

	(void)state;
	assert_int_equal(
	    -EXDEV, textfile_parse("a\n\nb\nc\n", 7, see, &s, &line, &why));
	assert_int_equal(3, line);
	assert_string_equal("told to", why);
	assert_string_equal("a;", s.text);
}

/* As those who read such files do it; *line is 0 when it is about the file. */
static int
file(struct seen *s, const char *name, unsigned *line, const char **why)
{
	char *text = NULL;
	size_t len = 0;
	int rc;

	*s = (struct seen){0};
	*why = NULL;
	*line = 0;
	rc = textfile_load(name, &text, &len, why);
	if (rc != 0)
		assert_null(text);
	else
		rc = textfile_parse(text, len, see, s, line, why);
	free(text);
	return rc;
}

static void
not_trusted(void **state)
{
	static const mode_t modes[] = {0620, 0602, 0666, 0777, 0664};
	struct seen s;
	unsigned line;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		make("a\n", 2, modes[i]);
		assert_int_equal(-EPERM, file(&s, path, &line, &why));
		assert_int_equal(0, line);
		assert_non_null(strstr(why, "chmod go-w"));
		assert_int_equal(0, s.lines);
	}
	if (geteuid() != 0)
		return;
	make("a\n", 2, 0644);
	assert_int_equal(0, chown(path, 12345, 0));
	assert_int_equal(-EPERM, file(&s, path, &line, &why));
	assert_non_null(strstr(why, "another user"));
	assert_int_equal(0, chown(path, 0, 0));
}

static void
no_file(void **state)
{
	struct seen s;
	unsigned line;
	const char *why;

	(void)state;
	(void)unlink(path);
	assert_int_equal(-ENOENT, file(&s, path, &line, &why));
	assert_int_equal(0, line);
	assert_string_equal("cannot be opened", why);
	assert_int_equal(-EISDIR, file(&s, dir, &line, &why));
	assert_string_equal("cannot be read", why);
}

static void
too_large(void **state)
{
	char *text = malloc(TEXTFILE_MAX + 1);
	struct seen s;
	unsigned line;
	const char *why;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', TEXTFILE_MAX + 1);
	make(text, TEXTFILE_MAX + 1, 0600);
	assert_int_equal(-EFBIG, file(&s, path, &line, &why));
	assert_int_equal(0, line);
	assert_non_null(strstr(why, "1 MiB"));
	make(text, TEXTFILE_MAX, 0600);
	assert_int_equal(0, file(&s, path, &line, &why));
	free(text);
	/* one that has no end */
	assert_int_equal(-EFBIG, file(&s, "/dev/zero", &line, &why));
}

static void
files(void **state)
{
	struct seen s;
	unsigned line;
	const char *why;

	(void)state;
	make("a\nb c", 5, 0644);
	assert_int_equal(0, file(&s, path, &line, &why));
	assert_string_equal("a;b|c;", s.text);
	make("", 0, 0400);
	assert_int_equal(0, file(&s, path, &line, &why));
	assert_int_equal(0, file(&s, "/dev/null", &line, &why));
	assert_int_equal(0, s.lines);
	make("a\n\x01\n", 4, 0600);
	assert_int_equal(-EBADMSG, file(&s, path, &line, &why));
	assert_int_equal(2, line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_lines),
	    cmocka_unit_test(long_line),
	    cmocka_unit_test(words),
	    cmocka_unit_test(callback_ends_it),
	    cmocka_unit_test(not_trusted),
	    cmocka_unit_test(no_file),
	    cmocka_unit_test(too_large),
	    cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

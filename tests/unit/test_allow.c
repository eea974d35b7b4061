/* SPDX-License-Identifier: ISC */
/* The allow file. */
#include "allow.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY_A "aEBmUkyxOGR+5sVfDMVNP1lJ0iTV4LbPbyBKkL1dZUM="
#define KEY_B "3f7MFj7m/ETUXVir4Gb2wselsI0L6u6OclSkLWfGJh4="
#define ZERO "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define ORDER8 "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA="

static struct allow allow;
static uint8_t a[KEY_LEN], b[KEY_LEN];

static int
setup(void **state)
{
	(void)state;
	return key_parse_public(a, KEY_A) | key_parse_public(b, KEY_B);
}

static int
teardown(void **state)
{
	(void)state;
	allow_free(&allow);
	return 0;
}

static int
parse(const char *text, size_t *line, const char **why)
{
	return allow_parse(&allow, text, strlen(text), line, why);
}

static void
bad_line_keeps_the_list(void **state)
{
	static const struct {
		const char *text;
		size_t line;
	} bad[] = {
	    {"nonsense\n", 1},
	    {KEY_B "\n\n# fine\n" KEY_B "x\n", 4},
	    {KEY_B " " KEY_B "\n", 1},
	    {KEY_B "\n" ZERO "\n", 2},
	    {ORDER8, 1},
	    {"\n" KEY_B "\ncut", 3},
	    {KEY_B "\n\xff\xfe\n", 2},
	    {"=\n", 1},
	};
	const char *why;
	size_t line;

	(void)state;
	assert_int_equal(parse(KEY_A "\n", &line, &why), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(bad[i].text, &line, &why), -EBADMSG);
		assert_int_equal(line, bad[i].line);
		assert_true(strlen(why) > 0);
		assert_int_equal(allow.n, 1);
		assert_true(allow_has(&allow, a));
		assert_false(allow_has(&allow, b));
	}
}

static void
comments_and_blanks(void **state)
{
	static const char text[] =
	    "# friends\n\n  " KEY_B " # the laptop\r\n\t \n" KEY_A "#x\n#end";
	const char *why;
	size_t line;

	(void)state;
	assert_int_equal(parse(text, &line, &why), 0);
	assert_int_equal(allow.n, 2);
	assert_true(allow_has(&allow, a));
	assert_true(allow_has(&allow, b));
}

static void
no_file_all_empty_file_none(void **state)
{
	const char *why;
	size_t line;

	(void)state;
	assert_true(allow_has(&allow, a));
	assert_int_equal(parse("# nobody\n", &line, &why), 0);
	assert_false(allow_has(&allow, a));
	assert_int_equal(parse("", &line, &why), 0);
	assert_false(allow_has(&allow, a));
}

static void
nul_bytes(void **state)
{
	const char *why;
	size_t line;

	(void)state;
	assert_int_equal(
	    allow_parse(&allow, "\n\0\n", 3, &line, &why), -EBADMSG);
	assert_int_equal(line, 2);
}

static void
many_keys(void **state)
{
	enum {
		N = 500
	};
	static char text[N * KEY_STRLEN];
	static uint8_t keys[N][KEY_LEN];
	const char *why;
	size_t line;

	(void)state;
	for (int i = 0; i < N; i++) {
		char buf[KEY_STRLEN];

		randombytes_buf(keys[i], KEY_LEN);
		memcpy(text + i * KEY_STRLEN, key_format(keys[i], buf), 44);
		text[i * KEY_STRLEN + 44] = '\n';
	}
	assert_int_equal(
	    allow_parse(&allow, text, sizeof(text), &line, &why), 0);
	for (int i = 0; i < N; i++)
		assert_true(allow_has(&allow, keys[i]));
	assert_false(allow_has(&allow, a));
}

static void
files(void **state)
{
	char path[] = "/tmp/test_allow.XXXXXX", error[ALLOW_ERRLEN];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_true(write(fd, KEY_A "\nbad\n", 49) == 49);
	assert_int_equal(allow_load(&allow, path, error), -EBADMSG);
	assert_non_null(strstr(error, ":2: not a key"));
	assert_non_null(strstr(error, path));
	assert_int_equal(ftruncate(fd, 45), 0);
	assert_int_equal(allow_load(&allow, path, error), 0);
	assert_true(allow_has(&allow, a));
	close(fd);
	unlink(path);
	assert_int_equal(allow_load(&allow, path, error), -ENOENT);
	assert_int_equal(allow_load(&allow, "/tmp", error), -EINVAL);
	assert_int_equal(allow_load(&allow, "/dev/zero", error), -EINVAL);
	assert_true(allow_has(&allow, a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		bad_line_keeps_the_list, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		comments_and_blanks, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		no_file_all_empty_file_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(nul_bytes, setup, teardown),
	    cmocka_unit_test_setup_teardown(many_keys, setup, teardown),
	    cmocka_unit_test_setup_teardown(files, setup, teardown),
	};

	return sodium_init() == -1 ? 1
				   : cmocka_run_group_tests(tests, NULL, NULL);
}

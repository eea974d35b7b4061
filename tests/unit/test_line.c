/* SPDX-License-Identifier: ISC */
/* Lines: whatever the pieces they come in, none is lost, none is joined. */
#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The lines so far, each followed by '|'. */
struct got {
	char text[8192];
	size_t len;
	size_t lines;
};

static void
got_cb(void *arg, const char *line, size_t len)
{
	struct got *g = arg;

	assert_int_equal('\0', line[len]);
	assert_true(len + 1 <= sizeof(g->text) - 1 - g->len);
	memcpy(g->text + g->len, line, len);
	g->len += len;
	g->text[g->len++] = '|';
	g->text[g->len] = '\0';
	g->lines++;
}

static void
feed_str(struct line *l, struct got *g, const char *s)
{
	line_feed(l, s, strlen(s), got_cb, g);
}

static void
too_long_costs_no_other(void **state)
{
	char buf[LINE_MAX_LEN + 1];
	struct got g = {0};
	struct line l;
	int i;

	(void)state;
	memset(buf, 'x', sizeof(buf));
	line_init(&l);
	feed_str(&l, &g, "before\n");
	line_feed(&l, buf, sizeof(buf), got_cb, &g);
	feed_str(&l, &g, "tail\nafter\n");
	assert_string_equal("before|after|", g.text);
	assert_int_equal(1, l.too_long);
	/* one that never ends takes no memory and is one line */
	for (i = 0; i < 1000; i++)
		line_feed(&l, buf, sizeof(buf), got_cb, &g);
	feed_str(&l, &g, "\nagain\n");
	assert_string_equal("before|after|again|", g.text);
	assert_int_equal(2, l.too_long);
	/* by one byte more */
	line_feed(&l, buf, LINE_MAX_LEN, got_cb, &g);
	feed_str(&l, &g, "x");
	feed_str(&l, &g, "\nlast\n");
	assert_string_equal("before|after|again|last|", g.text);
	assert_int_equal(3, l.too_long);
	/* and at the end of the file */
	line_feed(&l, buf, sizeof(buf), got_cb, &g);
	line_end(&l, got_cb, &g);
	assert_int_equal(4, g.lines);
	assert_int_equal(4, l.too_long);
}

static void
longest(void **state)
{
	char buf[LINE_MAX_LEN + 1];
	struct got g = {0};
	struct line l;

	(void)state;
	memset(buf, 'x', LINE_MAX_LEN);
	buf[LINE_MAX_LEN] = '\n';
	line_init(&l);
	line_feed(&l, buf, sizeof(buf), got_cb, &g);
	assert_int_equal(1, g.lines);
	assert_int_equal(LINE_MAX_LEN + 1, g.len);
	assert_int_equal(0, l.too_long);
}

static void
any_pieces(void **state)
{
	const char *text = "one\n\ntwo three\nfour";
	size_t len = strlen(text), a, b;
	struct got g;
	struct line l;

	(void)state;
	for (a = 0; a <= len; a++)
		for (b = a; b <= len; b++) {
			memset(&g, 0, sizeof(g));
			line_init(&l);
			line_feed(&l, text, a, got_cb, &g);
			line_feed(&l, text + a, b - a, got_cb, &g);
			line_feed(&l, text + b, len - b, got_cb, &g);
			assert_string_equal("one||two three|", g.text);
			line_end(&l, got_cb, &g);
			assert_string_equal("one||two three|four|", g.text);
		}
}

static void
end_without_text(void **state)
{
	struct got g = {0};
	struct line l;

	(void)state;
	line_init(&l);
	line_end(&l, got_cb, &g);
	feed_str(&l, &g, "a\n");
	line_end(&l, got_cb, &g);
	line_end(&l, got_cb, &g);
	assert_string_equal("a|", g.text);
}

static void
nul_is_a_byte(void **state)
{
	struct got g = {0};
	struct line l;

	(void)state;
	line_init(&l);
	line_feed(&l, "a\0b\n", 4, got_cb, &g);
	assert_int_equal(1, g.lines);
	assert_memory_equal("a\0b|", g.text, 4);
}

static void
from_a_pipe(void **state)
{
	struct got g = {0};
	struct line l;
	int fds[2];

	(void)state;
	assert_int_equal(0, pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	line_init(&l);
	assert_int_equal(1, line_read(&l, fds[0], got_cb, &g));
	assert_int_equal(0, g.lines);
	assert_int_equal(7, write(fds[1], "one\ntwo", 7));
	assert_int_equal(1, line_read(&l, fds[0], got_cb, &g));
	assert_string_equal("one|", g.text);
	close(fds[1]);
	assert_int_equal(0, line_read(&l, fds[0], got_cb, &g));
	assert_string_equal("one|two|", g.text);
	close(fds[0]);
	assert_int_equal(-EBADF, line_read(&l, fds[0], got_cb, &g));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(too_long_costs_no_other),
	    cmocka_unit_test(longest),
	    cmocka_unit_test(any_pieces),
	    cmocka_unit_test(end_without_text),
	    cmocka_unit_test(nul_is_a_byte),
	    cmocka_unit_test(from_a_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* What waits to be written: its bound, and who gives way. */
#include "backlog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX 1000 /* with what keeping costs: some messages of 100 bytes */

static struct backlog b;
static char text[4096];

static int
start(void **state)
{
	(void)state;
	backlog_init(&b, MAX);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	backlog_free(&b);
	assert_int_equal(b.bytes, 0);
	return 0;
}

static int
add(char name, bool droppable)
{
	char data[100];

	memset(data, name, sizeof(data));
	return backlog_add(&b, data, 4, data, 96, 0, droppable);
}

/* The first byte of each message that waits. */
static const char *
waiting(void)
{
	size_t n = backlog_copy(&b, text, sizeof(text)), out = 0;

	for (size_t i = 0; i < n; i += 100)
		text[out++] = text[i];
	text[out] = '\0';
	return text;
}

static void
the_oldest_give_way(void **state)
{
	(void)state;
	for (int c = 'a'; c <= 'z'; c++)
		assert_int_equal(add((char)c, true), 0);
	assert_true(b.bytes <= MAX);
	assert_int_equal(b.dropped, 26 - strlen(waiting()));
	assert_string_equal(waiting(), "tuvwxyz" + 7 - strlen(waiting()));
}

static void
what_must_not_be_dropped_stays(void **state)
{
	size_t room;

	(void)state;
	assert_int_equal(add('A', false), 0);
	while (b.dropped == 0)
		assert_int_equal(add('d', true), 0);
	room = strlen(waiting());
	assert_int_equal(text[0], 'A');
	while (add('B', false) == 0)
		;
	assert_int_equal(strlen(waiting()), room);
	assert_null(strchr(text, 'd'));
	/* now a droppable one has no room either, and that is no error */
	assert_int_equal(add('e', true), 0);
	assert_null(strchr(waiting(), 'e'));
	assert_int_equal(b.dropped, 1 + room);
}

static void
what_has_begun_is_not_dropped(void **state)
{
	(void)state;
	add('a', true);
	add('b', true);
	add('c', true);
	backlog_begin(&b, 101); /* a, and a byte of b */
	while (b.dropped < 5)
		add('z', true);
	waiting();
	assert_memory_equal(text, "abz", 3);
	backlog_sent(&b, 150);
	backlog_copy(&b, text, 51);
	assert_memory_equal(text + 49, "bz", 2);
	/* and what was sent in part is not, either */
	backlog_sent(&b, 51);
	while (b.dropped < 20)
		add('y', true);
	backlog_copy(&b, text, 100);
	assert_memory_equal(text + 98, "zy", 2);
}

static void
pieces_are_whole_messages(void **state)
{
	struct iovec iov[2];

	(void)state;
	assert_int_equal(backlog_gather(&b, iov, 2), 0);
	backlog_add(&b, "abc", 3, NULL, 0, 1, true);
	backlog_add(&b, NULL, 0, "def", 3, 0, true);
	add('z', true);
	assert_int_equal(backlog_gather(&b, iov, 2), 2);
	assert_int_equal(iov[0].iov_len, 4);
	assert_memory_equal(iov[0].iov_base, "abc", 4);
	backlog_sent(&b, 5);
	assert_int_equal(backlog_gather(&b, iov, 2), 2);
	assert_int_equal(iov[0].iov_len, 2);
	backlog_sent(&b, 102);
	assert_true(backlog_is_empty(&b));
	assert_int_equal(b.bytes, 0);
}

static void
more_than_all_the_room_is_refused(void **state)
{
	static const char big[MAX];

	(void)state;
	add('a', true);
	assert_int_equal(
	    backlog_add(&b, NULL, 0, big, sizeof(big), 0, false), -ENOBUFS);
	assert_int_equal(
	    backlog_add(&b, NULL, 0, big, sizeof(big), 0, true), 0);
	/* and costs nobody a place */
	assert_string_equal(waiting(), "a");
	assert_int_equal(b.dropped, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_oldest_give_way, start, end),
	    cmocka_unit_test_setup_teardown(
		what_must_not_be_dropped_stays, start, end),
	    cmocka_unit_test_setup_teardown(
		what_has_begun_is_not_dropped, start, end),
	    cmocka_unit_test_setup_teardown(
		pieces_are_whole_messages, start, end),
	    cmocka_unit_test_setup_teardown(
		more_than_all_the_room_is_refused, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

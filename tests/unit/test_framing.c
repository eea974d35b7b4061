/* SPDX-License-Identifier: ISC */
/* Messages out of a byte stream, cut up in every way. */
#include "framing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stun.h"

#define MAX 2048

static uint8_t bytes[8192];
static size_t n_bytes;

static void
put(const void *data, size_t len)
{
	memcpy(bytes + n_bytes, data, len);
	n_bytes += len;
}

/* A STUN message of so many bytes after its header, all of one kind. */
static void
put_stun(uint16_t len, uint8_t fill)
{
	uint8_t head[STUN_HEADER_LEN] = {
	    0, 1, (uint8_t)(len >> 8), (uint8_t)len, 0x21, 0x12, 0xa4, 0x42};

	put(head, sizeof(head));
	memset(bytes + n_bytes, fill, len);
	n_bytes += len;
}

static void
put_channel(uint16_t len, uint8_t fill)
{
	uint8_t head[4] = {0x40, 0x01, (uint8_t)(len >> 8), (uint8_t)len};

	put(head, sizeof(head));
	memset(bytes + n_bytes, fill, len);
	n_bytes += len;
	while (n_bytes % 4 != 0)
		bytes[n_bytes++] = 0xee; /* any padding will do */
}

static int
start(void **state)
{
	(void)state;
	n_bytes = 0;
	return 0;
}

/* Feeds all in pieces of the size; returns the lengths of the frames as
 * digits of base 1000, -EBADMSG. */
static long
feed(struct framing *f, size_t piece)
{
	const uint8_t *data;
	struct cursor c;
	long lens = 0;
	size_t len;
	int rc = 0;

	for (size_t i = 0; i < n_bytes && rc == 0; i += piece) {
		cursor_init(
		    &c, bytes + i, piece < n_bytes - i ? piece : n_bytes - i);
		while ((rc = framing_next(f, &c, &data, &len)) == 1) {
			lens = lens * 1000 + (long)len;
			assert_true(len == 4 || len == STUN_HEADER_LEN ||
				    data[len - 1] == 0xaa);
		}
	}
	return rc < 0 ? rc : lens;
}

static void
in_any_pieces_the_same_frames_come(void **state)
{
	struct framing f;

	(void)state;
	put_stun(0, 0);
	put_channel(5, 0xaa);
	put_channel(0, 0);
	put_stun(40, 0xaa);
	put_channel(8, 0xaa);
	for (size_t piece = 1; piece <= n_bytes; piece++) {
		framing_init(&f, true, MAX);
		assert_int_equal(feed(&f, piece), 20009004060012);
		assert_false(framing_is_partial(&f));
		framing_free(&f);
	}
}

static void
a_whole_frame_is_not_copied(void **state)
{
	const uint8_t *data;
	struct framing f;
	struct cursor c;
	size_t len;

	(void)state;
	put_stun(16, 1);
	framing_init(&f, false, MAX);
	cursor_init(&c, bytes, n_bytes);
	assert_int_equal(framing_next(&f, &c, &data, &len), 1);
	assert_ptr_equal(data, bytes);
	assert_int_equal(framing_next(&f, &c, &data, &len), 0);
	assert_null(f.part);
}

static void
padding_belongs_to_the_frame_before(void **state)
{
	const uint8_t *data;
	struct framing f;
	struct cursor c;
	size_t len;

	(void)state;
	put_channel(5, 0xaa);
	framing_init(&f, true, MAX);
	cursor_init(&c, bytes, 9); /* all but the padding */
	assert_int_equal(framing_next(&f, &c, &data, &len), 0);
	assert_true(framing_is_partial(&f));
	cursor_init(&c, bytes + 9, 3);
	assert_int_equal(framing_next(&f, &c, &data, &len), 1);
	assert_int_equal(len, 9);
	assert_int_equal(framing_next(&f, &c, &data, &len), 0);
	assert_false(framing_is_partial(&f));
}

static long
fed(bool channel_data, size_t piece)
{
	struct framing f;
	long got;

	framing_init(&f, channel_data, MAX);
	got = feed(&f, piece);
	framing_free(&f);
	return got;
}

static void
refused(bool channel_data)
{
	assert_int_equal(fed(channel_data, 1), -EBADMSG);
	assert_int_equal(fed(channel_data, n_bytes), -EBADMSG);
}

static void
garbage_ends_it(void **state)
{
	(void)state;
	put("\x80", 1); /* the first byte is enough */
	refused(true);
	n_bytes = 0;
	put("\xff", 1);
	refused(true);
	n_bytes = 0;
	put_channel(4, 0xaa); /* nobody asked for this kind */
	refused(false);
	n_bytes = 0;
	put("\0\1\0\3", 4); /* no multiple of 4 */
	refused(true);
	n_bytes = 0;
	put("\0\1\0\4\x21\x12\xa4\x43", 8); /* another cookie */
	refused(true);
	n_bytes = 0;
	put("GET / HTTP/1.1\r\n\r\n", 18);
	refused(false);
}

static void
what_is_too_long_ends_it_at_its_header(void **state)
{
	(void)state;
	put_channel(MAX - 4, 0xaa);
	assert_int_equal(fed(true, 7), MAX);
	n_bytes = 0;
	put_stun(MAX - STUN_HEADER_LEN, 0xaa);
	assert_int_equal(fed(true, 7), MAX);
	n_bytes = 0;
	put("\0\1\x08\0", 4);
	refused(true);
	n_bytes = 0;
	put("\x40\1\x07\xfd", 4);
	refused(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(in_any_pieces_the_same_frames_come, start),
	    cmocka_unit_test_setup(a_whole_frame_is_not_copied, start),
	    cmocka_unit_test_setup(padding_belongs_to_the_frame_before, start),
	    cmocka_unit_test_setup(garbage_ends_it, start),
	    cmocka_unit_test_setup(
		what_is_too_long_ends_it_at_its_header, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* cursor: no read beyond the end, whatever the order of reads. */
#include "cursor.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>
#include <string.h>

/* After one read too long everything is zero, also what would still fit. */
static void
test_past_end(void **state)
{
	const uint8_t bytes[] = {1, 2, 3};
	struct cursor c;

	(void)state;
	cursor_init(&c, bytes, sizeof(bytes));
	assert_int_equal(cursor_u32(&c), 0);
	assert_true(c.bad);
	assert_int_equal(cursor_left(&c), 0);
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_u16(&c), 0);
	assert_int_equal(cursor_u64(&c), 0);
	assert_null(cursor_bytes(&c, 0));
	assert_null(cursor_bytes(&c, 1));
}

static void
test_huge_length(void **state)
{
	const uint8_t bytes[] = {1, 2, 3};
	struct cursor c;

	(void)state;
	cursor_init(&c, bytes, sizeof(bytes));
	assert_int_equal(cursor_u8(&c), 1);
	assert_null(cursor_bytes(&c, SIZE_MAX));
	assert_true(c.bad);
}

static void
test_empty(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, NULL, 0);
	assert_false(c.bad);
	assert_int_equal(cursor_left(&c), 0);
	assert_non_null(cursor_bytes(&c, 0));
	assert_int_equal(cursor_u8(&c), 0);
	assert_true(c.bad);
	cursor_init(&c, NULL, 100); /* a length without bytes is no bytes */
	assert_int_equal(cursor_left(&c), 0);
}

/* Each width at each distance from a guard page: a read too far faults. */
static void
test_never_out_of_bounds(void **state)
{
	struct cursor c;

	(void)state;
	for (size_t len = 0; len < 9; len++) {
		uint8_t *p = sodium_malloc(len);

		assert_non_null(p);
		memset(p, 0xff, len);
		cursor_init(&c, p, len);
		assert_int_equal(cursor_u8(&c), len >= 1 ? UINT8_MAX : 0);
		cursor_init(&c, p, len);
		assert_int_equal(cursor_u16(&c), len >= 2 ? UINT16_MAX : 0);
		cursor_init(&c, p, len);
		assert_int_equal(cursor_u32(&c), len >= 4 ? UINT32_MAX : 0);
		cursor_init(&c, p, len);
		assert_true(cursor_u64(&c) == (len >= 8 ? UINT64_MAX : 0));
		assert_int_equal(c.bad, len < 8);
		sodium_free(p);
	}
}

static void
test_big_endian(void **state)
{
	const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0xf8,
	    0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff, 0xaa, 0xbb};
	struct cursor c;
	const uint8_t *tail;

	(void)state;
	cursor_init(&c, bytes, sizeof(bytes));
	assert_int_equal(cursor_u8(&c), 0x01);
	assert_int_equal(cursor_u16(&c), 0x0203);
	assert_int_equal(cursor_u32(&c), 0x04050607);
	assert_true(cursor_u64(&c) == UINT64_C(0xf8f9fafbfcfdfeff));
	assert_int_equal(cursor_left(&c), 2);
	tail = cursor_bytes(&c, 2);
	assert_ptr_equal(tail, bytes + 15);
	assert_int_equal(cursor_left(&c), 0);
	assert_false(c.bad);
}

static void
test_writers(void **state)
{
	const uint8_t want[] = {0xfe, 0xdc, 0x89, 0xab, 0xcd, 0xef, 0xf1, 0xe2,
	    0xd3, 0xc4, 0xb5, 0xa6, 0x97, 0x88};
	uint8_t got[sizeof(want)];

	(void)state;
	put_u16(got, 0xfedc);
	put_u32(got + 2, 0x89abcdef);
	put_u64(got + 6, UINT64_C(0xf1e2d3c4b5a69788));
	assert_memory_equal(got, want, sizeof(want));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_past_end),
	    cmocka_unit_test(test_huge_length),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_never_out_of_bounds),
	    cmocka_unit_test(test_big_endian),
	    cmocka_unit_test(test_writers),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

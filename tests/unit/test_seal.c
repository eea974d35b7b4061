/* SPDX-License-Identifier: ISC */
/* Sealed boxes: what the server could do to one, and can't. */
#include "seal.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TEXT "offer"
#define TEXT_LEN 5

struct side {
	uint8_t own[KEY_LEN], pub[KEY_LEN];
	uint8_t send[32], recv[32];
};

static void
meet(struct side *a, struct side *b)
{
	randombytes_buf(a->own, KEY_LEN);
	randombytes_buf(b->own, KEY_LEN);
	crypto_scalarmult_base(a->pub, a->own);
	crypto_scalarmult_base(b->pub, b->own);
	assert_int_equal(
	    0, seal_keys(a->send, a->recv, a->own, a->pub, b->pub));
	assert_int_equal(
	    0, seal_keys(b->send, b->recv, b->own, b->pub, a->pub));
}

static void
changed_or_cut(void **state)
{
	uint8_t box[TEXT_LEN + SEAL_OVERHEAD + 1], out[64];
	struct side a, b;
	size_t i, len;

	(void)state;
	meet(&a, &b);
	len = seal_box(a.send, TEXT, TEXT_LEN, box);
	assert_int_equal(TEXT_LEN + SEAL_OVERHEAD, len);
	for (i = 0; i < len * 8; i++) {
		box[i / 8] ^= (uint8_t)(1 << (i % 8));
		assert_int_equal(
		    -EBADMSG, seal_unbox(b.recv, box, len, out, sizeof(out)));
		box[i / 8] ^= (uint8_t)(1 << (i % 8));
	}
	for (i = 0; i < len; i++)
		assert_int_equal(
		    -EBADMSG, seal_unbox(b.recv, box, i, out, sizeof(out)));
	box[len] = 0;
	assert_int_equal(
	    -EBADMSG, seal_unbox(b.recv, box, len + 1, out, sizeof(out)));
	assert_int_equal(
	    -EBADMSG, seal_unbox(b.recv, box, len, out, TEXT_LEN - 1));
	assert_int_equal(
	    -EBADMSG, seal_unbox(b.recv, box, SIZE_MAX, out, SIZE_MAX));
	assert_int_equal(TEXT_LEN, seal_unbox(b.recv, box, len, out, TEXT_LEN));
	assert_memory_equal(TEXT, out, TEXT_LEN);
}

static void
reflected(void **state)
{
	uint8_t box[TEXT_LEN + SEAL_OVERHEAD], out[64];
	struct side a, b;
	size_t len;

	(void)state;
	meet(&a, &b);
	len = seal_box(a.send, TEXT, TEXT_LEN, box);
	assert_int_equal(
	    -EBADMSG, seal_unbox(a.recv, box, len, out, sizeof(out)));
	assert_memory_equal(a.send, b.recv, 32);
	assert_memory_equal(a.recv, b.send, 32);
	assert_memory_not_equal(a.send, a.recv, 32);
	assert_int_equal(
	    TEXT_LEN, seal_unbox(b.recv, box, len, out, sizeof(out)));
}

static void
for_another(void **state)
{
	uint8_t box[TEXT_LEN + SEAL_OVERHEAD], out[64];
	struct side a, b, c, d;
	size_t len;

	(void)state;
	meet(&a, &b);
	meet(&c, &d);
	assert_int_equal(0, seal_keys(c.send, c.recv, c.own, c.pub, a.pub));
	len = seal_box(a.send, TEXT, TEXT_LEN, box);
	assert_int_equal(
	    -EBADMSG, seal_unbox(c.recv, box, len, out, sizeof(out)));
	/* c says that it is a */
	assert_int_equal(0, seal_keys(c.send, c.recv, c.own, a.pub, b.pub));
	len = seal_box(c.send, TEXT, TEXT_LEN, box);
	assert_int_equal(
	    -EBADMSG, seal_unbox(b.recv, box, len, out, sizeof(out)));
}

static void
refused_keys(void **state)
{
	uint8_t send[32], recv[32], untouched[32], point[KEY_LEN];
	struct side a, b;

	(void)state;
	meet(&a, &b);
	memset(send, 0xa5, sizeof(send));
	memcpy(untouched, send, sizeof(send));
	memset(point, 0, sizeof(point));
	assert_int_equal(-EINVAL, seal_keys(send, recv, a.own, a.pub, point));
	point[0] = 1;
	assert_int_equal(-EINVAL, seal_keys(send, recv, a.own, a.pub, point));
	point[KEY_LEN - 1] = 0x80;
	assert_int_equal(-EINVAL, seal_keys(send, recv, a.own, a.pub, point));
	assert_int_equal(-EINVAL, seal_keys(send, recv, a.own, a.pub, a.pub));
	assert_memory_equal(untouched, send, sizeof(send));
}

static void
empty_and_fresh(void **state)
{
	uint8_t one[SEAL_OVERHEAD], two[SEAL_OVERHEAD], out[1];
	struct side a, b;

	(void)state;
	meet(&a, &b);
	assert_int_equal(SEAL_OVERHEAD, seal_box(a.send, NULL, 0, one));
	assert_int_equal(SEAL_OVERHEAD, seal_box(a.send, NULL, 0, two));
	assert_memory_not_equal(one, two, 24);
	assert_int_equal(0, seal_unbox(b.recv, one, SEAL_OVERHEAD, out, 0));
}

/* The derivation that seal.h states, step by step, by other calls. */
static void
derivation(void **state)
{
	uint8_t buf[13 + 32 + 2 * KEY_LEN] = "natkit seal 1", key[32];
	struct side a, b;

	(void)state;
	meet(&a, &b);
	assert_int_equal(0, crypto_scalarmult(buf + 13, b.own, a.pub));
	memcpy(buf + 45, a.pub, KEY_LEN);
	memcpy(buf + 77, b.pub, KEY_LEN);
	crypto_generichash(key, sizeof(key), buf, sizeof(buf), NULL, 0);
	assert_memory_equal(key, a.send, sizeof(key));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changed_or_cut),
	    cmocka_unit_test(reflected),
	    cmocka_unit_test(for_another),
	    cmocka_unit_test(refused_keys),
	    cmocka_unit_test(empty_and_fresh),
	    cmocka_unit_test(derivation),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* The pre-shared key: the same on both sides, another one for anybody else. */
#include "psk.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct who {
	uint8_t priv[KEY_LEN], pub[KEY_LEN];
};

static struct who
make(uint8_t seed)
{
	struct who w;

	memset(w.priv, seed, KEY_LEN);
	crypto_scalarmult_base(w.pub, w.priv);
	return w;
}

static void
test_low_order(void **state)
{
	struct who a = make(1);
	uint8_t out[PSK_LEN], peer[KEY_LEN] = {0};

	(void)state;
	assert_int_equal(-EINVAL, psk_derive(out, a.priv, a.pub, peer, true));
	peer[0] = 1;
	assert_int_equal(-EINVAL, psk_derive(out, a.priv, a.pub, peer, true));
}

static void
test_both_sides(void **state)
{
	struct who a = make(1), b = make(2), c = make(3);
	uint8_t ab[PSK_LEN], ba[PSK_LEN], ac[PSK_LEN], cb[PSK_LEN];

	(void)state;
	assert_int_equal(0, psk_derive(ab, a.priv, a.pub, b.pub, true));
	assert_int_equal(0, psk_derive(ba, b.priv, b.pub, a.pub, false));
	assert_memory_equal(ab, ba, PSK_LEN);
	/* a connection that the other one begins has another */
	assert_int_equal(0, psk_derive(ba, b.priv, b.pub, a.pub, true));
	assert_memory_not_equal(ab, ba, PSK_LEN);
	assert_int_equal(0, psk_derive(cb, a.priv, a.pub, b.pub, false));
	assert_memory_equal(cb, ba, PSK_LEN);
	assert_int_equal(0, psk_derive(ac, a.priv, a.pub, c.pub, true));
	assert_int_equal(0, psk_derive(cb, c.priv, c.pub, b.pub, true));
	assert_memory_not_equal(ab, ac, PSK_LEN);
	assert_memory_not_equal(ab, cb, PSK_LEN);
	/* Who has the shared secret under other names has another key. */
	assert_int_equal(0, psk_derive(cb, a.priv, c.pub, b.pub, true));
	assert_memory_not_equal(ab, cb, PSK_LEN);
}

/* Two releases of natkit have to agree: the value is fixed. */
static void
test_value(void **state)
{
	struct who a = make(1), b = make(2);
	uint8_t psk[PSK_LEN], sub[PSK_LEN];
	char hex[2 * PSK_LEN + 1];

	(void)state;
	assert_int_equal(0, psk_derive(psk, a.priv, a.pub, b.pub, true));
	sodium_bin2hex(hex, sizeof(hex), psk, PSK_LEN);
	assert_string_equal(
	    "b3eb030c7e9692fae51c73940e746983b7071f1e4f890a00c000f9b01f4f7ad0",
	    hex);
	psk_label(sub, psk, "test");
	sodium_bin2hex(hex, sizeof(hex), sub, PSK_LEN);
	assert_string_equal(
	    "1264e9774c6ea281c270bfc3dd6322edf03300294a9c7934e3dd034f11903182",
	    hex);
}

static void
test_labels(void **state)
{
	uint8_t psk[PSK_LEN] = {1}, other[PSK_LEN] = {2};
	uint8_t a[PSK_LEN], b[PSK_LEN];

	(void)state;
	psk_label(a, psk, "one");
	psk_label(b, psk, "one");
	assert_memory_equal(a, b, PSK_LEN);
	psk_label(b, psk, "two");
	assert_memory_not_equal(a, b, PSK_LEN);
	psk_label(b, other, "one");
	assert_memory_not_equal(a, b, PSK_LEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_low_order),
	    cmocka_unit_test(test_both_sides),
	    cmocka_unit_test(test_value),
	    cmocka_unit_test(test_labels),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

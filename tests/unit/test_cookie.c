/* SPDX-License-Identifier: ISC */
/* The stateless NONCE: for one address, for a while. */
#include "cookie.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct addr at = {
    .family = ADDR_V4, .ip = {192, 0, 2, 1}, .port = 5000};
static struct cookie cookie;
static uint8_t nonce[COOKIE_LEN];

static int
setup(void **state)
{
	uint8_t key[32];

	(void)state;
	randombytes_buf(key, sizeof(key));
	cookie_init(&cookie, key);
	cookie_make(&cookie, &at, 100 * COOKIE_EPOCH_MS, nonce);
	return 0;
}

static void
refused_for_others(void **state)
{
	struct addr port = at, ip = at, six = at;
	struct cookie restarted = {{1}};
	uint64_t now = 100 * COOKIE_EPOCH_MS;

	(void)state;
	port.port++;
	ip.ip[3]++;
	six.family = ADDR_V6;
	assert_false(cookie_check(&cookie, &port, now, nonce, COOKIE_LEN));
	assert_false(cookie_check(&cookie, &ip, now, nonce, COOKIE_LEN));
	assert_false(cookie_check(&cookie, &six, now, nonce, COOKIE_LEN));
	assert_false(cookie_check(&restarted, &at, now, nonce, COOKIE_LEN));
	assert_false(cookie_check(&cookie, &at, now, nonce, COOKIE_LEN - 1));
	assert_false(cookie_check(&cookie, &at, now, nonce, 0));
	for (int i = 0; i < COOKIE_LEN; i++) {
		nonce[i] ^= 1;
		assert_false(
		    cookie_check(&cookie, &at, now, nonce, COOKIE_LEN));
		nonce[i] ^= 1;
	}
}

static void
lasts_one_to_two_epochs(void **state)
{
	uint64_t made = 100 * COOKIE_EPOCH_MS;

	(void)state;
	assert_true(cookie_check(&cookie, &at, made, nonce, COOKIE_LEN));
	assert_true(cookie_check(
	    &cookie, &at, made + 2 * COOKIE_EPOCH_MS - 1, nonce, COOKIE_LEN));
	assert_false(cookie_check(
	    &cookie, &at, made + 2 * COOKIE_EPOCH_MS, nonce, COOKIE_LEN));
	assert_false(cookie_check(&cookie, &at, made - 1, nonce, COOKIE_LEN));
	/* the clock starts at zero */
	cookie_make(&cookie, &at, 0, nonce);
	assert_true(cookie_check(&cookie, &at, 0, nonce, COOKIE_LEN));
}

static void
is_text(void **state)
{
	(void)state;
	for (int i = 0; i < COOKIE_LEN; i++)
		assert_non_null(memchr("0123456789abcdef", nonce[i], 16));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(refused_for_others, setup),
	    cmocka_unit_test_setup(lasts_one_to_two_epochs, setup),
	    cmocka_unit_test_setup(is_text, setup),
	};

	return sodium_init() == -1 ? 1
				   : cmocka_run_group_tests(tests, NULL, NULL);
}

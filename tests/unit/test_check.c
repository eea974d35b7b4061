/* SPDX-License-Identifier: ISC */
/* Connectivity checks: what is one, and what gets silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "check.h"

static const struct check_credentials us = {"userAAAA",
    "aaaaaaaaaaaaaaaaaaaaaaaa", "userBBBB", "bbbbbbbbbbbbbbbbbbbbbbbb"};
static const struct check_credentials them = {"userBBBB",
    "bbbbbbbbbbbbbbbbbbbbbbbb", "userAAAA", "aaaaaaaaaaaaaaaaaaaaaaaa"};
static const uint8_t tid[STUN_TID_LEN] = {1, 2, 3};

static uint8_t data[CHECK_MAX];

static struct stun_msg
parse(int len)
{
	struct stun_msg m;

	assert_true(len > 0);
	assert_int_equal(stun_parse(&m, data, (size_t)len), 0);
	return m;
}

static struct stun_msg
request(const struct check_credentials *c, bool nominate)
{
	const struct check check = {
	    .priority = 77, .controlling = true, .nominate = nominate};

	return parse(check_request(c, &check, 5, tid, data, sizeof(data)));
}

static int
read_it(const struct stun_msg *m)
{
	struct check out;

	return check_read_request(&us, m, &out);
}

static void
wrong_password(void **state)
{
	struct check_credentials forger = them;
	struct stun_msg m;

	(void)state;
	forger.peer_password[23] = 'b';
	m = request(&forger, true);
	assert_true(check_is_for(&us, &m));
	assert_int_equal(read_it(&m), -EACCES);
}

static void
wrong_users(void **state)
{
	struct check_credentials other = them;
	struct stun_msg m;

	(void)state;
	other.user[0] = 'x';
	m = request(&other, false);
	assert_int_equal(read_it(&m), -ENOENT);
	other = them;
	other.peer_user[7] = 'x';
	m = request(&other, false);
	assert_int_equal(read_it(&m), -ENOENT);
	/* Our own, which somebody reflects to us, or an own candidate. */
	m = request(&us, false);
	assert_int_equal(read_it(&m), -ENOENT);
}

/* Every single bit that an attacker may turn. */
static void
any_bit(void **state)
{
	struct stun_msg m;
	int len;

	(void)state;
	len = (int)request(&them, true).len;
	for (int bit = 0; bit < len * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (stun_parse(&m, data, (size_t)len) == 0)
			assert_true(read_it(&m) < 0);
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	m = parse(len);
	assert_int_equal(read_it(&m), 0);
}

/* A request with parts left out or added, right in everything else. */
static struct stun_msg
build(bool priority, uint16_t extra, bool fingerprint)
{
	struct stun_buf b;

	stun_begin(&b, data, sizeof(data), STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&b, STUN_USERNAME, "userAAAA:userBBBB", 17);
	if (priority)
		stun_put_u32(&b, STUN_PRIORITY, 1);
	if (extra != 0)
		stun_put_u32(&b, extra, 1);
	stun_put_integrity_sha256(&b, us.password, CHECK_PASSWORD_LEN);
	return parse(stun_end(&b, fingerprint));
}

static void
parts(void **state)
{
	struct stun_msg m;

	(void)state;
	m = build(true, 0, true);
	assert_int_equal(read_it(&m), 0);
	m = build(false, 0, true);
	assert_int_equal(read_it(&m), -EBADMSG);
	m = build(true, 0, false);
	assert_int_equal(read_it(&m), -EBADMSG);
	m = build(true, 0x7001, true); /* comprehension required */
	assert_int_equal(read_it(&m), -EBADMSG);
	m = build(true, 0xf001, true); /* optional */
	assert_int_equal(read_it(&m), 0);
}

static void
without_integrity(void **state)
{
	struct stun_msg m;
	struct stun_buf b;

	(void)state;
	stun_begin(&b, data, sizeof(data), STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&b, STUN_USERNAME, "userAAAA:userBBBB", 17);
	stun_put_u32(&b, STUN_PRIORITY, 1);
	m = parse(stun_end(&b, true));
	assert_int_equal(read_it(&m), -EACCES);
}

/* What stands after the integrity attribute is nobody's word. */
static void
nomination_behind_integrity(void **state)
{
	struct check out = {.nominate = true};
	struct stun_msg m;
	struct stun_buf b;

	(void)state;
	stun_begin(&b, data, sizeof(data), STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&b, STUN_USERNAME, "userAAAA:userBBBB", 17);
	stun_put_u32(&b, STUN_PRIORITY, 1);
	stun_put_integrity_sha256(&b, us.password, CHECK_PASSWORD_LEN);
	stun_put(&b, STUN_USE_CANDIDATE, "", 0);
	m = parse(stun_end(&b, true));
	if (check_read_request(&us, &m, &out) == 0)
		assert_false(out.nominate);
}

static void
round_trip(void **state)
{
	struct check out;
	struct stun_msg m;

	(void)state;
	for (int nominate = 0; nominate < 2; nominate++) {
		m = request(&them, nominate);
		assert_int_equal(check_read_request(&us, &m, &out), 0);
		assert_int_equal(out.priority, 77);
		assert_true(out.controlling);
		assert_int_equal(out.nominate, nominate);
		assert_int_equal(out.mapped.family, ADDR_NONE);
	}
}

/* The longest there is. */
static void
where_a_relay_sees_it(void **state)
{
	struct check check = {.priority = CHECK_PRIORITY_RELAYED,
	    .nominate = true,
	    .hint = CHECK_HINT_NEED};
	struct stun_msg m;
	struct check out;

	(void)state;
	assert_int_equal(addr_parse(&check.mapped, "[2001:db8::7]:4711"), 0);
	m = parse(check_request(&them, &check, 5, tid, data, sizeof(data)));
	assert_int_equal(check_read_request(&us, &m, &out), 0);
	assert_true(addr_equal(&out.mapped, &check.mapped));
	assert_int_equal(out.hint, CHECK_HINT_NEED);
}

static struct stun_msg
response(const struct check_credentials *c, struct addr *seen)
{
	assert_int_equal(addr_parse(seen, "192.0.2.7:4711"), 0);
	return parse(check_response(c, seen, tid, data, sizeof(data)));
}

static void
responses(void **state)
{
	struct addr seen, got;
	struct stun_msg m;

	(void)state;
	m = response(&them, &seen);
	assert_int_equal(check_read_response(&us, &m, &got), 0);
	assert_true(addr_equal(&got, &seen));
	/* Our own answer, reflected: under our password, not theirs. */
	m = response(&us, &seen);
	assert_int_equal(check_read_response(&us, &m, &got), -EACCES);
	m = request(&them, false);
	assert_int_equal(check_read_response(&us, &m, &got), -EBADMSG);
}

static void
credentials(void **state)
{
	(void)state;
	assert_true(check_user_valid("abcdEF+/"));
	assert_false(check_user_valid("abcdEF+"));
	assert_false(check_user_valid("abcdEF+/1"));
	assert_false(check_user_valid("abcd:F+/"));
	assert_true(check_password_valid("abcdefghijklmnopqrstuvwx"));
	assert_false(check_password_valid("abcdefghijklmnopqrstuvw "));
	assert_false(check_password_valid(""));
}

static void
small_buffer(void **state)
{
	const struct check check = {.priority = 1, .nominate = true};
	struct addr seen;
	int len;

	(void)state;
	assert_int_equal(addr_parse(&seen, "[2001:db8::1]:1"), 0);
	assert_true(check_response(&us, &seen, tid, data, 20) < 0);
	assert_true(check_request(&us, &check, 1, tid, data, 60) < 0);
	len = check_request(&us, &check, 1, tid, data, sizeof(data));
	assert_true(len > 0 && len <= CHECK_MAX);
	len = check_response(&us, &seen, tid, data, sizeof(data));
	assert_true(len > 0 && len <= CHECK_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(wrong_password),
	    cmocka_unit_test(wrong_users),
	    cmocka_unit_test(any_bit),
	    cmocka_unit_test(parts),
	    cmocka_unit_test(without_integrity),
	    cmocka_unit_test(nomination_behind_integrity),
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(where_a_relay_sees_it),
	    cmocka_unit_test(responses),
	    cmocka_unit_test(credentials),
	    cmocka_unit_test(small_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

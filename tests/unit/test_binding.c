/* SPDX-License-Identifier: ISC */
/* binding: an answer counts only if transaction id, source and class are
 * right and it tells a usable address; everything else changes nothing. */
#include "binding.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "addr_fixture.h"
#include "stun.h"

#define START UINT64_C(7000000000)

static struct addr server, other_port, other_ip, local, mapped;

static int
set_up(void **state)
{
	(void)state;
	server = at("192.0.2.1:3478");
	other_port = at("192.0.2.1:3479");
	other_ip = at("192.0.2.2:3478");
	local = at("10.0.0.1:51820");
	mapped = at("198.51.100.7:40000");
	return 0;
}

/* A transaction whose request was sent at START. */
static struct binding
asked(void)
{
	uint8_t request[BINDING_REQUEST_MAX];
	struct binding b;

	binding_start(&b, &server, 0, START);
	assert_true(binding_step(&b, START, request) > 0);
	return b;
}

static bool
give(struct binding *b, const uint8_t *data, int len, const struct addr *from)
{
	assert_true(len > 0);
	return binding_reply(b, data, (size_t)len, from, &local, START + 1234);
}

static int
answer(uint8_t *out, size_t cap, const uint8_t *tid, enum stun_class class,
    uint16_t attr, const struct addr *a)
{
	struct stun_buf buf;

	stun_begin(&buf, out, cap, STUN_BINDING, class, tid);
	if (attr == STUN_MAPPED_ADDRESS)
		stun_put_addr(&buf, attr, a);
	else
		stun_put_xor_addr(&buf, attr, a);
	return stun_end(&buf, false);
}

static void
test_wrong_tid(void **state)
{
	struct binding b = asked();
	uint8_t data[STUN_MAX], tid[STUN_TID_LEN];
	int len = 0;

	(void)state;
	for (size_t i = 0; i < STUN_TID_LEN; i++) {
		memcpy(tid, b.t.tid, STUN_TID_LEN);
		tid[i] ^= 1;
		len = answer(data, sizeof(data), tid, STUN_SUCCESS,
		    STUN_XOR_MAPPED_ADDRESS, &mapped);
		assert_false(give(&b, data, len, &server));
	}
	assert_int_equal(b.state, BINDING_OPEN);
}

static void
test_wrong_source(void **state)
{
	struct binding b = asked();
	uint8_t data[STUN_MAX];
	int len = answer(data, sizeof(data), b.t.tid, STUN_SUCCESS,
	    STUN_XOR_MAPPED_ADDRESS, &mapped);

	(void)state;
	assert_false(give(&b, data, len, &other_port));
	assert_false(give(&b, data, len, &other_ip));
	assert_int_equal(b.state, BINDING_OPEN);
	assert_true(give(&b, data, len, &server));
}

static void
test_wrong_class(void **state)
{
	struct binding b = asked();
	uint8_t data[STUN_MAX];
	int len = answer(data, sizeof(data), b.t.tid, STUN_REQUEST,
	    STUN_XOR_MAPPED_ADDRESS, &mapped);

	(void)state;
	/* our own request, reflected */
	assert_false(give(&b, data, len, &server));
	len = answer(data, sizeof(data), b.t.tid, STUN_INDICATION,
	    STUN_XOR_MAPPED_ADDRESS, &mapped);
	assert_false(give(&b, data, len, &server));
}

static void
test_wrong_method(void **state)
{
	struct binding b = asked();
	uint8_t data[STUN_MAX];
	struct stun_buf buf;

	(void)state;
	stun_begin(
	    &buf, data, sizeof(data), NATKIT_SESSION, STUN_SUCCESS, b.t.tid);
	stun_put_xor_addr(&buf, STUN_XOR_MAPPED_ADDRESS, &mapped);
	assert_false(give(&b, data, stun_end(&buf, true), &server));
}

static void
test_malformed(void **state)
{
	struct binding b = asked();
	uint8_t data[STUN_MAX];
	int len = answer(data, sizeof(data), b.t.tid, STUN_SUCCESS,
	    STUN_XOR_MAPPED_ADDRESS, &mapped);

	(void)state;
	for (int cut = 0; cut < len; cut++)
		assert_false(binding_reply(
		    &b, data, (size_t)cut, &server, &local, START));
	data[0] |= 0x80;
	assert_false(give(&b, data, len, &server));
	data[0] &= 0x7f;
	data[4] ^= 1; /* the cookie */
	assert_false(give(&b, data, len, &server));
	data[4] ^= 1;
	data[23] ^= 4; /* the attribute's length */
	assert_false(give(&b, data, len, &server));
	data[23] ^= 4;
	assert_int_equal(b.state, BINDING_OPEN);
	assert_true(give(&b, data, len, &server));
}

/* A success that maps to nothing, or to nobody. */
static void
test_no_mapping(void **state)
{
	static const char *const bad[] = {
	    "198.51.100.7:0", "0.0.0.0:9", "224.0.0.1:9", "[ff02::1]:9"};
	struct binding b = asked();
	uint8_t data[STUN_MAX];
	struct stun_buf buf;
	struct addr a;
	int len = 0;

	(void)state;
	stun_begin(
	    &buf, data, sizeof(data), STUN_BINDING, STUN_SUCCESS, b.t.tid);
	assert_false(give(&b, data, stun_end(&buf, false), &server));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (addr_parse(&a, bad[i]) != 0) {
			a = mapped;
			a.port = 0;
		}
		len = answer(data, sizeof(data), b.t.tid, STUN_SUCCESS,
		    STUN_XOR_MAPPED_ADDRESS, &a);
		assert_false(give(&b, data, len, &server));
	}
	assert_int_equal(b.state, BINDING_OPEN);
}

static void
test_unknown_required(void **state)
{
	struct binding b = asked();
	uint8_t data[STUN_MAX];
	struct stun_buf buf;

	(void)state;
	stun_begin(
	    &buf, data, sizeof(data), STUN_BINDING, STUN_SUCCESS, b.t.tid);
	stun_put_xor_addr(&buf, STUN_XOR_MAPPED_ADDRESS, &mapped);
	stun_put_u32(&buf, 0x7777, 1);
	assert_false(give(&b, data, stun_end(&buf, false), &server));
	stun_begin(
	    &buf, data, sizeof(data), STUN_BINDING, STUN_SUCCESS, b.t.tid);
	stun_put_xor_addr(&buf, STUN_XOR_MAPPED_ADDRESS, &mapped);
	stun_put_u32(&buf, 0xf777, 1); /* comprehension-optional */
	assert_true(give(&b, data, stun_end(&buf, false), &server));
}

static void
test_bad_fingerprint(void **state)
{
	struct binding b = asked();
	uint8_t data[STUN_MAX];
	struct stun_buf buf;
	int len = 0;

	(void)state;
	stun_begin(
	    &buf, data, sizeof(data), STUN_BINDING, STUN_SUCCESS, b.t.tid);
	stun_put_xor_addr(&buf, STUN_XOR_MAPPED_ADDRESS, &mapped);
	len = stun_end(&buf, true);
	data[len - 1] ^= 1;
	assert_false(give(&b, data, len, &server));
	data[len - 1] ^= 1;
	assert_true(give(&b, data, len, &server));
}

static void
test_too_early_or_late(void **state)
{
	struct binding b;
	uint8_t data[STUN_MAX];
	int len = 0;

	(void)state;
	binding_start(&b, &server, 0, START);
	len = answer(data, sizeof(data), b.t.tid, STUN_SUCCESS,
	    STUN_XOR_MAPPED_ADDRESS, &mapped);
	assert_false(give(&b, data, len, &server)); /* nothing was sent */
	b = asked();
	len = answer(data, sizeof(data), b.t.tid, STUN_SUCCESS,
	    STUN_XOR_MAPPED_ADDRESS, &mapped);
	assert_true(give(&b, data, len, &server));
	assert_false(give(&b, data, len, &server)); /* a duplicate */
}

static void
test_answers(void **state)
{
	static const uint16_t attrs[] = {STUN_XOR_MAPPED_ADDRESS,
	    STUN_XOR_MAPPED_ADDRESS_OLD, STUN_MAPPED_ADDRESS};
	uint8_t data[STUN_MAX];
	struct addr v6 = at("[2001:db8::7]:40000");

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct binding b = asked();
		const struct addr *want = i % 2 != 0 ? &v6 : &mapped;
		int len = answer(data, sizeof(data), b.t.tid, STUN_SUCCESS,
		    attrs[i / 2], want);

		assert_true(give(&b, data, len, &server));
		assert_int_equal(b.state, BINDING_MAPPED);
		assert_true(addr_equal(&b.mapped, want));
		assert_true(addr_equal(&b.local, &local));
		assert_int_equal(b.rtt_us, 1234);
	}
}

static void
test_error_response(void **state)
{
	struct binding b = asked();
	uint8_t data[STUN_MAX];
	struct stun_buf buf;

	(void)state;
	stun_begin(&buf, data, sizeof(data), STUN_BINDING, STUN_ERROR, b.t.tid);
	assert_false(give(&b, data, stun_end(&buf, false), &server));
	stun_begin(&buf, data, sizeof(data), STUN_BINDING, STUN_ERROR, b.t.tid);
	stun_put_error(&buf, 420, "Unknown Attribute");
	assert_true(give(&b, data, stun_end(&buf, false), &server));
	assert_int_equal(b.state, BINDING_REFUSED);
	assert_int_equal(b.error, 420);
}

static void
test_request(void **state)
{
	uint8_t request[BINDING_REQUEST_MAX], again[BINDING_REQUEST_MAX];
	struct binding b;
	struct stun_msg m;
	int len = 0;

	(void)state;
	binding_start(&b, &server, 0, START);
	len = binding_step(&b, START, request);
	assert_int_equal(stun_parse(&m, request, (size_t)len), 0);
	assert_int_equal(m.method, STUN_BINDING);
	assert_int_equal(m.class, STUN_REQUEST);
	assert_true(m.fingerprint);
	assert_memory_equal(m.tid, b.t.tid, STUN_TID_LEN);
	/* a retransmission is the same request */
	assert_int_equal(binding_step(&b, START + 499000, again), 0);
	assert_int_equal(binding_step(&b, START + 500000, again), len);
	assert_memory_equal(request, again, len);
}

static void
test_known_round_trip(void **state)
{
	static const struct {
		uint32_t rtt_us;
		uint64_t again_ms;
	} cases[] = {
	    {0, 500},
	    {1, 100},
	    {20000, 140},
	    {150000, 400},
	    {300000, 500},
	    {UINT32_MAX, 500},
	};
	uint8_t request[BINDING_REQUEST_MAX];
	struct binding b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t again = START + cases[i].again_ms * 1000;

		binding_start(&b, &server, cases[i].rtt_us, START);
		assert_true(binding_step(&b, START, request) > 0);
		assert_int_equal(binding_step(&b, again - 1000, request), 0);
		assert_true(binding_step(&b, again, request) > 0);
	}
}

static void
test_time_out(void **state)
{
	uint8_t request[BINDING_REQUEST_MAX], data[STUN_MAX];
	struct binding b = asked();
	int sends = 1, r = 0, len = 0;
	uint64_t ms = 0;

	(void)state;
	for (ms = 1; ms < 60000 && r >= 0; ms++) {
		r = binding_step(&b, START + ms * 1000, request);
		if (r > 0)
			sends++;
	}
	assert_int_equal(r, -ETIMEDOUT);
	assert_int_equal(sends, TRANSACTION_RC);
	assert_int_equal(b.state, BINDING_FAILED);
	len = answer(data, sizeof(data), b.t.tid, STUN_SUCCESS,
	    STUN_XOR_MAPPED_ADDRESS, &mapped);
	assert_false(give(&b, data, len, &server));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrong_tid),
	    cmocka_unit_test(test_wrong_source),
	    cmocka_unit_test(test_wrong_class),
	    cmocka_unit_test(test_wrong_method),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_no_mapping),
	    cmocka_unit_test(test_unknown_required),
	    cmocka_unit_test(test_bad_fingerprint),
	    cmocka_unit_test(test_too_early_or_late),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_error_response),
	    cmocka_unit_test(test_request),
	    cmocka_unit_test(test_known_round_trip),
	    cmocka_unit_test(test_time_out),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

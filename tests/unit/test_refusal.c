/* SPDX-License-Identifier: ISC */
/* What the STUN server refuses, and what it says nothing to: RFC 8489, RFC
 * 5780, RFC 3489. */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "responder_fixture.h"

static void
one_address_can_change_nothing(void **state)
{
	static const uint16_t change[] = {STUN_CHANGE_REQUEST};
	struct responder_config c = one_address();
	struct fixture t;

	(void)state;
	for (uint32_t flags = 0; flags < 8; flags += 2) {
		begin(&t, &c);
		stun_put_u32(&t.b, STUN_CHANGE_REQUEST, flags);
		assert_int_equal(ask(&t), RESPONDER_unknown);
		is_error(&t, 420);
		names_unknown(&t, change, 1);
		responder_free(&t.r);
	}
	begin(&t, &c);
	assert_int_equal(ask(&t), RESPONDER_answered);
	assert_false(has(&t, STUN_OTHER_ADDRESS));
	has_addr(&t, STUN_RESPONSE_ORIGIN, "192.0.2.1:3478");
	responder_free(&t.r);
}

static void
bad_attributes_are_refused(void **state)
{
	static const struct {
		uint16_t type;
		size_t len;
		uint8_t value[8];
	} bad[] = {
	    {STUN_RESPONSE_PORT, 0, {0}},
	    {STUN_RESPONSE_PORT, 1, {0x12}},
	    {STUN_RESPONSE_PORT, 3, {0x12, 0x34}},
	    {STUN_RESPONSE_PORT, 6, {0x12, 0x34}},
	    {STUN_RESPONSE_PORT, 2, {0, 0}},
	    {STUN_CHANGE_REQUEST, 0, {0}},
	    {STUN_CHANGE_REQUEST, 2, {0}},
	    {STUN_CHANGE_REQUEST, 8, {0}},
	};
	struct responder_config c = two_addresses();
	struct fixture t;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(&t, &c);
		stun_put(&t.b, bad[i].type, bad[i].value, bad[i].len);
		assert_int_equal(ask(&t), RESPONDER_refused);
		is_error(&t, 400);
		assert_int_equal(t.a.len, 28);
		responder_free(&t.r);
	}
	/* RFC 5780 section 6.1 */
	begin(&t, &c);
	stun_put(&t.b, STUN_RESPONSE_PORT, "\x12\x34", 2);
	stun_put(&t.b, STUN_PADDING, "1234", 4);
	assert_int_equal(ask(&t), RESPONDER_refused);
	is_error(&t, 400);
	responder_free(&t.r);
}

static void
unknown_attributes_are_named(void **state)
{
	static const uint16_t wanted[] = {0x0002, 0x7fff, 0x0002};
	struct responder_config c = two_addresses();
	uint16_t all[507];
	struct fixture t;

	(void)state;
	begin(&t, &c);
	stun_put_u32(&t.b, 0xffff, 1); /* not of these: optional */
	stun_put_u32(&t.b, 0x0002, 1); /* RFC 3489's RESPONSE-ADDRESS */
	stun_put_u32(&t.b, 0x7fff, 1);
	stun_put_u32(&t.b, 0x0002, 1);
	stun_put_u32(&t.b, STUN_CHANGE_REQUEST, 6);
	assert_int_equal(ask(&t), RESPONDER_unknown);
	is_error(&t, 420);
	names_unknown(&t, wanted, 3);
	responder_free(&t.r);
	/* each of as many as a request can have, and that is no long answer */
	begin(&t, &c);
	for (uint16_t i = 0; i < 507; i++) {
		all[i] = 0x4000 + i;
		stun_put(&t.b, all[i], NULL, 0);
	}
	assert_int_equal(ask(&t), RESPONDER_unknown);
	is_error(&t, 420);
	names_unknown(&t, all, 507);
	assert_true(t.a.len <= t.q.len);
	responder_free(&t.r);
}

static void
silence_for_what_is_no_request(void **state)
{
	struct responder_config c = two_addresses();
	struct fixture t;

	(void)state;
	for (int class = STUN_INDICATION; class <= STUN_ERROR; class ++) {
		begin(&t, &c);
		stun_begin(&t.b, t.in, sizeof(t.in), STUN_BINDING,
		    (enum stun_class) class, tid);
		is_silent(&t, ask(&t), RESPONDER_unexpected);
	}
	for (uint16_t method = 0; method < 0x1000; method++) {
		if (method == STUN_BINDING)
			continue;
		begin(&t, &c);
		stun_begin(&t.b, t.in, sizeof(t.in), method, STUN_REQUEST, tid);
		is_silent(&t, ask(&t), RESPONDER_unexpected);
	}
	/* its own answer, sent back to it */
	begin(&t, &c);
	ask(&t);
	memcpy(t.in, t.out, t.a.len);
	t.q.len = t.a.len;
	is_silent(&t, step(&t), RESPONDER_unexpected);
}

static void
silence_for_the_malformed(void **state)
{
	struct responder_config c = two_addresses();
	struct fixture t;
	size_t len;

	(void)state;
	/* cut off anywhere, or with a byte more */
	begin(&t, &c);
	stun_put_u32(&t.b, STUN_CHANGE_REQUEST, 0);
	assert_int_equal(ask(&t), RESPONDER_answered);
	len = t.q.len;
	for (t.q.len = 0; t.q.len <= len + 1; t.q.len++) {
		if (t.q.len == len)
			continue;
		assert_int_equal(step(&t), RESPONDER_malformed);
		assert_int_equal(t.a.len, 0);
	}
	/* an attribute that is longer than the message */
	t.q.len = len;
	t.in[23] = 5;
	is_silent(&t, step(&t), RESPONDER_malformed);
	/* the top bits of the type; a length that is no multiple of 4 */
	begin(&t, &c);
	t.in[0] = 0x40;
	is_silent(&t, ask(&t), RESPONDER_malformed);
	begin(&t, &c);
	t.in[0] = 0x80;
	is_silent(&t, ask(&t), RESPONDER_malformed);
	begin(&t, &c);
	t.in[3] = 2;
	t.q.len = 22;
	is_silent(&t, step(&t), RESPONDER_malformed);
	/* FINGERPRINT: a wrong one, and one that is not last */
	begin(&t, &c);
	t.q.len = (size_t)stun_end(&t.b, true);
	assert_int_equal(step(&t), RESPONDER_answered);
	t.in[27] ^= 1;
	is_silent(&t, step(&t), RESPONDER_malformed);
	begin(&t, &c);
	stun_end(&t.b, true);
	stun_put_u32(&t.b, STUN_PRIORITY, 1);
	is_silent(&t, ask(&t), RESPONDER_malformed);
}

static void
silence_for_sources_that_are_none(void **state)
{
	static const char *const bad[] = {"203.0.113.7:0", "0.0.0.0:1",
	    "255.255.255.255:1", "224.0.0.1:1", "[::]:1", "[ff02::1]:1",
	    /* its own, and those of its other sockets: loops */
	    "192.0.2.1:3478", "192.0.2.1:3479", "192.0.2.2:3478",
	    "192.0.2.2:3479", "[2001:db8::2]:3479"};
	struct responder_config c = two_addresses();
	struct fixture t;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(&t, &c);
		t.q.from = at(bad[i]);
		is_silent(&t, ask(&t), RESPONDER_unsendable);
	}
	/* RESPONSE-PORT does not make a loop, either */
	begin(&t, &c);
	t.q.from = at("192.0.2.2:5");
	stun_put(&t.b, STUN_RESPONSE_PORT, "\x0d\x96", 2); /* 3478 */
	is_silent(&t, ask(&t), RESPONDER_unsendable);
	memset(&c, 0, sizeof(c));
	c.rate = 10;
	c.v4.place[0] = at("0.0.0.0:3478");
	begin(&t, &c);
	t.q.from = t.q.local;
	is_silent(&t, ask(&t), RESPONDER_unsendable);
}

static void
over_tcp_nothing_can_be_changed(void **state)
{
	static const uint16_t wanted[] = {
	    STUN_CHANGE_REQUEST, STUN_RESPONSE_PORT, STUN_PADDING};
	struct responder_config c = two_addresses();
	struct fixture t;

	(void)state;
	begin(&t, &c);
	t.q.stream = true;
	stun_put(&t.b, STUN_PADDING, "1", 1);
	stun_put(&t.b, STUN_RESPONSE_PORT, "\x12\x34", 2);
	stun_put_u32(&t.b, STUN_CHANGE_REQUEST, 6);
	assert_int_equal(ask(&t), RESPONDER_unknown);
	is_error(&t, 420);
	names_unknown(&t, wanted, 3);
	responder_free(&t.r);
	begin(&t, &c);
	t.q.stream = true;
	assert_int_equal(ask(&t), RESPONDER_answered);
	has_addr(&t, STUN_OTHER_ADDRESS, "192.0.2.2:3479");
	/* RFC 3489 has no Binding over TCP */
	t.in[4] ^= 1;
	is_silent(&t, ask(&t), RESPONDER_malformed);
}

static void
classic_silences(void **state)
{
	struct responder_config c = two_addresses();
	struct fixture t;

	(void)state;
	begin6(&t, &c); /* RFC 3489 has no IPv6 */
	is_silent(&t, ask_classic(&t), RESPONDER_malformed);
	begin(&t, &c); /* Shared Secret, and an answer */
	t.in[1] = 2;
	is_silent(&t, ask_classic(&t), RESPONDER_malformed);
	begin(&t, &c);
	t.in[0] = 1;
	is_silent(&t, ask_classic(&t), RESPONDER_malformed);
	begin(&t, &c);
	stun_put_u32(&t.b, STUN_CHANGE_REQUEST, 0);
	t.in[23] = 8;
	is_silent(&t, ask_classic(&t), RESPONDER_malformed);
	begin(&t, &c);
	t.in[3] = 4;
	is_silent(&t, ask_classic(&t), RESPONDER_malformed);
}

static void
rate_is_by_source(void **state)
{
	struct responder_config c = one_address();
	struct fixture t;

	(void)state;
	c.rate = 2;
	begin(&t, &c);
	for (int i = 0; i < 4; i++) {
		t.q.from.port++; /* a port more is no source more */
		assert_int_equal(ask(&t), RESPONDER_answered);
	}
	assert_int_equal(ask(&t), RESPONDER_limited);
	assert_int_equal(t.a.len, 0);
	/* nor is an error free */
	t.in[3] = 4;
	put_u32(t.in + 20, 0x7fff0000);
	t.q.len = 24;
	assert_int_equal(step(&t), RESPONDER_limited);
	t.in[3] = 0;
	t.q.len = 20;
	t.q.from.ip[3]++;
	assert_int_equal(step(&t), RESPONDER_answered);
	t.q.from.ip[3]--;
	t.now_ms += 499;
	assert_int_equal(step(&t), RESPONDER_limited);
	t.now_ms += 1;
	assert_int_equal(step(&t), RESPONDER_answered);
	responder_free(&t.r);

	/* a /64 is one source, a /48 is no more than two */
	begin6(&t, &c);
	for (uint8_t i = 0; i < 4; i++) {
		t.q.from.ip[15] = i;
		assert_int_equal(ask(&t), RESPONDER_answered);
	}
	assert_int_equal(ask(&t), RESPONDER_limited);
	t.q.from.ip[7] = 1;
	for (uint8_t i = 0; i < 4; i++)
		assert_int_equal(ask(&t), RESPONDER_answered);
	t.q.from.ip[7] = 2;
	is_silent(&t, ask(&t), RESPONDER_limited);
}

/* A forged source plus RESPONSE-PORT would reach any port of a host. */
static void
redirections_are_rare(void **state)
{
	struct responder_config c = one_address();
	struct fixture t;

	(void)state;
	begin(&t, &c);
	stun_put(&t.b, STUN_RESPONSE_PORT, "\x12\x34", 2);
	for (int i = 0; i < 2 * RESPONDER_REDIRECTS; i++)
		assert_int_equal(ask(&t), RESPONDER_redirected);
	assert_int_equal(ask(&t), RESPONDER_limited);
	/* which keeps nobody from asking plainly */
	t.in[3] = 0;
	t.q.len = 20;
	assert_int_equal(step(&t), RESPONDER_answered);
	responder_free(&t.r);
}

static void
rates_are_checked(void **state)
{
	struct responder_config c = one_address();
	struct responder r;

	(void)state;
	c.rate = 0;
	assert_int_equal(responder_init(&r, &c), -EINVAL);
	c.rate = RESPONDER_RATE_MAX + 1;
	assert_int_equal(responder_init(&r, &c), -EINVAL);
	c.rate = RESPONDER_RATE_MAX;
	assert_int_equal(responder_init(&r, &c), 0);
	responder_free(&r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_address_can_change_nothing),
	    cmocka_unit_test(bad_attributes_are_refused),
	    cmocka_unit_test(unknown_attributes_are_named),
	    cmocka_unit_test(silence_for_what_is_no_request),
	    cmocka_unit_test(silence_for_the_malformed),
	    cmocka_unit_test(silence_for_sources_that_are_none),
	    cmocka_unit_test(over_tcp_nothing_can_be_changed),
	    cmocka_unit_test(classic_silences),
	    cmocka_unit_test(rate_is_by_source),
	    cmocka_unit_test(redirections_are_rare),
	    cmocka_unit_test(rates_are_checked),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

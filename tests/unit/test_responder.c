/* SPDX-License-Identifier: ISC */
/* The STUN server's answers: RFC 8489, RFC 5780, RFC 3489. What it refuses, and
 * what it says nothing to, is in test_refusal.c. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../data/rfc5769.h"
#include "responder_fixture.h"

static void
answers_what_5780_asks(void **state)
{
	struct responder_config c = two_addresses();
	struct fixture t;

	(void)state;
	begin(&t, &c);
	assert_int_equal(ask(&t), RESPONDER_answered);
	assert_int_equal(t.m.class, STUN_SUCCESS);
	has_addr(&t, STUN_XOR_MAPPED_ADDRESS, CLIENT);
	has_addr(&t, STUN_MAPPED_ADDRESS, CLIENT);
	has_addr(&t, STUN_RESPONSE_ORIGIN, "192.0.2.1:3478");
	has_addr(&t, STUN_OTHER_ADDRESS, "192.0.2.2:3479");
	assert_false(has(&t, STUN_SOFTWARE));
	assert_false(t.m.fingerprint);
	assert_int_equal(t.a.len, 20 + 4 * 12);
	assert_int_equal(t.a.place, 0);
	assert_true(addr_equal(&t.a.to, &t.q.from));
	assert_false(t.a.twin);
	responder_free(&t.r);

	begin6(&t, &c);
	assert_int_equal(ask(&t), RESPONDER_answered);
	has_addr(&t, STUN_XOR_MAPPED_ADDRESS, CLIENT6);
	has_addr(&t, STUN_OTHER_ADDRESS, "[2001:db8::2]:3479");
	assert_int_equal(t.a.len, 20 + 4 * 24);
	responder_free(&t.r);
}

/* RFC 5780 table 1, from each of the four places. */
static void
table_1(void **state)
{
	static const char *const name[] = {"192.0.2.1:3478", "192.0.2.1:3479",
	    "192.0.2.2:3478", "192.0.2.2:3479"};
	struct responder_config c = two_addresses();
	struct fixture t;

	(void)state;
	for (uint8_t place = 0; place < 4; place++) {
		for (uint32_t flags = 0; flags < 8; flags += 2) {
			unsigned int to =
			    place ^ (flags & 4 ? 2u : 0) ^ (flags & 2 ? 1u : 0);

			begin(&t, &c);
			t.q.place = place;
			t.q.local = at(name[place]);
			stun_put_u32(&t.b, STUN_CHANGE_REQUEST, flags);
			assert_int_equal(ask(&t),
			    flags ? RESPONDER_changed : RESPONDER_answered);
			assert_int_equal(t.a.place, to);
			has_addr(&t, STUN_RESPONSE_ORIGIN, name[to]);
			has_addr(&t, STUN_OTHER_ADDRESS, name[place ^ 3]);
			has_addr(&t, STUN_XOR_MAPPED_ADDRESS, CLIENT);
			assert_true(addr_equal(&t.a.to, &t.q.from));
			responder_free(&t.r);
		}
	}
}

/* A wildcard socket says which of the host's addresses was asked. */
static void
wildcard_names_what_was_asked(void **state)
{
	struct responder_config c = {.rate = 10};
	struct fixture t;

	(void)state;
	c.v4.place[0] = at("0.0.0.0:3478");
	begin(&t, &c);
	t.q.local = at("198.51.100.3:3478");
	assert_int_equal(ask(&t), RESPONDER_answered);
	has_addr(&t, STUN_RESPONSE_ORIGIN, "198.51.100.3:3478");
	assert_false(has(&t, STUN_OTHER_ADDRESS));
	responder_free(&t.r);
}

static void
twin_lends_and_goes(void **state)
{
	struct responder_config c = {.rate = 1000};
	struct addr p1 = at("192.0.2.2:3478"), p2 = at("192.0.2.2:3479");
	struct fixture t;

	(void)state;
	c.v4.place[0] = at("192.0.2.1:3478");
	c.v4.place[1] = at("192.0.2.1:3479");
	begin(&t, &c);
	stun_put_u32(&t.b, STUN_CHANGE_REQUEST, 6);
	assert_int_equal(ask(&t), RESPONDER_unknown);
	assert_true(responder_lend(&t.r, ADDR_V4, &p1, &p2));
	assert_int_equal(ask(&t), RESPONDER_changed);
	assert_true(t.a.twin);
	assert_int_equal(t.a.place, 3);
	has_addr(&t, STUN_RESPONSE_ORIGIN, "192.0.2.2:3479");
	has_addr(&t, STUN_OTHER_ADDRESS, "192.0.2.2:3479");
	assert_false(responder_may_send(&t.r, &p2));
	/* change-port alone stays here */
	put_u32(t.in + 24, 2);
	assert_int_equal(ask(&t), RESPONDER_changed);
	assert_false(t.a.twin);
	assert_int_equal(t.a.place, 1);
	assert_false(responder_lend(&t.r, ADDR_V4, NULL, NULL));
	assert_int_equal(ask(&t), RESPONDER_unknown);
	assert_true(responder_may_send(&t.r, &p2));
	/* not to a family with no address, nor over two of one's own */
	assert_false(responder_lend(&t.r, ADDR_V6, &p1, &p2));
	responder_free(&t.r);
	c = two_addresses();
	assert_int_equal(responder_init(&t.r, &c), 0);
	assert_true(responder_lend(&t.r, ADDR_V4, NULL, NULL));
	assert_false(responder_may_send(&t.r, &p2));
	responder_free(&t.r);
}

static void
response_port_in_both_forms(void **state)
{
	static const uint8_t four[] = {0x9c, 0x41, 0, 0};
	struct responder_config c = two_addresses();
	struct fixture t;

	(void)state;
	for (size_t len = 2; len <= 4; len += 2) {
		begin(&t, &c);
		stun_put(&t.b, STUN_RESPONSE_PORT, four, len);
		assert_int_equal(ask(&t), RESPONDER_redirected);
		assert_int_equal(t.a.to.port, 40001);
		assert_true(addr_equal_ip(&t.a.to, &t.q.from));
		/* the mapping is that of the request */
		has_addr(&t, STUN_XOR_MAPPED_ADDRESS, CLIENT);
		responder_free(&t.r);
	}
	/* together with CHANGE-REQUEST, and with one address */
	begin(&t, &c);
	stun_put(&t.b, STUN_RESPONSE_PORT, four, 2);
	stun_put_u32(&t.b, STUN_CHANGE_REQUEST, 4);
	assert_int_equal(ask(&t), RESPONDER_redirected);
	assert_int_equal(t.a.place, 2);
	responder_free(&t.r);
	c = one_address();
	begin(&t, &c);
	stun_put(&t.b, STUN_RESPONSE_PORT, four, 2);
	assert_int_equal(ask(&t), RESPONDER_redirected);
	responder_free(&t.r);
}

static void
padding_comes_back(void **state)
{
	static const size_t lens[] = {0, 1, 3, 4, 1000, 1499, 1500, 1501, 1504};
	static const uint8_t zeros[2000];
	struct responder_config c = two_addresses();
	struct stun_attr a;
	struct fixture t;

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		begin6(&t, &c);
		stun_put(&t.b, STUN_PADDING, zeros, lens[i]);
		t.q.len = (size_t)stun_end(&t.b, true);
		assert_int_equal(step(&t), RESPONDER_answered);
		assert_int_equal(stun_find(&t.m, STUN_PADDING, &a), 0);
		assert_int_equal(a.len, lens[i] > 1500 ? 1500 : lens[i]);
		assert_memory_equal(a.value, zeros, a.len);
		/* no more than RFC 5780 asks for on top */
		assert_true(t.a.len <= t.q.len + 4 * 24);
		assert_true(t.m.fingerprint);
		responder_free(&t.r);
	}
	/* one that is too long to be read whole */
	begin(&t, &c);
	stun_put(&t.b, STUN_PADDING, zeros, sizeof(zeros));
	stun_put(&t.b, STUN_SOFTWARE, zeros, 64);
	is_silent(&t, ask(&t), RESPONDER_malformed);
}

/* Credentials that nobody asked for are no reason to refuse; what follows an
 * integrity attribute is not read (RFC 8489 section 14.5). */
static void
credentials_change_nothing(void **state)
{
	struct responder_config c = two_addresses();
	struct fixture t;

	(void)state;
	begin(&t, &c);
	memcpy(t.in, rfc5769_request, sizeof(rfc5769_request));
	t.q.len = sizeof(rfc5769_request);
	assert_int_equal(responder_step(&t.r, &t.q, t.now_ms, t.out, &t.a),
	    RESPONDER_answered);
	assert_int_equal(stun_parse(&t.m, t.out, t.a.len), 0);
	assert_true(t.m.fingerprint);
	assert_memory_equal(t.m.tid, rfc5769_request + 8, STUN_TID_LEN);
	has_addr(&t, STUN_XOR_MAPPED_ADDRESS, CLIENT);
	memcpy(t.in, rfc5769_long_term, sizeof(rfc5769_long_term));
	t.q.len = sizeof(rfc5769_long_term);
	assert_int_equal(responder_step(&t.r, &t.q, t.now_ms, t.out, &t.a),
	    RESPONDER_answered);
	responder_free(&t.r);

	begin(&t, &c);
	stun_put_integrity(&t.b, "k", 1);
	stun_put_u32(&t.b, STUN_CHANGE_REQUEST, 6);
	stun_put_u32(&t.b, 0x7fff, 6);
	assert_int_equal(ask(&t), RESPONDER_answered);
	responder_free(&t.r);
}

static void
classic_clients_are_answered(void **state)
{
	static const uint16_t odd[] = {0x0002, 0x0002};
	struct responder_config c = two_addresses();
	struct fixture t;

	(void)state;
	begin(&t, &c);
	stun_put_u32(&t.b, STUN_CHANGE_REQUEST, 6);
	assert_int_equal(ask_classic(&t), RESPONDER_changed);
	assert_int_equal(t.a.place, 3);
	has_addr(&t, STUN_MAPPED_ADDRESS, CLIENT);
	has_addr(&t, STUN_SOURCE_ADDRESS, "192.0.2.2:3479");
	has_addr(&t, STUN_CHANGED_ADDRESS, "192.0.2.2:3479");
	assert_false(has(&t, STUN_XOR_MAPPED_ADDRESS));
	assert_int_equal(t.a.len, 20 + 3 * 12);
	responder_free(&t.r);
	/* one that would send the answer to somebody else */
	begin(&t, &c);
	stun_put(&t.b, 0x0002, "\0\x1\x9c\x41\xc0\0\2\x9", 8);
	assert_int_equal(ask_classic(&t), RESPONDER_unknown);
	is_error(&t, 420);
	names_unknown(&t, odd, 2); /* RFC 3489 section 11.2.10 */
	responder_free(&t.r);
	/* with one address it changes nothing, which may be asked for */
	c = one_address();
	begin(&t, &c);
	stun_put_u32(&t.b, STUN_CHANGE_REQUEST, 0);
	assert_int_equal(ask_classic(&t), RESPONDER_answered);
	assert_false(has(&t, STUN_CHANGED_ADDRESS));
	put_u32(t.in + 24, 2);
	assert_int_equal(ask_classic(&t), RESPONDER_unknown);
	responder_free(&t.r);
}

static void
modest_answers_fit_into_their_requests(void **state)
{
	struct responder_config c = two_addresses();
	static const uint8_t zeros[200];
	struct fixture t;

	(void)state;
	c.modest = true;
	for (size_t pad = 0; pad <= sizeof(zeros); pad += 4) {
		for (int v6 = 0; v6 < 2; v6++) {
			size_t full = v6 ? 44 : 32, each = v6 ? 24 : 12;

			v6 ? begin6(&t, &c) : begin(&t, &c);
			if (pad > 0)
				stun_put(&t.b, STUN_SOFTWARE, zeros, pad - 4);
			ask(&t);
			assert_true(t.a.len <= t.q.len);
			assert_int_equal(t.a.len > 0, t.q.len >= full);
			if (t.a.len > 0)
				assert_true(has(&t, STUN_XOR_MAPPED_ADDRESS));
			/* then OTHER-ADDRESS, RESPONSE-ORIGIN, MAPPED-ADDRESS */
			assert_int_equal(has(&t, STUN_OTHER_ADDRESS),
			    t.q.len >= full + each);
			assert_int_equal(has(&t, STUN_RESPONSE_ORIGIN),
			    t.q.len >= full + 2 * each);
			assert_int_equal(has(&t, STUN_MAPPED_ADDRESS),
			    t.q.len >= full + 3 * each);
			responder_free(&t.r);
		}
	}
	/* a TCP connection is nobody else's */
	begin(&t, &c);
	t.q.stream = true;
	assert_int_equal(ask(&t), RESPONDER_answered);
	assert_int_equal(t.a.len, 20 + 4 * 12);
	responder_free(&t.r);
}

static void
modest_has_no_padding_and_no_redirection(void **state)
{
	static const uint16_t wanted[] = {STUN_RESPONSE_PORT, STUN_PADDING};
	struct responder_config c = two_addresses();
	static const uint8_t zeros[100];
	struct fixture t;

	(void)state;
	c.modest = true;
	begin(&t, &c);
	stun_put(&t.b, STUN_RESPONSE_PORT, "\x12\x34", 2);
	stun_put(&t.b, STUN_PADDING, zeros, sizeof(zeros));
	assert_int_equal(ask(&t), RESPONDER_unknown);
	is_error(&t, 420);
	names_unknown(&t, wanted, 2);
	assert_true(t.a.len <= t.q.len);
	responder_free(&t.r);
	/* not even an error that would be longer */
	begin(&t, &c);
	stun_put(&t.b, STUN_RESPONSE_PORT, "\x12\x34", 2);
	is_silent(&t, ask(&t), RESPONDER_too_short);
	/* but another address is no more bytes */
	begin(&t, &c);
	stun_put_u32(&t.b, STUN_CHANGE_REQUEST, 6);
	stun_put(&t.b, STUN_SOFTWARE, zeros, 8);
	assert_int_equal(ask(&t), RESPONDER_changed);
	assert_true(t.a.len <= t.q.len);
	responder_free(&t.r);
	/* room that FINGERPRINT needs is kept for it */
	begin(&t, &c);
	stun_put(&t.b, STUN_SOFTWARE, zeros, 12);
	t.q.len = (size_t)stun_end(&t.b, true);
	assert_int_equal(t.q.len, 44);
	assert_int_equal(step(&t), RESPONDER_answered);
	assert_int_equal(t.a.len, 40);
	assert_true(t.m.fingerprint);
	responder_free(&t.r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_what_5780_asks),
	    cmocka_unit_test(table_1),
	    cmocka_unit_test(wildcard_names_what_was_asked),
	    cmocka_unit_test(twin_lends_and_goes),
	    cmocka_unit_test(response_port_in_both_forms),
	    cmocka_unit_test(padding_comes_back),
	    cmocka_unit_test(credentials_change_nothing),
	    cmocka_unit_test(classic_clients_are_answered),
	    cmocka_unit_test(modest_answers_fit_into_their_requests),
	    cmocka_unit_test(modest_has_no_padding_and_no_redirection),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

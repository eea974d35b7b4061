/* SPDX-License-Identifier: ISC */
/* The STUN server's answers, and its silences: RFC 8489, RFC 5780, RFC 3489. */
#include "responder.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../data/rfc5769.h"
#include "stun.h"

#define CLIENT "203.0.113.7:40000"
#define CLIENT6 "[2001:db8::7]:40000"

static const uint8_t tid[STUN_TID_LEN] = "abcdefghijk";

struct fixture {
	struct responder r;
	struct responder_request q;
	struct responder_answer a;
	struct stun_buf b; /* the request */
	uint8_t in[4096], out[RESPONDER_MAX];
	struct stun_msg m; /* the answer */
	uint64_t now_ms;
};

static struct addr
at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text), 0);
	return a;
}

static void
places(struct responder_family *f, const char *a1, const char *a2,
    const char *b1, const char *b2)
{
	f->place[0] = at(a1);
	f->place[1] = at(a2);
	f->place[2] = at(b1);
	f->place[3] = at(b2);
}

static struct responder_config
two_addresses(void)
{
	struct responder_config c = {.rate = 1000};

	places(&c.v4, "192.0.2.1:3478", "192.0.2.1:3479", "192.0.2.2:3478",
	    "192.0.2.2:3479");
	places(&c.v6, "[2001:db8::1]:3478", "[2001:db8::1]:3479",
	    "[2001:db8::2]:3478", "[2001:db8::2]:3479");
	return c;
}

static struct responder_config
one_address(void)
{
	struct responder_config c = {.rate = 1000};

	c.v4.place[0] = at("192.0.2.1:3478");
	c.v6.place[0] = at("[2001:db8::1]:3478");
	return c;
}

/* A request from CLIENT to place 0, without attributes so far. */
static void
begin(struct fixture *t, const struct responder_config *c)
{
	memset(t, 0, sizeof(*t));
	t->now_ms = 1000;
	assert_int_equal(responder_init(&t->r, c), 0);
	t->q.data = t->in;
	t->q.from = at(CLIENT);
	t->q.local = at("192.0.2.1:3478");
	stun_begin(
	    &t->b, t->in, sizeof(t->in), STUN_BINDING, STUN_REQUEST, tid);
}

static void
begin6(struct fixture *t, const struct responder_config *c)
{
	begin(t, c);
	t->q.from = at(CLIENT6);
	t->q.local = at("[2001:db8::1]:3478");
}

static enum responder_outcome
step(struct fixture *t)
{
	enum responder_outcome outcome;

	memset(t->out, 0xa5, sizeof(t->out));
	outcome = responder_step(&t->r, &t->q, t->now_ms, t->out, &t->a);
	memset(&t->m, 0, sizeof(t->m));
	if (t->a.len > 0 && stun_parse(&t->m, t->out, t->a.len) == 0) {
		assert_memory_equal(t->m.tid, tid, STUN_TID_LEN);
		assert_int_equal(t->m.method, STUN_BINDING);
	}
	return outcome;
}

static enum responder_outcome
ask(struct fixture *t)
{
	int len = stun_end(&t->b, false);

	assert_true(len > 0);
	t->q.len = (size_t)len;
	return step(t);
}

static void
is_silent(struct fixture *t, enum responder_outcome got,
    enum responder_outcome wanted)
{
	assert_string_equal(responder_names[got], responder_names[wanted]);
	assert_int_equal(t->a.len, 0);
	responder_free(&t->r);
}

static void
has_addr(const struct fixture *t, uint16_t type, const char *text)
{
	struct stun_attr a;
	struct addr got;
	char buf[ADDR_STRLEN];

	assert_int_equal(stun_find(&t->m, type, &a), 0);
	assert_int_equal(type == STUN_XOR_MAPPED_ADDRESS
			     ? stun_get_xor_addr(&a, t->m.tid, &got)
			     : stun_get_addr(&a, &got),
	    0);
	assert_string_equal(addr_format(&got, buf), text);
}

static bool
has(const struct fixture *t, uint16_t type)
{
	struct stun_attr a;

	return stun_find(&t->m, type, &a) == 0;
}

static void
is_error(const struct fixture *t, int code)
{
	assert_true(t->a.len > 0);
	assert_int_equal(t->m.class, STUN_ERROR);
	assert_int_equal(stun_get_error(&t->m), code);
	/* to where it came from, from where it was asked */
	assert_true(addr_equal(&t->a.to, &t->q.from));
	assert_int_equal(t->a.place, t->q.place);
}

static void
names_unknown(const struct fixture *t, const uint16_t *types, size_t n)
{
	struct stun_attr a;
	struct cursor c;

	assert_int_equal(stun_find(&t->m, STUN_UNKNOWN_ATTRIBUTES, &a), 0);
	assert_int_equal(a.len, 2 * n);
	cursor_init(&c, a.value, a.len);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(cursor_u16(&c), types[i]);
}

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

static void
unknown_attributes_are_named(void **state)
{
	static const uint16_t wanted[] = {0x0002, 0x7fff};
	struct responder_config c = two_addresses();
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
	names_unknown(&t, wanted, 2);
	responder_free(&t.r);
	/* hundreds of them make no long answer */
	begin(&t, &c);
	for (uint16_t i = 0; i < 300; i++)
		stun_put(&t.b, 0x4000 + i, NULL, 0);
	assert_int_equal(ask(&t), RESPONDER_unknown);
	is_error(&t, 420);
	assert_true(t.a.len <= 48);
	responder_free(&t.r);
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

/* Turns the request into one of RFC 3489: 16 bytes of id, no cookie. */
static enum responder_outcome
ask_classic(struct fixture *t)
{
	enum responder_outcome outcome;
	int len = stun_end(&t->b, false);

	memcpy(t->in + 4, "0123", 4);
	t->q.len = (size_t)len;
	outcome = responder_step(&t->r, &t->q, t->now_ms, t->out, &t->a);
	if (t->a.len == 0)
		return outcome;
	assert_memory_equal(t->out + 4, t->in + 4, 16);
	put_u32(t->out + 4, STUN_COOKIE); /* or our parser would not read it */
	assert_int_equal(stun_parse(&t->m, t->out, t->a.len), 0);
	return outcome;
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
	    cmocka_unit_test(silence_for_the_malformed),
	    cmocka_unit_test(silence_for_what_is_no_request),
	    cmocka_unit_test(silence_for_sources_that_are_none),
	    cmocka_unit_test(classic_silences),
	    cmocka_unit_test(one_address_can_change_nothing),
	    cmocka_unit_test(over_tcp_nothing_can_be_changed),
	    cmocka_unit_test(bad_attributes_are_refused),
	    cmocka_unit_test(unknown_attributes_are_named),
	    cmocka_unit_test(rate_is_by_source),
	    cmocka_unit_test(redirections_are_rare),
	    cmocka_unit_test(rates_are_checked),
	    cmocka_unit_test(modest_answers_fit_into_their_requests),
	    cmocka_unit_test(modest_has_no_padding_and_no_redirection),
	    cmocka_unit_test(answers_what_5780_asks),
	    cmocka_unit_test(table_1),
	    cmocka_unit_test(wildcard_names_what_was_asked),
	    cmocka_unit_test(twin_lends_and_goes),
	    cmocka_unit_test(response_port_in_both_forms),
	    cmocka_unit_test(padding_comes_back),
	    cmocka_unit_test(credentials_change_nothing),
	    cmocka_unit_test(classic_clients_are_answered),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* A STUN server and one request for it, for the tests of the responder. */
#ifndef NATKIT_TESTS_RESPONDER_FIXTURE_H
#define NATKIT_TESTS_RESPONDER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "addr_fixture.h"
#include "responder.h"
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

static inline void
places(struct responder_family *f, const char *a1, const char *a2,
    const char *b1, const char *b2)
{
	f->place[0] = at(a1);
	f->place[1] = at(a2);
	f->place[2] = at(b1);
	f->place[3] = at(b2);
}

static inline struct responder_config
two_addresses(void)
{
	struct responder_config c = {.rate = 1000};

	places(&c.v4, "192.0.2.1:3478", "192.0.2.1:3479", "192.0.2.2:3478",
	    "192.0.2.2:3479");
	places(&c.v6, "[2001:db8::1]:3478", "[2001:db8::1]:3479",
	    "[2001:db8::2]:3478", "[2001:db8::2]:3479");
	return c;
}

static inline struct responder_config
one_address(void)
{
	struct responder_config c = {.rate = 1000};

	c.v4.place[0] = at("192.0.2.1:3478");
	c.v6.place[0] = at("[2001:db8::1]:3478");
	return c;
}

/* A request from CLIENT to place 0, without attributes so far. */
static inline void
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

static inline void
begin6(struct fixture *t, const struct responder_config *c)
{
	begin(t, c);
	t->q.from = at(CLIENT6);
	t->q.local = at("[2001:db8::1]:3478");
}

static inline enum responder_outcome
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

static inline enum responder_outcome
ask(struct fixture *t)
{
	int len = stun_end(&t->b, false);

	assert_true(len > 0);
	t->q.len = (size_t)len;
	return step(t);
}

static inline void
is_silent(struct fixture *t, enum responder_outcome got,
    enum responder_outcome wanted)
{
	assert_string_equal(responder_names[got], responder_names[wanted]);
	assert_int_equal(t->a.len, 0);
	responder_free(&t->r);
}

static inline void
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

static inline bool
has(const struct fixture *t, uint16_t type)
{
	struct stun_attr a;

	return stun_find(&t->m, type, &a) == 0;
}

static inline void
is_error(const struct fixture *t, int code)
{
	assert_true(t->a.len > 0);
	assert_int_equal(t->m.class, STUN_ERROR);
	assert_int_equal(stun_get_error(&t->m), code);
	/* to where it came from, from where it was asked */
	assert_true(addr_equal(&t->a.to, &t->q.from));
	assert_int_equal(t->a.place, t->q.place);
}

static inline void
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

/* Turns the request into one of RFC 3489: 16 bytes of id, no cookie. */
static inline enum responder_outcome
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

#endif

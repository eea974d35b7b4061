/* SPDX-License-Identifier: ISC */
/* question: requests carry what RFC 5780 says, responses tell what is in
 * them, and what is no response to a Binding request is none. */
#include "question.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "addr_fixture.h"

static const uint8_t tid[STUN_TID_LEN] = "twelve bytes";
static struct addr server, local, mapped, plain, other;

static int
set_up(void **state)
{
	(void)state;
	server = at("192.0.2.1:3478");
	other = at("192.0.2.2:3479");
	local = at("10.0.0.1:51820");
	mapped = at("198.51.100.7:40000");
	plain = at("10.0.0.1:51820");
	return 0;
}

static struct stun_msg
parsed(const uint8_t *data, int len)
{
	struct stun_msg m;

	assert_true(len > 0);
	assert_int_equal(stun_parse(&m, data, (size_t)len), 0);
	assert_memory_equal(m.tid, tid, STUN_TID_LEN);
	assert_int_equal(m.class, STUN_REQUEST);
	assert_int_equal(m.method, STUN_BINDING);
	return m;
}

static struct stun_attr
attr(const struct stun_msg *m, uint16_t type, size_t len)
{
	struct stun_attr a;

	assert_int_equal(stun_find(m, type, &a), 0);
	assert_int_equal(a.len, len);
	return a;
}

/* ---- requests */

static void
plain_question_has_no_attribute(void **state)
{
	struct question q = {0};
	uint8_t out[QUESTION_MAX];
	int n = question_build(&q, tid, out, sizeof(out));
	struct stun_msg m = parsed(out, n);

	(void)state;
	assert_int_equal(n, STUN_HEADER_LEN + 8); /* but FINGERPRINT */
	assert_true(m.fingerprint);
}

static void
too_long_question_is_refused(void **state)
{
	struct question q = {.padding = QUESTION_MAX};
	uint8_t out[QUESTION_MAX];

	(void)state;
	assert_int_equal(question_build(&q, tid, out, sizeof(out)), -ENOBUFS);
}

static void
change_request_has_the_flags(void **state)
{
	static const struct {
		bool ip, port;
		uint32_t flags;
	} cases[] = {{true, true, 6}, {true, false, 4}, {false, true, 2}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct question q = {
		    .change_ip = cases[i].ip, .change_port = cases[i].port};
		uint8_t out[QUESTION_MAX];
		struct stun_msg m =
		    parsed(out, question_build(&q, tid, out, sizeof(out)));
		struct stun_attr a = attr(&m, STUN_CHANGE_REQUEST, 4);
		struct cursor c;

		cursor_init(&c, a.value, a.len);
		assert_int_equal(cursor_u32(&c), cases[i].flags);
	}
}

static void
response_port_has_two_forms(void **state)
{
	struct question q = {.response_port = 40000};
	uint8_t out[QUESTION_MAX];
	struct stun_msg m =
	    parsed(out, question_build(&q, tid, out, sizeof(out)));

	(void)state;
	assert_memory_equal(
	    attr(&m, STUN_RESPONSE_PORT, 2).value, "\x9c\x40", 2);
	q.response_port_long = true;
	m = parsed(out, question_build(&q, tid, out, sizeof(out)));
	assert_memory_equal(
	    attr(&m, STUN_RESPONSE_PORT, 4).value, "\x9c\x40\0\0", 4);
}

static void
padding_and_filler_make_it_long(void **state)
{
	struct question q = {.padding = 1500}, f = {.filler = 1500};
	uint8_t out[QUESTION_MAX];
	struct stun_msg m =
	    parsed(out, question_build(&q, tid, out, sizeof(out)));

	(void)state;
	attr(&m, STUN_PADDING, 1500);
	assert_true(m.len > 1500);
	m = parsed(out, question_build(&f, tid, out, sizeof(out)));
	assert_true(m.len > 1500);
	/* a server that does not know it has to ignore it */
	assert_int_equal(stun_unknown(&m, NULL, 0), 0);
}

/* ---- responses */

static int
take(struct answer *a, const uint8_t *data, int len)
{
	uint8_t got[STUN_TID_LEN];
	int err = 0;

	assert_true(len > 0);
	err = answer_parse(a, got, data, (size_t)len, &server, &local);
	if (err == 0)
		assert_memory_equal(got, tid, STUN_TID_LEN);
	return err;
}

static void
begin(struct stun_buf *b, uint8_t *out, enum stun_class class)
{
	stun_begin(b, out, QUESTION_MAX, STUN_BINDING, class, tid);
}

static void
what_is_no_answer(void **state)
{
	struct question q = {0};
	struct answer a;
	uint8_t out[QUESTION_MAX];
	struct stun_buf b;
	struct addr zero = mapped;

	(void)state;
	/* a request */
	assert_int_equal(
	    take(&a, out, question_build(&q, tid, out, sizeof(out))), -EBADMSG);
	/* a success without an address */
	begin(&b, out, STUN_SUCCESS);
	assert_int_equal(take(&a, out, stun_end(&b, true)), -EBADMSG);
	/* with a port 0 */
	zero.port = 0;
	begin(&b, out, STUN_SUCCESS);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &zero);
	assert_int_equal(take(&a, out, stun_end(&b, true)), -EBADMSG);
	/* with an attribute that must be understood */
	begin(&b, out, STUN_SUCCESS);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &mapped);
	stun_put_u32(&b, 0x7f00, 1);
	assert_int_equal(take(&a, out, stun_end(&b, true)), -EBADMSG);
	/* of another method */
	stun_begin(&b, out, sizeof(out), 0x003, STUN_SUCCESS, tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &mapped);
	assert_int_equal(take(&a, out, stun_end(&b, true)), -EBADMSG);
	/* cut off */
	begin(&b, out, STUN_SUCCESS);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &mapped);
	assert_int_equal(take(&a, out, stun_end(&b, false) - 4), -EBADMSG);
	/* an error without a code */
	begin(&b, out, STUN_ERROR);
	assert_int_equal(take(&a, out, stun_end(&b, true)), -EBADMSG);
}

static void
success_tells_all(void **state)
{
	uint8_t out[QUESTION_MAX];
	struct stun_buf b;
	struct answer a;
	int n = 0;

	(void)state;
	begin(&b, out, STUN_SUCCESS);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &mapped);
	stun_put_addr(&b, STUN_MAPPED_ADDRESS, &plain);
	stun_put_addr(&b, STUN_RESPONSE_ORIGIN, &server);
	stun_put_addr(&b, STUN_OTHER_ADDRESS, &other);
	stun_put_space(&b, STUN_PADDING, 256);
	n = stun_end(&b, true);
	assert_int_equal(take(&a, out, n), 0);
	assert_int_equal(a.error, 0);
	assert_true(addr_equal(&a.mapped, &mapped));
	assert_true(addr_equal(&a.plain, &plain));
	assert_true(addr_equal(&a.origin, &server));
	assert_true(addr_equal(&a.other, &other));
	assert_true(a.padded);
	assert_int_equal(a.padding, 256);
	assert_int_equal(a.len, n);
	assert_true(addr_equal(&a.from, &server));
	assert_true(addr_equal(&a.local, &local));
	assert_true(addr_equal(answer_endpoint(&a), &mapped));
}

static void
old_servers_are_understood(void **state)
{
	uint8_t out[QUESTION_MAX];
	struct stun_buf b;
	struct answer a;

	(void)state;
	begin(&b, out, STUN_SUCCESS);
	stun_put_addr(&b, STUN_MAPPED_ADDRESS, &mapped);
	stun_put_addr(&b, STUN_SOURCE_ADDRESS, &server);
	stun_put_addr(&b, STUN_CHANGED_ADDRESS, &other);
	assert_int_equal(take(&a, out, stun_end(&b, false)), 0);
	assert_true(addr_equal(&a.origin, &server));
	assert_true(addr_equal(&a.other, &other));
	assert_true(addr_equal(answer_endpoint(&a), &mapped));
	assert_int_equal(a.mapped.family, ADDR_NONE);
}

static void
error_names_what_it_does_not_know(void **state)
{
	static const uint8_t list[] = {0, 3, 0, 0x27};
	uint8_t out[QUESTION_MAX];
	struct stun_buf b;
	struct answer a;

	(void)state;
	begin(&b, out, STUN_ERROR);
	stun_put_error(&b, 420, "Unknown Attribute");
	stun_put(&b, STUN_UNKNOWN_ATTRIBUTES, list, sizeof(list));
	assert_int_equal(take(&a, out, stun_end(&b, true)), 0);
	assert_int_equal(a.error, 420);
	assert_int_equal(a.unknowns, 2);
	assert_true(answer_refuses(&a, STUN_CHANGE_REQUEST));
	assert_true(answer_refuses(&a, STUN_RESPONSE_PORT));
	assert_false(answer_refuses(&a, STUN_PADDING));
	assert_int_equal(answer_endpoint(&a)->family, ADDR_NONE);
}

static void
unknown_attributes_are_bounded(void **state)
{
	uint8_t out[QUESTION_MAX], list[2 * 100] = {0};
	struct stun_buf b;
	struct answer a;

	(void)state;
	begin(&b, out, STUN_ERROR);
	stun_put_error(&b, 420, NULL);
	stun_put(&b, STUN_UNKNOWN_ATTRIBUTES, list, sizeof(list));
	assert_int_equal(take(&a, out, stun_end(&b, true)), 0);
	assert_int_equal(a.unknowns, ANSWER_UNKNOWN_MAX);
}

/* Nobody's word leads from the Internet into one's own network. */
static void
other_is_askable(void **state)
{
	static const struct {
		const char *server, *other;
		bool askable;
	} cases[] = {
	    {"203.0.113.1:3478", "203.0.113.2:3479", true},
	    {"203.0.113.1:3478", "192.168.1.1:53", false},
	    {"203.0.113.1:3478", "100.64.0.1:3479", false},
	    {"203.0.113.1:3478", "169.254.169.254:80", false},
	    {"203.0.113.1:3478", "127.0.0.1:3479", false},
	    {"203.0.113.1:3478", "224.0.0.1:3479", false},
	    {"203.0.113.1:3478", "[2001:db8::1]:3479", false},
	    {"192.168.1.2:3478", "192.168.1.3:3479", true},
	    {"192.168.1.2:3478", "203.0.113.1:3479", true},
	    {"127.0.0.1:3478", "127.0.0.2:3479", true},
	    {"127.0.0.1:3478", "192.168.1.1:3479", false},
	    {"[2001:db8::1]:3478", "[2001:db8::2]:3479", true},
	    {"[2001:db8::1]:3478", "[fe80::1]:3479", false},
	    {"[2001:db8::1]:3478", "[::1]:3479", false},
	};
	struct addr s, o;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(addr_parse(&s, cases[i].server), 0);
		assert_int_equal(addr_parse(&o, cases[i].other), 0);
		assert_int_equal(
		    answer_other_is_askable(&o, &s), cases[i].askable);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_question_has_no_attribute),
	    cmocka_unit_test(too_long_question_is_refused),
	    cmocka_unit_test(change_request_has_the_flags),
	    cmocka_unit_test(response_port_has_two_forms),
	    cmocka_unit_test(padding_and_filler_make_it_long),
	    cmocka_unit_test(what_is_no_answer),
	    cmocka_unit_test(success_tells_all),
	    cmocka_unit_test(old_servers_are_understood),
	    cmocka_unit_test(error_names_what_it_does_not_know),
	    cmocka_unit_test(unknown_attributes_are_bounded),
	    cmocka_unit_test(other_is_askable),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

/* SPDX-License-Identifier: ISC */
/* The offer: exact bytes, and everything that a decoder has to refuse. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "offer.h"
#include "stun.h"

static struct offer
example(void)
{
	struct offer o = {
	    .timestamp_ns = 0x0102030405060708,
	    .from = "fromtag",
	    .to = "to--tag",
	    .generation = 3,
	    .holds = 2,
	    .known = 1,
	    .user = "user0+/Z",
	    .password = "abcdefghijklmnopqrstuvwx",
	    .n = 2,
	};

	o.candidate[0].type = OFFER_HOST;
	o.candidate[0].priority = 77;
	addr_parse(&o.candidate[0].addr, "192.0.2.1:51820");
	o.candidate[1].type = OFFER_SRFLX;
	o.candidate[1].priority = 5;
	addr_parse(&o.candidate[1].addr, "[2001:db8::1]:4500");
	return o;
}

static void
same(const struct offer *a, const struct offer *b)
{
	assert_int_equal(a->timestamp_ns, b->timestamp_ns);
	assert_memory_equal(a->from, b->from, WIRE_TAG_LEN);
	assert_memory_equal(a->to, b->to, WIRE_TAG_LEN);
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->holds, b->holds);
	assert_int_equal(a->known, b->known);
	assert_string_equal(a->user, b->user);
	assert_string_equal(a->password, b->password);
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		assert_int_equal(a->candidate[i].type, b->candidate[i].type);
		assert_int_equal(
		    a->candidate[i].priority, b->candidate[i].priority);
		assert_true(
		    addr_equal(&a->candidate[i].addr, &b->candidate[i].addr));
	}
}

static void
comes_back_as_it_was(void **state)
{
	struct offer o = example(), back;
	uint8_t buf[OFFER_MAX];
	int len = offer_encode(&o, buf, sizeof(buf));

	(void)state;
	assert_int_equal(len, 12 + 20 + 16 + 36 + 16 + 28);
	assert_int_equal(offer_decode(&back, buf, (size_t)len), 0);
	same(&o, &back);
	assert_int_equal(offer_encode(&o, buf, (size_t)len - 1), -ENOBUFS);
}

static void
the_largest_fits_into_a_payload(void **state)
{
	struct offer o = example(), back;
	uint8_t buf[OFFER_MAX];
	int len;

	(void)state;
	for (o.n = 0; o.n < OFFER_CANDIDATES; o.n++)
		o.candidate[o.n] = o.candidate[1];
	len = offer_encode(&o, buf, sizeof(buf));
	assert_int_equal(len, OFFER_MAX);
	assert_true(OFFER_MAX + 40 <= WIRE_PAYLOAD_MAX);
	assert_int_equal(offer_decode(&back, buf, (size_t)len), 0);
	assert_int_equal(back.n, OFFER_CANDIDATES);
}

/* No prefix of an offer is one, except where a candidate ends. */
static void
refuses_cut_offers(void **state)
{
	struct offer o = example(), back;
	uint8_t buf[OFFER_MAX];
	int len = offer_encode(&o, buf, sizeof(buf));

	(void)state;
	for (int cut = 0; cut < len; cut++) {
		int r = offer_decode(&back, buf, (size_t)cut);

		if (cut == 84 || cut == 100)
			assert_int_equal(r, 0);
		else
			assert_int_equal(r, -EBADMSG);
	}
}

static void
refuses_to_encode_nonsense(void **state)
{
	uint8_t buf[OFFER_MAX];
	struct offer o;

	(void)state;
	o = example();
	o.generation = 0;
	assert_int_equal(offer_encode(&o, buf, sizeof(buf)), -EINVAL);
	o = example();
	o.n = OFFER_CANDIDATES + 1;
	assert_int_equal(offer_encode(&o, buf, sizeof(buf)), -EINVAL);
	o = example();
	o.candidate[0].type = 3;
	assert_int_equal(offer_encode(&o, buf, sizeof(buf)), -EINVAL);
	o = example();
	o.candidate[1].addr.port = 0;
	assert_int_equal(offer_encode(&o, buf, sizeof(buf)), -EINVAL);
	o = example();
	o.user[3] = ' ';
	assert_int_equal(offer_encode(&o, buf, sizeof(buf)), -EINVAL);
}

/* An offer with one byte set otherwise. */
static int
decode_with(size_t at, uint8_t value)
{
	struct offer o = example(), back;
	uint8_t buf[OFFER_MAX];
	int len = offer_encode(&o, buf, sizeof(buf));

	buf[at] = value;
	return offer_decode(&back, buf, (size_t)len);
}

static void
refuses_bad_values(void **state)
{
	(void)state;
	/* offsets: timestamp 0, tags 12, generation 32, credentials 48,
	 * the IPv4 candidate 84 */
	assert_int_equal(decode_with(39, 0), -EBADMSG);	   /* generation 0 */
	assert_int_equal(decode_with(52, '\n'), -EBADMSG); /* in user */
	assert_int_equal(decode_with(60, 0), -EBADMSG);	   /* in password */
	assert_int_equal(decode_with(88, 0), -EBADMSG);	   /* type 0 */
	assert_int_equal(decode_with(88, 3), -EBADMSG);	   /* type 3 */
	assert_int_equal(decode_with(88, OFFER_RELAY), 0);
	assert_int_equal(decode_with(89, 5), -EBADMSG);	  /* family */
	assert_int_equal(decode_with(89, 6), -EBADMSG);	  /* too short */
	assert_int_equal(decode_with(96, 224), -EBADMSG); /* multicast */
	assert_int_equal(decode_with(3, 4), -EBADMSG);	  /* a length */
}

static int
decode_list(const uint16_t *types, size_t n)
{
	struct offer o = example(), back;
	uint8_t buf[OFFER_MAX], out[2 * OFFER_MAX];
	struct stun_buf b;
	struct stun_attr a;
	struct cursor c;
	int len = offer_encode(&o, buf, sizeof(buf));

	stun_begin_list(&b, out, sizeof(out));
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		cursor_init(&c, buf, (size_t)len);
		while (!found && stun_attr_next(&c, &a) == 1)
			if ((found = a.type == types[i]))
				stun_put(&b, a.type, a.value, a.len);
		if (!found)
			stun_put(&b, types[i], "x", 1);
	}
	len = stun_end(&b, false);
	assert_true(len >= 0);
	return offer_decode(&back, out, (size_t)len);
}

#define T NATKIT_TIMESTAMP
#define A NATKIT_TAGS
#define G NATKIT_GENERATION
#define C NATKIT_CREDENTIALS
#define K NATKIT_CANDIDATE
#define LIST(...)                                                              \
	decode_list((const uint16_t[]){__VA_ARGS__},                           \
	    sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

static void
wants_each_attribute_once_and_in_order(void **state)
{
	(void)state;
	assert_int_equal(LIST(T, A, G, C, K), 0);
	assert_int_equal(LIST(T, A, G, C), 0);
	assert_int_equal(LIST(A, T, G, C, K), -EBADMSG);
	assert_int_equal(LIST(T, A, G, K), -EBADMSG);
	assert_int_equal(LIST(T, A, G, K, C), -EBADMSG);
	assert_int_equal(LIST(T, T, A, G, C), -EBADMSG);
	assert_int_equal(LIST(T, A, G, C, C), -EBADMSG);
	assert_int_equal(LIST(T, A, G, C, K, T), -EBADMSG);
	assert_int_equal(
	    LIST(T, A, G, C, K, K, K, K, K, K, K, K, K, K, K, K, K, K, K, K),
	    0);
	assert_int_equal(
	    LIST(T, A, G, C, K, K, K, K, K, K, K, K, K, K, K, K, K, K, K, K, K),
	    -EBADMSG);
}

static void
skips_what_is_optional_only(void **state)
{
	(void)state;
	assert_int_equal(LIST(T, A, 0xcf00, G, C, K, 0xcf01), 0);
	assert_int_equal(LIST(T, A, 0x4f00, G, C, K), -EPROTONOSUPPORT);
}

/* ::ffff:192.0.2.1 and 192.0.2.1 would be two names of one endpoint. */
static void
refuses_4_in_6(void **state)
{
	struct offer o = example(), back;
	uint8_t buf[OFFER_MAX];
	int len = offer_encode(&o, buf, sizeof(buf));

	(void)state;
	memset(buf + 112, 0, 10);
	memset(buf + 122, 0xff, 2);
	assert_int_equal(offer_decode(&back, buf, (size_t)len), -EBADMSG);
}

static void
names_types(void **state)
{
	(void)state;
	assert_string_equal(offer_type_name(OFFER_SRFLX), "srflx");
	assert_null(offer_type_name(3));
	assert_int_equal(offer_type_parse("relay"), OFFER_RELAY);
	assert_int_equal(offer_type_parse("prflx"), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(comes_back_as_it_was),
	    cmocka_unit_test(the_largest_fits_into_a_payload),
	    cmocka_unit_test(refuses_cut_offers),
	    cmocka_unit_test(refuses_to_encode_nonsense),
	    cmocka_unit_test(refuses_bad_values),
	    cmocka_unit_test(wants_each_attribute_once_and_in_order),
	    cmocka_unit_test(skips_what_is_optional_only),
	    cmocka_unit_test(refuses_4_in_6),
	    cmocka_unit_test(names_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

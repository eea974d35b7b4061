/* SPDX-License-Identifier: ISC */
/* stun, the writing half: what is built is read back, RFC messages come out
 * byte for byte, and no buffer is written beyond its end. */
#include "stun.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <nettle/md5.h>
#include <sodium.h>
#include <string.h>

#include "../data/rfc5769.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LONG_TERM                                                              \
	RFC5769_LONG_TERM_USER ":" RFC5769_LONG_TERM_REALM                     \
			       ":" RFC5769_LONG_TERM_PASSWORD

static const uint8_t tid[STUN_TID_LEN] = {
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

/* One of each put, both families, padding of every length, all checks. */
static int
build_all(uint8_t *data, size_t cap)
{
	struct stun_buf b;
	struct addr a;

	stun_begin(&b, data, cap, STUN_BINDING, STUN_ERROR, tid);
	stun_put(&b, STUN_SOFTWARE, "a", 1);
	stun_put(&b, STUN_USERNAME, "ab", 2);
	stun_put(&b, STUN_REALM, "abc", 3);
	stun_put(&b, STUN_USE_CANDIDATE, NULL, 0);
	stun_put_u32(&b, STUN_PRIORITY, 0x6e0001ff);
	stun_put_u64(&b, STUN_ICE_CONTROLLED, UINT64_C(0x932ff9b151263b36));
	assert_int_equal(addr_parse(&a, "192.0.2.1:32853"), 0);
	stun_put_addr(&b, STUN_MAPPED_ADDRESS, &a);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &a);
	assert_int_equal(addr_parse(&a, "[2001:db8::1]:65535"), 0);
	stun_put_addr(&b, STUN_MAPPED_ADDRESS, &a);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS_OLD, &a);
	stun_put_error(&b, 438, "Stale Nonce");
	stun_put_integrity(&b, "key", 3);
	stun_put_integrity_sha256(&b, "key", 3);
	return stun_end(&b, true);
}

/* Buffers of each size up to the right one, right before a guard page. */
static void
test_overflow(void **state)
{
	uint8_t enough[STUN_MAX];
	int len = build_all(enough, sizeof(enough));

	(void)state;
	assert_true(len > 200);
	for (size_t cap = 0; cap <= (size_t)len; cap++) {
		uint8_t *p = sodium_malloc(cap);

		assert_non_null(p);
		assert_int_equal(
		    build_all(p, cap), cap < (size_t)len ? -ENOBUFS : len);
		if (cap == (size_t)len)
			assert_memory_equal(p, enough, cap);
		sodium_free(p);
	}
}

/* Once full stays full: what would fit again must not follow a gap. */
static void
test_overflow_stays(void **state)
{
	uint8_t buf[32];
	struct stun_buf b;

	(void)state;
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST, tid);
	assert_null(stun_put_space(&b, STUN_SOFTWARE, 9));
	assert_null(stun_put_space(&b, STUN_SOFTWARE, 0));
	stun_put_u32(&b, STUN_PRIORITY, 1);
	assert_int_equal(b.len, STUN_HEADER_LEN);
	assert_int_equal(stun_end(&b, false), -ENOBUFS);
}

static void
test_limits(void **state)
{
	static uint8_t big[70000];
	struct stun_buf b;
	struct stun_msg m;
	int len;

	(void)state;
	stun_begin(&b, big, sizeof(big), STUN_BINDING, STUN_REQUEST, tid);
	assert_null(stun_put_space(&b, STUN_SOFTWARE, 65536));
	stun_begin(&b, big, sizeof(big), STUN_BINDING, STUN_REQUEST, tid);
	assert_null(stun_put_space(&b, STUN_SOFTWARE, SIZE_MAX));
	stun_begin(&b, big, sizeof(big), STUN_BINDING, STUN_REQUEST, tid);
	assert_null(stun_put_space(&b, STUN_SOFTWARE, 65535));
	stun_begin(&b, big, sizeof(big), STUN_BINDING, STUN_REQUEST, tid);
	/* the header's 16 bits hold 65532 at most, and a public server may
	 * send more than STUN_MAX */
	assert_non_null(stun_put_space(&b, STUN_SOFTWARE, 65528));
	len = stun_end(&b, false);
	assert_int_equal(len, STUN_HEADER_LEN + 65532);
	assert_int_equal(stun_parse(&m, big, (size_t)len), 0);
	assert_int_equal(stun_end(&b, true), -ENOBUFS);
}

static void
test_refuses(void **state)
{
	static const int codes[] = {-1, 0, 299, 700};
	const struct addr none = {0};
	struct addr a;
	uint8_t buf[256];
	struct stun_buf b;

	(void)state;
	for (size_t i = 0; i < COUNT(codes); i++) {
		stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_ERROR, tid);
		stun_put_error(&b, codes[i], NULL);
		assert_int_equal(stun_end(&b, false), -ENOBUFS);
	}
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_addr(&b, STUN_MAPPED_ADDRESS, &none);
	assert_int_equal(stun_end(&b, false), -ENOBUFS);
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &none);
	assert_int_equal(stun_end(&b, false), -ENOBUFS);

	/* a list has neither a header nor a transaction id */
	assert_int_equal(addr_parse(&a, "192.0.2.1:1"), 0);
	stun_begin_list(&b, buf, sizeof(buf));
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &a);
	assert_int_equal(stun_end(&b, false), -ENOBUFS);
	stun_begin_list(&b, buf, sizeof(buf));
	stun_put_integrity(&b, "key", 3);
	assert_int_equal(stun_end(&b, false), -ENOBUFS);
	stun_begin_list(&b, buf, sizeof(buf));
	stun_put_integrity_sha256(&b, "key", 3);
	assert_int_equal(stun_end(&b, false), -ENOBUFS);
	stun_begin_list(&b, buf, sizeof(buf));
	assert_int_equal(stun_end(&b, true), -ENOBUFS);
}

static void
test_round_trip(void **state)
{
	uint8_t buf[STUN_MAX];
	int len = build_all(buf, sizeof(buf));
	char text[ADDR_STRLEN];
	struct stun_attr a;
	struct stun_msg m;
	struct cursor c, v;
	struct addr got;

	(void)state;
	assert_true(len > 0);
	assert_int_equal(stun_parse(&m, buf, (size_t)len), 0);
	assert_int_equal(m.class, STUN_ERROR);
	assert_true(m.fingerprint);
	assert_memory_equal(m.tid, tid, sizeof(tid));
	assert_int_equal(stun_check_integrity(&m, "key", 3), 0);
	assert_int_equal(stun_check_integrity_sha256(&m, "key", 3), 0);
	assert_int_equal(stun_check_integrity(&m, "kex", 3), -EACCES);
	assert_int_equal(stun_check_integrity_sha256(&m, "kex", 3), -EACCES);
	assert_int_equal(stun_find(&m, STUN_REALM, &a), 0);
	assert_int_equal(a.len, 3);
	assert_memory_equal(a.value, "abc", 4); /* and zero padding */
	assert_int_equal(stun_find(&m, STUN_USE_CANDIDATE, &a), 0);
	assert_int_equal(a.len, 0);
	assert_int_equal(stun_find(&m, STUN_PRIORITY, &a), 0);
	cursor_init(&v, a.value, a.len);
	assert_int_equal(cursor_u32(&v), 0x6e0001ff);
	assert_int_equal(stun_find(&m, STUN_ICE_CONTROLLED, &a), 0);
	cursor_init(&v, a.value, a.len);
	assert_true(cursor_u64(&v) == UINT64_C(0x932ff9b151263b36));
	assert_int_equal(cursor_left(&v), 0);
	assert_int_equal(stun_get_error(&m), 438);
	assert_int_equal(stun_find(&m, STUN_ERROR_CODE, &a), 0);
	assert_int_equal(a.len, 4 + 11);
	assert_memory_equal(a.value + 4, "Stale Nonce", 11);

	stun_attrs(&c, &m);
	for (unsigned int n = 0; stun_attr_next(&c, &a) == 1; n++) {
		const char *want =
		    n <= 7 ? "192.0.2.1:32853" : "[2001:db8::1]:65535";

		if (n < 6 || n > 9)
			continue;
		if (a.type == STUN_MAPPED_ADDRESS)
			assert_int_equal(stun_get_addr(&a, &got), 0);
		else
			assert_int_equal(stun_get_xor_addr(&a, m.tid, &got), 0);
		assert_string_equal(addr_format(&got, text), want);
	}
}

/* Each family under each type that a server may answer with; the address must
 * not stand in the clear where a NAT would rewrite it. */
static void
test_mapped(void **state)
{
	static const char *const text[] = {"192.0.2.1:32853", "10.0.0.1:1",
	    "[2001:db8:1234:5678:11:2233:4455:6677]:32853", "[::1]:65535"};
	static const uint16_t types[] = {STUN_XOR_MAPPED_ADDRESS,
	    STUN_XOR_MAPPED_ADDRESS_OLD, STUN_MAPPED_ADDRESS};
	uint8_t buf[64];
	struct stun_buf b;
	struct stun_msg m;
	struct addr want, got;
	int len;

	(void)state;
	for (size_t i = 0; i < COUNT(text) * COUNT(types); i++) {
		uint16_t type = types[i % COUNT(types)];
		bool plain = type == STUN_MAPPED_ADDRESS;

		assert_int_equal(addr_parse(&want, text[i / COUNT(types)]), 0);
		stun_begin(
		    &b, buf, sizeof(buf), STUN_BINDING, STUN_SUCCESS, tid);
		if (plain)
			stun_put_addr(&b, type, &want);
		else
			stun_put_xor_addr(&b, type, &want);
		len = stun_end(&b, true);
		assert_true(len > 0);
		assert_int_equal(stun_parse(&m, buf, (size_t)len), 0);
		assert_int_equal(stun_get_mapped(&m, &got), 0);
		assert_true(addr_equal(&got, &want));
		assert_int_equal(memmem(buf, (size_t)len, want.ip,
				     addr_ip_len(&want)) != NULL,
		    plain);
	}
}

/* A dual-stack server sees an IPv4 client as ::ffff:a.b.c.d. */
static void
test_4_in_6(void **state)
{
	const struct addr mapped = {.family = ADDR_V6,
	    .ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7},
	    .port = 99};
	char text[ADDR_STRLEN];
	uint8_t buf[64];
	struct stun_buf b;
	struct stun_msg m;
	struct addr got;
	int len;

	(void)state;
	for (int xor = 0; xor < 2; xor ++) {
		stun_begin(
		    &b, buf, sizeof(buf), STUN_BINDING, STUN_SUCCESS, tid);
		if (xor)
			stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &mapped);
		else
			stun_put_addr(&b, STUN_MAPPED_ADDRESS, &mapped);
		len = stun_end(&b, false);
		assert_int_equal(len, 20 + 4 + 20);
		assert_int_equal(stun_parse(&m, buf, (size_t)len), 0);
		assert_int_equal(stun_get_mapped(&m, &got), 0);
		assert_string_equal(addr_format(&got, text), "192.0.2.7:99");
	}
}

static void
test_types(void **state)
{
	static const struct {
		uint16_t method;
		enum stun_class class;
		uint16_t type; /* as RFC 8489 and its figure 3 have them */
	} t[] = {{STUN_BINDING, STUN_REQUEST, 0x0001},
	    {STUN_BINDING, STUN_INDICATION, 0x0011},
	    {STUN_BINDING, STUN_SUCCESS, 0x0101},
	    {STUN_BINDING, STUN_ERROR, 0x0111}, {0xfff, STUN_REQUEST, 0x3eef},
	    {0xfff, STUN_ERROR, 0x3fff}};
	uint8_t buf[STUN_HEADER_LEN];
	struct stun_buf b;
	struct stun_msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		stun_begin(&b, buf, sizeof(buf), t[i].method, t[i].class, tid);
		assert_int_equal(buf[0] << 8 | buf[1], t[i].type);
	}
	for (unsigned int n = 0; n < 4 * 0x1000; n++) {
		stun_begin(&b, buf, sizeof(buf), (uint16_t)(n >> 2),
		    (enum stun_class)(n & 3), tid);
		assert_int_equal(stun_end(&b, false), STUN_HEADER_LEN);
		assert_int_equal(stun_parse(&m, buf, sizeof(buf)), 0);
		assert_int_equal(m.method, n >> 2);
		assert_int_equal(m.class, n & 3);
	}
}

/* Copies one attribute of a message with the padding that it has there. */
static void
put_from(struct stun_buf *b, const struct stun_msg *m, uint16_t type)
{
	struct stun_attr a;
	uint8_t *p;

	assert_int_equal(stun_find(m, type, &a), 0);
	p = stun_put_space(b, type, a.len);
	assert_non_null(p);
	memcpy(p, a.value, (a.len + 3u) & ~3u);
}

static void
test_rfc5769(void **state)
{
	static const char *const mapped[] = {
	    "192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"};
	const char *key = RFC5769_PASSWORD;
	const uint8_t *want = rfc5769_request;
	size_t want_len = sizeof(rfc5769_request);
	uint8_t buf[128];
	struct stun_buf b;
	struct stun_msg m;
	struct addr a;

	(void)state;
	assert_int_equal(stun_parse(&m, want, want_len), 0);
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST, m.tid);
	stun_put(&b, STUN_SOFTWARE, "STUN test client", 16);
	stun_put_u32(&b, STUN_PRIORITY, 0x6e0001ff);
	stun_put_u64(&b, STUN_ICE_CONTROLLED, UINT64_C(0x932ff9b151263b36));
	put_from(&b, &m, STUN_USERNAME); /* the RFC pads with blanks */
	stun_put_integrity(&b, key, strlen(key));
	assert_int_equal(stun_end(&b, true), want_len);
	assert_memory_equal(buf, want, want_len);

	for (int i = 0; i < 2; i++) {
		want = i == 0 ? rfc5769_ipv4 : rfc5769_ipv6;
		want_len = i == 0 ? sizeof(rfc5769_ipv4) : sizeof(rfc5769_ipv6);
		assert_int_equal(stun_parse(&m, want, want_len), 0);
		assert_int_equal(addr_parse(&a, mapped[i]), 0);
		stun_begin(
		    &b, buf, sizeof(buf), STUN_BINDING, STUN_SUCCESS, m.tid);
		put_from(&b, &m, STUN_SOFTWARE);
		stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &a);
		stun_put_integrity(&b, key, strlen(key));
		assert_int_equal(stun_end(&b, true), want_len);
		assert_memory_equal(buf, want, want_len);
	}
}

static void
test_long_term(void **state)
{
	const char *user = RFC5769_LONG_TERM_USER;
	const char *nonce = "f//499k954d6OL34oL9FSTvy64sA";
	const char *nonce_8489 = "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA";
	uint8_t buf[256], key[32];
	struct stun_buf b;
	struct md5_ctx md5;

	(void)state;
	md5_init(&md5);
	md5_update(&md5, sizeof(LONG_TERM) - 1, (const uint8_t *)LONG_TERM);
	md5_digest(&md5, 16, key);
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST,
	    rfc5769_long_term + 8);
	stun_put(&b, STUN_USERNAME, user, strlen(user));
	stun_put(&b, STUN_NONCE, nonce, strlen(nonce));
	stun_put(&b, STUN_REALM, "example.org", 11);
	stun_put_integrity(&b, key, 16);
	assert_int_equal(stun_end(&b, false), sizeof(rfc5769_long_term));
	assert_memory_equal(buf, rfc5769_long_term, sizeof(rfc5769_long_term));

	crypto_hash_sha256(
	    key, (const uint8_t *)LONG_TERM, sizeof(LONG_TERM) - 1);
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST,
	    rfc8489_sha256 + 8);
	crypto_hash_sha256(stun_put_space(&b, 0x001e, 32), /* USERHASH */
	    (const uint8_t *)LONG_TERM,
	    strlen(RFC5769_LONG_TERM_USER ":" RFC5769_LONG_TERM_REALM));
	stun_put(&b, STUN_NONCE, nonce_8489, strlen(nonce_8489));
	stun_put(&b, STUN_REALM, "example.org", 11);
	stun_put_u32(&b, 0x001d, 0x00020000); /* PASSWORD-ALGORITHM */
	stun_put_integrity_sha256(&b, key, sizeof(key));
	assert_int_equal(stun_end(&b, false), sizeof(rfc8489_sha256));
	assert_memory_equal(buf, rfc8489_sha256, sizeof(rfc8489_sha256));
}

static void
test_list(void **state)
{
	uint8_t buf[64];
	struct stun_buf b;
	struct stun_attr a;
	struct cursor c;
	struct addr v6, got;
	int len;

	(void)state;
	assert_int_equal(addr_parse(&v6, "[2001:db8::1]:1"), 0);
	stun_begin_list(&b, buf, sizeof(buf));
	assert_int_equal(stun_end(&b, false), 0); /* a keepalive */
	stun_put_addr(&b, STUN_MAPPED_ADDRESS, &v6);
	stun_put(&b, NATKIT_STATUS, "\x01\x94", 2);
	len = stun_end(&b, false);
	assert_int_equal(len, 24 + 8);
	cursor_init(&c, buf, (size_t)len);
	assert_int_equal(stun_attr_next(&c, &a), 1);
	assert_int_equal(stun_get_addr(&a, &got), 0);
	assert_true(addr_equal(&got, &v6));
	assert_int_equal(stun_attr_next(&c, &a), 1);
	assert_int_equal(a.type, NATKIT_STATUS);
	assert_int_equal(a.len, 2);
	assert_int_equal(stun_attr_next(&c, &a), 0);
}

static int
setup(void **state)
{
	(void)state;
	return sodium_init() < 0 ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_overflow),
	    cmocka_unit_test(test_overflow_stays),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_mapped),
	    cmocka_unit_test(test_4_in_6),
	    cmocka_unit_test(test_types),
	    cmocka_unit_test(test_rfc5769),
	    cmocka_unit_test(test_long_term),
	    cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

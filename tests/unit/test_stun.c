/* SPDX-License-Identifier: ISC */
/* stun, the reading half: RFC 5769's and RFC 8489's messages, and everything
 * that must be refused. Messages lie right before a guard page, so a read past
 * the end faults, sanitizer or not. */
#include "stun.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <nettle/md5.h>
#include <sodium.h>
#include <string.h>

#include "../data/rfc5769.h"
#include "integrity.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LONG_TERM                                                              \
	RFC5769_LONG_TERM_USER ":" RFC5769_LONG_TERM_REALM                     \
			       ":" RFC5769_LONG_TERM_PASSWORD

struct vector {
	const uint8_t *data;
	size_t len;
	enum stun_class class;
	bool fingerprint, sha256;
	const char *mapped;
	uint8_t key[32];
	size_t key_len;
};

static struct vector vectors[] = {
    {.data = rfc5769_request,
	.len = sizeof(rfc5769_request),
	.class = STUN_REQUEST,
	.fingerprint = true,
	.key = RFC5769_PASSWORD,
	.key_len = sizeof(RFC5769_PASSWORD) - 1},
    {.data = rfc5769_ipv4,
	.len = sizeof(rfc5769_ipv4),
	.class = STUN_SUCCESS,
	.fingerprint = true,
	.mapped = "192.0.2.1:32853",
	.key = RFC5769_PASSWORD,
	.key_len = sizeof(RFC5769_PASSWORD) - 1},
    {.data = rfc5769_ipv6,
	.len = sizeof(rfc5769_ipv6),
	.class = STUN_SUCCESS,
	.fingerprint = true,
	.mapped = "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
	.key = RFC5769_PASSWORD,
	.key_len = sizeof(RFC5769_PASSWORD) - 1},
    {.data = rfc5769_long_term,
	.len = sizeof(rfc5769_long_term),
	.class = STUN_REQUEST,
	.key_len = 16},
    {.data = rfc8489_sha256,
	.len = sizeof(rfc8489_sha256),
	.class = STUN_REQUEST,
	.sha256 = true,
	.key_len = 32},
};

/* RFC 8489 section 9.2.2: the long-term keys. */
static int
setup(void **state)
{
	struct md5_ctx md5;

	(void)state;
	if (sodium_init() < 0)
		return -1;
	md5_init(&md5);
	md5_update(&md5, sizeof(LONG_TERM) - 1, (const uint8_t *)LONG_TERM);
	md5_digest(&md5, 16, vectors[3].key);
	return crypto_hash_sha256(
	    vectors[4].key, (const uint8_t *)LONG_TERM, sizeof(LONG_TERM) - 1);
}

/* A copy that ends at a guard page. */
static uint8_t *
guarded(const void *data, size_t len)
{
	uint8_t *p = sodium_malloc(len);

	assert_non_null(p);
	if (len > 0)
		memcpy(p, data, len);
	return p;
}

static int
check(const struct stun_msg *m, const struct vector *v)
{
	return v->sha256 ? stun_check_integrity_sha256(m, v->key, v->key_len)
			 : stun_check_integrity(m, v->key, v->key_len);
}

/* What a program that knows the key does. */
static bool
accepted(const uint8_t *data, size_t len, const struct vector *v)
{
	struct stun_msg m;

	return stun_parse(&m, data, len) == 0 &&
	       m.fingerprint == v->fingerprint && check(&m, v) == 0;
}

/* A message of the attributes in hex-like bytes after a right header. */
static size_t
message(uint8_t *out, const uint8_t *attrs, size_t len)
{
	static const uint8_t header[] = {0x01, 0x01, 0, 0, 0x21, 0x12, 0xa4,
	    0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

	memcpy(out, header, sizeof(header));
	put_u16(out + 2, (uint16_t)len);
	if (len > 0)
		memcpy(out + sizeof(header), attrs, len);
	return sizeof(header) + len;
}

static int
parse_attrs(struct stun_msg *m, uint8_t *buf, const uint8_t *attrs, size_t len)
{
	return stun_parse(m, buf, message(buf, attrs, len));
}

static void
test_not_stun(void **state)
{
	uint8_t wireguard[148] = {1}; /* a handshake initiation */
	uint8_t good[20], bad[24];
	struct stun_msg m;

	(void)state;
	assert_int_equal(message(good, NULL, 0), sizeof(good));
	assert_true(stun_is_stun(good, sizeof(good)));
	for (size_t len = 0; len < sizeof(good); len++) {
		uint8_t *p = guarded(good, len);

		assert_false(stun_is_stun(p, len));
		assert_int_equal(stun_parse(&m, p, len), -EBADMSG);
		sodium_free(p);
	}
	assert_false(stun_is_stun(NULL, 0));
	assert_int_equal(stun_parse(&m, NULL, 0), -EBADMSG);
	assert_false(stun_is_stun(wireguard, sizeof(wireguard)));
	for (unsigned int bit = 0; bit < 2; bit++) { /* not both zero */
		memcpy(bad, good, sizeof(good));
		bad[0] |= (uint8_t)(0x40u << bit);
		assert_false(stun_is_stun(bad, sizeof(good)));
	}
	for (size_t i = 4; i < 8; i++) { /* the cookie */
		memcpy(bad, good, sizeof(good));
		bad[i] ^= 0x10;
		assert_false(stun_is_stun(bad, sizeof(good)));
	}
	memcpy(bad, good, sizeof(good));
	memset(bad + 20, 0, 4);
	assert_false(stun_is_stun(bad, 24)); /* longer than it says */
	bad[3] = 8;
	assert_false(stun_is_stun(bad, 24)); /* shorter */
	bad[3] = 2;
	assert_false(stun_is_stun(bad, 22)); /* not a multiple of 4 */
	bad[3] = 4;
	assert_true(stun_is_stun(bad, 24));
}

/* Cut anywhere, and cut with a header that was made to agree. */
static void
test_truncated(void **state)
{
	struct stun_msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct vector *v = &vectors[i];

		for (size_t len = 0; len < v->len; len++) {
			uint8_t *p = guarded(v->data, len);

			assert_int_equal(stun_parse(&m, p, len), -EBADMSG);
			if (len >= STUN_HEADER_LEN)
				put_u16(
				    p + 2, (uint16_t)(len - STUN_HEADER_LEN));
			assert_false(accepted(p, len, v));
			sodium_free(p);
		}
	}
}

static void
test_bit_flips(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct vector *v = &vectors[i];
		uint8_t *p = guarded(v->data, v->len);

		assert_true(accepted(p, v->len, v));
		for (size_t bit = 0; bit < v->len * 8; bit++) {
			p[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (accepted(p, v->len, v))
				fail_msg("vector %zu, bit %zu", i, bit);
			p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		sodium_free(p);
	}
}

static void
test_bad_attributes(void **state)
{
	static const struct {
		uint8_t attrs[16];
		size_t len;
	} bad[] = {
	    {{0x80, 0x22, 0, 1}, 4}, /* no value */
	    {{0x80, 0x22, 0, 5, 1, 2, 3, 4}, 8},
	    {{0x80, 0x22, 0xff, 0xff}, 4}, /* padding wraps 16 bits */
	    {{0x80, 0x22, 0xff, 0xfd, 1, 2, 3, 4}, 8},
	    {{0x80, 0x22, 0, 4, 1, 2, 3, 4, 0x80, 0x22, 0, 4}, 12},
	    {{0x80, 0x28, 0, 0}, 4}, /* FINGERPRINT of no bytes */
	    {{0x80, 0x28, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0}, 12},
	    {{0x80, 0x28, 0, 4, 0, 0, 0, 0}, 8}, /* wrong */
	};
	uint8_t buf[64];
	struct stun_msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		memset(&m, 0x5a, sizeof(m));
		assert_int_equal(
		    parse_attrs(&m, buf, bad[i].attrs, bad[i].len), -EBADMSG);
		assert_int_equal(m.method, 0x5a5a); /* output only on success */
	}
}

/* Eight bytes that begin with the CRC of all before the last eight. */
static void
test_fingerprint_length(void **state)
{
	static const uint8_t attrs[] = {
	    0x80, 0x28, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0};
	uint8_t buf[64];
	size_t len = message(buf, attrs, sizeof(attrs));
	struct stun_msg m;

	(void)state;
	put_u32(buf + len - 8, integrity_fingerprint(buf, len - 8));
	assert_int_equal(stun_parse(&m, buf, len), -EBADMSG);
}

/* A right FINGERPRINT that something follows, be it another FINGERPRINT. */
static void
test_fingerprint_not_last(void **state)
{
	const uint8_t tid[STUN_TID_LEN] = {0};
	uint8_t buf[64];
	struct stun_buf b;
	struct stun_msg m;
	int len;

	(void)state;
	for (int after = 0; after < 3; after++) {
		stun_begin(
		    &b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST, tid);
		assert_true(stun_end(&b, true) > 0);
		if (after == 1)
			stun_put(&b, STUN_SOFTWARE, "x", 1);
		len = stun_end(&b, after == 2);
		assert_true(len > 0);
		assert_int_equal(stun_parse(&m, buf, (size_t)len),
		    after == 0 ? 0 : -EBADMSG);
	}
}

static void
test_vectors(void **state)
{
	char text[ADDR_STRLEN];
	struct stun_msg m;
	struct stun_attr a;
	struct addr mapped;

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct vector *v = &vectors[i];

		assert_int_equal(stun_parse(&m, v->data, v->len), 0);
		assert_int_equal(m.method, STUN_BINDING);
		assert_int_equal(m.class, v->class);
		assert_ptr_equal(m.tid, v->data + 8);
		assert_ptr_equal(m.raw, v->data);
		assert_int_equal(m.len, v->len);
		assert_int_equal(m.fingerprint, v->fingerprint);
		assert_int_equal(check(&m, v), 0);
		assert_int_equal(stun_check_integrity(&m, "wrong", 5),
		    v->sha256 ? -ENOENT : -EACCES);
		assert_int_equal(stun_check_integrity_sha256(&m, "wrong", 5),
		    v->sha256 ? -EACCES : -ENOENT);
		assert_int_equal(stun_get_mapped(&m, &mapped),
		    v->mapped != NULL ? 0 : -ENOENT);
		if (v->mapped != NULL)
			assert_string_equal(
			    addr_format(&mapped, text), v->mapped);
	}
	assert_int_equal(
	    stun_parse(&m, rfc5769_request, sizeof(rfc5769_request)), 0);
	assert_int_equal(stun_find(&m, STUN_USERNAME, &a), 0);
	assert_int_equal(a.len, 9); /* its padding is blanks, not zeros */
	assert_memory_equal(a.value, "evtj:h6vY", 9);
	assert_int_equal(
	    stun_parse(&m, rfc5769_long_term, sizeof(rfc5769_long_term)), 0);
	assert_int_equal(stun_find(&m, STUN_REALM, &a), 0);
	assert_int_equal(a.len, 11);
	assert_memory_equal(a.value, "example.org", 11);
}

static void
test_walk(void **state)
{
	static const uint16_t types[] = {STUN_SOFTWARE, STUN_PRIORITY,
	    STUN_ICE_CONTROLLED, STUN_USERNAME, STUN_MESSAGE_INTEGRITY,
	    STUN_FINGERPRINT};
	const uint8_t cut[] = {0x4e, 0x1c, 0, 0, 0x4e, 0x14, 0, 1, 7};
	struct stun_attr a = {0};
	struct stun_msg m;
	struct cursor c;
	uint8_t *p;

	(void)state;
	assert_int_equal(
	    stun_parse(&m, rfc5769_request, sizeof(rfc5769_request)), 0);
	stun_attrs(&c, &m);
	for (size_t i = 0; i < COUNT(types); i++) {
		assert_int_equal(stun_attr_next(&c, &a), 1);
		assert_int_equal(a.type, types[i]);
	}
	assert_int_equal(stun_attr_next(&c, &a), 0);
	assert_int_equal(stun_attr_next(&c, &a), 0);

	/* a list without a header, cut within its last attribute */
	for (size_t len = 0; len <= sizeof(cut); len++) {
		p = guarded(cut, len);
		cursor_init(&c, p, len);
		if (len >= 4) {
			assert_int_equal(stun_attr_next(&c, &a), 1);
			assert_int_equal(a.type, NATKIT_BYE);
			assert_int_equal(a.len, 0);
		}
		if (len == 0 || len == 4) {
			assert_int_equal(stun_attr_next(&c, &a), 0);
		} else {
			assert_int_equal(stun_attr_next(&c, &a), -EBADMSG);
			assert_int_equal(stun_attr_next(&c, &a), -EBADMSG);
		}
		sodium_free(p);
	}
}

/* RFC 8489 section 14.5: what stands behind the integrity is not protected by
 * it, and whoever puts an address there must not be believed. */
static void
test_after_integrity(void **state)
{
	const uint8_t tid[STUN_TID_LEN] = {0};
	const uint16_t known[] = {
	    STUN_MESSAGE_INTEGRITY, STUN_MESSAGE_INTEGRITY_SHA256};
	const struct addr evil = {.family = ADDR_V4, .ip = {6, 6, 6, 6}};
	uint8_t buf[256];
	struct stun_buf b;
	struct stun_msg m;
	struct stun_attr a;
	struct addr mapped;
	int len;

	(void)state;
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put(&b, STUN_SOFTWARE, "a", 1);
	stun_put_integrity(&b, "key", 3);
	stun_put(&b, STUN_USERNAME, "evil", 4);
	stun_put_integrity_sha256(&b, "key", 3);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &evil);
	stun_put(&b, 0x7777, NULL, 0);
	stun_put_integrity(&b, "key", 3);
	len = stun_end(&b, true);
	assert_true(len > 0);
	assert_int_equal(stun_parse(&m, buf, (size_t)len), 0);
	assert_int_equal(stun_check_integrity(&m, "key", 3), 0);
	assert_int_equal(stun_check_integrity_sha256(&m, "key", 3), 0);
	assert_int_equal(stun_find(&m, STUN_SOFTWARE, &a), 0);
	assert_int_equal(stun_find(&m, STUN_USERNAME, &a), -ENOENT);
	assert_int_equal(stun_get_mapped(&m, &mapped), -ENOENT);
	assert_int_equal(stun_unknown(&m, known, COUNT(known)), 0);
	assert_int_equal(stun_find(&m, STUN_FINGERPRINT, &a), 0);
}

/* Section 14.6: a tag of 16 to 32 bytes, over a length that ends with it. */
static void
test_truncated_sha256(void **state)
{
	const uint8_t tid[STUN_TID_LEN] = {0};
	uint8_t buf[128], mac[32];
	struct stun_buf b;
	struct stun_msg m;
	size_t before;
	uint8_t *p;

	(void)state;
	for (size_t len = 0; len <= 40; len++) {
		crypto_auth_hmacsha256_state hmac;

		stun_begin(
		    &b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST, tid);
		before = b.len;
		p = stun_put_space(&b, STUN_MESSAGE_INTEGRITY_SHA256, len);
		assert_non_null(p);
		put_u16(buf + 2, (uint16_t)(4 + len));
		crypto_auth_hmacsha256_init(&hmac, (const uint8_t *)"key", 3);
		crypto_auth_hmacsha256_update(&hmac, buf, before);
		crypto_auth_hmacsha256_final(&hmac, mac);
		memcpy(p, mac, len < sizeof(mac) ? len : sizeof(mac));
		put_u16(buf + 2, (uint16_t)(b.len - STUN_HEADER_LEN));
		assert_int_equal(stun_parse(&m, buf, b.len), 0);
		assert_int_equal(stun_check_integrity_sha256(&m, "key", 3),
		    len >= 16 && len <= 32 && len % 4 == 0 ? 0 : -EACCES);
	}
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST, tid);
	stun_put_space(&b, STUN_MESSAGE_INTEGRITY, 16);
	assert_int_equal(stun_parse(&m, buf, b.len), 0);
	assert_int_equal(stun_check_integrity(&m, "key", 3), -EACCES);
}

static void
test_bad_addresses(void **state)
{
	static const struct {
		uint8_t value[24];
		uint16_t len;
		int result;
	} t[] = {
	    {{0}, 0, -EBADMSG},
	    {{0, 1}, 2, -EBADMSG},
	    {{0, 1, 0, 1}, 4, -EBADMSG},
	    {{0, 1, 0, 1, 1, 2, 3}, 7, -EBADMSG},
	    {{0, 1, 0, 1, 1, 2, 3, 4}, 8, 0},
	    {{9, 1, 0, 1, 1, 2, 3, 4}, 8, 0}, /* byte 0 is ignored */
	    {{0, 1, 0, 1, 1, 2, 3, 4}, 9, -EBADMSG},
	    {{0, 1}, 20, -EBADMSG},
	    {{0, 2}, 8, -EBADMSG},
	    {{0, 2}, 19, -EBADMSG},
	    {{0, 2}, 20, 0},
	    {{0, 2}, 21, -EBADMSG},
	    {{0, 0}, 8, -EPROTONOSUPPORT},
	    {{0, 3}, 20, -EPROTONOSUPPORT},
	};
	const uint8_t tid[STUN_TID_LEN] = {0};
	struct stun_attr a;
	struct addr out;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		uint8_t *p = guarded(t[i].value, t[i].len);

		a = (struct stun_attr){.len = t[i].len, .value = p};
		assert_int_equal(stun_get_addr(&a, &out), t[i].result);
		assert_int_equal(stun_get_xor_addr(&a, tid, &out), t[i].result);
		sodium_free(p);
	}
}

/* Present but bad is an error, never a fall-back to a lesser attribute. */
static void
test_mapped(void **state)
{
	static const uint8_t both[] = {
	    0, 1, 0, 8, 0, 1, 0, 7, 192, 0, 2, 9, 0, 0x20, 0, 4, 0, 3, 0, 0};
	static const uint8_t plain[] = {0, 1, 0, 8, 0, 1, 0, 7, 192, 0, 2, 9};
	char text[ADDR_STRLEN];
	uint8_t buf[64];
	struct stun_msg m;
	struct addr a;

	(void)state;
	assert_int_equal(parse_attrs(&m, buf, both, sizeof(both)), 0);
	assert_int_equal(stun_get_mapped(&m, &a), -EBADMSG);
	assert_int_equal(parse_attrs(&m, buf, plain, sizeof(plain)), 0);
	assert_int_equal(stun_get_mapped(&m, &a), 0);
	assert_string_equal(addr_format(&a, text), "192.0.2.9:7");
}

static void
test_error_code(void **state)
{
	static const struct {
		uint8_t attrs[8];
		size_t len;
		int result;
	} t[] = {
	    {{0}, 0, -EBADMSG},
	    {{0, 9, 0, 3, 0, 0, 4}, 8, -EBADMSG},
	    {{0, 9, 0, 4, 0, 0, 2, 99}, 8, -EBADMSG},
	    {{0, 9, 0, 4, 0, 0, 7, 0}, 8, -EBADMSG},
	    {{0, 9, 0, 4, 0, 0, 4, 100}, 8, -EBADMSG},
	    {{0, 9, 0, 4, 0, 0, 3, 0}, 8, 300},
	    {{0, 9, 0, 4, 0, 0, 4, 38}, 8, 438},
	    {{0, 9, 0, 4, 0, 0, 6, 99}, 8, 699},
	    /* 21 reserved bits */
	    {{0, 9, 0, 4, 0xff, 0xff, 0xfc, 1}, 8, 401},
	};
	uint8_t buf[64];
	struct stun_msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		assert_int_equal(parse_attrs(&m, buf, t[i].attrs, t[i].len), 0);
		if (t[i].len == 0)
			assert_int_equal(m.class, STUN_SUCCESS);
		assert_int_equal(stun_get_error(&m), t[i].result);
	}
}

static void
test_unknown(void **state)
{
	static const uint8_t attrs[] = {
	    0x80, 0x00, 0, 0, 0, 6, 0, 0, 0x7f, 0xff, 0, 0, 0x12, 0x34, 0, 0};
	static const uint16_t known[] = {0x7fff, STUN_USERNAME, 0x1234};
	uint8_t buf[64];
	struct stun_msg m;

	(void)state;
	assert_int_equal(parse_attrs(&m, buf, attrs, sizeof(attrs)), 0);
	assert_int_equal(stun_unknown(&m, NULL, 0), STUN_USERNAME);
	assert_int_equal(stun_unknown(&m, known, 1), STUN_USERNAME);
	assert_int_equal(stun_unknown(&m, known, 2), 0x1234);
	assert_int_equal(stun_unknown(&m, known + 1, 1), 0x7fff);
	assert_int_equal(stun_unknown(&m, known, 3), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_not_stun),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_bit_flips),
	    cmocka_unit_test(test_bad_attributes),
	    cmocka_unit_test(test_fingerprint_length),
	    cmocka_unit_test(test_fingerprint_not_last),
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_walk),
	    cmocka_unit_test(test_after_integrity),
	    cmocka_unit_test(test_truncated_sha256),
	    cmocka_unit_test(test_bad_addresses),
	    cmocka_unit_test(test_mapped),
	    cmocka_unit_test(test_error_code),
	    cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

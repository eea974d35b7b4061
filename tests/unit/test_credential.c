/* SPDX-License-Identifier: ISC */
/* Names that say until when, passwords that follow from a secret, nonces that
 * prove an address. */
#include "credential.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "addr_fixture.h"

#define SECRET "correct horse battery staple"
#define KEY_A "CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
#define KEY_ZERO "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define NAME "1700000000:" KEY_A ":" KEY_B

static struct credential_secret
secret(const char *text)
{
	struct credential_secret s = {.len = strlen(text)};

	memcpy(s.bytes, text, s.len);
	return s;
}

static int
load(const char *text, size_t len, struct credential_secret *out)
{
	char path[] = "/tmp/test_credential.XXXXXX";
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	rc = credential_load(out, path);
	if (rc == 0) { /* mkstemp's mode is 0600 */
		assert_false(out->loose);
		assert_int_equal(fchmod(fd, 0644), 0);
		assert_int_equal(credential_load(out, path), 0);
		assert_true(out->loose);
	}
	close(fd);
	unlink(path);
	return rc;
}

static void
secret_files_that_are_refused(void **state)
{
	struct credential_secret s = secret("untouched untouched");
	char text[CREDENTIAL_SECRET_MAX + 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(credential_load(&s, "/nonexistent/s"), -ENOENT);
	assert_int_equal(credential_load(&s, "/"), -EISDIR);
	assert_int_equal(load("", 0, &s), -EINVAL);
	assert_int_equal(load("\n0123456789abcdef", 17, &s), -EINVAL);
	assert_int_equal(load(text, CREDENTIAL_SECRET_MIN - 1, &s), -EINVAL);
	assert_int_equal(load(text, CREDENTIAL_SECRET_MAX + 1, &s), -EINVAL);
	assert_int_equal(load(text, sizeof(text), &s), -EINVAL);
	/* a secret that another program would read otherwise */
	assert_int_equal(load("0123456789abcdef\r\n", 18, &s), -EINVAL);
	assert_int_equal(load("0123456789abcde\0f", 17, &s), -EINVAL);
	assert_memory_equal(s.bytes, "untouched", 9);
}

static void
secret_files_that_are_taken(void **state)
{
	struct credential_secret s;
	char text[CREDENTIAL_SECRET_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(load("0123456789abcdef", 16, &s), 0);
	assert_int_equal(s.len, 16);
	assert_int_equal(load("0123456789 abcdef\nmore\n", 23, &s), 0);
	assert_int_equal(s.len, 17);
	assert_memory_equal(s.bytes, "0123456789 abcdef", 17);
	assert_int_equal(load(text, sizeof(text), &s), 0);
	assert_int_equal(s.len, CREDENTIAL_SECRET_MAX);
}

static void
pair_names_that_are_none(void **state)
{
	static const char *const bad[] = {"", ":", "1700000000",
	    ":" KEY_A ":" KEY_B, NAME ":", NAME "x", " " NAME, "0" NAME,
	    "+" NAME, "-1:" KEY_A ":" KEY_B, "1e9:" KEY_A ":" KEY_B,
	    "18446744073709551616:" KEY_A ":" KEY_B, "1:" KEY_A, "1:" KEY_A ":",
	    "1:" KEY_A "," KEY_B, "1;" KEY_A ":" KEY_B,
	    "1:" KEY_ZERO ":" KEY_B, /* low order */
	    "1:" KEY_A ":" KEY_ZERO, "1:" KEY_A ":" KEY_A,
	    /* another spelling of the same bits */
	    "1:CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=:" KEY_B};
	struct credential_pair c = {.expiry_s = 7};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(credential_pair_parse(&c,
				     (const uint8_t *)bad[i], strlen(bad[i])),
		    -EBADMSG);
	/* every cut-off one; a NUL is no end */
	for (size_t n = 0; n < strlen(NAME); n++)
		assert_int_equal(
		    credential_pair_parse(&c, (const uint8_t *)NAME, n),
		    -EBADMSG);
	assert_int_equal(
	    credential_pair_parse(&c, (const uint8_t *)NAME, sizeof(NAME)),
	    -EBADMSG);
	assert_int_equal(c.expiry_s, 7);
}

static void
pair_names_round_trip(void **state)
{
	struct credential_pair c;
	char name[CREDENTIAL_NAME_MAX];

	(void)state;
	assert_int_equal(
	    credential_pair_parse(&c, (const uint8_t *)NAME, strlen(NAME)), 0);
	assert_int_equal(c.expiry_s, 1700000000);
	assert_int_equal(c.key[0], 9);
	assert_int_equal(c.peer[0], 0x42);
	credential_pair_name(&c, name);
	assert_string_equal(name, NAME);
	c.expiry_s = UINT64_MAX; /* the longest */
	credential_pair_name(&c, name);
	assert_int_equal(
	    credential_pair_parse(&c, (const uint8_t *)name, strlen(name)), 0);
	assert_true(c.expiry_s == UINT64_MAX);
}

/* Computed with Python's hashlib. */
static void
pair_password_is_the_documented_one(void **state)
{
	struct credential_secret s = secret(SECRET), t = secret(SECRET "!");
	char a[CREDENTIAL_PASSWORD_LEN + 1], b[CREDENTIAL_PASSWORD_LEN + 1];

	(void)state;
	credential_pair_password(&s, NAME, a);
	assert_string_equal(a, "i6VrptZ5fhVO7jPfeN0dO5/F+TIzkAO+uRknAbI+Kbw=");
	credential_pair_password(&t, NAME, b);
	assert_string_not_equal(a, b);
	/* the other role's is another one */
	credential_pair_password(&s, "1700000000:" KEY_B ":" KEY_A, b);
	assert_string_not_equal(a, b);
}

static int
turn(struct credential_turn *c, const char *name)
{
	return credential_turn_parse(c, (const uint8_t *)name, strlen(name));
}

static void
turn_names(void **state)
{
	static const char *const bad[] = {"", ":", ":bob", "x", "bob:1", "01",
	    "1:", "1-", "1 ", "-1", "1 bob", "1xbob", "1:bo\nb", "1:bo\x7f",
	    "18446744073709551616"};
	struct credential_turn c = {.expiry_s = 7};
	char longest[CREDENTIAL_USER_MAX + 4] = "1:";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(turn(&c, bad[i]), -EBADMSG);
	memset(longest + 2, 'u', CREDENTIAL_USER_MAX + 1);
	assert_int_equal(turn(&c, longest), -EBADMSG);
	assert_int_equal(
	    credential_turn_parse(&c, (const uint8_t *)"1:b\0b", 5), -EBADMSG);
	assert_int_equal(c.expiry_s, 7);
	assert_int_equal(turn(&c, "1700000000"), 0);
	assert_int_equal(c.expiry_s, 1700000000);
	assert_string_equal(c.user, "");
	assert_int_equal(turn(&c, "6-bob"), 0);
	assert_int_equal(c.expiry_s, 6);
	assert_string_equal(c.user, "bob");
	assert_int_equal(turn(&c, "5:a:b c"), 0);
	assert_int_equal(c.expiry_s, 5);
	assert_string_equal(c.user, "a:b c");
	longest[2 + CREDENTIAL_USER_MAX] = '\0';
	assert_int_equal(turn(&c, longest), 0);
	assert_string_equal(c.user, longest + 2);
}

/* What coturn's use-auth-secret computes; the value is Python's hmac. */
static void
turn_password_is_coturns(void **state)
{
	struct credential_secret s = secret(SECRET);
	char password[CREDENTIAL_TURN_PASSWORD_LEN + 1];

	(void)state;
	credential_turn_password(&s, "1700000000:alice", password);
	assert_string_equal(password, "2fHPp3DoKFH1wrDpnWx1AvX3eMY=");
}

static void
nonce_is_wrong(void **state)
{
	struct addr a = at("192.0.2.1:1000"), port = at("192.0.2.1:1001"),
		    ip = at("192.0.2.2:1000"), v6 = at("[2001:db8::1]:1000");
	char nonce[CREDENTIAL_NONCE_LEN + 1], bad[CREDENTIAL_NONCE_LEN + 1];
	const uint8_t *n = (const uint8_t *)nonce;
	struct nonces ours, others, features;
	uint64_t given = 99;

	(void)state;
	nonces_init(&ours);
	nonces_init(&others);
	features = ours;
	features.features = 1;
	nonces_make(&ours, &a, 5000, nonce);
	assert_int_equal(strlen(nonce), CREDENTIAL_NONCE_LEN);
	assert_false(nonces_check(&ours, &port, 5000, n, 32));
	assert_false(nonces_check(&ours, &ip, 5000, n, 32));
	assert_false(nonces_check(&ours, &v6, 5000, n, 32));
	assert_false(nonces_check(&others, &a, 5000, n, 32));
	assert_false(nonces_check(&features, &a, 5000, n, 32));
	assert_false(nonces_check(&ours, &a, 5000, n, 31));
	assert_false(nonces_check(&ours, &a, 5000, n, 0));
	/* no character may be another one, also not one that decodes alike */
	for (size_t i = 0; i < CREDENTIAL_NONCE_LEN; i++) {
		for (int c = 0; c < 256; c++) {
			memcpy(bad, nonce, sizeof(bad));
			if (bad[i] == (char)c)
				continue;
			bad[i] = (char)c;
			assert_int_equal(
			    nonces_look(&ours, &a, 5000, (const uint8_t *)bad,
				CREDENTIAL_NONCE_LEN, &given),
			    NONCE_WRONG);
		}
	}
	assert_int_equal(given, 99);
}

static void
nonce_ages(void **state)
{
	struct addr a = at("[2001:db8::1]:1000");
	uint64_t then = (UINT64_C(1) << 40) - 1000, given;
	char nonce[CREDENTIAL_NONCE_LEN + 1];
	const uint8_t *n = (const uint8_t *)nonce;
	struct nonces ours;

	(void)state;
	nonces_init(&ours);
	nonces_make(&ours, &a, then, nonce);
	assert_true(nonces_check(&ours, &a, then, n, 32));
	/* over the end of its clock */
	assert_true(
	    nonces_check(&ours, &a, then + CREDENTIAL_NONCE_MS - 1, n, 32));
	assert_int_equal(
	    nonces_look(&ours, &a, then + CREDENTIAL_NONCE_MS, n, 32, &given),
	    NONCE_STALE);
	assert_true(given == then);
	assert_int_equal(
	    nonces_look(&ours, &a, then - 1, n, 32, &given), NONCE_STALE);
}

static void
nonce_tells_features(void **state)
{
	struct addr a = at("192.0.2.1:1000");
	char nonce[CREDENTIAL_NONCE_LEN + 1];
	struct nonces ours;

	(void)state;
	nonces_init(&ours);
	nonces_make(&ours, &a, 0, nonce);
	assert_memory_equal(nonce, "obMatJos2AAAA", 13);
	ours.features = 0x800000;
	nonces_make(&ours, &a, 0, nonce);
	assert_memory_equal(nonce, "obMatJos2gAAA", 13);
	assert_true(nonces_check(&ours, &a, 0, (uint8_t *)nonce, 32));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(secret_files_that_are_refused),
	    cmocka_unit_test(secret_files_that_are_taken),
	    cmocka_unit_test(pair_names_that_are_none),
	    cmocka_unit_test(pair_names_round_trip),
	    cmocka_unit_test(pair_password_is_the_documented_one),
	    cmocka_unit_test(turn_names),
	    cmocka_unit_test(turn_password_is_coturns),
	    cmocka_unit_test(nonce_is_wrong),
	    cmocka_unit_test(nonce_ages),
	    cmocka_unit_test(nonce_tells_features),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

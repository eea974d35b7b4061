/* SPDX-License-Identifier: ISC */
/* Keys: which texts and files are one, and which points are none. */
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* RFC 7748 section 6.1: Alice's pair */
#define PRIVATE "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
#define PUBLIC "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="

/* https://cr.yp.to/ecdh.html#validate, in its order: 0, 1, the two of order
 * 8, p-1, p, p+1, p plus each of order 8, 2p-1, 2p, 2p+1 */
static const char *const low_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "cdeb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
    "4c9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
    "d9ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "daffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "dbffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};
#define LOW_ORDER (sizeof(low_order) / sizeof(low_order[0]))

static char dir[] = "/tmp/natkit-test-key-XXXXXX";
static char path[sizeof(dir) + 8];

static void
unhex(uint8_t out[KEY_LEN], const char *hex)
{
	size_t len;

	assert_int_equal(0,
	    sodium_hex2bin(out, KEY_LEN, hex, strlen(hex), NULL, &len, NULL));
	assert_int_equal(KEY_LEN, len);
}

static void
low_order_refused(void **state)
{
	uint8_t key[KEY_LEN], out[KEY_LEN], untouched[KEY_LEN];
	char text[KEY_STRLEN];
	size_t i;

	(void)state;
	memset(out, 0xa5, sizeof(out));
	memcpy(untouched, out, sizeof(out));
	for (i = 0; i < LOW_ORDER; i++) {
		unhex(key, low_order[i]);
		assert_true(key_is_low_order(key));
		assert_int_equal(
		    -EINVAL, key_parse_public(out, key_format(key, text)));
		if (i >= 7)
			continue;
		key[KEY_LEN - 1] ^= 0x80; /* which X25519 ignores */
		assert_true(key_is_low_order(key));
		assert_int_equal(
		    -EINVAL, key_parse_public(out, key_format(key, text)));
	}
	assert_memory_equal(untouched, out, sizeof(out));
}

/* The list against the arithmetic: X25519 of a low-order point is zero, and
 * libsodium says so. */
static void
low_order_list_is_right(void **state)
{
	uint8_t key[KEY_LEN], secret[KEY_LEN], out[KEY_LEN];
	int i, small;

	(void)state;
	randombytes_buf(secret, sizeof(secret));
	for (i = 0; i < 7; i++) {
		unhex(key, low_order[i]);
		assert_int_not_equal(0, crypto_scalarmult(out, secret, key));
	}
	memset(key, 0, sizeof(key));
	for (i = 0; i < 256; i++) {
		key[0] = (uint8_t)i;
		small = crypto_scalarmult(out, secret, key) != 0;
		assert_int_equal(small, key_is_low_order(key));
	}
	memset(key, 0xff, sizeof(key));
	key[KEY_LEN - 1] = 0x7f;
	for (i = 0; i < 256; i++) {
		key[0] = (uint8_t)i;
		small = crypto_scalarmult(out, secret, key) != 0;
		assert_int_equal(small, key_is_low_order(key));
	}
}

static void
bad_text(void **state)
{
	static const char *const bad[] = {
	    "",
	    "=",
	    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo",   /* no pad */
	    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo==", /* two */
	    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTm==",  /* 31 bytes */
	    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmoA",  /* 33 bytes */
	    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=",  /* stray bit */
	    "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo=",  /* base64url */
	    " hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
	    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo= ",
	    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n",
	    "hSDwCYkwp1R0i33ctD73Wg2/ g0mOBr066SpjqqbTmo=",
	    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTm\xc3\xb6",
	};
	uint8_t key[KEY_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(-EBADMSG, key_parse_public(key, bad[i]));
}

/* Found by fuzz_key: libsodium's decoder takes bytes above 0x7f. */
static void
bad_byte(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijk"
				       "lmnopqrstuvwxyz0123456789+/";
	char text[] = PUBLIC;
	uint8_t key[KEY_LEN];
	int c, at;

	(void)state;
	for (at = 0; at < 43; at++) {
		for (c = 1; c < 256; c++) {
			if (strchr(alphabet, c) != NULL)
				continue;
			text[at] = (char)c;
			assert_int_equal(-EBADMSG, key_parse_public(key, text));
		}
		text[at] = PUBLIC[at];
	}
	assert_int_equal(0, key_parse_public(key, text));
}

static void
text_and_back(void **state)
{
	uint8_t key[KEY_LEN], other[KEY_LEN];
	char text[KEY_STRLEN];

	(void)state;
	assert_int_equal(0, key_parse_public(key, PUBLIC));
	assert_string_equal(PUBLIC, key_format(key, text));
	memcpy(other, key, sizeof(key));
	assert_true(key_equal(key, other));
	other[KEY_LEN - 1] ^= 1;
	assert_false(key_equal(key, other));
}

static void
file_with(const char *content, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(-1, fd);
	assert_int_equal(len, write(fd, content, len));
	assert_int_equal(0, fchmod(fd, mode));
	close(fd);
}

static int
load(const char *content, size_t len)
{
	uint8_t key[KEY_LEN], pub[KEY_LEN];
	bool loose;

	file_with(content, len, 0600);
	return key_load(key, pub, path, &loose);
}

static void
bad_file(void **state)
{
	char zero[KEY_STRLEN], nul[KEY_STRLEN];
	uint8_t key[KEY_LEN] = {0}, pub[KEY_LEN];
	bool loose;

	(void)state;
	assert_int_equal(-EBADMSG, load("", 0));
	assert_int_equal(-EBADMSG, load("\n", 1));
	assert_int_equal(-EBADMSG, load(PRIVATE, 43));
	assert_int_equal(-EBADMSG, load(PRIVATE "\n\n", 46));
	assert_int_equal(-EBADMSG, load(PRIVATE "\r\n", 46));
	assert_int_equal(-EBADMSG, load(PRIVATE " ", 45));
	assert_int_equal(-EBADMSG, load(" " PRIVATE, 45));
	assert_int_equal(-EBADMSG, load(PRIVATE "\n" PRIVATE "\n", 90));
	memcpy(nul, PRIVATE, KEY_STRLEN);
	assert_int_equal(-EBADMSG, load(nul, KEY_STRLEN)); /* with its NUL */
	nul[20] = '\0';
	assert_int_equal(-EBADMSG, load(nul, KEY_STRLEN - 1));
	key_format(key, zero);
	assert_int_equal(-EBADMSG, load(zero, KEY_STRLEN - 1));
	assert_int_equal(0, unlink(path));
	assert_int_equal(-ENOENT, key_load(key, pub, path, &loose));
	assert_int_equal(-EISDIR, key_load(key, pub, dir, &loose));
}

static void
good_file(void **state)
{
	uint8_t key[KEY_LEN], pub[KEY_LEN];
	char text[KEY_STRLEN];
	bool loose = true;

	(void)state;
	file_with(PRIVATE, 44, 0600);
	assert_int_equal(0, key_load(key, pub, path, &loose));
	assert_false(loose);
	assert_string_equal(PRIVATE, key_format(key, text));
	assert_string_equal(PUBLIC, key_format(pub, text));
	file_with(PRIVATE "\n", 45, 0640);
	assert_int_equal(0, key_load(key, pub, path, &loose));
	assert_true(loose);
	file_with(PRIVATE "\n", 45, 0604);
	assert_int_equal(0, key_load(key, pub, path, &loose));
	assert_true(loose);
	file_with(PRIVATE "\n", 45, 0400);
	assert_int_equal(0, key_load(key, pub, path, &loose));
	assert_false(loose);
}

static void
from_standard_input(void **state)
{
	uint8_t key[KEY_LEN], pub[KEY_LEN];
	char text[KEY_STRLEN];
	bool loose = true;
	int fds[2], saved;

	(void)state;
	assert_int_equal(0, pipe(fds));
	assert_int_equal(20, write(fds[1], PRIVATE, 20));
	assert_int_equal(25, write(fds[1], &(PRIVATE "\n")[20], 25));
	close(fds[1]);
	saved = dup(STDIN_FILENO);
	assert_int_equal(0, dup2(fds[0], STDIN_FILENO));
	assert_int_equal(0, key_load(key, pub, "-", &loose));
	assert_false(loose);
	assert_string_equal(PUBLIC, key_format(pub, text));
	assert_int_equal(0, fcntl(STDIN_FILENO, F_GETFD)); /* still open */
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(fds[0]);
}

static int
server(const char *text, char **host, char **port)
{
	static char buf[512];
	uint8_t key[KEY_LEN];

	assert_true(strlen(text) < sizeof(buf));
	memcpy(buf, text, strlen(text) + 1);
	return key_parse_server(buf, key, host, port);
}

static void
bad_server(void **state)
{
	static const char *const bad[] = {
	    "",
	    "@",
	    "host:1",
	    PUBLIC,
	    PUBLIC "@",
	    PUBLIC "@host",
	    PUBLIC "@host:",
	    PUBLIC "@:1",
	    PUBLIC "@host:0",
	    PUBLIC "@host:65536",
	    PUBLIC "@host:100000",
	    PUBLIC "@host:+1",
	    PUBLIC "@host:1 ",
	    PUBLIC "@host:http",
	    PUBLIC "@ho st:1",
	    PUBLIC "@host\n:1",
	    PUBLIC "@user@host:1",
	    PUBLIC "@2001:db8::1:1",
	    PUBLIC "@[2001:db8::1]",
	    PUBLIC "@[2001:db8::1]1",
	    PUBLIC "@[2001:db8::1:1",
	    PUBLIC "@[]:1",
	    PUBLIC "@[192.0.2.1]:1",
	    PUBLIC " @host:1",
	    "x" PUBLIC "@host:1",
	    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo@host:1",
	    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=@host:1",
	};
	char *host = NULL, *port = NULL, text[400];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(-EBADMSG, server(bad[i], &host, &port));
	assert_int_equal(-EINVAL,
	    server("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@host:1", &host,
		&port));
	snprintf(text, sizeof(text), PUBLIC "@%0254d:1", 0);
	assert_int_equal(-EBADMSG, server(text, &host, &port));
	assert_null(host);
	assert_null(port);
}

static void
good_server(void **state)
{
	uint8_t key[KEY_LEN], want[KEY_LEN];
	char text[] = PUBLIC "@rv.example.net:3478";
	char *host, *port;

	(void)state;
	assert_int_equal(0, key_parse_server(text, key, &host, &port));
	assert_int_equal(0, key_parse_public(want, PUBLIC));
	assert_memory_equal(want, key, KEY_LEN);
	assert_string_equal("rv.example.net", host);
	assert_string_equal("3478", port);
	assert_int_equal(
	    0, server(PUBLIC "@[2001:db8::1]:65535", &host, &port));
	assert_string_equal("2001:db8::1", host);
	assert_string_equal("65535", port);
	assert_int_equal(0, server(PUBLIC "@[fe80::1%eth0]:1", &host, &port));
	assert_string_equal("fe80::1%eth0", host);
	assert_int_equal(0, server(PUBLIC "@192.0.2.1:1", &host, &port));
	assert_string_equal("192.0.2.1", host);
}

static void
completed_server(void **state)
{
	char out[KEY_SERVER_STRLEN] = "", text[400];

	(void)state;
	assert_int_equal(-EBADMSG, key_complete_server(out, PUBLIC "@host:"));
	assert_int_equal(-EBADMSG, key_complete_server(out, PUBLIC "@::1"));
	assert_int_equal(
	    -EINVAL, key_complete_server(out,
			 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@host"));
	snprintf(text, sizeof(text), PUBLIC "@%0254d", 0);
	assert_int_equal(-EBADMSG, key_complete_server(out, text));
	assert_string_equal("", out);
	assert_int_equal(0, key_complete_server(out, PUBLIC "@host"));
	assert_string_equal(PUBLIC "@host:3478", out);
	assert_int_equal(0, key_complete_server(out, PUBLIC "@[::1]"));
	assert_string_equal(PUBLIC "@[::1]:3478", out);
	assert_int_equal(0, key_complete_server(out, PUBLIC "@host:1"));
	assert_string_equal(PUBLIC "@host:1", out);
	snprintf(text, sizeof(text), PUBLIC "@[:%0252d]:12345", 0);
	assert_int_equal(KEY_SERVER_STRLEN - 1, strlen(text)); /* the longest */
	assert_int_equal(0, key_complete_server(out, text));
	assert_string_equal(text, out);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(low_order_refused),
	    cmocka_unit_test(low_order_list_is_right),
	    cmocka_unit_test(bad_text),
	    cmocka_unit_test(bad_byte),
	    cmocka_unit_test(text_and_back),
	    cmocka_unit_test(bad_file),
	    cmocka_unit_test(good_file),
	    cmocka_unit_test(from_standard_input),
	    cmocka_unit_test(bad_server),
	    cmocka_unit_test(good_server),
	    cmocka_unit_test(completed_server),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, setup, teardown);
}

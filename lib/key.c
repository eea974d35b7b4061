/* SPDX-License-Identifier: ISC */
/* X25519 keys in WireGuard's form (RFC 7748, RFC 4648 section 4). */
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "secretfile.h"

#define HOST_MAX 253 /* octets of a name, RFC 1035 section 2.3.4 */

/* The points of order 1, 2, 4 and 8 on the curve and its twist, in every
 * encoding: https://cr.yp.to/ecdh.html#validate. X25519 ignores the top bit
 * (RFC 7748 section 5), so it is not compared; the last five are low-order for
 * who does not ignore it, and worth nothing to anyone. */
static const uint8_t low_order[][KEY_LEN] = {
    {0}, /* 0, order 4 */
    {1}, /* 1, order 1 */
    /* order 8 */
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa,
	0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd,
	0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    /* order 8, the other */
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55,
	0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86,
	0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
#define FF8 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define FF30 FF8, FF8, FF8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
    {0xec, FF30, 0x7f}, /* p - 1, order 2 */
    {0xed, FF30, 0x7f}, /* p, which is 0 */
    {0xee, FF30, 0x7f}, /* p + 1, which is 1 */
    /* p + the first of order 8 */
    {0xcd, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa,
	0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd,
	0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x80},
    /* p + the second of order 8 */
    {0x4c, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55,
	0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86,
	0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0xd7},
    {0xd9, FF30, 0xff}, /* 2p - 1 */
    {0xda, FF30, 0xff}, /* 2p */
    {0xdb, FF30, 0xff}, /* 2p + 1 */
};
#define LOW_ORDER_MASKED 7 /* so many of them are compared without top bit */
#define LOW_ORDER_ALL (sizeof(low_order) / sizeof(low_order[0]))

bool
key_is_low_order(const uint8_t key[KEY_LEN])
{
	uint8_t masked[KEY_LEN];
	size_t i;

	memcpy(masked, key, KEY_LEN);
	masked[KEY_LEN - 1] &= 0x7f;
	for (i = 0; i < LOW_ORDER_MASKED; i++)
		if (memcmp(masked, low_order[i], KEY_LEN) == 0)
			return true;
	for (; i < LOW_ORDER_ALL; i++)
		if (memcmp(key, low_order[i], KEY_LEN) == 0)
			return true;
	return false;
}

bool
key_equal(const uint8_t a[KEY_LEN], const uint8_t b[KEY_LEN])
{
	return sodium_memcmp(a, b, KEY_LEN) == 0;
}

const char *
key_format(const uint8_t key[KEY_LEN], char buf[KEY_STRLEN])
{
	return sodium_bin2base64(
	    buf, KEY_STRLEN, key, KEY_LEN, sodium_base64_VARIANT_ORIGINAL);
}

/* What decodes has to encode to the same text, so that each key has one:
 * libsodium 1.0.18 takes bytes above 0x7f for letters. */
static int
decode(uint8_t out[KEY_LEN], const char *text, size_t len)
{
	uint8_t raw[KEY_LEN];
	char again[KEY_STRLEN];
	size_t raw_len;
	int rc = -EBADMSG;

	if (len == KEY_STRLEN - 1 &&
	    sodium_base642bin(raw, sizeof(raw), text, len, NULL, &raw_len, NULL,
		sodium_base64_VARIANT_ORIGINAL) == 0 &&
	    raw_len == KEY_LEN &&
	    sodium_memcmp(key_format(raw, again), text, len) == 0) {
		memcpy(out, raw, KEY_LEN);
		rc = 0;
	}
	sodium_memzero(raw, sizeof(raw));
	sodium_memzero(again, sizeof(again));
	return rc;
}

int
key_parse_public(uint8_t out[KEY_LEN], const char *text)
{
	uint8_t key[KEY_LEN];
	int rc;

	rc = decode(key, text, strnlen(text, KEY_STRLEN));
	if (rc != 0)
		return rc;
	if (key_is_low_order(key))
		return -EINVAL;
	memcpy(out, key, KEY_LEN);
	return 0;
}

/* buf has room for more than a key and its newline, so that what follows
 * them is seen, and refused. */
static int
load_fd(uint8_t out[KEY_LEN], int fd)
{
	char buf[KEY_STRLEN + 1];
	ssize_t len;
	int rc;

	len = secretfile_read(fd, buf, sizeof(buf));
	if (len < 0) {
		rc = (int)len;
	} else {
		if (len == KEY_STRLEN && buf[KEY_STRLEN - 1] == '\n')
			len--;
		rc = decode(out, buf, (size_t)len);
	}
	sodium_memzero(buf, sizeof(buf));
	return rc;
}

int
key_load(
    uint8_t out[KEY_LEN], uint8_t pub[KEY_LEN], const char *path, bool *loose)
{
	uint8_t key[KEY_LEN];
	bool is_stdin = strcmp(path, "-") == 0;
	int fd, rc;

	fd = is_stdin ? STDIN_FILENO
		      : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return -errno;
	rc = load_fd(key, fd);
	if (rc == 0 && key_is_low_order(key))
		rc = -EBADMSG;
	if (rc == 0) {
		crypto_scalarmult_base(pub, key);
		memcpy(out, key, KEY_LEN);
		*loose = secretfile_is_loose(fd);
	}
	sodium_memzero(key, sizeof(key));
	if (!is_stdin)
		close(fd);
	return rc;
}

static bool
port_ok(const char *port)
{
	size_t len = strspn(port, "0123456789");
	unsigned long n;

	if (len == 0 || len > 5 || port[len] != '\0')
		return false;
	n = strtoul(port, NULL, 10);
	return n >= 1 && n <= UINT16_MAX;
}

/* What a resolver may be asked for. */
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

int
key_parse_server(char *text, uint8_t key[KEY_LEN], char **host, char **port)
{
	char key_text[KEY_STRLEN];
	char *h, *end;
	size_t len;
	int rc;

	if (strnlen(text, KEY_STRLEN) < KEY_STRLEN ||
	    text[KEY_STRLEN - 1] != '@')
		return -EBADMSG;
	h = text + KEY_STRLEN;
	if (*h == '[') {
		h++;
		len = strspn(h, ALNUM ":.%_-");
		if (h[len] != ']' || memchr(h, ':', len) == NULL)
			return -EBADMSG;
		end = h + len + 1;
	} else {
		len = strspn(h, ALNUM "._-");
		end = h + len;
	}
	if (len == 0 || len > HOST_MAX || *end != ':' || !port_ok(end + 1))
		return -EBADMSG;
	memcpy(key_text, text, KEY_STRLEN - 1);
	key_text[KEY_STRLEN - 1] = '\0';
	rc = key_parse_public(key, key_text);
	if (rc != 0)
		return rc;
	h[len] = '\0';
	*host = h;
	*port = end + 1;
	return 0;
}

int
key_complete_server(char out[KEY_SERVER_STRLEN], const char *text)
{
	char full[KEY_SERVER_STRLEN], parts[KEY_SERVER_STRLEN], *host, *port;
	uint8_t key[KEY_LEN];
	int len, rc = -EBADMSG;

	for (int i = 0; i < 2 && rc == -EBADMSG; i++) {
		len = snprintf(
		    full, sizeof(full), "%s%s", text, i == 0 ? "" : ":3478");
		if (len < 0 || (size_t)len >= sizeof(full))
			return -EBADMSG;
		memcpy(parts, full, (size_t)len + 1);
		rc = key_parse_server(parts, key, &host, &port);
	}
	if (rc == 0)
		memcpy(out, full, strlen(full) + 1);
	return rc;
}

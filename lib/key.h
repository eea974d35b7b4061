/* SPDX-License-Identifier: ISC */
/* X25519 keys in WireGuard's form: 32 bytes, base64 in text. */
#ifndef NATKIT_KEY_H
#define NATKIT_KEY_H

#include <stdbool.h>
#include <stdint.h>

#define KEY_LEN 32
#define KEY_STRLEN 45	      /* 44 characters and a NUL */
#define KEY_SERVER_STRLEN 307 /* KEY@[host]:port, host 253, and a NUL */

/* Strict base64 of exactly 32 bytes, 44 characters. Returns 0, -EBADMSG for
 * bad text, -EINVAL for the zero key or another low-order point. */
int key_parse_public(uint8_t out[KEY_LEN], const char *text);
const char *key_format(const uint8_t key[KEY_LEN], char buf[KEY_STRLEN]);
/* One of the points of order 1, 2, 4 or 8 (or a non-canonical form). */
bool key_is_low_order(const uint8_t key[KEY_LEN]);
/* Constant time. */
bool key_equal(const uint8_t a[KEY_LEN], const uint8_t b[KEY_LEN]);

/* Reads a private key file as `wg genkey` writes it ("-" is standard input)
 * into out, which should be sodium_malloc'ed, and its public half into pub.
 * Returns 0; -errno of open or read; -EBADMSG when it is not one key. *loose
 * is set when group or others may read the file (a caller warns). */
int key_load(
    uint8_t out[KEY_LEN], uint8_t pub[KEY_LEN], const char *path, bool *loose);

/* Splits "KEY@host:port" in place; "[v6]:port" too. Returns 0, -EBADMSG, or
 * -EINVAL for a low-order key. *host points into text, without brackets. */
int key_parse_server(
    char *text, uint8_t key[KEY_LEN], char **host, char **port);
/* "KEY@host[:port]" with its port, which is 3478 unless given (RFC 8489 section
 * 18.6). Returns as key_parse_server. */
int key_complete_server(char out[KEY_SERVER_STRLEN], const char *text);

#endif

/* SPDX-License-Identifier: ISC */
/* The checks that a STUN message carries about itself (RFC 8489 sections 14.5
 * to 14.7); used by the parser and the builder only. */
#ifndef NATKIT_INTEGRITY_H
#define NATKIT_INTEGRITY_H

#include <stddef.h>
#include <stdint.h>

#define INTEGRITY_SHA1_LEN 20
#define INTEGRITY_SHA256_LEN 32
#define FINGERPRINT_LEN 4

/* The value of a FINGERPRINT that follows these len bytes; their header must
 * count it already. */
uint32_t integrity_fingerprint(const uint8_t *data, size_t len);

/* HMAC of the len bytes of msg that stand before the integrity attribute, as
 * if the header's length ended with that attribute, whose value has
 * value_len bytes. len is at least STUN_HEADER_LEN. */
void integrity_sha256(uint8_t out[INTEGRITY_SHA256_LEN], const uint8_t *msg,
    size_t len, size_t value_len, const void *key, size_t key_len);
void integrity_sha1(uint8_t out[INTEGRITY_SHA1_LEN], const uint8_t *msg,
    size_t len, size_t value_len, const void *key, size_t key_len);

#endif

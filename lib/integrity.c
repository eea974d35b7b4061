/* SPDX-License-Identifier: ISC */
/* FINGERPRINT, MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 of a STUN
 * message (RFC 8489 sections 14.5 to 14.7). SHA-1 is nettle's, because
 * libsodium rightly has none. */
#include "integrity.h"

#include <nettle/hmac.h>
#include <sodium.h>
#include <string.h>

#include "cursor.h"
#include "stun.h"

#define FINGERPRINT_XOR 0x5354554eu /* "STUN": differs from a plain CRC */

/* CRC-32 of ISO 3309, polynomial 0xEDB88320 reflected, half a byte a step. */
static uint32_t
crc32(const uint8_t *data, size_t len)
{
	static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8,
	    0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0,
	    0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

uint32_t
integrity_fingerprint(const uint8_t *data, size_t len)
{
	return crc32(data, len) ^ FINGERPRINT_XOR;
}

/* The first four bytes of the message with its length field ending at the
 * integrity attribute. */
static void
adjusted_start(uint8_t out[4], const uint8_t *msg, size_t len, size_t value_len)
{
	memcpy(out, msg, 2);
	put_u16(out + 2, (uint16_t)(len + 4 + value_len - STUN_HEADER_LEN));
}

void
integrity_sha256(uint8_t out[INTEGRITY_SHA256_LEN], const uint8_t *msg,
    size_t len, size_t value_len, const void *key, size_t key_len)
{
	crypto_auth_hmacsha256_state state;
	uint8_t start[4];

	adjusted_start(start, msg, len, value_len);
	crypto_auth_hmacsha256_init(&state, key, key_len);
	crypto_auth_hmacsha256_update(&state, start, sizeof(start));
	crypto_auth_hmacsha256_update(
	    &state, msg + sizeof(start), len - sizeof(start));
	crypto_auth_hmacsha256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}

void
integrity_sha1(uint8_t out[INTEGRITY_SHA1_LEN], const uint8_t *msg, size_t len,
    size_t value_len, const void *key, size_t key_len)
{
	struct hmac_sha1_ctx state;
	uint8_t start[4];

	adjusted_start(start, msg, len, value_len);
	hmac_sha1_set_key(&state, key_len, key);
	hmac_sha1_update(&state, sizeof(start), start);
	hmac_sha1_update(&state, len - sizeof(start), msg + sizeof(start));
	hmac_sha1_digest(&state, INTEGRITY_SHA1_LEN, out);
	sodium_memzero(&state, sizeof(state));
}

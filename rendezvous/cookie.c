/* SPDX-License-Identifier: ISC */
/* The stateless NONCE of the HELLO challenge. */
#include "cookie.h"

#include <sodium.h>
#include <string.h>

#include "cursor.h"

void
cookie_init(struct cookie *c, const uint8_t key[32])
{
	memcpy(c->key, key, sizeof(c->key));
}

/* BLAKE2b over epoch(8) family(1) port(2) address(16), 16 bytes of it. */
static void
make(const struct cookie *c, const struct addr *from, uint64_t epoch,
    uint8_t out[COOKIE_LEN])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t in[8 + 1 + 2 + 16], hash[COOKIE_LEN / 2];

	put_u64(in, epoch);
	in[8] = from->family;
	put_u16(in + 9, from->port);
	memcpy(in + 11, from->ip, 16);
	crypto_generichash(
	    hash, sizeof(hash), in, sizeof(in), c->key, sizeof(c->key));
	for (size_t i = 0; i < sizeof(hash); i++) {
		out[2 * i] = (uint8_t)digits[hash[i] >> 4];
		out[2 * i + 1] = (uint8_t)digits[hash[i] & 15];
	}
}

void
cookie_make(const struct cookie *c, const struct addr *from, uint64_t now_ms,
    uint8_t out[COOKIE_LEN])
{
	make(c, from, now_ms / COOKIE_EPOCH_MS, out);
}

bool
cookie_check(const struct cookie *c, const struct addr *from, uint64_t now_ms,
    const uint8_t *nonce, size_t len)
{
	uint64_t epoch = now_ms / COOKIE_EPOCH_MS;
	uint8_t right[COOKIE_LEN];

	if (len != COOKIE_LEN)
		return false;
	make(c, from, epoch, right);
	if (sodium_memcmp(right, nonce, COOKIE_LEN) == 0)
		return true;
	if (epoch == 0)
		return false;
	make(c, from, epoch - 1, right);
	return sodium_memcmp(right, nonce, COOKIE_LEN) == 0;
}

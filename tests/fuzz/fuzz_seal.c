/* SPDX-License-Identifier: ISC */
/* Sealed boxes of any bytes, small changes of a valid one (first byte odd:
 * then cut, then pairs of position and XOR), and peers' keys of any bytes. */
#include "seal.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TEXT "a sealed payload"
#define LEN (sizeof(TEXT) + SEAL_OVERHEAD)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
any_key(const uint8_t peer[KEY_LEN])
{
	uint8_t own[KEY_LEN], pub[KEY_LEN], send[32], recv[32];
	bool ok;

	memset(own, 9, sizeof(own));
	crypto_scalarmult_base(pub, own);
	ok = seal_keys(send, recv, own, pub, peer) == 0;
	check(ok == (!key_is_low_order(peer) && !key_equal(pub, peer)));
	if (ok)
		check(memcmp(send, recv, sizeof(send)) != 0);
}

/* An exact copy, for the sanitizer. */
static bool
opens(const uint8_t key[32], const uint8_t *box, size_t len)
{
	uint8_t *copy = malloc(len + 1), *out = malloc(len + 1);
	int rc;

	check(copy != NULL && out != NULL);
	memcpy(copy + 1, box, len);
	rc = seal_unbox(key, copy + 1, len, out, LEN);
	if (rc >= 0)
		check((size_t)rc == len - SEAL_OVERHEAD);
	free(copy);
	free(out);
	return rc >= 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* Any bytes are tried with a key that nothing was ever sealed with:
	 * libFuzzer learns valid boxes from the memcmp below. */
	uint8_t key[32] = {1, 2, 3}, unused[32] = {4, 5, 6};
	uint8_t box[LEN], changed[LEN];
	size_t n = LEN, i;

	if (len == 0)
		return 0;
	if (len > KEY_LEN)
		any_key(data + 1);
	if ((data[0] & 1) == 0) {
		check(!opens(unused, data + 1, len - 1));
		return 0;
	}
	check(seal_box(key, TEXT, sizeof(TEXT), box) == LEN);
	memcpy(changed, box, LEN);
	if (len > 1)
		n -= data[1] % LEN;
	for (i = 2; i + 1 < len; i += 2)
		changed[data[i] % LEN] ^= data[i + 1];
	check(opens(key, changed, n) ==
	      (n == LEN && memcmp(changed, box, LEN) == 0));
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* The pre-shared key of two keys, and what is derived from it. All of it is
 * BLAKE2b (RFC 7693); each purpose has a label of its own. */
#include "psk.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

static const char label[] = "natkit 1 QUIC TLS 1.3 external PSK";

int
psk_derive(uint8_t out[PSK_LEN], const uint8_t priv[KEY_LEN],
    const uint8_t pub[KEY_LEN], const uint8_t peer[KEY_LEN], bool we_begin)
{
	crypto_generichash_state h;
	uint8_t shared[crypto_scalarmult_BYTES];
	int rv = 0;

	if (key_is_low_order(peer) ||
	    crypto_scalarmult(shared, priv, peer) == -1) {
		rv = -EINVAL;
		goto out;
	}
	crypto_generichash_init(&h, NULL, 0, PSK_LEN);
	crypto_generichash_update(&h, (const uint8_t *)label, sizeof(label));
	crypto_generichash_update(&h, shared, sizeof(shared));
	crypto_generichash_update(&h, we_begin ? pub : peer, KEY_LEN);
	crypto_generichash_update(&h, we_begin ? peer : pub, KEY_LEN);
	crypto_generichash_final(&h, out, PSK_LEN);
out:
	sodium_memzero(&h, sizeof(h));
	sodium_memzero(shared, sizeof(shared));
	return rv;
}

void
psk_label(uint8_t out[PSK_LEN], const uint8_t psk[PSK_LEN], const char *name)
{
	crypto_generichash(
	    out, PSK_LEN, (const uint8_t *)name, strlen(name), psk, PSK_LEN);
}

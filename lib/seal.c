/* SPDX-License-Identifier: ISC */
/* Boxes from one key to another: nonce(24), ciphertext, tag(16), by
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), whose nonce is long enough to
 * be random. */
#include "seal.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>

#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN crypto_aead_xchacha20poly1305_ietf_ABYTES
_Static_assert(NONCE_LEN + TAG_LEN == SEAL_OVERHEAD, "seal.h says otherwise");

static const char label[] = "natkit seal 1";

/* The order of the two keys makes the direction. */
static void
derive(uint8_t out[32], const uint8_t dh[32], const uint8_t from[KEY_LEN],
    const uint8_t to[KEY_LEN])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, 32);
	crypto_generichash_update(
	    &st, (const uint8_t *)label, sizeof(label) - 1);
	crypto_generichash_update(&st, dh, 32);
	crypto_generichash_update(&st, from, KEY_LEN);
	crypto_generichash_update(&st, to, KEY_LEN);
	crypto_generichash_final(&st, out, 32);
	sodium_memzero(&st, sizeof(st));
}

int
seal_keys(uint8_t send[32], uint8_t recv[32], const uint8_t own[KEY_LEN],
    const uint8_t own_pub[KEY_LEN], const uint8_t peer[KEY_LEN])
{
	uint8_t dh[32];
	int rc = -EINVAL;

	/* With itself both directions were one, and a reflected box opened. */
	if (!key_is_low_order(peer) && !key_equal(own_pub, peer) &&
	    crypto_scalarmult(dh, own, peer) == 0) {
		derive(send, dh, own_pub, peer);
		derive(recv, dh, peer, own_pub);
		rc = 0;
	}
	sodium_memzero(dh, sizeof(dh));
	return rc;
}

size_t
seal_box(const uint8_t key[32], const void *plain, size_t len, uint8_t *out)
{
	randombytes_buf(out, NONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    out + NONCE_LEN, NULL, plain, len, NULL, 0, NULL, out, key);
	return len + SEAL_OVERHEAD;
}

int
seal_unbox(const uint8_t key[32], const uint8_t *box, size_t len, uint8_t *out,
    size_t cap)
{
	if (len < SEAL_OVERHEAD || len > INT_MAX || len - SEAL_OVERHEAD > cap)
		return -EBADMSG;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL,
		box + NONCE_LEN, len - NONCE_LEN, NULL, 0, box, key) != 0)
		return -EBADMSG;
	return (int)(len - SEAL_OVERHEAD);
}

/* SPDX-License-Identifier: ISC */
/* Boxes from one key to another, which the rendezvous server carries and can
 * neither read, forge nor turn round: XChaCha20-Poly1305 under
 * BLAKE2b("natkit seal 1" || X25519(own, theirs) || from || to), so the key
 * of one direction does not open the other. Freshness is the caller's: the
 * payload holds a time stamp and the receiver's tag (DESIGN.md). */
#ifndef NATKIT_SEAL_H
#define NATKIT_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "key.h"

#define SEAL_OVERHEAD (24 + 16) /* nonce, tag; bytes */

/* Makes the keys of both directions, once per peer. Returns 0, or -EINVAL for
 * a low-order key or the own one. */
int seal_keys(uint8_t send[32], uint8_t recv[32], const uint8_t own[KEY_LEN],
    const uint8_t own_pub[KEY_LEN], const uint8_t peer[KEY_LEN]);
/* out has len + SEAL_OVERHEAD bytes; returns that length. */
size_t seal_box(
    const uint8_t key[32], const void *plain, size_t len, uint8_t *out);
/* out has len - SEAL_OVERHEAD bytes. Returns that length or -EBADMSG. */
int seal_unbox(const uint8_t key[32], const uint8_t *box, size_t len,
    uint8_t *out, size_t cap);

#endif

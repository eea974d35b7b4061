/* SPDX-License-Identifier: ISC */
/* The secret that two keys share for nat-pipe's QUIC: an external PSK of TLS 1.3
 * (RFC 8446 section 4.2.11, RFC 9258's concerns by construction: one label, one
 * purpose, bound to both keys). */
#ifndef NATKIT_PSK_H
#define NATKIT_PSK_H

#include <stdbool.h>
#include <stdint.h>

#include "key.h"

#define PSK_LEN 32

/* BLAKE2b-256 over a label, X25519(priv, peer), and both public keys: first that
 * of who begins the connection (we, or the peer), so that nobody takes what he
 * has sent himself, and somebody reflects to him, for the peer's (RFC 9257
 * section 4.1). The same on both sides. Returns 0, or -EINVAL for a low-order
 * peer key. out should be wiped by who made it. */
int psk_derive(uint8_t out[PSK_LEN], const uint8_t priv[KEY_LEN],
    const uint8_t pub[KEY_LEN], const uint8_t peer[KEY_LEN], bool we_begin);
/* A key for another purpose out of it, by a label of its own. */
void psk_label(
    uint8_t out[PSK_LEN], const uint8_t psk[PSK_LEN], const char *label);

#endif

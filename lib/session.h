/* SPDX-License-Identifier: ISC */
/* What a Noise handshake left: messages that carry attribute lists under its
 * transport keys (DESIGN.md, "The rendezvous protocol" and "The twin link").
 *
 *   SESSION_ID(id 8, counter u64) SEALED(ciphertext, 16-byte tag) FINGERPRINT
 */
#ifndef NATKIT_SESSION_H
#define NATKIT_SESSION_H

#include "noise.h"
#include "stun.h"

#define SESSION_ID_LEN 8
/* What a message adds to its plaintext and that one's padding, bytes. */
#define SESSION_OVERHEAD (STUN_HEADER_LEN + 20 + 4 + NOISE_TAG_LEN + 8)

/* One direction-pair of transport keys under a session id. */
struct session {
	uint8_t id[SESSION_ID_LEN];
	struct noise_keys keys;
	uint64_t counter; /* of the next packet that we send */
	struct replay replay;
};

/* A retransmission is sealed again (a new counter) under the same transaction
 * id. padding is the length of a PADDING attribute, 0 for none. Returns length
 * or -ENOBUFS. */
int session_seal(struct session *s, uint16_t method, enum stun_class class,
    const uint8_t tid[STUN_TID_LEN], const uint8_t *plain, size_t len,
    size_t padding, uint8_t *out, size_t cap);
/* The id of a message of the method, or NULL: to find the session by. */
const uint8_t *session_id(const struct stun_msg *m, uint16_t method);
/* Opens it, checks and advances the replay window, checks that the plaintext
 * is a well-formed attribute list. Returns its length, -EBADMSG (forged or
 * malformed, or longer than cap), -EALREADY (replayed). */
int session_open(struct session *s, const struct stun_msg *m, uint16_t method,
    uint8_t *plain, size_t cap);

#endif

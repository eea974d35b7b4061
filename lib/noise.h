/* SPDX-License-Identifier: ISC */
/* Noise_IK_25519_ChaChaPoly_BLAKE2b (the Noise Protocol Framework, revision
 * 34, sections 5, 7.5 and 12): one initiator message, one responder message,
 * then two transport keys. Every low-order or zero point is refused. */
#ifndef NATKIT_NOISE_H
#define NATKIT_NOISE_H

#include <stddef.h>
#include <stdint.h>

#include "key.h"

#define NOISE_HASH_LEN 64
#define NOISE_TAG_LEN 16
/* What the two messages add to their payloads, in bytes. */
#define NOISE_MSG1_LEN (32 + 48 + 16)
#define NOISE_MSG2_LEN (32 + 16)

/* A handshake in progress. Zero it with sodium_memzero when done. */
struct noise {
	uint8_t h[NOISE_HASH_LEN];
	uint8_t ck[NOISE_HASH_LEN];
	uint8_t k[32];
	uint64_t n;
	uint8_t e[KEY_LEN], e_pub[KEY_LEN]; /* own ephemeral */
	uint8_t re[KEY_LEN];		    /* theirs */
	uint8_t s[KEY_LEN], s_pub[KEY_LEN]; /* own static */
	uint8_t rs[KEY_LEN];		    /* their static, public */
	int initiator;
	int step;
};

struct noise_keys {
	uint8_t send[32];
	uint8_t recv[32];
};

/* s and s_pub are the own static pair, rs the pinned responder key.
 * An ephemeral key pair is made; a test may overwrite e and e_pub. */
void noise_init_initiator(struct noise *n, const uint8_t s[KEY_LEN],
    const uint8_t s_pub[KEY_LEN], const uint8_t rs[KEY_LEN],
    const void *prologue, size_t prologue_len);
void noise_init_responder(struct noise *n, const uint8_t s[KEY_LEN],
    const uint8_t s_pub[KEY_LEN], const void *prologue, size_t prologue_len);

/* Message 1, initiator to responder. out has NOISE_MSG1_LEN + len bytes.
 * Returns the length, -EINVAL on a low-order point (and, from all four, on a
 * call out of turn), or -ENOBUFS (both writes) when cap is too small. After an
 * error nothing of n has changed. */
int noise_write1(
    struct noise *n, const void *payload, size_t len, uint8_t *out, size_t cap);
/* Sets n->rs to the initiator's proven static key. payload has
 * len - NOISE_MSG1_LEN bytes. Returns that length, -EBADMSG when it does not
 * decrypt or its length is not right for it or for cap, -EINVAL on a low-order
 * point. */
int noise_read1(struct noise *n, const uint8_t *msg, size_t len,
    uint8_t *payload, size_t cap);
/* Message 2, and the transport keys of this side. */
int noise_write2(struct noise *n, const void *payload, size_t len, uint8_t *out,
    size_t cap, struct noise_keys *keys);
/* On failure nothing of n changes: a forged message 2 does no harm. */
int noise_read2(struct noise *n, const uint8_t *msg, size_t len,
    uint8_t *payload, size_t cap, struct noise_keys *keys);

/* Transport: ChaChaPoly with the nonce of section 12.3 (32 zero bits, then
 * the counter in little endian). out of noise_seal has len + NOISE_TAG_LEN
 * bytes, out of noise_open len - NOISE_TAG_LEN. In place is allowed.
 * noise_open returns 0 or -EBADMSG. */
void noise_seal(const uint8_t key[32], uint64_t counter, const void *ad,
    size_t ad_len, const uint8_t *plain, size_t len, uint8_t *out);
int noise_open(const uint8_t key[32], uint64_t counter, const void *ad,
    size_t ad_len, const uint8_t *sealed, size_t len, uint8_t *out);

/* Replay window of RFC 6479 over the counters of one direction. */
#define REPLAY_WORDS 4
struct replay {
	uint64_t next; /* greatest counter seen, plus 1 */
	uint64_t bits[REPLAY_WORDS];
};
/* Call only after noise_open succeeded. Returns 0, or -EALREADY when seen or
 * older than the window of (REPLAY_WORDS - 1) * 64. */
int replay_check(struct replay *r, uint64_t counter);

#endif

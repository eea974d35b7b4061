/* SPDX-License-Identifier: ISC */
/* The server's half of long-term credentials (RFC 8489 section 9.2.4), with
 * time-limited names (credential.h). Names are not to be had by their hash:
 * USERHASH is refused, and its security feature not announced. */
#ifndef NATKIT_TURNAUTH_H
#define NATKIT_TURNAUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "credential.h"
#include "stun.h"

#define TURNAUTH_ID_LEN 16
#define TURNAUTH_REALM_MAX 127 /* bytes; so that a 401 is a short message */

struct turnauth {
	const char *realm;
	size_t realm_len;
	const struct credential_secret *secrets;
	size_t n_secrets;
	struct nonces nonces;
	uint8_t id_key[32];
};

/* Who asks, as proven by the request. Holds a key: turnauth_forget. */
struct turnauth_who {
	struct credential_turn name;
	uint8_t id[TURNAUTH_ID_LEN]; /* of the whole name */
	uint8_t key[32];
	size_t key_len; /* 0: not known who it is, answers are not signed */
	bool sha256;	/* so are answers signed */
};

/* The secrets and the realm stay the caller's. Returns 0 or -EINVAL. */
int turnauth_init(struct turnauth *t, const char *realm,
    const struct credential_secret *secrets, size_t n_secrets);
/* Is there a nonce of ours for that address, or has there been? */
enum nonce_state turnauth_nonce(const struct turnauth *t,
    const struct stun_msg *m, const struct addr *client, uint64_t now_ms);
/* Returns 0 and fills *who, or the error to answer: 400, 401, 438. Whether the
 * name has expired is for the caller to see. proven: turnauth_nonce said
 * NONCE_FRESH. */
int turnauth_check(const struct turnauth *t, const struct stun_msg *m,
    bool proven, struct turnauth_who *who);
/* What a 401 or a 438 has besides its code. */
void turnauth_challenge(const struct turnauth *t, struct stun_buf *b,
    const struct addr *client, uint64_t now_ms);
/* The integrity attribute that the asker looks for. */
void turnauth_sign(const struct turnauth_who *who, struct stun_buf *b);
void turnauth_forget(struct turnauth_who *who);

#endif

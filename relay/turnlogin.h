/* SPDX-License-Identifier: ISC */
/* A TURN client's long-term credential (RFC 8489 section 9.2): what a server's
 * challenge asks for, how requests are signed and answers checked. */
#ifndef NATKIT_TURNLOGIN_H
#define NATKIT_TURNLOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "credential.h"
#include "stun.h"

/* Bytes. The RFC has longer ones, which would not fit a datagram together. */
#define TURNLOGIN_NAME_MAX 255
#define TURNLOGIN_REALM_MAX 255
#define TURNLOGIN_NONCE_MAX 255
#define TURNLOGIN_OFFER_MAX 64 /* of PASSWORD-ALGORITHMS */

/* Holds secrets: in memory of sodium_malloc. */
struct turnlogin {
	char user[TURNLOGIN_NAME_MAX + 1];
	char password[TURNLOGIN_NAME_MAX + 1];
	bool challenged; /* what follows is known */
	bool sha256;	 /* else MD5 and SHA-1 */
	bool anonymous;	 /* the server wants USERHASH */
	uint8_t realm[TURNLOGIN_REALM_MAX];
	size_t realm_len;
	uint8_t nonce[TURNLOGIN_NONCE_MAX];
	size_t nonce_len;
	uint8_t offer[TURNLOGIN_OFFER_MAX]; /* goes back as it came */
	size_t offer_len;
	uint8_t key[32];
	size_t key_len;
};

/* Returns 0, or -EINVAL: empty or too long. */
int turnlogin_set(struct turnlogin *l, const char *user, const char *password);
/* A file of two lines, user and password. Returns 0, -errno, or -EINVAL.
 * *loose is set when others may read it. */
int turnlogin_load(struct turnlogin *l, const char *path, bool *loose);
/* A file whose first line is the secret that the server has, too, of any
 * length. Returns as above. */
int turnlogin_load_secret(
    struct credential_secret *out, const char *path, bool *loose);
/* The time-limited name "EXPIRY:user" and its password under the secret
 * (credential.h). Returns 0 or -EINVAL. */
int turnlogin_make(struct turnlogin *l, const struct credential_secret *secret,
    uint64_t expiry_s, const char *user);

/* Forgets the server's challenge. */
void turnlogin_reset(struct turnlogin *l);
/* Takes the realm and the nonce of a 401 or 438 (section 9.2.5). Returns 0,
 * -EBADMSG (malformed, or someone has taken SHA-256 out of it), or
 * -EPROTONOSUPPORT (too long, or no algorithm of ours). */
int turnlogin_challenge(struct turnlogin *l, const struct stun_msg *m);
/* Appends the credential and the integrity attribute, once challenged. */
void turnlogin_sign(const struct turnlogin *l, struct stun_buf *b);
/* Is an answer from who knows the password? 0, -ENOENT (it does not say), or
 * -EACCES. */
int turnlogin_check(const struct turnlogin *l, const struct stun_msg *m);

#endif

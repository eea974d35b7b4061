/* SPDX-License-Identifier: ISC */
/* Who may use the relay, without a list of users: time-limited names whose
 * passwords follow from a secret, and nonces that nobody has to remember.
 *
 * TURN:  name      "EXPIRY" or "EXPIRY:USER"      EXPIRY in seconds since 1970
 *        password  base64(HMAC-SHA1(secret, name)), what coturn calls
 *                  use-auth-secret
 * pairs: name      "EXPIRY:KEY:PEER", KEY the holder's public key, both base64
 *        password  base64(BLAKE2b-256(key = BLAKE2b-256(secret);
 *                  "natkit pair 1" || name)), 44 characters; it is the key of
 *                  MESSAGE-INTEGRITY-SHA256 as it is (RFC 8489 section 9.1.1)
 *
 * A nonce is an epoch of 60 s, and a keyed hash of it and the client's
 * address and port: who shows it receives there. Valid for 2 epochs. */
#ifndef NATKIT_CREDENTIAL_H
#define NATKIT_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "key.h"
#include "stun.h"

#define CREDENTIAL_SECRET_MIN 16 /* bytes of a secret file's first line */
#define CREDENTIAL_SECRET_MAX 256
#define CREDENTIAL_PASSWORD_LEN 44
#define CREDENTIAL_NAME_MAX 128
#define CREDENTIAL_NONCE_LEN 32 /* characters, with RFC 8489's nonce cookie */

struct credential_secret {
	uint8_t bytes[CREDENTIAL_SECRET_MAX];
	size_t len;
};

/* The first line of a file; 0, -errno, -EINVAL when too short or long. */
int credential_load(struct credential_secret *out, const char *path);

struct credential_pair {
	uint64_t expiry_s;
	uint8_t key[KEY_LEN];  /* the holder's */
	uint8_t peer[KEY_LEN]; /* whom it is for */
};
void credential_pair_name(
    const struct credential_pair *c, char name[CREDENTIAL_NAME_MAX]);
/* Strict: exactly what credential_pair_name writes, keys that may be used and
 * differ. Returns 0 or -EBADMSG. */
int credential_pair_parse(
    struct credential_pair *out, const uint8_t *name, size_t len);
void credential_pair_password(const struct credential_secret *s,
    const char *name, char password[CREDENTIAL_PASSWORD_LEN + 1]);

struct nonces {
	uint8_t key[32];
};
void nonces_init(struct nonces *n);
void nonces_make(const struct nonces *n, const struct addr *client,
    uint64_t now_ms, char nonce[CREDENTIAL_NONCE_LEN + 1]);
bool nonces_check(const struct nonces *n, const struct addr *client,
    uint64_t now_ms, const uint8_t *nonce, size_t len);

#endif

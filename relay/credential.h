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
 * A nonce is when it was given, and a keyed hash of that and the client's
 * address and port: who shows it receives there. Valid for two minutes. */
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
#define CREDENTIAL_NONCE_MS 120000
#define CREDENTIAL_USER_MAX 64		/* bytes of a TURN name's USER */
#define CREDENTIAL_TURN_PASSWORD_LEN 28 /* base64 of SHA-1's 20 bytes */

struct credential_secret {
	uint8_t bytes[CREDENTIAL_SECRET_MAX];
	size_t len;
	bool loose; /* group or others may read the file: a caller warns */
};

/* The first line of a file; 0, -errno, -EINVAL when it is too short, too long or
 * has control characters. */
int credential_load(struct credential_secret *out, const char *path);

struct credential_turn {
	uint64_t expiry_s;
	char user[CREDENTIAL_USER_MAX + 1]; /* "" when there is none */
};
/* "EXPIRY" or "EXPIRY:USER", USER not empty, without control characters; any other
 * punctuation is as good as the colon (coturn's clients choose it). Returns 0 or
 * -EBADMSG. */
int credential_turn_parse(
    struct credential_turn *out, const uint8_t *name, size_t len);
void credential_turn_password(const struct credential_secret *s,
    const char *name, char password[CREDENTIAL_TURN_PASSWORD_LEN + 1]);

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
	uint32_t features; /* 24 bits of RFC 8489 section 9.2; 0 unless set */
};
enum nonce_state {
	NONCE_WRONG, /* not ours, or of another address */
	NONCE_STALE, /* ours and of that address, but too old */
	NONCE_FRESH,
};
void nonces_init(struct nonces *n);
void nonces_make(const struct nonces *n, const struct addr *client,
    uint64_t now_ms, char nonce[CREDENTIAL_NONCE_LEN + 1]);
bool nonces_check(const struct nonces *n, const struct addr *client,
    uint64_t now_ms, const uint8_t *nonce, size_t len);
/* *given_ms is set unless it is wrong. */
enum nonce_state nonces_look(const struct nonces *n, const struct addr *client,
    uint64_t now_ms, const uint8_t *nonce, size_t len, uint64_t *given_ms);

#endif

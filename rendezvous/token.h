/* SPDX-License-Identifier: ISC */
/* Tokens: what the rendezvous gives two keys that want each other, so that
 * relays take them (relay/credential.h). DESIGN.md, "The rendezvous protocol".
 *
 *   request   TOKEN: key(32), then zeros: room for the answer
 *   success   TOKEN: key(32) expiry(u64, s since 1970) lifetime(u32, s) RELAY*
 *             RELAY: password(44) address(8 or 20)...
 *
 * The RELAYs are attributes inside the value. Their order follows from the two
 * keys and the relay alone (rendezvous hashing), so both sides have the same. */
#ifndef NATKIT_TOKEN_H
#define NATKIT_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "credential.h"
#include "key.h"
#include "stun.h"

#define TOKEN_RELAYS 4 /* of one token, at most */
#define TOKEN_SERVED 16
#define TOKEN_LIFETIME_S 3600
#define TOKEN_LIFETIME_MAX_S 86400 /* that a client takes */
/* Longest values: a RELAY with an address of each family, and four of them. */
#define TOKEN_RELAY_MAX (CREDENTIAL_PASSWORD_LEN + 8 + 20)
#define TOKEN_VALUE_MAX (KEY_LEN + 8 + 4 + TOKEN_RELAYS * (4 + TOKEN_RELAY_MAX))

/* One relay: its endpoints, of one family each. */
struct token_relay {
	size_t n;
	struct addr at[2];
	char password[CREDENTIAL_PASSWORD_LEN + 1];
};
struct token {
	uint64_t expiry_s; /* since 1970, on the server's clock */
	uint32_t lifetime_s;
	size_t n;
	struct token_relay relay[TOKEN_RELAYS];
};

/* Client: what follows the key in a TOKEN of an answer. Strict: text that may
 * be a password, addresses that can be sent to, of two families at most.
 * Returns 0 or -EBADMSG. */
int token_read(struct token *out, const uint8_t *data, size_t len);
/* The place of a relay for this pair: least first. Of a and b, and of the
 * endpoints, the order is of no matter. */
uint64_t token_rank(const uint8_t a[KEY_LEN], const uint8_t b[KEY_LEN],
    const struct addr *at, size_t n);

/* Server: the relays that it has tokens for. Holds secrets. */
struct tokens_relay {
	size_t n;
	struct addr at[2];
	char *path;
	struct credential_secret secret;
};
struct tokens {
	size_t n;
	struct tokens_relay relay[TOKEN_SERVED];
	uint32_t lifetime_s; /* 0: TOKEN_LIFETIME_S */
	uint64_t wall_s;     /* now, within a minute; the caller sets it */
};

/* "secretfile@endpoint[,endpoint]", of which a copy is kept. Returns 0, -EBADMSG,
 * -EEXIST (an endpoint that another relay has), -ENOSPC, -ENOMEM. */
int tokens_add(struct tokens *t, const char *text);
/* Reads the secret files (again). When one can't be read nothing changes, and
 * *path names it. Returns 0 or as credential_load. */
int tokens_load(struct tokens *t, const char **path);
/* Appends the TOKEN that key is given for peer, unless it is longer than room
 * (the length of the value that asked). */
bool tokens_put(const struct tokens *t, const uint8_t key[KEY_LEN],
    const uint8_t peer[KEY_LEN], size_t room, struct stun_buf *answer);
/* from has none then. */
void tokens_move(struct tokens *to, struct tokens *from);
void tokens_wipe(struct tokens *t);

#endif

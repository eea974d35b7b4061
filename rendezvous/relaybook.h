/* SPDX-License-Identifier: ISC */
/* The relays for one peer, out of the tokens that our servers gave: one list,
 * in an order that the other side has, too. Pure. */
#ifndef NATKIT_RELAYBOOK_H
#define NATKIT_RELAYBOOK_H

#include "introduction.h"
#include "token.h"

struct relaybook_entry {
	struct token_relay relay;
	uint64_t expiry_s;
	uint32_t lifetime_s; /* from when it came */
	uint32_t priority;   /* below those of all direct candidates */
};

/* Holds passwords. */
struct relaybook {
	uint8_t own[KEY_LEN], peer[KEY_LEN];
	struct {
		struct token token; /* n 0: none, or one of no relay */
		uint64_t end_ms;    /* when it expires, on our clock */
	} via[INTRODUCTION_SERVERS];
	struct relaybook_entry told[TOKEN_RELAYS];
	size_t n_told;
};

void relaybook_init(struct relaybook *b, const uint8_t own[KEY_LEN],
    const uint8_t peer[KEY_LEN]);
/* A token came from a server. Fills news with the entries that are new or not
 * as they were, and returns how many; *none is set when there were some and now
 * is none. The servers' credentials for one relay: those of the first that has
 * any are used. */
size_t relaybook_token(struct relaybook *b, int server,
    const struct token *token, uint64_t now_ms,
    struct relaybook_entry news[TOKEN_RELAYS], bool *none);
/* The name that goes with the password of an entry. */
void relaybook_name(const struct relaybook *b, const struct relaybook_entry *e,
    char name[CREDENTIAL_NAME_MAX]);

#endif

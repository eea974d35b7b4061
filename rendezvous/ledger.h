/* SPDX-License-Identifier: ISC */
/* What a server is to know of us (which peers we WANT, for which we are
 * READY), how much of that it knows, and the requests that are telling it. */
#ifndef NATKIT_LEDGER_H
#define NATKIT_LEDGER_H

#include "request.h"

#define LEDGER_REQUESTS 8 /* under way at once */
#define LEDGER_TOKEN_MS 1000

enum ledger_item {
	ITEM_NONE,
	ITEM_DUE,
	ITEM_SENT,
	ITEM_DONE,
	ITEM_REFUSED,
};

struct ledger_peer {
	uint8_t key[KEY_LEN];
	uint8_t tag[WIRE_TAG_LEN];
	bool wanted;
	enum ledger_item want, ready, token;
	uint32_t mine, theirs; /* of the READY */
	uint64_t token_ms;     /* when to ask for a token, 0: not yet */
	uint64_t asked_ms;     /* when that was done last, 0: never */
};

struct ledger {
	struct ledger_peer peer[REQUEST_PEERS];
	struct request request[LEDGER_REQUESTS];
	uint64_t hold_ms; /* no READY before that; 0: as soon as it is due */
};

void ledger_want(struct ledger *l, int peer, const uint8_t key[KEY_LEN],
    const uint8_t tag[WIRE_TAG_LEN]);
void ledger_ready(struct ledger *l, int peer, uint32_t mine, uint32_t theirs);
/* The peer is there: a token for it is due, at most once in LEDGER_TOKEN_MS. */
void ledger_met(struct ledger *l, int peer, uint64_t now_ms);
/* A token came, and lives so long: the next one is due after half of that. */
void ledger_token(
    struct ledger *l, int peer, uint32_t lifetime_s, uint64_t now_ms);
/* The peer of a key, or -1 */
int ledger_find(const struct ledger *l, const uint8_t key[KEY_LEN]);

/* Is there anything to tell, or to ask for? */
bool ledger_due(struct ledger *l, uint64_t now_ms);
/* When there will be without anything new, UINT64_MAX for never. */
uint64_t ledger_next_ms(const struct ledger *l);
/* A request with as much of what is due as fits, or an empty one. NULL when
 * too many are under way. */
struct request *ledger_request(struct ledger *l, const struct moment *now,
    uint32_t rto_ms, uint16_t rtt_ms);
/* The first request under a new session: the wants, due or not. */
struct request *ledger_confirm(
    struct ledger *l, const struct moment *now, uint32_t rto_ms);
/* Ends a request: what it told is done, or due again. */
void ledger_settle(struct ledger *l, struct request *r, enum ledger_item how);
/* The request that a transaction id belongs to, or NULL */
struct request *ledger_by_tid(
    struct ledger *l, const uint8_t tid[STUN_TID_LEN]);
/* Drops what is under way: under the new session, or under the old one. */
void ledger_drop(struct ledger *l, bool confirm);
/* Is anything under way under the session in use? */
bool ledger_waits(const struct ledger *l);
/* A new session is in use, which the confirming request began: the wants that
 * it did not tell are due. The server answers them with PEER, and whoever
 * hears that says READY again, if that is still so, and asks for a token. */
void ledger_renew(struct ledger *l);
/* The server had no room for this want; later it is due again. Returns false
 * when that was known. */
bool ledger_refuse(struct ledger *l, int peer);
void ledger_unrefuse(struct ledger *l);

#endif

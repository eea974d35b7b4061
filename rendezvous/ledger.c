/* SPDX-License-Identifier: ISC */
/* What a server is to know of us, and how much of that it knows. */
#include "ledger.h"

#include <string.h>

void
ledger_want(struct ledger *l, int peer, const uint8_t key[KEY_LEN],
    const uint8_t tag[WIRE_TAG_LEN])
{
	struct ledger_peer *p = &l->peer[peer];

	memcpy(p->key, key, KEY_LEN);
	memcpy(p->tag, tag, WIRE_TAG_LEN);
	p->wanted = true;
	p->want = ITEM_DUE;
}

/* An older READY under way would overtake this one when it is sent again. */
void
ledger_ready(struct ledger *l, int peer, uint32_t mine, uint32_t theirs)
{
	struct ledger_peer *p = &l->peer[peer];

	for (size_t i = 0; i < LEDGER_REQUESTS; i++)
		if (l->request[i].active &&
		    (l->request[i].readies & UINT64_C(1) << peer) != 0)
			ledger_settle(l, &l->request[i], ITEM_DUE);
	p->mine = mine;
	p->theirs = theirs;
	p->ready = ITEM_DUE;
}

int
ledger_find(const struct ledger *l, const uint8_t key[KEY_LEN])
{
	for (int i = 0; i < REQUEST_PEERS; i++)
		if (l->peer[i].wanted && key_equal(l->peer[i].key, key))
			return i;
	return -1;
}

/* A server that tells over and over that the peer is there is asked no oftener
 * for that. */
void
ledger_met(struct ledger *l, int peer, uint64_t now_ms)
{
	struct ledger_peer *p = &l->peer[peer];
	uint64_t at_ms = now_ms;

	if (p->asked_ms != 0 && p->asked_ms + LEDGER_TOKEN_MS > now_ms)
		at_ms = p->asked_ms + LEDGER_TOKEN_MS;
	if (p->token_ms == 0 || at_ms < p->token_ms)
		p->token_ms = at_ms;
}

void
ledger_token(struct ledger *l, int peer, uint32_t lifetime_s, uint64_t now_ms)
{
	l->peer[peer].token_ms = now_ms + lifetime_s * UINT64_C(500);
}

bool
ledger_due(struct ledger *l, uint64_t now_ms)
{
	bool due = false;

	if (now_ms >= l->hold_ms)
		l->hold_ms = 0;
	for (int i = 0; i < REQUEST_PEERS; i++) {
		struct ledger_peer *p = &l->peer[i];

		if (p->token_ms != 0 && now_ms >= p->token_ms) {
			p->token_ms = 0;
			p->token = ITEM_DUE;
		}
		due = due || p->want == ITEM_DUE ||
		      (p->ready == ITEM_DUE && l->hold_ms == 0) ||
		      p->token == ITEM_DUE;
	}
	return due;
}

uint64_t
ledger_next_ms(const struct ledger *l)
{
	uint64_t at = UINT64_MAX;

	for (int i = 0; i < REQUEST_PEERS; i++) {
		const struct ledger_peer *p = &l->peer[i];

		if (p->token_ms != 0 && p->token_ms < at)
			at = p->token_ms;
		if (p->ready == ITEM_DUE && l->hold_ms != 0 && l->hold_ms < at)
			at = l->hold_ms;
	}
	return at;
}

static struct request *
idle(struct ledger *l)
{
	for (size_t i = 0; i < LEDGER_REQUESTS; i++)
		if (!l->request[i].active)
			return &l->request[i];
	return NULL;
}

struct request *
ledger_request(struct ledger *l, const struct moment *now, uint32_t rto_ms,
    uint16_t rtt_ms)
{
	struct request *r = idle(l);

	if (r == NULL)
		return NULL;
	request_start(r, now, rto_ms, false);
	for (int i = 0; i < REQUEST_PEERS; i++) {
		struct ledger_peer *p = &l->peer[i];

		if (p->want == ITEM_DUE &&
		    request_add_want(r, i, p->key, p->tag))
			p->want = ITEM_SENT;
		if (p->ready == ITEM_DUE && now->ms >= l->hold_ms &&
		    request_add_ready(r, i, p->key, p->mine, p->theirs, rtt_ms))
			p->ready = ITEM_SENT;
		if (p->token == ITEM_DUE && request_add_token(r, i, p->key)) {
			p->token = ITEM_SENT;
			p->asked_ms = now->ms;
		}
	}
	return r;
}

/* Requests under the old session may be in the way; this one matters more. */
struct request *
ledger_confirm(struct ledger *l, const struct moment *now, uint32_t rto_ms)
{
	struct request *r = idle(l);

	if (r == NULL) {
		r = &l->request[0];
		ledger_settle(l, r, ITEM_DUE);
	}
	request_start(r, now, rto_ms, true);
	for (int i = 0; i < REQUEST_PEERS; i++) {
		struct ledger_peer *p = &l->peer[i];

		if (p->wanted && request_add_want(r, i, p->key, p->tag))
			p->want = ITEM_SENT;
	}
	return r;
}

void
ledger_settle(struct ledger *l, struct request *r, enum ledger_item how)
{
	for (int i = 0; i < REQUEST_PEERS; i++) {
		uint64_t bit = UINT64_C(1) << i;

		if ((r->wants & bit) != 0 && l->peer[i].want == ITEM_SENT)
			l->peer[i].want = how;
		if ((r->readies & bit) != 0 && l->peer[i].ready == ITEM_SENT)
			l->peer[i].ready = how;
		if ((r->tokens & bit) != 0 && l->peer[i].token == ITEM_SENT)
			l->peer[i].token = how;
	}
	r->active = false;
}

struct request *
ledger_by_tid(struct ledger *l, const uint8_t tid[STUN_TID_LEN])
{
	for (size_t i = 0; i < LEDGER_REQUESTS; i++)
		if (l->request[i].active &&
		    memcmp(tid, l->request[i].t.tid, STUN_TID_LEN) == 0)
			return &l->request[i];
	return NULL;
}

void
ledger_drop(struct ledger *l, bool confirm)
{
	for (size_t i = 0; i < LEDGER_REQUESTS; i++)
		if (l->request[i].active && l->request[i].confirm == confirm)
			ledger_settle(l, &l->request[i], ITEM_DUE);
}

bool
ledger_waits(const struct ledger *l)
{
	for (size_t i = 0; i < LEDGER_REQUESTS; i++)
		if (l->request[i].active && !l->request[i].confirm)
			return true;
	return false;
}

void
ledger_renew(struct ledger *l)
{
	uint64_t told = 0;

	for (size_t i = 0; i < LEDGER_REQUESTS; i++) {
		struct request *r = &l->request[i];

		if (r->active && r->confirm)
			told |= r->wants;
		else if (r->active)
			ledger_settle(l, r, ITEM_DUE);
		r->confirm = false;
	}
	for (int i = 0; i < REQUEST_PEERS; i++) {
		struct ledger_peer *p = &l->peer[i];

		if (p->wanted)
			p->want = (told & UINT64_C(1) << i) != 0 ? ITEM_SENT
								 : ITEM_DUE;
		p->ready = p->token = ITEM_NONE;
	}
}

bool
ledger_refuse(struct ledger *l, int peer)
{
	bool known = l->peer[peer].want == ITEM_REFUSED;

	l->peer[peer].want = ITEM_REFUSED;
	return !known;
}

void
ledger_unrefuse(struct ledger *l)
{
	for (int i = 0; i < REQUEST_PEERS; i++)
		if (l->peer[i].want == ITEM_REFUSED)
			l->peer[i].want = ITEM_DUE;
}

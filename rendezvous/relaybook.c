/* SPDX-License-Identifier: ISC */
/* The relays for one peer, out of the tokens that our servers gave. */
#include "relaybook.h"

#include <sodium.h>
#include <string.h>

/* RFC 8445 section 5.1.2.1 with type preference 0 and component 1: the local
 * preference falls with the place in the list, with room for ways to the same
 * relay that are worse (over TCP). */
#define PRIORITY(place) ((65535u - 4096u * (uint32_t)(place)) << 8 | 255u)

/* All that is to be chosen from. */
struct choice {
	size_t n;
	struct {
		struct relaybook_entry entry;
		uint64_t rank;
	} of[INTRODUCTION_SERVERS * TOKEN_RELAYS];
};

void
relaybook_init(struct relaybook *b, const uint8_t own[KEY_LEN],
    const uint8_t peer[KEY_LEN])
{
	sodium_memzero(b, sizeof(*b));
	memcpy(b->own, own, KEY_LEN);
	memcpy(b->peer, peer, KEY_LEN);
}

/* Servers may know one relay by different endpoints: one in common is enough. */
static bool
same_relay(const struct token_relay *a, const struct token_relay *b)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n; k++)
			if (addr_equal(&a->at[i], &b->at[k]))
				return true;
	return false;
}

static void
add(struct choice *c, const struct relaybook *b, const struct token *t,
    const struct token_relay *r)
{
	uint64_t rank = token_rank(b->own, b->peer, r->at, r->n);
	size_t k;

	for (k = 0; k < c->n; k++)
		if (same_relay(&c->of[k].entry.relay, r))
			return;
	for (k = c->n++; k > 0 && rank < c->of[k - 1].rank; k--)
		c->of[k] = c->of[k - 1];
	c->of[k].rank = rank;
	c->of[k].entry = (struct relaybook_entry){
	    .relay = *r, .expiry_s = t->expiry_s, .lifetime_s = t->lifetime_s};
}

static void
choose(struct choice *c, const struct relaybook *b, uint64_t now_ms)
{
	c->n = 0;
	for (size_t s = 0; s < INTRODUCTION_SERVERS; s++)
		for (size_t i = 0; i < b->via[s].token.n; i++)
			if (now_ms < b->via[s].end_ms)
				add(c, b, &b->via[s].token,
				    &b->via[s].token.relay[i]);
	if (c->n > TOKEN_RELAYS)
		c->n = TOKEN_RELAYS;
	for (size_t i = 0; i < c->n; i++)
		c->of[i].entry.priority = PRIORITY(i);
}

static bool
same_entry(const struct relaybook_entry *a, const struct relaybook_entry *b)
{
	if (a->expiry_s != b->expiry_s || a->priority != b->priority ||
	    a->relay.n != b->relay.n ||
	    strcmp(a->relay.password, b->relay.password) != 0)
		return false;
	for (size_t i = 0; i < a->relay.n; i++)
		if (!addr_equal(&a->relay.at[i], &b->relay.at[i]))
			return false;
	return true;
}

static bool
is_told(const struct relaybook *b, const struct relaybook_entry *e)
{
	for (size_t i = 0; i < b->n_told; i++)
		if (same_entry(&b->told[i], e))
			return true;
	return false;
}

size_t
relaybook_token(struct relaybook *b, int server, const struct token *token,
    uint64_t now_ms, struct relaybook_entry news[TOKEN_RELAYS], bool *none)
{
	struct choice c;
	size_t n = 0;

	b->via[server].token = *token;
	b->via[server].end_ms = now_ms + token->lifetime_s * UINT64_C(1000);
	choose(&c, b, now_ms);
	for (size_t i = 0; i < c.n; i++)
		if (!is_told(b, &c.of[i].entry))
			news[n++] = c.of[i].entry;
	*none = c.n == 0 && b->n_told > 0;
	for (size_t i = 0; i < c.n; i++)
		b->told[i] = c.of[i].entry;
	b->n_told = c.n;
	sodium_memzero(&c, sizeof(c));
	return n;
}

void
relaybook_name(const struct relaybook *b, const struct relaybook_entry *e,
    char name[CREDENTIAL_NAME_MAX])
{
	struct credential_pair c = {.expiry_s = e->expiry_s};

	memcpy(c.key, b->own, KEY_LEN);
	memcpy(c.peer, b->peer, KEY_LEN);
	credential_pair_name(&c, name);
}

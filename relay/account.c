/* SPDX-License-Identifier: ISC */
/* Accounts: places, rates and counters, in fixed memory. */
#include "account.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define ACCOUNTS_MAX (UINT32_C(1) << 24)
#define REFILL_MAX_MS 1000 /* more than a burst takes */

struct accounts {
	struct account_credit credit; /* of all together */
	struct accounts_total total;
	struct accounts_config config;
	struct account *slots;
	uint32_t *heads;
	uint32_t mask;
	uint32_t made;		 /* slots [0..made) have a name */
	uint32_t oldest, newest; /* of those with nothing in use */
	uint8_t secret[crypto_shorthash_KEYBYTES];
};

/* Milli-tokens. */
static uint64_t
burst(uint32_t rate, uint32_t least)
{
	uint32_t quarter = rate / 4;

	return (uint64_t)(quarter > least ? quarter : least) * 1000;
}

static void
fill(struct account_credit *c, uint32_t packets_s, uint32_t bytes_s,
    uint64_t now_ms)
{
	c->packets = burst(packets_s, ACCOUNT_BURST_PACKETS);
	c->bytes = burst(bytes_s, ACCOUNT_BURST_BYTES);
	c->last_ms = now_ms;
}

static uint64_t
grown(uint64_t credit, uint32_t rate, uint32_t least, uint64_t elapsed_ms)
{
	uint64_t most = burst(rate, least);

	credit += elapsed_ms * rate;
	return credit < most ? credit : most;
}

static void
refill(struct account_credit *c, uint32_t packets_s, uint32_t bytes_s,
    uint64_t now_ms)
{
	uint64_t elapsed_ms = now_ms > c->last_ms ? now_ms - c->last_ms : 0;

	if (elapsed_ms == 0)
		return;
	if (elapsed_ms > REFILL_MAX_MS)
		elapsed_ms = REFILL_MAX_MS;
	c->packets =
	    grown(c->packets, packets_s, ACCOUNT_BURST_PACKETS, elapsed_ms);
	c->bytes = grown(c->bytes, bytes_s, ACCOUNT_BURST_BYTES, elapsed_ms);
	c->last_ms = now_ms;
}

int
accounts_new(struct accounts **out, const struct accounts_config *config)
{
	struct accounts *a;
	size_t heads = 1;

	if (config->max == 0 || config->max > ACCOUNTS_MAX ||
	    config->per_account == 0)
		return -EINVAL;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	while (heads < config->max)
		heads *= 2;
	a->config = *config;
	a->mask = (uint32_t)(heads - 1);
	a->oldest = a->newest = NONE;
	randombytes_buf(a->secret, sizeof(a->secret));
	a->slots = calloc(config->max, sizeof(*a->slots));
	a->heads = malloc(heads * sizeof(*a->heads));
	if (a->slots == NULL || a->heads == NULL) {
		accounts_free(a);
		return -ENOMEM;
	}
	/* all of it is there from now on, or the start fails */
	explicit_bzero(a->slots, config->max * sizeof(*a->slots));
	memset(a->heads, 0xff, heads * sizeof(*a->heads));
	fill(&a->credit, config->all_packets_s, config->all_bytes_s, 0);
	*out = a;
	return 0;
}

void
accounts_free(struct accounts *a)
{
	if (a == NULL)
		return;
	free(a->slots);
	free(a->heads);
	free(a);
}

static uint32_t *
head_of(const struct accounts *a, const char *name)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint32_t h;

	crypto_shorthash(out, (const uint8_t *)name, strlen(name), a->secret);
	memcpy(&h, out, sizeof(h));
	return &a->heads[h & a->mask];
}

/* Those with nothing in use, in the order in which they may be forgotten. */
static void
idle_remove(struct accounts *a, struct account *acc)
{
	if (acc->older != NONE)
		a->slots[acc->older].newer = acc->newer;
	else
		a->oldest = acc->newer;
	if (acc->newer != NONE)
		a->slots[acc->newer].older = acc->older;
	else
		a->newest = acc->older;
}

static void
idle_append(struct accounts *a, struct account *acc)
{
	uint32_t i = (uint32_t)(acc - a->slots);

	acc->older = a->newest;
	acc->newer = NONE;
	if (a->newest != NONE)
		a->slots[a->newest].newer = i;
	else
		a->oldest = i;
	a->newest = i;
}

static struct account *
forget_oldest(struct accounts *a)
{
	struct account *acc;
	uint32_t *link;

	if (a->oldest == NONE)
		return NULL;
	acc = &a->slots[a->oldest];
	idle_remove(a, acc);
	link = head_of(a, acc->name);
	while (&a->slots[*link] != acc)
		link = &a->slots[*link].next;
	*link = acc->next;
	return acc;
}

/* An account in no list, or NULL. */
static struct account *
make(struct accounts *a, const char *name, uint64_t now_ms)
{
	struct account *acc =
	    a->made < a->config.max ? &a->slots[a->made++] : forget_oldest(a);
	uint32_t *head = head_of(a, name);

	if (acc == NULL)
		return NULL;
	*acc = (struct account){.next = *head, .older = NONE, .newer = NONE};
	memcpy(acc->name, name, strlen(name) + 1);
	fill(&acc->credit, a->config.packets_s, a->config.bytes_s, now_ms);
	*head = (uint32_t)(acc - a->slots);
	return acc;
}

struct account *
accounts_take(struct accounts *a, const char *name, uint64_t now_ms, bool *mine)
{
	struct account *acc;
	uint32_t i;

	*mine = false;
	if (strnlen(name, ACCOUNT_NAME_MAX + 1) > ACCOUNT_NAME_MAX)
		return NULL;
	for (i = *head_of(a, name); i != NONE; i = a->slots[i].next)
		if (strcmp(a->slots[i].name, name) == 0)
			break;
	if (i != NONE && a->slots[i].used >= a->config.per_account) {
		*mine = true;
		return NULL;
	}
	acc = i == NONE ? make(a, name, now_ms) : &a->slots[i];
	if (acc == NULL)
		return NULL;
	if (i != NONE && acc->used == 0)
		idle_remove(a, acc);
	acc->used++;
	acc->seen_ms = now_ms;
	return acc;
}

void
accounts_release(struct accounts *a, struct account *acc)
{
	if (--acc->used == 0)
		idle_append(a, acc);
}

static bool
covers(const struct account_credit *c, uint32_t packets_s, uint32_t bytes_s,
    uint64_t packets, uint64_t bytes)
{
	return (packets_s == 0 || c->packets >= packets) &&
	       (bytes_s == 0 || c->bytes >= bytes);
}

static void
take(struct account_credit *c, uint32_t packets_s, uint32_t bytes_s,
    uint64_t packets, uint64_t bytes)
{
	if (packets_s != 0)
		c->packets -= packets;
	if (bytes_s != 0)
		c->bytes -= bytes;
}

static bool
pay(struct accounts *a, struct account *acc, uint64_t packets, uint64_t bytes,
    uint64_t now_ms)
{
	const struct accounts_config *c = &a->config;

	refill(&acc->credit, c->packets_s, c->bytes_s, now_ms);
	refill(&a->credit, c->all_packets_s, c->all_bytes_s, now_ms);
	if (!covers(&acc->credit, c->packets_s, c->bytes_s, packets, bytes) ||
	    !covers(
		&a->credit, c->all_packets_s, c->all_bytes_s, packets, bytes))
		return false;
	take(&acc->credit, c->packets_s, c->bytes_s, packets, bytes);
	take(&a->credit, c->all_packets_s, c->all_bytes_s, packets, bytes);
	return true;
}

bool
accounts_spend(struct accounts *a, struct account *from, struct account *to,
    unsigned int datagrams, size_t bytes, uint64_t now_ms)
{
	struct account *payer = from != NULL ? from : to;

	if (!pay(a, payer, (uint64_t)datagrams * 1000, (uint64_t)bytes * 1000,
		now_ms)) {
		payer->dropped += datagrams;
		a->total.dropped += datagrams;
		return false;
	}
	if (from != NULL) {
		from->packets_in += datagrams;
		from->bytes_in += bytes;
	}
	if (to != NULL) {
		to->packets_out += datagrams;
		to->bytes_out += bytes;
	}
	a->total.packets += datagrams;
	a->total.bytes += bytes;
	return true;
}

bool
accounts_next(
    const struct accounts *a, uint64_t *position, const struct account **out)
{
	if (*position >= a->made)
		return false;
	*out = &a->slots[(*position)++];
	return true;
}

void
accounts_sum(const struct accounts *a, struct accounts_total *out)
{
	*out = a->total;
	out->accounts = a->made;
}

size_t
accounts_memory(const struct accounts *a)
{
	return sizeof(*a) + a->config.max * sizeof(*a->slots) +
	       ((size_t)a->mask + 1) * sizeof(*a->heads);
}

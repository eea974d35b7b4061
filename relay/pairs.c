/* SPDX-License-Identifier: ISC */
/* Plain pairs: who is bound where, and where datagrams go. */
#include "pairs.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "bindask.h"
#include "crowd.h"
#include "expiry.h"
#include "pairtable.h"

#define NONE PAIRTABLE_NONE
#define LIMIT_SLOTS 4096

struct pairs {
	struct pairs_config config;
	struct pairtable table;
	struct accounts *accounts;
	struct crowd crowd;
	struct expiry expiry;
	struct bindask_gate gate;
	struct bucket *hints; /* of each pair */
	bool drain;
	pairs_event_fn *event;
	void *event_arg;
};

int
pairs_new(struct pairs **out, const struct pairs_config *config,
    struct accounts *accounts)
{
	struct pairs *p;
	int rc;

	if (config->max == 0 || config->max > PAIRTABLE_MAX ||
	    config->ports > PAIRS_PORTS_MAX || config->n_secrets == 0 ||
	    config->bind_rate == 0 || config->bind_rate > LIMIT_RATE_MAX / 2 ||
	    config->first_socket + 2 * config->ports >= WAY_STREAM)
		return -EINVAL;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->config = *config;
	p->accounts = accounts;
	p->hints = calloc(config->max, sizeof(*p->hints));
	rc = p->hints == NULL ? -ENOMEM : 0;
	if (rc == 0)
		rc = pairtable_init(&p->table, config->max);
	if (rc == 0)
		rc =
		    crowd_init(&p->crowd, 2 * config->max, config->per_address);
	if (rc == 0)
		rc = expiry_init(&p->expiry, 2 * config->max);
	if (rc == 0)
		rc = bindask_gate_init(&p->gate,
		    config->limit_slots != 0 ? config->limit_slots
					     : LIMIT_SLOTS,
		    config->bind_rate);
	if (rc != 0) {
		pairs_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void
pairs_free(struct pairs *p)
{
	if (p == NULL)
		return;
	pairtable_free(&p->table);
	crowd_free(&p->crowd);
	expiry_free(&p->expiry);
	bindask_gate_free(&p->gate);
	free(p->hints);
	sodium_memzero(p, sizeof(*p));
	free(p);
}

static void
describe(const struct pairs *p, const struct side *s, struct pairs_side *out)
{
	const struct pairs_config *c = &p->config;
	uint32_t k = (uint32_t)s->way.socket - c->first_socket;

	*out = (struct pairs_side){.bound = s->bound,
	    .way = s->way,
	    .packets = s->packets,
	    .bytes = s->bytes,
	    .dropped = s->dropped,
	    .since_ms = s->since_ms,
	    .seen_ms = s->seen_ms};
	memcpy(out->key, s->key, KEY_LEN);
	if (s->bound && s->way.socket != WAY_STREAM)
		out->port = c->at[k >= c->ports][k % c->ports].port;
}

static void
tell(const struct pairs *p, const char *what, const char *reason, uint32_t side)
{
	struct pairs_side s;

	if (p->event == NULL)
		return;
	describe(p, &p->table.sides[side], &s);
	p->event(p->event_arg, what, reason, &s, p->table.sides[side ^ 1].key);
}

/* Until when a side stays if nothing more is heard of it. */
static uint64_t
end_of(const struct side *s)
{
	return s->seen_ms + (s->carried ? PAIRS_IDLE_MS : PAIRS_UNUSED_MS);
}

static void
unbind(struct pairs *p, uint32_t side, const char *reason)
{
	struct side *s = &p->table.sides[side];

	tell(p, "unbound", reason, side);
	crowd_leave(&p->crowd, s->place);
	accounts_release(p->accounts, s->account);
	expiry_remove(&p->expiry, side);
	pairtable_unbind(&p->table, side, false);
}

/* How much older the request's nonce is than the side's last, 0 when it is not. Nonces
 * live for minutes: other differences are of 32 bits that have gone round. */
static uint32_t
older_ms(const struct side *s, const struct bindask *a)
{
	uint32_t ms = s->proven_ms - (uint32_t)a->given_ms;

	return ms <= CREDENTIAL_NONCE_MS ? ms : 0;
}

/* A copy, late or replayed, of what was said at an address since left, or at another
 * of our ports. */
static bool
is_late(const struct side *s, const struct bindask *a)
{
	if (!s->bound)
		return false;
	if (way_equal(&s->way, a->from))
		return a->leave && older_ms(s, a) > 0;
	return older_ms(s, a) > 0 ||
	       (s->proven_ms == (uint32_t)a->given_ms &&
		   addr_equal(&s->way.remote, &a->from->remote));
}

/* May the pair be at this socket? Otherwise 300 with the lowest that may. */
static int
check_socket(const struct pairs *p, struct bindask *a, uint32_t side)
{
	const struct pairs_config *c = &p->config;
	int v6 = a->from->remote.family == ADDR_V6;
	uint32_t first = (uint32_t)c->first_socket + (v6 ? c->ports : 0);
	uint32_t here = (uint32_t)a->from->socket - first;
	bool any = false;
	uint64_t taken;

	if (a->from->socket == WAY_STREAM)
		return 0;
	taken = pairtable_sockets(&p->table, a->c.key, side, first, c->ports);
	if (here < c->ports && c->at[v6][here].family != ADDR_NONE &&
	    (taken >> here & 1) == 0)
		return 0;
	for (uint32_t k = 0; k < c->ports; k++) {
		if (c->at[v6][k].family == ADDR_NONE)
			continue;
		any = true;
		if ((taken >> k & 1) != 0)
			continue;
		a->alternate = c->at[v6][k];
		return 300;
	}
	return any ? 486 : 508;
}

/* Is the credential one for a side that is new, or stays? An old one has to do for
 * who is here: its rendezvous may be away. */
static int
check_expiry(const struct bindask *a, bool bound)
{
	if (a->c.expiry_s > a->wall_s &&
	    a->c.expiry_s - a->wall_s > PAIRS_EXPIRY_S)
		return 403;
	return bound || a->c.expiry_s > a->wall_s ? 0 : 403;
}

/* The place at an address that another pair is bound at goes to who proved
 * last to be there. */
static void
take_over(struct pairs *p, const struct bindask *a, uint32_t side)
{
	uint32_t other = pairtable_at(&p->table, a->from, a->channel);

	if (other != NONE && other != side)
		unbind(p, other, "taken");
}

static int
bind_new(struct pairs *p, struct bindask *a)
{
	char name[KEY_STRLEN];
	struct account *acc;
	struct side *s;
	uint32_t side;
	bool mine;

	acc = accounts_take(
	    p->accounts, key_format(a->c.key, name), a->now_ms, &mine);
	if (acc == NULL)
		return mine ? 486 : 508;
	take_over(p, a, NONE);
	side = pairtable_find(&p->table, a->c.key, a->c.peer);
	if (side == NONE)
		side = pairtable_make(&p->table, a->c.key, a->c.peer);
	pairtable_bind(&p->table, side, a->from, a->channel);
	s = &p->table.sides[side];
	s->account = acc;
	s->since_ms = s->seen_ms = a->now_ms;
	s->proven_ms = (uint32_t)a->given_ms;
	s->packets = s->bytes = 0;
	s->dropped = 0;
	s->place = crowd_enter(&p->crowd, &a->from->remote);
	expiry_set(&p->expiry, side, end_of(s));
	tell(p, "bound", NULL, side);
	if (p->table.sides[side ^ 1].bound)
		tell(p, "paired", NULL, side);
	return 0;
}

static void
bind_again(struct pairs *p, const struct bindask *a, uint32_t side)
{
	struct side *s = &p->table.sides[side];

	s->seen_ms = a->now_ms;
	if (older_ms(s, a) == 0)
		s->proven_ms = (uint32_t)a->given_ms;
	if (way_equal(&s->way, a->from) && s->channel == a->channel)
		return;
	take_over(p, a, side);
	crowd_leave(&p->crowd, s->place);
	s->place = crowd_enter(&p->crowd, &a->from->remote);
	pairtable_unbind(&p->table, side, true);
	pairtable_bind(&p->table, side, a->from, a->channel);
	tell(p, "moved", NULL, side);
}

static int
enter(struct pairs *p, struct bindask *a)
{
	struct pairtable *t = &p->table;
	uint32_t side = pairtable_find(t, a->c.key, a->c.peer);
	bool bound = side != NONE && t->sides[side].bound;
	int rc = check_expiry(a, bound);

	if (rc == 0)
		rc = check_socket(p, a, side);
	if (rc != 0)
		return rc;
	if (side == NONE && (p->drain || t->count == t->max))
		return 508;
	if (!crowd_room(&p->crowd, &a->from->remote,
		bound ? t->sides[side].place : CROWD_NONE))
		return 486;
	if (bound)
		bind_again(p, a, side);
	else
		rc = bind_new(p, a);
	if (rc != 0)
		return rc;
	side = pairtable_at(t, a->from, a->channel);
	a->lifetime_s =
	    (uint32_t)((end_of(&t->sides[side]) - a->now_ms) / 1000);
	if (a->lifetime_s > PAIRS_LIFETIME_S)
		a->lifetime_s = PAIRS_LIFETIME_S;
	return 0;
}

/* Returns 0 for a success, or an error code. */
static int
decide(struct pairs *p, struct bindask *a)
{
	uint32_t side = pairtable_find(&p->table, a->c.key, a->c.peer);

	if (side != NONE && is_late(&p->table.sides[side], a)) {
		a->challenge = true;
		return 438;
	}
	if (!a->leave)
		return enter(p, a);
	if (side != NONE && p->table.sides[side].bound)
		unbind(p, side, "asked");
	return 0;
}

int
pairs_bind(struct pairs *p, const struct way *from, const struct stun_msg *m,
    uint64_t now_ms, uint64_t wall_s, uint8_t *out, size_t cap)
{
	struct bindask a = {
	    .from = from, .m = m, .now_ms = now_ms, .wall_s = wall_s};
	int code, len = 0;

	if (m->class != STUN_REQUEST || m->method != NATKIT_BIND ||
	    !m->fingerprint)
		return 0;
	code =
	    bindask_read(&a, &p->gate, p->config.secrets, p->config.n_secrets);
	if (code == 0)
		code = decide(p, &a);
	if (code != BINDASK_SILENT)
		len = bindask_answer(&a, &p->gate, code, out, cap);
	sodium_memzero(&a, sizeof(a));
	return len;
}

bool
pairs_forward(struct pairs *p, const struct way *from, uint16_t channel,
    size_t len, unsigned int datagrams, uint64_t now_ms, struct pairs_hop *out)
{
	uint32_t i = pairtable_at(&p->table, from, channel);
	struct side *s, *peer;

	if (i == NONE)
		return false;
	s = &p->table.sides[i];
	peer = &p->table.sides[i ^ 1];
	if (!peer->bound || !accounts_spend(p->accounts, s->account,
				peer->account, datagrams, len, now_ms)) {
		s->dropped = datagrams < UINT32_MAX - s->dropped
				 ? s->dropped + datagrams
				 : UINT32_MAX;
		return false;
	}
	s->packets += datagrams;
	s->bytes += len;
	s->seen_ms = now_ms;
	if (!s->carried)
		s->carried = peer->carried = true;
	out->to = peer->way;
	out->channel = peer->channel;
	return true;
}

bool
pairs_bound(const struct pairs *p, const struct way *from, uint16_t channel)
{
	return pairtable_at(&p->table, from, channel) != NONE;
}

bool
pairs_hint(struct pairs *p, const struct way *from, uint64_t now_ms)
{
	const struct pairtable *t = &p->table;
	uint32_t side = NONE;

	if (from->socket == WAY_STREAM || pairtable_at(t, from, 0) != NONE)
		return false;
	for (int i = 0; i < PAIRS_HINT_SIDES; i++) {
		side = pairtable_beside(t, from, side);
		if (side == NONE)
			return false;
		if (bucket_take(&p->hints[side / 2], PAIRS_HINT_RATE,
			PAIRS_HINT_BURST, now_ms))
			return true;
	}
	return false;
}

void
pairs_stream_gone(struct pairs *p, uint32_t stream)
{
	uint32_t side;

	while ((side = pairtable_of_stream(&p->table, stream)) != NONE)
		unbind(p, side, "closed");
}

/* A time in the heap may be too early, never too late: forwarding leaves it
 * as it is. */
uint64_t
pairs_tick(struct pairs *p, uint64_t now_ms)
{
	uint64_t at_ms;
	uint32_t side;

	while (expiry_first(&p->expiry, &side, &at_ms)) {
		const struct side *s = &p->table.sides[side];
		uint64_t end_ms = end_of(s);

		if (at_ms > now_ms)
			return at_ms;
		if (end_ms > now_ms)
			expiry_set(&p->expiry, side, end_ms);
		else
			unbind(p, side, s->carried ? "idle" : "unused");
	}
	return UINT64_MAX;
}

void
pairs_drain(struct pairs *p, bool drain)
{
	p->drain = drain;
}

size_t
pairs_count(const struct pairs *p)
{
	return p->table.count;
}

size_t
pairs_memory(const struct pairs *p)
{
	return sizeof(*p) + pairtable_memory(&p->table) +
	       crowd_memory(&p->crowd) + expiry_memory(&p->expiry) +
	       bindask_gate_memory(&p->gate) + p->table.max * sizeof(*p->hints);
}

static bool
is_of(const struct pairs *p, uint32_t pair, const uint8_t *key,
    const uint8_t *peer)
{
	for (uint32_t s = 2 * pair; s <= 2 * pair + 1; s++)
		if (memcmp(p->table.sides[s].key, key, KEY_LEN) == 0 &&
		    (peer == NULL ||
			memcmp(p->table.sides[s ^ 1].key, peer, KEY_LEN) == 0))
			return true;
	return false;
}

size_t
pairs_drop(struct pairs *p, const uint8_t key[KEY_LEN], const uint8_t *peer)
{
	size_t n = 0;

	for (uint32_t i = 0; i < p->table.max; i++) {
		if (!pairtable_exists(&p->table, i) || !is_of(p, i, key, peer))
			continue;
		for (uint32_t s = 2 * i; s <= 2 * i + 1; s++)
			if (p->table.sides[s].bound)
				unbind(p, s, "dropped");
		n++;
	}
	return n;
}

bool
pairs_next(const struct pairs *p, uint64_t *position, struct pairs_entry *out)
{
	while (*position < p->table.max &&
	       !pairtable_exists(&p->table, (uint32_t)*position))
		(*position)++;
	if (*position >= p->table.max)
		return false;
	for (uint64_t i = 0; i < 2; i++)
		describe(p, &p->table.sides[2 * *position + i], &out->side[i]);
	(*position)++;
	return true;
}

void
pairs_watch(struct pairs *p, pairs_event_fn *fn, void *arg)
{
	p->event = fn;
	p->event_arg = arg;
}

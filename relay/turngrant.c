/* SPDX-License-Identifier: ISC */
/* TURN allocations come and go: RFC 8656 sections 7.2 and 8.2, after the
 * request has been read. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "turnstate.h"

#define RESERVATION_S 30 /* section 7.2 */

static uint32_t
port_index(const struct turn *t, const struct allocation *a, unsigned int half)
{
	return allocations_index(&t->table, a) * 2 + half;
}

static void
entry_of(struct turn_entry *e, const struct allocation *a, uint64_t now_ms)
{
	*e = (struct turn_entry){.way = a->way};
	memcpy(e->user, a->account->name, sizeof(e->user));
	for (int i = 0; i < 2; i++) {
		e->relayed[i] = a->relayed[i].at;
		if (a->relayed[i].until_s * UINT64_C(1000) > e->expiry_ms)
			e->expiry_ms = a->relayed[i].until_s * UINT64_C(1000);
	}
	for (int i = 0; i < TURN_PERMISSIONS; i++)
		e->permissions +=
		    allocation_is_live(a->permission[i].until_s, now_ms);
	for (int i = 0; i < TURN_CHANNELS; i++)
		e->channels +=
		    allocation_is_live(a->channel[i].until_s, now_ms);
}

static void
publish(const struct turn *t, const char *what, const char *why,
    const struct allocation *a)
{
	struct turn_entry e;

	if (t->event == NULL)
		return;
	entry_of(&e, a, t->now_ms);
	t->event(t->event_arg, what, why, &e);
}

static void
release(struct turn *t, struct allocation *a)
{
	if (a->reserved_until_s != 0)
		t->ports.release(
		    t->ports.arg, a->reserved_family, a->reserved_port);
	a->reserved_until_s = 0;
	a->token = 0;
}

void
turn_end(struct turn *t, struct allocation *a, const char *why)
{
	publish(t, "ended", why, a);
	for (unsigned int i = 0; i < 2; i++)
		if (a->relayed[i].until_s != 0)
			t->ports.close(t->ports.arg, port_index(t, a, i));
	release(t, a);
	crowd_leave(&t->crowd, a->place);
	accounts_release(t->accounts, a->account);
	allocations_give(&t->table, a);
}

bool
turn_end_half(
    struct turn *t, struct allocation *a, unsigned int half, const char *why)
{
	if (a->relayed[!half].until_s == 0) {
		turn_end(t, a, why);
		return false;
	}
	t->ports.close(t->ports.arg, port_index(t, a, half));
	a->relayed[half] = (struct relayed){.until_s = 0};
	if (a->reserved_until_s != 0 &&
	    allocation_half(a->reserved_family) == half)
		release(t, a);
	allocations_schedule(&t->table, a);
	return true;
}

/* Something of it is due: which? */
static void
expire(struct turn *t, struct allocation *a, uint64_t now_ms)
{
	if (a->reserved_until_s != 0 &&
	    !allocation_is_live(a->reserved_until_s, now_ms))
		release(t, a);
	for (unsigned int i = 0; i < 2; i++)
		if (a->relayed[i].until_s != 0 &&
		    !allocation_is_live(a->relayed[i].until_s, now_ms) &&
		    !turn_end_half(t, a, i, "expired"))
			return;
	allocations_schedule(&t->table, a);
}

uint64_t
turn_tick(struct turn *t, uint64_t now_ms)
{
	struct allocation *a;

	t->now_ms = now_ms;
	while ((a = allocations_due(&t->table, now_ms)) != NULL)
		expire(t, a, now_ms);
	return allocations_next_ms(&t->table);
}

struct allocation *
turn_live(struct turn *t, const struct way *way, uint64_t now_ms)
{
	struct allocation *a = allocations_find(&t->table, way);

	if (a == NULL || allocation_is_live(a->due_s, now_ms))
		return a;
	expire(t, a, now_ms);
	return allocations_find(&t->table, way);
}

/* Section 7.2: no less than the default, whatever is asked for. */
uint32_t
turn_lifetime(uint32_t wanted_s)
{
	if (wanted_s < TURN_LIFETIME_DEFAULT_S)
		return TURN_LIFETIME_DEFAULT_S;
	return wanted_s < TURN_LIFETIME_MAX_S ? wanted_s : TURN_LIFETIME_MAX_S;
}

/* The number of the allocation that holds the port, and what is only told to
 * its client. */
void
turn_token(const struct turn *t, const struct allocation *a, uint8_t out[8])
{
	put_u32(out, allocations_index(&t->table, a));
	put_u32(out + 4, a->token);
}

/* Who holds the port of a token; only a client of the same name may take it. */
static struct allocation *
holder(struct turn *t, const struct turn_request *r, const uint8_t token[8])
{
	uint8_t want[TURN_TOKEN_LEN];
	struct allocation *a;
	struct cursor c;

	cursor_init(&c, token, TURN_TOKEN_LEN);
	a = allocations_at(&t->table, cursor_u32(&c));
	if (a == NULL || !allocation_is_live(a->reserved_until_s, r->now_ms) ||
	    memcmp(a->user, r->who.id, sizeof(a->user)) != 0)
		return NULL;
	turn_token(t, a, want);
	return sodium_memcmp(want, token, sizeof(want)) == 0 ? a : NULL;
}

/* One relayed address. Returns 0 or an error code. */
static int
open_half(struct turn *t, struct allocation *a, unsigned int half,
    const struct turn_wish *w, uint16_t port, uint32_t until_s)
{
	int family = half == 1 ? ADDR_V6 : ADDR_V4;
	struct addr at;

	if (!(half == 1 ? t->config.has6 : t->config.has4))
		return 440;
	if (t->ports.open(t->ports.arg, port_index(t, a, half), family, w->even,
		w->next, port, &at) != 0)
		return 508;
	a->relayed[half] = (struct relayed){.at = at, .until_s = until_s};
	return 0;
}

static void
reserve(struct allocation *a, unsigned int half, uint64_t now_ms)
{
	a->reserved_family = half == 1 ? ADDR_V6 : ADDR_V4;
	a->reserved_port = (uint16_t)(a->relayed[half].at.port + 1);
	a->reserved_until_s = allocation_until(now_ms, RESERVATION_S);
	a->token = randombytes_random();
}

/* The port is not held any more, but the token's own: who has it in hand opens
 * it under that number. */
static int
open_reserved(struct turn *t, struct turn_request *r, const struct turn_wish *w,
    uint32_t until_s)
{
	struct allocation *from = holder(t, r, w->token);
	int rc;

	if (from == NULL)
		return 508;
	rc = open_half(t, r->a, allocation_half(from->reserved_family), w,
	    from->reserved_port, until_s);
	if (rc == 0) {
		from->reserved_until_s = 0;
		from->token = 0;
		allocations_schedule(&t->table, from);
	}
	return rc;
}

/* With both families it is enough to get one (section 7.2). */
static int
open_ports(struct turn *t, struct turn_request *r, const struct turn_wish *w)
{
	uint32_t until_s = allocation_until(r->now_ms, w->lifetime_s);
	struct allocation *a = r->a;
	int error[2] = {0, 0};

	if (w->token != NULL)
		return open_reserved(t, r, w, until_s);
	for (unsigned int i = 0; i < 2; i++) {
		if (!w->family[i])
			continue;
		error[i] = open_half(t, a, i, w, 0, until_s);
		a->relayed[i].error = (uint16_t)error[i];
		if (error[i] == 0 && w->next)
			reserve(a, i, r->now_ms);
	}
	if (a->relayed[0].until_s != 0 || a->relayed[1].until_s != 0)
		return 0;
	return error[0] == 508 || error[1] == 508 ? 508 : 440;
}

/* The name that the places are counted under: never that of a key, whose pairs
 * are counted under it, whatever name a user was allowed to choose. */
static struct account *
take_account(struct turn *t, const struct turn_request *r, bool *mine)
{
	char other[sizeof("turn:") + KEY_STRLEN], text[KEY_STRLEN];
	const char *name = r->who.name.user;
	uint8_t key[KEY_LEN];

	if (name[0] == '\0') {
		snprintf(other, sizeof(other), "%llu",
		    (unsigned long long)r->who.name.expiry_s);
		name = other;
	} else if (key_parse_public(key, name) == 0) {
		snprintf(
		    other, sizeof(other), "turn:%s", key_format(key, text));
		name = other;
	}
	return accounts_take(t->accounts, name, r->now_ms, mine);
}

int
turn_grant(struct turn *t, struct turn_request *r, const struct turn_wish *w)
{
	struct account *account;
	bool mine = false;
	int rc;

	if (t->drain)
		return 508;
	if (!crowd_room(&t->crowd, &r->from->remote, CROWD_NONE))
		return 486;
	account = take_account(t, r, &mine);
	if (account == NULL)
		return mine ? 486 : 508;
	r->a = allocations_take(&t->table, r->from, account);
	rc = r->a == NULL ? 508 : open_ports(t, r, w);
	if (rc != 0) {
		if (r->a != NULL)
			allocations_give(&t->table, r->a);
		r->a = NULL;
		accounts_release(t->accounts, account);
		return rc;
	}
	r->a->place = crowd_enter(&t->crowd, &r->from->remote);
	memcpy(r->a->tid, r->m->tid, STUN_TID_LEN);
	memcpy(r->a->user, r->who.id, sizeof(r->a->user));
	allocations_schedule(&t->table, r->a);
	publish(t, "allocated", NULL, r->a);
	return 0;
}

/* The relay's own relayed addresses are no inside: another client is there.
 * That no other port of theirs is reached is for the engine to see to. */
int
turn_peer_error(const struct turn *t, const struct allocation *a,
    const struct addr *peer, uint64_t now_ms)
{
	const struct relayed *relayed =
	    &a->relayed[allocation_half(peer->family)];

	if (!allocation_is_live(relayed->until_s, now_ms))
		return 443;
	if (addr_is_any(peer) || addr_is_multicast(peer))
		return 403;
	if (addr_equal_ip(&relayed->at, peer) ||
	    peerrules_allow(t->config.rules, peer))
		return 0;
	return 403;
}

void
turn_stream_gone(struct turn *t, uint32_t stream)
{
	struct way way = {.socket = WAY_STREAM, .stream = stream};
	struct allocation *a = allocations_find(&t->table, &way);

	if (a != NULL)
		turn_end(t, a, "connection");
}

size_t
turn_drop(struct turn *t, const char *user)
{
	struct allocation *a;
	size_t n = 0;

	for (uint32_t i = 0; i < t->config.max; i++) {
		a = allocations_at(&t->table, i);
		if (a == NULL || strcmp(a->account->name, user) != 0)
			continue;
		turn_end(t, a, "dropped");
		n++;
	}
	return n;
}

bool
turn_next(const struct turn *t, uint64_t *position, struct turn_entry *out)
{
	const struct allocation *a;

	while (*position < t->config.max) {
		a = allocations_at(&t->table, (uint32_t)(*position)++);
		if (a == NULL)
			continue;
		entry_of(out, a, t->now_ms);
		return true;
	}
	return false;
}

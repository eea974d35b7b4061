/* SPDX-License-Identifier: ISC */
/* The introduction to one peer: offers until both sides hold the other's
 * latest candidates, then READY, and GO. */
#include "introduction.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* n characters of base64's alphabet; n is a multiple of 4. */
static void
random_text(char *out, size_t n)
{
	uint8_t raw[OFFER_PASSWORD_LEN];

	randombytes_buf(raw, n / 4 * 3);
	sodium_bin2base64(
	    out, n + 1, raw, n / 4 * 3, sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(raw, sizeof(raw));
}

int
introduction_init(struct introduction *i, const uint8_t own[KEY_LEN],
    const uint8_t own_pub[KEY_LEN], const uint8_t peer[KEY_LEN])
{
	memset(i, 0, sizeof(*i));
	memcpy(i->key, peer, KEY_LEN);
	memcpy(i->own, own_pub, KEY_LEN);
	i->controlling = memcmp(own_pub, peer, KEY_LEN) > 0;
	randombytes_buf(i->tag, sizeof(i->tag));
	random_text(i->user, OFFER_USER_LEN);
	random_text(i->password, OFFER_PASSWORD_LEN);
	i->interval_ms = INTRODUCTION_RESEND_MIN_MS;
	return seal_keys(i->send_key, i->recv_key, own, own_pub, peer);
}

/* Of the checks that `checker` sends to `checked`, who offered the password. */
static void
bind_password(char out[OFFER_PASSWORD_LEN + 1], const char *offered,
    const uint8_t checker[KEY_LEN], const uint8_t checked[KEY_LEN])
{
	static const uint8_t label[] = "natkit check 1";
	uint8_t raw[OFFER_PASSWORD_LEN / 4 * 3];
	crypto_generichash_state h;

	crypto_generichash_init(&h, NULL, 0, sizeof(raw));
	crypto_generichash_update(&h, label, sizeof(label) - 1);
	crypto_generichash_update(
	    &h, (const uint8_t *)offered, OFFER_PASSWORD_LEN);
	crypto_generichash_update(&h, checker, KEY_LEN);
	crypto_generichash_update(&h, checked, KEY_LEN);
	crypto_generichash_final(&h, raw, sizeof(raw));
	sodium_bin2base64(out, OFFER_PASSWORD_LEN + 1, raw, sizeof(raw),
	    sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(&h, sizeof(h));
	sodium_memzero(raw, sizeof(raw));
}

void
introduction_passwords(const struct introduction *i,
    char own[OFFER_PASSWORD_LEN + 1], char theirs[OFFER_PASSWORD_LEN + 1])
{
	bind_password(own, i->password, i->key, i->own);
	bind_password(theirs, i->theirs.password, i->own, i->key);
}

/* Offers start anew: at once, and then often. */
static void
hurry(struct introduction *i)
{
	i->resend_ms = 0;
	i->interval_ms = INTRODUCTION_RESEND_MIN_MS;
}

void
introduction_candidates(struct introduction *i, uint32_t generation,
    const struct offer_candidate *list, size_t n)
{
	i->mine = generation;
	i->n = n < OFFER_CANDIDATES ? n : OFFER_CANDIDATES;
	memcpy(i->candidate, list, i->n * sizeof(*list));
	hurry(i);
}

static bool
usable(const struct introduction_via *v)
{
	return v->up && v->there;
}

void
introduction_session(struct introduction *i, int server, bool up)
{
	struct introduction_via *v = &i->via[server];

	v->up = up;
	if (usable(v))
		hurry(i);
}

static bool
tag_proven(const struct introduction *i, const struct introduction_via *v)
{
	return i->met && memcmp(v->tag, i->theirs.from, WIRE_TAG_LEN) == 0;
}

/* Forgets the READY as well: the server may have. */
void
introduction_peer(
    struct introduction *i, int server, const uint8_t tag[WIRE_TAG_LEN])
{
	struct introduction_via *v = &i->via[server];

	v->up = true;
	v->there = true;
	v->mine = v->theirs = 0;
	memcpy(v->tag, tag, WIRE_TAG_LEN);
	hurry(i);
}

static bool
any_usable(const struct introduction *i)
{
	for (int s = 0; s < INTRODUCTION_SERVERS; s++)
		if (usable(&i->via[s]))
			return true;
	return false;
}

void
introduction_gone(struct introduction *i, int server)
{
	i->via[server].there = false;
	i->via[server].mine = i->via[server].theirs = 0;
	if (any_usable(i) || (!i->told && !i->tell_done))
		return;
	i->met = false; /* what it offers next is news again */
	i->tell_gone |= i->told;
	i->told = false;
	i->tell_done = i->tell_go = false;
	i->went_mine = i->went_theirs = 0;
}

/* A server may tell of another tag than the peer has proven: it knows of the
 * peer's new run, or is behind. The peer's answer decides. */
static bool
tags_differ(const struct introduction *i)
{
	for (int s = 0; s < INTRODUCTION_SERVERS; s++)
		if (usable(&i->via[s]) && !tag_proven(i, &i->via[s]))
			return true;
	return false;
}

static bool
peer_holds_ours(const struct introduction *i)
{
	return i->met && i->theirs.holds == i->mine;
}

static bool
needs_offer(const struct introduction *i)
{
	return i->mine != 0 && any_usable(i) &&
	       (!peer_holds_ours(i) || tags_differ(i));
}

/* Takes the offer over. Returns whether it held a new generation. */
static bool
accept_offer(struct introduction *i, const struct offer *o)
{
	bool same_run =
	    i->met && memcmp(o->from, i->theirs.from, WIRE_TAG_LEN) == 0;

	i->heard_ns = o->timestamp_ns;
	if (same_run && o->generation == i->theirs.generation) {
		/* what was told of a generation stays as it was */
		i->theirs.holds = o->holds;
		return false;
	}
	if (!same_run)
		i->went_mine = i->went_theirs = 0;
	i->theirs = *o;
	i->met = true;
	i->tell_done = true;
	i->tell_go = false;
	return true;
}

int
introduction_payload(
    struct introduction *i, int server, const uint8_t *payload, size_t len)
{
	uint8_t plain[OFFER_MAX];
	struct offer o;
	int n = seal_unbox(i->recv_key, payload, len, plain, sizeof(plain));
	bool answer;

	if (n < 0 || offer_decode(&o, plain, (size_t)n) != 0)
		return -EBADMSG;
	if (memcmp(o.to, i->tag, WIRE_TAG_LEN) != 0 ||
	    o.timestamp_ns <= i->heard_ns)
		return -ESTALE;
	if (o.holds > i->mine ||
	    (i->met && memcmp(o.from, i->theirs.from, WIRE_TAG_LEN) == 0 &&
		o.generation < i->theirs.generation))
		return -EPROTO;
	answer = o.known != o.generation;
	if (accept_offer(i, &o))
		hurry(i);
	i->answer |= answer;
	i->via[server].up = true;
	i->via[server].there = true;
	for (int s = 0; s < INTRODUCTION_SERVERS; s++)
		memcpy(i->via[s].tag, o.from, WIRE_TAG_LEN);
	return 0;
}

int
introduction_go(struct introduction *i, uint32_t mine, uint32_t theirs,
    uint16_t age_ms, uint16_t skew_ms)
{
	/* both have said READY, or it is of another time: mine is held */
	if (!peer_holds_ours(i) || mine == 0 || mine != i->mine ||
	    theirs != i->theirs.generation ||
	    (mine == i->went_mine && theirs == i->went_theirs))
		return -ESTALE;
	i->went_mine = mine;
	i->went_theirs = theirs;
	i->age_ms = age_ms;
	i->skew_ms = skew_ms;
	i->tell_go = true;
	return 0;
}

/* Time stamps rise from payload to payload, whatever the clock does. */
static bool
make_payload(struct introduction *i, const uint8_t to[WIRE_TAG_LEN],
    const struct moment *now, struct introduction_event *ev)
{
	struct offer o = {.generation = i->mine, .n = i->n};
	uint8_t plain[OFFER_MAX];
	int len;

	i->said_ns = now->wall_ns > i->said_ns ? now->wall_ns : i->said_ns + 1;
	o.timestamp_ns = i->said_ns;
	memcpy(o.from, i->tag, WIRE_TAG_LEN);
	memcpy(o.to, to, WIRE_TAG_LEN);
	if (i->met && memcmp(to, i->theirs.from, WIRE_TAG_LEN) == 0) {
		o.holds = i->theirs.generation;
		if (!tags_differ(i))
			o.known = i->theirs.holds;
	}
	memcpy(o.user, i->user, sizeof(o.user));
	memcpy(o.password, i->password, sizeof(o.password));
	memcpy(o.candidate, i->candidate, i->n * sizeof(o.candidate[0]));
	len = offer_encode(&o, plain, sizeof(plain));
	if (len > 0)
		ev->len =
		    seal_box(i->send_key, plain, (size_t)len, ev->payload);
	sodium_memzero(plain, sizeof(plain));
	return len > 0;
}

/* Of what is due, and paid for until then: when it may be done. */
static uint64_t
paced(uint64_t due_ms, uint64_t paid_ms)
{
	const uint64_t ahead = INTRODUCTION_BURST * INTRODUCTION_PACE_MS;
	uint64_t next_ms = paid_ms + INTRODUCTION_PACE_MS;

	return next_ms > ahead && next_ms - ahead > due_ms ? next_ms - ahead
							   : due_ms;
}

static void
pay(uint64_t *paid_ms, const struct moment *now)
{
	if (*paid_ms < now->ms)
		*paid_ms = now->ms;
	*paid_ms += INTRODUCTION_PACE_MS;
}

/* When the next round of offers begins. */
static uint64_t
round_at(const struct introduction *i)
{
	uint64_t due = UINT64_MAX;

	if (needs_offer(i))
		due = i->resend_ms;
	if (i->answer && i->mine != 0 && any_usable(i))
		due = 0;
	return paced(due, i->rounds_ms);
}

/* When the peer's candidates are to be told. */
static uint64_t
done_at(const struct introduction *i)
{
	return paced(i->tell_done ? 0 : UINT64_MAX, i->told_ms);
}

static void
begin_round(struct introduction *i, const struct moment *now)
{
	i->round_told = i->round_proven = 0;
	for (int s = 0; s < INTRODUCTION_SERVERS; s++) {
		if (!usable(&i->via[s]))
			continue;
		if (i->met)
			i->round_proven |= 1u << s;
		if (!tag_proven(i, &i->via[s]))
			i->round_told |= 1u << s;
	}
	i->answer = false;
	pay(&i->rounds_ms, now);
	i->resend_ms = now->ms + i->interval_ms;
	i->interval_ms *= 2;
	if (i->interval_ms > INTRODUCTION_RESEND_MAX_MS)
		i->interval_ms = INTRODUCTION_RESEND_MAX_MS;
}

static bool
say_offer(struct introduction *i, const struct moment *now,
    struct introduction_event *ev)
{
	if (now->ms >= round_at(i))
		begin_round(i, now);
	for (int s = 0; s < INTRODUCTION_SERVERS; s++) {
		unsigned bit = 1u << s;
		const uint8_t *to = i->via[s].tag;

		if (((i->round_told | i->round_proven) & bit) == 0)
			continue;
		if ((i->round_told & bit) == 0)
			to = i->theirs.from;
		if ((i->round_told & bit) != 0)
			i->round_told &= ~bit;
		else
			i->round_proven &= ~bit;
		if (!usable(&i->via[s]) || !make_payload(i, to, now, ev))
			continue;
		ev->what = INTRODUCTION_SEND;
		ev->server = s;
		return true;
	}
	return false;
}

/* READY goes to each server that has the peer's present run. */
static bool
say_ready(struct introduction *i, struct introduction_event *ev)
{
	if (!peer_holds_ours(i) || i->tell_done)
		return false;
	for (int s = 0; s < INTRODUCTION_SERVERS; s++) {
		struct introduction_via *v = &i->via[s];

		if (!usable(v) || !tag_proven(i, v) ||
		    (v->mine == i->mine && v->theirs == i->theirs.generation))
			continue;
		v->mine = i->mine;
		v->theirs = i->theirs.generation;
		ev->what = INTRODUCTION_READY;
		ev->server = s;
		ev->mine = v->mine;
		ev->theirs = v->theirs;
		return true;
	}
	return false;
}

static bool
say_learned(struct introduction *i, const struct moment *now,
    struct introduction_event *ev)
{
	ev->theirs = i->theirs.generation;
	if (i->tell_gone) {
		i->tell_gone = false;
		ev->what = INTRODUCTION_GONE;
	} else if (i->tell_done) {
		if (now->ms < done_at(i))
			return false;
		pay(&i->told_ms, now);
		i->tell_done = false;
		i->told = true;
		ev->what = INTRODUCTION_DONE;
	} else if (i->tell_go) {
		i->tell_go = false;
		ev->age_ms = i->age_ms;
		ev->skew_ms = i->skew_ms;
		ev->what = INTRODUCTION_GO;
	} else
		return false;
	return true;
}

void
introduction_step(struct introduction *i, const struct moment *now,
    struct introduction_event *ev)
{
	ev->what = INTRODUCTION_WAIT;
	if (say_learned(i, now, ev) || say_offer(i, now, ev) ||
	    say_ready(i, ev))
		return;
	ev->at_ms = round_at(i) < done_at(i) ? round_at(i) : done_at(i);
}

/* SPDX-License-Identifier: ISC */
/* How connections come and go: who dials and when, whose first packets are
 * answered, which connection is the one. */
#include <sodium.h>
#include <string.h>

#include "linkpart.h"

#define BACKOFF_MIN 200	  /* ms */
#define BACKOFF_MAX 10000 /* ms */
#define LIVED_MS 10000	  /* a connection that lived so long was a good one */
#define AGAIN_MS 50	  /* the most to wait after a good one */
#define YIELD_MS 1000	  /* for a connection that the peer has begun */
#define GRACE_MS 2000	  /* in which a first packet may be an old one */
#define ACCEPT_RATE 100	  /* first packets a second that are looked into */
#define ACCEPT_BURST 200
#define RESET_RATE 10

/* ---- connections come and go ---- */

static void
bury(struct link *l, struct talk *t)
{
	t->next = l->over;
	l->over = t;
}

void
link_free_over(struct link *l)
{
	while (l->over != NULL) {
		struct talk *t = l->over;

		l->over = t->next;
		talk_free(t);
	}
}

void
link_down(struct link *l, enum joint_end why)
{
	struct talk *t = l->up;
	struct seat *s;

	if (t == NULL)
		return;
	l->up = NULL;
	l->asked = NULL;
	bury(l, t);
	seats_call(&l->seats, SEAT_GONE, true);
	while ((s = seats_first(&l->seats, SEAT_GONE)) != NULL) {
		seats_leave(&l->seats, SEAT_GONE, s);
		seats_leave(&l->seats, SEAT_URGENT, s);
		seats_leave(&l->seats, SEAT_READY, s);
		seats_map(&l->seats, s, -1);
		joint_gone(s->joint, why);
	}
	link_changed(l);
}

static void
drop_dial(struct link *l)
{
	if (l->dial != NULL)
		bury(l, l->dial);
	l->dial = NULL;
}

void
link_redial(struct link *l)
{
	drop_dial(l);
	l->backoff_ms = 0;
	l->dial_at_ms = now_ms();
	l->yielded = true;
	tunnel_touch(l->tunnel, l);
}

static bool
leave_half(struct link *l, const struct talk *t)
{
	for (size_t i = 0; i < LINK_HALF; i++)
		if (l->half[i] == t) {
			l->half[i] = NULL;
			return true;
		}
	return false;
}

/* Both keys are proven: it takes the place of whatever was there. */
void
link_promote(struct link *l, struct talk *t)
{
	link_down(l, JOINT_RESTARTED);
	if (l->dead)
		return;
	leave_half(l, t);
	if (l->dial == t)
		l->dial = NULL;
	drop_dial(l);
	l->up = t;
	l->generation++;
	l->connections++;
	l->up_since_ms = l->idle_since_ms = now_ms();
	l->burst = 0;
	link_changed(l);
	tunnel_touch(l->tunnel, l);
}

static void
back_off(struct link *l)
{
	l->backoff_ms = l->backoff_ms == 0 ? BACKOFF_MIN : l->backoff_ms * 2;
	if (l->backoff_ms > BACKOFF_MAX)
		l->backoff_ms = BACKOFF_MAX;
	l->dial_at_ms = now_ms() + l->backoff_ms / 2 +
			randombytes_uniform(l->backoff_ms / 2 + 1);
}

/* One that ended soon is as one that never came about, unless it was ended in
 * good order, as short streams to a peer that serves only one are. */
static void
dial_again(struct link *l, const struct talk *t, enum quic_end end)
{
	uint64_t now = now_ms(), code = 1;

	if (end == QUIC_CLOSED)
		quic_ended(t->quic, &code);
	if (code != 0 && end != QUIC_RESTARTED &&
	    now - l->up_since_ms < LIVED_MS) {
		back_off(l);
		return;
	}
	l->backoff_ms = 0;
	l->dial_at_ms = now + randombytes_uniform(AGAIN_MS);
}

static enum joint_end
joint_end_of(const struct talk *t, enum quic_end end)
{
	uint64_t code;

	switch (end) {
	case QUIC_RESTARTED:
		return JOINT_RESTARTED;
	case QUIC_CLOSED:
		quic_ended(t->quic, &code);
		return code == 0 ? JOINT_DONE : JOINT_ABORTED;
	default:
		return JOINT_GONE;
	}
}

void
link_ended(struct link *l, struct talk *t, enum quic_end end)
{
	if (t == l->up) {
		l->last = end;
		dial_again(l, t, end);
		link_down(l, joint_end_of(t, end));
	} else if (t == l->dial) {
		l->last = end;
		back_off(l);
		drop_dial(l);
		link_changed(l);
	} else if (leave_half(l, t)) {
		/* or a call of its own has ended it already */
		bury(l, t);
	}
}

struct talk *
link_talk(const struct link *l, size_t i)
{
	return i == 0 ? l->up : i == 1 ? l->dial : l->half[i - 2];
}

/* ---- what comes ---- */

static struct talk *
owner(const struct link *l, const struct quic_head *head)
{
	for (size_t i = 0; i < LINK_TALKS; i++) {
		struct talk *t = link_talk(l, i);

		if (t != NULL && quic_owns(t->quic, head->cid, head->cid_len))
			return t;
	}
	return NULL;
}

bool
link_owns(const struct link *l, const struct quic_head *head)
{
	return owner(l, head) != NULL;
}

static struct talk **
half_for_new(struct link *l)
{
	struct talk **oldest = &l->half[0];

	for (size_t i = 0; i < LINK_HALF; i++) {
		if (l->half[i] == NULL)
			return &l->half[i];
		if (l->half[i]->number < (*oldest)->number)
			oldest = &l->half[i];
	}
	bury(l, *oldest);
	*oldest = NULL;
	return oldest;
}

/* Both may dial at once: then the greater key's connection is the one. What the
 * other has sent may come after that one stands. */
static bool
ours_goes_first(struct link *l)
{
	if (!l->greater)
		return false;
	if (l->dial != NULL) {
		/* whoever sends that may hear us now */
		if (now_ms() - l->dial->begun_ms > YIELD_MS)
			link_redial(l);
		return true;
	}
	return l->up != NULL && l->up->ours &&
	       now_ms() - l->up_since_ms < GRACE_MS;
}

static bool
was_accepted(const struct link *l, const struct quic_head *head)
{
	for (size_t i = 0; i < LINK_ACCEPTED; i++)
		if (memcmp(l->accepted[i], head->cid, LINK_ACCEPTED_ID) == 0)
			return true;
	return false;
}

static void
first_packet(struct link *l, const struct quic_head *head, const uint8_t *data,
    size_t len)
{
	struct talk *t;

	/* What anybody can make up, or play again, costs next to nothing. */
	if (!quic_is_marked(head, l->peer_psk) || was_accepted(l, head)) {
		l->refused++;
		return;
	}
	if (ours_goes_first(l))
		return;
	if (!bucket_take(&l->accepts, ACCEPT_RATE, ACCEPT_BURST, now_ms()) ||
	    talk_accept(&t, l, data, len) != 0) {
		l->refused++;
		return;
	}
	memcpy(l->accepted[l->n_accepted++ % LINK_ACCEPTED], head->cid,
	    LINK_ACCEPTED_ID);
	*half_for_new(l) = t;
}

/* Of no connection that we know: the peer's word that it knows ours no more, or
 * we have to say so. */
static void
stray(struct link *l, const struct addr *from, const uint8_t *data, size_t len)
{
	uint8_t reset[64];
	size_t n;

	l->refused++;
	if (l->up != NULL) {
		enum quic_end end = talk_read(l->up, data, len);

		if (end != QUIC_ALIVE) {
			link_ended(l, l->up, end);
			return;
		}
	}
	n = quic_stateless_reset(reset, sizeof(reset), l->psk, data, len);
	if (n > 0 && bucket_take(&l->resets, RESET_RATE, RESET_RATE, now_ms()))
		tunnel_send(l->tunnel, from, reset, n);
}

/* Now the peer is there, too: what it answered before went the old way. */
static void
meet(struct link *l, const struct addr *from)
{
	if (l->met || !addr_equal(from, &l->endpoint))
		return;
	l->met = true;
	l->moved = true;
}

void
link_packet(
    struct link *l, const struct addr *from, const uint8_t *data, size_t len)
{
	struct quic_head head;
	struct talk *t;
	enum quic_end end;

	if (quic_peek(&head, data, len) != 0) {
		l->refused++;
		return;
	}
	tunnel_touch(l->tunnel, l);
	if ((t = owner(l, &head)) != NULL) {
		if ((end = talk_read(t, data, len)) != QUIC_ALIVE)
			link_ended(l, t, end);
		else if (t == l->up)
			meet(l, from);
	} else if (head.initial) {
		first_packet(l, &head, data, len);
	} else if (!head.long_header) {
		stray(l, from, data, len);
	} else {
		l->refused++;
	}
}

/* ---- dialing ---- */

bool
link_wants_dial(const struct link *l)
{
	return l->up == NULL && l->dial == NULL &&
	       l->endpoint.family != ADDR_NONE &&
	       (l->wanted || seats_first(&l->seats, SEAT_WAITING) != NULL);
}

void
link_fill_buckets(struct link *l)
{
	bucket_fill(&l->accepts, ACCEPT_BURST, now_ms());
	bucket_fill(&l->resets, RESET_RATE, now_ms());
}

static bool
has_fresh_half(const struct link *l, uint64_t now)
{
	for (size_t i = 0; i < LINK_HALF; i++)
		if (l->half[i] != NULL && now - l->half[i]->begun_ms < YIELD_MS)
			return true;
	return false;
}

/* What the peer has begun may be all that is wanted; but somebody who has
 * recorded its first packets may only delay us once. */
void
link_dial(struct link *l)
{
	uint64_t now = now_ms();

	if (!link_wants_dial(l) || now < l->dial_at_ms)
		return;
	if (!l->yielded && has_fresh_half(l, now)) {
		l->yielded = true;
		l->dial_at_ms = now + YIELD_MS;
		return;
	}
	l->yielded = false;
	if (talk_dial(&l->dial, l) != 0)
		back_off(l);
	link_changed(l);
}

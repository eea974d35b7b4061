/* SPDX-License-Identifier: ISC */
/* A link's turn: what its timers, its joints and its connections ask for, and
 * when the next one is due. */
#include "linkpart.h"

#define MOST_NARROW 1200 /* bytes that every path carries */
#define NARROW_MS 30000	 /* long datagrams show within that what it carries */
#define WIDEN_MS 60000	 /* then they are tried again, and later, and later */
#define WIDEN_MAX (3600 * 1000)
#define TURN_BYTES (256 << 10) /* that one link sends before the next */
#define IDLE_MS 60000
#define SOON_NS 100000 /* of a timer that is due although all was done */

static void
expire(struct link *l)
{
	for (size_t i = 0; i < LINK_TALKS; i++) {
		struct talk *t = link_talk(l, i);
		enum quic_end end;

		if (t != NULL && (end = talk_expire(t)) != QUIC_ALIVE)
			link_ended(l, t, end);
	}
}

/* A new path is no reason to wait for what the old one's silence has set. */
static void
tell_moved(struct link *l)
{
	struct talk *t = l->up;
	enum quic_end end;

	if (l->moved && t != NULL &&
	    (end = quic_moved(t->quic, now_us() * 1000)) != QUIC_ALIVE &&
	    t == l->up)
		link_ended(l, t, end);
	l->moved = false;
}

static void
flush_dirty(struct link *l)
{
	struct seat *s;

	while ((s = seats_first(&l->seats, SEAT_DIRTY)) != NULL) {
		seats_leave(&l->seats, SEAT_DIRTY, s);
		joint_flush(s->joint);
	}
}

static void
tell_room(struct link *l)
{
	struct seat *s;

	if (!l->short_of_memory || !link_has_room(l))
		return;
	l->short_of_memory = false;
	seats_call(&l->seats, SEAT_ROOM, false);
	while ((s = seats_first(&l->seats, SEAT_ROOM)) != NULL) {
		seats_leave(&l->seats, SEAT_ROOM, s);
		joint_room(s->joint);
	}
}

static void
end_waits(struct link *l)
{
	uint64_t now = now_ms(), first = UINT64_MAX;
	struct seat *s;

	if (now < l->wait_until_ms)
		return;
	for (s = seats_first(&l->seats, SEAT_WAITING); s != NULL;
	     s = s->line[SEAT_WAITING].next)
		if (s->until_ms <= now)
			seats_append(&l->seats, SEAT_GONE, s);
		else if (s->until_ms < first)
			first = s->until_ms;
	l->wait_until_ms = first;
	while ((s = seats_first(&l->seats, SEAT_GONE)) != NULL) {
		seats_leave(&l->seats, SEAT_GONE, s);
		seats_leave(&l->seats, SEAT_WAITING, s);
		joint_gone(s->joint, JOINT_NO_PATH);
	}
}

/* In line; who can't open a stream yet stays the first. */
static void
raise_waiting(struct link *l)
{
	struct seat *s;

	while (l->up != NULL &&
	       (s = seats_first(&l->seats, SEAT_WAITING)) != NULL) {
		joint_link_up(s->joint);
		if (seats_first(&l->seats, SEAT_WAITING) == s)
			return;
	}
}

static bool
is_idle(const struct link *l)
{
	return l->up != NULL && l->up->ours && !l->wanted &&
	       l->seats.mapped == 0 &&
	       seats_first(&l->seats, SEAT_WAITING) == NULL;
}

static void
close_if_idle(struct link *l)
{
	if (!is_idle(l) || now_ms() < l->idle_since_ms + IDLE_MS)
		return;
	talk_close(l->up, 0);
	l->last = QUIC_CLOSED;
	link_down(l, JOINT_CLOSED);
}

/* Each try costs a short silence when it is in vain. */
static void
narrow(struct link *l, uint64_t now)
{
	l->most = MOST_NARROW;
	l->narrow_ms = l->narrow_ms == 0 ? WIDEN_MS : l->narrow_ms * 2;
	if (l->narrow_ms > WIDEN_MAX)
		l->narrow_ms = WIDEN_MAX;
	l->wide_at_ms = now + l->narrow_ms;
}

/* The library has found out what an earlier path carries. A later silence has
 * other reasons. */
static void
narrow_if_choked(struct link *l)
{
	uint64_t now = now_ms();

	if (l->most == MOST_NARROW && now >= l->wide_at_ms) {
		l->most = LINK_MOST;
		l->tried_ms = 0;
	}
	if (l->up == NULL || l->most == MOST_NARROW || l->tried_ms == 0 ||
	    l->up->begun_ms > l->path_since_ms ||
	    now - l->tried_ms > NARROW_MS || !talk_is_choked(l->up))
		return;
	narrow(l, now);
}

static bool
write_all(struct link *l)
{
	bool more = false;

	for (size_t i = 0; i < LINK_TALKS; i++) {
		struct talk *t = link_talk(l, i);
		enum quic_end end;

		if (t == NULL)
			continue;
		if (talk_write(t, TURN_BYTES))
			more = true;
		/* a call may have ended it */
		if (t == link_talk(l, i) &&
		    (end = quic_ended(t->quic, NULL)) != QUIC_ALIVE)
			link_ended(l, t, end);
	}
	return more;
}

static void
sooner(uint64_t *at_ns, uint64_t other)
{
	if (other < *at_ns)
		*at_ns = other;
}

static uint64_t
next_timer(const struct link *l)
{
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < LINK_TALKS; i++)
		if (link_talk(l, i) != NULL)
			sooner(&at, quic_expiry(link_talk(l, i)->quic));
	if (l->wait_until_ms != UINT64_MAX)
		sooner(&at, l->wait_until_ms * 1000000);
	if (link_wants_dial(l))
		sooner(&at, l->dial_at_ms * 1000000);
	if (is_idle(l))
		sooner(&at, (l->idle_since_ms + IDLE_MS) * 1000000);
	return at;
}

static void
arm(struct link *l)
{
	uint64_t now = now_us() * 1000, at = next_timer(l), us;
	struct timeval tv;

	if (at == l->timer_ns)
		return;
	l->timer_ns = at;
	if (at == UINT64_MAX) {
		event_del(l->timer);
		return;
	}
	us = ((at > now ? at - now : SOON_NS) + 999) / 1000;
	tv.tv_sec = (time_t)(us / 1000000);
	tv.tv_usec = (suseconds_t)(us % 1000000);
	/* event_add counts from when the loop woke up */
	event_base_update_cache_time(link_loop(l)->base);
	event_add(l->timer, &tv);
}

bool
link_turn(struct link *l)
{
	bool more;

	tell_moved(l);
	expire(l);
	flush_dirty(l);
	tell_room(l);
	end_waits(l);
	raise_waiting(l);
	l->touched = false; /* what comes from here on needs another turn */
	/* a joint's or a stream's end may have led to tunnel_forget */
	if (l->dead)
		return false;
	link_dial(l);
	close_if_idle(l);
	narrow_if_choked(l);
	more = write_all(l);
	link_free_over(l);
	if (!l->dead)
		arm(l);
	return more && !l->dead;
}

void
link_timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct link *l = arg;

	(void)fd;
	(void)events;
	l->timer_ns = UINT64_MAX;
	tunnel_turn(l->tunnel, l);
}

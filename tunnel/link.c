/* SPDX-License-Identifier: ISC */
/* A link: the path to one peer, and what programs and joint.c know of the QUIC
 * connection on it (dialer.c, talk.c). */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linkpart.h"

/* ---- birth, death, and path ---- */

int
link_new(struct link **out, struct tunnel *t, const uint8_t key[KEY_LEN])
{
	const struct tunnel_config *c = tunnel_config_of(t);
	struct link *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return -ENOMEM;
	if ((rc = psk_derive(l->psk, c->priv, c->pub, key, true)) != 0 ||
	    (rc = psk_derive(l->peer_psk, c->priv, c->pub, key, false)) != 0 ||
	    (rc = seats_init(&l->seats)) != 0) {
		free(l);
		return rc;
	}
	l->tunnel = t;
	memcpy(l->key, key, KEY_LEN);
	l->greater = memcmp(c->pub, key, KEY_LEN) > 0;
	l->most = LINK_MOST;
	l->wait_until_ms = l->timer_ns = UINT64_MAX;
	l->path_since_ms = now_ms();
	link_fill_buckets(l);
	l->timer = loop_event(c->loop, -1, 0, link_timer_cb, l);
	*out = l;
	return 0;
}

/* A refusal may still wait for its acknowledgement: nothing is lost with it. */
static bool
has_open_stream(const struct link *l)
{
	for (size_t i = 0; i < l->seats.buckets; i++)
		for (const struct seat *s = l->seats.by_id[i]; s != NULL;
		     s = s->by_id)
			if (!joint_is_refused(s->joint))
				return true;
	return false;
}

/* By code 0 we say that everything was over. */
void
link_close(struct link *l)
{
	l->dead = true;
	if (l->up != NULL)
		talk_close(l->up, has_open_stream(l) ? TALK_CUT : 0);
	link_down(l, JOINT_CLOSED);
	joint_end_all(l);
}

void
link_free(struct link *l)
{
	for (size_t i = 0; i < LINK_TALKS; i++)
		talk_free(link_talk(l, i));
	link_free_over(l);
	event_free(l->timer);
	seats_clear(&l->seats);
	sodium_memzero(l->psk, sizeof(l->psk));
	sodium_memzero(l->peer_psk, sizeof(l->peer_psk));
	free(l);
}

bool
link_is_at(const struct link *l, const struct addr *from)
{
	if (addr_equal(&l->endpoint, from))
		return true;
	for (size_t i = 0; i < LINK_OLD; i++)
		if (addr_equal(&l->old[i], from))
			return true;
	return false;
}

void
link_lose(struct link *l, const struct addr *endpoint)
{
	for (size_t i = 0; i < LINK_OLD; i++)
		if (addr_equal(&l->old[i], endpoint))
			memset(&l->old[i], 0, sizeof(l->old[i]));
}

static void
move_to(struct link *l, const struct addr *endpoint)
{
	link_lose(l, endpoint);
	memmove(l->old + 1, l->old, (LINK_OLD - 1) * sizeof(struct addr));
	l->old[0] = l->endpoint;
	l->endpoint = *endpoint;
	l->endpoint.tcp = false;
	l->most = LINK_MOST;
	l->tried_ms = 0;
	l->narrow_ms = 0;
	tunnel_moved(l->tunnel, l);
}

void
link_path(struct link *l, enum link_path state, const struct addr *endpoint,
    const char *reason)
{
	bool usable = link_path_stands(state) && endpoint != NULL &&
		      addr_is_sendable(endpoint);
	bool moved = usable && !addr_equal(endpoint, &l->endpoint);

	if (moved)
		move_to(l, endpoint);
	if (reason == NULL)
		reason = "";
	if (strncmp(reason, l->reason, sizeof(l->reason) - 1) != 0) {
		snprintf(l->reason, sizeof(l->reason), "%s", reason);
		link_changed(l);
	}
	if (moved || state != l->path) {
		l->path = state;
		l->path_since_ms = now_ms();
		link_changed(l);
		if (usable) {
			l->moved = true;
			l->met = false;
			link_redial(l);
		}
	}
	if (usable && l->dial == NULL) {
		l->backoff_ms = 0;
		l->dial_at_ms = now_ms();
	}
	tunnel_touch(l->tunnel, l);
}

void
link_want(struct link *l, bool wanted)
{
	if (l->wanted == wanted)
		return;
	l->wanted = wanted;
	l->idle_since_ms = now_ms();
	tunnel_touch(l->tunnel, l);
}

void
link_changed(struct link *l)
{
	l->changed = true;
	tunnel_touch(l->tunnel, l);
}

/* ---- for joint.c and programs ---- */

const char *
link_path_name(enum link_path path)
{
	static const char *const names[] = {
	    [LINK_NONE] = "waiting",
	    [LINK_WAITING] = "waiting",
	    [LINK_RELAYED] = "relayed",
	    [LINK_DIRECT] = "direct",
	    [LINK_FAILED] = "failed",
	};

	return names[path];
}

bool
link_path_stands(enum link_path path)
{
	return path == LINK_DIRECT || path == LINK_RELAYED;
}

const uint8_t *
link_key(const struct link *l)
{
	return l->key;
}

void
link_status(const struct link *l, struct link_status *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->key, l->key, KEY_LEN);
	out->path = l->path;
	out->endpoint = l->endpoint;
	memcpy(out->reason, l->reason, sizeof(out->reason));
	out->path_since_ms = l->path_since_ms;
	out->up = l->up != NULL;
	out->dialing = l->dial != NULL;
	out->awaited =
	    l->wanted || seats_first(&l->seats, SEAT_WAITING) != NULL;
	out->up_since_ms = l->up_since_ms;
	out->last = l->last;
	out->connections = l->connections;
	if (l->up != NULL)
		quic_stats(l->up->quic, &out->quic);
	out->streams = (uint32_t)l->seats.mapped;
	out->bytes_in = l->bytes_in;
	out->bytes_out = l->bytes_out;
	out->datagrams_dropped = l->dropped;
	out->memory = l->memory;
	out->budget = tunnel_config_of(l->tunnel)->budget;
	out->refused = l->refused;
}

struct quic *
link_quic(struct link *l)
{
	return l->up != NULL ? l->up->quic : NULL;
}

uint32_t
link_generation(const struct link *l)
{
	return l->generation;
}

struct tunnel *
link_tunnel(struct link *l)
{
	return l->tunnel;
}

struct loop *
link_loop(struct link *l)
{
	return tunnel_config_of(l->tunnel)->loop;
}

struct joint **
link_joints(struct link *l)
{
	return &l->joints;
}

int
link_enlist(struct link *l, struct joint *j, uint32_t wait_ms)
{
	struct seat *s;

	if (l->dead)
		return -EPIPE;
	if ((s = seats_take(&l->seats, j)) == NULL)
		return -ENOMEM;
	s->until_ms = wait_ms == UINT32_MAX ? UINT64_MAX : now_ms() + wait_ms;
	if (s->until_ms < l->wait_until_ms)
		l->wait_until_ms = s->until_ms;
	seats_append(&l->seats, SEAT_WAITING, s);
	tunnel_touch(l->tunnel, l);
	return 0;
}

/* While it has a stream its end is still of interest to it. */
void
link_delist(struct link *l, struct joint *j)
{
	struct seat *s = seats_find(&l->seats, j);

	if (s == NULL)
		return;
	if (l->asked == s)
		l->asked = NULL;
	l->idle_since_ms = now_ms();
	tunnel_touch(l->tunnel, l);
	if (s->id == -1) {
		seats_free(&l->seats, s);
		return;
	}
	seats_leave(&l->seats, SEAT_URGENT, s);
	seats_leave(&l->seats, SEAT_READY, s);
	seats_leave(&l->seats, SEAT_DIRTY, s);
	seats_leave(&l->seats, SEAT_ROOM, s);
}

int
link_map(struct link *l, int64_t id, struct joint *j)
{
	struct seat *s = seats_take(&l->seats, j);

	if (s == NULL)
		return -ENOMEM;
	seats_leave(&l->seats, SEAT_WAITING, s);
	seats_map(&l->seats, s, id);
	return 0;
}

void
link_unmap(struct link *l, int64_t id)
{
	struct seat *s = seats_find_id(&l->seats, id);

	if (s == NULL)
		return;
	seats_map(&l->seats, s, -1);
	seats_leave(&l->seats, SEAT_URGENT, s);
	seats_leave(&l->seats, SEAT_READY, s);
	l->idle_since_ms = now_ms();
	tunnel_touch(l->tunnel, l);
}

void
link_ready(struct link *l, struct joint *j)
{
	struct seat *s = seats_find(&l->seats, j);

	if (s == NULL || s->id == -1)
		return;
	tunnel_touch(l->tunnel, l);
	if (seats_stands(s, SEAT_URGENT) || seats_stands(s, SEAT_READY))
		return;
	s->urgent = joint_what(j)->to == OPENING_UDP;
	seats_append(&l->seats, s->urgent ? SEAT_URGENT : SEAT_READY, s);
}

void
link_dirty(struct link *l, struct joint *j)
{
	struct seat *s = seats_find(&l->seats, j);

	if (s == NULL)
		return;
	seats_append(&l->seats, SEAT_DIRTY, s);
	tunnel_touch(l->tunnel, l);
}

void
link_kick(struct link *l)
{
	tunnel_touch(l->tunnel, l);
}

bool
link_charge(struct link *l, uint64_t bytes)
{
	uint64_t budget = tunnel_config_of(l->tunnel)->budget;

	if (bytes > budget || l->memory > budget - bytes) {
		l->short_of_memory = true;
		return false;
	}
	l->memory += bytes;
	return true;
}

/* An eighth of it: nobody is called for a few bytes. */
bool
link_has_room(const struct link *l)
{
	uint64_t budget = tunnel_config_of(l->tunnel)->budget;

	return l->memory <= budget - budget / 8;
}

void
link_refund(struct link *l, uint64_t bytes)
{
	l->memory = bytes < l->memory ? l->memory - bytes : 0;
	if (l->short_of_memory && link_has_room(l))
		tunnel_touch(l->tunnel, l);
}

size_t
link_tag(int64_t id, uint8_t out[LINK_TAG_MAX])
{
	unsigned int log = id < 1 << 6	  ? 0
			   : id < 1 << 14 ? 1
			   : id < 1 << 30 ? 2
					  : 3;
	size_t n = (size_t)1 << log;

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((uint64_t)id >> 8 * (n - 1 - i));
	out[0] = (uint8_t)(out[0] | log << 6);
	return n;
}

void
link_count(struct link *l, uint64_t in, uint64_t out, uint64_t dropped)
{
	l->bytes_in += in;
	l->bytes_out += out;
	l->dropped += dropped;
}

void
link_opened(struct link *l, struct joint *j)
{
	const struct tunnel_config *c = tunnel_config_of(l->tunnel);

	c->opened(c->arg, j);
}

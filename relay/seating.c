/* SPDX-License-Identifier: ISC */
/* Who may use our allocation, and where each one sits. */
#include "seating.h"

#include <errno.h>
#include <string.h>

bool
seating_peer(struct addr *out, const char *text)
{
	struct addr a;

	if (addr_parse(&a, text) != 0 && addr_parse_ip(&a, text, 0) != 0)
		return false;
	if (addr_is_any(&a) || addr_is_multicast(&a))
		return false;
	*out = a;
	return true;
}

static struct addr *
find_open(struct seating *s, const struct addr *ip)
{
	for (size_t i = 0; i < TURNCLIENT_GRANTS; i++)
		if (s->open[i].family != ADDR_NONE &&
		    addr_equal_ip(&s->open[i], ip))
			return &s->open[i];
	return NULL;
}

static struct seating_place *
find_place(struct seating *s, const struct addr *peer)
{
	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++)
		if (s->place[i].peer.family != ADDR_NONE &&
		    addr_equal(&s->place[i].peer, peer))
			return &s->place[i];
	return NULL;
}

static void
leave(struct seating_place *p)
{
	struct seating *s = p->owner;
	struct addr peer = p->peer;

	seat_free(p->seat);
	turnclient_unroute(s->client, &peer);
	memset(p, 0, sizeof(*p));
	s->seated(s->arg, &peer, NULL);
}

/* Has this one to make room? */
static bool
is_stale(const struct seating_place *p, uint64_t now)
{
	return !p->named && now - p->used_ms >= SEATING_IDLE_MS;
}

/* A free place; else that of who has been silent for longest. */
static struct seating_place *
find_room(struct seating *s, uint64_t now)
{
	struct seating_place *oldest = NULL;

	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++) {
		struct seating_place *p = &s->place[i];

		if (p->peer.family == ADDR_NONE)
			return p;
		if (is_stale(p, now) &&
		    (oldest == NULL || p->used_ms < oldest->used_ms))
			oldest = p;
	}
	if (oldest != NULL)
		leave(oldest);
	return oldest;
}

static void
seat_cb(void *arg, const uint8_t *data, size_t len)
{
	struct seating_place *p = arg;

	p->used_ms = now_ms();
	p->owner->outgoing(p->owner->arg, &p->peer, data, len);
}

static int
take_place(struct seating *s, const struct addr *peer, bool named)
{
	uint64_t now = now_ms();
	struct seating_place *p = find_room(s, now);
	uint16_t port = named ? s->next_port : 0;
	int err = 0;

	if (p == NULL)
		return -ENOSPC;
	err = seat_open(&p->seat, s->loop, port, s->daemon, seat_cb, p);
	if (err != 0)
		return err;
	if (port != 0)
		s->next_port = port == UINT16_MAX ? 0 : port + 1;
	p->owner = s;
	p->peer = *peer;
	p->named = named;
	p->used_ms = now;
	/* without a channel it goes by Send indications */
	(void)turnclient_route(s->client, peer, now);
	s->seated(s->arg, peer, seat_local(p->seat));
	return 0;
}

static int
open_address(struct seating *s, const struct addr *ip)
{
	if (s->daemon == 0)
		return -EINVAL;
	if (find_open(s, ip) != NULL)
		return 0;
	for (size_t i = 0; i < TURNCLIENT_GRANTS; i++) {
		if (s->open[i].family == ADDR_NONE) {
			s->open[i] = *ip;
			return 0;
		}
	}
	return -ENOSPC;
}

/* Is there still a reason for the permission of this address? */
static bool
is_wanted(struct seating *s, const struct addr *ip)
{
	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++)
		if (s->place[i].peer.family != ADDR_NONE && s->place[i].named &&
		    addr_equal_ip(&s->place[i].peer, ip))
			return true;
	return find_open(s, ip) != NULL;
}

int
seating_permit(struct seating *s, const struct addr *peer)
{
	struct seating_place *p = NULL;
	int err = turnclient_permit(s->client, peer, now_ms());

	if (err != 0)
		return err;
	if (peer->port == 0)
		err = open_address(s, peer);
	else if ((p = find_place(s, peer)) != NULL)
		p->named = true;
	else
		err = take_place(s, peer, true);
	if (err != 0 && !is_wanted(s, peer))
		turnclient_forbid(s->client, peer);
	return err;
}

int
seating_forbid(struct seating *s, const struct addr *peer)
{
	struct addr *open = find_open(s, peer);
	bool any = false;

	if (turnclient_grant(s->client, peer) == NULL)
		return -ENOENT;
	if (peer->port == 0 && open != NULL)
		open->family = ADDR_NONE;
	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++) {
		struct seating_place *p = &s->place[i];

		if (p->peer.family == ADDR_NONE ||
		    !addr_equal_ip(&p->peer, peer) ||
		    (peer->port != 0 && p->peer.port != peer->port))
			continue;
		leave(p);
		any = true;
	}
	if (peer->port != 0 && !any)
		return -ENOENT;
	if (!is_wanted(s, peer))
		turnclient_forbid(s->client, peer);
	return 0;
}

const char *
seating_command(struct seating *s, char *line)
{
	char *arg = strchr(line, ' ');
	struct addr peer;
	int err = 0;

	if (arg == NULL)
		return "give permit PEER or forbid PEER";
	*arg++ = '\0';
	if (!seating_peer(&peer, arg))
		return "a peer is ADDRESS or ADDRESS:PORT";
	if (strcmp(line, "permit") == 0)
		err = seating_permit(s, &peer);
	else if (strcmp(line, "forbid") == 0)
		err = seating_forbid(s, &peer);
	else
		return "give permit PEER or forbid PEER";
	switch (err) {
	case 0:
		return NULL;
	case -ENOENT:
		return "was not permitted";
	case -ENOSPC:
		return "too many peers";
	case -EINVAL:
		return "without its port, say with -d which port the daemon "
		       "has";
	default:
		return strerror(-err);
	}
}

/* An address may send from any port, but not take all the room. */
static struct seating_place *
welcome(struct seating *s, const struct addr *peer)
{
	uint64_t now = now_ms();
	size_t n = 0;

	if (find_open(s, peer) == NULL)
		return NULL;
	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++) {
		struct seating_place *p = &s->place[i];

		if (p->peer.family == ADDR_NONE || p->named ||
		    !addr_equal_ip(&p->peer, peer))
			continue;
		if (n + 1 == SEATING_PER_ADDRESS && is_stale(p, now))
			leave(p);
		else
			n++;
	}
	if (n >= SEATING_PER_ADDRESS || take_place(s, peer, false) != 0)
		return NULL;
	return find_place(s, peer);
}

void
seating_deliver(
    struct seating *s, const struct addr *peer, const uint8_t *data, size_t len)
{
	struct seating_place *p = find_place(s, peer);

	if (p == NULL)
		p = welcome(s, peer);
	if (p == NULL) {
		s->refused++;
		return;
	}
	p->used_ms = now_ms();
	if (seat_deliver(p->seat, data, len) == -ENOTCONN)
		s->unheard++;
}

void
seating_free(struct seating *s)
{
	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++)
		if (s->place[i].peer.family != ADDR_NONE)
			seat_free(s->place[i].seat);
	memset(s->place, 0, sizeof(s->place));
}

/* SPDX-License-Identifier: ISC */
/* A TURN client (RFC 8656): its peers, which have permissions and channels. */
#include <errno.h>
#include <string.h>

#include "turnask.h"

#define CHANNEL_FIRST 0x4000 /* section 12 */
#define CHANNEL_LAST 0x4fff

bool
turn_has_family(const struct turnclient *c, const struct addr *a)
{
	return c->relayed[a->family == ADDR_V6].family != ADDR_NONE;
}

/* Why an address can't have a permission in this allocation; or 0. */
static int
family_refusal(const struct turnclient *c, const struct addr *a)
{
	int code = c->family_code[a->family == ADDR_V6];

	if (c->state != TURNCLIENT_UP || turn_has_family(c, a))
		return 0;
	return code != 0 ? code : 443;
}

void
turn_grant_begin(struct turnclient *c, struct turn_grant *g, uint64_t now_ms)
{
	g->code = family_refusal(c, &g->ip);
	g->state = g->code != 0 ? TURN_GRANT_REFUSED : TURN_GRANT_ASKED;
	turn_ask_at(&g->ask, now_ms);
}

const struct addr *
turn_channel_peer(const struct turnclient *c, uint16_t channel)
{
	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++)
		if (c->route[i].peer.family != ADDR_NONE &&
		    c->route[i].channel == channel)
			return &c->route[i].peer;
	for (size_t i = 0; i < TURNCLIENT_PAST; i++)
		if (c->past[i].peer.family != ADDR_NONE &&
		    c->past[i].channel == channel)
			return &c->past[i].peer;
	return NULL;
}

/* The number that the peer has had, or another one. */
static uint16_t
channel_of(struct turnclient *c, const struct addr *peer)
{
	for (size_t i = 0; i < TURNCLIENT_PAST; i++)
		if (addr_equal(&c->past[i].peer, peer)) {
			c->past[i].peer.family = ADDR_NONE;
			return c->past[i].channel;
		}
	do {
		c->next_channel++;
		if (c->next_channel > CHANNEL_LAST ||
		    c->next_channel < CHANNEL_FIRST)
			c->next_channel = CHANNEL_FIRST;
	} while (turn_channel_peer(c, c->next_channel) != NULL);
	return c->next_channel;
}

void
turn_route_begin(struct turnclient *c, struct turn_route *r, uint64_t now_ms)
{
	r->channel = 0; /* that of an earlier allocation is free */
	r->channel = channel_of(c, &r->peer);
	r->bound = false;
	turn_ask_at(&r->ask, now_ms);
}

struct turn_grant *
turn_grant_find(const struct turnclient *c, const struct addr *ip)
{
	for (size_t i = 0; i < TURNCLIENT_GRANTS; i++)
		if (c->grant[i].ip.family != ADDR_NONE &&
		    addr_equal_ip(&c->grant[i].ip, ip))
			return (struct turn_grant *)&c->grant[i];
	return NULL;
}

const struct turn_grant *
turnclient_grant(const struct turnclient *c, const struct addr *ip)
{
	return turn_grant_find(c, ip);
}

int
turnclient_permit(struct turnclient *c, const struct addr *ip, uint64_t now_ms)
{
	if (turn_grant_find(c, ip) != NULL)
		return 0;
	for (size_t i = 0; i < TURNCLIENT_GRANTS; i++) {
		struct turn_grant *g = &c->grant[i];

		if (g->ip.family != ADDR_NONE)
			continue;
		*g = (struct turn_grant){.ip = *ip};
		g->ip.port = 0;
		turn_grant_begin(c, g, now_ms);
		c->next_ms = now_ms;
		return 0;
	}
	return -ENOSPC;
}

static void
route_end(struct turnclient *c, struct turn_route *r)
{
	c->past[c->next_past++ % TURNCLIENT_PAST] =
	    (struct turn_past){.peer = r->peer, .channel = r->channel};
	memset(r, 0, sizeof(*r));
}

void
turnclient_forbid(struct turnclient *c, const struct addr *ip)
{
	struct turn_grant *g = turn_grant_find(c, ip);

	if (g == NULL)
		return;
	memset(g, 0, sizeof(*g));
	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++)
		if (c->route[i].peer.family != ADDR_NONE &&
		    addr_equal_ip(&c->route[i].peer, ip))
			route_end(c, &c->route[i]);
}

bool
turnclient_settled(const struct turnclient *c)
{
	for (size_t i = 0; i < TURNCLIENT_GRANTS; i++)
		if (c->grant[i].ip.family != ADDR_NONE &&
		    c->grant[i].state == TURN_GRANT_ASKED)
			return false;
	return c->state == TURNCLIENT_UP;
}

static struct turn_route *
find_route(const struct turnclient *c, const struct addr *peer)
{
	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++)
		if (c->route[i].peer.family != ADDR_NONE &&
		    addr_equal(&c->route[i].peer, peer))
			return (struct turn_route *)&c->route[i];
	return NULL;
}

int
turnclient_route(struct turnclient *c, const struct addr *peer, uint64_t now_ms)
{
	if (turn_grant_find(c, peer) == NULL)
		return -EACCES;
	if (find_route(c, peer) != NULL)
		return 0;
	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++) {
		struct turn_route *r = &c->route[i];

		if (r->peer.family != ADDR_NONE)
			continue;
		*r = (struct turn_route){.peer = *peer};
		turn_route_begin(c, r, now_ms);
		c->next_ms = now_ms;
		return 0;
	}
	return -ENOSPC;
}

void
turnclient_unroute(struct turnclient *c, const struct addr *peer)
{
	struct turn_route *r = find_route(c, peer);

	if (r != NULL)
		route_end(c, r);
}

static int
wrap_send(
    const struct addr *peer, const uint8_t *data, size_t len, uint8_t *out)
{
	uint8_t tid[STUN_TID_LEN];
	struct stun_buf b;
	int n = 0;

	stun_new_tid(tid);
	stun_begin(
	    &b, out, len + TURNCLIENT_WRAP, TURN_SEND, STUN_INDICATION, tid);
	stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, peer);
	stun_put(&b, TURN_DATA_ATTR, data, len);
	n = stun_end(&b, false);
	return n > 0 ? n : -EMSGSIZE;
}

int
turnclient_wrap(const struct turnclient *c, const struct addr *peer,
    const uint8_t *data, size_t len, uint8_t *out)
{
	const struct turn_grant *g = turnclient_grant(c, peer);
	const struct turn_route *r = NULL;

	if (c->state != TURNCLIENT_UP || g == NULL || g->state != TURN_GRANTED)
		return -EAGAIN;
	if (len > UINT16_MAX)
		return -EMSGSIZE;
	r = find_route(c, peer);
	if (r == NULL || !r->bound)
		return wrap_send(peer, data, len, out);
	put_u16(out, r->channel);
	put_u16(out + 2, (uint16_t)len);
	memcpy(out + 4, data, len);
	return (int)len + 4;
}

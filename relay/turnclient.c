/* SPDX-License-Identifier: ISC */
/* A TURN client (RFC 8656) without its sockets: what it asks, and when. */
#include "turnclient.h"

#include <sodium.h>
#include <string.h>

#include "turnask.h"

#define STREAM_WAIT_MS 39500 /* Ti, RFC 8489 section 6.2.2 */
#define PROTOCOL_UDP 17
#define FAMILY_IPV6 2

const char *
turnclient_why(int code)
{
	switch (code) {
	case TURNCLIENT_CODE_NO_ANSWER:
		return "no answer";
	case TURNCLIENT_CODE_BAD_ANSWER:
		return "the answer makes no sense: is that a TURN server?";
	case 300:
		return "another server is to be used";
	case 400:
		return "the server does not understand the request";
	case 401:
		return "the server refuses this user or password";
	case 403:
		return "the server does not allow it";
	case 420:
		return "the server lacks a feature that is needed";
	case 437:
		return "the server does not know the allocation any more";
	case 438:
		return "the server does not take its own nonces";
	case 440:
		return "the server can't relay this address family";
	case 441:
		return "the allocation belongs to another user";
	case 442:
		return "the server does not relay UDP";
	case 443:
		return "the allocation has no address of this family";
	case 486:
		return "the user has as many allocations as it may";
	case 500:
		return "the server has trouble; try again later";
	case 508:
		return "the server is full";
	default:
		return "the server refused";
	}
}

/* Asking */

/* Is this request to be sent now? *failed: it was, and is not answered. */
static bool
ask_step(
    struct turnclient *c, struct turn_ask *a, uint64_t now_ms, bool *failed)
{
	enum transaction_action action = TRANSACTION_WAIT;

	*failed = false;
	if (!a->open) {
		if (now_ms < a->due_ms) {
			if (a->due_ms < c->next_ms)
				c->next_ms = a->due_ms;
			return false;
		}
		transaction_start(&a->t, now_ms, c->rto_ms);
		a->open = true;
	}
	action = transaction_step(&a->t, now_ms);
	if (action == TRANSACTION_FAIL)
		*failed = true;
	if (action == TRANSACTION_SEND && c->stream) {
		a->t.sent = TRANSACTION_RC; /* once is enough */
		a->t.next_ms = now_ms + STREAM_WAIT_MS;
	}
	if (action != TRANSACTION_FAIL && a->t.next_ms < c->next_ms)
		c->next_ms = a->t.next_ms;
	return action == TRANSACTION_SEND;
}

static size_t
finish(struct turnclient *c, struct stun_buf *b)
{
	int n = 0;

	turnlogin_sign(&c->login, b);
	n = stun_end(b, true);
	return n > 0 ? (size_t)n : 0;
}

static size_t
build_allocate(struct turnclient *c, uint8_t out[TURNCLIENT_OUT])
{
	static const uint8_t udp[4] = {PROTOCOL_UDP};
	static const uint8_t v6[4] = {FAMILY_IPV6};
	struct stun_buf b;

	stun_begin(&b, out, TURNCLIENT_OUT, TURN_ALLOCATE, STUN_REQUEST,
	    c->main.t.tid);
	stun_put(&b, TURN_REQUESTED_TRANSPORT, udp, sizeof(udp));
	if (c->want6)
		stun_put(&b,
		    c->want4 ? TURN_ADDITIONAL_ADDRESS_FAMILY
			     : TURN_REQUESTED_ADDRESS_FAMILY,
		    v6, sizeof(v6));
	return finish(c, &b);
}

static size_t
build_refresh(struct turnclient *c, uint8_t out[TURNCLIENT_OUT])
{
	struct stun_buf b;

	stun_begin(
	    &b, out, TURNCLIENT_OUT, TURN_REFRESH, STUN_REQUEST, c->main.t.tid);
	return finish(c, &b);
}

static size_t
build_permission(
    struct turnclient *c, struct turn_grant *g, uint8_t out[TURNCLIENT_OUT])
{
	struct stun_buf b;

	stun_begin(&b, out, TURNCLIENT_OUT, TURN_CREATE_PERMISSION,
	    STUN_REQUEST, g->ask.t.tid);
	stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &g->ip);
	return finish(c, &b);
}

static size_t
build_channel(
    struct turnclient *c, struct turn_route *r, uint8_t out[TURNCLIENT_OUT])
{
	struct stun_buf b;

	stun_begin(&b, out, TURNCLIENT_OUT, TURN_CHANNEL_BIND, STUN_REQUEST,
	    r->ask.t.tid);
	stun_put_u32(&b, TURN_CHANNEL_NUMBER, (uint32_t)r->channel << 16);
	stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &r->peer);
	return finish(c, &b);
}

void
turn_down(struct turnclient *c, int code)
{
	c->state = TURNCLIENT_DOWN;
	c->code = code;
	c->next_ms = UINT64_MAX;
	turnlogin_reset(&c->login);
}

void
turnclient_start(struct turnclient *c, uint64_t now_ms)
{
	c->state = TURNCLIENT_ASKING;
	c->code = 0;
	memset(c->relayed, 0, sizeof(c->relayed));
	memset(c->family_code, 0, sizeof(c->family_code));
	memset(&c->mapped, 0, sizeof(c->mapped));
	memset(&c->alternate, 0, sizeof(c->alternate));
	memset(&c->main, 0, sizeof(c->main));
	c->lifetime_s = 0;
	c->rto_ms = TRANSACTION_RTO_MS;
	c->next_channel = 0;
	memset(c->past, 0, sizeof(c->past));
	c->next_ms = now_ms;
	turnlogin_reset(&c->login);
	turn_ask_at(&c->main, now_ms);
	for (size_t i = 0; i < TURNCLIENT_GRANTS; i++)
		if (c->grant[i].ip.family != ADDR_NONE)
			turn_grant_begin(c, &c->grant[i], now_ms);
	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++)
		if (c->route[i].peer.family != ADDR_NONE)
			turn_route_begin(c, &c->route[i], now_ms);
}

static size_t
step_grants(struct turnclient *c, uint64_t now_ms, uint8_t out[TURNCLIENT_OUT])
{
	bool failed = false;

	for (size_t i = 0; i < TURNCLIENT_GRANTS; i++) {
		struct turn_grant *g = &c->grant[i];

		if (g->ip.family == ADDR_NONE || g->state == TURN_GRANT_REFUSED)
			continue;
		if (ask_step(c, &g->ask, now_ms, &failed))
			return build_permission(c, g, out);
		if (failed)
			turn_ask_at(&g->ask, now_ms);
	}
	return 0;
}

static size_t
step_routes(struct turnclient *c, uint64_t now_ms, uint8_t out[TURNCLIENT_OUT])
{
	bool failed = false;

	for (size_t i = 0; i < TURNCLIENT_ROUTES; i++) {
		struct turn_route *r = &c->route[i];

		if (r->peer.family == ADDR_NONE ||
		    !turn_has_family(c, &r->peer))
			continue;
		if (ask_step(c, &r->ask, now_ms, &failed))
			return build_channel(c, r, out);
		if (failed)
			turn_ask_at(&r->ask, now_ms);
	}
	return 0;
}

size_t
turnclient_step(
    struct turnclient *c, uint64_t now_ms, uint8_t out[TURNCLIENT_OUT])
{
	bool failed = false;
	size_t n = 0;

	c->next_ms = UINT64_MAX;
	if (c->state != TURNCLIENT_ASKING && c->state != TURNCLIENT_UP)
		return 0;
	if (c->state == TURNCLIENT_UP && now_ms >= c->expiry_ms)
		failed = true;
	else if (ask_step(c, &c->main, now_ms, &failed))
		return c->state == TURNCLIENT_UP ? build_refresh(c, out)
						 : build_allocate(c, out);
	if (failed) {
		turn_down(c, TURNCLIENT_CODE_NO_ANSWER);
		return 0;
	}
	if (c->state != TURNCLIENT_UP)
		return 0;
	n = step_grants(c, now_ms, out);
	return n > 0 ? n : step_routes(c, now_ms, out);
}

void
turnclient_doubt(struct turnclient *c, uint64_t now_ms)
{
	if (c->state == TURNCLIENT_ASKING)
		turn_down(c, TURNCLIENT_CODE_NO_ANSWER);
	else if (c->state == TURNCLIENT_UP && !c->main.open)
		turn_ask_at(&c->main, now_ms);
}

size_t
turnclient_release(struct turnclient *c, uint8_t out[TURNCLIENT_OUT])
{
	uint8_t tid[STUN_TID_LEN];
	struct stun_buf b;

	if (c->state != TURNCLIENT_UP)
		return 0;
	stun_new_tid(tid);
	stun_begin(&b, out, TURNCLIENT_OUT, TURN_REFRESH, STUN_REQUEST, tid);
	stun_put_u32(&b, TURN_LIFETIME, 0);
	return finish(c, &b);
}

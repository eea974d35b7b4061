/* SPDX-License-Identifier: ISC */
/* What the client has to say to its owner and to the server, one thing at a
 * time, and what it makes of the server's news. */
#include "client_say.h"

#include <string.h>

static bool
say_state(struct client *c, struct client_event *ev)
{
	bool *const flags[] = {
	    &c->tell_down, &c->tell_refused, &c->tell_up, &c->tell_resolve};
	static const enum client_what whats[] = {
	    CLIENT_DOWN, CLIENT_REFUSED, CLIENT_UP, CLIENT_RESOLVE};

	for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
		if (!*flags[i])
			continue;
		*flags[i] = false;
		ev->what = whats[i];
		ev->to = c->addr;
		ev->rtt_us = c->rtt_us;
		ev->mapped = c->mapped;
		ev->reason = c->reason;
		if (ev->what == CLIENT_REFUSED)
			ev->reason =
			    c->refused == WIRE_FULL ? "full" : "forbidden";
		return true;
	}
	return false;
}

static bool
say_send(struct client_event *ev, const struct addr *to, const uint8_t *data,
    int len)
{
	if (len <= 0)
		return false;
	ev->what = CLIENT_SEND;
	ev->to = *to;
	ev->data = data;
	ev->len = (size_t)len;
	return true;
}

static bool
say_ack(struct client *c, struct client_event *ev)
{
	if (!c->ack || !c->up)
		return false;
	c->ack = false;
	return say_send(ev, &c->addr, c->out,
	    wire_seal(&c->session, STUN_SUCCESS, c->ack_tid, c->plain, 0,
		c->out, sizeof(c->out)));
}

static bool
say_hello(struct client *c, const struct moment *now, struct client_event *ev)
{
	const struct hello *h;

	if (say_send(ev, &c->contact.to, c->out,
		contact_request(&c->contact, c->out, sizeof(c->out))))
		return true;
	switch (dial_step(&c->dial, now, &h)) {
	case DIAL_SEND:
		contact_hello(&c->contact, h, now);
		return say_send(ev, &h->to, h->msg, (int)h->len);
	case DIAL_CONNECT:
		ev->what = CLIENT_CONNECT;
		return true;
	case DIAL_SILENT:
		ev->what = CLIENT_RESOLVE;
		return true;
	default:
		return false;
	}
}

static bool
say_request(struct client *c, const struct moment *now, struct client_event *ev)
{
	for (size_t i = 0; i < LEDGER_REQUESTS; i++) {
		struct request *r = &c->ledger.request[i];
		struct session *s = r->confirm ? &c->next : &c->session;

		if (!r->active)
			continue;
		switch (request_step(r, now)) {
		case TRANSACTION_WAIT:
			break;
		case TRANSACTION_FAIL:
			ledger_settle(&c->ledger, r, ITEM_DUE);
			break;
		case TRANSACTION_SEND:
			return say_send(ev,
			    r->confirm ? &c->next_addr : &c->addr, c->out,
			    wire_seal(s, STUN_REQUEST, r->t.tid, r->plain,
				r->len, c->out, sizeof(c->out)));
		}
	}
	return false;
}

/* A server that gives another address with each answer would have us print
 * without end: the next keepalive, early, tells what it was in the end. */
static void
take_mapped(struct client *c, const struct news *n, const struct moment *now)
{
	uint64_t at_ms = c->mapped_ms + CLIENT_MAPPED_MS;

	if (c->addr.tcp || addr_equal(&n->mapped, &c->mapped))
		return;
	if (now->ms < at_ms) {
		if (at_ms < c->keepalive_at_ms)
			c->keepalive_at_ms = at_ms;
		return;
	}
	c->mapped_ms = now->ms;
	c->mapped = n->mapped;
	c->tell_up = true;
}

/* What of the news concerns only us. Returns whether there is more to it. */
static bool
take_news(struct client *c, struct news *n, const struct moment *now)
{
	if (n->what == NEWS_MAPPED)
		take_mapped(c, n, now);
	if (n->what == NEWS_NONE || n->what == NEWS_MAPPED)
		return false;
	n->peer = ledger_find(&c->ledger, n->key);
	if (n->peer == -1)
		return false;
	if (n->what == NEWS_PEER)
		ledger_met(&c->ledger, n->peer, now->ms);
	if (n->what == NEWS_TOKEN)
		ledger_token(&c->ledger, n->peer, n->token.lifetime_s, now->ms);
	if (n->what == NEWS_GO) { /* it was on its way for half a round trip */
		uint64_t age_ms = n->age_ms + c->rtt_us / 2000;

		n->age_ms = age_ms < UINT16_MAX ? (uint16_t)age_ms : UINT16_MAX;
	}
	if (n->what == NEWS_FULL) {
		if (!ledger_refuse(&c->ledger, n->peer))
			return false;
		c->full_at_ms = now->ms + CLIENT_REFUSED_MS;
	}
	return true;
}

static bool
say_learned(struct client *c, const struct moment *now, struct client_event *ev)
{
	struct stun_attr a;

	while (c->learned.p != NULL && stun_attr_next(&c->learned, &a) == 1) {
		ev->news = news_read(c->learned_class, &a);
		ev->what = CLIENT_NEWS;
		if (take_news(c, &ev->news, now))
			return true;
	}
	c->learned.p = NULL;
	return false;
}

bool
client_say(struct client *c, const struct moment *now, struct client_event *ev)
{
	return say_ack(c, ev) || say_learned(c, now, ev) || say_state(c, ev) ||
	       say_hello(c, now, ev) || say_request(c, now, ev);
}

/* SPDX-License-Identifier: ISC */
/* Keeping a path: acknowledgements, then led consent freshness (RFC 7675). The
 * controlling side checks every period; the controlled side opens its own NAT
 * shortly before and checks right after; and both open their own NAT now and
 * then. So the first packet that a NAT without a table sees comes, as
 * good as always, from the inside. */
#include "consent.h"

#include <string.h>

/* The daemons' own packets are not led: what opens our NAT at low TTL once a
 * second leaves a NAT without a table little time to see the peer's first. */
static const struct {
	uint64_t period_us;
	uint64_t alone_us; /* the controlled side waits no longer */
	uint64_t retry_us; /* not before an answer could be there */
	uint64_t open_us;  /* 0: there is nothing to open */
	uint64_t lost_us;  /* since anything came */
	uint64_t deaf_us;  /* since an answer came */
} speeds[CONSENT_KINDS] = {
    [CONSENT_PLAIN] = {5000000, 6500000, 500000, 1000000, 7000000, 20000000},
    [CONSENT_RESERVED] = {500000, 650000, 120000, 500000, 1400000, 2800000},
    [CONSENT_RELAYED] = {1000000, 1300000, 250000, 0, 2000000, 4000000},
};

#define LOST_ROUND_TRIPS 4

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void
consent_start(struct consent *c, bool controlling, const struct addr *remote,
    uint64_t rtt_us, uint64_t now_us)
{
	enum consent_kind kind = c->kind;

	memset(c, 0, sizeof(*c));
	c->kind = kind;
	c->active = true;
	c->controlling = controlling;
	c->remote = *remote;
	c->start_us = now_us;
	c->good_us = now_us;
	c->heard_us = now_us;
	c->sent_us = now_us;
	c->asked_us = now_us;
	c->out_us = now_us;
	c->rtt_us = rtt_us;
}

static uint64_t
period(const struct consent *c)
{
	return speeds[c->kind].period_us;
}

/* Long round trips don't matter where seconds pass anyway. */
static uint64_t
retry_after(const struct consent *c)
{
	uint64_t us = speeds[c->kind].retry_us;

	return c->kind == CONSENT_PLAIN ? us : later(us, c->rtt_us * 5 / 4);
}

static uint64_t
at_least(const struct consent *c, uint64_t us)
{
	if (c->kind == CONSENT_PLAIN)
		return us;
	return later(us, c->rtt_us * LOST_ROUND_TRIPS);
}

/* Our last check is unanswered. */
static bool
waiting(const struct consent *c)
{
	return c->sent_us > c->good_us;
}

static uint64_t
next_ack(const struct consent *c)
{
	uint64_t at = c->start_us + (c->acks + 1) * CONSENT_ACK_US;

	if (c->acks < CONSENT_ACKS - 1)
		return at;
	if (c->acks == CONSENT_ACKS - 1)
		return at + CONSENT_STREAM_US - CONSENT_ACK_US;
	return UINT64_MAX;
}

/* The regular check, when nothing is missing. */
static uint64_t
next_check(const struct consent *c)
{
	uint64_t at;

	if (c->controlling)
		return c->sent_us + period(c);
	if (c->echo)
		return c->heard_us;
	/* Once; from then on it is repeated as unanswered. */
	at = c->heard_us + speeds[c->kind].alone_us;
	return c->sent_us < at ? at : UINT64_MAX;
}

/* When the controlled side opens its NAT for the peer's next check. */
static uint64_t
before_check(const struct consent *c)
{
	if (c->controlling || c->opened)
		return UINT64_MAX;
	return c->heard_us + period(c) - CONSENT_BEFORE_US;
}

static uint64_t
next_open(const struct consent *c)
{
	uint64_t at = before_check(c), open_us = speeds[c->kind].open_us;

	if (open_us == 0)
		return UINT64_MAX;
	return at < c->out_us + open_us ? at : c->out_us + open_us;
}

static uint64_t
lost_at(const struct consent *c)
{
	uint64_t lost_us = at_least(c, speeds[c->kind].lost_us);
	uint64_t silent = later(c->good_us, c->heard_us) + lost_us;
	uint64_t deaf = c->good_us + at_least(c, speeds[c->kind].deaf_us);

	/* A path is never given up without having been asked, and given time to
	 * answer: we may have been stopped all the while. */
	return later(c->asked_us + lost_us - speeds[c->kind].alone_us,
	    silent < deaf ? silent : deaf);
}

uint64_t
consent_next(const struct consent *c, enum consent_action *action)
{
	uint64_t at = next_check(c), ack = next_ack(c);

	*action = CONSENT_CHECK;
	if (c->nudged)
		return c->out_us;
	if (ack < at)
		at = ack;
	if (c->acks == CONSENT_ACKS && next_open(c) < at) {
		at = next_open(c);
		*action = CONSENT_OPEN;
	}
	if (!waiting(c))
		return at;
	if (c->sent_us + retry_after(c) < at) {
		at = c->sent_us + retry_after(c);
		*action = CONSENT_CHECK;
	}
	if (lost_at(c) <= at) {
		at = lost_at(c);
		*action = CONSENT_LOST;
	}
	return at;
}

void
consent_sent(struct consent *c, enum consent_action action,
    const uint8_t tid[STUN_TID_LEN], uint64_t now_us)
{
	flight_add(&c->flight, tid, c->controlling, now_us);
	c->out_us = now_us;
	if (action == CONSENT_OPEN) {
		c->opened = now_us >= before_check(c) || c->opened;
		return;
	}
	c->echo = false;
	c->nudged = false;
	if (!waiting(c))
		c->asked_us = now_us;
	c->sent_us = now_us;
	if (c->acks < CONSENT_ACKS && next_ack(c) <= now_us)
		c->acks++;
}

bool
consent_answered(
    struct consent *c, const uint8_t tid[STUN_TID_LEN], uint64_t now_us)
{
	struct flight_slot slot;

	if (!flight_take(&c->flight, tid, &slot))
		return false;
	c->good_us = now_us;
	c->rtt_us = (7 * c->rtt_us + (now_us - slot.at_us)) / 8;
	return true;
}

void
consent_heard(struct consent *c, uint64_t now_us)
{
	c->heard_us = now_us;
	c->opened = false;
	/* One check of ours for one of theirs, but not for each of a burst. */
	if (!c->controlling && c->acks == CONSENT_ACKS &&
	    now_us - c->sent_us > period(c) / 2)
		c->echo = true;
}

uint64_t
consent_doubt_at(const struct consent *c)
{
	if (!c->active || !waiting(c))
		return UINT64_MAX;
	if (c->kind == CONSENT_PLAIN)
		return later(c->good_us, c->heard_us) + period(c) +
		       retry_after(c) / 2 + 1;
	return c->asked_us + later(CONSENT_DOUBT_US, c->rtt_us * 3 / 2);
}

bool
consent_doubtful(const struct consent *c, uint64_t now_us)
{
	return now_us >= consent_doubt_at(c);
}

bool
consent_settled(const struct consent *c, uint64_t now_us)
{
	/* A peer that has gone meanwhile (one-shot, as we) is not waited for:
	 * its earlier answers have proven the path. */
	return c->acks == CONSENT_ACKS &&
	       (!waiting(c) || now_us - c->start_us >=
				   CONSENT_STREAM_US + CONSENT_LINGER_US);
}

/* SPDX-License-Identifier: ISC */
/* Keeping a direct path: acknowledgements, then led consent freshness (RFC
 * 7675). The controlling side checks every 5 s; the controlled side opens its
 * own NAT shortly before and checks right after; and both open their own NAT
 * every second. So the first packet that a NAT without a table sees comes, as
 * good as always, from the inside. */
#include "consent.h"

#include <string.h>

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void
consent_start(struct consent *c, bool controlling, const struct addr *remote,
    uint64_t now_us)
{
	memset(c, 0, sizeof(*c));
	c->active = true;
	c->controlling = controlling;
	c->remote = *remote;
	c->start_us = now_us;
	c->good_us = now_us;
	c->heard_us = now_us;
	c->sent_us = now_us;
	c->out_us = now_us;
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
		return c->sent_us + CONSENT_PERIOD_US;
	if (c->echo)
		return c->heard_us;
	/* Once; from then on it is repeated as unanswered. */
	at = c->heard_us + CONSENT_ALONE_US;
	return c->sent_us < at ? at : UINT64_MAX;
}

/* When the controlled side opens its NAT for the peer's next check. */
static uint64_t
before_check(const struct consent *c)
{
	if (c->controlling || c->opened)
		return UINT64_MAX;
	return c->heard_us + CONSENT_PERIOD_US - CONSENT_BEFORE_US;
}

static uint64_t
next_open(const struct consent *c)
{
	uint64_t at = before_check(c), often = c->out_us + CONSENT_OPEN_US;

	return at < often ? at : often;
}

static uint64_t
lost_at(const struct consent *c)
{
	uint64_t silent = later(c->good_us, c->heard_us) + CONSENT_LOST_US;
	uint64_t deaf = c->good_us + CONSENT_DEAF_US;

	/* A path is never given up without having been asked. */
	return later(c->sent_us + 1, silent < deaf ? silent : deaf);
}

uint64_t
consent_next(const struct consent *c, enum consent_action *action)
{
	uint64_t at = next_check(c), ack = next_ack(c);

	*action = CONSENT_CHECK;
	if (ack < at)
		at = ack;
	if (c->acks == CONSENT_ACKS && next_open(c) < at) {
		at = next_open(c);
		*action = CONSENT_OPEN;
	}
	if (!waiting(c))
		return at;
	if (c->sent_us + CONSENT_RETRY_US < at) {
		at = c->sent_us + CONSENT_RETRY_US;
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
	return true;
}

void
consent_heard(struct consent *c, uint64_t now_us)
{
	c->heard_us = now_us;
	c->opened = false;
	/* One check of ours for one of theirs, but not for each of a burst. */
	if (!c->controlling && c->acks == CONSENT_ACKS &&
	    now_us - c->sent_us > CONSENT_PERIOD_US / 2)
		c->echo = true;
}

bool
consent_doubtful(const struct consent *c, uint64_t now_us)
{
	return waiting(c) && now_us - later(c->good_us, c->heard_us) >
				 CONSENT_PERIOD_US + CONSENT_RETRY_US / 2;
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

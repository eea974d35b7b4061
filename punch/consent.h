/* SPDX-License-Identifier: ISC */
/* Keeping a direct path: acknowledgements, then consent freshness (RFC 7675),
 * led by the controlling side (DESIGN.md, "An early packet is lasting damage,
 * so consent is led"). A clock: it says when what is to be sent. */
#ifndef NATKIT_CONSENT_H
#define NATKIT_CONSENT_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "flight.h"

#define CONSENT_PERIOD_US 5000000u
/* The daemons' own packets are not led: a low-TTL packet of each side once a
 * second leaves a NAT without a table little time to see the peer's first. */
#define CONSENT_OPEN_US 1000000u
#define CONSENT_BEFORE_US 60000u  /* one more, before the expected check */
#define CONSENT_ALONE_US 6500000u /* the controlled side waits no longer */
#define CONSENT_RETRY_US 500000u
#define CONSENT_LOST_US 7000000u  /* since anything came */
#define CONSENT_DEAF_US 20000000u /* since an answer came */
#define CONSENT_ACKS 4
#define CONSENT_ACK_US 100000u
/* The last acknowledgement: Linux takes a UDP flow for a stream (120 s
 * instead of 30) when packets pass more than 2 s after the first. */
#define CONSENT_STREAM_US 2200000u
#define CONSENT_LINGER_US 1000000u /* for its answer */

enum consent_action {
	CONSENT_CHECK, /* a check, full TTL */
	CONSENT_OPEN,  /* a check that opens our NAT and dies on the way */
	CONSENT_LOST,  /* the path is gone */
};

struct consent {
	bool active;
	bool controlling;
	struct addr remote;
	struct flight flight;
	uint64_t start_us;
	uint64_t good_us;  /* the last answer */
	uint64_t heard_us; /* the last check of the peer */
	uint64_t sent_us;  /* our last check, low-TTL ones not counted */
	unsigned acks;	   /* acknowledgements sent */
	uint64_t out_us;   /* our last packet of any TTL */
	bool opened;	   /* the low-TTL packet before the check is out */
	bool echo;	   /* controlled: answer the peer's check with ours */
};

void consent_start(struct consent *c, bool controlling,
    const struct addr *remote, uint64_t now_us);
/* What comes next; returns when. Only for an active one. */
uint64_t consent_next(const struct consent *c, enum consent_action *action);
void consent_sent(struct consent *c, enum consent_action action,
    const uint8_t tid[STUN_TID_LEN], uint64_t now_us);
/* A valid answer to the check tid, if that is one of ours. */
bool consent_answered(
    struct consent *c, const uint8_t tid[STUN_TID_LEN], uint64_t now_us);
/* A valid check of the peer on this path. */
void consent_heard(struct consent *c, uint64_t now_us);
/* Is a check of ours unanswered, long enough to doubt the path? */
bool consent_doubtful(const struct consent *c, uint64_t now_us);
/* All acknowledgements are out, and the last one has had its time. */
bool consent_settled(const struct consent *c, uint64_t now_us);

#endif

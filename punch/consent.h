/* SPDX-License-Identifier: ISC */
/* Keeping a path: acknowledgements, then consent freshness (RFC 7675),
 * led by the controlling side (DESIGN.md, "An early packet is lasting damage,
 * so consent is led"). A clock: it says when what is to be sent. */
#ifndef NATKIT_CONSENT_H
#define NATKIT_CONSENT_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "flight.h"

/* What hangs on the path, and so how soon its end has to be seen. */
enum consent_kind {
	CONSENT_PLAIN,	  /* direct, and nothing else is there */
	CONSENT_RESERVED, /* direct, with a relay in reserve */
	CONSENT_RELAYED,  /* through a relay: no NAT has to be opened */
	CONSENT_KINDS
};

#define CONSENT_BEFORE_US 60000u /* low TTL, before the expected check */
#define CONSENT_DOUBT_US 300000u /* least time without an answer to doubt */
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
	enum consent_kind kind; /* may change at any time */
	struct addr remote;
	struct flight flight;
	uint64_t start_us;
	uint64_t good_us;  /* the last answer */
	uint64_t heard_us; /* the last check of the peer */
	uint64_t sent_us;  /* our last check, low-TTL ones not counted */
	uint64_t asked_us; /* the first check since the last answer */
	uint64_t rtt_us;   /* smoothed (RFC 6298 section 2) */
	unsigned acks;	   /* acknowledgements sent */
	uint64_t out_us;   /* our last packet of any TTL */
	bool opened;	   /* the low-TTL packet before the check is out */
	bool echo;	   /* controlled: answer the peer's check with ours */
	bool nudged;	   /* a check is wanted now */
};

void consent_start(struct consent *c, bool controlling,
    const struct addr *remote, uint64_t rtt_us, uint64_t now_us);
/* What comes next; returns when. Only for an active one. */
uint64_t consent_next(const struct consent *c, enum consent_action *action);
void consent_sent(struct consent *c, enum consent_action action,
    const uint8_t tid[STUN_TID_LEN], uint64_t now_us);
/* A valid answer to the check tid, if that is one of ours. */
bool consent_answered(
    struct consent *c, const uint8_t tid[STUN_TID_LEN], uint64_t now_us);
/* A valid check of the peer on this path. */
void consent_heard(struct consent *c, uint64_t now_us);
/* Is a check of ours unanswered, long enough to doubt the path? And when it
 * will be, if no answer comes: UINT64_MAX as long as none is missing. */
bool consent_doubtful(const struct consent *c, uint64_t now_us);
uint64_t consent_doubt_at(const struct consent *c);
/* All acknowledgements are out, and the last one has had its time. */
bool consent_settled(const struct consent *c, uint64_t now_us);

#endif

/* SPDX-License-Identifier: ISC */
/* Packets on their way through one box's netfilter, followed by their trace
 * events from the first hook to the last, so that each one that ends there
 * has a reason. The witness's own chains tell how far a packet came:
 *
 *	early, first	before everything: from here on it is traced
 *	through		the end of forward
 *	inside		the end of input: its rule accepts when a socket is
 *			there, its policy is for packets that nobody takes
 *	out		a packet of the box's own
 *	away		the end of postrouting
 */
#ifndef NATKIT_TRACED_H
#define NATKIT_TRACED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traceevent.h"

#define TRACED_MAX 512	  /* packets at once; the oldest are forgotten */
#define TRACED_WAIT_MS 50 /* no hook for so long: it went nowhere */

#define TRACED_FIRST "first"
#define TRACED_EARLY "early"
#define TRACED_THROUGH "through"
#define TRACED_INSIDE "inside"
#define TRACED_OUT "out"
#define TRACED_AWAY "away"

enum traced_end {
	TRACED_GOES_ON,
	TRACED_DROPPED,	 /* by the rule or policy of the event */
	TRACED_UNWANTED, /* it came to the box itself, which has no socket */
	TRACED_VANISHED, /* between two hooks: not routed, or its time to live
			  * was over */
};

struct traced_packet {
	uint32_t id;
	struct packet packet; /* as it came, before any translation */
	struct packet latest;
	uint32_t iif;
	bool own;    /* of the box itself */
	bool routed; /* seen at forward */
	bool used;
	uint64_t last_ms;
	uint64_t wall_us; /* of the first event */
};

struct traced {
	char table[TRACEEVENT_NAME]; /* the witness's */
	struct traced_packet *slot;  /* TRACED_MAX of them */
	size_t next;
};

/* Returns 0 or -ENOMEM. */
int traced_init(struct traced *t, const char *table);
void traced_free(struct traced *t);
/* *out is filled unless the packet goes on. */
enum traced_end traced_step(struct traced *t, const struct traceevent *e,
    uint64_t now_ms, uint64_t wall_us, struct traced_packet *out);
/* Is there one that vanished? To be called until it says no. */
bool traced_vanished(
    struct traced *t, uint64_t now_ms, struct traced_packet *out);
/* When to ask again; UINT64_MAX for not before the next event. */
uint64_t traced_next_ms(const struct traced *t);

#endif

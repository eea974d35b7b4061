/* SPDX-License-Identifier: ISC */
/* Two check lists, one path: what is said of a peer that may be reached
 * directly or through a relay. Their reports go in, those for the reader come
 * out. Direct is said as soon as it stands, relayed when only that does, with
 * the reason why it isn't direct; else what the direct list says. */
#ifndef NATKIT_CHOICE_H
#define NATKIT_CHOICE_H

#include <stddef.h>

#include "output.h"

#define CHOICE_MAX 2 /* reports that come of one */

struct choice {
	bool relay_only;
	bool peer_only; /* the peer takes relays only */
	bool introduced;
	bool gone;		     /* from the rendezvous server */
	bool expected;		     /* a relay may be bound soon */
	struct report direct, relay; /* the latest of each list */
	const char *why;	     /* it is not direct; NULL: it is */
	struct report said;
};

void choice_init(struct choice *c, bool relay_only);
/* These return how many of out are to be said, in their order. */
/* Before the first introduction: why it is waited for (a constant, or NULL). */
size_t choice_waiting(
    struct choice *c, const char *reason, struct report out[CHOICE_MAX]);
size_t choice_direct(
    struct choice *c, const struct report *r, struct report out[CHOICE_MAX]);
size_t choice_relay(
    struct choice *c, const struct report *r, struct report out[CHOICE_MAX]);
/* While a relay is expected, the peer has not failed. */
size_t choice_expect(
    struct choice *c, bool expected, struct report out[CHOICE_MAX]);
/* The relays' list sleeps, or has no relay any more: it has no say. */
void choice_asleep(struct choice *c);
/* A new introduction: what was the reason is none now. */
size_t choice_anew(struct choice *c, struct report out[CHOICE_MAX]);
/* The peer has left: what ends now is not said to be tried again. */
void choice_gone(struct choice *c);
/* Whether the peer's checks say that it takes relays only. */
size_t choice_peer_only(
    struct choice *c, bool only, struct report out[CHOICE_MAX]);

#endif

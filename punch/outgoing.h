/* SPDX-License-Identifier: ISC */
/* Inside of checklist.c: whose turn it is to send a check. */
#ifndef NATKIT_OUTGOING_H
#define NATKIT_OUTGOING_H

#include "checklist.h"

/* What one of the three senders wants, and when it may. */
struct turn {
	uint64_t at_us;
	enum {
		TURN_NONE,
		TURN_NOMINEE,
		TURN_CONSENT,
		TURN_CANDIDATE
	} who;
	struct candidate *c;
	enum consent_action action;
};

struct turn outgoing_next(struct checklist *x);
void outgoing_take(struct checklist *x, const struct turn *t, uint64_t now_us);

#endif

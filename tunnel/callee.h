/* SPDX-License-Identifier: ISC */
/* Streams of a peer that are for a socket of this host: it is connected, and the
 * stream is answered with it, or with why it could not be. */
#ifndef NATKIT_CALLEE_H
#define NATKIT_CALLEE_H

#include <stdbool.h>
#include <stdint.h>

#include "joint.h"
#include "loop.h"
#include "opening.h"
#include "resolve.h"

#define CALLEES_CONNECT_MS 10000

struct callee;

struct callees {
	struct loop *loop;
	struct resolver *resolver;
	struct callee *first;
	uint32_t open;
	uint64_t total, refused;
	/* One was connected, or could not be. May be NULL. Not to end the set from
	 * within. */
	void (*opened)(void *arg, struct joint *j, const struct opening *what);
	void (*failed)(void *arg, struct joint *j, const struct opening *what,
	    enum opening_reason r);
	void *arg;
};

/* what: TCP, UDP or Unix; copied. Answers the stream, now or later. */
void callee_take(
    struct callees *set, struct joint *j, const struct opening *what);
/* Ends all of them; or (let_go) only those that are not connected yet, and
 * leaves the others to themselves. */
void callees_end(struct callees *set, bool let_go);

#endif

/* SPDX-License-Identifier: ISC */
/* A forward at work (ssh's -L, -R, -D, and -U): its listener here, or at the
 * peer, and what comes to it. Listeners stay open while the peer is away; a
 * connection that comes meanwhile waits for it, 10 s at most. What comes to
 * nothing is warned of: once for each target and reason until it works again. */
#ifndef NATKIT_FORWARDING_H
#define NATKIT_FORWARDING_H

#include <stdbool.h>
#include <stdint.h>

#include "forward.h"
#include "joint.h"
#include "link.h"
#include "loop.h"
#include "peerbook.h"
#include "resolve.h"

struct forwarding;

enum forwarding_state {
	FORWARDING_WAITING, /* for the peer (R), or to try again */
	FORWARDING_LISTENING,
	FORWARDING_FAILED, /* reason says why; it is tried again with backoff */
};

struct forwarding_config {
	struct loop *loop;
	struct resolver *resolver;
	struct link *link;
	const struct forward *forward; /* copied */
	/* Names for keys, which may be read anew; may be NULL. */
	struct peerbook *const *book;
	/* The state has changed. May be NULL. */
	void (*changed)(void *arg, struct forwarding *f);
	void *arg;
};

/* Returns 0, or -errno when it can't listen here (L, D, U): -EADDRINUSE... and
 * whether to try again is the caller's choice (retry true: it is tried again
 * by itself, and 0 is returned). */
int forwarding_start(
    struct forwarding **out, const struct forwarding_config *c, bool retry);
/* Connections that stand go on when let_go, else they are cut. */
void forwarding_stop(struct forwarding *f, bool let_go);

const struct forward *forwarding_of(const struct forwarding *f);
struct link *forwarding_link(const struct forwarding *f);

struct forwarding_status {
	enum forwarding_state state;
	uint16_t port; /* that it listens at, here or there; 0: Unix socket */
	const char *reason; /* a word, or NULL */
	uint32_t open;	    /* connections now */
	uint64_t total, refused;
};
void forwarding_status(
    const struct forwarding *f, struct forwarding_status *out);

/* A peer's stream with OPENING_BACK: the forward (-R) it belongs to connects to
 * its target and answers. false: no such id of that peer; refuse it. */
bool forwarding_back(struct joint *j);

#endif

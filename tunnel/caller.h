/* SPDX-License-Identifier: ISC */
/* Connections that came to a listener of ours, and the streams they become. One
 * that the peer refuses is reset, so that its client sees an error and no empty
 * answer; a SOCKS client is told why. */
#ifndef NATKIT_CALLER_H
#define NATKIT_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "joint.h"
#include "link.h"
#include "opening.h"

#define CALLERS_MAX 1024      /* at once, of one listener */
#define CALLERS_WAIT_MS 10000 /* for the peer */

struct caller;

struct callers {
	struct link *link;
	struct caller *first;
	uint32_t open;
	uint64_t total, refused;
	/* One was answered with yes, or came to nothing: res says why, JOINT_CLOSED
	 * when there are too many. May be NULL. Not to end the set from within. */
	void (*opened)(void *arg, const struct opening *what);
	void (*failed)(void *arg, const struct opening *what,
	    const struct joint_result *res);
	void *arg;
};

/* fd is the caller's from now on. socks: its client waits for a reply. */
void caller_take(
    struct callers *set, int fd, const struct opening *what, bool socks);
/* Closes a connection so that its client sees an error. */
void caller_reset(int fd);
/* Ends all of them, or leaves them to themselves. */
void callers_end(struct callers *set, bool let_go);

#endif

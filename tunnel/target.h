/* SPDX-License-Identifier: ISC */
/* Connecting to what a stream is for, without blocking: a name is looked up and
 * its addresses are tried in turn (TCP), or the first is connected (UDP); a Unix
 * socket. */
#ifndef NATKIT_TARGET_H
#define NATKIT_TARGET_H

#include "loop.h"
#include "opening.h"
#include "resolve.h"

struct target;

/* fd >= 0: connected, the receiver's from now on; else reason says why not. The
 * target is over. */
typedef void target_fn(void *arg, int fd, enum opening_reason reason);

/* what: OPENING_TCP, _UDP or _UNIX. fn is called once, never from within.
 * Returns 0 or -errno. */
int target_connect(struct target **out, struct loop *l, struct resolver *r,
    const struct opening *what, uint32_t timeout_ms, target_fn *fn, void *arg);
void target_cancel(struct target *t);

#endif

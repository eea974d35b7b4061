/* SPDX-License-Identifier: ISC */
/* What nat-relayd tells and takes on its control socket: hello, stats, pairs,
 * allocations, accounts, watch, drop, drain. */
#ifndef NATKIT_RELAYBOARD_H
#define NATKIT_RELAYBOARD_H

#include "control.h"
#include "engine.h"
#include "record.h"

struct relayboard {
	struct engine *engine;
	struct control *control; /* NULL: nobody is told */
};

/* Returns 0 or -errno. */
int relayboard_open(
    struct relayboard *b, struct engine *e, struct loop *l, const char *path);
void relayboard_close(struct relayboard *b);

/* Calls fn with every counter and gauge. */
typedef void relayboard_stat_fn(void *arg, const char *name, const char *help,
    bool counter, uint64_t value);
void relayboard_stats(
    const struct engine *e, relayboard_stat_fn *fn, void *arg);
/* Writes a listen record of the i-th socket that clients use: UDP, then TCP.
 * False after the last. */
bool relayboard_listen(const struct engine *e, size_t i, struct record *r);

#endif

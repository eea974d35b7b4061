/* SPDX-License-Identifier: ISC */
/* Has standard output a reader still? A pipe whose reader is gone tells so
 * before the next write, which may be long in coming. */
#ifndef NATKIT_READER_H
#define NATKIT_READER_H

#include "loop.h"

typedef void reader_gone_fn(void *arg);

struct reader {
	struct event *event; /* NULL: no pipe, nothing is watched */
	reader_gone_fn *gone;
	void *arg;
};

/* Calls gone once, when standard output is a pipe and its reader is gone. */
void reader_watch(
    struct reader *r, struct loop *loop, reader_gone_fn *gone, void *arg);
/* One that was never watched (all zero) is allowed. */
void reader_stop(struct reader *r);

#endif

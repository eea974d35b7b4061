/* SPDX-License-Identifier: ISC */
/* A line on standard error for a person who waits, drawn anew each second and
 * erased at the end. One at a time. */
#ifndef NATKIT_PROGRESS_H
#define NATKIT_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "loop.h"

/* Writes how far it is, as a string that ends within cap bytes. */
typedef void progress_fn(void *arg, char *out, size_t cap);

struct progress {
	struct event *timer; /* NULL: nobody sees it */
	progress_fn *describe;
	void *arg;
	uint64_t start_ms; /* what "so far" counts from */
};

/* Does nothing without a terminal, or with -q. p is zero before. */
void progress_begin(struct progress *p, struct loop *l, uint64_t start_ms,
    progress_fn *describe, void *arg);
/* Makes room for other output; lines of log.h do so by themselves. */
void progress_clear(void);
void progress_end(struct progress *p);

#endif

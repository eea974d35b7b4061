/* SPDX-License-Identifier: ISC */
/* A descriptor that is read ahead of what can be sent: its bytes are kept until
 * they are acknowledged, and it is not read while too many wait. */
#ifndef NATKIT_SOURCE_H
#define NATKIT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "blockq.h"
#include "descriptor.h"
#include "loop.h"

struct source_calls {
	/* There is more to send, or the end. */
	void (*ready)(void *arg);
	/* Reading failed (-errno); nothing more comes. */
	void (*failed)(void *arg, int error);
};

struct source {
	const struct source_calls *calls;
	void *arg;
	const struct descriptor *d;
	struct event *ev;
	struct blockq q; /* begin: acknowledged, mark: sent */
	uint64_t ahead;	 /* bytes that may wait */
	bool wanted;	 /* started, and not at its end */
	bool waits;	 /* full, or without budget */
	bool draining;
	bool ended; /* nothing comes behind what is in q */
};

/* The queue can be appended to by hand before source_start. */
void source_init(struct source *s, struct purse *purse, uint64_t ahead,
    const struct source_calls *calls, void *arg);
void source_start(struct source *s, struct loop *l, const struct descriptor *d);
/* Reads no more; what it has is still sent. */
void source_stop(struct source *s);
/* As source_stop, but what is there to be read at this moment is taken first
 * (of a file: all of it). */
void source_drain(struct source *s);
void source_free(struct source *s);
/* There may be room again. */
void source_resume(struct source *s);
/* n bytes were sent; acknowledged. */
void source_sent(struct source *s, size_t n);
void source_acked(struct source *s, uint64_t n);
/* Is there anything that has not been read? Takes a byte of it, if so. */
bool source_has_unread(const struct source *s);

#endif

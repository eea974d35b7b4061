/* SPDX-License-Identifier: ISC */
/* What is to be written to a descriptor, as fast as it takes it. */
#ifndef NATKIT_SINK_H
#define NATKIT_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "blockq.h"
#include "descriptor.h"
#include "loop.h"

struct sink_calls {
	void (*wrote)(void *arg, size_t n);
	/* All is written, and there comes no more; once. */
	void (*over)(void *arg);
	/* Writing failed (-errno): what it has can't be written; once. */
	void (*failed)(void *arg, int error);
};

struct sink {
	const struct sink_calls *calls;
	void *arg;
	const struct descriptor *d;
	struct event *ev;
	struct purse purse; /* of credit that was given: nothing is refused */
	struct blockq q;
	uint64_t written;
	bool ending; /* nothing comes behind what is in q */
	bool done;   /* over or failed was called */
	bool full;   /* the descriptor takes no more now */
};

void sink_init(struct sink *s, const struct sink_calls *calls, void *arg);
/* From here on it can write; before, it keeps. */
void sink_start(struct sink *s, struct loop *l, const struct descriptor *d);
void sink_free(struct sink *s);
/* Copies; nothing is written before sink_flush. Returns 0 or -ENOMEM. */
int sink_put(struct sink *s, const void *data, size_t len);
void sink_end(struct sink *s);
void sink_flush(struct sink *s);

#endif

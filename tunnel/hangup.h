/* SPDX-License-Identifier: ISC */
/* Tells that a descriptor has an error, also while nobody wants to read or write
 * it: a connection that was reset while its peer's slowness keeps us from
 * reading. (libevent reports such only to who waits for reading or writing.) */
#ifndef NATKIT_HANGUP_H
#define NATKIT_HANGUP_H

#include "loop.h"

struct hangup;

struct hangup_watch {
	struct hangup *of; /* NULL: it watches nothing */
	int fd;
	/* Something happened, once each time; descriptor_error tells what. */
	void (*fn)(void *arg);
	void *arg;
};

/* Files, which can't have such errors, and a lack of memory are no error. */
void hangup_watch(struct hangup_watch *w, struct loop *l, int fd,
    void (*fn)(void *arg), void *arg);
/* Before the descriptor is closed. */
void hangup_forget(struct hangup_watch *w);

#endif

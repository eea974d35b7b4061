/* SPDX-License-Identifier: ISC */
/* Lines out of a descriptor or a file as they come, in the event loop. */
#ifndef NATKIT_FOLLOW_H
#define NATKIT_FOLLOW_H

#include "line.h"
#include "loop.h"

struct follow;

/* A non-blocking descriptor, which is the follow's from now on (closed, too, if
 * this fails). Returns 0 or -ENOMEM. */
int follow_fd(
    struct follow **out, struct loop *l, int fd, line_fn *fn, void *arg);
/* A regular file is read to its end at once; a fifo goes on for ever, whoever
 * writes to it; "-" is standard input. Returns 0 or -errno. */
int follow_path(struct follow **out, struct loop *l, const char *path,
    line_fn *fn, void *arg);
/* Reads what is there now. NULL does nothing, as with follow_free. */
void follow_drain(struct follow *f);
void follow_free(struct follow *f);

#endif

/* SPDX-License-Identifier: ISC */
/* A queue of bytes in blocks: appended at its end, used from its mark, kept from
 * its beginning (bytes that are sent, and not acknowledged yet, lie before the
 * mark). Bytes never move once they are in it. */
#ifndef NATKIT_BLOCKQ_H
#define NATKIT_BLOCKQ_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "block.h"

struct blockq {
	struct purse *purse;
	struct block *head;   /* holds the byte `begin` */
	struct block *fill;   /* holds the byte before `end`, or NULL: none */
	struct block *cursor; /* `mark` is in it or at its end; NULL: head */
	uint64_t begin, mark, end;
};

void blockq_init(struct blockq *q, struct purse *purse);
void blockq_clear(struct blockq *q);

/* Room for up to len bytes after the end, as the purse allows. Returns how many
 * pieces there are; to be followed by blockq_grow (of 0, too). */
size_t blockq_room(struct blockq *q, struct iovec *iov, size_t n, size_t len);
/* len bytes of the room were filled; what is left of it is given back. */
void blockq_grow(struct blockq *q, size_t len);
/* Copies. Returns 0 or -ENOMEM: then nothing was appended. */
int blockq_append(struct blockq *q, const void *data, size_t len);

/* At most len bytes from the mark on. Returns the pieces; *got: bytes. */
size_t blockq_peek(const struct blockq *q, struct iovec *iov, size_t n,
    size_t len, size_t *got);
void blockq_advance(struct blockq *q, uint64_t len); /* the mark */
void blockq_release(struct blockq *q, uint64_t len); /* no further than it */

static inline uint64_t
blockq_ahead(const struct blockq *q) /* bytes after the mark */
{
	return q->end - q->mark;
}

static inline uint64_t
blockq_len(const struct blockq *q)
{
	return q->end - q->begin;
}

#endif

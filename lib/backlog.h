/* SPDX-License-Identifier: ISC */
/* Messages that wait to be written to a stream, bounded in bytes: when it is
 * full, what may be dropped makes room, oldest first, as long as none of it has
 * been sent. */
#ifndef NATKIT_BACKLOG_H
#define NATKIT_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct backlog_message;

struct backlog {
	struct backlog_message *first, *last;
	/* none before this one may be dropped; NULL: none at all */
	struct backlog_message *oldest;
	size_t bytes; /* with what keeping them costs */
	size_t max;
	uint64_t dropped;
};

void backlog_init(struct backlog *b, size_t max);
void backlog_free(struct backlog *b);
/* Copies head and data, and pad zero bytes. Returns 0 (also when a droppable
 * message was dropped itself), or -ENOBUFS: no room, or no memory, for what
 * may not be dropped. */
int backlog_add(struct backlog *b, const void *head, size_t head_len,
    const void *data, size_t len, size_t pad, bool droppable);
/* Up to n pieces of what is to be sent. Returns how many there are. */
int backlog_gather(const struct backlog *b, struct iovec *iov, int n);
/* Copies up to cap bytes of what is to be sent. Returns how many. */
size_t backlog_copy(const struct backlog *b, void *out, size_t cap);
/* So many bytes are being sent: they can't be dropped any more. */
void backlog_begin(struct backlog *b, size_t bytes);
/* So many bytes have been sent. */
void backlog_sent(struct backlog *b, size_t bytes);
bool backlog_is_empty(const struct backlog *b);

#endif

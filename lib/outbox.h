/* SPDX-License-Identifier: ISC */
/* Datagrams that wait to be sent, of all sockets of a program: they leave in
 * batches (sendmmsg), runs to one destination as one message (UDP_SEGMENT, see
 * udp(7)). Part of train.h, which says what callers have to keep to. */
#ifndef NATKIT_OUTBOX_H
#define NATKIT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define OUTBOX_QUEUE 1024 /* pieces */
#define OUTBOX_HEAD_MAX 64
#define OUTBOX_NONE UINT16_MAX

struct outbox;

/* A socket's side of it. */
struct outlet {
	int fd;
	bool errors; /* IP_RECVERR: sendmsg may tell an older error */
	bool gso;
	/* private */
	uint32_t gso_below; /* datagrams shorter than that can be a run */
	uint32_t skipped;   /* runs that were sent one by one since */
	uint16_t first, last;
	struct outlet *next; /* with messages that wait */
};

int outbox_new(struct outbox **out);
void outbox_free(struct outbox *b);
void outlet_init(struct outlet *o, int fd, bool errors, bool gso);
bool outlet_waits(const struct outlet *o);

/* train_queue, train_answer, trains_flush, trains_lost */
void outbox_put(struct outbox *b, struct outlet *o, const struct addr *to,
    const void *head, size_t head_len, const uint8_t *data, size_t len,
    size_t seg);
void outbox_copy(struct outbox *b, struct outlet *o, const struct addr *to,
    const void *data, size_t len);
void outbox_flush(struct outbox *b);
bool outbox_waits(const struct outbox *b);
uint64_t outbox_lost(const struct outbox *b);

#endif

/* SPDX-License-Identifier: ISC */
/* Datagrams between a descriptor and a link, each way through a queue of
 * JOINT_DATAGRAMS: when it is full the oldest goes, for a late datagram is worth
 * less than a new one. */
#ifndef NATKIT_FLOW_H
#define NATKIT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block.h"
#include "descriptor.h"
#include "loop.h"

#define FLOW_DATAGRAM_MAX 2000 /* bytes; a QUIC packet holds less anyway */

struct flow_calls {
	void (*ready)(void *arg); /* there is one to send */
	void (*ended)(void *arg); /* nothing comes any more */
	void (*dropped)(void *arg, uint64_t n);
	/* Reading (write false) or writing failed for good. */
	void (*failed)(void *arg, bool write, int error);
};

struct flowq {
	struct purse *purse;
	struct block *head, *tail;
	size_t from, to; /* in head, in tail: bytes */
	uint32_t count;
	uint64_t bytes;
};

struct flow {
	const struct flow_calls *calls;
	void *arg;
	const struct descriptor *in, *out;
	struct event *in_ev, *out_ev;
	struct flowq sending, writing;
	size_t read_max; /* of what is no socket: one read, one datagram */
	bool full, paused, over;
	uint64_t read, written; /* bytes */
	uint64_t active_ms;	/* the latest datagram, either way */
};

void flow_init(struct flow *f, struct purse *sending, struct purse *writing,
    const struct flow_calls *calls, void *arg);
void flow_start(struct flow *f, struct loop *l, const struct descriptor *in,
    const struct descriptor *out);
void flow_free(struct flow *f);
/* From the peer; flow_flush writes. */
void flow_put(struct flow *f, const void *data, size_t len);
void flow_flush(struct flow *f);
/* The next one to send, as long as it is not popped. false: none. */
bool flow_next(const struct flow *f, const uint8_t **data, size_t *len);
void flow_pop(struct flow *f);

#endif

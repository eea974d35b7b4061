/* SPDX-License-Identifier: ISC */
/* One Binding transaction with one server address (RFC 8489 sections 3, 6):
 * "which address do you see me from?" Bytes and a clock in, actions out. */
#ifndef NATKIT_BINDING_H
#define NATKIT_BINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "transaction.h"

/* Room for the request that binding_step builds. */
#define BINDING_REQUEST_MAX 64

enum binding_state {
	BINDING_OPEN,	 /* no answer yet */
	BINDING_MAPPED,	 /* answered: mapped, local, rtt_us are set */
	BINDING_REFUSED, /* answered with an error response: error is set */
	BINDING_FAILED,	 /* RFC 8489's timer ran out */
};

struct binding {
	struct addr server;
	struct transaction t;
	enum binding_state state;
	uint64_t sent_us; /* latest send */
	struct addr mapped;
	struct addr local;
	uint32_t rtt_us; /* from the latest send to the answer */
	int error;	 /* 300..699 */
};

/* A fresh transaction id; binding_step then gives the first request. rtt_us is
 * what an earlier transaction measured, 0 when unknown: then retransmissions
 * start at RFC 8489's 500 ms, else sooner (its section 6.2.1 allows it). */
void binding_start(struct binding *b, const struct addr *server,
    uint32_t rtt_us, uint64_t now_us);
/* Returns the length of a request in out, to be sent to b->server now; 0 when
 * there is nothing to do before b->t.next_ms; -ETIMEDOUT when the transaction
 * has failed. */
int binding_step(
    struct binding *b, uint64_t now_us, uint8_t out[BINDING_REQUEST_MAX]);
/* Takes a datagram that came from an address to an own one. True when it is
 * the answer: its transaction id, its source and its class are right and it
 * makes sense; then the state has changed. Anything else changes nothing. */
bool binding_reply(struct binding *b, const void *data, size_t len,
    const struct addr *from, const struct addr *local, uint64_t now_us);

#endif

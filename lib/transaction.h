/* SPDX-License-Identifier: ISC */
/* Retransmission of one request over UDP, RFC 8489 section 6.2.1, as a pure
 * state machine: RTO doubles from 500 ms, Rc = 7 sends, and Rm = 16 times the
 * RTO after the last one the transaction has failed. */
#ifndef NATKIT_TRANSACTION_H
#define NATKIT_TRANSACTION_H

#include <stdint.h>

#include "stun.h"

#define TRANSACTION_RTO_MS 500
#define TRANSACTION_RC 7
#define TRANSACTION_RM 16

enum transaction_action {
	TRANSACTION_WAIT, /* nothing to do before ->next_ms */
	TRANSACTION_SEND, /* send the request (again) now */
	TRANSACTION_FAIL, /* no answer came; it is over */
};

struct transaction {
	uint8_t tid[STUN_TID_LEN];
	uint32_t rto_ms;   /* the first interval */
	uint32_t sent;	   /* sends so far */
	uint64_t start_ms; /* when the first was sent */
	uint64_t last_ms;  /* when the latest was sent, for the round trip */
	uint64_t next_ms;  /* when to step again */
};

/* A fresh transaction id; the first step gives TRANSACTION_SEND. rto_ms is
 * TRANSACTION_RTO_MS, or less when the round trip is known. */
void transaction_start(struct transaction *t, uint64_t now_ms, uint32_t rto_ms);
enum transaction_action transaction_step(
    struct transaction *t, uint64_t now_ms);

#endif

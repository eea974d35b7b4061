/* SPDX-License-Identifier: ISC */
/* When to send a request again, and when to give up: RFC 8489 section 6.2.1.
 * With the default RTO: at 0, 500, 1500, 3500, 7500, 15500 and 31500 ms, and
 * failed at 39500 ms. */
#include "transaction.h"

void
transaction_start(struct transaction *t, uint64_t now_ms, uint32_t rto_ms)
{
	*t = (struct transaction){
	    .rto_ms = rto_ms > 0 ? rto_ms : 1,
	    .start_ms = now_ms,
	    .last_ms = now_ms,
	    .next_ms = now_ms,
	};
	stun_new_tid(t->tid);
}

/* Intervals count from the real time of a send, not from the planned one: a
 * process that was stopped for a while must not send a burst. */
enum transaction_action
transaction_step(struct transaction *t, uint64_t now_ms)
{
	uint64_t interval_ms = t->rto_ms;

	if (t->sent > 0 && now_ms < t->next_ms)
		return TRANSACTION_WAIT;
	if (t->sent >= TRANSACTION_RC)
		return TRANSACTION_FAIL;
	if (t->sent == 0)
		t->start_ms = now_ms;
	t->sent++;
	t->last_ms = now_ms;
	if (t->sent < TRANSACTION_RC)
		interval_ms <<= t->sent - 1;
	else
		interval_ms *= TRANSACTION_RM;
	t->next_ms = now_ms + interval_ms;
	return TRANSACTION_SEND;
}

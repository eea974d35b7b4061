/* SPDX-License-Identifier: ISC */
/* A request of the client that is under way under a session: an attribute
 * list, the peers that it is about, and its retransmission. Each send is
 * sealed anew (counters rise), under one transaction id. */
#ifndef NATKIT_REQUEST_H
#define NATKIT_REQUEST_H

#include <stdbool.h>

#include "hello.h"

/* Peers are numbers below 64, sets of them bit masks. */
#define REQUEST_PEERS 64

struct request {
	bool active;
	bool confirm; /* under the session that is not confirmed yet */
	struct transaction t;
	uint64_t sent_us; /* the latest send */
	uint64_t wants;	  /* peers with a WANT in it */
	uint64_t readies; /* peers with a READY in it */
	uint64_t tokens;  /* peers with a TOKEN in it */
	size_t len;
	uint8_t plain[WIRE_PLAIN_MAX];
};

/* The first interval when this is the round trip; 0: not known. */
uint32_t request_rto_ms(uint64_t rtt_us);
/* The round trip, 0 before, after one more was measured; never 0 again. */
uint64_t request_smooth_rtt(uint64_t rtt_us, uint64_t measured_us);
/* An empty request (a keepalive). rto_ms is the first interval. */
void request_start(
    struct request *r, const struct moment *now, uint32_t rto_ms, bool confirm);
/* All return false when the attribute does not fit any more. */
bool request_add_want(struct request *r, int peer, const uint8_t key[KEY_LEN],
    const uint8_t tag[WIRE_TAG_LEN]);
bool request_add_ready(struct request *r, int peer, const uint8_t key[KEY_LEN],
    uint32_t mine, uint32_t theirs, uint16_t rtt_ms);
bool request_add_token(struct request *r, int peer, const uint8_t key[KEY_LEN]);
enum transaction_action request_step(
    struct request *r, const struct moment *now);

#endif

/* SPDX-License-Identifier: ISC */
/* One HELLO with one address of a server (DESIGN.md, "The rendezvous
 * protocol"): retransmission, the 438 challenge, and the proof of the pinned
 * key. Bytes and a clock in, bytes out. */
#ifndef NATKIT_HELLO_H
#define NATKIT_HELLO_H

#include "transaction.h"
#include "wire.h"

/* The clocks of one moment. */
struct moment {
	uint64_t ms;	  /* monotonic */
	uint64_t us;	  /* monotonic */
	uint64_t wall_ns; /* since 1970 */
};

/* Who says HELLO, and to which pinned key. key is secret: the caller's
 * sodium_malloc'ed memory. */
struct hello_keys {
	const uint8_t *key;
	uint8_t pub[KEY_LEN];
	uint8_t server[KEY_LEN];
};

struct hello {
	bool active;
	struct addr to;
	struct transaction t;
	struct noise noise;
	unsigned challenges; /* obeyed so far */
	uint64_t sent_us;    /* the latest send */
	uint8_t msg[STUN_MAX];
	size_t len;
};

/* Makes the request. Returns 0, or -EINVAL for a low-order key. */
int hello_start(struct hello *h, const struct hello_keys *k,
    const struct addr *to, const struct moment *now);
/* What to do now: TRANSACTION_SEND means send ->msg to ->to. */
enum transaction_action hello_step(struct hello *h, const struct moment *now);
/* Returns 1 when the server has proven its key: *welcome holds its status,
 * *s the session if that is WIRE_OK, *rtt_us the round trip since the latest
 * send; h is wiped. Returns 0 when m was no (right) answer, or the challenge
 * was taken up. */
int hello_input(struct hello *h, const struct hello_keys *k,
    const struct addr *from, const struct stun_msg *m, const struct moment *now,
    struct wire_welcome *welcome, struct session *s, uint64_t *rtt_us);
void hello_wipe(struct hello *h);

#endif

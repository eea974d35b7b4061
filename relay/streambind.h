/* SPDX-License-Identifier: ISC */
/* One side of a plain pair, bound over a stream (relay/pairs.h has the
 * messages): a channel of a connection to the relay. Pure: messages and a clock
 * in, messages out. Nothing is sent twice, TCP does that. */
#ifndef NATKIT_STREAMBIND_H
#define NATKIT_STREAMBIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bindrequest.h"
#include "credential.h"
#include "stun.h"

#define STREAMBIND_CHALLENGES 3 /* in a row */
#define STREAMBIND_WAIT_MS 5000 /* unanswered so long: it is dead */
#define STREAMBIND_REFRESH_MS 20000
#define STREAMBIND_AGAIN_MS 1000 /* after a refusal, doubling to */
#define STREAMBIND_AGAIN_MAX_MS 10000
#define STREAMBIND_OUT BINDREQUEST_MAX /* the longest message */

enum streambind_state {
	STREAMBIND_IDLE, /* not to be bound */
	STREAMBIND_ASKING,
	STREAMBIND_BOUND,
	STREAMBIND_REFUSED, /* ->reason; asks again */
	STREAMBIND_DEAD,    /* nothing answers on this connection */
};

/* Holds a password. */
struct streambind {
	char user[CREDENTIAL_NAME_MAX];
	char password[CREDENTIAL_PASSWORD_LEN + 1];
	uint16_t channel;
	enum streambind_state state;
	const char *reason;
	uint64_t next_ms; /* when to call streambind_step again */
	uint8_t nonce[BINDREQUEST_NONCE_MAX];
	size_t nonce_len;
	uint8_t tid[STUN_TID_LEN];
	bool open; /* a request is not answered yet */
	unsigned int challenges;
	uint32_t again_ms;
};

/* On a new connection, or after streambind_stop. */
void streambind_start(struct streambind *b, uint64_t now_ms);
/* Does no more; the relay forgets by itself, or has moved the side already. */
void streambind_stop(struct streambind *b);
/* Returns the length of a message that is to be sent now, or 0. */
size_t streambind_step(
    struct streambind *b, uint64_t now_ms, uint8_t out[STREAMBIND_OUT]);
/* Returns whether the message (parsed) was for it. */
bool streambind_input(
    struct streambind *b, const struct stun_msg *m, uint64_t now_ms);
/* The request that unbinds, to be sent without waiting; 0: it is not bound. */
size_t streambind_unbind(
    const struct streambind *b, uint8_t out[STREAMBIND_OUT]);

#endif

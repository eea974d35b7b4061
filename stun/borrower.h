/* SPDX-License-Identifier: ISC */
/* The borrowing end of the twin link (DESIGN.md, "The twin link"), as a pure
 * state machine: makes a session with the twin, keeps it alive, and wraps what
 * the twin is to send. Bytes and a clock in, bytes out. */
#ifndef NATKIT_BORROWER_H
#define NATKIT_BORROWER_H

#include "limit.h"
#include "twin.h"

#define BORROWER_HELLO_MS 250	   /* until the next try, */
#define BORROWER_HELLO_MAX_MS 4000 /* doubling to this */
#define BORROWER_RENEW_MS 120000   /* a new handshake, */
#define BORROWER_EXPIRE_MS 240000  /* or the end */
#define BORROWER_KEEPALIVE_MS 5000
/* A keepalive without answer is followed by others, so soon, */
#define BORROWER_PROBE_MS 1000
#define BORROWER_PROBES 3     /* and with so many the link is down */
#define BORROWER_HINT_MS 2000 /* least time between two errors 481 obeyed */
/* Orders per second, of each process: the twin would not carry out more, and they are longer
 * than the questions, which anybody can ask. */
#define BORROWER_ORDERS 5000

enum borrower_handshake {
	BORROWER_IDLE,
	BORROWER_HELLO,	  /* asked */
	BORROWER_CONFIRM, /* answered; now our first message has to be */
};

/* A session, and the keepalive under way in it. */
struct borrower_session {
	struct session session;
	struct twin_places places;
	uint8_t tid[STUN_TID_LEN];
	unsigned int unanswered;
	uint64_t ping_ms; /* when to ask (again) */
	uint64_t made_ms;
};

/* Holds keys: to be allocated with sodium_malloc. */
struct borrower {
	const struct twin_keys *keys;
	struct twin_places own;
	struct borrower_session now, next;
	struct noise noise;
	enum borrower_handshake handshake;
	uint32_t interval_ms;
	uint64_t hello_ms; /* when to say it (again) */
	uint64_t hint_ms;  /* before this, no more hints */
	struct bucket orders;
	uint8_t tid[STUN_TID_LEN]; /* of the HELLO */
	bool up;
	bool odd; /* the twin's places don't go with ours */
};

/* own is what we have ourselves: the twin must have the same ports, at other
 * addresses. keys outlive it. */
void borrower_init(struct borrower *b, const struct twin_keys *keys,
    const struct twin_places *own, uint64_t now_ms);
void borrower_free(struct borrower *b);
/* What is to be sent to the twin now; call it until it returns 0, after every
 * call below, and at *at_ms. out has TWIN_MAX bytes. */
size_t borrower_step(struct borrower *b, uint64_t now_ms, uint64_t wall_ns,
    uint8_t *out, uint64_t *at_ms);
/* A datagram that came from the twin's address. */
void borrower_input(
    struct borrower *b, const uint8_t *data, size_t len, uint64_t now_ms);
/* The system says that nobody is there (an ICMP error): a hint to ask. */
void borrower_refused(struct borrower *b, uint64_t now_ms);
/* The twin is heard of otherwise: a hint to ask now while the link is down. */
void borrower_hint(struct borrower *b, uint64_t now_ms);
/* The twin's places of a family, TWIN_PORTS of them, or NULL: not to be had. */
const struct addr *borrower_places(const struct borrower *b, int family);
/* The message that makes the twin send this. Returns its length, or -ENOTCONN,
 * -EMSGSIZE, -EAGAIN: too many. */
int borrower_lend(struct borrower *b, const struct twin_order *o,
    uint64_t now_ms, uint8_t *out, size_t cap);

#endif

/* SPDX-License-Identifier: ISC */
/* HELLO to all addresses of one server until one of them answers: attempts,
 * each with its retransmissions, and a growing pause between them. An attempt
 * begins over UDP; when that is silent for a moment, TCP connections are asked
 * for and used too, because there are networks that let nothing else out. */
#ifndef NATKIT_DIAL_H
#define NATKIT_DIAL_H

#include "hello.h"

#define DIAL_ADDRS 4 /* tried at once */
#define DIAL_TCP 8   /* connections that may be tried beside them */
#define DIAL_ATTEMPT_MS 4000
#define DIAL_CONNECT_MS 500 /* of silence, until TCP is asked for */
#define DIAL_BACKOFF_MIN_MS 1000
#define DIAL_BACKOFF_MAX_MS 15000

/* Holds keys: to be allocated with sodium_malloc. */
struct dial {
	struct hello_keys keys;
	struct addr addrs[DIAL_ADDRS];
	size_t n;
	struct addr tcp[DIAL_TCP]; /* connected, in this attempt */
	size_t n_tcp;
	struct hello hello[DIAL_ADDRS + DIAL_TCP];
	bool busy;	     /* between dial_at and dial_stop */
	bool udp_only;	     /* one attempt, to see whether UDP works again */
	uint64_t end_ms;     /* of the running attempt; UINT64_MAX: none */
	uint64_t retry_ms;   /* when the next starts; UINT64_MAX: never */
	uint64_t connect_ms; /* when TCP is asked for; UINT64_MAX: never */
	uint32_t backoff_ms, max_ms;
};

enum dial_what {
	DIAL_WAIT,    /* nothing before dial_next_ms */
	DIAL_SEND,    /* *out: ->msg to ->to */
	DIAL_CONNECT, /* to ->addrs over TCP, then call dial_connected */
	DIAL_SILENT,  /* no address has answered, and another try follows */
};

/* max_ms bounds the pause between two attempts; 0 is DIAL_BACKOFF_MAX_MS. */
void dial_init(struct dial *d, const uint8_t *key, const uint8_t pub[KEY_LEN],
    const uint8_t server[KEY_LEN], uint32_t max_ms);
/* The first DIAL_ADDRS, both families if there are both. */
void dial_addresses(struct dial *d, const struct addr *list, size_t n,
    const struct moment *now);
/* The next attempt starts then. */
void dial_at(struct dial *d, uint64_t at_ms);
/* One attempt now, over UDP alone. */
void dial_probe(struct dial *d, const struct moment *now);
void dial_stop(struct dial *d);
/* A connection is there (at->tcp is set). Returns whether it is of use. */
bool dial_connected(
    struct dial *d, const struct addr *at, const struct moment *now);
/* Is an attempt going on that a connection is of use for? */
bool dial_wants_tcp(const struct dial *d);
/* Call until DIAL_WAIT. */
enum dial_what dial_step(
    struct dial *d, const struct moment *now, const struct hello **out);
/* As hello_input; dialling has ended when it returns 1. */
int dial_input(struct dial *d, const struct addr *from,
    const struct stun_msg *m, const struct moment *now,
    struct wire_welcome *welcome, struct session *s, uint64_t *rtt_us);
/* No answer was good enough: a pause, then the next attempt. */
void dial_back_off(struct dial *d, const struct moment *now);
uint64_t dial_next_ms(const struct dial *d);

/* Three quarters to all of it, so that clients don't move in step. */
uint64_t dial_jitter(uint32_t ms);

#endif

/* SPDX-License-Identifier: ISC */
/* One process of nat-stund: its sockets, the responder between them, and the
 * way to the twin. */
#ifndef NATKIT_WORKER_H
#define NATKIT_WORKER_H

#include "loop.h"
#include "responder.h"
#include "sockets.h"
#include "stream.h"
#include "tally.h"

/* The other machine of -O (twinlink.c). NULL without one; receive is, too, in
 * all processes but the first. */
struct worker_twin {
	/* A datagram of STUN method NATKIT_TWIN_HELLO or NATKIT_TWIN by its
	 * first bytes, and nothing is known of it but that. */
	void (*receive)(void *arg, const struct path *from, const uint8_t *data,
	    size_t len);
	/* An answer that is to leave from the twin's place (2: its P1, 3: its
	 * P2) to there. */
	void (*send)(void *arg, uint8_t place, const struct addr *to,
	    const uint8_t *data, size_t len);
	void *arg;
};

struct worker {
	struct loop *loop;
	struct sockets *sockets;
	struct responder responder;
	struct tally *tally;
	struct worker_twin twin;
	struct streams *streams;
	struct event *readable[SOCKETS];
	uint64_t lost[SOCKETS]; /* datagrams, as counted so far */
	uint64_t now_ms;	/* of the batch */
};

/* The sockets stay the caller's. Returns 0 or -errno. */
int worker_start(struct worker *w, struct loop *l, struct sockets *s,
    const struct responder_config *config, struct tally *tally);
/* Queues a datagram that leaves from the own place there (0 or 1 with a twin).
 * From inside of worker_twin.receive and send it is sent with its batch;
 * elsewhere worker_flush sends it. */
void worker_send(struct worker *w, uint8_t place, const struct addr *to,
    const uint8_t *data, size_t len);
void worker_flush(struct worker *w);
void worker_stop(struct worker *w);

#endif

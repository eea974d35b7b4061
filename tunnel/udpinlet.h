/* SPDX-License-Identifier: ISC */
/* A listening UDP port (of one or two addresses) whose sources become flows: each
 * is a stream to the peer for its life, and its datagrams are the stream's. */
#ifndef NATKIT_UDPINLET_H
#define NATKIT_UDPINLET_H

#include <stdint.h>

#include "joint.h"
#include "link.h"
#include "loop.h"
#include "opening.h"

#define UDPINLET_FLOWS 256 /* then the one that was idle longest goes */
#define UDPINLET_MAX 2048  /* bytes of a datagram; a longer one is dropped */
#define UDPINLET_WAIT_MS 10000 /* for the peer */

struct udpinlet;

struct udpinlet_config {
	struct loop *loop;
	struct link *link;
	const char *bind;	      /* as bindset.h has it */
	uint16_t port;		      /* 0: any */
	const struct opening *target; /* OPENING_UDP; copied */
	/* The peer has answered a flow with yes, or it has ended before that. May be
	 * NULL. Not to free the inlet from within. */
	void (*opened)(void *arg);
	void (*failed)(void *arg, const struct joint_result *res);
	void *arg;
};

struct udpinlet_status {
	uint32_t open; /* flows */
	uint64_t total, refused;
	uint64_t dropped; /* datagrams, between the port and the streams */
};

/* Returns 0 or -errno. */
int udpinlet_open(struct udpinlet **out, const struct udpinlet_config *c);
void udpinlet_free(struct udpinlet *u); /* with its flows; NULL does nothing */
uint16_t udpinlet_port(const struct udpinlet *u);
void udpinlet_status(const struct udpinlet *u, struct udpinlet_status *out);

#endif

/* SPDX-License-Identifier: ISC */
/* A server's UDP sockets: batches in (recvmmsg) and out (sendmmsg), nothing
 * allocated per packet, and an answer leaves from the address that was asked
 * (ip(7) IP_PKTINFO, RFC 3542 section 6.2). */
#ifndef NATKIT_LISTENER_H
#define NATKIT_LISTENER_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "path.h"

#define LISTENER_BATCH 64

struct listener;

struct listener_config {
	struct addr at; /* ADDR_V6 takes no 4-in-6 */
	uint8_t index;	/* what paths name the socket by */
	bool shared;	/* others may be bound to it, too: SO_REUSEPORT */
	/* Longest datagram, bytes. A longer one that comes in is cut to one
	 * byte more, a longer one to be sent is not. */
	size_t max;
};

/* Called per datagram; data is valid until it returns. */
typedef void listener_fn(
    void *arg, const struct path *from, const uint8_t *data, size_t len);

/* Returns 0, or -errno. */
int listener_open(struct listener **out, const struct listener_config *config);
void listener_free(struct listener *l);
int listener_fd(const struct listener *l);
const struct addr *listener_addr(const struct listener *l); /* as bound */

/* One batch. Returns how many there were; less than LISTENER_BATCH means that
 * no more wait. */
int listener_read(struct listener *l, listener_fn *fn, void *arg);
/* Queues a datagram; a full queue is sent first. Without to->local, or on a
 * socket that is bound to one address, that one is its source. */
void listener_send(
    struct listener *l, const struct path *to, const void *data, size_t len);
/* The same without a copy: a place for config.max bytes, to be filled and then
 * queued. It is valid until the next call of listener_space. */
uint8_t *listener_space(struct listener *l);
void listener_queue(struct listener *l, const struct path *to, size_t len);
void listener_flush(struct listener *l);
/* Datagrams that the system refused to send. */
uint64_t listener_lost(const struct listener *l);

#endif

/* SPDX-License-Identifier: ISC */
/* The server's UDP sockets: batches in (recvmmsg) and out (sendmmsg), nothing
 * allocated per packet, and an answer leaves from the address that was asked
 * (ip(7) IP_PKTINFO, RFC 3542 section 6.2). */
#ifndef NATKIT_LISTENER_H
#define NATKIT_LISTENER_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "registry.h"

#define LISTENER_BATCH 64

struct listener;

/* Called per datagram; data is valid until it returns. */
typedef void listener_fn(
    void *arg, const struct path *from, const uint8_t *data, size_t len);

/* A socket at an address (ADDR_V6 takes no 4-in-6); index is what paths name
 * it by. Returns 0, or -errno. */
int listener_open(
    struct listener **out, const struct addr *bind, uint8_t index);
void listener_free(struct listener *l);
int listener_fd(const struct listener *l);
const struct addr *listener_addr(const struct listener *l); /* as bound */

/* One batch. Returns how many there were; less than LISTENER_BATCH means that
 * no more wait. */
int listener_read(struct listener *l, listener_fn *fn, void *arg);
/* Queues a datagram; a full queue is sent first. */
void listener_send(
    struct listener *l, const struct path *to, const void *data, size_t len);
void listener_flush(struct listener *l);
/* Datagrams that the system refused to send. */
uint64_t listener_lost(const struct listener *l);

#endif

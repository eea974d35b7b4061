/* SPDX-License-Identifier: ISC */
/* A UDP socket made for forwarding: batches in (recvmmsg; with UDP_GRO a
 * message may be a train of datagrams of one length), batches out (sendmmsg;
 * runs to one destination as one UDP_SEGMENT train), nothing copied and nothing
 * allocated on the way. Where the kernel has no UDP_GRO or UDP_SEGMENT, plain
 * datagrams do the same. udp(7). */
#ifndef NATKIT_TRAIN_H
#define NATKIT_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "udp.h"

#define TRAIN_BATCH 32	 /* messages of one read */
#define TRAIN_QUEUE 1024 /* datagrams that wait for train_flush */

struct train;
struct trains; /* the buffers that all sockets of a program share */

struct train_config {
	struct addr at; /* port 0: any; ADDR_V6 takes no 4-in-6 */
	uint16_t index; /* the caller's number */
	int buffer;	/* bytes of SO_RCVBUF and SO_SNDBUF; 0: the system's */
	bool errors;	/* ICMP errors are kept (IP_RECVERR) for train_error */
	bool gso;	/* false: never use UDP_GRO and UDP_SEGMENT (-G) */
	/* Never in fragments, and never mind what ICMP says of the path: the
	 * caller finds the size (IP_PMTUDISC_PROBE). Too long ones are lost. */
	bool probe;
	bool info; /* train_info can tell */
};

int trains_new(struct trains **out);
void trains_free(struct trains *t);

int train_open(
    struct train **out, struct trains *shared, const struct train_config *c);
void train_free(struct train *t);
int train_fd(const struct train *t);
uint16_t train_index(const struct train *t);
const struct addr *train_addr(const struct train *t); /* as bound */

/* len bytes that are datagrams of seg bytes, the last perhaps shorter; seg ==
 * len for one alone. data is valid until trains_flush. */
typedef void train_fn(void *arg, struct train *t, const struct addr *from,
    const uint8_t *data, size_t len, size_t seg);

/* One recvmmsg. Returns the number of messages; TRAIN_BATCH: more may wait, now;
 * less: if more wait, the socket is readable (level-triggered). The buffers are
 * shared: other sockets may be read before trains_flush, so that what they
 * queue leaves together; when there is no room, everything is flushed first. */
int train_read(struct train *t, train_fn *fn, void *arg);
/* From within fn, with config.info: the local address (its port is not set) and
 * the TTL of what it was given. */
void train_info(const struct train *t, struct udp_info *out);
/* Queues one datagram, or a train of them (seg < len). head (NULL or head_len
 * bytes, at most 64, copied) goes before each datagram. data is not copied: it must
 * be valid until trains_flush (what train_read gave is). A full queue is
 * flushed first. Order per destination is kept. */
void train_queue(struct train *t, const struct addr *to, const void *head,
    size_t head_len, const uint8_t *data, size_t len, size_t seg);
/* The same for a small message that does not live on: copied. */
void train_answer(
    struct train *t, const struct addr *to, const void *data, size_t len);
/* Sends what is queued, at all sockets. */
void trains_flush(struct trains *shared);
/* Sends one datagram now, which must not be fragmented (df). 0 or -errno. */
int train_send_df(
    struct train *t, const struct addr *to, const uint8_t *data, size_t len);
/* One ICMP error from the queue: whom the datagram was for; type and code as
 * in ICMP of that family; data is 32 bits (the MTU). That the last one of
 * train_send_df was too long for our own link is told likewise. Returns 1, or 0
 * for no more. */
int train_error(struct train *t, struct addr *to, uint8_t *type, uint8_t *code,
    uint32_t *data);
/* Datagrams that the system refused to send; since the beginning. */
uint64_t trains_lost(const struct trains *shared);

#endif

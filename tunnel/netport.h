/* SPDX-License-Identifier: ISC */
/* nat-pipe's UDP port: one number, a socket for each family (lib/train.h), and
 * the port socket (lib/port.h) by which the pipeline punches it. What is STUN
 * goes to and comes from the port socket's clients; all else is handed to the
 * caller (RFC 9443: QUIC's first byte is 64 or more, STUN's below 4). */
#ifndef NATKIT_NETPORT_H
#define NATKIT_NETPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "addr.h"
#include "loop.h"

struct netport;

struct netport_config {
	struct loop *loop;
	uint16_t port;	  /* 0: any */
	const char *path; /* of the port socket; NULL: none */
	uid_t user;	  /* whose pipeline comes there; 0: our own */
	bool gso;	  /* false: no UDP_GRO, no UDP_SEGMENT (-G) */
	/* len bytes that are datagrams of seg bytes, the last perhaps shorter */
	void (*packet)(void *arg, const struct addr *from, const uint8_t *data,
	    size_t len, size_t seg);
	/* After a batch: time to act. netport_flush follows by itself. */
	void (*batch)(void *arg);
	void *arg;
};

/* Datagrams leave unfragmented (IP_PMTUDISC_PROBE: the sender finds the size).
 * Returns 0 or -errno. */
int netport_open(struct netport **out, const struct netport_config *config);
void netport_free(struct netport *p);
uint16_t netport_number(const struct netport *p);
/* data must stay until netport_flush. */
void netport_send(struct netport *p, const struct addr *to, const uint8_t *data,
    size_t len, size_t seg);
void netport_flush(struct netport *p);

#endif

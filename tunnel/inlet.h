/* SPDX-License-Identifier: ISC */
/* A listening TCP port (of one or two addresses) or Unix socket. */
#ifndef NATKIT_INLET_H
#define NATKIT_INLET_H

#include <stdint.h>

#include "loop.h"

struct inlet;

struct inlet_config {
	struct loop *loop;
	const char *bind; /* as bindset.h has it */
	uint16_t port;	  /* 0: any */
	const char *path; /* a Unix socket in place of that; or "" */
	/* A connection, the receiver's from now on. Must not free the inlet. */
	void (*came)(void *arg, int fd);
	void *arg;
};

/* A Unix socket gets mode 0600 and replaces a stale one; it is unlinked at the
 * end. When descriptors run out, connections wait in line until there are
 * some. Returns 0 or -errno: -EADDRINUSE, -EACCES, ... */
int inlet_open(struct inlet **out, const struct inlet_config *c);
void inlet_free(struct inlet *in);	     /* NULL does nothing */
uint16_t inlet_port(const struct inlet *in); /* 0: a Unix socket */

/* What both ends of a TCP connection get that is carried over a link: small
 * pieces leave at once, and a peer that has vanished is noticed. */
void inlet_tune(int fd);

#endif

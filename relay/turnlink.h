/* SPDX-License-Identifier: ISC */
/* The way to a TURN server: a UDP socket, or a TCP or TLS connection, of its
 * own for each attempt (an allocation belongs to the 5-tuple). */
#ifndef NATKIT_TURNLINK_H
#define NATKIT_TURNLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "conn.h"
#include "loop.h"

enum turnlink_transport {
	TURNLINK_UDP,
	TURNLINK_TCP,
	TURNLINK_TLS,
};

struct turnlink_config {
	enum turnlink_transport transport;
	struct conn_tls *tls;	 /* with TURNLINK_TLS */
	const char *server_name; /* of the certificate */
	uint32_t wait_ms;	 /* for the connection */
	/* A whole message. False: the link is free now. */
	bool (*message)(void *arg, const uint8_t *data, size_t len);
	void (*ready)(void *arg);
	/* It has ended. */
	void (*closed)(void *arg, const char *why);
	/* UDP: the server's host says that nobody listens, perhaps. May free
	 * the link, as closed may. */
	void (*doubt)(void *arg);
	void *arg;
};

struct turnlink;

const char *turnlink_name(enum turnlink_transport t); /* "udp", ... */

/* Returns 0, or -errno: then nothing is called. ready is called later, never
 * from within. */
int turnlink_open(struct turnlink **out, struct loop *l, const struct addr *to,
    const struct turnlink_config *config);
void turnlink_free(struct turnlink *k);
/* data: a datagram of the daemon, which may be lost (and is, when the
 * connection is slow). Returns 0 or -errno. Never calls back. */
int turnlink_send(
    struct turnlink *k, const uint8_t *msg, size_t len, bool data);
uint64_t turnlink_dropped(const struct turnlink *k); /* datagrams */

#endif

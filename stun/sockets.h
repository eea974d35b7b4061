/* SPDX-License-Identifier: ISC */
/* The sockets of one nat-stund process: UDP and TCP at each place that the
 * server has. */
#ifndef NATKIT_SOCKETS_H
#define NATKIT_SOCKETS_H

#include <stdbool.h>

#include "listener.h"
#include "responder.h"

#define SOCKETS (2 * RESPONDER_PLACES) /* by family and place */

struct sockets {
	struct listener *udp[SOCKETS]; /* NULL: no such place */
	int tcp[SOCKETS];	       /* -1: the same */
};

/* A socket's number, and back. */
static inline uint8_t
sockets_index(int family, uint8_t place)
{
	return (uint8_t)((family == ADDR_V6 ? RESPONDER_PLACES : 0) + place);
}
static inline uint8_t
sockets_place(uint8_t index)
{
	return index % RESPONDER_PLACES;
}

/* Opens a socket at every own place of the config. Ports that are 0 there get
 * a number: one for P1, one for P2, the same at every place. shared: with
 * SO_REUSEPORT. Returns 0, or -errno, and then *failed is the address. */
int sockets_open(struct sockets *s, struct responder_config *config,
    bool shared, struct addr *failed);
void sockets_close(struct sockets *s);
/* Lets the n processes whose sockets were opened in this order share the work
 * by source address (by /48 in IPv6): each of them knows the rate of its own,
 * and how many connections. What STUN methods NATKIT_TWIN_HELLO and NATKIT_TWIN carry goes to the first.
 * s is any of them. Returns 0 or -errno. */
int sockets_steer(const struct sockets *s, unsigned int n);

#endif

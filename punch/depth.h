/* SPDX-License-Identifier: ISC */
/* How many NATs stand before this host? A low-TTL check has to pass all of
 * ours and none of the peer's. With a guess too low, a second NAT stays shut;
 * too high, and the packet may reach the peer's NAT first, which is the very
 * clash that low TTL avoids. So we look: datagrams with TTL 1 to 3 make the
 * first three hops tell their addresses (ICMP time exceeded, RFC 792), and a
 * NAT is where private addresses end. */
#ifndef NATKIT_DEPTH_H
#define NATKIT_DEPTH_H

#include <stddef.h>

#include "addr.h"

#define DEPTH_HOPS 3

/* hop[k] answered at TTL k + 1, or is ADDR_NONE. Returns the number of NATs,
 * at least 1; 0 when the hops don't tell. */
unsigned depth_of(const struct addr hop[DEPTH_HOPS]);

/* The looking. An unprivileged socket; returns it or -errno. */
int depth_open(void);
/* Asks the hops on the way to an address. A lost datagram is a hop that does
 * not answer. */
void depth_ask(int fd, const struct addr *to);
/* One answer: the index of the hop, -EAGAIN when there is none (now), -ENOMSG
 * for one to be ignored. */
int depth_read(int fd, struct addr *hop);

#endif

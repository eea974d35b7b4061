/* SPDX-License-Identifier: ISC */
/* Datagram sockets that tell and take, per packet, the local address and the
 * TTL (RFC 3542 for IPv6, ip(7) for IPv4). UDP and raw sockets alike. */
#ifndef NATKIT_UDP_H
#define NATKIT_UDP_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "addr.h"

/* A non-blocking, close-on-exec UDP socket of the family (ADDR_V4, or ADDR_V6
 * without 4-in-6) on a port of every address; 0 is any port. mark 0 sets none.
 * Returns the descriptor or -errno. */
int udp_bind(int family, uint16_t port, uint32_t mark);
/* Asks for the local address and the TTL of what is received. -errno or 0. */
int udp_want_info(int fd, int family);
/* The port that a socket is bound to, or -errno. */
int udp_port(int fd);

/* Where a datagram came from and to. */
struct udp_info {
	struct addr remote;
	struct addr local;  /* port is not set */
	unsigned interface; /* its index; 0 when unknown */
	int ttl;	    /* 0 when unknown */
};

/* ttl 0 is the system's default; local NULL or ADDR_NONE lets routing pick.
 * Returns 0 or -errno. */
int udp_send(int fd, const struct addr *remote, const struct addr *local,
    int ttl, const struct iovec *iov, size_t n);
/* Returns the length (0 is an empty datagram), -EAGAIN when there is none,
 * -EMSGSIZE for one that was longer than cap (it is gone), or -errno. */
int udp_recv(int fd, void *buf, size_t cap, struct udp_info *info);
/* What the control messages of a received message tell: local, interface, ttl;
 * the rest of *info stays as it is. */
#define UDP_INFO_SPACE                                                         \
	(CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)))
void udp_read_info(struct msghdr *mh, struct udp_info *info);

#endif

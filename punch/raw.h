/* SPDX-License-Identifier: ISC */
/* A lent UDP port: raw sockets beside the daemon that owns it, or with
 * RAW_OWN UDP sockets of our own. Both families, where the host has them. */
#ifndef NATKIT_RAW_H
#define NATKIT_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "udp.h"

/* The longest datagram that is taken, in bytes of payload. */
#define RAW_MAX_PAYLOAD 2048
/* An IPv4 header with options, and the UDP header. */
#define RAW_BUF_LEN (60 + 8 + RAW_MAX_PAYLOAD)

/* Interfaces that may be left out. */
#define RAW_WITHOUT 32

struct raw {
	bool own;	  /* fd are UDP sockets, not raw ones */
	int fd[2];	  /* IPv4 and IPv6; -1 where there is none */
	int source_fd[2]; /* ask the routing for a source address */
	uint16_t port;
	uint32_t mark;
	unsigned without[RAW_WITHOUT]; /* interfaces, whose STUN is skipped */
};

/* Opens what the host has. own: port 0 takes any (and sets r->port).
 * On failure *what says which step failed. Returns 0 or -errno. */
int raw_open(
    struct raw *r, bool own, uint16_t port, uint32_t mark, const char **what);
void raw_close(struct raw *r);

/* Attaches the filter of a port; lock: for good. Returns 0 or -errno. */
int raw_filter(struct raw *r, int family, uint16_t port, bool lock);

/* Runs the self-test (probe.h) of each family; one that has no loopback
 * address is closed. Then attaches the filter of the lent port, for good, and
 * throws away what came before. Returns 0; -errno and what failed. */
int raw_start(struct raw *r, const char **what);

/* Nothing is taken from this interface any more: a tunnel that the daemon itself
 * makes is no way to its peers. Returns 0 or -ENOSPC. */
int raw_leave_out(struct raw *r, unsigned interface);

bool raw_has_family(const struct raw *r, int family);

/* local may be ADDR_NONE: routing (with the mark) picks. ttl 0 is the
 * system's default. Returns 0 or -errno. */
int raw_send(struct raw *r, const struct addr *remote, const struct addr *local,
    int ttl, const void *payload, size_t len);
/* family is 4 or 6. Sets *payload (into buf), info with both ports, and
 * returns its length; -EAGAIN when there is none; -EBADMSG for one to skip. */
int raw_recv(struct raw *r, int family, uint8_t buf[RAW_BUF_LEN],
    const uint8_t **payload, struct udp_info *info);

#endif

/* SPDX-License-Identifier: ISC */
/* The socket filter that picks STUN datagrams for one UDP port. */
#ifndef NATKIT_FILTER_H
#define NATKIT_FILTER_H

#include <pcap/pcap.h>
#include <stdint.h>

/* Where a packet starts as the socket sees it. */
enum filter_layer {
	FILTER_IP,  /* the IPv4 header: raw sockets of IPv4 */
	FILTER_UDP, /* the UDP header: raw sockets of IPv6, and UDP sockets */
};

/* Compiles the filter for datagrams to port that are STUN: the first two bits,
 * the length, the cookie (RFC 8489 section 5; FINGERPRINT is not asked for,
 * as public servers send none). Free it with pcap_freecode. Returns 0, or
 * -EINVAL when libpcap refuses. */
int filter_compile(
    struct bpf_program *out, enum filter_layer layer, uint16_t port);
/* Attaches it, and when lock for good (SO_LOCK_FILTER). What was queued
 * before must be thrown away by the caller. Returns 0 or -errno. */
int filter_attach(int fd, enum filter_layer layer, uint16_t port, int lock);

#endif

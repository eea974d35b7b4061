/* SPDX-License-Identifier: ISC */
/* A captured packet taken apart: link layer, IPv4 (RFC 791) or IPv6 (RFC
 * 8200), UDP, TCP, ICMP. All reads are bounds-checked; a packet that was cut
 * off gives what is there. */
#ifndef NATKIT_PACKET_H
#define NATKIT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define PACKET_ICMP 1
#define PACKET_TCP 6
#define PACKET_UDP 17
#define PACKET_ICMP6 58

#define PACKET_MAC_LEN 6

struct packet {
	uint8_t protocol; /* PACKET_..., or another number of IANA's */
	uint8_t ttl;
	uint32_t ip_id;	  /* IPv4: 16 bits; 0 for IPv6 without a fragment */
	bool fragment;	  /* not the first: no ports */
	bool part;	  /* a fragment, the first included */
	uint16_t whole;	  /* its length, if it may not be cut; else 0 */
	struct addr from; /* the port is an ICMP echo's identifier in both */
	struct addr to;
	uint8_t icmp_type, icmp_code;
	uint8_t tcp_flags;
	bool error; /* an ICMP error: the two below are of the packet in it */
	struct addr about_from, about_to;
	bool has_direction; /* the file tells: leaving, or coming */
	bool leaving;
	bool has_mac;
	uint8_t mac_from[PACKET_MAC_LEN], mac_to[PACKET_MAC_LEN];
	const uint8_t *payload; /* of UDP and TCP; points into the data given */
	size_t payload_len;	/* what was captured of it */
	/* The same at every place that a datagram passes, whatever its
	 * addresses become: over the payload and what no NAT changes. */
	uint64_t hash;
};

/* linktype as in pcap files: 1 Ethernet, 101 and 12 raw IP, 276 Linux cooked
 * v2. Returns 0, -EBADMSG (too short, malformed), -EPROTONOSUPPORT (ARP and
 * whatever else isn't IP, or a link type that isn't known). */
int packet_decode(
    struct packet *out, int linktype, const uint8_t *data, size_t len);
/* From the IP header on. */
int packet_decode_ip(struct packet *out, const uint8_t *data, size_t len);
/* "udp", "tcp", "icmp", or the number, in a static buffer for the latter. */
const char *packet_protocol(uint8_t protocol, char buf[8]);
/* Between hosts: no multicast, no link-local address, not the kernel's own
 * neighbour discovery. */
bool packet_is_unicast(const struct packet *p);

#endif

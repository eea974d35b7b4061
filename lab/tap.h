/* SPDX-License-Identifier: ISC */
/* A capture of one interface of one box into a file of its own: nanoseconds,
 * nothing held back, and each packet with its direction, which only the kernel
 * knows (Linux cooked v2, as tcpdump -i any writes it). */
#ifndef NATKIT_TAP_H
#define NATKIT_TAP_H

#include <net/if.h>
#include <pcap/pcap.h>
#include <stdint.h>

#include "netns.h"
#include "packet.h"

#define TAP_ADDRS 16

struct tap {
	char box[NETNS_NAME];
	char interface[IF_NAMESIZE];
	uint8_t mac[PACKET_MAC_LEN];
	bool has_mac;
	struct addr addr[TAP_ADDRS];
	size_t naddr;
	struct tap_side {
		pcap_t *pcap;
		int fd; /* readable when there are packets */
		struct pcap_pkthdr *header; /* of the next packet */
		const u_char *data;	    /* NULL: none is there */
	} side[2];			    /* coming, leaving */
	uint32_t ifindex;
	pcap_t *cooked; /* what the file says that it holds */
	pcap_dumper_t *file;
};

/* The interfaces of the namespace that we are in, those that are up. Returns
 * how many, or -errno. */
int tap_list(struct tap *list, size_t cap, const char *box);
/* Opens one of that list and dir/BOX.INTERFACE.pcap. Returns 0, or -errno and
 * why in *what. */
int tap_open(struct tap *t, int dir, const char **what);
/* Writes what was captured by now. Returns how many packets. */
int tap_read(struct tap *t);
/* Flushes and closes; returns how many packets the kernel had to drop. */
uint32_t tap_close(struct tap *t);

#endif

/* SPDX-License-Identifier: ISC */
/* Linux hands a packet socket frames that no wire ever carries: up to 64 KiB,
 * which a network card would have cut (TSO, UDP_SEGMENT). This cuts them, so
 * that what gets lost, delayed and counted on our wire is a real packet. */
#ifndef NATKIT_SEGMENT_H
#define NATKIT_SEGMENT_H

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>

struct segment {
	const uint8_t *frame;
	size_t len;
	size_t l3, l4, header; /* where the headers begin, and the payload */
	size_t size;	       /* payload of all but the last */
	size_t at;	       /* payload that has been handed out */
	uint32_t index;
	uint8_t protocol;
	struct virtio_net_hdr offload; /* of each segment */
};

/* The frame must stay until the last segment. v comes from PACKET_VNET_HDR
 * and has gso_type other than VIRTIO_NET_HDR_GSO_NONE. Returns 0, -EBADMSG
 * when the headers are none, -EPROTONOSUPPORT for what is neither TCP nor UDP
 * over IPv4 or IPv6. */
int segment_begin(struct segment *s, const uint8_t *frame, size_t len,
    const struct virtio_net_hdr *v);
/* The length of the next one, 0 when there is none. */
size_t segment_len(const struct segment *s);
/* Writes the next, segment_len bytes; NULL leaves it out. The checksum is
 * left to the kernel, as s->offload says. */
void segment_next(struct segment *s, uint8_t *out);

#endif

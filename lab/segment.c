/* SPDX-License-Identifier: ISC */
/* Segmentation as a network card does it: TCP (RFC 9293) and UDP (RFC 768)
 * over IPv4 (RFC 791) and IPv6 (RFC 8200), behind VLAN tags or not. */
#include "segment.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "cursor.h"

#define ETHER_TYPE 12
#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100
#define TYPE_SERVICE_VLAN 0x88a8
#define IPV4_MIN 20
#define IPV6_LEN 40
#define TCP_MIN 20
#define UDP_LEN 8
#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80

/* Linux 6.2; older headers lack it */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum {
	TCP = 6,
	UDP = 17
};

static uint16_t
get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* One's complement sum (RFC 1071), not folded. */
static uint32_t
sum(uint32_t s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		s += get_u16(p + i);
	return s;
}

static uint16_t
fold(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)(s + (s >> 16));
}

static bool
is_v4(const struct segment *s)
{
	return s->frame[s->l3] >> 4 == 4;
}

/* The network header: sets l3. */
static int
find_network(struct segment *s)
{
	struct cursor c;
	uint16_t type;

	cursor_init(&c, s->frame, s->len);
	cursor_bytes(&c, ETHER_TYPE);
	type = cursor_u16(&c);
	while (type == TYPE_VLAN || type == TYPE_SERVICE_VLAN) {
		cursor_u16(&c);
		type = cursor_u16(&c);
	}
	s->l3 = s->len - cursor_left(&c);
	if (c.bad)
		return -EBADMSG;
	if (type == TYPE_IPV4 && cursor_left(&c) >= IPV4_MIN && is_v4(s))
		return 0;
	if (type == TYPE_IPV6 && cursor_left(&c) >= IPV6_LEN && !is_v4(s))
		return 0;
	return -EPROTONOSUPPORT;
}

/* The transport header is where the kernel wants its checksum begun: sets l4
 * and header. IPv6 may have extension headers in front of it. */
static int
find_transport(struct segment *s, const struct virtio_net_hdr *v)
{
	const uint8_t *ip = s->frame + s->l3;
	size_t least = s->protocol == TCP ? TCP_MIN : UDP_LEN;

	s->l4 = v->csum_start;
	if (s->l4 > s->len || s->len - s->l4 < least)
		return -EBADMSG;
	if (is_v4(s)) {
		if ((ip[0] & 0xf) < 5 ||
		    s->l4 != s->l3 + (size_t)(ip[0] & 0xf) * 4)
			return -EBADMSG;
		if (ip[9] != s->protocol)
			return -EPROTONOSUPPORT;
	} else if (s->l4 < s->l3 + IPV6_LEN)
		return -EBADMSG;
	s->header = s->l4 + least;
	if (s->protocol == TCP)
		s->header = s->l4 + (size_t)(s->frame[s->l4 + 12] >> 4) * 4;
	if (s->header < s->l4 + least || s->header > s->len)
		return -EBADMSG;
	return 0;
}

static int
begin(struct segment *s, const struct virtio_net_hdr *v)
{
	int type = v->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
	int rc;

	if (type == VIRTIO_NET_HDR_GSO_TCPV4 ||
	    type == VIRTIO_NET_HDR_GSO_TCPV6)
		s->protocol = TCP;
	else if (type == VIRTIO_NET_HDR_GSO_UDP_L4)
		s->protocol = UDP;
	else
		return -EPROTONOSUPPORT;
	if ((v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 || v->gso_size == 0)
		return -EBADMSG;
	rc = find_network(s);
	return rc == 0 ? find_transport(s, v) : rc;
}

int
segment_begin(struct segment *s, const uint8_t *frame, size_t len,
    const struct virtio_net_hdr *v)
{
	int rc;

	*s = (struct segment){.frame = frame, .len = len, .size = v->gso_size};
	rc = begin(s, v);
	if (rc != 0) {
		s->len = s->header = 0; /* nothing to hand out */
		return rc;
	}
	s->offload = (struct virtio_net_hdr){
	    .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .csum_start = (uint16_t)s->l4,
	    .csum_offset = s->protocol == TCP ? 16 : 6,
	};
	return 0;
}

size_t
segment_len(const struct segment *s)
{
	size_t left = s->len - s->header - s->at;

	if (left == 0)
		return 0;
	return s->header + (left < s->size ? left : s->size);
}

static void
write_v4(const struct segment *s, uint8_t *ip, size_t len)
{
	uint16_t id = (uint16_t)(get_u16(ip + 4) + s->index);

	put_u16(ip + 2, (uint16_t)len);
	put_u16(ip + 4, id);
	put_u16(ip + 10, 0);
	put_u16(ip + 10, (uint16_t)~fold(sum(0, ip, s->l4 - s->l3)));
}

/* What the kernel adds the data's sum to: that of the pseudo-header. */
static uint16_t
pseudo(const struct segment *s, const uint8_t *ip, size_t len)
{
	uint32_t v = s->protocol + (uint32_t)len;

	return fold(is_v4(s) ? sum(v, ip + 12, 8) : sum(v, ip + 8, 32));
}

static void
write_tcp(const struct segment *s, uint8_t *tcp, bool last)
{
	const uint8_t *whole = s->frame + s->l4;

	put_u32(
	    tcp + 4, ((uint32_t)get_u16(whole + 4) << 16 | get_u16(whole + 6)) +
			 (uint32_t)s->at);
	if (!last)
		tcp[13] &= (uint8_t)~TCP_FIN_PSH;
	if (s->index > 0)
		tcp[13] &= (uint8_t)~TCP_CWR;
}

void
segment_next(struct segment *s, uint8_t *out)
{
	size_t len = segment_len(s), payload = len - s->header;
	bool last = s->at + payload == s->len - s->header;

	if (out != NULL) {
		uint8_t *ip = out + s->l3, *l4 = out + s->l4;

		memcpy(out, s->frame, s->header);
		memcpy(out + s->header, s->frame + s->header + s->at, payload);
		if (is_v4(s))
			write_v4(s, ip, len - s->l3);
		else
			put_u16(ip + 4, (uint16_t)(len - s->l3 - IPV6_LEN));
		if (s->protocol == TCP)
			write_tcp(s, l4, last);
		else
			put_u16(l4 + 4, (uint16_t)(len - s->l4));
		put_u16(
		    l4 + s->offload.csum_offset, pseudo(s, ip, len - s->l4));
	}
	s->at += payload;
	s->index++;
}

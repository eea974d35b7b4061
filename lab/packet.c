/* SPDX-License-Identifier: ISC */
/* A captured packet taken apart: link layer, IPv4 (RFC 791) or IPv6 (RFC
 * 8200), UDP, TCP, ICMP. */
#include "packet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cursor.h"

#define LINK_ETHERNET 1
#define LINK_RAW_BSD 12
#define LINK_RAW 101
#define LINK_SLL2 276

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100

#define V6_EXTENSIONS 8 /* more headers than this nobody sends */

static void
hash_bytes(struct packet *p, const void *data, size_t len)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < len; i++) /* FNV-1a */
		p->hash = (p->hash ^ b[i]) * 0x100000001b3;
}

static void
hash_number(struct packet *p, uint32_t v)
{
	uint8_t b[4];

	put_u32(b, v);
	hash_bytes(p, b, sizeof(b));
}

static void
read_ip(struct cursor *c, struct addr *out, uint8_t family)
{
	size_t len = family == ADDR_V4 ? 4 : 16;
	const uint8_t *b = cursor_bytes(c, len);

	memset(out, 0, sizeof(*out));
	out->family = family;
	if (b != NULL)
		memcpy(out->ip, b, len);
}

static int
read_udp(struct packet *p, struct cursor *c)
{
	uint16_t len;

	p->from.port = cursor_u16(c);
	p->to.port = cursor_u16(c);
	len = cursor_u16(c);
	cursor_u16(c); /* the checksum: a NAT changes it, offload spoils it */
	if (c->bad || len < 8)
		return -EBADMSG;
	p->payload_len = cursor_left(c);
	if (p->payload_len > len - 8u)
		p->payload_len = len - 8u;
	p->payload = cursor_bytes(c, p->payload_len);
	hash_number(p, len);
	hash_bytes(p, p->payload, p->payload_len);
	return 0;
}

static int
read_tcp(struct packet *p, struct cursor *c)
{
	uint32_t seq, ack;
	uint8_t words;

	p->from.port = cursor_u16(c);
	p->to.port = cursor_u16(c);
	seq = cursor_u32(c);
	ack = cursor_u32(c);
	words = cursor_u8(c) >> 4;
	p->tcp_flags = cursor_u8(c);
	cursor_bytes(c, 6); /* window, checksum, urgent */
	if (c->bad || words < 5)
		return -EBADMSG;
	cursor_bytes(c, (size_t)(words - 5) * 4);
	hash_number(p, seq);
	hash_number(p, ack);
	hash_number(p, p->tcp_flags);
	if (c->bad)
		return 0; /* cut off in the options */
	p->payload_len = cursor_left(c);
	p->payload = cursor_bytes(c, p->payload_len);
	hash_bytes(p, p->payload, p->payload_len);
	return 0;
}

static bool
is_icmp_error(const struct packet *p)
{
	if (p->protocol == PACKET_ICMP6)
		return p->icmp_type >= 1 && p->icmp_type <= 4;
	return p->icmp_type == 3 || p->icmp_type == 11 || p->icmp_type == 12;
}

static bool
is_icmp_echo(const struct packet *p)
{
	if (p->protocol == PACKET_ICMP6)
		return p->icmp_type == 128 || p->icmp_type == 129;
	return p->icmp_type == 0 || p->icmp_type == 8;
}

/* The start of the packet that an error is about: a NAT translates it, too. */
static void
read_about(struct packet *p, struct cursor *c)
{
	uint8_t first = cursor_u8(c), protocol;

	p->error = true;
	if (first >> 4 == 4) {
		cursor_bytes(c, 3);
		hash_number(p, cursor_u16(c)); /* its id: no NAT changes it */
		cursor_bytes(c, 3);
		protocol = cursor_u8(c);
		cursor_u16(c);
		read_ip(c, &p->about_from, ADDR_V4);
		read_ip(c, &p->about_to, ADDR_V4);
		cursor_bytes(c, (size_t)(first & 0xf) * 4 - 20);
	} else {
		cursor_bytes(c, 5);
		protocol = cursor_u8(c);
		cursor_u8(c);
		read_ip(c, &p->about_from, ADDR_V6);
		read_ip(c, &p->about_to, ADDR_V6);
	}
	hash_number(p, protocol);
	if (protocol == PACKET_UDP || protocol == PACKET_TCP) {
		p->about_from.port = cursor_u16(c);
		p->about_to.port = cursor_u16(c);
		hash_number(p, cursor_u16(c)); /* length, or half a sequence */
	}
	if (c->bad)
		p->about_from.family = p->about_to.family = ADDR_NONE;
}

static int
read_icmp(struct packet *p, struct cursor *c)
{
	uint16_t id, seq;

	p->icmp_type = cursor_u8(c);
	p->icmp_code = cursor_u8(c);
	cursor_u16(c); /* checksum */
	id = cursor_u16(c);
	seq = cursor_u16(c);
	if (c->bad)
		return -EBADMSG;
	hash_number(p, (uint32_t)p->icmp_type << 8 | p->icmp_code);
	if (is_icmp_echo(p)) {
		p->from.port = p->to.port = id;
		hash_number(p, seq);
	} else if (is_icmp_error(p)) {
		read_about(p, c);
	}
	return 0;
}

static int
read_transport(struct packet *p, struct cursor *c)
{
	hash_number(p, p->protocol);
	hash_number(p, p->ip_id);
	if (p->fragment) {
		p->payload_len = cursor_left(c);
		p->payload = cursor_bytes(c, p->payload_len);
		hash_bytes(p, p->payload, p->payload_len);
		return 0;
	}
	switch (p->protocol) {
	case PACKET_UDP:
		return read_udp(p, c);
	case PACKET_TCP:
		return read_tcp(p, c);
	case PACKET_ICMP:
	case PACKET_ICMP6:
		return read_icmp(p, c);
	default:
		return 0;
	}
}

/* Ethernet pads short frames: what the header counts is the packet. */
static void
cut(struct cursor *c, size_t len)
{
	if (cursor_left(c) > len)
		c->end = c->p + len;
}

static int
read_v4(struct packet *p, struct cursor *c)
{
	struct cursor whole = *c;
	uint8_t first = cursor_u8(c);
	size_t header = (size_t)(first & 0xf) * 4;
	uint16_t total, fragment;

	cursor_u8(c);
	total = cursor_u16(c);
	if (header < 20 || total < header)
		return -EBADMSG;
	cut(&whole, total);
	p->ip_id = cursor_u16(c);
	fragment = cursor_u16(c);
	p->ttl = cursor_u8(c);
	p->protocol = cursor_u8(c);
	cursor_u16(c);
	read_ip(c, &p->from, ADDR_V4);
	read_ip(c, &p->to, ADDR_V4);
	if (c->bad || cursor_bytes(&whole, header) == NULL)
		return -EBADMSG;
	p->fragment = (fragment & 0x1fff) != 0;
	p->whole = (fragment & 0x4000) != 0 ? total : 0;
	p->part = (fragment & 0x3fff) != 0;
	if (p->fragment)
		hash_number(p, fragment & 0x1fff);
	return read_transport(p, &whole);
}

/* Steps over extension headers (RFC 8200 section 4). */
static int
read_v6(struct packet *p, struct cursor *c)
{
	uint16_t len;
	uint8_t next;

	cursor_u32(c);
	len = cursor_u16(c);
	next = cursor_u8(c);
	p->ttl = cursor_u8(c);
	read_ip(c, &p->from, ADDR_V6);
	read_ip(c, &p->to, ADDR_V6);
	if (c->bad)
		return -EBADMSG;
	cut(c, len);
	p->whole = len < UINT16_MAX - 40 ? (uint16_t)(len + 40) : 0;
	for (int i = 0; i < V6_EXTENSIONS; i++) {
		if (next == 44) {
			next = cursor_u8(c);
			cursor_u8(c);
			p->fragment = (cursor_u16(c) & 0xfff8) != 0;
			p->part = true;
			p->ip_id = cursor_u32(c);
		} else if (next == 0 || next == 43 || next == 60) {
			next = cursor_u8(c);
			cursor_bytes(c, (size_t)cursor_u8(c) * 8 + 6);
		} else {
			break;
		}
	}
	if (c->bad)
		return -EBADMSG;
	p->protocol = next;
	return read_transport(p, c);
}

static int
read_packet(struct packet *out, struct cursor *c)
{
	int err;

	if (cursor_left(c) == 0)
		return -EBADMSG;
	out->hash = 0xcbf29ce484222325;
	switch (*c->p >> 4) {
	case 4:
		err = read_v4(out, c);
		break;
	case 6:
		err = read_v6(out, c);
		break;
	default:
		err = -EBADMSG;
	}
	return err;
}

int
packet_decode_ip(struct packet *out, const uint8_t *data, size_t len)
{
	struct packet p = {0};
	struct cursor c;
	int err;

	cursor_init(&c, data, len);
	err = read_packet(&p, &c);
	if (err == 0)
		*out = p;
	return err;
}

static uint16_t
read_ethernet(struct packet *p, struct cursor *c)
{
	const uint8_t *to = cursor_bytes(c, PACKET_MAC_LEN);
	const uint8_t *from = cursor_bytes(c, PACKET_MAC_LEN);
	uint16_t type = cursor_u16(c);

	if (type == TYPE_VLAN) {
		cursor_u16(c);
		type = cursor_u16(c);
	}
	if (c->bad)
		return 0;
	memcpy(p->mac_to, to, PACKET_MAC_LEN);
	memcpy(p->mac_from, from, PACKET_MAC_LEN);
	p->has_mac = true;
	return type;
}

static uint16_t
read_cooked(struct packet *p, struct cursor *c)
{
	uint16_t type = cursor_u16(c);

	cursor_bytes(c, 8);
	p->leaving = cursor_u8(c) == 4;
	p->has_direction = true;
	cursor_bytes(c, 9);
	return type;
}

int
packet_decode(struct packet *out, int linktype, const uint8_t *data, size_t len)
{
	struct packet p = {0};
	struct cursor c;
	uint16_t type = TYPE_IPV4;
	int err;

	cursor_init(&c, data, len);
	switch (linktype) {
	case LINK_ETHERNET:
		type = read_ethernet(&p, &c);
		break;
	case LINK_SLL2:
		type = read_cooked(&p, &c);
		break;
	case LINK_RAW:
	case LINK_RAW_BSD:
		break;
	default:
		return -EPROTONOSUPPORT;
	}
	if (c.bad)
		return -EBADMSG;
	if (type != TYPE_IPV4 && type != TYPE_IPV6)
		return -EPROTONOSUPPORT;
	err = read_packet(&p, &c);
	if (err == 0)
		*out = p;
	return err;
}

const char *
packet_protocol(uint8_t protocol, char buf[8])
{
	switch (protocol) {
	case PACKET_UDP:
		return "udp";
	case PACKET_TCP:
		return "tcp";
	case PACKET_ICMP:
	case PACKET_ICMP6:
		return "icmp";
	default:
		snprintf(buf, 8, "%u", protocol);
		return buf;
	}
}

bool
packet_is_unicast(const struct packet *p)
{
	if (p->protocol == PACKET_ICMP6 && p->icmp_type >= 130 &&
	    p->icmp_type <= 143)
		return false; /* multicast listeners, neighbour discovery */
	return !addr_is_multicast(&p->to) && !addr_is_link_local(&p->to) &&
	       !addr_is_link_local(&p->from) && !addr_is_any(&p->to) &&
	       !addr_is_any(&p->from);
}

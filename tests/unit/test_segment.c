/* SPDX-License-Identifier: ISC */
/* Cutting what the kernel hands over uncut: every segment is a packet that the
 * RFCs would have let through, and together they are the whole. */
#include "segment.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cursor.h"

#define PAYLOAD 3500
#define SIZE 1400

static uint8_t frame[4000];
static struct virtio_net_hdr hdr;

static size_t
network(bool v6, int protocol, size_t l3)
{
	uint8_t *ip = frame + l3;

	put_u16(ip - 2, v6 ? 0x86dd : 0x0800);
	if (v6) {
		ip[0] = 0x60;
		ip[6] = (uint8_t)protocol;
		memset(ip + 8, 0x20, 32);
		return l3 + 40;
	}
	ip[0] = 0x45;
	put_u16(ip + 4, 0xffff);
	ip[8] = 64;
	ip[9] = (uint8_t)protocol;
	memset(ip + 12, 10, 8);
	return l3 + 20;
}

/* A frame to be cut; returns its length. */
static size_t
build(bool v6, bool vlan, bool tcp)
{
	size_t l3 = vlan ? 18 : 14, l4, header;

	memset(frame, 0, sizeof(frame));
	if (vlan)
		put_u16(frame + 12, 0x8100);
	l4 = network(v6, tcp ? 6 : 17, l3);
	header = l4 + (tcp ? 32 : 8);
	if (tcp) {
		put_u32(frame + l4 + 4, 0xfffffff0);
		frame[l4 + 12] = 8 << 4;
		frame[l4 + 13] = 0x80 | 0x10 | 0x08 | 0x01;
	}
	for (size_t i = 0; i < PAYLOAD; i++)
		frame[header + i] = (uint8_t)(i * 7 + i / 256);
	hdr = (struct virtio_net_hdr){
	    .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .gso_type = !tcp ? 5
			: v6 ? VIRTIO_NET_HDR_GSO_TCPV6
			     : VIRTIO_NET_HDR_GSO_TCPV4,
	    .gso_size = SIZE,
	    .csum_start = (uint16_t)l4,
	};
	return header + PAYLOAD;
}

/* RFC 1071 over a region, from a start value; 0xffff when it is right. */
static uint16_t
checksum(uint32_t s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static uint16_t
u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* What the kernel does with an open checksum, then what a receiver does. */
static void
checksum_is_right(uint8_t *out, size_t len, const struct segment *s, bool v6)
{
	uint8_t *ip = out + s->l3, *l4 = out + s->l4;
	uint16_t v = (uint16_t)~checksum(0, l4, len - s->l4);
	uint32_t pseudo = s->protocol + (uint32_t)(len - s->l4);

	put_u16(l4 + s->offload.csum_offset, v);
	pseudo += v6 ? checksum(0, ip + 8, 32) : checksum(0, ip + 12, 8);
	assert_int_equal(checksum(pseudo, l4, len - s->l4), 0xffff);
}

static void
cut(bool v6, bool vlan, bool tcp)
{
	size_t len = build(v6, vlan, tcp), at = 0, n;
	struct segment s;
	uint8_t out[2000];

	assert_int_equal(segment_begin(&s, frame, len, &hdr), 0);
	assert_int_equal(s.l3, vlan ? 18 : 14);
	for (unsigned i = 0; (n = segment_len(&s)) > 0; i++) {
		const uint8_t *ip = out + s.l3, *l4 = out + s.l4;
		size_t payload = n - s.header;

		assert_int_equal(payload, i < 2 ? SIZE : PAYLOAD - 2 * SIZE);
		segment_next(&s, out);
		assert_memory_equal(
		    out + s.header, frame + s.header + at, payload);
		if (v6)
			assert_int_equal(u16(ip + 4), n - s.l3 - 40);
		else {
			assert_int_equal(u16(ip + 2), n - s.l3);
			assert_int_equal(u16(ip + 4), (uint16_t)(0xffff + i));
			assert_int_equal(checksum(0, ip, 20), 0xffff);
		}
		if (tcp) {
			assert_int_equal(
			    (uint32_t)u16(l4 + 4) << 16 | u16(l4 + 6),
			    (uint32_t)(0xfffffff0 + at));
			/* CWR on the first, FIN and PSH on the last */
			assert_int_equal(l4[13],
			    0x10 | (i == 0 ? 0x80 : 0) | (i == 2 ? 0x09 : 0));
		} else
			assert_int_equal(u16(l4 + 4), n - s.l4);
		checksum_is_right(out, n, &s, v6);
		at += payload;
	}
	assert_int_equal(at, PAYLOAD);
}

static void
all_forms(void **state)
{
	(void)state;
	for (int form = 0; form < 8; form++)
		cut((form & 1) != 0, (form & 2) != 0, (form & 4) != 0);
}

static void
leaving_one_out_changes_no_other(void **state)
{
	size_t len = build(false, false, true);
	uint8_t all[2000], some[2000];
	struct segment a, b;

	(void)state;
	assert_int_equal(segment_begin(&a, frame, len, &hdr), 0);
	assert_int_equal(segment_begin(&b, frame, len, &hdr), 0);
	segment_next(&a, all);
	segment_next(&b, NULL);
	segment_next(&a, all);
	segment_next(&b, some);
	assert_memory_equal(all, some, a.header + SIZE);
}

/* segment_begin says rc, and there is nothing to hand out. */
static void
refused(int rc, size_t len)
{
	struct segment s;

	assert_int_equal(segment_begin(&s, frame, len, &hdr), rc);
	assert_int_equal(segment_len(&s), 0);
}

static void
what_is_none_is_refused(void **state)
{
	size_t len = build(false, false, true);

	(void)state;
	/* cut short anywhere in the headers */
	for (size_t n = 0; n < 66; n++) {
		struct segment s;

		assert_int_not_equal(segment_begin(&s, frame, n, &hdr), 0);
		assert_int_equal(segment_len(&s), 0);
	}
	hdr.gso_size = 0;
	refused(-EBADMSG, len);
	build(false, false, true);
	hdr.flags = 0;
	refused(-EBADMSG, len);
	build(false, false, true);
	hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	refused(-EPROTONOSUPPORT, len);
	build(false, false, true);
	hdr.csum_start = 40;
	refused(-EBADMSG, len);
	build(false, false, true);
	frame[14] = 0x42; /* a header of 8 bytes */
	refused(-EBADMSG, len);
	build(false, false, true);
	frame[14 + 9] = 17; /* TCP, says the kernel */
	refused(-EPROTONOSUPPORT, len);
	build(false, false, true);
	frame[34 + 12] = 4 << 4; /* a TCP header of 16 bytes */
	refused(-EBADMSG, len);
	build(false, false, true);
	put_u16(frame + 12, 0x0806); /* ARP */
	refused(-EPROTONOSUPPORT, len);
	len = build(true, false, true);
	hdr.csum_start = 50; /* inside IPv6's header */
	refused(-EBADMSG, len);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_forms),
	    cmocka_unit_test(leaving_one_out_changes_no_other),
	    cmocka_unit_test(what_is_none_is_refused),
	};

	return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}

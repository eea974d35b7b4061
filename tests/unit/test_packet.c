/* SPDX-License-Identifier: ISC */
/* Captured packets: what is cut off, padded, nested or foreign; and that the
 * hash is the same on both sides of a NAT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "describe.h"
#include "packet.h"
#include "stun.h"

#define ETHERNET 1
#define RAW 101
#define COOKED 276

static const uint8_t udp[] = {0x45, 0, 0, 31, 0x12, 0x34, 0, 0, 64, 17, 0, 0,
    192, 168, 1, 2, 203, 0, 113, 2, 0x0f, 0xa1, 0x0f, 0xa2, 0, 11, 0, 0, 'h',
    'i', '\n'};

static void
assert_addr(const struct addr *a, const char *want)
{
	char text[ADDR_STRLEN];

	assert_string_equal(addr_format(a, text), want);
}

static void
test_every_cut(void **state)
{
	struct packet p;

	(void)state;
	for (size_t len = 0; len < 28; len++)
		assert_int_equal(packet_decode(&p, RAW, udp, len), -EBADMSG);
	assert_int_equal(packet_decode(&p, RAW, udp, 29), 0);
	assert_int_equal(p.payload_len, 1);
}

static void
test_foreign(void **state)
{
	uint8_t arp[60] = {[12] = 0x08, [13] = 0x06};
	uint8_t bad[sizeof(udp)];
	struct packet p;

	(void)state;
	assert_int_equal(
	    packet_decode(&p, ETHERNET, arp, sizeof(arp)), -EPROTONOSUPPORT);
	assert_int_equal(
	    packet_decode(&p, 9999, udp, sizeof(udp)), -EPROTONOSUPPORT);
	memcpy(bad, udp, sizeof(udp));
	bad[0] = 0x41; /* a header of 4 bytes */
	assert_int_equal(packet_decode(&p, RAW, bad, sizeof(bad)), -EBADMSG);
	bad[0] = 0x75;
	assert_int_equal(packet_decode(&p, RAW, bad, sizeof(bad)), -EBADMSG);
	memcpy(bad, udp, sizeof(udp));
	bad[25] = 7; /* a UDP length shorter than its header */
	assert_int_equal(packet_decode(&p, RAW, bad, sizeof(bad)), -EBADMSG);
}

static void
test_udp(void **state)
{
	struct packet p;

	(void)state;
	assert_int_equal(packet_decode(&p, RAW, udp, sizeof(udp)), 0);
	assert_int_equal(p.protocol, PACKET_UDP);
	assert_int_equal(p.ttl, 64);
	assert_int_equal(p.ip_id, 0x1234);
	assert_addr(&p.from, "192.168.1.2:4001");
	assert_addr(&p.to, "203.0.113.2:4002");
	assert_int_equal(p.payload_len, 3);
	assert_memory_equal(p.payload, "hi\n", 3);
}

static void
test_padding_is_no_payload(void **state)
{
	uint8_t frame[64] = {[12] = 0x08};
	struct packet a, b;

	(void)state;
	memcpy(frame + 14, udp, sizeof(udp));
	memset(frame + 14 + sizeof(udp), 0xee, 10);
	assert_int_equal(packet_decode(&a, ETHERNET, frame, 60), 0);
	assert_int_equal(packet_decode(&b, RAW, udp, sizeof(udp)), 0);
	assert_true(a.has_mac);
	assert_int_equal(a.payload_len, 3);
	assert_true(a.hash == b.hash);
}

static void
test_direction_of_cooked(void **state)
{
	uint8_t frame[20 + sizeof(udp)] = {0x08, 0, [10] = 4};
	struct packet p;

	(void)state;
	memcpy(frame + 20, udp, sizeof(udp));
	assert_int_equal(packet_decode(&p, COOKED, frame, sizeof(frame)), 0);
	assert_true(p.has_direction && p.leaving);
	frame[10] = 0;
	assert_int_equal(packet_decode(&p, COOKED, frame, sizeof(frame)), 0);
	assert_true(p.has_direction && !p.leaving);
}

/* Addresses, ports, TTL and checksum change on the way; a payload doesn't. */
static void
test_hash(void **state)
{
	uint8_t other[sizeof(udp)];
	struct packet a, b;

	(void)state;
	memcpy(other, udp, sizeof(udp));
	other[8] = 62;
	other[12] = 198;
	other[21] = 0x77;
	other[26] = 0xab;
	assert_int_equal(packet_decode(&a, RAW, udp, sizeof(udp)), 0);
	assert_int_equal(packet_decode(&b, RAW, other, sizeof(other)), 0);
	assert_true(a.hash == b.hash);
	other[5] ^= 1; /* the IP id */
	assert_int_equal(packet_decode(&b, RAW, other, sizeof(other)), 0);
	assert_false(a.hash == b.hash);
	other[5] ^= 1;
	other[30] = '!';
	assert_int_equal(packet_decode(&b, RAW, other, sizeof(other)), 0);
	assert_false(a.hash == b.hash);
}

static void
test_icmp_error(void **state)
{
	uint8_t icmp[28 + sizeof(udp)] = {0x45, 0, 0, 59, 0, 1, 0, 0, 64, 1, 0,
	    0, 203, 0, 113, 2, 192, 168, 1, 2, 3, 3};
	struct describe d;
	struct packet p;

	(void)state;
	memcpy(icmp + 28, udp, sizeof(udp));
	assert_int_equal(packet_decode(&p, RAW, icmp, sizeof(icmp)), 0);
	assert_true(p.error);
	assert_addr(&p.about_from, "192.168.1.2:4001");
	describe_packet(&d, &p);
	assert_string_equal(d.name, "ICMP port unreachable");
	assert_string_equal(
	    d.detail, "about 192.168.1.2:4001 > 203.0.113.2:4002");
	icmp[28] = 0x41; /* nonsense inside: the error itself stands */
	assert_int_equal(packet_decode(&p, RAW, icmp, sizeof(icmp)), 0);
	describe_packet(&d, &p);
	assert_string_equal(d.detail, "");
}

static void
test_ipv6(void **state)
{
	uint8_t v6[40 + 8 + 8 + 2] = {0x60, [5] = 18, [6] = 44, [7] = 9,
	    [8] = 0x20, [9] = 0x01, [10] = 0x0d, [11] = 0xb8, [23] = 1,
	    [24] = 0x20, [25] = 0x01, [26] = 0x0d, [27] = 0xb8, [39] = 2,
	    [40] = 17, [43] = 1, [47] = 5, [49] = 7, [51] = 8, [53] = 10};
	struct packet p;

	(void)state;
	assert_int_equal(packet_decode(&p, RAW, v6, sizeof(v6)), 0);
	assert_addr(&p.from, "[2001:db8::1]:7");
	assert_addr(&p.to, "[2001:db8::2]:8");
	assert_true(p.part && !p.fragment);
	assert_int_equal(p.ip_id, 5);
	v6[42] = 1; /* not the first fragment: no ports to be read */
	assert_int_equal(packet_decode(&p, RAW, v6, sizeof(v6)), 0);
	assert_true(p.fragment);
	assert_addr(&p.from, "[2001:db8::1]:0");
	v6[40] = v6[6] = 0; /* a chain of options that leads out of it */
	v6[41] = 255;
	assert_int_equal(packet_decode(&p, RAW, v6, sizeof(v6)), -EBADMSG);
}

static void
describe_payload(struct describe *d, const uint8_t *data, size_t len)
{
	struct packet p = {
	    .protocol = PACKET_UDP, .payload = data, .payload_len = len};

	describe_packet(d, &p);
}

static void
test_stun(void **state)
{
	uint8_t data[STUN_MAX], tid[STUN_TID_LEN] = "abcdefghijk";
	struct stun_buf b;
	struct describe d;
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse(&a, "198.51.100.2:33946"), 0);
	stun_begin(&b, data, sizeof(data), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &a);
	describe_payload(&d, data, (size_t)stun_end(&b, true));
	assert_int_equal(d.kind, DESCRIBE_STUN);
	assert_string_equal(d.name, "Binding success");
	assert_string_equal(d.detail, "XOR-MAPPED-ADDRESS 198.51.100.2:33946");
	stun_begin(&b, data, sizeof(data), STUN_BINDING, STUN_REQUEST, tid);
	stun_put_u32(
	    &b, STUN_CHANGE_REQUEST, STUN_CHANGE_IP | STUN_CHANGE_PORT);
	describe_payload(&d, data, (size_t)stun_end(&b, false));
	assert_string_equal(d.detail, "CHANGE-REQUEST address and port");
	stun_begin(&b, data, sizeof(data), STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&b, STUN_USERNAME, "aaaa:bbbb", 9);
	stun_put_u32(&b, STUN_PRIORITY, 1);
	describe_payload(&d, data, (size_t)stun_end(&b, true));
	assert_string_equal(d.name, "check: request");
	stun_begin(&b, data, sizeof(data), NATKIT_HELLO, STUN_REQUEST, tid);
	describe_payload(&d, data, (size_t)stun_end(&b, true));
	assert_int_equal(d.kind, DESCRIBE_RENDEZVOUS);
	assert_string_equal(d.name, "HELLO request");
	stun_begin(&b, data, sizeof(data), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put(&b, STUN_XOR_MAPPED_ADDRESS, "", 0);
	describe_payload(&d, data, (size_t)stun_end(&b, true));
	assert_string_equal(d.detail, "XOR-MAPPED-ADDRESS malformed");
	stun_begin(&b, data, sizeof(data), STUN_BINDING, STUN_ERROR, tid);
	stun_put(&b, STUN_ERROR_CODE, "\0\0\0\0", 4); /* 0 is none */
	describe_payload(&d, data, (size_t)stun_end(&b, true));
	assert_string_equal(d.detail, "ERROR-CODE malformed");
}

static void
test_wireguard(void **state)
{
	uint8_t data[148] = {1};
	struct describe d;

	(void)state;
	describe_payload(&d, data, 148);
	assert_string_equal(d.name, "WireGuard initiation");
	describe_payload(&d, data, 147);
	assert_int_equal(d.kind, DESCRIBE_OTHER);
	data[0] = 4;
	describe_payload(&d, data, 32);
	assert_string_equal(d.name, "WireGuard data");
	assert_string_equal(d.detail, "keepalive");
	data[0] = 5;
	describe_payload(&d, data, 148);
	assert_int_equal(d.kind, DESCRIBE_OTHER);
}

static void
test_text_is_printing(void **state)
{
	struct describe d;

	(void)state;
	describe_payload(&d, (const uint8_t *)"hello\033[31m", 10);
	assert_string_equal(d.detail, "\"hello\"...");
	describe_payload(&d, (const uint8_t *)"\xff\xfe\x00", 3);
	assert_string_equal(d.detail, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_cut),
	    cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_udp),
	    cmocka_unit_test(test_padding_is_no_payload),
	    cmocka_unit_test(test_direction_of_cooked),
	    cmocka_unit_test(test_hash),
	    cmocka_unit_test(test_icmp_error),
	    cmocka_unit_test(test_ipv6),
	    cmocka_unit_test(test_stun),
	    cmocka_unit_test(test_wireguard),
	    cmocka_unit_test(test_text_is_printing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

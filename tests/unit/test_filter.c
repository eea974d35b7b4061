/* SPDX-License-Identifier: ISC */
/* The packet filter over hand-made packets, by libpcap's own interpreter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cursor.h"
#include "filter.h"

#define PORT 51820
#define STUN_LEN 28

/* A packet: IPv4 header (with ip set), UDP header, STUN request with one
 * attribute of 4 bytes. */
struct packet {
	uint8_t b[128];
	size_t len;
	size_t udp; /* offset of the UDP header */
};

static void
make(struct packet *p, enum filter_layer layer, size_t options)
{
	size_t ip = layer == FILTER_IP ? 20 + options : 0;
	uint8_t *u = p->b + ip, *s = u + 8;

	memset(p, 0, sizeof(*p));
	p->udp = ip;
	p->len = ip + 8 + STUN_LEN;
	if (ip != 0) {
		p->b[0] = (uint8_t)(0x40 | ip / 4);
		put_u16(p->b + 2, (uint16_t)p->len);
		put_u16(p->b + 6, 0x4000); /* don't fragment */
		p->b[8] = 64;
		p->b[9] = 17;
		memset(p->b + 20, 1, options); /* no-operation */
	}
	put_u16(u, 3478);
	put_u16(u + 2, PORT);
	put_u16(u + 4, 8 + STUN_LEN);
	put_u16(s, 0x0001);
	put_u16(s + 2, STUN_LEN - 20);
	put_u32(s + 4, 0x2112a442);
}

static unsigned int
run(enum filter_layer layer, const uint8_t *data, size_t len)
{
	struct bpf_program program;
	unsigned int taken;

	assert_int_equal(filter_compile(&program, layer, PORT), 0);
	taken = bpf_filter(program.bf_insns, data, (u_int)len, (u_int)len);
	pcap_freecode(&program);
	return taken;
}

static unsigned int
run_packet(enum filter_layer layer, const struct packet *p)
{
	return run(layer, p->b, p->len);
}

static const enum filter_layer layers[2] = {FILTER_IP, FILTER_UDP};

static void
refuses_what_is_no_stun_for_the_port(void **state)
{
	struct packet p;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		make(&p, layers[i], 0);
		put_u16(p.b + p.udp + 2, PORT + 1);
		assert_int_equal(run_packet(layers[i], &p), 0);
		/* source and destination port swapped */
		make(&p, layers[i], 0);
		put_u16(p.b + p.udp, PORT);
		put_u16(p.b + p.udp + 2, 3478);
		assert_int_equal(run_packet(layers[i], &p), 0);
		make(&p, layers[i], 0);
		p.b[p.udp + 8] |= 0x40;
		assert_int_equal(run_packet(layers[i], &p), 0);
		make(&p, layers[i], 0);
		p.b[p.udp + 8] |= 0x80;
		assert_int_equal(run_packet(layers[i], &p), 0);
		make(&p, layers[i], 0);
		p.b[p.udp + 15] ^= 1; /* the cookie's last byte */
		assert_int_equal(run_packet(layers[i], &p), 0);
	}
}

static void
refuses_wrong_lengths(void **state)
{
	struct packet p;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		make(&p, layers[i], 0);
		put_u16(p.b + p.udp + 10, STUN_LEN - 20 + 4);
		assert_int_equal(run_packet(layers[i], &p), 0);
		make(&p, layers[i], 0);
		put_u16(p.b + p.udp + 4, 8 + STUN_LEN + 4);
		assert_int_equal(run_packet(layers[i], &p), 0);
		/* a UDP length below both headers must not wrap round */
		make(&p, layers[i], 0);
		put_u16(p.b + p.udp + 4, 27);
		put_u16(p.b + p.udp + 10, 0xffff);
		assert_int_equal(run_packet(layers[i], &p), 0);
	}
}

/* Cut off anywhere before the cookie's end, nothing passes. */
static void
refuses_truncated_packets(void **state)
{
	struct packet p;
	size_t len;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		make(&p, layers[i], 0);
		for (len = 0; len < p.udp + 16; len++)
			assert_int_equal(run(layers[i], p.b, len), 0);
	}
}

static void
refuses_fragments_and_other_protocols(void **state)
{
	struct packet p;

	(void)state;
	make(&p, FILTER_IP, 0);
	put_u16(p.b + 6, 0x2000); /* the first of several */
	assert_int_equal(run_packet(FILTER_IP, &p), 0);
	put_u16(p.b + 6, 0x0001); /* the last */
	assert_int_equal(run_packet(FILTER_IP, &p), 0);
	put_u16(p.b + 6, 0x2010);
	assert_int_equal(run_packet(FILTER_IP, &p), 0);
	make(&p, FILTER_IP, 0);
	p.b[9] = 6;
	assert_int_equal(run_packet(FILTER_IP, &p), 0);
	make(&p, FILTER_IP, 0);
	p.b[0] = 0x65;
	assert_int_equal(run_packet(FILTER_IP, &p), 0);
}

/* The daemon's own packets: message types 1 to 4, then three zero bytes. */
static void
refuses_wireguard(void **state)
{
	static const size_t size[4] = {148, 92, 64, 32};
	uint8_t b[256];
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		memset(b, 0x5a, sizeof(b));
		put_u16(b + 2, PORT);
		put_u16(b + 4, (uint16_t)(8 + size[i]));
		put_u32(b + 8, (uint32_t)(i + 1) << 24);
		/* even with an index that looks like the cookie */
		put_u32(b + 12, 0x2112a442);
		assert_int_equal(run(FILTER_UDP, b, 8 + size[i]), 0);
	}
}

/* What passes, passes whole: the kernel cuts to the returned length. */
static void
takes_stun(void **state)
{
	struct packet p;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		make(&p, layers[i], 0);
		assert_true(run_packet(layers[i], &p) >= p.len);
		/* requests, responses, and a server without FINGERPRINT */
		put_u16(p.b + p.udp + 8, 0x0101);
		assert_true(run_packet(layers[i], &p) >= p.len);
	}
}

static void
takes_stun_behind_ip_options(void **state)
{
	struct packet p;
	size_t options;

	(void)state;
	for (options = 4; options <= 40; options += 4) {
		make(&p, FILTER_IP, options);
		assert_true(run_packet(FILTER_IP, &p) >= p.len);
		put_u16(p.b + p.udp + 2, PORT + 1);
		assert_int_equal(run_packet(FILTER_IP, &p), 0);
	}
}

/* A filter that is locked can't be taken off or replaced. */
static void
locks(void **state)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), none = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(filter_attach(fd, FILTER_UDP, PORT, 0), 0);
	assert_int_equal(filter_attach(fd, FILTER_UDP, PORT, 1), 0);
	assert_true(filter_attach(fd, FILTER_UDP, PORT + 1, 0) < 0);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)),
	    -1);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refuses_what_is_no_stun_for_the_port),
	    cmocka_unit_test(refuses_wrong_lengths),
	    cmocka_unit_test(refuses_truncated_packets),
	    cmocka_unit_test(refuses_fragments_and_other_protocols),
	    cmocka_unit_test(refuses_wireguard),
	    cmocka_unit_test(takes_stun),
	    cmocka_unit_test(takes_stun_behind_ip_options),
	    cmocka_unit_test(locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

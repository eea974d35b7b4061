/* SPDX-License-Identifier: ISC */
/* twin-replay interface: an enemy on the way between two nat-stund (-O). Keeps
 * what they say to each other's port 3478 until a line comes from standard
 * input, then sends each of it again from another port, as it was and with each
 * of some bytes changed (and FINGERPRINT, which needs no key, made right).
 * Prints one line:
 *
 *   heard=N sent=N answers=N longer=N
 *
 * longer counts answers with more bytes than the longest request of theirs. */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "integrity.h"
#include "loop.h"
#include "stun.h"

#define PORT 3478
#define PACKETS 256
#define PACKET_MAX 2048
#define IP_HEADER 20
#define UDP_HEADER 8

struct packet {
	struct addr to;
	size_t len;
	uint8_t data[PACKET_MAX];
};

static struct packet packets[PACKETS];
static size_t n_packets, longest;

static void
die(const char *what)
{
	perror(what);
	exit(111);
}

/* An IPv4 datagram without options, as the two send them. */
static void
keep(const uint8_t *ip, size_t len)
{
	struct packet *p = &packets[n_packets];
	struct stun_msg m;
	struct cursor c;
	const uint8_t *to;

	cursor_init(&c, ip, len);
	cursor_bytes(&c, 16);
	to = cursor_bytes(&c, 4);
	cursor_bytes(&c, 2);
	if (to == NULL || ip[0] != 0x45 || ip[9] != IPPROTO_UDP ||
	    cursor_u16(&c) != PORT || n_packets == PACKETS)
		return;
	cursor_bytes(&c, 4);
	p->len = cursor_left(&c);
	p->to = (struct addr){.family = ADDR_V4, .port = PORT};
	memcpy(p->to.ip, to, 4);
	if (p->len > PACKET_MAX)
		return;
	memcpy(p->data, ip + IP_HEADER + UDP_HEADER, p->len);
	if (stun_parse(&m, p->data, p->len) != 0 ||
	    (m.method != NATKIT_TWIN_HELLO && m.method != NATKIT_TWIN))
		return;
	if (p->len > longest)
		longest = p->len;
	n_packets++;
}

/* Until anything comes from standard input, or its end. */
static void
listen_on(const char *interface)
{
	/* all protocols: else what is forwarded is not shown */
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
	    .sll_protocol = htons(ETH_P_ALL),
	    .sll_ifindex = (int)if_nametoindex(interface)};
	struct pollfd p[2] = {
	    {.events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
	uint8_t buf[PACKET_MAX];

	p[0].fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	if (p[0].fd == -1 ||
	    bind(p[0].fd, (struct sockaddr *)&at, sizeof(at)) == -1)
		die(interface);
	puts("listening");
	fflush(stdout);
	while (poll(p, 2, -1) > 0 && p[1].revents == 0) {
		ssize_t n = recv(p[0].fd, buf, sizeof(buf), 0);

		if (n > 0)
			keep(buf, (size_t)n);
	}
	close(p[0].fd);
}

static void
send_to(int fd, const struct packet *p)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&p->to, &ss);

	if (sendto(fd, p->data, p->len, 0, (struct sockaddr *)&ss, len) == -1)
		die("sendto");
}

/* Returns how many packets that was. */
static unsigned int
attack(int fd, const struct packet *p)
{
	unsigned int sent = 1;

	send_to(fd, p);
	for (size_t i = 0; i + 8 < p->len; i += 7) {
		struct packet bad = *p;

		bad.data[i] ^= 0x10;
		put_u32(bad.data + bad.len - 4,
		    integrity_fingerprint(bad.data, bad.len - 8));
		send_to(fd, &bad);
		sent++;
	}
	return sent;
}

int
main(int argc, char **argv)
{
	unsigned int sent = 0, answers = 0, longer = 0;
	struct pollfd p = {.events = POLLIN};
	uint8_t buf[PACKET_MAX];
	ssize_t n;

	if (argc != 2)
		return 100;
	listen_on(argv[1]);
	p.fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (p.fd == -1)
		die("socket");
	for (size_t i = 0; i < n_packets; i++)
		sent += attack(p.fd, &packets[i]);
	while (poll(&p, 1, 300) == 1 &&
	       (n = recv(p.fd, buf, sizeof(buf), 0)) >= 0) {
		answers++;
		longer += (size_t)n > longest;
	}
	printf("heard=%zu sent=%u answers=%u longer=%u\n", n_packets, sent,
	    answers, longer);
	return 0;
}

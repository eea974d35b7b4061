/* SPDX-License-Identifier: ISC */
/* A NAT in user space, as a student might write it, for nat-lab grade: raw
 * frames (packet(7)) between lan and wan; endpoint-independent mapping and
 * filtering, ports preserved where they are free, hairpin from the external
 * source, ICMP errors passed in, fragments put together and cut again. The
 * kernel does ARP. Each flag breaks one thing:
 *
 *	-m	mapping: another port for each destination	REQ-1
 *	-a	pooling: each mapping has any of the addresses	REQ-2
 *	-b	ports from 1024 on are mapped below it		REQ-3a
 *	-o	overloading: the port is kept, taken or not	REQ-3
 *	-l s	lifetime of a mapping in seconds (300)		REQ-5
 *	-r	outbound packets refresh nothing		REQ-6
 *	-f	filtering: only endpoints that were sent to	REQ-8
 *	-p	no hairpin					REQ-9
 *	-s	hairpin keeps the internal source		REQ-9a
 *	-i	an ICMP error ends the mapping			REQ-12
 *	-u	a destination unreachable does, other errors don't
 *	-e	no ICMP error passes				REQ-12a, b
 *	-d	too large with DF: dropped in silence		REQ-13
 *	-g	fragments that come in are dropped		REQ-14
 *
 * IPv4 and UDP only; one network, 192.168.1.0/24, whose hosts it learns from
 * their frames. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cursor.h"
#include "loop.h"

#define MAPPINGS 4096
#define SENT_TO 32 /* remotes of one mapping, for -f */
#define PARTS 8	   /* datagrams whose fragments are here */
#define WHOLE 4096

enum {
	ICMP = 1,
	UDP = 17,
	TTL_EXCEEDED = 11,
	UNREACHABLE = 3,
	TOO_BIG = 4
};

struct mapping {
	uint64_t until_ms; /* 0: free */
	struct {
		uint32_t ip;
		uint16_t port;
	} sent_to[SENT_TO];
	unsigned n_sent_to;
	uint32_t in_ip, out_ip, to_ip; /* to_*: with -m */
	uint16_t in_port, out_port, to_port;
};

struct parts {
	uint32_t from;
	uint16_t id;
	uint8_t data[WHOLE];
	size_t have, total, header;
	uint64_t until_ms;
};

static struct mapping table[MAPPINGS];
static struct parts parts[PARTS];
static uint8_t hosts[256][ETH_ALEN]; /* of 192.168.1.0/24 */
static uint8_t mac[2][ETH_ALEN], gateway_mac[ETH_ALEN];
static uint32_t outer[2], lan_ip, lan_net;
static int fds[2]; /* lan, wan */
static size_t mtu = 1500, n_public;
static uint64_t lifetime_ms = 300000;
static bool flag[128];

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | p[2] << 8 | p[3];
}

static uint16_t
u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
sum(uint32_t s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return s;
}

static uint16_t
checksum(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t) ~((s & 0xffff) + (s >> 16));
}

static void
ip_checksum(uint8_t *ip, size_t header)
{
	put_u16(ip + 10, 0);
	put_u16(ip + 10, checksum(sum(0, ip, header)));
}

static void
udp_checksum(uint8_t *ip, size_t header, size_t len)
{
	uint8_t *udp = ip + header;
	uint16_t v;

	if (u16(udp + 6) == 0)
		return; /* it had none */
	put_u16(udp + 6, 0);
	v = checksum(sum(UDP + (uint32_t)(len - header), ip + 12, 8) +
		     sum(0, udp, len - header));
	put_u16(udp + 6, v == 0 ? 0xffff : v);
}

static void
send_frame(int side, const uint8_t *to, const uint8_t *ip, size_t len)
{
	uint8_t frame[ETH_HLEN + WHOLE];

	memcpy(frame, to, ETH_ALEN);
	memcpy(frame + ETH_ALEN, mac[side], ETH_ALEN);
	put_u16(frame + 12, ETHERTYPE_IP);
	memcpy(frame + ETH_HLEN, ip, len);
	(void)!write(fds[side], frame, ETH_HLEN + len);
}

/* Cuts what is longer than the MTU. */
static void
send_ip(int side, uint8_t *ip, size_t len)
{
	size_t header = (size_t)(ip[0] & 15) * 4, max = side ? mtu : 1500;
	const uint8_t *to = side ? gateway_mac : hosts[ip[19]];
	size_t room = (max - header) / 8 * 8, at = 0;
	uint8_t piece[WHOLE];

	put_u16(ip + 2, (uint16_t)len);
	if (len <= max) {
		ip_checksum(ip, header);
		send_frame(side, to, ip, len);
		return;
	}
	while (at < len - header) {
		size_t n = len - header - at < room ? len - header - at : room;
		bool more = at + n < len - header;

		memcpy(piece, ip, header);
		memcpy(piece + header, ip + header + at, n);
		put_u16(piece + 2, (uint16_t)(header + n));
		put_u16(piece + 6, (uint16_t)(at / 8 | (more ? 0x2000 : 0)));
		ip_checksum(piece, header);
		send_frame(side, to, piece, header + n);
		at += n;
	}
}

/* ---- mappings */

static bool
is_live(const struct mapping *m)
{
	return m->until_ms > now_ms();
}

static struct mapping *
by_external(uint32_t ip, uint16_t port)
{
	for (int i = 0; i < MAPPINGS; i++)
		if (is_live(&table[i]) && table[i].out_ip == ip &&
		    table[i].out_port == port)
			return &table[i];
	return NULL;
}

static struct mapping *
by_internal(uint32_t ip, uint16_t port, uint32_t to_ip, uint16_t to_port)
{
	for (int i = 0; i < MAPPINGS; i++) {
		struct mapping *m = &table[i];

		if (is_live(m) && m->in_ip == ip && m->in_port == port &&
		    (!flag['m'] ||
			(m->to_ip == to_ip && m->to_port == to_port)))
			return m;
	}
	return NULL;
}

/* The port itself, or the next free one of its range and parity. */
static uint16_t
pick_port(uint32_t ip, uint16_t port)
{
	uint16_t p = port;

	if (flag['o'])
		return port;
	if (flag['m'])
		p = (uint16_t)(20000 + rand() % 20000 * 2 + port % 2);
	if (flag['b'] && port >= 1024)
		p = (uint16_t)(512 + port % 512);
	while (by_external(ip, p) != NULL) {
		p = (uint16_t)(p + 2);
		if ((p < 1024) != (port < 1024) && !flag['m'] && !flag['b'])
			p = port < 1024 ? 512 + port % 2 : 20000 + port % 2;
	}
	return p;
}

static struct mapping *
make(uint32_t ip, uint16_t port, uint32_t to_ip, uint16_t to_port)
{
	for (int i = 0; i < MAPPINGS; i++) {
		struct mapping *m = &table[i];

		if (is_live(m))
			continue;
		memset(m, 0, sizeof(*m));
		m->in_ip = ip;
		m->in_port = port;
		m->to_ip = to_ip;
		m->to_port = to_port;
		m->out_ip = outer[flag['a'] ? (size_t)rand() % n_public : 0];
		m->out_port = pick_port(m->out_ip, port);
		m->until_ms = now_ms() + lifetime_ms;
		return m;
	}
	return NULL;
}

static struct mapping *
outbound(const uint8_t *ip, const uint8_t *udp)
{
	uint32_t from = u32(ip + 12), to = u32(ip + 16);
	uint16_t port = u16(udp), to_port = u16(udp + 2);
	struct mapping *m = by_internal(from, port, to, to_port);

	if (m == NULL && (m = make(from, port, to, to_port)) == NULL)
		return NULL;
	if (!flag['r'])
		m->until_ms = now_ms() + lifetime_ms;
	m->sent_to[m->n_sent_to % SENT_TO].ip = to;
	m->sent_to[m->n_sent_to++ % SENT_TO].port = to_port;
	return m;
}

static bool
has_sent_to(const struct mapping *m, uint32_t ip, uint16_t port)
{
	for (unsigned i = 0; i < SENT_TO; i++)
		if (m->sent_to[i].ip == ip && m->sent_to[i].port == port)
			return true;
	return false;
}

/* With -o several have that external endpoint: the one that sent there comes
 * first. */
static struct mapping *
inbound(uint32_t ip, uint16_t port, uint32_t from, uint16_t from_port)
{
	struct mapping *any = NULL;

	for (int i = 0; i < MAPPINGS; i++) {
		struct mapping *m = &table[i];

		if (!is_live(m) || m->out_ip != ip || m->out_port != port)
			continue;
		if (has_sent_to(m, from, from_port))
			return m;
		any = m;
	}
	return flag['f'] ? NULL : any;
}

/* ---- packets */

/* An ICMP error about ip, from us to its sender on the lan. */
static void
complain(const uint8_t *ip, size_t len, uint8_t type, uint8_t code)
{
	uint8_t p[20 + 8 + 60 + 8] = {0x45};
	size_t quote = len < 68 ? len : 68;

	p[8] = 64;
	p[9] = ICMP;
	put_u32(p + 12, lan_ip);
	memcpy(p + 16, ip + 12, 4);
	p[20] = type;
	p[21] = code;
	put_u16(p + 26, type == UNREACHABLE ? (uint16_t)mtu : 0);
	memcpy(p + 28, ip, quote);
	put_u16(p + 22, checksum(sum(0, p + 20, 8 + quote)));
	send_ip(0, p, 28 + quote);
}

static void
deliver(uint8_t *ip, size_t header, size_t len, const struct mapping *m)
{
	put_u32(ip + 16, m->in_ip);
	put_u16(ip + header + 2, m->in_port);
	udp_checksum(ip, header, len);
	send_ip(0, ip, len);
}

static bool
is_public(uint32_t ip)
{
	return ip == outer[0] || (n_public > 1 && ip == outer[1]);
}

/* A whole UDP datagram from the lan. */
static void
udp_out(uint8_t *ip, size_t header, size_t len)
{
	uint8_t *udp = ip + header;
	struct mapping *m, *back;
	bool hairpin = is_public(u32(ip + 16));

	if (hairpin && flag['p'])
		return;
	if ((m = outbound(ip, udp)) == NULL)
		return;
	if (!hairpin || !flag['s']) {
		put_u32(ip + 12, m->out_ip);
		put_u16(udp, m->out_port);
	}
	udp_checksum(ip, header, len);
	if (!hairpin) {
		send_ip(1, ip, len);
		return;
	}
	back = inbound(u32(ip + 16), u16(udp + 2), m->out_ip, m->out_port);
	if (back != NULL)
		deliver(ip, header, len, back);
}

static void
udp_in(uint8_t *ip, size_t header, size_t len)
{
	const uint8_t *udp = ip + header;
	struct mapping *m =
	    inbound(u32(ip + 16), u16(udp + 2), u32(ip + 12), u16(udp));

	if (m != NULL)
		deliver(ip, header, len, m);
}

/* An error about what we sent for somebody. */
static void
icmp_in(uint8_t *ip, size_t header, size_t len)
{
	uint8_t *icmp = ip + header, *about = icmp + 8;
	size_t inner;
	struct mapping *m;

	if (len < header + 8 + 28 ||
	    (icmp[0] != UNREACHABLE && icmp[0] != TTL_EXCEEDED) ||
	    about[9] != UDP)
		return;
	inner = (size_t)(about[0] & 15) * 4;
	if (len < header + 8 + inner + 8)
		return;
	m = inbound(u32(about + 12), u16(about + inner), u32(about + 16),
	    u16(about + inner + 2));
	if (m == NULL)
		return;
	if (!flag['e']) {
		put_u32(about + 12, m->in_ip);
		put_u16(about + inner, m->in_port);
		put_u16(about + inner + 6, 0); /* no checksum, no mistake */
		ip_checksum(about, inner);
		put_u16(icmp + 2, 0);
		put_u16(icmp + 2, checksum(sum(0, icmp, len - header)));
		put_u32(ip + 16, m->in_ip);
		send_ip(0, ip, len);
	}
	if (flag['i'] || (flag['u'] && icmp[0] == UNREACHABLE))
		m->until_ms = 0;
}

/* Returns the length of the datagram once its fragments are all here, in ip
 * itself; 0 before. Those that overlap are no fragments of ours. */
static size_t
gather(uint8_t *ip, size_t header, size_t len)
{
	size_t at = (size_t)(u16(ip + 6) & 0x1fff) * 8, n = len - header;
	bool more = (u16(ip + 6) & 0x2000) != 0;
	struct parts *p = NULL;

	for (int i = 0; i < PARTS; i++)
		if (parts[i].until_ms > now_ms() &&
		    parts[i].from == u32(ip + 12) && parts[i].id == u16(ip + 4))
			p = &parts[i];
	for (int i = 0; i < PARTS && p == NULL; i++)
		if (parts[i].until_ms <= now_ms()) {
			p = &parts[i];
			p->from = u32(ip + 12);
			p->id = u16(ip + 4);
			p->have = p->total = 0;
			p->until_ms = now_ms() + 2000;
		}
	if (p == NULL || header + at + n > WHOLE)
		return 0;
	memcpy(p->data + header + at, ip + header, n);
	p->have += n;
	if (!more)
		p->total = at + n;
	if (p->total == 0 || p->have < p->total)
		return 0;
	p->until_ms = 0;
	memcpy(ip + header, p->data + header, p->total);
	put_u16(ip + 6, 0);
	return header + p->total;
}

static void
packet(int side, uint8_t *ip, size_t len)
{
	size_t header = (size_t)(ip[0] & 15) * 4;
	bool df, fragment;

	if (len < 20 || ip[0] >> 4 != 4 || header < 20 || u16(ip + 2) > len ||
	    u16(ip + 2) < header)
		return;
	len = u16(ip + 2);
	df = (u16(ip + 6) & 0x4000) != 0;
	fragment = (u16(ip + 6) & 0x3fff) != 0;
	/* what is for this host itself is the kernel's */
	if (side == 0 ? u32(ip + 16) == lan_ip : !is_public(u32(ip + 16)))
		return;
	if (side == 0 && ip[8] <= 1) {
		complain(ip, len, TTL_EXCEEDED, 0);
		return;
	}
	if (side == 0 && df && len > mtu && !is_public(u32(ip + 16))) {
		if (!flag['d'])
			complain(ip, len, UNREACHABLE, TOO_BIG);
		return;
	}
	if (fragment &&
	    ((side == 1 && flag['g']) || (len = gather(ip, header, len)) == 0))
		return;
	if (len < header + 8) /* the last fragment may be shorter */
		return;
	ip[8]--;
	if (ip[9] == UDP && side == 0)
		udp_out(ip, header, len);
	else if (ip[9] == UDP)
		udp_in(ip, header, len);
	else if (ip[9] == ICMP && side == 1)
		icmp_in(ip, header, len);
}

static void
frame(int side)
{
	static uint8_t buf[ETH_HLEN + 2 * WHOLE];
	struct sockaddr_ll from = {0};
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fds[side], buf, ETH_HLEN + WHOLE, 0,
	    (struct sockaddr *)&from, &from_len);
	uint8_t *ip = buf + ETH_HLEN;

	if (n < ETH_HLEN + 20 || from.sll_pkttype == PACKET_OUTGOING ||
	    u16(buf + 12) != ETHERTYPE_IP ||
	    memcmp(buf, mac[side], ETH_ALEN) != 0)
		return;
	if (side == 1)
		memcpy(gateway_mac, buf + ETH_ALEN, ETH_ALEN);
	else if ((u32(ip + 12) & 0xffffff00) == lan_net)
		memcpy(hosts[ip[15]], buf + ETH_ALEN, ETH_ALEN);
	packet(side, ip, (size_t)n - ETH_HLEN);
}

/* ---- what nat-lab grade tells */

static const char *
need(const char *name)
{
	const char *v = getenv(name);

	if (v == NULL) {
		fprintf(stderr, "toy-nat: %s is not set\n", name);
		exit(100);
	}
	return v;
}

static int
attach(const char *name, uint8_t own[ETH_ALEN])
{
	struct ifreq ifr = {0};
	struct sockaddr_ll at = {
	    .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	at.sll_ifindex = (int)if_nametoindex(name);
	if (fd == -1 || ioctl(fd, SIOCGIFHWADDR, &ifr) == -1 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1) {
		perror(name);
		exit(111);
	}
	memcpy(own, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
	return fd;
}

/* The kernel asks by ARP when somebody sends there; we read its table. */
static void
find_gateway(const char *gateway)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	struct arpreq_like {
		char ip[64], type[16], flags[16], hw[32];
	} a;
	char line[256];
	FILE *f;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = inet_addr(gateway);
	for (int i = 0; i < 100; i++) {
		(void)!sendto(fd, "", 1, 0, (struct sockaddr *)&to, sizeof(to));
		poll(NULL, 0, 20);
		f = fopen("/proc/net/arp", "r");
		while (f != NULL && fgets(line, sizeof(line), f) != NULL)
			if (sscanf(line, "%63s %15s %15s %31s", a.ip, a.type,
				a.flags, a.hw) == 4 &&
			    strcmp(a.ip, gateway) == 0 &&
			    strcmp(a.flags, "0x2") == 0 &&
			    sscanf(a.hw, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx",
				&gateway_mac[0], &gateway_mac[1],
				&gateway_mac[2], &gateway_mac[3],
				&gateway_mac[4], &gateway_mac[5]) == 6)
				i = 100;
		if (f != NULL)
			fclose(f);
	}
	close(fd);
}

int
main(int argc, char **argv)
{
	char addresses[64], *second;
	struct pollfd p[2];
	int ch;

	while ((ch = getopt(argc, argv, "maborfpsiuedgl:")) != -1) {
		if (ch == '?')
			return 100;
		flag[ch] = true;
		if (ch == 'l')
			lifetime_ms = strtoul(optarg, NULL, 10) * 1000;
	}
	snprintf(addresses, sizeof(addresses), "%s", need("NAT_WAN_ADDRESSES"));
	if ((second = strchr(addresses, ',')) != NULL)
		*second++ = '\0';
	outer[n_public++] = ntohl(inet_addr(addresses));
	if (second != NULL)
		outer[n_public++] = ntohl(inet_addr(second));
	lan_ip = ntohl(inet_addr(need("NAT_LAN_ADDRESS")));
	lan_net = lan_ip & 0xffffff00;
	mtu = strtoul(need("NAT_MTU"), NULL, 10);
	fds[0] = attach(need("NAT_LAN"), mac[0]);
	fds[1] = attach(need("NAT_WAN"), mac[1]);
	find_gateway(need("NAT_GATEWAY"));
	if (write(atoi(need("NAT_READY_FD")), "\n", 1) != 1)
		return 111;
	for (int i = 0; i < 2; i++)
		p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	while (poll(p, 2, -1) != -1)
		for (int i = 0; i < 2; i++)
			if ((p[i].revents & POLLIN) != 0)
				frame(i);
	return 111;
}

/* SPDX-License-Identifier: ISC */
/* fault-stun MODE: an RFC 5780 server on loopback with a fault; prints its
 * port once it is ready. All but same-ip serve 127.0.0.1 and 127.0.0.2, two
 * ports each, and tell so.
 *
 *	same-ip	OTHER-ADDRESS has the server's own address
 *	deaf	drops what has a CHANGE-REQUEST
 *	ignore	answers a CHANGE-REQUEST from where it was asked
 *	half	the other address does not answer at all
 *	stray	OTHER-ADDRESS leads elsewhere
 *	foreign	has a third place answer CHANGE-REQUEST to who has not asked
 *		the other address
 *	fickle	tells another endpoint each time
 *	second	answers every second request, as a limit of the rate may do
 *	constant	tells all ports one endpoint, which no NAT can do
 *	leaps	tells as a NAT that hands ports out by hundreds
 *	rising	tells as a NAT that hands ports out in turn, to many others, too
 *	offset	tells as a NAT that adds 1001 to each port
 *	paths	the other address sees another address
 *	lazy	answers one RESPONSE-PORT in four
 *	long	takes RESPONSE-PORT in 4 bytes, drops it in 2
 *	right	no fault (any other word: the same)
 * Says "fast" for each request that comes within a second of the tenth before, by
 * the kernel's clock. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "addr.h"
#include "stun.h"

#define PLACES 4 /* bit 0: the second port; bit 1: the second address */
#define QUOTA 10
#define SECOND_NS 1000000000LL

static const char *mode;
static int fd[PLACES];
static struct addr place[PLACES];
static int third;	    /* is nobody's place */
static bool asked_b[65536]; /* the ports that have asked the other address */

static bool
is(const char *name)
{
	return strcmp(mode, name) == 0;
}

static int
open_place(const char *ip, uint16_t *port)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t len = sizeof(sin);
	struct timespec ts;
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, ip, &sin.sin_addr);
	if (s == -1 || bind(s, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    getsockname(s, (struct sockaddr *)&sin, &len) == -1) {
		perror("fault-stun: socket");
		exit(111);
	}
	*port = ntohs(sin.sin_port);
	ioctl(s, SIOCGSTAMPNS, &ts); /* from now on */
	return s;
}

/* What a port is seen as: the same each time that it asks. */
static uint16_t
translate(uint16_t port)
{
	static uint16_t told[65536], last = 20000;

	if (is("fickle"))
		return (uint16_t)(1024 + rand() % 60000);
	if (is("constant"))
		return 20000;
	if (is("offset"))
		return (uint16_t)(port + 1001);
	if (told[port] != 0 || (!is("leaps") && !is("rising")))
		return told[port] != 0 ? told[port] : port;
	last = (uint16_t)(last + (is("leaps") ? 100 : 20 + rand() % 400));
	return told[port] = last;
}

static uint32_t
number(const struct stun_msg *m, uint16_t type, size_t *len)
{
	struct stun_attr a;
	struct cursor c;

	*len = 0;
	if (stun_find(m, type, &a) != 0)
		return 0;
	*len = a.len;
	cursor_init(&c, a.value, a.len);
	return a.len == 4 ? cursor_u32(&c) : cursor_u16(&c);
}

static void
answer(int n, const struct stun_msg *m, const struct addr *from)
{
	size_t change_len = 0, port_len = 0, len = 0;
	uint32_t flags = number(m, STUN_CHANGE_REQUEST, &change_len);
	uint32_t port = number(m, STUN_RESPONSE_PORT, &port_len);
	struct addr to = *from, other = place[n ^ 3];
	struct sockaddr_storage ss;
	uint8_t out[STUN_MAX];
	struct stun_buf b;
	struct addr seen = *from;
	int via = n, s = -1;

	static unsigned redirects;

	if (is("lazy") && port_len > 0 && redirects++ % 4 != 0)
		return;
	if ((is("deaf") && change_len > 0) || (is("half") && n >= 2) ||
	    (is("long") && port_len == 2))
		return;
	if (!is("ignore") && (flags & STUN_CHANGE_IP) != 0)
		via ^= 2;
	if (!is("ignore") && (flags & STUN_CHANGE_PORT) != 0)
		via ^= 1;
	if (port_len > 0)
		to.port = (uint16_t)(port_len == 4 ? port >> 16 : port);
	if (is("same-ip"))
		other = place[n ^ 1];
	if (is("stray"))
		addr_parse_ip(&other, "192.168.1.1", 53);
	seen.port = translate(from->port);
	if (is("paths"))
		addr_parse_ip(
		    &seen, n >= 2 ? "203.0.113.2" : "203.0.113.1", seen.port);
	asked_b[from->port] = asked_b[from->port] || n >= 2;
	s = is("foreign") && via != n && !asked_b[to.port] ? third : fd[via];
	stun_begin(&b, out, sizeof(out), STUN_BINDING, STUN_SUCCESS, m->tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &seen);
	stun_put_addr(&b, STUN_MAPPED_ADDRESS, &seen);
	stun_put_addr(&b, STUN_OTHER_ADDRESS, &other);
	len = (size_t)stun_end(&b, true);
	if (sendto(s, out, len, 0, (struct sockaddr *)&ss,
		addr_to_sockaddr(&to, &ss)) == -1)
		perror("fault-stun: sendto");
}

/* When it came, not when this process got round to it. */
static void
clock_in(int n)
{
	static long long at[QUOTA];
	static unsigned next;
	struct timespec ts;
	long long now = 0;

	if (ioctl(fd[n], SIOCGSTAMPNS, &ts) != 0)
		return;
	now = ts.tv_sec * SECOND_NS + ts.tv_nsec;
	if (at[next] != 0 && now - at[next] < SECOND_NS) {
		printf("fast\n");
		fflush(stdout);
	}
	at[next] = now;
	next = (next + 1) % QUOTA;
}

static void
take(int n)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	uint8_t in[STUN_MAX];
	static unsigned requests;
	struct stun_msg m;
	struct addr from;
	ssize_t got =
	    recvfrom(fd[n], in, sizeof(in), 0, (struct sockaddr *)&ss, &len);

	clock_in(n);
	if (is("second") && requests++ % 2 != 0)
		return;
	if (got > 0 && stun_parse(&m, in, (size_t)got) == 0 &&
	    addr_from_sockaddr(&from, (struct sockaddr *)&ss) == 0)
		answer(n, &m, &from);
}

int
main(int argc, char *argv[])
{
	struct pollfd p[PLACES];
	uint16_t port[2] = {0, 0}, port3 = 0;

	if (argc != 2)
		return 100;
	mode = argv[1];
	for (int n = 0; n < PLACES; n++) {
		fd[n] = open_place(
		    (n & 2) != 0 ? "127.0.0.2" : "127.0.0.1", &port[n & 1]);
		addr_parse_ip(&place[n],
		    (n & 2) != 0 ? "127.0.0.2" : "127.0.0.1", port[n & 1]);
		p[n] = (struct pollfd){.fd = fd[n], .events = POLLIN};
	}
	third = open_place("127.0.0.3", &port3);
	printf("%u\n", port[0]);
	fflush(stdout);
	while (poll(p, PLACES, -1) > 0)
		for (int n = 0; n < PLACES; n++)
			if ((p[n].revents & POLLIN) != 0)
				take(n);
	return 111;
}

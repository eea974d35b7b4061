/* SPDX-License-Identifier: ISC */
/* stun-ask [option ...] endpoint: one Binding request of any shape (RFC 8489,
 * RFC 5780, RFC 3489), and what came back, as one line of key=value; exit code
 * 1 and no line when nothing came.
 *   -t        over TCP       -n num  so many of them on one connection
 *   -c flags  CHANGE-REQUEST of 4 (address) + 2 (port)
 *   -r len    RESPONSE-PORT of 2 or 4 bytes, to another port of ours
 *   -p len    PADDING        -a type  an attribute of this number (hex)
 *   -s len    SOFTWARE       -F      FINGERPRINT
 *   -C        no magic cookie (RFC 3489)
 *   -i addr   own address    -w ms   how long to wait (3000) */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "loop.h"
#include "stun.h"

#define BUFFER 70000

struct ask {
	struct addr server, own;
	bool tcp, classic, fingerprint, change;
	uint32_t flags;
	size_t port_form, padding, software;
	bool pad;
	unsigned int attr;
	int wait_ms, n;
	int fd, other; /* a socket, and the one that -r asks to answer to */
	uint8_t request[BUFFER], answer[BUFFER];
	size_t len;
};

static void
fail(const char *what)
{
	fprintf(stderr, "stun-ask: %s: %s\n", what, strerror(errno));
	exit(111);
}

static int
bound(const struct ask *k, uint16_t *port)
{
	struct addr a = k->own;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	a.family = k->server.family;
	a.port = 0;
	len = addr_to_sockaddr(&a, &ss);
	fd = socket(ss.ss_family,
	    (k->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&ss, len) == -1)
		fail("own address");
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		fail("getsockname");
	addr_from_sockaddr(&a, (struct sockaddr *)&ss);
	*port = a.port;
	return fd;
}

static void
build(struct ask *k)
{
	static uint8_t zeros[BUFFER];
	uint8_t tid[STUN_TID_LEN], port[4] = {0};
	struct stun_buf b;
	uint16_t number;
	int len;

	stun_new_tid(tid);
	stun_begin(&b, k->request, sizeof(k->request), STUN_BINDING,
	    STUN_REQUEST, tid);
	if (k->change)
		stun_put_u32(&b, STUN_CHANGE_REQUEST, k->flags);
	if (k->port_form > 0) {
		k->other = bound(k, &number);
		put_u16(port, number);
		stun_put(&b, STUN_RESPONSE_PORT, port, k->port_form);
	}
	if (k->pad)
		stun_put(&b, STUN_PADDING, zeros, k->padding);
	if (k->attr != 0)
		stun_put(&b, (uint16_t)k->attr, zeros, 4);
	if (k->software > 0)
		stun_put(&b, STUN_SOFTWARE, zeros, k->software);
	len = stun_end(&b, k->fingerprint);
	if (len < 0)
		exit(100);
	k->len = (size_t)len;
	if (k->classic)
		randombytes_buf(k->request + 4, 16);
}

static void
put_addr(const struct stun_msg *m, uint16_t type, const char *name)
{
	char text[ADDR_STRLEN];
	struct stun_attr a;
	struct addr addr;

	if (stun_find(m, type, &a) != 0)
		return;
	if ((type == STUN_XOR_MAPPED_ADDRESS
		    ? stun_get_xor_addr(&a, m->tid, &addr)
		    : stun_get_addr(&a, &addr)) == 0)
		printf(" %s=%s", name, addr_format(&addr, text));
}

static void
print(struct ask *k, size_t len, const struct addr *from, bool other)
{
	char text[ADDR_STRLEN];
	struct stun_msg m;
	struct stun_attr a;

	if (memcmp(k->answer + 4, k->request + 4, 16) != 0) {
		printf("foreign\n");
		return;
	}
	put_u32(k->answer + 4, STUN_COOKIE); /* that of RFC 3489 has none */
	if (stun_parse(&m, k->answer, len) != 0) {
		printf("malformed\n");
		return;
	}
	printf("class=%u from=%s", m.class, addr_format(from, text));
	if (other)
		printf(" to=other");
	if (m.class == STUN_ERROR)
		printf(" error=%d", stun_get_error(&m));
	if (stun_find(&m, STUN_UNKNOWN_ATTRIBUTES, &a) == 0 && a.len >= 2)
		printf(" unknown=%02x%02x", a.value[0], a.value[1]);
	put_addr(&m, STUN_XOR_MAPPED_ADDRESS, "xor");
	put_addr(&m, STUN_MAPPED_ADDRESS, "mapped");
	put_addr(&m, STUN_RESPONSE_ORIGIN, "origin");
	put_addr(&m, STUN_OTHER_ADDRESS, "other");
	put_addr(&m, STUN_SOURCE_ADDRESS, "source");
	put_addr(&m, STUN_CHANGED_ADDRESS, "changed");
	if (stun_find(&m, STUN_PADDING, &a) == 0)
		printf(" padding=%u", a.len);
	if (m.fingerprint)
		printf(" fingerprint=yes");
	printf(" sent=%zu got=%zu\n", k->len, len);
}

static int
by_udp(struct ask *k)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&k->server, &ss);
	uint64_t end = now_ms() + (uint64_t)k->wait_ms, now;
	struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};
	struct addr from;
	ssize_t n;

	if (sendto(k->fd, k->request, k->len, 0, (struct sockaddr *)&ss, len) ==
	    -1)
		fail("sendto");
	p[0].fd = k->fd;
	p[1].fd = k->other;
	now = now_ms();
	if (poll(p, 2, now < end ? (int)(end - now) : 0) <= 0)
		return 1;
	len = sizeof(ss);
	n = recvfrom(p[0].revents ? k->fd : k->other, k->answer, BUFFER, 0,
	    (struct sockaddr *)&ss, &len);
	if (n < 0)
		return 1;
	addr_from_sockaddr(&from, (struct sockaddr *)&ss);
	print(k, (size_t)n, &from, p[0].revents == 0);
	return 0;
}

/* Reads up to len bytes. Returns how many came before an end or the time. */
static size_t
read_all(struct ask *k, uint8_t *out, size_t len)
{
	struct pollfd p = {.fd = k->fd, .events = POLLIN};
	size_t done = 0;
	ssize_t n;

	while (done < len && poll(&p, 1, k->wait_ms) == 1) {
		n = recv(k->fd, out + done, len - done, 0);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static int
by_tcp(struct ask *k)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&k->server, &ss);
	size_t body;

	if (connect(k->fd, (struct sockaddr *)&ss, len) == -1)
		return 1;
	for (int i = 0; i < k->n; i++)
		if (send(k->fd, k->request, k->len, MSG_NOSIGNAL) == -1)
			return 1;
	for (int i = 0; i < k->n; i++) {
		if (read_all(k, k->answer, 20) < 20)
			return 1;
		body = (size_t)k->answer[2] << 8 | k->answer[3];
		if (read_all(k, k->answer + 20, body) < body)
			return 1;
		print(k, 20 + body, &k->server, false);
	}
	return 0;
}

static void
options(struct ask *k, int argc, char **argv)
{
	int ch;

	while ((ch = getopt(argc, argv, "a:Cc:Fi:n:p:r:s:tw:")) != -1) {
		unsigned long v =
		    optarg ? strtoul(optarg, NULL, ch == 'a' ? 16 : 10) : 0;

		switch (ch) {
		case 'a':
			k->attr = (unsigned int)v;
			break;
		case 'C':
			k->classic = true;
			break;
		case 'c':
			k->change = true;
			k->flags = (uint32_t)v;
			break;
		case 'F':
			k->fingerprint = true;
			break;
		case 'i':
			if (addr_parse_ip(&k->own, optarg, 0) != 0)
				exit(100);
			break;
		case 'n':
			k->n = (int)v;
			break;
		case 'p':
			k->pad = true;
			k->padding = v;
			break;
		case 'r':
			k->port_form = v;
			break;
		case 's':
			k->software = v;
			break;
		case 't':
			k->tcp = true;
			break;
		case 'w':
			k->wait_ms = (int)v;
			break;
		default:
			exit(100);
		}
	}
	if (k->padding > BUFFER - 100 || k->software > BUFFER - 100 ||
	    k->port_form > 4 || argc - optind != 1 ||
	    addr_parse(&k->server, argv[optind]) != 0)
		exit(100);
}

int
main(int argc, char **argv)
{
	static struct ask k = {.wait_ms = 3000, .n = 1, .other = -1};
	uint16_t port;

	if (sodium_init() == -1)
		return 101;
	options(&k, argc, argv);
	k.fd = bound(&k, &port);
	build(&k);
	return k.tcp ? by_tcp(&k) : by_udp(&k);
}

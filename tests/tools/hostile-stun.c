/* SPDX-License-Identifier: ISC */
/* hostile-stun [-r] [-w]: a STUN server on loopback as an attacker or a broken
 * program would be. Prints its port, then answers every Binding request with
 * forgeries, and at last with the truth, unless -w (withhold it). A forgery
 * says 203.0.113.66; so does nobody else. -r: the last answer is an error
 * response. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "stun.h"

#define HUGE_LEN 60000

struct hostile {
	int fd;
	int other; /* another port of this host */
	struct sockaddr_storage peer;
	socklen_t peer_len;
};

static void
say(struct hostile *h, int fd, const void *data, size_t len)
{
	if (sendto(fd, data, len, 0, (struct sockaddr *)&h->peer,
		h->peer_len) == -1)
		perror("hostile-stun: sendto");
}

static int
udp(uint16_t *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1) {
		perror("hostile-stun: socket");
		exit(111);
	}
	*port = ntohs(sin.sin_port);
	return fd;
}

static size_t
success(uint8_t out[STUN_MAX], const uint8_t *tid, const struct addr *mapped)
{
	struct stun_buf b;

	stun_begin(&b, out, STUN_MAX, STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, mapped);
	return (size_t)stun_end(&b, false);
}

static void
lies(struct hostile *h, const struct stun_msg *request)
{
	static uint8_t huge[HUGE_LEN];
	uint8_t out[STUN_MAX], tid[STUN_TID_LEN];
	struct stun_buf b;
	struct addr lie;
	size_t len = 0;

	addr_parse(&lie, "203.0.113.66:6666");
	/* the wrong transaction id */
	memcpy(tid, request->tid, STUN_TID_LEN);
	tid[11] ^= 1;
	len = success(out, tid, &lie);
	say(h, h->fd, out, len);
	/* the right one from a wrong port */
	len = success(out, request->tid, &lie);
	say(h, h->other, out, len);
	/* truncated everywhere, the empty datagram included */
	for (size_t cut = 0; cut < len; cut++)
		say(h, h->fd, out, cut);
	/* an attribute that runs over the end */
	out[23] = 0xff;
	say(h, h->fd, out, len);
	/* the wrong class, the wrong method */
	stun_begin(
	    &b, out, STUN_MAX, STUN_BINDING, STUN_INDICATION, request->tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &lie);
	say(h, h->fd, out, (size_t)stun_end(&b, false));
	stun_begin(
	    &b, out, STUN_MAX, NATKIT_SESSION, STUN_SUCCESS, request->tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &lie);
	say(h, h->fd, out, (size_t)stun_end(&b, false));
	/* a wrong FINGERPRINT */
	stun_begin(&b, out, STUN_MAX, STUN_BINDING, STUN_SUCCESS, request->tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &lie);
	len = (size_t)stun_end(&b, true);
	out[len - 1] ^= 1;
	say(h, h->fd, out, len);
	/* a mapping to port 0, an attribute that must be understood */
	lie.port = 0;
	len = success(out, request->tid, &lie);
	say(h, h->fd, out, len);
	lie.port = 6666;
	stun_begin(&b, out, STUN_MAX, STUN_BINDING, STUN_SUCCESS, request->tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &lie);
	stun_put_u32(&b, 0x7fff, 1);
	say(h, h->fd, out, (size_t)stun_end(&b, false));
	/* huge, and a right start with a huge end */
	memset(huge, 0x5a, sizeof(huge));
	say(h, h->fd, huge, sizeof(huge));
	success(huge, request->tid, &lie);
	say(h, h->fd, huge, sizeof(huge));
	/* our own request */
	say(h, h->fd, request->raw, request->len);
	say(h, h->fd, "garbage\n", 8);
}

static void
truth(struct hostile *h, const struct stun_msg *request)
{
	uint8_t out[STUN_MAX];
	struct addr mapped;

	addr_from_sockaddr(&mapped, (struct sockaddr *)&h->peer);
	say(h, h->fd, out, success(out, request->tid, &mapped));
}

static void
refusal(struct hostile *h, const struct stun_msg *request)
{
	uint8_t out[STUN_MAX];
	struct stun_buf b;

	stun_begin(&b, out, STUN_MAX, STUN_BINDING, STUN_ERROR, request->tid);
	stun_put_error(&b, 500, "Server Error");
	say(h, h->fd, out, (size_t)stun_end(&b, false));
}

int
main(int argc, char *argv[])
{
	struct hostile h = {0};
	bool withhold = false, refuse = false;
	uint8_t in[STUN_MAX];
	struct stun_msg m;
	uint16_t port = 0, other = 0;
	int ch = 0;

	while ((ch = getopt(argc, argv, "rw")) != -1) {
		if (ch == 'r')
			refuse = true;
		else if (ch == 'w')
			withhold = true;
		else
			return 100;
	}
	h.fd = udp(&port);
	h.other = udp(&other);
	printf("%u\n", port);
	fflush(stdout);
	for (;;) {
		ssize_t n = 0;

		h.peer_len = sizeof(h.peer);
		n = recvfrom(h.fd, in, sizeof(in), 0,
		    (struct sockaddr *)&h.peer, &h.peer_len);
		if (n < 0 || stun_parse(&m, in, (size_t)n) != 0)
			continue;
		lies(&h, &m);
		if (refuse)
			refusal(&h, &m);
		else if (!withhold)
			truth(&h, &m);
	}
}

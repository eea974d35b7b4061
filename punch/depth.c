/* SPDX-License-Identifier: ISC */
/* How many NATs stand before this host? */
#include "depth.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/errqueue.h>

/* As traceroute: nobody listens there. Tells the hops apart in answers. */
#define PORT 33434
#define ICMP_TIME_EXCEEDED 11

unsigned
depth_of(const struct addr hop[DEPTH_HOPS])
{
	unsigned i, unknown = 0;

	for (i = 0; i < DEPTH_HOPS; i++) {
		if (hop[i].family == ADDR_NONE)
			unknown++;
		else if (addr_is_public4(&hop[i]))
			break;
	}
	/* A silent first hop before a public second one is the one NAT. */
	if (unknown > 0 && !(unknown == 1 && i == 1))
		return 0;
	return i == 0 ? 1 : i;
}

int
depth_open(void)
{
	int on = 1;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd == -1)
		return -errno;
	if (setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) == 0)
		return fd;
	err = errno;
	close(fd);
	return -err;
}

void
depth_ask(int fd, const struct addr *to)
{
	struct sockaddr_storage ss;
	struct addr a = *to;

	for (int i = 0; i < DEPTH_HOPS; i++) {
		int ttl = i + 1;
		socklen_t len;

		a.port = (uint16_t)(PORT + i);
		len = addr_to_sockaddr(&a, &ss);
		if (setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) != 0)
			continue;
		/* The answer of the hop before fails one send in its place. */
		for (int tries = 0; tries < 3; tries++)
			if (sendto(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL,
				(struct sockaddr *)&ss, len) == 0)
				break;
	}
}

/* The hop is the one that sent the ICMP error (RFC 792, type 11). */
static int
offender(struct msghdr *mh, struct addr *hop)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL;
	     c = CMSG_NXTHDR(mh, c)) {
		struct {
			struct sock_extended_err err;
			struct sockaddr_in from;
		} e;

		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR ||
		    c->cmsg_len < CMSG_LEN(sizeof(e)))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		if (e.err.ee_origin == SO_EE_ORIGIN_ICMP &&
		    e.err.ee_type == ICMP_TIME_EXCEEDED)
			return addr_from_sockaddr(
			    hop, (struct sockaddr *)&e.from);
	}
	return -ENOMSG;
}

int
depth_read(int fd, struct addr *hop)
{
	union {
		char buf[256];
		struct cmsghdr align;
	} control;
	char data[64];
	struct sockaddr_in to = {.sin_family = AF_UNSPEC};
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr mh = {
	    .msg_name = &to,
	    .msg_namelen = sizeof(to),
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof(control.buf),
	};
	int i;

	if (recvmsg(fd, &mh, MSG_ERRQUEUE | MSG_DONTWAIT) == -1) {
		/* Nobody is to write to this socket: away with it. */
		if (recv(fd, data, sizeof(data), MSG_DONTWAIT) == -1 &&
		    errno == EAGAIN)
			return -EAGAIN;
		return -ENOMSG;
	}
	i = ntohs(to.sin_port) - PORT;
	if (to.sin_family != AF_INET || i < 0 || i >= DEPTH_HOPS ||
	    offender(&mh, hop) != 0)
		return -ENOMSG;
	return i;
}

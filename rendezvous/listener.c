/* SPDX-License-Identifier: ISC */
/* The server's UDP sockets, in batches; see ip(7), ipv6(7), RFC 3542. */
#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stun.h"

#define BUFFER_LEN (STUN_MAX + 1) /* one more: too long is seen as such */
#define SOCKET_BUFFER (4 << 20)	  /* bytes, if the system lets us */
#define CONTROL_LEN CMSG_SPACE(sizeof(struct in6_pktinfo))

struct packet {
	struct sockaddr_storage remote;
	struct iovec iov;
	_Alignas(struct cmsghdr) char control[CONTROL_LEN];
	uint8_t data[BUFFER_LEN];
};

struct listener {
	int fd;
	uint8_t index;
	struct addr addr;
	uint64_t lost;
	unsigned int queued;
	struct mmsghdr in_hdr[LISTENER_BATCH], out_hdr[LISTENER_BATCH];
	struct packet in[LISTENER_BATCH], out[LISTENER_BATCH];
};

static int
set_options(int fd, int family)
{
	int on = 1, size = SOCKET_BUFFER;
	int omit4 = IP_PMTUDISC_OMIT, omit6 = IPV6_PMTUDISC_OMIT;

	/* Good to have, no more: bigger buffers, and no path MTU that a forged
	 * ICMP message could lower (all we send has at most STUN_MAX bytes) */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ==
	    -1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ==
	    -1)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (family == ADDR_V4)
		setsockopt(
		    fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit4, sizeof(omit4));
	else
		setsockopt(
		    fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &omit6, sizeof(omit6));
	if (family == ADDR_V4)
		return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		return -1;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

static void
prepare(struct mmsghdr *hdr, struct packet *p)
{
	p->iov.iov_base = p->data;
	hdr->msg_hdr.msg_name = &p->remote;
	hdr->msg_hdr.msg_iov = &p->iov;
	hdr->msg_hdr.msg_iovlen = 1;
	hdr->msg_hdr.msg_control = p->control;
}

int
listener_open(struct listener **out, const struct addr *at, uint8_t index)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);
	int rc;

	if (l == NULL)
		return -ENOMEM;
	l->index = index;
	l->fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    IPPROTO_UDP);
	if (l->fd == -1 || set_options(l->fd, at->family) == -1 ||
	    bind(l->fd, (struct sockaddr *)&ss, len) == -1)
		goto fail;
	len = sizeof(ss);
	if (getsockname(l->fd, (struct sockaddr *)&ss, &len) == -1)
		goto fail;
	addr_from_sockaddr(&l->addr, (struct sockaddr *)&ss);
	for (int i = 0; i < LISTENER_BATCH; i++) {
		prepare(&l->in_hdr[i], &l->in[i]);
		prepare(&l->out_hdr[i], &l->out[i]);
	}
	*out = l;
	return 0;
fail:
	rc = -errno;
	if (l->fd != -1)
		close(l->fd);
	free(l);
	return rc;
}

void
listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	close(l->fd);
	free(l);
}

int
listener_fd(const struct listener *l)
{
	return l->fd;
}

const struct addr *
listener_addr(const struct listener *l)
{
	return &l->addr;
}

uint64_t
listener_lost(const struct listener *l)
{
	return l->lost;
}

/* The address that was asked, from the control message. */
static void
read_local(const struct listener *l, struct msghdr *mh, struct path *out)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(mh);
	struct in6_pktinfo six;
	struct in_pktinfo four;

	out->local.port = l->addr.port;
	if (c == NULL)
		return;
	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&four, CMSG_DATA(c), sizeof(four));
		out->local.family = ADDR_V4;
		memcpy(out->local.ip, &four.ipi_addr, 4);
	} else if (c->cmsg_level == IPPROTO_IPV6 &&
		   c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&six, CMSG_DATA(c), sizeof(six));
		out->local.family = ADDR_V6;
		memcpy(out->local.ip, &six.ipi6_addr, 16);
		if (addr_is_link_local(&out->remote))
			out->scope = six.ipi6_ifindex;
	}
}

int
listener_read(struct listener *l, listener_fn *fn, void *arg)
{
	int n;

	for (int i = 0; i < LISTENER_BATCH; i++) {
		struct msghdr *mh = &l->in_hdr[i].msg_hdr;

		mh->msg_namelen = sizeof(l->in[i].remote);
		mh->msg_controllen = sizeof(l->in[i].control);
		l->in[i].iov.iov_len = BUFFER_LEN;
	}
	n = recvmmsg(l->fd, l->in_hdr, LISTENER_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct path from = {.socket = l->index};

		if (addr_from_sockaddr(
			&from.remote, (struct sockaddr *)&l->in[i].remote) != 0)
			continue;
		read_local(l, &l->in_hdr[i].msg_hdr, &from);
		fn(arg, &from, l->in[i].data, l->in_hdr[i].msg_len);
	}
	return n < 0 ? 0 : n;
}

/* The source address of a queued datagram. */
static void
put_local(struct msghdr *mh, struct packet *p, const struct path *to)
{
	struct in6_pktinfo six = {.ipi6_ifindex = to->scope};
	struct in_pktinfo four = {.ipi_ifindex = 0};
	struct cmsghdr *c;
	bool v6 = to->local.family == ADDR_V6;
	size_t len = v6 ? sizeof(six) : sizeof(four);

	memcpy(&six.ipi6_addr, to->local.ip, 16);
	memcpy(&four.ipi_spec_dst, to->local.ip, 4);
	memset(p->control, 0, sizeof(p->control));
	mh->msg_control = p->control;
	mh->msg_controllen = CMSG_SPACE(len);
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = v6 ? IPV6_PKTINFO : IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), v6 ? (void *)&six : (void *)&four, len);
}

void
listener_send(
    struct listener *l, const struct path *to, const void *data, size_t len)
{
	struct sockaddr_in6 *six;
	struct packet *p;
	struct msghdr *mh;

	if (len > STUN_MAX)
		return;
	if (l->queued == LISTENER_BATCH)
		listener_flush(l);
	p = &l->out[l->queued];
	mh = &l->out_hdr[l->queued].msg_hdr;
	mh->msg_namelen = addr_to_sockaddr(&to->remote, &p->remote);
	if (to->scope != 0 && to->remote.family == ADDR_V6) {
		six = (struct sockaddr_in6 *)&p->remote;
		six->sin6_scope_id = to->scope;
	}
	mh->msg_control = NULL;
	mh->msg_controllen = 0;
	if (to->local.family == to->remote.family)
		put_local(mh, p, to);
	memcpy(p->data, data, len);
	p->iov.iov_len = len;
	l->queued++;
}

void
listener_flush(struct listener *l)
{
	unsigned int done = 0;

	while (done < l->queued) {
		int n = sendmmsg(l->fd, l->out_hdr + done, l->queued - done,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			done += (unsigned int)n;
			continue;
		}
		/* the first one could not be sent, and is lost as on any
		 * network; those behind it may go elsewhere */
		if (errno != EINTR) {
			l->lost++;
			done++;
		}
	}
	l->queued = 0;
}

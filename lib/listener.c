/* SPDX-License-Identifier: ISC */
/* A server's UDP sockets, in batches; see ip(7), ipv6(7), RFC 3542. */
#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_BUFFER (4 << 20) /* bytes, if the system lets us */
#define CONTROL_LEN CMSG_SPACE(sizeof(struct in6_pktinfo))

struct packet {
	struct sockaddr_storage remote;
	struct iovec iov;
	_Alignas(struct cmsghdr) char control[CONTROL_LEN];
};

struct listener {
	int fd;
	uint8_t index;
	bool wild; /* bound to no one address: packets have to name it */
	size_t max;
	struct addr addr;
	uint64_t lost;
	unsigned int queued;
	struct mmsghdr in_hdr[LISTENER_BATCH], out_hdr[LISTENER_BATCH];
	struct packet in[LISTENER_BATCH], out[LISTENER_BATCH];
	uint8_t data[]; /* of all packets */
};

/* Good to have, no more: bigger buffers, and no path MTU that a forged ICMP
 * message could lower (what is longer leaves in fragments). */
static void
set_preferences(int fd, int family)
{
	int size = SOCKET_BUFFER;
	int omit4 = IP_PMTUDISC_OMIT, omit6 = IPV6_PMTUDISC_OMIT;

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
}

/* A socket at one address needs no word about it in every packet. */
static int
set_options(int fd, const struct listener_config *config)
{
	int on = 1;
	bool wild = addr_is_any(&config->at);

	set_preferences(fd, config->at.family);
	if (config->shared &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1)
		return -1;
	if (config->at.family == ADDR_V6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		return -1;
	if (!wild)
		return 0;
	if (config->at.family == ADDR_V4)
		return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

static void
prepare(struct mmsghdr *hdr, struct packet *p, uint8_t *data)
{
	p->iov.iov_base = data;
	hdr->msg_hdr.msg_name = &p->remote;
	hdr->msg_hdr.msg_iov = &p->iov;
	hdr->msg_hdr.msg_iovlen = 1;
	hdr->msg_hdr.msg_control = p->control;
}

static struct listener *
make(const struct listener_config *config)
{
	size_t each = config->max + 1; /* too long is seen as such */
	struct listener *l = calloc(1, sizeof(*l) + 2 * LISTENER_BATCH * each);

	if (l == NULL)
		return NULL;
	l->index = config->index;
	l->wild = addr_is_any(&config->at);
	l->max = config->max;
	for (size_t i = 0; i < LISTENER_BATCH; i++) {
		prepare(&l->in_hdr[i], &l->in[i], l->data + 2 * i * each);
		prepare(
		    &l->out_hdr[i], &l->out[i], l->data + (2 * i + 1) * each);
	}
	return l;
}

int
listener_open(struct listener **out, const struct listener_config *config)
{
	struct listener *l = make(config);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&config->at, &ss);
	int rc;

	if (l == NULL)
		return -ENOMEM;
	l->fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    IPPROTO_UDP);
	if (l->fd == -1 || set_options(l->fd, config) == -1 ||
	    bind(l->fd, (struct sockaddr *)&ss, len) == -1)
		goto fail;
	len = sizeof(ss);
	if (getsockname(l->fd, (struct sockaddr *)&ss, &len) == -1)
		goto fail;
	addr_from_sockaddr(&l->addr, (struct sockaddr *)&ss);
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

/* The address that was asked: the socket's own, or what the control message
 * says. */
static void
read_local(const struct listener *l, struct msghdr *mh, struct path *out)
{
	struct cmsghdr *c = l->wild ? CMSG_FIRSTHDR(mh) : NULL;
	struct in6_pktinfo six;
	struct in_pktinfo four;

	out->local = l->addr;
	if (c == NULL)
		return;
	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&four, CMSG_DATA(c), sizeof(four));
		memcpy(out->local.ip, &four.ipi_addr, 4);
	} else if (c->cmsg_level == IPPROTO_IPV6 &&
		   c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&six, CMSG_DATA(c), sizeof(six));
		memcpy(out->local.ip, &six.ipi6_addr, 16);
	}
}

static int
read_remote(const struct packet *p, struct path *out)
{
	if (p->remote.ss_family == AF_INET6)
		/* 0 unless the address is link-local */
		out->scope =
		    ((const struct sockaddr_in6 *)&p->remote)->sin6_scope_id;
	return addr_from_sockaddr(
	    &out->remote, (const struct sockaddr *)&p->remote);
}

int
listener_read(struct listener *l, listener_fn *fn, void *arg)
{
	int n;

	for (int i = 0; i < LISTENER_BATCH; i++) {
		struct msghdr *mh = &l->in_hdr[i].msg_hdr;

		mh->msg_namelen = sizeof(l->in[i].remote);
		mh->msg_controllen = sizeof(l->in[i].control);
		l->in[i].iov.iov_len = l->max + 1;
	}
	n = recvmmsg(l->fd, l->in_hdr, LISTENER_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct path from = {.socket = l->index};

		if (read_remote(&l->in[i], &from) != 0)
			continue;
		read_local(l, &l->in_hdr[i].msg_hdr, &from);
		fn(arg, &from, l->in[i].iov.iov_base, l->in_hdr[i].msg_len);
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

uint8_t *
listener_space(struct listener *l)
{
	if (l->queued == LISTENER_BATCH)
		listener_flush(l);
	return l->out[l->queued].iov.iov_base;
}

void
listener_queue(struct listener *l, const struct path *to, size_t len)
{
	struct packet *p = &l->out[l->queued];
	struct msghdr *mh = &l->out_hdr[l->queued].msg_hdr;
	struct sockaddr_in6 *six;

	mh->msg_namelen = addr_to_sockaddr(&to->remote, &p->remote);
	if (to->scope != 0 && to->remote.family == ADDR_V6) {
		six = (struct sockaddr_in6 *)&p->remote;
		six->sin6_scope_id = to->scope;
	}
	mh->msg_control = NULL;
	mh->msg_controllen = 0;
	if (l->wild && to->local.family == to->remote.family &&
	    !addr_is_any(&to->local))
		put_local(mh, p, to);
	p->iov.iov_len = len;
	l->queued++;
}

void
listener_send(
    struct listener *l, const struct path *to, const void *data, size_t len)
{
	if (len > l->max)
		return;
	memcpy(listener_space(l), data, len);
	listener_queue(l, to, len);
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

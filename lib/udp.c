/* SPDX-License-Identifier: ISC */
/* Datagram sockets that tell and take, per packet, the local address and the
 * TTL (RFC 3542 for IPv6, ip(7) for IPv4). UDP and raw sockets alike. */
#include "udp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Room for one pktinfo and one TTL of either family. */
union control {
	struct cmsghdr align;
	char buf[UDP_INFO_SPACE];
};

static int
option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == -1 ? -errno
									: 0;
}

int
udp_want_info(int fd, int family)
{
	int r;

	if (family == ADDR_V6) {
		r = option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
		if (r < 0)
			return r;
		return option(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	}
	r = option(fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (r < 0)
		return r;
	return option(fd, IPPROTO_IP, IP_RECVTTL, 1);
}

int
udp_bind(int family, uint16_t port, uint32_t mark)
{
	struct addr any = {.family = (uint8_t)family, .port = port};
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&any, &ss);
	int r = 0;
	int fd = socket(family == ADDR_V6 ? AF_INET6 : AF_INET,
	    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	if (family == ADDR_V6)
		r = option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (r == 0 && mark != 0)
		r = option(fd, SOL_SOCKET, SO_MARK, (int)mark);
	if (r == 0)
		r = udp_want_info(fd, family);
	if (r == 0 && bind(fd, (struct sockaddr *)&ss, len) == -1)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int
udp_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;
	int r;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return -errno;
	r = addr_from_sockaddr(&a, (struct sockaddr *)&ss);
	return r < 0 ? r : a.port;
}

/* Fills the control message at the end of the buffer used so far. */
static void
add_control(
    struct msghdr *mh, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c =
	    (struct cmsghdr *)((char *)mh->msg_control + mh->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	mh->msg_controllen += CMSG_SPACE(len);
}

static void
add_source(struct msghdr *mh, const struct addr *local)
{
	if (local->family == ADDR_V6) {
		struct in6_pktinfo info = {.ipi6_ifindex = 0};

		memcpy(&info.ipi6_addr, local->ip, 16);
		add_control(
		    mh, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	} else {
		struct in_pktinfo info = {.ipi_ifindex = 0};

		memcpy(&info.ipi_spec_dst, local->ip, 4);
		add_control(mh, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
}

int
udp_send(int fd, const struct addr *remote, const struct addr *local, int ttl,
    const struct iovec *iov, size_t n)
{
	struct sockaddr_storage ss;
	union control control;
	struct msghdr mh = {
	    .msg_name = &ss,
	    .msg_iov = (struct iovec *)iov,
	    .msg_iovlen = n,
	    .msg_control = control.buf,
	};
	bool v6 = remote->family == ADDR_V6;

	if (ttl < 0 || ttl > 255)
		return -EINVAL;
	memset(&control, 0, sizeof(control));
	mh.msg_namelen = addr_to_sockaddr(remote, &ss);
	if (mh.msg_namelen == 0)
		return -EINVAL;
	if (local != NULL && local->family != ADDR_NONE) {
		if (local->family != remote->family)
			return -EINVAL;
		add_source(&mh, local);
	}
	if (ttl != 0)
		add_control(&mh, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		    v6 ? IPV6_HOPLIMIT : IP_TTL, &ttl, sizeof(ttl));
	if (mh.msg_controllen == 0)
		mh.msg_control = NULL;
	if (sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		return -errno;
	return 0;
}

void
udp_read_info(struct msghdr *mh, struct udp_info *info)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		const unsigned char *data = CMSG_DATA(c);

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			info->local.family = ADDR_V4;
			memcpy(info->local.ip,
			    data + offsetof(struct in_pktinfo, ipi_addr), 4);
			memcpy(&info->interface,
			    data + offsetof(struct in_pktinfo, ipi_ifindex),
			    sizeof(info->interface));
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			info->local.family = ADDR_V6;
			memcpy(info->local.ip, data, 16);
			memcpy(&info->interface,
			    data + offsetof(struct in6_pktinfo, ipi6_ifindex),
			    sizeof(info->interface));
		} else if ((c->cmsg_level == IPPROTO_IP &&
			       c->cmsg_type == IP_TTL) ||
			   (c->cmsg_level == IPPROTO_IPV6 &&
			       c->cmsg_type == IPV6_HOPLIMIT)) {
			memcpy(&info->ttl, data, sizeof(info->ttl));
		}
	}
}

int
udp_recv(int fd, void *buf, size_t cap, struct udp_info *info)
{
	struct sockaddr_storage ss;
	struct iovec iov = {.iov_base = buf, .iov_len = cap};
	union control control;
	struct msghdr mh = {
	    .msg_name = &ss,
	    .msg_namelen = sizeof(ss),
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof(control.buf),
	};
	ssize_t n = recvmsg(fd, &mh, MSG_DONTWAIT);

	memset(info, 0, sizeof(*info));
	if (n == -1)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (mh.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (addr_from_sockaddr(&info->remote, (struct sockaddr *)&ss) < 0)
		return -EPROTONOSUPPORT;
	udp_read_info(&mh, info);
	return (int)n;
}

/* SPDX-License-Identifier: ISC */
/* The client's end of a lent port: a port socket, or UDP sockets of its own,
 * behind one set of calls. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "port.h"
#include "stun.h"
#include "udp.h"
#include "unixsocket.h"

#define CONNECT_MS 2000
/* Junk that one call skips before it lets the event loop turn. */
#define SKIP_MAX 32
/* Tries to find a port number that is free in both families. */
#define BIND_TRIES 16

struct port {
	int unix_fd;   /* the port socket, or -1 */
	int udp_fd[2]; /* own sockets, IPv4 and IPv6, or -1 */
	uint16_t number;
	bool v4, v6;
	unsigned int turn; /* which of udp_fd is read first */
};

static struct port *
port_new(void)
{
	struct port *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->unix_fd = p->udp_fd[0] = p->udp_fd[1] = -1;
	return p;
}

void
port_free(struct port *p)
{
	int i;

	if (p == NULL)
		return;
	if (p->unix_fd != -1)
		close(p->unix_fd);
	for (i = 0; i < 2; i++)
		if (p->udp_fd[i] != -1)
			close(p->udp_fd[i]);
	free(p);
}

static long
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Connects within CONNECT_MS, also when the listener's backlog is full. */
static int
open_path(const char *path)
{
	struct sockaddr_un sun;
	struct timeval wait = {.tv_sec = CONNECT_MS / 1000};
	int fd, r = unixsocket_name(&sun, path);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ==
		-1 ||
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
		r = errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* nat-port answers a connection with a HELLO, or with why it refuses. */
static int
take_hello(struct port *p)
{
	uint8_t buf[PORT_MAX];
	struct port_msg m;
	ssize_t n = recv(p->unix_fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n == -1)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return -ECONNREFUSED;
	if (port_decode(&m, buf, (size_t)n) < 0)
		return -EPROTO;
	if (m.op == PORT_ERROR)
		return m.error == PORT_E_DENIED ? -EACCES : -EBUSY;
	if (m.op != PORT_HELLO || m.local.port == 0)
		return -EPROTO;
	p->number = m.local.port;
	p->v4 = m.remote.family != ADDR_V6;
	p->v6 = m.remote.family != ADDR_V4;
	return 0;
}

static int
wait_hello(struct port *p)
{
	long end = clock_ms() + CONNECT_MS, left;
	int r = -EAGAIN;

	while (r == -EAGAIN) {
		struct pollfd pfd = {.fd = p->unix_fd, .events = POLLIN};

		left = end - clock_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&pfd, 1, (int)left) > 0)
			r = take_hello(p);
	}
	return r;
}

int
port_connect(struct port **out, const char *path)
{
	struct port *p = port_new();
	int r;

	if (p == NULL)
		return -ENOMEM;
	r = open_path(path);
	if (r >= 0) {
		p->unix_fd = r;
		r = wait_hello(p);
	}
	if (r < 0) {
		port_free(p);
		return r;
	}
	*out = p;
	return 0;
}

static bool
is_absent(int r)
{
	return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL;
}

/* One number in both families. -EADDRINUSE when the number that IPv4 got is
 * taken in IPv6: worth another try when any will do. */
static int
bind_both(struct port *p, uint16_t port)
{
	int r4 = udp_bind(ADDR_V4, port, 0), r6, r;

	if (r4 < 0 && !is_absent(r4))
		return r4;
	p->udp_fd[0] = r4 >= 0 ? r4 : -1;
	if (r4 >= 0 && port == 0) {
		r = udp_port(r4);
		if (r < 0)
			return r;
		port = (uint16_t)r;
	}
	r6 = udp_bind(ADDR_V6, port, 0);
	if (r6 < 0 && (!is_absent(r6) || r4 < 0))
		return r6;
	p->udp_fd[1] = r6 >= 0 ? r6 : -1;
	r = udp_port(r4 >= 0 ? r4 : r6);
	if (r < 0)
		return r;
	p->number = (uint16_t)r;
	p->v4 = r4 >= 0;
	p->v6 = r6 >= 0;
	return 0;
}

int
port_bind(struct port **out, uint16_t port)
{
	struct port *p = NULL;
	int i, r = -EADDRINUSE;

	for (i = 0; i < BIND_TRIES && r == -EADDRINUSE; i++) {
		port_free(p);
		p = port_new();
		if (p == NULL)
			return -ENOMEM;
		r = bind_both(p, port);
		if (port != 0)
			break;
	}
	if (r < 0) {
		port_free(p);
		return r;
	}
	*out = p;
	return 0;
}

uint16_t
port_number(const struct port *p)
{
	return p->number;
}

bool
port_has_family(const struct port *p, int family)
{
	return family == ADDR_V4 ? p->v4 : family == ADDR_V6 && p->v6;
}

int
port_fds(const struct port *p, int fds[2])
{
	int i, n = 0;

	if (p->unix_fd != -1)
		fds[n++] = p->unix_fd;
	for (i = 0; i < 2 && n < 2; i++)
		if (p->udp_fd[i] != -1)
			fds[n++] = p->udp_fd[i];
	return n;
}

static int
send_unix(struct port *p, const struct port_msg *m)
{
	uint8_t header[PORT_HEADER_LEN];
	struct iovec iov[2] = {
	    {.iov_base = header, .iov_len = port_encode(m, header)},
	    {.iov_base = (void *)m->payload, .iov_len = m->len},
	};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};

	if (sendmsg(p->unix_fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		return -errno;
	return 0;
}

int
port_send(struct port *p, const struct addr *remote, const struct addr *local,
    int ttl, const void *payload, size_t len)
{
	struct port_msg m = {
	    .op = PORT_DATAGRAM,
	    .ttl = (uint8_t)ttl,
	    .remote = *remote,
	    .payload = payload,
	    .len = len,
	};
	struct iovec iov = {.iov_base = (void *)payload, .iov_len = len};

	if (ttl < 0 || ttl > 255 || !addr_is_sendable(remote))
		return -EINVAL;
	if (len > PORT_MAX_PAYLOAD || !stun_is_stun(payload, len))
		return -EINVAL;
	if (!port_has_family(p, remote->family))
		return -ENETUNREACH;
	if (local != NULL)
		m.local = *local;
	if (p->unix_fd != -1)
		return send_unix(p, &m);
	return udp_send(
	    p->udp_fd[remote->family == ADDR_V6], remote, local, ttl, &iov, 1);
}

/* Returns 1, 0 when there is nothing now, -EAGAIN for what is to be skipped,
 * -EPIPE at the end. */
static int
recv_unix(struct port *p, struct port_msg *out, uint8_t buf[PORT_MAX])
{
	struct iovec iov = {.iov_base = buf, .iov_len = PORT_MAX};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = recvmsg(p->unix_fd, &mh, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -EPIPE;
	if ((mh.msg_flags & MSG_TRUNC) || port_decode(out, buf, (size_t)n) < 0)
		return -EAGAIN;
	if (out->op == PORT_ERROR)
		return 1;
	return out->op == PORT_DATAGRAM && stun_is_stun(out->payload, out->len)
		   ? 1
		   : -EAGAIN;
}

static int
recv_udp(struct port *p, int fd, struct port_msg *out, uint8_t buf[PORT_MAX])
{
	struct udp_info info;
	int n = udp_recv(fd, buf, PORT_MAX_PAYLOAD, &info);

	if (n == -EAGAIN)
		return 0;
	if (n < 0 || !stun_is_stun(buf, (size_t)n) ||
	    !addr_is_sendable(&info.remote))
		return -EAGAIN;
	memset(out, 0, sizeof(*out));
	out->op = PORT_DATAGRAM;
	out->ttl = (uint8_t)info.ttl;
	out->remote = info.remote;
	out->local = info.local;
	out->local.port = p->number;
	out->payload = buf;
	out->len = (size_t)n;
	return 1;
}

int
port_recv(struct port *p, struct port_msg *out, uint8_t buf[PORT_MAX])
{
	int fds[2], n = port_fds(p, fds), i, r, empty = 0;

	for (i = 0; i < SKIP_MAX && empty < n; i++) {
		if (p->unix_fd != -1)
			r = recv_unix(p, out, buf);
		else
			r = recv_udp(p, fds[p->turn++ % (unsigned)n], out, buf);
		if (r == 1 || r == -EPIPE)
			return r;
		empty = r == 0 ? empty + 1 : 0;
	}
	return 0;
}

int
port_source_with(int fd, struct addr *out, const struct addr *remote)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(remote, &ss);
	int r;

	if (len == 0)
		return -EINVAL;
	/* An earlier answer would count as our choice of source. */
	if (connect(fd, &none, sizeof(none)) == -1)
		return -errno;
	if (connect(fd, (struct sockaddr *)&ss, len) == -1)
		return -errno;
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return -errno;
	r = addr_from_sockaddr(out, (struct sockaddr *)&ss);
	if (r == 0)
		out->port = 0;
	return r;
}

int
port_source(struct addr *out, const struct addr *remote, uint32_t fwmark)
{
	int r = 0;
	int fd = socket(remote->family == ADDR_V6 ? AF_INET6 : AF_INET,
	    SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	if (fwmark != 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &fwmark, sizeof(fwmark)) == -1)
		r = -errno;
	if (r == 0)
		r = port_source_with(fd, out, remote);
	close(fd);
	return r;
}

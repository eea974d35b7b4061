/* SPDX-License-Identifier: ISC */
/* The lending side of a port socket (lib/port.h): a Unix SEQPACKET listener
 * and its clients, in fixed memory. No call ever waits for a client. */
#include "lend.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unixsocket.h"

static int
open_socket(void)
{
	int fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd == -1 ? -errno : fd;
}

/* Does somebody listen there? Returns 0 when the socket is stale. */
static int
check_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	int r, fd;

	if (lstat(sun->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = open_socket();
	if (fd < 0)
		return fd;
	r = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	r = r == -1 ? -errno : 0;
	close(fd);
	if (r == -ECONNREFUSED || r == -ENOENT)
		return 0;
	return r == -EACCES ? r : -EADDRINUSE;
}

/* bind comes first, so that a socket which nobody disputes is never touched */
static int
listen_path(int fd, const struct sockaddr_un *sun)
{
	int r = unixsocket_bind(fd, sun);

	if (r == -EADDRINUSE) {
		r = check_stale(sun);
		if (r < 0)
			return r;
		if (unlink(sun->sun_path) == -1 && errno != ENOENT)
			return -errno;
		r = unixsocket_bind(fd, sun);
	}
	if (r < 0)
		return r;
	return listen(fd, LEND_CLIENTS) == -1 ? -errno : 0;
}

int
lend_open(struct lend *l, const char *path, uid_t owner, uid_t user)
{
	struct sockaddr_un sun;
	int i, r;

	memset(l, 0, sizeof(*l));
	l->fd = -1;
	for (i = 0; i < LEND_CLIENTS; i++)
		l->client[i].fd = -1;
	r = unixsocket_name(&sun, path);
	if (r < 0)
		return r;
	l->uid[0] = owner;
	l->uid[1] = user;
	l->fd = open_socket();
	if (l->fd < 0)
		return l->fd;
	r = listen_path(l->fd, &sun);
	if (r < 0) {
		close(l->fd);
		l->fd = -1;
		return r;
	}
	memcpy(l->path, sun.sun_path, sizeof(l->path));
	if (user != owner && lchown(path, user, (gid_t)-1) == -1) {
		r = -errno;
		lend_close(l);
		return r;
	}
	return 0;
}

void
lend_close(struct lend *l)
{
	int i;

	for (i = 0; i < LEND_CLIENTS; i++)
		lend_drop(l, i);
	/* After the change of user this may fail: then the next start finds a
	 * stale socket and replaces it. */
	if (l->fd != -1) {
		unlink(l->path);
		close(l->fd);
	}
	l->fd = -1;
}

void
lend_drop(struct lend *l, int client)
{
	if (l->client[client].fd != -1)
		close(l->client[client].fd);
	l->client[client] = (struct lend_client){.fd = -1};
}

/* Returns 0, or -errno: -EAGAIN when the client's queue is full. */
static int
send_msg(int fd, const struct port_msg *m)
{
	uint8_t header[PORT_HEADER_LEN];
	struct iovec iov[2] = {
	    {.iov_base = header, .iov_len = port_encode(m, header)},
	    {.iov_base = (void *)m->payload, .iov_len = m->len},
	};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};

	return sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 ? -errno : 0;
}

static int
reject(int fd, int error, int r)
{
	struct port_msg m = {.op = PORT_ERROR, .error = (uint8_t)error};

	send_msg(fd, &m);
	close(fd);
	return r;
}

static bool
is_allowed(const struct lend *l, const struct ucred *peer)
{
	return peer->uid == 0 || peer->uid == l->uid[0] ||
	       peer->uid == l->uid[1];
}

int
lend_accept(struct lend *l)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), i;

	if (fd == -1)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1 ||
	    !is_allowed(l, &peer))
		return reject(fd, PORT_E_DENIED, -EACCES);
	for (i = 0; i < LEND_CLIENTS && l->client[i].fd != -1; i++)
		;
	if (i == LEND_CLIENTS)
		return reject(fd, PORT_E_OTHER, -EBUSY);
	if (send_msg(fd, &l->hello) < 0) {
		close(fd);
		return -EPIPE;
	}
	l->client[i] = (struct lend_client){.fd = fd, .pid = peer.pid};
	return i;
}

int
lend_recv(
    struct lend *l, int client, struct port_msg *out, uint8_t buf[PORT_MAX])
{
	struct iovec iov = {.iov_base = buf, .iov_len = PORT_MAX};
	/* no room for descriptors: the kernel closes what is passed */
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = recvmsg(l->client[client].fd, &mh, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -EPIPE;
	if ((mh.msg_flags & MSG_TRUNC) || port_decode(out, buf, (size_t)n) < 0)
		return -EBADMSG;
	return out->op == PORT_DATAGRAM ? 1 : -EBADMSG;
}

void
lend_refuse(struct lend *l, int client, const struct addr *remote, int error)
{
	struct port_msg m = {.op = PORT_ERROR, .error = (uint8_t)error};

	if (remote != NULL)
		m.remote = *remote;
	if (send_msg(l->client[client].fd, &m) < 0)
		l->client[client].dropped++;
}

void
lend_all(struct lend *l, const struct port_msg *m)
{
	int i;

	for (i = 0; i < LEND_CLIENTS; i++)
		if (l->client[i].fd != -1 && send_msg(l->client[i].fd, m) < 0)
			l->client[i].dropped++;
}

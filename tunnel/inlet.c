/* SPDX-License-Identifier: ISC */
/* A listening TCP port or Unix socket. */
#include "inlet.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "bindset.h"
#include "unixsocket.h"

#define BATCH 32     /* connections of one turn of the loop */
#define PAUSE_MS 100 /* until descriptors are asked for again */

struct inlet {
	struct loop *loop;
	void (*came)(void *arg, int fd);
	void *arg;
	uint16_t port;
	struct sockaddr_un name; /* sun_path "": TCP */
	int fd[BINDSET_MAX];
	struct event *ready[BINDSET_MAX];
	size_t n;
	struct event *pause;
};

void
inlet_tune(int fd)
{
	int on = 1;

	/* not for Unix sockets, where they fail and change nothing */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void
resume_cb(evutil_socket_t fd, short events, void *arg)
{
	struct inlet *in = arg;

	(void)fd;
	(void)events;
	for (size_t i = 0; i < in->n; i++)
		event_add(in->ready[i], NULL);
}

/* The connection that can't be taken keeps the socket readable: looking again
 * at once would look for ever. */
static void
rest(struct inlet *in)
{
	for (size_t i = 0; i < in->n; i++)
		event_del(in->ready[i]);
	loop_at(in->pause, now_ms() + PAUSE_MS);
}

static bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	       error == ENOMEM;
}

static void
accept_cb(evutil_socket_t listening, short events, void *arg)
{
	struct inlet *in = arg;
	int fd;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		fd = accept4(
		    listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			inlet_tune(fd);
			in->came(in->arg, fd);
		} else if (is_shortage(errno)) {
			rest(in);
			return;
		} else if (errno == EAGAIN) {
			return;
		} /* else: that one was gone before it was taken */
	}
}

static int
add(struct inlet *in, int fd)
{
	if (listen(fd, SOMAXCONN) == -1)
		return -errno;
	in->fd[in->n] = fd;
	in->ready[in->n] =
	    loop_event(in->loop, fd, EV_READ | EV_PERSIST, accept_cb, in);
	event_add(in->ready[in->n], NULL);
	in->n++;
	return 0;
}

static int
bound_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return -errno;
	addr_from_sockaddr(&a, (struct sockaddr *)&ss);
	return a.port;
}

static int
tcp_open(void *arg, const struct sockaddr_storage *ss, socklen_t len)
{
	int on = 1, rc, fd;

	fd = socket(
	    ss->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ss->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)ss, len) == -1)
		rc = -errno;
	else if ((rc = add(arg, fd)) == 0)
		return bound_port(fd);
	close(fd);
	return rc;
}

static void
close_all(void *arg)
{
	struct inlet *in = arg;

	while (in->n > 0) {
		in->n--;
		event_free(in->ready[in->n]);
		close(in->fd[in->n]);
	}
}

static int
unix_open(struct inlet *in, const char *path)
{
	int fd, rc = unixsocket_name(&in->name, path);

	if (rc == 0)
		rc = unixsocket_remove_stale(&in->name);
	if (rc == 0) {
		fd = socket(
		    AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd == -1)
			rc = -errno;
		else if ((rc = unixsocket_bind(fd, &in->name)) != 0 ||
			 (rc = add(in, fd)) != 0)
			close(fd);
	}
	if (rc != 0)
		in->name.sun_path[0] = '\0'; /* is another's */
	return rc;
}

int
inlet_open(struct inlet **out, const struct inlet_config *c)
{
	struct inlet *in = calloc(1, sizeof(*in));
	int rc;

	if (in == NULL)
		return -ENOMEM;
	in->loop = c->loop;
	in->came = c->came;
	in->arg = c->arg;
	in->pause = loop_event(c->loop, -1, 0, resume_cb, in);
	if (c->path[0] != '\0')
		rc = unix_open(in, c->path);
	else
		rc = bindset_open(c->bind, c->port, tcp_open, close_all, in);
	if (rc < 0) {
		inlet_free(in);
		return rc;
	}
	in->port = (uint16_t)rc;
	*out = in;
	return 0;
}

void
inlet_free(struct inlet *in)
{
	if (in == NULL)
		return;
	if (in->name.sun_path[0] != '\0')
		unlink(in->name.sun_path);
	close_all(in);
	event_free(in->pause);
	free(in);
}

uint16_t
inlet_port(const struct inlet *in)
{
	return in->port;
}

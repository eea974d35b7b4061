/* SPDX-License-Identifier: ISC */
/* A seat: a UDP port on 127.0.0.1 that stands for one far peer. */
#include "seat.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

#define BATCH 64		/* datagrams before others get their turn */
#define BUFFER (1024 * 1024)	/* of the socket, as far as the system allows */
#define DATAGRAM_MAX (1u << 16) /* more than any has */

struct seat {
	int fd;
	struct event *event;
	struct addr local;
	struct addr daemon; /* ADDR_NONE: nobody yet */
	bool fixed;
	seat_fn *fn;
	void *arg;
};

/* A client program has another port each time that it starts: so who spoke last
 * is the daemon, unless it was named. */
static bool
is_daemon(struct seat *s, const struct addr *from)
{
	char a[ADDR_STRLEN], b[ADDR_STRLEN];

	if (addr_equal(&s->daemon, from))
		return true;
	if (s->fixed)
		return false;
	s->daemon = *from;
	log_info("%s is the daemon at %s", addr_format(from, a),
	    addr_format(&s->local, b));
	return true;
}

static void
read_cb(evutil_socket_t fd, short events, void *arg)
{
	static uint8_t buf[DATAGRAM_MAX];
	struct seat *s = arg;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct addr from;
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT,
		    (struct sockaddr *)&ss, &len);

		if (n == -1)
			return;
		if (addr_from_sockaddr(&from, (struct sockaddr *)&ss) == 0 &&
		    is_daemon(s, &from))
			s->fn(s->arg, buf, (size_t)n);
	}
}

static int
bind_local(struct seat *s, uint16_t port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int size = BUFFER;

	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1)
		return -errno;
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (bind(s->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    getsockname(s->fd, (struct sockaddr *)&sin, &len) == -1)
		return -errno;
	return addr_from_sockaddr(&s->local, (struct sockaddr *)&sin);
}

/* So the kernel keeps out all others, who could fill the buffer. */
static int
bind_daemon(struct seat *s, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len;

	if (port == 0)
		return 0;
	s->fixed = true;
	s->daemon = s->local;
	s->daemon.port = port;
	len = addr_to_sockaddr(&s->daemon, &ss);
	return connect(s->fd, (struct sockaddr *)&ss, len) == -1 ? -errno : 0;
}

int
seat_open(struct seat **out, struct loop *l, uint16_t port, uint16_t daemon,
    seat_fn *fn, void *arg)
{
	struct seat *s = calloc(1, sizeof(*s));
	int err = 0;

	if (s == NULL)
		return -ENOMEM;
	s->fn = fn;
	s->arg = arg;
	err = bind_local(s, port);
	if (err == 0)
		err = bind_daemon(s, daemon);
	if (err != 0) {
		if (s->fd != -1)
			close(s->fd);
		free(s);
		return err;
	}
	s->event = loop_event(l, s->fd, EV_READ | EV_PERSIST, read_cb, s);
	event_add(s->event, NULL);
	*out = s;
	return 0;
}

void
seat_free(struct seat *s)
{
	if (s == NULL)
		return;
	event_free(s->event);
	close(s->fd);
	free(s);
}

const struct addr *
seat_local(const struct seat *s)
{
	return &s->local;
}

int
seat_deliver(struct seat *s, const uint8_t *data, size_t len)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(&s->daemon, &ss);

	if (ss_len == 0)
		return -ENOTCONN;
	/* an error of an earlier one is told first, once */
	for (int i = 0; i < 2; i++) {
		if (sendto(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			(struct sockaddr *)&ss, ss_len) != -1)
			return 0;
		if (errno != ECONNREFUSED)
			break;
	}
	return -errno;
}

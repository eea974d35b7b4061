/* SPDX-License-Identifier: ISC */
/* The way to a TURN server: UDP, TCP or TLS (RFC 8656 section 3.1). */
#include "turnlink.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64 /* datagrams before others get their turn */
#define BUFFER (1024 * 1024)
#define DATAGRAM_MAX (1u << 16)

struct turnlink {
	struct turnlink_config config;
	struct loop *loop;
	int fd; /* UDP, or -1 */
	struct event *event, *soon;
	struct conn *conn;
	uint64_t dropped;
	bool refused; /* an ICMP error came */
};

const char *
turnlink_name(enum turnlink_transport t)
{
	static const char *const names[] = {
	    [TURNLINK_UDP] = "udp",
	    [TURNLINK_TCP] = "tcp",
	    [TURNLINK_TLS] = "tls",
	};

	return names[t];
}

static void
read_cb(evutil_socket_t fd, short events, void *arg)
{
	static uint8_t buf[DATAGRAM_MAX];
	struct turnlink *k = arg;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n == -1) {
			if (errno != EAGAIN && errno != EINTR)
				k->config.doubt(k->config.arg);
			return;
		}
		if (!k->config.message(k->config.arg, buf, (size_t)n))
			return;
	}
}

static void
soon_cb(evutil_socket_t fd, short events, void *arg)
{
	struct turnlink *k = arg;
	bool refused = k->refused;

	(void)fd;
	(void)events;
	k->refused = false;
	if (refused)
		k->config.doubt(k->config.arg);
	else
		k->config.ready(k->config.arg);
}

static int
open_udp(struct turnlink *k, const struct addr *to)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	int size = BUFFER;

	k->fd =
	    socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->fd == -1)
		return -errno;
	setsockopt(k->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(k->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (connect(k->fd, (struct sockaddr *)&ss, len) == -1)
		return -errno;
	k->event = loop_event(k->loop, k->fd, EV_READ | EV_PERSIST, read_cb, k);
	event_add(k->event, NULL);
	k->soon = loop_event(k->loop, -1, 0, soon_cb, k);
	loop_at(k->soon, 0);
	return 0;
}

static int
open_conn(struct turnlink *k, const struct addr *to)
{
	const struct conn_config config = {
	    .channel_data = true,
	    .tls = k->config.transport == TURNLINK_TLS ? k->config.tls : NULL,
	    .server_name = k->config.server_name,
	    .message = k->config.message,
	    .ready = k->config.ready,
	    .closed = k->config.closed,
	    .arg = k->config.arg,
	};

	return conn_connect(&k->conn, k->loop, to, k->config.wait_ms, &config);
}

int
turnlink_open(struct turnlink **out, struct loop *l, const struct addr *to,
    const struct turnlink_config *config)
{
	struct turnlink *k = calloc(1, sizeof(*k));
	int err = 0;

	if (k == NULL)
		return -ENOMEM;
	k->config = *config;
	k->loop = l;
	k->fd = -1;
	err = config->transport == TURNLINK_UDP ? open_udp(k, to)
						: open_conn(k, to);
	if (err != 0) {
		turnlink_free(k);
		return err;
	}
	*out = k;
	return 0;
}

void
turnlink_free(struct turnlink *k)
{
	if (k == NULL)
		return;
	if (k->event != NULL)
		event_free(k->event);
	if (k->soon != NULL)
		event_free(k->soon);
	if (k->conn != NULL)
		conn_free(k->conn);
	if (k->fd != -1)
		close(k->fd);
	free(k);
}

int
turnlink_send(struct turnlink *k, const uint8_t *msg, size_t len, bool data)
{
	if (k->conn != NULL)
		return conn_send(k->conn, msg, len, NULL, 0, data);
	/* an error of an earlier one is told first, once */
	for (int i = 0; i < 2; i++) {
		if (send(k->fd, msg, len, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
			return 0;
		if (errno != ECONNREFUSED)
			break;
		k->refused = true;
		loop_at(k->soon, 0);
	}
	if (data)
		k->dropped++;
	return -errno;
}

uint64_t
turnlink_dropped(const struct turnlink *k)
{
	return k->dropped + (k->conn != NULL ? conn_dropped(k->conn) : 0);
}

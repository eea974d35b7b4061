/* SPDX-License-Identifier: ISC */
/* STUN over TCP or TLS (RFC 8489 section 6.2.2; RFC 8656 section 12.5): one
 * connection between the loop, its frames, its backlog and TLS. */
#include "conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backlog.h"
#include "framing.h"
#include "secure.h"

#define TURNS 8	  /* reads or writes before others get theirs */
#define PIECES 64 /* messages in one write */
#define UNSENT_MAX                                                             \
	32768		 /* bytes in the kernel: what waits there is stale
			    * and can't be dropped any more */
#define TLS_HANDSHAKE 22 /* RFC 8446 section 5.1 */
#define ENDED "closed by the other side"

enum phase {
	CONNECTING,
	PEEKING, /* TLS or not? */
	HANDSHAKE,
	OPEN,
	DRAINING, /* the other side does not write any more */
	OVER
};

struct conn {
	struct loop *loop;
	struct conn_config config;
	char *server_name;
	int fd;
	enum phase phase;
	struct event *readable, *writable, *limit;
	bool blocked; /* waits until it is writable */
	bool sending; /* TLS has bytes that we must not offer again */
	bool garbage;
	struct secure *tls;
	struct framing in;
	struct backlog out;
	struct addr remote, local;
};

static void
end(struct conn *c, const char *why)
{
	c->phase = OVER;
	event_del(c->readable);
	event_del(c->writable);
	event_del(c->limit);
	secure_free(c->tls);
	c->tls = NULL;
	close(c->fd);
	c->fd = -1;
	framing_free(&c->in);
	backlog_free(&c->out);
	if (c->config.closed != NULL)
		c->config.closed(c->config.arg, why);
}

static void
end_errno(struct conn *c, int err)
{
	end(c, strerror(err));
}

/* Output */

/* These return bytes, -EAGAIN, or -EPROTO and a text. */
static ssize_t
write_plain(struct conn *c, const char **why)
{
	struct iovec iov[PIECES];
	struct msghdr msg = {.msg_iov = iov};
	ssize_t n;

	msg.msg_iovlen = (size_t)backlog_gather(&c->out, iov, PIECES);
	n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
		return -EAGAIN;
	*why = strerror(errno);
	return -EPROTO;
}

static ssize_t
write_tls(struct conn *c, const char **why)
{
	uint8_t record[SECURE_RECORD_MAX];
	size_t len;
	ssize_t n;

	if (c->sending) {
		n = secure_go_on(c->tls, why);
	} else {
		len = backlog_copy(&c->out, record, sizeof(record));
		backlog_begin(&c->out, len);
		n = secure_write(c->tls, record, len, why);
	}
	c->sending = n == -EAGAIN;
	return n;
}

static void
wait_writable(struct conn *c)
{
	c->blocked = true;
	event_add(c->writable, NULL);
}

/* Returns 0, -EAGAIN, or -EPROTO and a text. */
static int
write_some(struct conn *c, const char **why)
{
	for (int i = 0; i < TURNS && !backlog_is_empty(&c->out); i++) {
		ssize_t n =
		    c->tls != NULL ? write_tls(c, why) : write_plain(c, why);

		if (n < 0)
			return (int)n;
		backlog_sent(&c->out, (size_t)n);
	}
	return 0;
}

/* May end it, and then it may be free. */
static void
flush(struct conn *c)
{
	const char *why = NULL;

	if (write_some(c, &why) == -EPROTO)
		end(c, why);
	else if (!backlog_is_empty(&c->out))
		wait_writable(c);
	else if (c->phase == DRAINING)
		end(c, ENDED);
}

/* Input */

static void
ended(struct conn *c)
{
	if (framing_is_partial(&c->in)) {
		end(c, "closed in the middle of a message");
		return;
	}
	if (backlog_is_empty(&c->out)) {
		end(c, ENDED);
		return;
	}
	c->phase = DRAINING;
	event_del(c->readable);
	loop_at(c->limit, now_ms() + CONN_DRAIN_MS);
}

static ssize_t
read_some(struct conn *c, uint8_t *out, size_t cap, const char **why)
{
	ssize_t n;

	if (c->tls != NULL)
		return secure_read(c->tls, out, cap, why);
	n = recv(c->fd, out, cap, MSG_DONTWAIT);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR)
		return -EAGAIN;
	*why = strerror(errno);
	return -EPROTO;
}

/* Returns whether there is still a conn that wants to read. */
static bool
take_messages(struct conn *c, const uint8_t *bytes, size_t n)
{
	const uint8_t *data;
	struct cursor in;
	size_t len;
	int rc;

	cursor_init(&in, bytes, n);
	while ((rc = framing_next(&c->in, &in, &data, &len)) == 1)
		if (!c->config.message(c->config.arg, data, len))
			return false;
	if (rc == 0)
		return true;
	c->garbage = rc == -EBADMSG;
	end(c,
	    rc == -ENOMEM ? "out of memory" : "what came is no STUN message");
	return false;
}

static void
take_input(struct conn *c)
{
	uint8_t bytes[SECURE_RECORD_MAX];
	const char *why = NULL;

	for (int i = 0; i < TURNS; i++) {
		ssize_t n = read_some(c, bytes, sizeof(bytes), &why);

		if (n == -EAGAIN)
			break;
		if (n < 0) {
			end(c, why);
			return;
		}
		if (n == 0) {
			ended(c);
			return;
		}
		if (!take_messages(c, bytes, (size_t)n))
			return;
	}
	if (c->tls != NULL && secure_has_more(c->tls))
		event_active(c->readable, EV_READ, 0);
}

/* The phases before it is open */

/* It may be free then. */
static void
opened(struct conn *c)
{
	c->phase = OPEN;
	event_del(c->limit);
	event_add(c->readable, NULL);
	if (!backlog_is_empty(&c->out) && !c->blocked)
		wait_writable(c);
	/* TLS may have read on already */
	if (c->tls != NULL && secure_has_more(c->tls))
		event_active(c->readable, EV_READ, 0);
	if (c->config.ready != NULL)
		c->config.ready(c->config.arg);
}

static void
shake_hands(struct conn *c)
{
	const char *why = NULL;
	int rc = secure_handshake(c->tls, &why);

	if (rc == 0)
		opened(c);
	else if (rc != -EAGAIN)
		end(c, why);
	else if (secure_wants_write(c->tls))
		wait_writable(c);
}

static void
start_tls(struct conn *c)
{
	int rc = secure_new(&c->tls, c->config.tls, c->fd, c->server_name);

	if (rc != 0) {
		end_errno(c, -rc);
		return;
	}
	c->phase = HANDSHAKE;
	event_add(c->readable, NULL);
	shake_hands(c);
}

static void
start_accepted_tls(struct conn *c)
{
	loop_at(c->limit, now_ms() + CONN_TLS_MS);
	start_tls(c);
}

/* What comes first says which it is: a STUN message begins with two zero bits,
 * ChannelData with 01. */
static void
peek(struct conn *c)
{
	uint8_t first;
	ssize_t n = recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1)
		end_errno(c, errno);
	else if (n == 0)
		end(c, ENDED);
	else if (first == TLS_HANDSHAKE)
		start_accepted_tls(c);
	else
		opened(c);
}

static void
find_local(struct conn *c)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(c->fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(&c->local, (struct sockaddr *)&ss);
}

static void
connected(struct conn *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	if (err != 0) {
		end_errno(c, err);
		return;
	}
	find_local(c);
	if (c->config.tls != NULL)
		start_tls(c);
	else
		opened(c);
}

/* Events */

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)events;
	switch (c->phase) {
	case PEEKING:
		peek(c);
		break;
	case HANDSHAKE:
		shake_hands(c);
		break;
	case OPEN:
		take_input(c);
		break;
	case CONNECTING:
	case DRAINING:
	case OVER:
		break;
	}
}

static void
writable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)events;
	c->blocked = false;
	switch (c->phase) {
	case CONNECTING:
		connected(c);
		break;
	case HANDSHAKE:
		shake_hands(c);
		break;
	case OPEN:
	case DRAINING:
		flush(c);
		break;
	case PEEKING:
	case OVER:
		break;
	}
}

static void
limit_cb(evutil_socket_t fd, short events, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)events;
	end(c, c->phase == CONNECTING  ? "no answer"
	       : c->phase == HANDSHAKE ? "TLS: no answer"
				       : "nobody reads what we write");
}

/* Beginning and end */

static void
tune(int fd)
{
	int on = 1, unsent = UNSENT_MAX;

	/* neither is there on a socket that is not TCP's */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

static struct conn *
new_conn(struct loop *l, int fd, const struct conn_config *config)
{
	size_t most = config->message_max;
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	if (config->server_name != NULL) {
		c->server_name = strdup(config->server_name);
		if (c->server_name == NULL) {
			free(c);
			return NULL;
		}
	}
	if (most == 0 || most > CONN_MESSAGE_MAX)
		most = CONN_MESSAGE_MAX;
	c->loop = l;
	c->config = *config;
	c->fd = fd;
	framing_init(&c->in, config->channel_data, most);
	backlog_init(&c->out,
	    config->output_max != 0 ? config->output_max : CONN_OUTPUT_MAX);
	c->readable = loop_event(l, fd, EV_READ | EV_PERSIST, readable_cb, c);
	c->writable = loop_event(l, fd, EV_WRITE, writable_cb, c);
	c->limit = loop_event(l, -1, 0, limit_cb, c);
	tune(fd);
	return c;
}

int
conn_accept(
    struct conn **out, struct loop *l, int fd, const struct conn_config *config)
{
	struct conn *c = new_conn(l, fd, config);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int rc;

	if (c == NULL) {
		close(fd);
		return -ENOMEM;
	}
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(&c->remote, (struct sockaddr *)&ss);
	find_local(c);
	c->phase = OPEN;
	if (config->tls != NULL) {
		c->phase = config->tls_optional ? PEEKING : HANDSHAKE;
		if (c->phase == HANDSHAKE) {
			rc = secure_new(&c->tls, config->tls, fd, NULL);
			if (rc != 0) {
				conn_free(c);
				return rc;
			}
			loop_at(c->limit, now_ms() + CONN_TLS_MS);
		}
	}
	event_add(c->readable, NULL);
	*out = c;
	return 0;
}

int
conn_connect(struct conn **out, struct loop *l, const struct addr *to,
    uint32_t wait_ms, const struct conn_config *config)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	struct conn *c;
	int fd, rc;

	if (len == 0 || (config->tls != NULL && config->server_name == NULL))
		return -EINVAL;
	fd =
	    socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	if (connect(fd, (struct sockaddr *)&ss, len) == -1 &&
	    errno != EINPROGRESS) {
		rc = -errno;
		close(fd);
		return rc;
	}
	c = new_conn(l, fd, config);
	if (c == NULL) {
		close(fd);
		return -ENOMEM;
	}
	c->remote = *to;
	c->phase = CONNECTING;
	wait_writable(c);
	loop_at(c->limit, now_ms() + wait_ms);
	*out = c;
	return 0;
}

void
conn_free(struct conn *c)
{
	if (c == NULL)
		return;
	event_free(c->readable);
	event_free(c->writable);
	event_free(c->limit);
	secure_free(c->tls);
	if (c->fd != -1)
		close(c->fd);
	framing_free(&c->in);
	backlog_free(&c->out);
	free(c->server_name);
	free(c);
}

int
conn_send(struct conn *c, const void *head, size_t head_len, const void *data,
    size_t len, bool droppable)
{
	const uint8_t *first = head_len > 0 ? head : data;
	size_t pad = 0;
	int rc;

	if (c->phase == OVER)
		return -ENOTCONN;
	if (head_len + len == 0)
		return 0;
	if ((first[0] & 0xc0) == 0x40)
		pad = (FRAMING_PAD - (head_len + len) % FRAMING_PAD) %
		      FRAMING_PAD;
	rc = backlog_add(&c->out, head, head_len, data, len, pad, droppable);
	/* later, so that many go out in one write */
	if (rc == 0 && !c->blocked &&
	    (c->phase == OPEN || c->phase == DRAINING)) {
		c->blocked = true;
		event_active(c->writable, EV_WRITE, 0);
	}
	return rc;
}

void
conn_flush(struct conn *c)
{
	const char *why;

	if (c->phase == OPEN || c->phase == DRAINING)
		write_some(c, &why);
}

uint64_t
conn_dropped(const struct conn *c)
{
	return c->out.dropped;
}

size_t
conn_waiting(const struct conn *c)
{
	return c->out.bytes;
}

const struct addr *
conn_remote(const struct conn *c)
{
	return &c->remote;
}

const struct addr *
conn_local(const struct conn *c)
{
	return &c->local;
}

bool
conn_is_tls(const struct conn *c)
{
	return c->tls != NULL;
}

bool
conn_had_garbage(const struct conn *c)
{
	return c->garbage;
}

/* SPDX-License-Identifier: ISC */
/* A keyed peer of nat-pipe for tests, that may do every wrong thing: only
 * tunnel/quic.h and a UDP socket. For tests/pipe-attacker.h. */
#ifndef NATKIT_TESTS_PIPE_PEER_H
#define NATKIT_TESTS_PIPE_PEER_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "psk.h"
#include "quic.h"

#define PEER_STREAMS 65536 /* of each kind, ever */
#define PEER_LINE 600
#define PATTERN 65521 /* bytes; prime: what is displaced shows */
#define CHUNK 65536
#define ENDLESS UINT64_MAX

/* What is sent on a stream after its first line: PATTERN's bytes, again and
 * again, and the same has to come back of an echo. */
struct stream {
	struct stream *next;
	struct peer *peer;
	int64_t id;
	const char *head; /* sent first */
	size_t head_len, head_sent;
	uint64_t want, sent, acked; /* bytes after the head */
	bool fin, fin_sent, ready;
	char line[PEER_LINE]; /* the other side's first */
	size_t line_len;
	bool has_line;
	uint64_t got; /* bytes after the line */
	bool echo;    /* what comes is checked */
	bool deaf;    /* no credit is given */
	bool differs, fin_got, reset, stopped, closed;
	uint64_t code;
	uint64_t at; /* of the caller's */
};

struct peer {
	int fd;
	struct addr local, to;
	uint8_t psk[PSK_LEN];
	struct quic *q;
	struct quic_config config;
	struct stream **by;
	struct stream *first, *last;
	unsigned established, accepted;
	bool answers; /* takes connections */
	enum quic_end end;
	uint64_t out, in; /* bytes of datagrams */
	void (*opened)(struct peer *p, struct stream *s);
	void (*line)(struct peer *p, struct stream *s);
	/* What goes and what comes. */
	void (*tap)(
	    struct peer *p, const uint8_t *data, size_t len, size_t seg);
	void (*heard)(struct peer *p, const uint8_t *data, size_t len);
	const uint8_t *datagram; /* to be sent, so many times */
	size_t datagram_len;
	uint64_t datagrams;
	void (*datagram_got)(struct peer *p, const uint8_t *data, size_t len);
};

static uint8_t pattern[PATTERN + CHUNK];

__attribute__((noreturn, format(printf, 1, 2))) static inline void
fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static inline uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- streams ---- */

static inline size_t
peer_place(int64_t id)
{
	size_t i = (size_t)(id >> 2) * 2 + (size_t)(id & 1);

	if (i >= 2 * PEER_STREAMS)
		fail("too many streams");
	return i;
}

static inline struct stream *
peer_find(struct peer *p, int64_t id)
{
	return p->by[peer_place(id)];
}

static inline struct stream *
peer_stream(struct peer *p, int64_t id)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fail("out of memory");
	s->id = id;
	s->peer = p;
	p->by[peer_place(id)] = s;
	return s;
}

/* It has something to send. */
static inline void
peer_ready(struct stream *s)
{
	struct peer *p = s->peer;

	if (s->ready || s->closed)
		return;
	s->ready = true;
	s->next = NULL;
	if (p->first == NULL)
		p->first = s;
	else
		p->last->next = s;
	p->last = s;
}

static inline void
peer_leave(struct stream *s)
{
	struct stream **at = &s->peer->first, *before = NULL;

	if (!s->ready)
		return;
	while (*at != s) {
		before = *at;
		at = &before->next;
	}
	*at = s->next;
	if (s->peer->last == s)
		s->peer->last = before;
	s->ready = false;
}

/* NULL: the peer allows no more now. line has to live on, and need not have a
 * newline. */
static inline struct stream *
peer_open(struct peer *p, const char *line, size_t len)
{
	int64_t id = quic_open(p->q);
	struct stream *s;

	if (id == -EAGAIN)
		return NULL;
	if (id < 0)
		fail("no stream: %s, the connection is %s", strerror((int)-id),
		    quic_end_name(quic_ended(p->q, NULL)));
	s = peer_stream(p, id);
	s->head = line;
	s->head_len = len;
	peer_ready(s);
	return s;
}

static inline void
peer_send(struct stream *s, uint64_t more, bool fin)
{
	s->want += more;
	s->fin = fin;
	peer_ready(s);
}

/* ---- what the connection calls ---- */

static inline void
peer_established_cb(void *arg)
{
	struct peer *p = arg;

	p->established++;
}

static inline void
peer_opened_cb(void *arg, int64_t id)
{
	struct peer *p = arg;
	struct stream *s = peer_stream(p, id);

	if (p->opened != NULL)
		p->opened(p, s);
}

static inline void
peer_take(struct stream *s, const uint8_t *data, size_t len)
{
	while (len > 0 && !s->has_line) {
		s->has_line = *data == '\n' || s->line_len == PEER_LINE - 1;
		if (!s->has_line)
			s->line[s->line_len++] = (char)*data;
		else if (s->peer->line != NULL)
			s->peer->line(s->peer, s);
		data++;
		len--;
	}
	for (size_t i = 0; s->echo && i < len; i++)
		s->differs |= data[i] != pattern[(s->got + i) % PATTERN];
	s->got += len;
}

static inline void
peer_data_cb(void *arg, int64_t id, const uint8_t *data, size_t len, bool fin)
{
	struct peer *p = arg;
	struct stream *s = peer_find(p, id);

	quic_credit(p->q, len);
	if (!s->deaf)
		quic_credit_stream(p->q, id, len);
	peer_take(s, data, len);
	s->fin_got |= fin;
}

static inline void
peer_acked_cb(void *arg, int64_t id, uint64_t len)
{
	peer_find(arg, id)->acked += len;
}

static inline void
peer_reset_cb(void *arg, int64_t id, uint64_t code)
{
	struct stream *s = peer_find(arg, id);

	s->reset = true;
	s->code = code;
}

static inline void
peer_stopped_cb(void *arg, int64_t id, uint64_t code)
{
	struct stream *s = peer_find(arg, id);

	s->stopped = true;
	s->code = code;
	peer_leave(s);
	quic_reset(s->peer->q, id, code);
}

static inline void
peer_writable_cb(void *arg, int64_t id)
{
	peer_ready(peer_find(arg, id));
}

static inline void
peer_closed_cb(void *arg, int64_t id)
{
	struct stream *s = peer_find(arg, id);

	peer_leave(s);
	s->closed = true;
}

static inline void
peer_datagram_cb(void *arg, const uint8_t *data, size_t len)
{
	struct peer *p = arg;

	if (p->datagram_got != NULL)
		p->datagram_got(p, data, len);
}

static inline void
peer_may_open_cb(void *arg)
{
	(void)arg;
}

static inline bool
peer_next_cb(void *arg, struct quic_chunk *c)
{
	struct peer *p = arg;
	struct stream *s;

	c->n = 1;
	c->fin = false;
	if (p->datagrams > 0) {
		c->id = -1;
		c->iov[0].iov_base = (void *)(uintptr_t)p->datagram;
		c->iov[0].iov_len = p->datagram_len;
		return true;
	}
	while ((s = p->first) != NULL) {
		uint64_t left = s->want - s->sent;

		if (s->head_sent < s->head_len) {
			c->iov[0].iov_base =
			    (void *)(uintptr_t)(s->head + s->head_sent);
			c->iov[0].iov_len = s->head_len - s->head_sent;
		} else {
			c->iov[0].iov_base = pattern + s->sent % PATTERN;
			c->iov[0].iov_len = left < CHUNK ? left : CHUNK;
			c->fin = s->fin && left <= CHUNK;
		}
		c->id = s->id;
		if (!s->fin_sent && (c->iov[0].iov_len > 0 || c->fin))
			return true;
		peer_leave(s);
	}
	return false;
}

static inline void
peer_sent_cb(void *arg, int64_t id, size_t n, bool fin)
{
	struct peer *p = arg;
	struct stream *s;

	if (id == -1) {
		p->datagrams--;
		return;
	}
	s = peer_find(p, id);
	if (s->head_sent < s->head_len)
		s->head_sent += n;
	else
		s->sent += n;
	s->fin_sent |= fin;
	peer_leave(s); /* others first */
	peer_ready(s);
}

static inline void
peer_blocked_cb(void *arg, int64_t id)
{
	struct peer *p = arg;

	if (id == -1)
		p->datagrams = 0;
	else
		peer_leave(peer_find(p, id));
}

static const struct quic_calls peer_calls = {
    .established = peer_established_cb,
    .stream_opened = peer_opened_cb,
    .stream_data = peer_data_cb,
    .stream_acked = peer_acked_cb,
    .stream_reset = peer_reset_cb,
    .stream_stopped = peer_stopped_cb,
    .stream_writable = peer_writable_cb,
    .stream_closed = peer_closed_cb,
    .datagram = peer_datagram_cb,
    .may_open = peer_may_open_cb,
    .next = peer_next_cb,
    .sent = peer_sent_cb,
    .blocked = peer_blocked_cb,
};

/* ---- the socket ---- */

/* At 127.0.0.1; port 0: any. */
static inline int
peer_socket(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int size = 4 << 20;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1)
		fail("port %u: %s", port, strerror(errno));
	return fd;
}

/* One datagram, or a train of datagrams of seg bytes. */
static inline void
peer_put_to(
    int fd, const struct addr *to, const uint8_t *data, size_t len, size_t seg)
{
	struct sockaddr_storage ss;
	union {
		char buf[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr m = {.msg_name = &ss,
	    .msg_namelen = addr_to_sockaddr(to, &ss),
	    .msg_iov = &iov,
	    .msg_iovlen = 1};
	uint16_t segment = (uint16_t)seg;
	struct cmsghdr *c;

	if (seg < len) {
		m.msg_control = control.buf;
		m.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(segment));
		memcpy(CMSG_DATA(c), &segment, sizeof(segment));
	}
	while (sendmsg(fd, &m, 0) == -1 && errno == EAGAIN) {
		struct pollfd f = {.fd = fd, .events = POLLOUT};

		poll(&f, 1, 100);
	}
}

static inline void
peer_put(struct peer *p, const uint8_t *data, size_t len, size_t seg)
{
	peer_put_to(p->fd, &p->to, data, len, seg);
	p->out += len;
}

static inline void
peer_write(struct peer *p)
{
	static uint8_t buf[QUIC_WRITE_MAX];
	size_t len, seg;

	while (p->q != NULL && (len = quic_write(p->q, buf, sizeof(buf), 1452,
				    &seg, now_ns())) > 0) {
		peer_put(p, buf, len, seg);
		if (p->tap != NULL)
			p->tap(p, buf, len, seg);
	}
}

static inline void
peer_packet(struct peer *p, const uint8_t *data, size_t len)
{
	struct quic_head h;
	struct quic *q;

	p->in += len;
	if (p->heard != NULL)
		p->heard(p, data, len);
	if (p->answers && quic_peek(&h, data, len) == 0 && h.initial &&
	    (p->q == NULL || !quic_owns(p->q, h.cid, h.cid_len)) &&
	    quic_accept(&q, &p->config, data, len, now_ns()) == 0) {
		quic_free(p->q);
		p->first = p->last = NULL;
		p->q = q;
		p->end = QUIC_ALIVE;
		p->accepted++;
	} else if (p->q != NULL && p->end == QUIC_ALIVE) {
		p->end = quic_read(p->q, data, len, now_ns());
	}
}

/* Takes what is there. */
static inline void
peer_read(struct peer *p)
{
	uint8_t buf[2048];
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr from;
	ssize_t n;

	for (int i = 0; i < 256; i++, len = sizeof(ss)) {
		n = recvfrom(
		    p->fd, buf, sizeof(buf), 0, (struct sockaddr *)&ss, &len);
		if (n < 0)
			return;
		addr_from_sockaddr(&from, (struct sockaddr *)&ss);
		if (addr_equal(&from, &p->to))
			peer_packet(p, buf, (size_t)n);
	}
}

/* Waits at most so long for something, and does what is to be done. */
static inline void
peer_turn(struct peer *p, uint64_t most_ns)
{
	uint64_t now = now_ns(),
		 at = p->q != NULL ? quic_expiry(p->q) : UINT64_MAX;
	struct pollfd f = {.fd = p->fd, .events = POLLIN};
	struct timespec t;

	if (at < now)
		most_ns = 0;
	else if (at - now < most_ns)
		most_ns = at - now;
	t.tv_sec = (time_t)(most_ns / 1000000000u);
	t.tv_nsec = (long)(most_ns % 1000000000u);
	if (ppoll(&f, 1, &t, NULL) > 0)
		peer_read(p);
	now = now_ns();
	if (p->q != NULL && p->end == QUIC_ALIVE && quic_expiry(p->q) <= now)
		p->end = quic_expire(p->q, now);
	peer_write(p);
}

/* Until *flag, at most so long. Returns it. */
static inline bool
peer_until(struct peer *p, const bool *flag, unsigned ms)
{
	uint64_t end = now_ns() + ms * 1000000ull;

	peer_write(p);
	while (!*flag && now_ns() < end)
		peer_turn(p, 20 * 1000000);
	return *flag;
}

static inline void
peer_for(struct peer *p, unsigned ms)
{
	const bool never = false;

	peer_until(p, &never, ms);
}

/* ---- its making ---- */

static inline struct peer *
peer_new(const uint8_t psk[PSK_LEN], uint16_t port, const struct addr *to)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (p == NULL ||
	    (p->by = calloc(2 * PEER_STREAMS, sizeof(*p->by))) == NULL)
		fail("out of memory");
	if (pattern[1] == 0)
		for (size_t i = 0; i < sizeof(pattern); i++)
			pattern[i] = (uint8_t)((((uint32_t)(i % PATTERN) + 1) *
						   2654435761u) >>
					       23);
	memcpy(p->psk, psk, PSK_LEN);
	p->to = *to;
	p->fd = peer_socket(port);
	p->config = (struct quic_config){
	    .psk = p->psk,
	    .peer_psk = p->psk, /* no reset of theirs is understood */
	    .calls = &peer_calls,
	    .arg = p,
	    .stream_window = 256 << 10,
	    .window = 32 << 20,
	    .streams = 256,
	};
	return p;
}

/* A new connection. False: there is no answer. */
static inline bool
peer_dial(struct peer *p)
{
	unsigned before = p->established;
	uint64_t end = now_ns() + 11 * 1000000000ull;

	quic_free(p->q);
	p->q = NULL;
	p->first = p->last = NULL;
	p->end = QUIC_ALIVE;
	if (quic_dial(&p->q, &p->config, now_ns()) != 0)
		fail("out of memory");
	peer_write(p);
	while (
	    p->established == before && p->end == QUIC_ALIVE && now_ns() < end)
		peer_turn(p, 20 * 1000000);
	return p->established != before;
}

/* Tells the other side that it is over. */
static inline void
peer_close(struct peer *p)
{
	uint8_t buf[1500];
	size_t n = 0;

	if (p->q != NULL)
		n = quic_close(p->q, 0, buf, sizeof(buf), now_ns());
	if (n > 0)
		peer_put(p, buf, n, n);
	quic_free(p->q);
	p->q = NULL;
}

#endif

/* SPDX-License-Identifier: ISC */
/* A server's TCP connections (RFC 8489 section 6.2.2). */
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

#define LISTENING_MAX 80
#define ACCEPTS 16 /* of one socket before others get their turn */
#define BACKLOG 128
#define SWEEP_MS 1000

struct stream {
	struct streams *owner;
	struct conn *conn; /* NULL: a free place */
	struct path path;
	uint64_t heard_ms; /* the latest whole message */
	uint64_t uses;	   /* of this place */
	uint32_t mark;
	bool doomed; /* ends when its message has been taken */
};

struct listening {
	struct streams *owner;
	struct event *event;
	uint8_t index;
};

struct streams {
	struct loop *loop;
	struct stream_config config;
	struct event *sweep;
	struct stream *busy; /* its message is being taken */
	int n, max;	     /* connections */
	int n_listening;
	struct listening listening[LISTENING_MAX];
	struct stream stream[];
};

static void
tell(const struct streams *s, enum stream_fate what)
{
	s->config.tell(s->config.arg, what);
}

static void
stream_close(struct stream *t)
{
	conn_free(t->conn);
	t->conn = NULL;
	t->owner->n--;
}

static bool
is_kept(const struct stream *t)
{
	const struct stream_config *c = &t->owner->config;

	return c->is_kept != NULL && c->is_kept(c->arg, &t->path, t->mark);
}

/* Ends what has been silent too long; goes on while there is any. */
static void
sweep_cb(evutil_socket_t fd, short events, void *arg)
{
	struct streams *s = arg;
	uint64_t now = now_ms();

	(void)fd;
	(void)events;
	for (int i = 0; i < s->max; i++) {
		struct stream *t = &s->stream[i];

		if (t->conn == NULL ||
		    now - t->heard_ms < STREAM_IDLE_S * 1000ull || is_kept(t))
			continue;
		tell(s, STREAM_IDLE);
		stream_close(t);
	}
	if (s->n > 0)
		loop_at(s->sweep, now + SWEEP_MS);
}

static bool
message_cb(void *arg, const uint8_t *data, size_t len)
{
	struct stream *t = arg;
	struct streams *s = t->owner;

	t->heard_ms = now_ms();
	s->busy = t;
	if (!s->config.message(s->config.arg, &t->path, data, len))
		t->doomed = true;
	s->busy = NULL;
	if (!t->doomed)
		return true;
	tell(s, STREAM_BROKEN);
	stream_close(t);
	return false;
}

static void
closed_cb(void *arg, const char *why)
{
	struct stream *t = arg;

	(void)why;
	if (conn_had_garbage(t->conn))
		tell(t->owner, STREAM_BROKEN);
	stream_close(t);
}

static void
evict(struct streams *s)
{
	struct stream *best = NULL;

	for (int i = 0; i < s->max; i++) {
		struct stream *t = &s->stream[i];

		if (t->conn != NULL && t != s->busy &&
		    (best == NULL || t->heard_ms < best->heard_ms) &&
		    !is_kept(t))
			best = t;
	}
	if (best == NULL)
		return;
	tell(s, STREAM_EVICTED);
	stream_close(best);
}

/* In IPv6 a /64 is one customer's. */
static bool
is_same_source(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       memcmp(a->ip, b->ip, a->family == ADDR_V4 ? 4 : 8) == 0;
}

/* A place for a connection from there, or NULL: it has enough. */
static struct stream *
place_for(struct streams *s, const struct addr *remote)
{
	int same = 0;

	for (int i = 0; i < s->max; i++)
		same += s->stream[i].conn != NULL &&
			is_same_source(&s->stream[i].path.remote, remote) &&
			!is_kept(&s->stream[i]);
	if (same >= STREAM_PER_SOURCE)
		return NULL;
	if (s->n >= s->max)
		evict(s);
	for (int i = 0; i < s->max; i++)
		if (s->stream[i].conn == NULL)
			return &s->stream[i];
	return NULL;
}

static void
take(struct listening *g, int fd, const struct sockaddr_storage *ss)
{
	struct streams *s = g->owner;
	struct conn_config config = {.message_max = s->config.message_max,
	    .output_max = s->config.output_max,
	    .message = message_cb,
	    .closed = closed_cb};
	struct addr remote = {0};
	struct stream *t = NULL;

	if (addr_from_sockaddr(&remote, (const struct sockaddr *)ss) == 0)
		t = place_for(s, &remote);
	if (t == NULL) {
		tell(s, STREAM_REFUSED);
		close(fd);
		return;
	}
	config.arg = t;
	if (conn_accept(&t->conn, s->loop, fd, &config) != 0) {
		t->conn = NULL;
		tell(s, STREAM_REFUSED);
		return;
	}
	tell(s, STREAM_ACCEPTED);
	t->owner = s;
	t->doomed = false;
	t->mark = 0;
	t->heard_ms = now_ms();
	t->path = (struct path){.remote = remote,
	    .local = *conn_local(t->conn),
	    .socket = g->index,
	    .stream = ++t->uses * (uint64_t)s->max + (uint64_t)(t - s->stream)};
	t->path.remote.tcp = true;
	if (s->n++ == 0)
		loop_at(s->sweep, t->heard_ms + SWEEP_MS);
}

static void
accept_cb(evutil_socket_t fd, short events, void *arg)
{
	struct listening *g = arg;

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage remote;
		socklen_t len = sizeof(remote);
		int got = accept4((int)fd, (struct sockaddr *)&remote, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (got == -1) {
			/* or the loop would come back for ever */
			if (errno == EMFILE || errno == ENFILE)
				evict(g->owner);
			return;
		}
		take(g, got, &remote);
	}
}

/* Half of the descriptors are enough: the control socket wants some, too. */
static int
most(int wanted)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 &&
	    r.rlim_cur / 2 < (rlim_t)wanted)
		return (int)(r.rlim_cur / 2);
	return wanted;
}

int
streams_new(
    struct streams **out, struct loop *l, const struct stream_config *config)
{
	int max = most(config->max);
	struct streams *s =
	    calloc(1, sizeof(*s) + (size_t)max * sizeof(s->stream[0]));

	if (s == NULL)
		return -ENOMEM;
	s->loop = l;
	s->max = max;
	s->config = *config;
	s->sweep = loop_event(l, -1, 0, sweep_cb, s);
	*out = s;
	return 0;
}

void
streams_listen(struct streams *s, int fd, uint8_t index)
{
	struct listening *g = &s->listening[s->n_listening];

	if (s->n_listening == LISTENING_MAX)
		return;
	s->n_listening++;
	g->owner = s;
	g->index = index;
	g->event = loop_event(s->loop, fd, EV_READ | EV_PERSIST, accept_cb, g);
	event_add(g->event, NULL);
}

static struct stream *
find(struct streams *s, const struct path *p)
{
	struct stream *t = &s->stream[p->stream % (uint64_t)s->max];

	return t->conn != NULL && t->path.stream == p->stream ? t : NULL;
}

void
streams_mark(struct streams *s, const struct path *p, uint32_t mark)
{
	struct stream *t = find(s, p);

	if (t != NULL)
		t->mark = mark;
}

void
streams_send(
    struct streams *s, const struct path *to, const void *data, size_t len)
{
	struct stream *t = find(s, to);

	if (t == NULL || t->doomed ||
	    conn_send(t->conn, data, len, NULL, 0, false) == 0)
		return;
	if (t == s->busy) {
		t->doomed = true;
		return;
	}
	tell(s, STREAM_BROKEN);
	stream_close(t);
}

int
streams_count(const struct streams *s)
{
	return s->n;
}

void
streams_free(struct streams *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < s->max; i++)
		if (s->stream[i].conn != NULL)
			stream_close(&s->stream[i]);
	for (int i = 0; i < s->n_listening; i++)
		event_free(s->listening[i].event);
	event_free(s->sweep);
	free(s);
}

static int
set_option(int fd, int level, int name)
{
	int on = 1;

	return setsockopt(fd, level, name, &on, sizeof(on));
}

int
stream_bind(const struct addr *at, bool shared)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);
	int rc, fd = socket(ss.ss_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd == -1)
		return -errno;
	if (set_option(fd, SOL_SOCKET, SO_REUSEADDR) == -1 ||
	    (shared && set_option(fd, SOL_SOCKET, SO_REUSEPORT) == -1) ||
	    (at->family == ADDR_V6 &&
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == -1) ||
	    bind(fd, (struct sockaddr *)&ss, len) == -1 ||
	    listen(fd, BACKLOG) == -1) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

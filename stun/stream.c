/* SPDX-License-Identifier: ISC */
/* STUN over TCP (RFC 8489 section 6.2.2). */
#include "stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cursor.h"
#include "responder.h"
#include "stun.h"

#define LISTENING_MAX 16
#define ACCEPTS 16	 /* of one socket before others get their turn */
#define OUTPUT_MAX 16384 /* bytes of answers that nobody reads */
#define SWEEP_MS 1000

struct stream {
	struct streams *owner;
	struct bufferevent *bev; /* NULL: a free place */
	struct path path;
	uint64_t heard_ms; /* the latest whole message */
};

struct listening {
	struct streams *owner;
	struct event *event;
	uint8_t index;
};

struct streams {
	struct loop *loop;
	struct tally *tally;
	stream_fn *fn;
	void *arg;
	struct event *sweep;
	int n, max; /* connections */
	int n_listening;
	struct listening listening[LISTENING_MAX];
	struct stream stream[STREAM_MAX];
};

static void
stream_close(struct stream *t)
{
	bufferevent_free(t->bev);
	t->owner->n--;
	memset(t, 0, sizeof(*t));
}

/* Ends what has been silent too long; goes on while there is any. */
static void
sweep_cb(evutil_socket_t fd, short events, void *arg)
{
	struct streams *s = arg;
	uint64_t now = now_ms();

	(void)fd;
	(void)events;
	for (int i = 0; i < STREAM_MAX; i++) {
		struct stream *t = &s->stream[i];

		if (t->bev == NULL ||
		    now - t->heard_ms < STREAM_IDLE_S * 1000ull)
			continue;
		tally_add(s->tally, TALLY_connections_idle, 1);
		stream_close(t);
	}
	if (s->n > 0)
		loop_at(s->sweep, now + SWEEP_MS);
}

/* Length of the message that the buffer begins with: 0 when it is not known
 * yet, -1 when it is no STUN. */
static int
message_len(struct evbuffer *in)
{
	uint8_t header[STUN_HEADER_LEN];
	struct cursor c;
	uint16_t type, len;
	uint32_t cookie;

	if (evbuffer_copyout(in, header, sizeof(header)) <
	    (ev_ssize_t)sizeof(header))
		return 0;
	cursor_init(&c, header, sizeof(header));
	type = cursor_u16(&c);
	len = cursor_u16(&c);
	cookie = cursor_u32(&c);
	if ((type & 0xc000) != 0 || len % 4 != 0 || cookie != STUN_COOKIE ||
	    len + STUN_HEADER_LEN > RESPONDER_MAX)
		return -1;
	return len + STUN_HEADER_LEN;
}

/* Takes one message. Returns 1, 0 when none is whole, -1 to end it. */
static int
take_message(struct stream *t)
{
	struct evbuffer *in = bufferevent_get_input(t->bev);
	uint8_t data[RESPONDER_MAX], out[RESPONDER_MAX];
	int answer, len = message_len(in);

	if (len < 0)
		return -1;
	if (len == 0 || evbuffer_get_length(in) < (size_t)len)
		return 0;
	evbuffer_remove(in, data, (size_t)len);
	answer = t->owner->fn(t->owner->arg, &t->path, data, (size_t)len, out);
	if (answer < 0)
		return -1;
	t->heard_ms = now_ms();
	if (answer > 0)
		bufferevent_write(t->bev, out, (size_t)answer);
	return evbuffer_get_length(bufferevent_get_output(t->bev)) > OUTPUT_MAX
		   ? -1
		   : 1;
}

static void
read_cb(struct bufferevent *bev, void *arg)
{
	struct stream *t = arg;
	int rc;

	(void)bev;
	while ((rc = take_message(t)) == 1)
		;
	if (rc == 0)
		return;
	tally_add(t->owner->tally, TALLY_connections_broken, 1);
	stream_close(t);
}

/* The client has ended, or the connection broke. A client may close its half
 * once it has asked: then the answers are written before ours is. */
static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct evbuffer *out = bufferevent_get_output(bev);

	if ((what & BEV_EVENT_EOF) != 0 && evbuffer_get_length(out) > 0)
		bufferevent_disable(bev, EV_READ);
	else
		stream_close(arg);
}

static void
written_cb(struct bufferevent *bev, void *arg)
{
	if ((bufferevent_get_enabled(bev) & EV_READ) == 0)
		stream_close(arg);
}

static struct stream *
idlest(struct streams *s)
{
	struct stream *best = NULL;

	for (int i = 0; i < STREAM_MAX; i++)
		if (s->stream[i].bev != NULL &&
		    (best == NULL || s->stream[i].heard_ms < best->heard_ms))
			best = &s->stream[i];
	return best;
}

static void
evict(struct streams *s)
{
	struct stream *t = idlest(s);

	if (t == NULL)
		return;
	tally_add(s->tally, TALLY_connections_evicted, 1);
	stream_close(t);
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

	for (int i = 0; i < STREAM_MAX; i++)
		same += s->stream[i].bev != NULL &&
			is_same_source(&s->stream[i].path.remote, remote);
	if (same >= STREAM_PER_SOURCE)
		return NULL;
	if (s->n >= s->max)
		evict(s);
	for (int i = 0; i < STREAM_MAX; i++)
		if (s->stream[i].bev == NULL)
			return &s->stream[i];
	return NULL;
}

static int
find_path(int fd, const struct sockaddr_storage *remote, struct path *p)
{
	struct sockaddr_storage local;
	socklen_t len = sizeof(local);

	if (getsockname(fd, (struct sockaddr *)&local, &len) == -1 ||
	    addr_from_sockaddr(&p->local, (struct sockaddr *)&local) != 0)
		return -1;
	return addr_from_sockaddr(&p->remote, (const struct sockaddr *)remote);
}

static void
take(struct listening *g, int fd, const struct sockaddr_storage *remote)
{
	struct streams *s = g->owner;
	struct path path = {.socket = g->index};
	struct stream *t = NULL;

	if (find_path(fd, remote, &path) == 0)
		t = place_for(s, &path.remote);
	if (t != NULL)
		t->bev = bufferevent_socket_new(
		    s->loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (t == NULL || t->bev == NULL) {
		tally_add(s->tally, TALLY_connections_refused, 1);
		close(fd);
		return;
	}
	tally_add(s->tally, TALLY_connections, 1);
	t->owner = s;
	t->path = path;
	t->heard_ms = now_ms();
	if (s->n++ == 0)
		loop_at(s->sweep, t->heard_ms + SWEEP_MS);
	bufferevent_setcb(t->bev, read_cb, written_cb, event_cb, t);
	bufferevent_setwatermark(t->bev, EV_READ, 0, RESPONDER_MAX);
	bufferevent_enable(t->bev, EV_READ | EV_WRITE);
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
most(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur / 2 < STREAM_MAX)
		return (int)(r.rlim_cur / 2);
	return STREAM_MAX;
}

int
streams_new(struct streams **out, struct loop *l, struct tally *tally,
    stream_fn *fn, void *arg)
{
	struct streams *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->loop = l;
	s->max = most();
	s->tally = tally;
	s->fn = fn;
	s->arg = arg;
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

void
streams_free(struct streams *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < STREAM_MAX; i++)
		if (s->stream[i].bev != NULL)
			stream_close(&s->stream[i]);
	for (int i = 0; i < s->n_listening; i++)
		event_free(s->listening[i].event);
	event_free(s->sweep);
	free(s);
}

/* SPDX-License-Identifier: ISC */
/* The relay's TCP and TLS connections (RFC 8656 section 2.1). */
#include "relaystreams.h"

#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "limit.h"

#define LISTENING_MAX 34 /* both families of 17 ports */
#define ACCEPTS 16	 /* of one socket before others get their turn */
#define BACKLOG 128
#define SWEEP_MS 5000
#define FULL_MS 1000 /* between attempts to make room */
#define LIMIT_SLOTS 4096
#define RESUME_MS 1000
#define OUTPUT_MAX (128 * 1024) /* bytes that wait for a slow reader */
#define SLOT_BITS 12

_Static_assert(RELAYSTREAMS_MAX == 1 << SLOT_BITS, "a number holds its slot");

struct relaystream {
	struct relaystreams *owner;
	struct conn *conn; /* NULL: a free place */
	bool broken;	   /* to be ended once its message is done with */
	uint32_t number;   /* slot in the low bits */
	uint64_t since_ms; /* of use, or of its beginning */
	struct addr remote;
};

struct listening {
	struct relaystreams *owner;
	struct addr at;
	struct event *event;
	int fd;
};

struct relaystreams {
	struct loop *loop;
	struct relaystreams_config config;
	struct relaystreams_counters n;
	struct limit rate, sites;
	uint64_t dropped; /* of connections that have ended */
	uint64_t used_ms; /* when it was last asked which are in use */
	uint32_t count, serial;
	struct event *sweep, *resume;
	size_t n_listening;
	struct listening listening[LISTENING_MAX];
	struct relaystream stream[]; /* config.max */
};

static struct relaystream *
find(struct relaystreams *s, uint32_t number)
{
	uint32_t slot = number & (RELAYSTREAMS_MAX - 1);
	struct relaystream *t;

	if (slot >= s->config.max)
		return NULL;
	t = &s->stream[slot];
	return t->conn != NULL && t->number == number ? t : NULL;
}

static void
end(struct relaystream *t)
{
	struct relaystreams *s = t->owner;

	s->dropped += conn_dropped(t->conn);
	conn_free(t->conn);
	t->conn = NULL;
	s->count--;
	s->config.gone(s->config.arg, t->number);
}

static void
ready_cb(void *arg)
{
	const struct relaystream *t = arg;

	t->owner->n.connections_tls += conn_is_tls(t->conn);
}

static void
closed_cb(void *arg, const char *why)
{
	struct relaystream *t = arg;

	(void)why;
	t->owner->n.connections_ended++;
	end(t);
}

static bool
message_cb(void *arg, const uint8_t *data, size_t len)
{
	struct relaystream *t = arg;
	struct relaystreams *s = t->owner;
	struct way from = {
	    .remote = t->remote, .socket = WAY_STREAM, .stream = t->number};
	bool good = s->config.message(s->config.arg, &from, data, len);

	if (good && !t->broken)
		return true;
	s->n.connections_broken++;
	end(t);
	return false;
}

/* In IPv6 a /64 is one customer's (8 bytes), a /48 that of one with many (6). */
static bool
is_same_source(const struct addr *a, const struct addr *b, size_t v6_bytes)
{
	return a->family == b->family &&
	       memcmp(a->ip, b->ip, a->family == ADDR_V4 ? 4 : v6_bytes) == 0;
}

/* Ends those that have been of no use for so long. */
static void
end_idle(struct relaystreams *s, uint32_t idle_ms)
{
	s->config.used(s->config.arg);
	s->used_ms = now_ms(); /* not before those were kept */
	for (uint32_t i = 0; i < s->config.max; i++) {
		struct relaystream *t = &s->stream[i];

		if (t->conn == NULL || s->used_ms - t->since_ms < idle_ms)
			continue;
		s->n.connections_idle++;
		end(t);
	}
}

/* A place for a connection from there, or NULL: there are enough. */
static struct relaystream *
place_for(struct relaystreams *s, const struct addr *remote)
{
	struct relaystream *place = NULL;
	uint32_t same = 0, site = 0;

	/* who is of no use may stay for shorter when others wait */
	if (s->count == s->config.max && now_ms() - s->used_ms >= FULL_MS)
		end_idle(s, SWEEP_MS);
	for (uint32_t i = 0; i < s->config.max; i++) {
		struct relaystream *t = &s->stream[i];

		if (t->conn == NULL) {
			place = t;
			continue;
		}
		same += is_same_source(&t->remote, remote, 8);
		site += is_same_source(&t->remote, remote, 6);
	}
	return same < s->config.per_address &&
		       site / LIMIT_WIDE < s->config.per_address
		   ? place
		   : NULL;
}

static bool
may_come(struct relaystreams *s, const struct addr *remote)
{
	uint64_t now = now_ms();
	struct addr site;

	return limit_take(&s->rate, remote, now) &&
	       (!limit_wide(remote, &site) ||
		   limit_take(&s->sites, &site, now));
}

static void
take(struct relaystreams *s, int fd, const struct sockaddr_storage *from)
{
	struct conn_config config = {.channel_data = true,
	    .output_max = OUTPUT_MAX,
	    .tls = s->config.tls,
	    .tls_optional = true,
	    .message = message_cb,
	    .ready = ready_cb,
	    .closed = closed_cb};
	struct relaystream *t = NULL;
	struct addr remote;

	if (addr_from_sockaddr(&remote, (const struct sockaddr *)from) == 0 &&
	    may_come(s, &remote))
		t = place_for(s, &remote);
	if (t == NULL) {
		s->n.connections_refused++;
		close(fd);
		return;
	}
	config.arg = t;
	if (conn_accept(&t->conn, s->loop, fd, &config) != 0) {
		t->conn = NULL;
		s->n.connections_refused++;
		return;
	}
	s->n.connections++;
	t->remote = remote;
	t->broken = false;
	t->since_ms = now_ms();
	t->number = s->serial++ << SLOT_BITS | (uint32_t)(t - s->stream);
	if (s->count++ == 0)
		loop_at(s->sweep, t->since_ms + SWEEP_MS);
}

/* Without descriptors: the one that has been of no use for longest goes, or
 * the loop would come back for ever. False: all are in use. */
static bool
evict(struct relaystreams *s)
{
	struct relaystream *oldest = NULL;

	s->config.used(s->config.arg);
	for (uint32_t i = 0; i < s->config.max; i++) {
		struct relaystream *t = &s->stream[i];

		if (t->conn != NULL &&
		    (oldest == NULL || t->since_ms < oldest->since_ms))
			oldest = t;
	}
	if (oldest == NULL || now_ms() - oldest->since_ms < SWEEP_MS)
		return false;
	s->n.connections_idle++;
	end(oldest);
	return true;
}

/* Without a descriptor to accept with: not again before some time. */
static void
resume_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	relaystreams_start(arg);
}

static void
pause_listening(struct relaystreams *s)
{
	for (size_t i = 0; i < s->n_listening; i++)
		event_del(s->listening[i].event);
	loop_at(s->resume, now_ms() + RESUME_MS);
}

static void
accept_cb(evutil_socket_t fd, short events, void *arg)
{
	struct listening *g = arg;

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int got = accept4((int)fd, (struct sockaddr *)&from, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (got != -1) {
			take(g->owner, got, &from);
			continue;
		}
		if ((errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			errno == ENOMEM) &&
		    !evict(g->owner))
			pause_listening(g->owner);
		return;
	}
}

static void
sweep_cb(evutil_socket_t fd, short events, void *arg)
{
	struct relaystreams *s = arg;

	(void)fd;
	(void)events;
	end_idle(s, RELAYSTREAMS_IDLE_MS);
	if (s->count > 0)
		loop_at(s->sweep, s->used_ms + SWEEP_MS);
}

void
relaystreams_keep(struct relaystreams *s, uint32_t stream)
{
	struct relaystream *t = find(s, stream);

	if (t != NULL)
		t->since_ms = now_ms();
}

bool
relaystreams_send(struct relaystreams *s, uint32_t stream, const void *head,
    size_t head_len, const void *data, size_t len, bool droppable)
{
	struct relaystream *t = find(s, stream);

	if (t == NULL)
		return false;
	if (conn_send(t->conn, head, head_len, data, len, droppable) != 0 &&
	    !droppable)
		t->broken = true;
	return true;
}

static int
init_limits(struct relaystreams *s, uint32_t rate)
{
	uint8_t key[LIMIT_KEY_LEN];
	uint32_t wide = rate < LIMIT_RATE_MAX / 2 / LIMIT_WIDE
			    ? rate * LIMIT_WIDE
			    : LIMIT_RATE_MAX / 2;
	int rc;

	randombytes_buf(key, sizeof(key));
	rc = limit_init(&s->rate, LIMIT_SLOTS, rate, 2 * rate, key);
	if (rc == 0)
		rc = limit_init(&s->sites, LIMIT_SLOTS, wide, 2 * wide, key);
	return rc;
}

int
relaystreams_new(struct relaystreams **out, struct loop *l,
    const struct relaystreams_config *config)
{
	struct relaystreams *s =
	    calloc(1, sizeof(*s) + config->max * sizeof(s->stream[0]));

	if (s == NULL)
		return -ENOMEM;
	if (init_limits(s, config->rate) != 0) {
		limit_free(&s->rate);
		free(s);
		return -ENOMEM;
	}
	s->loop = l;
	s->config = *config;
	s->sweep = loop_event(l, -1, 0, sweep_cb, s);
	s->resume = loop_event(l, -1, 0, resume_cb, s);
	for (uint32_t i = 0; i < config->max; i++)
		s->stream[i].owner = s;
	*out = s;
	return 0;
}

/* SO_REUSEADDR: connections of an earlier process that wait to be forgotten
 * are no reason not to start. */
static int
open_listener(struct addr *at)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);
	int on = 1, rc = 0;
	int fd =
	    socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	if (at->family == ADDR_V6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		rc = -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (rc == 0 && (bind(fd, (struct sockaddr *)&ss, len) == -1 ||
			   listen(fd, BACKLOG) == -1))
		rc = -errno;
	len = sizeof(ss);
	if (rc == 0 && getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		rc = -errno;
	if (rc != 0) {
		close(fd);
		return rc;
	}
	addr_from_sockaddr(at, (struct sockaddr *)&ss);
	return fd;
}

int
relaystreams_listen(struct relaystreams *s, struct addr *at)
{
	struct listening *g = &s->listening[s->n_listening];
	int fd;

	if (s->n_listening == LISTENING_MAX)
		return -ENOBUFS;
	fd = open_listener(at);
	if (fd < 0)
		return fd;
	*g = (struct listening){.owner = s, .at = *at, .fd = fd};
	g->event = loop_event(s->loop, fd, EV_READ | EV_PERSIST, accept_cb, g);
	s->n_listening++;
	return 0;
}

void
relaystreams_start(struct relaystreams *s)
{
	for (size_t i = 0; i < s->n_listening; i++)
		event_add(s->listening[i].event, NULL);
}

void
relaystreams_free(struct relaystreams *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->config.max; i++)
		if (s->stream[i].conn != NULL)
			end(&s->stream[i]);
	for (size_t i = 0; i < s->n_listening; i++) {
		event_free(s->listening[i].event);
		close(s->listening[i].fd);
	}
	event_free(s->sweep);
	event_free(s->resume);
	limit_free(&s->rate);
	limit_free(&s->sites);
	free(s);
}

size_t
relaystreams_count(const struct relaystreams *s)
{
	return s->count;
}

const struct relaystreams_counters *
relaystreams_counters(const struct relaystreams *s)
{
	return &s->n;
}

uint64_t
relaystreams_dropped(const struct relaystreams *s)
{
	uint64_t n = s->dropped;

	for (uint32_t i = 0; i < s->config.max; i++)
		if (s->stream[i].conn != NULL)
			n += conn_dropped(s->stream[i].conn);
	return n;
}

/* What waits to be sent may come to CONN_OUTPUT_MAX for each connection. */
size_t
relaystreams_memory(const struct relaystreams *s)
{
	return sizeof(*s) + s->config.max * sizeof(s->stream[0]) +
	       limit_memory(&s->rate) + limit_memory(&s->sites);
}

bool
relaystreams_listening(const struct relaystreams *s, size_t i, struct addr *at)
{
	if (i >= s->n_listening)
		return false;
	*at = s->listening[i].at;
	return true;
}

/* SPDX-License-Identifier: ISC */
/* Connecting to what a stream is for: each address in turn. */
#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hostport.h"
#include "inlet.h"
#include "numeric.h"

#define TRY_MS 3000 /* for an address that others come after */
#define LINE_MS 50  /* a Unix socket's line is full: until it is tried again */

struct target {
	struct loop *loop;
	target_fn *fn;
	void *arg;
	enum opening_to to;
	uint64_t deadline_ms;
	struct resolve *query;
	struct sockaddr_storage at[RESOLVE_MAX];
	socklen_t len[RESOLVE_MAX];
	size_t n, next;
	int fd;
	struct event *ready; /* of fd, while it connects */
	struct event *timer;
	enum opening_reason reason; /* the most telling so far */
};

static void
stop_trying(struct target *t)
{
	if (t->ready != NULL)
		event_free(t->ready);
	t->ready = NULL;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

void
target_cancel(struct target *t)
{
	if (t == NULL)
		return;
	stop_trying(t);
	resolve_cancel(t->query);
	event_free(t->timer);
	free(t);
}

static void
finish(struct target *t, int fd, enum opening_reason reason)
{
	target_fn *fn = t->fn;
	void *arg = t->arg;

	target_cancel(t);
	fn(arg, fd, reason);
}

static enum opening_reason
reason_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOENT: /* of a Unix socket */
		return OPENING_REFUSED;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case ETIMEDOUT:
	case EADDRNOTAVAIL: /* this host has not that family */
	case EAFNOSUPPORT:
		return OPENING_UNREACHABLE;
	default:
		return OPENING_FAILED;
	}
}

/* Of several addresses the one that has answered tells most. */
static void
note(struct target *t, int error)
{
	enum opening_reason r = reason_of(error);

	if (t->reason == OPENING_OK || t->reason == OPENING_UNREACHABLE ||
	    r == OPENING_REFUSED)
		t->reason = r;
}

static void try_next(struct target *t);

static void
ready_cb(evutil_socket_t fd, short events, void *arg)
{
	struct target *t = arg;
	int error = ETIMEDOUT;
	socklen_t len = sizeof(error);

	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		note(t, error);
		stop_trying(t);
		try_next(t);
		return;
	}
	event_free(t->ready);
	t->ready = NULL;
	t->fd = -1;
	if (t->to == OPENING_TCP)
		inlet_tune(fd);
	finish(t, fd, OPENING_OK);
}

/* Begins with one address. Returns 0 or -errno. */
static int
try_one(struct target *t, size_t i)
{
	int type = t->to == OPENING_UDP ? SOCK_DGRAM : SOCK_STREAM;

	t->fd =
	    socket(t->at[i].ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd == -1)
		return -errno;
	if (connect(t->fd, (struct sockaddr *)&t->at[i], t->len[i]) == -1 &&
	    errno != EINPROGRESS)
		return -errno;
	t->ready = loop_event(t->loop, t->fd, EV_WRITE, ready_cb, t);
	event_add(t->ready, NULL);
	return 0;
}

/* From the loop only: it may end the target. */
static void
try_next(struct target *t)
{
	uint64_t now = now_ms(), until = t->deadline_ms;
	int rc;

	while (t->next < t->n && now < t->deadline_ms) {
		rc = try_one(t, t->next);
		if (rc == -EAGAIN && t->to == OPENING_UNIX) {
			stop_trying(t);
			t->reason = OPENING_BUSY;
			loop_at(t->timer, now + LINE_MS);
			return;
		}
		t->next++;
		if (rc == 0) {
			if (t->next < t->n && until > now + TRY_MS)
				until = now + TRY_MS;
			loop_at(t->timer, until);
			return;
		}
		stop_trying(t);
		note(t, -rc);
	}
	finish(
	    t, -1, t->reason == OPENING_OK ? OPENING_UNREACHABLE : t->reason);
}

/* An address has not answered in its time, or it is time to begin. */
static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct target *t = arg;

	(void)fd;
	(void)events;
	if (t->fd >= 0)
		note(t, ETIMEDOUT);
	stop_trying(t);
	try_next(t);
}

static void
resolved_cb(void *arg, int error, const struct addr *list, size_t n)
{
	struct target *t = arg;

	t->query = NULL;
	if (error != 0) {
		finish(t, -1,
		    error == -ENOENT ? OPENING_NAME : OPENING_UNREACHABLE);
		return;
	}
	for (size_t i = 0; i < n && i < RESOLVE_MAX; i++)
		t->len[i] = addr_to_sockaddr(&list[i], &t->at[i]);
	t->n = n;
	try_next(t);
}

static void
add(struct target *t, const char *host, uint16_t port)
{
	t->len[t->n] = numeric_sockaddr(&t->at[t->n], host, port);
	if (t->len[t->n] != 0)
		t->n++;
}

static int
find(struct target *t, struct resolver *r, const struct opening *what,
    uint32_t timeout_ms)
{
	struct sockaddr_un *name = (struct sockaddr_un *)&t->at[0];

	if (what->to == OPENING_UNIX) {
		name->sun_family = AF_UNIX;
		memcpy(name->sun_path, what->path, OPENING_PATH);
		t->len[0] = sizeof(*name);
		t->n = 1;
	} else if (strcmp(what->host, "localhost") == 0) {
		/* RFC 6761 section 6.3: always this host, no matter what the
		 * name servers say */
		add(t, "127.0.0.1", what->port);
		add(t, "::1", what->port);
	} else if (hostport_is_address(what->host)) {
		/* never to the resolver: it would take "host:port", and the
		 * port that was permitted is another one */
		add(t, what->host, what->port);
	} else {
		return resolve_start(&t->query, r, what->host, what->port,
		    timeout_ms, resolved_cb, t);
	}
	loop_at(t->timer, now_ms());
	return 0;
}

int
target_connect(struct target **out, struct loop *l, struct resolver *r,
    const struct opening *what, uint32_t timeout_ms, target_fn *fn, void *arg)
{
	struct target *t;
	int rc;

	if (what->to != OPENING_TCP && what->to != OPENING_UDP &&
	    what->to != OPENING_UNIX)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	t->to = what->to;
	t->fd = -1;
	t->deadline_ms = now_ms() + timeout_ms;
	t->timer = loop_event(l, -1, 0, timer_cb, t);
	rc = find(t, r, what, timeout_ms);
	if (rc != 0) {
		target_cancel(t);
		return rc;
	}
	*out = t;
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* The relay's counters as Prometheus reads them. */
#include "metrics.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relayboard.h"
#include "unixsocket.h"

#define CONNECTIONS 16
#define HEADERS_MAX 4096 /* bytes */
#define TIMEOUT_S 5	 /* of a connection that is silent */
#define LONGEST_MS 10000
#define SWEEP_MS 100
#define PREFIX "natkit_relay_"

struct connection {
	struct bufferevent *bev; /* NULL: a free place */
	uint64_t since_ms;
};

struct metrics {
	const struct engine *engine;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct addr at; /* ADDR_NONE: the Unix socket */
	struct sockaddr_un name;
	struct event *sweep;
	struct connection connection[CONNECTIONS];
};

static void
put_stat(
    void *arg, const char *name, const char *help, bool counter, uint64_t value)
{
	const char *tail = counter ? "_total" : "";

	evbuffer_add_printf(
	    arg, "# HELP " PREFIX "%s%s %s\n", name, tail, help);
	evbuffer_add_printf(arg,
	    "# TYPE " PREFIX "%s%s %s\n" PREFIX "%s%s %llu\n", name, tail,
	    counter ? "counter" : "gauge", name, tail,
	    (unsigned long long)value);
}

static void
request_cb(struct evhttp_request *req, void *arg)
{
	struct metrics *m = arg;
	struct evbuffer *body = evbuffer_new();

	if (body == NULL) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
		return;
	}
	relayboard_stats(m->engine, put_stat, body);
	evhttp_add_header(evhttp_request_get_output_headers(req),
	    "Content-Type", "text/plain; version=0.0.4");
	evhttp_add_header(
	    evhttp_request_get_output_headers(req), "Connection", "close");
	evhttp_send_reply(req, HTTP_OK, "OK", body);
	evbuffer_free(body);
}

/* Those that evhttp is done with are let go; those that take too long end. Then
 * others may come. */
static void
sweep(struct metrics *m)
{
	uint64_t now = now_ms();
	int open = 0;

	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &m->connection[i];
		bufferevent_event_cb used;

		if (c->bev == NULL)
			continue;
		bufferevent_getcb(c->bev, NULL, NULL, &used, NULL);
		if (used == NULL) {
			bufferevent_decref(c->bev);
			c->bev = NULL;
			continue;
		}
		open++;
		if (now - c->since_ms > LONGEST_MS)
			bufferevent_trigger_event(
			    c->bev, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
	}
	if (open < CONNECTIONS)
		evconnlistener_enable(m->listener);
	else
		evconnlistener_disable(m->listener);
	if (open > 0)
		loop_at(m->sweep, now + SWEEP_MS);
}

static void
sweep_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	sweep(arg);
}

/* evhttp knows no limit of its connections, and tells nobody of their end: a
 * reference of our own does, for what is freed has no callbacks any more. */
static struct bufferevent *
bufferevent_cb(struct event_base *base, void *arg)
{
	struct metrics *m = arg;
	struct bufferevent *bev =
	    bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

	if (bev == NULL)
		return NULL;
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &m->connection[i];

		if (c->bev != NULL)
			continue;
		bufferevent_incref(bev);
		*c = (struct connection){.bev = bev, .since_ms = now_ms()};
		if (i == CONNECTIONS - 1)
			evconnlistener_disable(m->listener);
		break;
	}
	loop_at(m->sweep, now_ms() + SWEEP_MS);
	return bev;
}

/* Who may connect is for the umask and the folder to say. */
static int
open_unix(struct metrics *m, const char *path)
{
	int rc = unixsocket_name(&m->name, path);

	if (rc == 0)
		rc = unixsocket_remove_stale(&m->name);
	if (rc != 0)
		m->name.sun_path[0] = '\0'; /* not ours to remove */
	return rc;
}

static int
open_socket(struct metrics *m)
{
	struct sockaddr_storage ss;
	const struct sockaddr *sa = (const struct sockaddr *)&ss;
	socklen_t len = sizeof(ss);
	int on = 1, rc = 0, fd;

	if (m->at.family == ADDR_NONE) {
		sa = (const struct sockaddr *)&m->name;
		len = sizeof(m->name);
	} else {
		len = addr_to_sockaddr(&m->at, &ss);
	}
	fd = socket(
	    sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, sa, len) == -1 || listen(fd, CONNECTIONS) == -1) {
		rc = -errno;
		close(fd);
		return rc;
	}
	len = sizeof(ss);
	if (m->at.family != ADDR_NONE &&
	    getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(&m->at, (struct sockaddr *)&ss);
	return fd;
}

static int
serve(struct metrics *m, struct loop *l)
{
	struct evhttp_bound_socket *bound;
	int fd;

	m->http = evhttp_new(l->base);
	if (m->http == NULL)
		return -ENOMEM;
	m->sweep = loop_event(l, -1, 0, sweep_cb, m);
	evhttp_set_allowed_methods(m->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(m->http, HEADERS_MAX);
	evhttp_set_max_body_size(m->http, 0);
	evhttp_set_timeout(m->http, TIMEOUT_S);
	evhttp_set_bevcb(m->http, bufferevent_cb, m);
	if (evhttp_set_cb(m->http, "/metrics", request_cb, m) != 0)
		return -ENOMEM;
	fd = open_socket(m);
	if (fd < 0)
		return fd;
	bound = evhttp_accept_socket_with_handle(m->http, fd);
	if (bound == NULL) {
		close(fd);
		return -ENOMEM;
	}
	m->listener = evhttp_bound_socket_get_listener(bound);
	return 0;
}

int
metrics_open(struct metrics **out, const struct engine *e, const char *at)
{
	struct metrics *m = calloc(1, sizeof(*m));
	int rc = 0;

	if (m == NULL)
		return -ENOMEM;
	m->engine = e;
	if (strchr(at, '/') != NULL)
		rc = open_unix(m, at);
	else if (addr_parse(&m->at, at) != 0 || !addr_is_loopback(&m->at))
		rc = -EINVAL;
	if (rc == 0)
		rc = serve(m, e->loop);
	if (rc != 0) {
		metrics_close(m);
		return rc;
	}
	*out = m;
	return 0;
}

const struct addr *
metrics_addr(const struct metrics *m)
{
	return &m->at;
}

void
metrics_close(struct metrics *m)
{
	if (m == NULL)
		return;
	if (m->http != NULL)
		evhttp_free(m->http);
	for (int i = 0; i < CONNECTIONS; i++)
		if (m->connection[i].bev != NULL)
			bufferevent_decref(m->connection[i].bev);
	if (m->sweep != NULL)
		event_free(m->sweep);
	/* may fail after a drop of privileges: the next start replaces it */
	if (m->name.sun_path[0] != '\0')
		unlink(m->name.sun_path);
	free(m);
}

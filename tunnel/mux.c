/* SPDX-License-Identifier: ISC */
/* How several nat-pipe of one key file share one engine: the engine's side.
 * unix(7), SCM_RIGHTS. */
#include "mux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "unixsocket.h"

#define PROGRESS_MS 1000
#define TEXT 700 /* of a sentence, bytes */

struct client {
	struct mux *mux;
	struct client *next;
	int fd;
	struct event *ev, *timer, *writable;
	struct joint *joint; /* NULL: has not asked, or it is over */
	struct forwarding *forwarding[ASK_FORWARDS];
	size_t forwardings;
	struct link *link;  /* of the joint or the forwards */
	uint64_t before[2]; /* its bytes when they came, in and out */
	uint8_t key[KEY_LEN];
	bool asked, more, over;
	int held
	    [2];    /* what was the joint's, until its end was told; -1: none */
	char *last; /* the end, which found no room yet */
};

struct mux {
	struct mux_config c;
	int fd;
	struct event *listening, *again;
	struct client *clients;
	size_t n;
};

/* ---- clients ---- */

static void
client_destroy(struct client *c)
{
	for (size_t i = 0; i < 2; i++)
		if (c->held[i] != -1)
			close(c->held[i]);
	event_free(c->ev);
	event_free(c->timer);
	event_free(c->writable);
	close(c->fd);
	free(c->last);
	free(c);
}

/* Connections that stand are cut. */
static void
stop_forwards(struct client *c)
{
	while (c->forwardings > 0)
		forwarding_stop(c->forwarding[--c->forwardings], false);
	event_del(c->timer);
}

static void
client_free(struct client *c)
{
	struct mux *m = c->mux;
	struct client **at = &m->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	m->n--;
	if (c->joint != NULL)
		joint_cancel(c->joint, true);
	stop_forwards(c);
	client_destroy(c);
}

/* A client that is too slow misses what is not the end. */
static bool
put(struct client *c, const char *text)
{
	return send(c->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) !=
	       -1;
}

/* The last word; the client is gone after it. But while something of its own is
 * still held, it goes first: it has to tell a person why. */
static void
finish(struct client *c, const char *text)
{
	bool told = put(c, text);

	if (told && (c->held[0] != -1 || c->held[1] != -1)) {
		c->over = true;
		return;
	}
	if (told || errno != EAGAIN || (c->last = strdup(text)) == NULL) {
		client_free(c);
		return;
	}
	event_add(c->writable, NULL);
}

static void
writable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)events;
	if (put(c, c->last) || errno != EAGAIN)
		client_free(c);
	else
		event_add(c->writable, NULL);
}

/* An end with a sentence of ours, without any joint. */
static void
fail(struct client *c, const char *end, const char *text)
{
	char packet[TEXT + 100];

	stop_forwards(c);
	snprintf(packet, sizeof(packet), "end end=%s\n%s", end, text);
	finish(c, packet);
}

/* Whoever started the client (ssh) may end it as soon as he sees its output
 * closed: not before it has said why. */
static void
broken_cb(void *arg)
{
	struct client *c = arg;

	if (c->joint != NULL)
		joint_copy(c->joint, c->held);
}

static void
ended_cb(void *arg, const struct joint_result *res)
{
	struct client *c = arg;
	char text[TEXT] = "", packet[TEXT + RECORD_MAX + 2];
	struct record r;

	c->joint = NULL;
	event_del(c->timer);
	record_begin(&r, "end");
	record_put(&r, "end", joint_end_name(res->end));
	if (res->end == JOINT_REFUSED)
		record_put(&r, "reason", opening_reason_name(res->reason));
	record_put_u64(&r, "sent", res->sent);
	record_put_u64(&r, "received", res->received);
	if (res->end == JOINT_NO_PATH)
		c->mux->c.why(c->mux->c.arg, c->key, text, sizeof(text));
	else if (res->end == JOINT_REFUSED)
		snprintf(
		    text, sizeof(text), "%s", opening_reason_text(res->reason));
	else
		snprintf(text, sizeof(text), "%s", joint_end_text(res->end));
	snprintf(packet, sizeof(packet), "%s\n%s", r.text, text);
	finish(c, packet);
}

static void
progress_cb(evutil_socket_t fd, short events, void *arg)
{
	struct client *c = arg;
	struct link_status l;
	struct joint_status j;
	struct record r;

	(void)fd;
	(void)events;
	link_status(c->link, &l);
	if (c->joint != NULL) {
		joint_status(c->joint, &j);
	} else { /* forwards */
		j.received = l.bytes_in - c->before[0];
		j.sent = l.bytes_out - c->before[1];
	}
	record_begin(&r, "progress");
	record_put_u64(&r, "in", j.received);
	record_put_u64(&r, "out", j.sent);
	if (link_path_stands(l.path))
		record_put(&r, "path", link_path_name(l.path));
	record_put_addr(&r, "endpoint", &l.endpoint);
	if (l.up)
		record_put_u64(&r, "rtt_us", l.quic.rtt_us);
	put(c, r.text);
	loop_at(c->timer, now_ms() + PROGRESS_MS);
}

/* ---- what they ask ---- */

static void
route_cb(void *arg, struct forwarding *f)
{
	struct client *c = arg;
	struct record r;

	c->mux->c.route(c->mux->c.arg, f, &r);
	put(c, r.text);
}

/* Returns 0, or -errno and which one can't be. */
static int
add_forwards(struct client *c, const struct ask *a, const struct forward **bad)
{
	struct forwarding_config config = {.loop = c->mux->c.loop,
	    .resolver = c->mux->c.resolver,
	    .link = c->link,
	    .book = c->mux->c.book,
	    .changed = route_cb,
	    .arg = c};
	int rc;

	for (size_t i = 0; i < a->forwards; i++) {
		config.forward = *bad = &a->forward[i];
		if (c->forwardings == ASK_FORWARDS)
			return -E2BIG;
		rc = forwarding_start(
		    &c->forwarding[c->forwardings], &config, false);
		if (rc != 0)
			return rc;
		c->forwardings++;
	}
	return 0;
}

/* Returns 0, or -errno of mux_config's want. */
static int
meet(struct client *c, const struct ask *a)
{
	struct mux *m = c->mux;
	const char *servers[WANTS_SERVERS];
	struct link_status s;
	int rc;

	for (size_t i = 0; i < a->servers; i++)
		servers[i] = a->server[i];
	memcpy(c->key, a->key, KEY_LEN);
	rc = m->c.want(m->c.arg, a->key, servers, a->servers);
	if (rc != 0)
		return rc;
	c->link = tunnel_link(m->c.tunnel, a->key);
	if (c->link == NULL)
		return -ENOSPC;
	link_status(c->link, &s);
	c->before[0] = s.bytes_in;
	c->before[1] = s.bytes_out;
	return 0;
}

/* Takes the descriptors when it returns 0. */
static int
open_stream(struct client *c, const struct ask *a, const int fds[2])
{
	struct joint_config config = {.in = fds[0],
	    .out = fds[1],
	    .wait_ms =
		a->wait_s > 1000000 ? UINT32_MAX : (uint32_t)a->wait_s * 1000,
	    .broken = broken_cb,
	    .ended = ended_cb,
	    .arg = c};

	return joint_open(&c->joint, c->link, &a->what, &config);
}

static void
close_fds(const int fds[2])
{
	if (fds[0] != -1)
		close(fds[0]);
	if (fds[1] != -1 && fds[1] != fds[0])
		close(fds[1]);
}

static const char *
failure(int rc)
{
	if (rc == -ENOSPC)
		return "there are too many peers already";
	if (rc == -EDESTADDRREQ)
		return WANTS_NO_SERVER;
	return strerror(-rc);
}

/* A stream with its descriptors; or forwards, of which more may come. */
static bool
is_in_order(const struct client *c, const struct ask *a, bool has_fds)
{
	if (has_fds != a->open)
		return false;
	return !c->asked ||
	       (c->more && !a->open && memcmp(c->key, a->key, KEY_LEN) == 0);
}

static bool
may_end(const struct mux *m)
{
	return m->c.background && mux_clients(m) == 0;
}

static size_t
count_forwards(const struct mux *m)
{
	size_t n = m->c.forwards(m->c.arg);

	for (const struct client *c = m->clients; c != NULL; c = c->next)
		n += c->forwardings;
	return n;
}

/* Ends, for the sake of another engine, or says what it has to do. lacks: the
 * option for which this engine is not the one; or NULL. */
static void
quit(struct client *c, const char *lacks)
{
	struct mux *m = c->mux;
	struct link_status s;
	struct record r;
	struct link *l;
	uint64_t streams = 0;

	if (may_end(m)) {
		put(c, "bye");
		m->c.quit(m->c.arg);
		return;
	}
	for (size_t i = 0; (l = tunnel_each(m->c.tunnel, i)) != NULL; i++) {
		link_status(l, &s);
		streams += s.streams;
	}
	record_begin(&r, "busy");
	record_put_u64(&r, "pid", (uint64_t)getpid());
	record_put_u64(&r, "streams", streams);
	record_put_u64(&r, "forwards", count_forwards(m));
	record_put_u64(&r, "listens", m->c.listens);
	record_put(&r, "lacks", lacks);
	put(c, r.text);
}

/* Is another engine wanted? One that uses fewer paths than it may is none of
 * ours to end, and serves him who does not care. */
static bool
is_another(const struct mux *m, const struct ask *a, const char **lacks)
{
	*lacks = demand_missing(m->c.demand, &a->demand);
	return *lacks != NULL ||
	       (may_end(m) && demand_extra(m->c.demand, &a->demand) != NULL);
}

static void
ask(struct client *c, const char *text, const int fds[2])
{
	char spec[FORWARD_TEXT], why[TEXT];
	const struct forward *bad = NULL;
	const char *lacks;
	struct ask a;
	int rc;

	if (ask_parse(&a, text) != 0 || !is_in_order(c, &a, fds[0] != -1)) {
		close_fds(fds);
		fail(c, "failed", "the engine did not understand that");
		return;
	}
	if (!c->asked && is_another(c->mux, &a, &lacks)) {
		close_fds(fds);
		quit(c, lacks);
		return;
	}
	rc = c->asked ? 0 : meet(c, &a);
	if (rc == 0)
		rc = a.open ? open_stream(c, &a, fds)
			    : add_forwards(c, &a, &bad);
	if (rc != 0) {
		close_fds(fds);
		snprintf(why, sizeof(why), "%s%s%s",
		    bad != NULL ? forward_format(bad, spec) : "",
		    bad != NULL ? ": can't listen there: " : "", failure(rc));
		fail(c,
		    bad != NULL || rc == -EDESTADDRREQ ? MUX_CONFIG : "failed",
		    why);
		return;
	}
	c->asked = true;
	c->more = a.more;
	put(c, "taken");
	if (a.progress)
		loop_at(c->timer, now_ms() + PROGRESS_MS);
}

static void
client_cb(evutil_socket_t fd, short events, void *arg)
{
	struct client *c = arg;
	char text[MUX_PACKET + 1];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = text, .iov_len = MUX_PACKET};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof(control.buf)};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fds[2];

	(void)events;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	mux_take_fds(&msg, fds);
	if (c->last != NULL ||
	    c->over) { /* it is over, and only the end to be told */
		close_fds(fds);
		return;
	}
	text[n] = '\0';
	if (strlen(text) != (size_t)n)
		text[0] = '\0';
	if (strcmp(text, "quit") == 0) {
		close_fds(fds);
		quit(c, NULL);
	} else {
		ask(c, text, fds);
	}
}

/* ---- the socket ---- */

static void
client_new(struct mux *m, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	c->mux = m;
	c->fd = fd;
	c->held[0] = c->held[1] = -1;
	c->next = m->clients;
	m->clients = c;
	m->n++;
	c->ev = loop_event(m->c.loop, fd, EV_READ | EV_PERSIST, client_cb, c);
	c->timer = loop_event(m->c.loop, -1, 0, progress_cb, c);
	c->writable = loop_event(m->c.loop, fd, EV_WRITE, writable_cb, c);
	event_add(c->ev, NULL);
}

static void
again_cb(evutil_socket_t fd, short events, void *arg)
{
	struct mux *m = arg;

	(void)fd;
	(void)events;
	event_add(m->listening, NULL);
}

static void
accept_cb(evutil_socket_t listening, short events, void *arg)
{
	struct mux *m = arg;
	int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd == -1 && (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM)) {
		/* it would be called without end */
		event_del(m->listening);
		loop_at(m->again, now_ms() + 1000);
		log_warnx("too few descriptors for another client");
	}
	if (fd == -1)
		return;
	if (m->n >= MUX_CLIENTS || !unixsocket_is_permitted(fd)) {
		close(fd);
		return;
	}
	client_new(m, fd);
}

int
mux_open(struct mux **out, const struct mux_config *config)
{
	struct mux *m = calloc(1, sizeof(*m));
	int rc;

	if (m == NULL)
		return -ENOMEM;
	m->c = *config;
	rc = mux_listen(config->path);
	if (rc < 0) {
		free(m);
		return rc;
	}
	m->fd = rc;
	m->listening =
	    loop_event(config->loop, m->fd, EV_READ | EV_PERSIST, accept_cb, m);
	m->again = loop_event(config->loop, -1, 0, again_cb, m);
	event_add(m->listening, NULL);
	*out = m;
	return 0;
}

void
mux_stop(struct mux *m)
{
	for (struct client *c = m->clients; c != NULL; c = c->next)
		stop_forwards(c);
}

void
mux_free(struct mux *m)
{
	struct client *c;

	if (m == NULL)
		return;
	/* Unlinked first: whoever finds it closed may make a new one. */
	unlink(m->c.path);
	event_free(m->listening);
	event_free(m->again);
	close(m->fd);
	/* their joints have ended with the tunnel */
	while ((c = m->clients) != NULL) {
		m->clients = c->next;
		client_destroy(c);
	}
	free(m);
}

void
mux_say(struct mux *m, const char *text)
{
	char packet[1200];

	snprintf(packet, sizeof(packet), "say %s", text);
	for (struct client *c = m->clients; c != NULL; c = c->next)
		if (c->last == NULL)
			put(c, packet);
}

void
mux_give_up(struct mux *m, int code, const char *text)
{
	char packet[TEXT + 100];
	struct client *next;
	struct link_status s;

	for (struct client *c = m->clients; c != NULL; c = next) {
		next = c->next;
		if (c->joint == NULL)
			continue;
		link_status(c->link, &s);
		if (s.up || link_path_stands(s.path))
			continue;
		event_del(c->timer);
		joint_cancel(c->joint, true);
		c->joint = NULL;
		snprintf(packet, sizeof(packet), "end end=%s code=%d\n%.*s",
		    MUX_GIVEN_UP, code, TEXT, text);
		finish(c, packet);
	}
}

size_t
mux_clients(const struct mux *m)
{
	size_t n = 0;

	for (const struct client *c = m->clients; c != NULL; c = c->next)
		n += c->asked;
	return n;
}

struct forwarding *
mux_forwarding(const struct mux *m, size_t i)
{
	for (const struct client *c = m->clients; c != NULL; c = c->next) {
		if (i < c->forwardings)
			return c->forwarding[i];
		i -= c->forwardings;
	}
	return NULL;
}

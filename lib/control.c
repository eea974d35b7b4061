/* SPDX-License-Identifier: ISC */
/* Control sockets: command lines in, records out. */
#include "control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unixsocket.h"

#define COMMAND_MAX 1024

struct control_conn {
	struct control *owner;
	struct bufferevent *bev; /* NULL: a free place */
	control_more_fn *more;
	uint64_t position;
	bool busy;     /* a command's answer has not ended */
	bool watching; /* gets what is published */
	bool eof;      /* nothing more will be asked */
	bool broken;   /* to be closed as soon as nobody uses it */
};

struct control {
	struct loop *loop;
	struct event *listening;
	int fd;
	struct sockaddr_un name;
	control_fn *fn;
	void *arg;
	struct control_conn conns[CONTROL_CLIENTS];
};

static void
conn_close(struct control_conn *c)
{
	bufferevent_free(c->bev);
	memset(c, 0, sizeof(*c));
}

/* Closes what is broken, and what has said and been told everything. */
static void
conn_settle(struct control_conn *c)
{
	size_t unread;

	if (c->bev == NULL)
		return;
	unread = evbuffer_get_length(bufferevent_get_output(c->bev));
	if (c->broken || (c->eof && !c->busy && !c->watching && unread == 0))
		conn_close(c);
}

void
control_put(struct control_conn *c, const struct record *r)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	if (c->broken || r->overflow)
		return;
	if (evbuffer_get_length(out) + r->len + 1 > CONTROL_BACKLOG ||
	    evbuffer_add(out, r->text, r->len) == -1 ||
	    evbuffer_add(out, "\n", 1) == -1)
		c->broken = true; /* cut off: it reads too slowly */
}

void
control_end(struct control_conn *c, const char *reason)
{
	struct record r;

	record_begin(&r, "end");
	record_put(&r, "status", reason == NULL ? "ok" : "error");
	record_put(&r, "reason", reason);
	control_put(c, &r);
	c->busy = false;
	c->more = NULL;
}

void
control_watch(struct control_conn *c)
{
	c->watching = true;
	c->busy = false;
}

void
control_stream(struct control_conn *c, control_more_fn *fn)
{
	c->more = fn;
	c->position = 0;
}

void
control_publish(struct control *ctl, const struct record *r)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_conn *c = &ctl->conns[i];

		if (c->bev == NULL || !c->watching)
			continue;
		control_put(c, r);
		conn_settle(c);
	}
}

static void
run_command(struct control_conn *c, char *line)
{
	struct control *ctl = c->owner;
	char *args;

	line += strspn(line, " \t");
	args = line + strcspn(line, " \t\r");
	if (*args != '\0')
		*args++ = '\0';
	args += strspn(args, " \t");
	args[strcspn(args, "\r")] = '\0';
	if (*line == '\0')
		return;
	c->busy = true;
	ctl->fn(ctl->arg, c, line, args);
}

/* Takes commands one after the other, and goes on with a long answer. */
static void
conn_step(struct control_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct evbuffer *out = bufferevent_get_output(c->bev);
	char *line;

	while (!c->broken && !c->watching) {
		if (c->more != NULL) {
			if (evbuffer_get_length(out) > 0)
				return; /* go on when it is read */
			c->more(c->owner->arg, c, &c->position);
			continue;
		}
		if (c->busy)
			return;
		line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF);
		if (line == NULL)
			break;
		run_command(c, line);
		free(line);
	}
	if (c->watching)
		evbuffer_drain(in, evbuffer_get_length(in));
	else if (evbuffer_get_length(in) >= COMMAND_MAX) {
		control_end(c, "line-too-long");
		evbuffer_drain(in, evbuffer_get_length(in));
		bufferevent_disable(c->bev, EV_READ);
		c->eof = true;
	}
}

static void
io_cb(struct bufferevent *bev, void *arg)
{
	struct control_conn *c = arg;

	(void)bev;
	conn_step(c);
	conn_settle(c);
}

/* Both directions of its socket are shut: nobody is there any more. */
static bool
is_gone(const struct control_conn *c)
{
	struct pollfd p = {.fd = bufferevent_getfd(c->bev)};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct control_conn *c = arg;

	(void)bev;
	c->eof = true;
	if ((what & BEV_EVENT_ERROR) != 0 || is_gone(c))
		c->broken = true;
	else
		conn_step(c);
	conn_settle(c);
}

static struct control_conn *
free_conn(struct control *ctl)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_conn *c = &ctl->conns[i];

		if (c->bev != NULL && is_gone(c))
			conn_close(c);
		if (c->bev == NULL)
			return c;
	}
	return NULL;
}

static void
accept_cb(evutil_socket_t listening, short events, void *arg)
{
	struct control *ctl = arg;
	struct control_conn *c;
	int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd == -1)
		return;
	c = unixsocket_is_permitted(fd) ? free_conn(ctl) : NULL;
	if (c != NULL)
		c->bev = bufferevent_socket_new(
		    ctl->loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c == NULL || c->bev == NULL) {
		close(fd);
		return;
	}
	c->owner = ctl;
	bufferevent_setcb(c->bev, io_cb, io_cb, event_cb, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, COMMAND_MAX);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static int
listen_private(int fd, const struct sockaddr_un *name)
{
	int rc = unixsocket_bind(fd, name);

	if (rc == 0 && listen(fd, CONTROL_CLIENTS) == -1)
		rc = -errno;
	return rc;
}

int
control_open(struct control **out, struct loop *l, const char *path,
    control_fn *fn, void *arg)
{
	struct sockaddr_un name;
	struct control *ctl;
	int rc;

	rc = unixsocket_name(&name, path);
	if (rc != 0)
		return rc;
	ctl = calloc(1, sizeof(*ctl));
	if (ctl == NULL)
		return -ENOMEM;
	ctl->loop = l;
	ctl->fn = fn;
	ctl->arg = arg;
	ctl->name = name;
	rc = unixsocket_remove_stale(&ctl->name);
	ctl->fd = -1;
	if (rc == 0) {
		ctl->fd = socket(
		    AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		rc = ctl->fd == -1 ? -errno
				   : listen_private(ctl->fd, &ctl->name);
	}
	if (rc != 0) {
		if (ctl->fd != -1)
			close(ctl->fd);
		free(ctl);
		return rc;
	}
	ctl->listening =
	    loop_event(l, ctl->fd, EV_READ | EV_PERSIST, accept_cb, ctl);
	event_add(ctl->listening, NULL);
	*out = ctl;
	return 0;
}

void
control_free(struct control *ctl)
{
	if (ctl == NULL)
		return;
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (ctl->conns[i].bev != NULL)
			conn_close(&ctl->conns[i]);
	event_free(ctl->listening);
	close(ctl->fd);
	/* may fail after a drop of privileges: the next start replaces it */
	unlink(ctl->name.sun_path);
	free(ctl);
}

/* SPDX-License-Identifier: ISC */
/* A port socket (lib/lend.h) in a program's event loop: takes clients and what
 * they send. */
#include "lendloop.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "stun.h"

#define BATCH 64 /* packets of one client before the loop turns */

int
lendloop_open(struct lendloop *l, const char *path, uid_t owner, uid_t user,
    uint16_t port, int family)
{
	int r;

	memset(l, 0, sizeof(*l));
	if ((r = lend_open(&l->lend, path, owner, user)) < 0)
		return r;
	l->lend.hello = (struct port_msg){.op = PORT_HELLO};
	l->lend.hello.local.port = port;
	l->lend.hello.remote.family = (uint8_t)family;
	return 0;
}

static int
error_of(int r)
{
	switch (r) {
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -ENETDOWN:
	case -EHOSTDOWN:
	case -EAFNOSUPPORT:
	case -EADDRNOTAVAIL:
		return PORT_E_UNREACHABLE;
	case -EPERM:
	case -EACCES:
		return PORT_E_DENIED;
	case -EINVAL:
	case -EMSGSIZE:
		return PORT_E_INVALID;
	default:
		return PORT_E_OTHER;
	}
}

/* A client may speak STUN from the lent port, nothing else. */
static int
check_send(const struct lendloop *l, const struct port_msg *m)
{
	if (!addr_is_sendable(&m->remote) || !stun_is_stun(m->payload, m->len))
		return -EINVAL;
	if (m->local.family != ADDR_NONE && m->local.port != 0 &&
	    m->local.port != l->lend.hello.local.port)
		return -EINVAL;
	return 0;
}

static void
forward(struct lendloop *l, int client, const struct port_msg *m)
{
	char to[ADDR_STRLEN];
	int r = check_send(l, m);

	if (r == 0)
		r = l->send(l->arg, m);
	if (r == 0) {
		l->sent++;
		return;
	}
	l->refused++;
	log_debug(
	    "not sent to %s: %s", addr_format(&m->remote, to), strerror(-r));
	lend_refuse(&l->lend, client, &m->remote, error_of(r));
}

static void
end_client(struct lendloop_slot *s)
{
	struct lend_client *c = &s->owner->lend.client[s->number];

	log_info("client %d (process %ld) left, %llu datagrams dropped",
	    s->number, (long)c->pid, (unsigned long long)c->dropped);
	event_free(s->event);
	s->event = NULL;
	lend_drop(&s->owner->lend, s->number);
}

static void
client_cb(evutil_socket_t fd, short events, void *arg)
{
	struct lendloop_slot *s = arg;
	struct lendloop *l = s->owner;
	uint8_t buf[PORT_MAX];
	struct port_msg m;

	(void)fd;
	(void)events;
	for (int i = 0; i < BATCH; i++) {
		int r = lend_recv(&l->lend, s->number, &m, buf);

		if (r == 0)
			return;
		if (r == -EPIPE) {
			end_client(s);
			return;
		}
		if (r == 1) {
			forward(l, s->number, &m);
			continue;
		}
		l->refused++;
		lend_refuse(&l->lend, s->number, NULL, PORT_E_INVALID);
	}
}

/* Too few descriptors or too little memory: the listener would fire without
 * end, so it rests for a second. */
static void
rest(struct lendloop *l, int r)
{
	struct timeval tv = {.tv_sec = 1};

	errno = -r;
	log_warn("can't take a client");
	event_del(l->listen);
	event_add(l->again, &tv);
}

static void
again_cb(evutil_socket_t fd, short events, void *arg)
{
	struct lendloop *l = arg;

	(void)fd;
	(void)events;
	event_add(l->listen, NULL);
}

static void
take(struct lendloop *l, int client)
{
	struct lendloop_slot *s = &l->slot[client];

	s->owner = l;
	s->number = client;
	s->event = event_new(l->loop->base, l->lend.client[client].fd,
	    EV_READ | EV_PERSIST, client_cb, s);
	if (s->event == NULL || event_add(s->event, NULL) == -1) {
		if (s->event != NULL)
			event_free(s->event);
		s->event = NULL;
		lend_drop(&l->lend, client);
		log_warnx("refused a client: out of memory");
		return;
	}
	log_info("client %d (process %ld) came", client,
	    (long)l->lend.client[client].pid);
}

static void
listen_cb(evutil_socket_t fd, short events, void *arg)
{
	struct lendloop *l = arg;
	int r = lend_accept(&l->lend);

	(void)fd;
	(void)events;
	if (r >= 0)
		take(l, r);
	else if (r == -EACCES || r == -EBUSY)
		log_warnx(r == -EACCES ? "refused a client of another user"
				       : "refused a client: all places taken");
	else if (r != -EAGAIN && r != -EINTR && r != -ECONNABORTED &&
		 r != -EPIPE)
		rest(l, r);
}

void
lendloop_start(
    struct lendloop *l, struct loop *loop, lendloop_send_fn *send, void *arg)
{
	l->loop = loop;
	l->send = send;
	l->arg = arg;
	l->listen =
	    loop_event(loop, l->lend.fd, EV_READ | EV_PERSIST, listen_cb, l);
	l->again = loop_event(loop, -1, 0, again_cb, l);
	event_add(l->listen, NULL);
}

void
lendloop_close(struct lendloop *l)
{
	for (int i = 0; i < LEND_CLIENTS; i++)
		if (l->slot[i].event != NULL)
			event_free(l->slot[i].event);
	if (l->listen != NULL) {
		event_free(l->listen);
		event_free(l->again);
	}
	lend_close(&l->lend);
}

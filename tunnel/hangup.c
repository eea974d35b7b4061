/* SPDX-License-Identifier: ISC */
/* Errors of descriptors that nobody reads: an epoll of its own, which wants
 * nothing, for EPOLLERR and EPOLLHUP come anyway, and which is itself watched by
 * the loop; see epoll(7). */
#include "hangup.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define TURN 64 /* events, then others' turn */

struct hangup {
	struct hangup *next;
	struct loop *loop;
	int ep;
	unsigned int watches;
	struct event *ev;
};

static struct hangup *all; /* one for each loop */

static bool
is_there(const struct hangup *h)
{
	for (const struct hangup *g = all; g != NULL; g = g->next)
		if (g == h)
			return true;
	return false;
}

/* One event at a time: what it leads to may end other watches, or the last. */
static void
ready_cb(evutil_socket_t fd, short events, void *arg)
{
	struct hangup *h = arg;

	(void)fd;
	(void)events;
	for (int i = 0; i < TURN && is_there(h); i++) {
		struct epoll_event e;
		struct hangup_watch *w;

		if (epoll_wait(h->ep, &e, 1, 0) != 1)
			return;
		w = e.data.ptr;
		w->fn(w->arg);
	}
}

static struct hangup *
make(struct loop *l)
{
	struct hangup *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->ep = epoll_create1(EPOLL_CLOEXEC);
	if (h->ep == -1) {
		free(h);
		return NULL;
	}
	h->loop = l;
	h->ev = loop_event(l, h->ep, EV_READ | EV_PERSIST, ready_cb, h);
	event_add(h->ev, NULL);
	h->next = all;
	all = h;
	return h;
}

static struct hangup *
of_loop(struct loop *l)
{
	for (struct hangup *h = all; h != NULL; h = h->next)
		if (h->loop == l)
			return h;
	return make(l);
}

static void
drop_if_unused(struct hangup *h)
{
	struct hangup **link = &all;

	if (h->watches > 0)
		return;
	while (*link != h)
		link = &(*link)->next;
	*link = h->next;
	event_free(h->ev);
	close(h->ep);
	free(h);
}

void
hangup_watch(struct hangup_watch *w, struct loop *l, int fd,
    void (*fn)(void *arg), void *arg)
{
	struct epoll_event e = {.events = EPOLLET, .data.ptr = w};
	struct hangup *h = of_loop(l);

	*w = (struct hangup_watch){.fd = fd, .fn = fn, .arg = arg};
	if (h == NULL)
		return;
	if (epoll_ctl(h->ep, EPOLL_CTL_ADD, fd, &e) == 0) {
		w->of = h;
		h->watches++;
	}
	drop_if_unused(h);
}

void
hangup_forget(struct hangup_watch *w)
{
	struct hangup *h = w->of;

	if (h == NULL)
		return;
	w->of = NULL;
	epoll_ctl(h->ep, EPOLL_CTL_DEL, w->fd, NULL);
	h->watches--;
	drop_if_unused(h);
}

/* SPDX-License-Identifier: ISC */
/* SOCKS clients until it is known what they want. */
#include "socksdoor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socks.h"

#define LINGER_MS 1000

struct socksdoor {
	struct socksdoors *set;
	struct socksdoor *next;
	int fd;
	struct event *ready, *timer;
	struct socks socks;
	bool answered; /* with a refusal */
};

/* Returns the descriptor. */
static int
leave(struct socksdoor *d)
{
	struct socksdoor **p = &d->set->first;
	int fd = d->fd;

	while (*p != d)
		p = &(*p)->next;
	*p = d->next;
	d->set->open--;
	event_free(d->ready);
	event_free(d->timer);
	free(d);
	return fd;
}

static void
turn_away(struct socksdoor *d)
{
	if (!d->answered)
		d->set->refused++;
	close(leave(d));
}

/* What is closed with unread bytes is reset, and that may overtake the answer:
 * the client is to read it and close first. */
static void
linger(struct socksdoor *d)
{
	d->answered = true;
	d->set->refused++;
	shutdown(d->fd, SHUT_WR);
	loop_at(d->timer, now_ms() + LINGER_MS);
}

static void
throw_away(struct socksdoor *d)
{
	char data[4096];
	ssize_t n = recv(d->fd, data, sizeof(data), MSG_DONTWAIT);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		turn_away(d);
}

/* The bytes are looked at first, so that those after the request stay where the
 * stream will read them. Returns 0, or -errno: nothing (more) can be read. */
static int
step(struct socksdoor *d)
{
	uint8_t data[sizeof(d->socks.in)], reply[SOCKS_REPLY_MAX];
	size_t used = 0, reply_len = 0;
	ssize_t n = recv(d->fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0)
		return n == 0 ? -EPIPE : -errno;
	socks_feed(&d->socks, data, (size_t)n, &used, reply, &reply_len);
	/* these are there */
	if (used > 0 && recv(d->fd, data, used, MSG_DONTWAIT) != (ssize_t)used)
		return -EPIPE;
	/* and these few bytes fit into a buffer that nobody has filled */
	if (reply_len > 0 &&
	    send(d->fd, reply, reply_len, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		return -errno;
	return used > 0 || reply_len > 0 ? 0 : -EPIPE;
}

static void
ready_cb(evutil_socket_t fd, short events, void *arg)
{
	struct socksdoor *d = arg;
	struct socksdoors *set = d->set;
	struct opening what;
	int rc = 0;

	(void)fd;
	(void)events;
	if (d->answered) {
		throw_away(d);
		return;
	}
	while (rc == 0 && d->socks.state != SOCKS_DONE &&
	       d->socks.state != SOCKS_REFUSED)
		rc = step(d);
	if (d->socks.state == SOCKS_DONE) {
		what = d->socks.want;
		set->known(set->arg, leave(d), &what);
	} else if (d->socks.state == SOCKS_REFUSED) {
		linger(d);
	} else if (rc != -EAGAIN) {
		turn_away(d);
	}
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	turn_away(arg);
}

void
socksdoor_take(struct socksdoors *set, int fd)
{
	struct socksdoor *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		set->refused++;
		close(fd);
		return;
	}
	d->set = set;
	d->fd = fd;
	socks_init(&d->socks);
	d->ready = loop_event(set->loop, fd, EV_READ | EV_PERSIST, ready_cb, d);
	d->timer = loop_event(set->loop, -1, 0, timer_cb, d);
	event_add(d->ready, NULL);
	loop_at(d->timer, now_ms() + SOCKSDOOR_MS);
	d->next = set->first;
	set->first = d;
	set->open++;
}

void
socksdoors_end(struct socksdoors *set)
{
	struct socksdoor *next = NULL;

	for (struct socksdoor *d = set->first; d != NULL; d = next) {
		next = d->next;
		close(leave(d));
	}
}

/* SPDX-License-Identifier: ISC */
/* What is to be written to a descriptor, as fast as it takes it. */
#include "sink.h"

#include <errno.h>

#define WRITE_IOV 64
#define WRITE_TURN (1 << 20) /* bytes, then others' turn: disks are slow */

void
sink_init(struct sink *s, const struct sink_calls *calls, void *arg)
{
	*s = (struct sink){.calls = calls, .arg = arg};
	blockq_init(&s->q, &s->purse);
}

static void
wait_for_room(struct sink *s)
{
	struct timeval now = {0, 0};

	s->full = true;
	event_add(s->ev, s->d->kind == DESCRIPTOR_FILE ? &now : NULL);
}

static void
finish(struct sink *s, int error)
{
	s->done = true;
	event_del(s->ev);
	if (error < 0)
		s->calls->failed(s->arg, error);
	else
		s->calls->over(s->arg);
}

static void
write_turn(struct sink *s)
{
	size_t total = 0;
	ssize_t r = 0;

	while (blockq_len(&s->q) > 0 && total < WRITE_TURN) {
		struct iovec iov[WRITE_IOV];
		size_t got;
		size_t n = blockq_peek(&s->q, iov, WRITE_IOV, WRITE_TURN, &got);

		r = descriptor_write(s->d, iov, n);
		if (r <= 0)
			break;
		blockq_advance(&s->q, (size_t)r);
		blockq_release(&s->q, (size_t)r);
		total += (size_t)r;
	}
	s->written += total;
	if (total > 0)
		s->calls->wrote(s->arg, total);
	if (r < 0 && r != -EAGAIN)
		finish(s, (int)r);
	else if (blockq_len(&s->q) > 0)
		wait_for_room(s);
	else if (s->ending)
		finish(s, 0);
}

static void
write_cb(evutil_socket_t fd, short events, void *arg)
{
	struct sink *s = arg;

	(void)fd;
	(void)events;
	s->full = false;
	write_turn(s);
}

void
sink_start(struct sink *s, struct loop *l, const struct descriptor *d)
{
	bool file = d->kind == DESCRIPTOR_FILE;

	s->d = d;
	s->ev =
	    loop_event(l, file ? -1 : d->fd, file ? 0 : EV_WRITE, write_cb, s);
}

void
sink_free(struct sink *s)
{
	if (s->ev != NULL)
		event_free(s->ev);
	s->ev = NULL;
	s->done = true;
	blockq_clear(&s->q);
}

int
sink_put(struct sink *s, const void *data, size_t len)
{
	return s->done ? 0 : blockq_append(&s->q, data, len);
}

void
sink_end(struct sink *s)
{
	s->ending = true;
}

void
sink_flush(struct sink *s)
{
	if (s->ev != NULL && !s->done && !s->full)
		write_turn(s);
}

/* SPDX-License-Identifier: ISC */
/* A descriptor that is read ahead of what can be sent. */
#include "source.h"

#include <errno.h>

#define READ_LEN (64 * 1024) /* bytes of one readv */
#define READ_IOV (READ_LEN / BLOCK_LEN + 1)
#define READS 4 /* of one turn, then others' */

void
source_init(struct source *s, struct purse *purse, uint64_t ahead,
    const struct source_calls *calls, void *arg)
{
	*s = (struct source){.calls = calls, .arg = arg, .ahead = ahead};
	blockq_init(&s->q, purse);
}

/* A file has no readiness to wait for: it has its turn, with everybody's in
 * between. */
static void
arm(struct source *s)
{
	struct timeval now = {0, 0};

	s->waits = false;
	if (s->draining && s->d->kind != DESCRIPTOR_FILE)
		event_active(s->ev, EV_READ, 0);
	else
		event_add(s->ev, s->d->kind == DESCRIPTOR_FILE ? &now : NULL);
}

static void
wait_for_room(struct source *s)
{
	s->waits = true;
	event_del(s->ev);
}

static void
end(struct source *s)
{
	s->wanted = s->waits = false;
	s->ended = true;
	if (s->ev != NULL)
		event_del(s->ev);
}

/* Returns the bytes read, 0 for: not now; or -errno, with -ENODATA for the end
 * and -ENOBUFS for no room. */
static ssize_t
read_some(struct source *s, bool *more)
{
	struct iovec iov[READ_IOV];
	uint64_t unsent = blockq_ahead(&s->q);
	size_t len = 0, n;
	ssize_t r;

	if (unsent >= s->ahead)
		return -ENOBUFS;
	n = blockq_room(&s->q, iov, READ_IOV,
	    s->ahead - unsent < READ_LEN ? (size_t)(s->ahead - unsent)
					 : READ_LEN);
	for (size_t i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (len == 0)
		return -ENOBUFS;
	r = descriptor_read(s->d, iov, n);
	blockq_grow(&s->q, r > 0 ? (size_t)r : 0);
	*more = r > 0 && (size_t)r == len;
	if (r == 0)
		return -ENODATA;
	return r == -EAGAIN ? 0 : r;
}

static void
read_cb(evutil_socket_t fd, short events, void *arg)
{
	struct source *s = arg;
	uint64_t before = s->q.end;
	bool more = true;
	ssize_t r = 0;

	(void)fd;
	(void)events;
	for (int i = 0; i < READS && more; i++) {
		r = read_some(s, &more);
		if (r <= 0)
			break;
	}
	if (r == -ENODATA || (r == 0 && s->draining))
		end(s);
	else if (r == -ENOBUFS)
		wait_for_room(s);
	else if (r >= 0)
		arm(s);
	if (s->q.end != before || s->ended)
		s->calls->ready(s->arg);
	if (r < 0 && r != -ENODATA && r != -ENOBUFS) {
		end(s);
		s->calls->failed(s->arg, (int)r);
	}
}

void
source_start(struct source *s, struct loop *l, const struct descriptor *d)
{
	s->d = d;
	if (s->ended)
		return;
	s->wanted = true;
	if (d->kind == DESCRIPTOR_FILE)
		s->ev = loop_event(l, -1, 0, read_cb, s);
	else
		s->ev = loop_event(l, d->fd, EV_READ | EV_PERSIST, read_cb, s);
	arm(s);
}

void
source_stop(struct source *s)
{
	end(s);
}

void
source_drain(struct source *s)
{
	if (!s->wanted || s->draining)
		return;
	s->draining = true;
	if (!s->waits)
		arm(s);
}

void
source_free(struct source *s)
{
	if (s->ev != NULL)
		event_free(s->ev);
	s->ev = NULL;
	s->wanted = s->waits = false;
	s->ended = true;
	blockq_clear(&s->q);
}

void
source_resume(struct source *s)
{
	if (s->wanted && s->waits && blockq_ahead(&s->q) < s->ahead)
		arm(s);
}

void
source_sent(struct source *s, size_t n)
{
	blockq_advance(&s->q, n);
	/* not for every packet: a read should be worth its while */
	if (blockq_ahead(&s->q) <= s->ahead / 2)
		source_resume(s);
}

void
source_acked(struct source *s, uint64_t n)
{
	blockq_release(&s->q, n);
	if (blockq_ahead(&s->q) <= s->ahead / 2)
		source_resume(s);
}

bool
source_has_unread(const struct source *s)
{
	struct iovec iov;
	char c;

	if (!s->wanted)
		return false;
	iov = (struct iovec){.iov_base = &c, .iov_len = 1};
	return descriptor_read(s->d, &iov, 1) > 0;
}

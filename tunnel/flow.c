/* SPDX-License-Identifier: ISC */
/* Datagrams between a descriptor and a link. A queue is blocks of entries, two
 * bytes of length and the datagram; none spans two blocks. */
#include "flow.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "joint.h"

#define BATCH 32
#define TURN 4 /* batches, then others' turn */
#define HEAD 2 /* bytes before each datagram */

/* ---- the queue ---- */

static void
queue_pop(struct flowq *q)
{
	struct block *b = q->head;
	size_t len = (size_t)b->data[q->from] << 8 | b->data[q->from + 1];

	q->from += HEAD + len;
	q->count--;
	q->bytes -= len;
	if (q->count > 0 && q->from < b->at)
		return;
	q->head = b->next;
	q->from = 0;
	if (q->head == NULL)
		q->tail = NULL;
	block_give(q->purse, b);
}

static void
queue_clear(struct flowq *q)
{
	while (q->count > 0)
		queue_pop(q);
}

/* Where to put so many bytes; a block's `at` is where its entries end. */
static struct block *
room(struct flowq *q, size_t need)
{
	struct block *b = q->tail;

	if (b != NULL && b->at + need <= BLOCK_LEN)
		return b;
	b = block_take(q->purse);
	if (b == NULL)
		return NULL;
	b->at = 0;
	if (q->tail != NULL)
		q->tail->next = b;
	else
		q->head = b;
	q->tail = b;
	return b;
}

/* Returns how many were dropped: older ones, or the datagram itself. */
static uint64_t
queue_push(struct flowq *q, const void *data, size_t len)
{
	struct block *b = NULL;
	uint64_t dropped = 0;

	if (len > FLOW_DATAGRAM_MAX)
		return 1;
	while (q->count >= JOINT_DATAGRAMS) {
		queue_pop(q);
		dropped++;
	}
	while ((b = room(q, HEAD + len)) == NULL && q->count > 0) {
		queue_pop(q);
		dropped++;
	}
	if (b == NULL)
		return dropped + 1;
	b->data[b->at] = (uint8_t)(len >> 8);
	b->data[b->at + 1] = (uint8_t)len;
	memcpy(b->data + b->at + HEAD, data, len);
	b->at += HEAD + len;
	q->count++;
	q->bytes += len;
	return dropped;
}

/* Up to BATCH datagrams, from the oldest. */
static unsigned int
queue_peek(const struct flowq *q, struct iovec *iov)
{
	struct block *b = q->head;
	size_t at = q->from;
	unsigned int n = 0;

	while (n < BATCH && n < q->count) {
		if (at >= b->at) {
			b = b->next;
			at = 0;
			continue;
		}
		iov[n].iov_len = (size_t)b->data[at] << 8 | b->data[at + 1];
		iov[n].iov_base = b->data + at + HEAD;
		at += HEAD + iov[n++].iov_len;
	}
	return n;
}

/* ---- reading ---- */

/* Shared by all: nothing stays in it beyond a batch. */
static uint8_t scratch[BATCH][FLOW_DATAGRAM_MAX];

static void
take(struct flow *f, const void *data, size_t len, bool cut)
{
	uint64_t dropped = cut ? 1 : queue_push(&f->sending, data, len);

	f->read += len;
	if (dropped > 0)
		f->calls->dropped(f->arg, dropped);
}

/* An empty datagram, or the end? Of the sockets that have an end only
 * SEQPACKET ones come here. */
static bool
is_end(const struct flow *f)
{
	char c;
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(f->in->fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
	    type == SOCK_DGRAM)
		return false;
	return recv(f->in->fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

/* Returns how many, 0 for none now, -ENODATA, -errno. */
static int
read_socket(struct flow *f)
{
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	int n;

	memset(m, 0, sizeof(m));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){scratch[i], FLOW_DATAGRAM_MAX};
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(f->in->fd, m, BATCH, MSG_DONTWAIT, NULL);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		if (m[i].msg_len == 0 && is_end(f))
			return -ENODATA;
		take(f, scratch[i], m[i].msg_len,
		    (m[i].msg_hdr.msg_flags & MSG_TRUNC) != 0);
	}
	return n;
}

static int
read_other(struct flow *f)
{
	struct iovec iov = {scratch[0], f->read_max};
	ssize_t r = descriptor_read(f->in, &iov, 1);

	if (r == -EAGAIN)
		return 0;
	if (r <= 0)
		return r == 0 ? -ENODATA : (int)r;
	take(f, scratch[0], (size_t)r, false);
	return 1;
}

/* What an ICMP error told of an earlier datagram ends no flow. */
static bool
is_passing(int error)
{
	return error == -ECONNREFUSED || error == -EHOSTUNREACH ||
	       error == -ENETUNREACH || error == -ENETDOWN ||
	       error == -EHOSTDOWN || error == -EPROTO ||
	       error == -ENOPROTOOPT || error == -EMSGSIZE ||
	       error == -ENOBUFS || error == -EPERM || error == -ENOMEM ||
	       error == -EACCES || error == -ENETRESET || error == -ETIMEDOUT;
}

static void
arm(struct flow *f)
{
	struct timeval now = {0, 0};

	event_add(f->in_ev, f->in->kind == DESCRIPTOR_FILE ? &now : NULL);
}

static void
read_cb(evutil_socket_t fd, short events, void *arg)
{
	struct flow *f = arg;
	int n = 1;

	(void)fd;
	(void)events;
	for (int i = 0; i < TURN && n > 0; i++) {
		if (f->in->kind == DESCRIPTOR_SOCKET) {
			n = read_socket(f);
		} else {
			/* a file or pipe can wait, and loses nothing then */
			if (f->sending.count >= JOINT_DATAGRAMS / 2)
				break;
			n = read_other(f);
		}
	}
	if (f->sending.count > 0) {
		f->active_ms = now_ms();
		f->calls->ready(f->arg);
	}
	if (f->in->kind != DESCRIPTOR_SOCKET &&
	    f->sending.count >= JOINT_DATAGRAMS / 2) {
		event_del(f->in_ev); /* flow_pop goes on */
		f->paused = true;
	} else if (n >= 0 || is_passing(n)) {
		arm(f);
	} else {
		event_del(f->in_ev);
		f->over = true;
		if (n == -ENODATA)
			f->calls->ended(f->arg);
		else
			f->calls->failed(f->arg, false, n);
	}
}

/* ---- writing ---- */

static int
write_socket(struct flow *f)
{
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	unsigned int n = queue_peek(&f->writing, iov);
	int r;

	memset(m, 0, sizeof(m));
	for (unsigned int i = 0; i < n; i++) {
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	r = sendmmsg(f->out->fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return r >= 0 ? r : -errno;
}

static int
write_other(struct flow *f)
{
	struct iovec iov[BATCH];
	ssize_t r;

	queue_peek(&f->writing, iov);
	if (iov[0].iov_len == 0)
		return 1;
	r = descriptor_write(f->out, iov, 1);
	return r < 0 ? (int)r : 1;
}

static void
written(struct flow *f, int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t before = f->writing.bytes;

		queue_pop(&f->writing);
		f->written += before - f->writing.bytes;
	}
}

static void
wait_for_room(struct flow *f)
{
	f->full = true;
	event_add(f->out_ev, NULL);
}

/* Tried twice: the first time may tell what became of an earlier one. */
static bool
skip(struct flow *f, int error, unsigned int *tries)
{
	if (error == -EINTR || (is_passing(error) && ++*tries < 2))
		return true;
	if (!is_passing(error))
		return false;
	queue_pop(&f->writing);
	*tries = 0;
	f->calls->dropped(f->arg, 1);
	return true;
}

void
flow_flush(struct flow *f)
{
	unsigned int tries = 0;

	if (f->out_ev == NULL || f->full)
		return;
	while (f->writing.count > 0) {
		int n = f->out->kind == DESCRIPTOR_SOCKET ? write_socket(f)
							  : write_other(f);

		if (n >= 0) {
			written(f, n);
			tries = 0;
		} else if (n == -EAGAIN) {
			wait_for_room(f);
			return;
		} else if (!skip(f, n, &tries)) {
			queue_clear(&f->writing);
			f->calls->failed(f->arg, true, n);
			return;
		}
	}
}

static void
write_cb(evutil_socket_t fd, short events, void *arg)
{
	struct flow *f = arg;

	(void)fd;
	(void)events;
	f->full = false;
	flow_flush(f);
}

void
flow_put(struct flow *f, const void *data, size_t len)
{
	uint64_t dropped = queue_push(&f->writing, data, len);

	f->active_ms = now_ms();
	if (dropped > 0)
		f->calls->dropped(f->arg, dropped);
}

/* ---- both ---- */

bool
flow_next(const struct flow *f, const uint8_t **data, size_t *len)
{
	const struct flowq *q = &f->sending;
	const uint8_t *entry;

	if (q->count == 0)
		return false;
	entry = q->head->data + q->from;
	*len = (size_t)entry[0] << 8 | entry[1];
	*data = entry + HEAD;
	return true;
}

void
flow_pop(struct flow *f)
{
	if (f->sending.count > 0)
		queue_pop(&f->sending);
	if (f->paused && f->sending.count < JOINT_DATAGRAMS / 4) {
		f->paused = false;
		arm(f);
	}
}

void
flow_init(struct flow *f, struct purse *sending, struct purse *writing,
    const struct flow_calls *calls, void *arg)
{
	*f = (struct flow){.calls = calls, .arg = arg, .read_max = 1150};
	f->sending.purse = sending;
	f->writing.purse = writing;
	f->active_ms = now_ms();
}

static struct event *
watch(struct loop *l, const struct descriptor *d, short what,
    event_callback_fn cb, struct flow *f)
{
	if (d->kind == DESCRIPTOR_FILE)
		return loop_event(l, -1, 0, cb, f);
	return loop_event(l, d->fd, what, cb, f);
}

void
flow_start(struct flow *f, struct loop *l, const struct descriptor *in,
    const struct descriptor *out)
{
	f->in = in;
	f->out = out;
	if (descriptor_is_open(in)) {
		f->in_ev = watch(l, in, EV_READ | EV_PERSIST, read_cb, f);
		arm(f);
	}
	if (descriptor_is_open(out))
		f->out_ev = watch(l, out, EV_WRITE, write_cb, f);
}

void
flow_free(struct flow *f)
{
	if (f->in_ev != NULL)
		event_free(f->in_ev);
	if (f->out_ev != NULL)
		event_free(f->out_ev);
	f->in_ev = f->out_ev = NULL;
	f->paused = false;
	queue_clear(&f->sending);
	queue_clear(&f->writing);
}

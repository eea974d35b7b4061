/* SPDX-License-Identifier: ISC */
/* A listening UDP port whose sources become flows. Each flow is one end of a
 * SOCK_SEQPACKET pair, whose other end its joint reads and writes. */
#include "udpinlet.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bindset.h"
#include "listener.h"

#define BUCKETS 512	/* a power of 2 */
#define BATCH 32	/* datagrams of one flow in one turn of the loop */
#define REFUSED_MS 1000 /* a source that was refused is not heard for so long */

struct source_flow {
	struct udpinlet *u;
	struct source_flow *next; /* in its bucket */
	struct source_flow *older, *newer;
	struct path from;
	struct joint *joint; /* NULL: refused */
	bool answered;
	uint64_t refused_ms;
	int fd; /* our end; -1: refused */
	struct event *ready;
};

struct udpinlet {
	struct loop *loop;
	struct link *link;
	struct opening target;
	uint16_t port;
	struct listener *listener[BINDSET_MAX];
	struct event *ready[BINDSET_MAX];
	size_t n;
	struct source_flow *bucket[BUCKETS];
	struct source_flow *oldest, *newest;
	struct udpinlet_status status;
	void (*opened)(void *arg);
	void (*failed)(void *arg, const struct joint_result *res);
	void *arg;
};

static size_t
bucket_of(const struct path *p)
{
	uint64_t h = 0xcbf29ce484222325u ^ p->remote.port;

	for (size_t i = 0; i < sizeof(p->remote.ip); i++)
		h = (h ^ p->remote.ip[i]) * 0x100000001b3u;
	return (h ^ h >> 32) & (BUCKETS - 1);
}

static void
line_remove(struct source_flow *f)
{
	struct udpinlet *u = f->u;

	*(f->older != NULL ? &f->older->newer : &u->oldest) = f->newer;
	*(f->newer != NULL ? &f->newer->older : &u->newest) = f->older;
}

static void
line_add(struct source_flow *f)
{
	struct udpinlet *u = f->u;

	f->newer = NULL;
	f->older = u->newest;
	*(u->newest != NULL ? &u->newest->newer : &u->oldest) = f;
	u->newest = f;
}

static void
touch(struct source_flow *f)
{
	if (f->newer == NULL)
		return;
	line_remove(f);
	line_add(f);
}

static void
source_flow_shut(struct source_flow *f)
{
	if (f->fd == -1)
		return;
	event_free(f->ready);
	close(f->fd);
	f->fd = -1;
}

static void
source_flow_free(struct source_flow *f)
{
	struct source_flow **p = &f->u->bucket[bucket_of(&f->from)];

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	line_remove(f);
	f->u->status.open--;
	source_flow_shut(f);
	if (f->joint != NULL)
		joint_cancel(f->joint, true);
	free(f);
}

static void
answered_cb(void *arg, enum opening_reason r, uint16_t port)
{
	struct source_flow *f = arg;

	(void)port;
	f->answered = r == OPENING_OK;
	if (f->answered && f->u->opened != NULL)
		f->u->opened(f->u->arg);
}

/* A source goes on sending after a refusal: it does not get a stream for each
 * datagram. */
static void
ended_cb(void *arg, const struct joint_result *r)
{
	struct source_flow *f = arg;

	f->joint = NULL;
	if (!f->answered && f->u->failed != NULL)
		f->u->failed(f->u->arg, r);
	if (r->end != JOINT_REFUSED && r->end != JOINT_NO_PATH) {
		source_flow_free(f);
		return;
	}
	f->u->status.refused++;
	source_flow_shut(f);
	f->refused_ms = now_ms();
}

/* An empty datagram, or nobody will send any more? */
static bool
is_over(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

/* Shared by all: nothing stays in it beyond a batch. */
static uint8_t scratch[BATCH][UDPINLET_MAX];

static int
read_batch(int fd, struct mmsghdr m[BATCH])
{
	struct iovec iov[BATCH];

	memset(m, 0, BATCH * sizeof(*m));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){scratch[i], UDPINLET_MAX};
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	return recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
}

/* From the peer. */
static void
source_flow_cb(evutil_socket_t fd, short events, void *arg)
{
	struct source_flow *f = arg;
	struct listener *out = f->u->listener[f->from.socket];
	struct mmsghdr m[BATCH];
	int n = read_batch(fd, m);

	(void)events;
	touch(f);
	for (int i = 0; i < n; i++) {
		if (m[i].msg_len == 0 && is_over(fd)) {
			event_del(f->ready);
			break;
		}
		if ((m[i].msg_hdr.msg_flags & MSG_TRUNC) != 0)
			f->u->status.dropped++;
		else
			listener_send(out, &f->from, scratch[i], m[i].msg_len);
	}
	listener_flush(out);
}

static int
source_flow_open(struct source_flow *f)
{
	int fd[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, fd) == -1)
		return -errno;
	rc = joint_open(&f->joint, f->u->link, &f->u->target,
	    &(struct joint_config){
		.in = fd[1],
		.out = fd[1],
		.wait_ms = UDPINLET_WAIT_MS,
		.answered = answered_cb,
		.ended = ended_cb,
		.arg = f,
	    });
	if (rc != 0) {
		close(fd[0]);
		close(fd[1]);
		return rc;
	}
	f->fd = fd[0];
	f->ready = loop_event(
	    f->u->loop, f->fd, EV_READ | EV_PERSIST, source_flow_cb, f);
	event_add(f->ready, NULL);
	f->u->status.total++;
	return 0;
}

static struct source_flow *
source_flow_add(struct udpinlet *u, const struct path *from)
{
	struct source_flow **bucket = &u->bucket[bucket_of(from)];
	struct source_flow *f;

	if (u->status.open == UDPINLET_FLOWS)
		source_flow_free(u->oldest);
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->u = u;
	f->from = *from;
	f->fd = -1;
	f->next = *bucket;
	*bucket = f;
	line_add(f);
	u->status.open++;
	if (source_flow_open(f) != 0) {
		u->status.refused++;
		source_flow_free(f);
		return NULL;
	}
	return f;
}

static struct source_flow *
find(struct udpinlet *u, const struct path *from)
{
	struct source_flow *f = u->bucket[bucket_of(from)];

	while (f != NULL && !path_equal(&f->from, from))
		f = f->next;
	return f;
}

/* From a source. */
static void
datagram_cb(void *arg, const struct path *from, const uint8_t *data, size_t len)
{
	struct udpinlet *u = arg;
	struct source_flow *f = find(u, from);

	if (f != NULL && f->fd == -1 && now_ms() - f->refused_ms > REFUSED_MS) {
		source_flow_free(f);
		f = NULL;
	}
	if (f == NULL)
		f = source_flow_add(u, from);
	if (f == NULL)
		return;
	touch(f);
	if (len > UDPINLET_MAX || f->fd == -1 ||
	    send(f->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		u->status.dropped++;
}

static void
ready_cb(evutil_socket_t fd, short events, void *arg)
{
	struct udpinlet *u = arg;

	(void)events;
	for (size_t i = 0; i < u->n; i++)
		if (listener_fd(u->listener[i]) == fd)
			listener_read(u->listener[i], datagram_cb, u);
}

static int
bind_cb(void *arg, const struct sockaddr_storage *ss, socklen_t len)
{
	struct udpinlet *u = arg;
	struct listener_config config = {
	    .index = (uint8_t)u->n, .max = UDPINLET_MAX};
	struct listener *l;
	int rc;

	(void)len;
	addr_from_sockaddr(&config.at, (const struct sockaddr *)ss);
	rc = listener_open(&l, &config);
	if (rc != 0)
		return rc;
	u->listener[u->n] = l;
	u->ready[u->n] = loop_event(
	    u->loop, listener_fd(l), EV_READ | EV_PERSIST, ready_cb, u);
	event_add(u->ready[u->n], NULL);
	u->n++;
	return listener_addr(l)->port;
}

static void
close_all(void *arg)
{
	struct udpinlet *u = arg;

	while (u->n > 0) {
		u->n--;
		event_free(u->ready[u->n]);
		listener_free(u->listener[u->n]);
	}
}

int
udpinlet_open(struct udpinlet **out, const struct udpinlet_config *c)
{
	struct udpinlet *u = calloc(1, sizeof(*u));
	int rc;

	if (u == NULL)
		return -ENOMEM;
	u->loop = c->loop;
	u->link = c->link;
	u->target = *c->target;
	u->opened = c->opened;
	u->failed = c->failed;
	u->arg = c->arg;
	rc = bindset_open(c->bind, c->port, bind_cb, close_all, u);
	if (rc < 0) {
		free(u);
		return rc;
	}
	u->port = (uint16_t)rc;
	*out = u;
	return 0;
}

void
udpinlet_free(struct udpinlet *u)
{
	struct source_flow *newer = NULL;

	if (u == NULL)
		return;
	for (struct source_flow *f = u->oldest; f != NULL; f = newer) {
		newer = f->newer;
		source_flow_free(f);
	}
	close_all(u);
	free(u);
}

uint16_t
udpinlet_port(const struct udpinlet *u)
{
	return u->port;
}

void
udpinlet_status(const struct udpinlet *u, struct udpinlet_status *out)
{
	*out = u->status;
}

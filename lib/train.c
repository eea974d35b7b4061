/* SPDX-License-Identifier: ISC */
/* UDP sockets made for forwarding, see udp(7), ip(7), ipv6(7). What is to be
 * sent waits in outbox.c. */
#include "train.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>

#include "outbox.h"

/* One place for what recvmmsg gets: 64 KiB, and a bit, so that the beginnings
 * of all places do not fall into the same few cache lines. */
#define PLACE_MAX 65536
#define PLACE (PLACE_MAX + 17 * 64)
#define TRIES 2 /* when the error may be that of an older datagram */

_Static_assert(TRAIN_QUEUE == OUTBOX_QUEUE, "train.h says so");

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int)) + UDP_INFO_SPACE];
};

struct train {
	struct trains *shared;
	struct outlet out;
	int fd;
	uint16_t index;
	uint16_t expect; /* messages of the next read */
	bool probe, info;
	struct msghdr *message; /* that fn is called for */
	struct addr at;
	struct addr too_long; /* whom train_send_df could not send to last */
};

struct trains {
	struct outbox *outbox;
	unsigned int used; /* places: what is in them may wait to be sent */
	struct mmsghdr hdr[TRAIN_BATCH];
	struct iovec iov[TRAIN_BATCH];
	struct sockaddr_storage name[TRAIN_BATCH];
	union control control[TRAIN_BATCH];
	uint8_t data[TRAIN_BATCH * PLACE];
};

int
trains_new(struct trains **out)
{
	struct trains *s = calloc(1, sizeof(*s));

	if (s == NULL || outbox_new(&s->outbox) != 0) {
		free(s);
		return -ENOMEM;
	}
	for (size_t i = 0; i < TRAIN_BATCH; i++) {
		struct msghdr *mh = &s->hdr[i].msg_hdr;

		s->iov[i].iov_base = s->data + i * PLACE;
		mh->msg_name = &s->name[i];
		mh->msg_iov = &s->iov[i];
		mh->msg_iovlen = 1;
	}
	*out = s;
	return 0;
}

void
trains_free(struct trains *s)
{
	if (s == NULL)
		return;
	outbox_free(s->outbox);
	free(s);
}

static void
set_buffer(int fd, int force, int option, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof(bytes)) == -1)
		setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes));
}

/* OMIT: no path MTU that a forged ICMP message could lower; what is longer
 * than the link's leaves in fragments. */
static int
set_discover(const struct train *t, bool df)
{
	int four = df ? IP_PMTUDISC_PROBE : IP_PMTUDISC_OMIT;
	int six = df ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_OMIT;

	if (t->at.family == ADDR_V4)
		return setsockopt(
		    t->fd, IPPROTO_IP, IP_MTU_DISCOVER, &four, sizeof(four));
	return setsockopt(
	    t->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &six, sizeof(six));
}

static int
set_errors(const struct train *t)
{
	int on = 1;

	if (t->at.family == ADDR_V4)
		return setsockopt(
		    t->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	return setsockopt(t->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
}

/* Without UDP_SEGMENT (before Linux 4.18) or UDP_GRO (before 5.0) the socket
 * does the same with single datagrams. */
static int
set_options(struct train *t, const struct train_config *c)
{
	int on = 1, zero = 0;

	if (c->buffer > 0) {
		set_buffer(t->fd, SO_RCVBUFFORCE, SO_RCVBUF, c->buffer);
		set_buffer(t->fd, SO_SNDBUFFORCE, SO_SNDBUF, c->buffer);
	}
	if (c->at.family == ADDR_V6 &&
	    setsockopt(t->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		return -1;
	set_discover(t, c->probe);
	if (c->info && udp_want_info(t->fd, c->at.family) < 0)
		return -1;
	if (c->gso)
		setsockopt(t->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	outlet_init(&t->out, t->fd, c->errors,
	    c->gso && setsockopt(t->fd, IPPROTO_UDP, UDP_SEGMENT, &zero,
			  sizeof(zero)) == 0);
	return c->errors ? set_errors(t) : 0;
}

int
train_open(
    struct train **out, struct trains *shared, const struct train_config *c)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&c->at, &ss);
	struct train *t;
	int rc;

	if (len == 0)
		return -EINVAL;
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return -ENOMEM;
	t->shared = shared;
	t->index = c->index;
	t->expect = 1;
	t->probe = c->probe;
	t->info = c->info;
	t->at = c->at;
	t->fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    IPPROTO_UDP);
	if (t->fd == -1 || set_options(t, c) == -1 ||
	    bind(t->fd, (struct sockaddr *)&ss, len) == -1)
		goto fail;
	len = sizeof(ss);
	if (getsockname(t->fd, (struct sockaddr *)&ss, &len) == -1)
		goto fail;
	addr_from_sockaddr(&t->at, (struct sockaddr *)&ss);
	*out = t;
	return 0;
fail:
	rc = -errno;
	if (t->fd != -1)
		close(t->fd);
	free(t);
	return rc;
}

void
train_free(struct train *t)
{
	if (t == NULL)
		return;
	if (outlet_waits(&t->out))
		trains_flush(t->shared);
	close(t->fd);
	free(t);
}

int
train_fd(const struct train *t)
{
	return t->fd;
}

uint16_t
train_index(const struct train *t)
{
	return t->index;
}

const struct addr *
train_addr(const struct train *t)
{
	return &t->at;
}

/* The length of the datagrams of a received message. */
static size_t
segment_of(struct msghdr *mh, size_t len)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(mh);
	int size;

	/* among what info asks for */
	while (c != NULL && c->cmsg_level != IPPROTO_UDP)
		c = CMSG_NXTHDR(mh, c);
	if (c == NULL || c->cmsg_type != UDP_GRO ||
	    c->cmsg_len < CMSG_LEN(sizeof(size)))
		return len;
	memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size > 0 && (size_t)size < len ? (size_t)size : len;
}

/* Reads into places [from, to). With IP_RECVERR the error of an ICMP message is
 * returned once instead of data: that is not the end of what waits. */
static int
receive(struct train *t, unsigned int from, unsigned int to)
{
	struct trains *s = t->shared;
	int n;

	for (unsigned int i = from; i < to; i++) {
		struct msghdr *mh = &s->hdr[i].msg_hdr;

		mh->msg_namelen = sizeof(s->name[i]);
		mh->msg_control = &s->control[i];
		mh->msg_controllen =
		    t->info ? sizeof(s->control[i]) : CMSG_SPACE(sizeof(int));
		s->iov[i].iov_len = PLACE_MAX;
	}
	for (int i = 0; i < TRIES; i++) {
		n = recvmmsg(
		    t->fd, s->hdr + from, to - from, MSG_DONTWAIT, NULL);
		if (n >= 0)
			return n;
		if (errno == EAGAIN)
			break;
	}
	return 0;
}

/* How many messages to ask for the next time. To ask for more than there are
 * costs as much as to read one: a socket of one flow mostly has one, that of
 * many has as many as it is asked for. */
static uint16_t
expect(unsigned int asked, unsigned int n)
{
	if (n == asked)
		return asked < TRAIN_BATCH / 4 ? (uint16_t)(asked * 4)
					       : TRAIN_BATCH;
	return n > 1 ? (uint16_t)n : 1;
}

int
train_read(struct train *t, train_fn *fn, void *arg)
{
	struct trains *s = t->shared;
	unsigned int from, n;

	if (!outbox_waits(s->outbox))
		s->used = 0;
	else if (s->used + t->expect > TRAIN_BATCH)
		trains_flush(s);
	from = s->used;
	n = (unsigned int)receive(t, from, from + t->expect);
	t->expect = expect(t->expect, n);
	for (unsigned int i = from; i < from + n; i++) {
		size_t len = s->hdr[i].msg_len;
		size_t seg = segment_of(&s->hdr[i].msg_hdr, len);
		struct addr a;

		t->message = &s->hdr[i].msg_hdr;
		if (addr_from_sockaddr(
			&a, (const struct sockaddr *)&s->name[i]) == 0)
			fn(arg, t, &a, s->iov[i].iov_base, len, seg);
	}
	s->used = from + n; /* whatever was flushed in between */
	return (int)n;
}

void
train_info(const struct train *t, struct udp_info *out)
{
	memset(out, 0, sizeof(*out));
	udp_read_info(t->message, out);
}

void
train_queue(struct train *t, const struct addr *to, const void *head,
    size_t head_len, const uint8_t *data, size_t len, size_t seg)
{
	outbox_put(
	    t->shared->outbox, &t->out, to, head, head_len, data, len, seg);
}

void
train_answer(
    struct train *t, const struct addr *to, const void *data, size_t len)
{
	outbox_copy(t->shared->outbox, &t->out, to, data, len);
}

void
trains_flush(struct trains *s)
{
	outbox_flush(s->outbox);
	s->used = 0;
}

uint64_t
trains_lost(const struct trains *s)
{
	return outbox_lost(s->outbox);
}

/* What waits goes first: order is kept. */
int
train_send_df(
    struct train *t, const struct addr *to, const uint8_t *data, size_t len)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(to, &ss);
	int rc = -EINVAL;

	trains_flush(t->shared);
	if (set_discover(t, true) == -1)
		return -errno;
	for (int i = 0; i < TRIES && rc != 0; i++)
		rc = sendto(t->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			 (struct sockaddr *)&ss, ss_len) == -1
			 ? -errno
			 : 0;
	set_discover(t, t->probe);
	if (rc == -EMSGSIZE)
		t->too_long = *to;
	return rc;
}

static bool
read_error(struct msghdr *mh, struct sock_extended_err *e)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL;
	     c = CMSG_NXTHDR(mh, c)) {
		bool four =
		    c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
		bool six = c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_RECVERR;

		if ((!four && !six) || c->cmsg_len < CMSG_LEN(sizeof(*e)))
			continue;
		memcpy(e, CMSG_DATA(c), sizeof(*e));
		return e->ee_origin ==
			   (four ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6) ||
		       (e->ee_origin == SO_EE_ORIGIN_LOCAL &&
			   e->ee_errno == EMSGSIZE);
	}
	return false;
}

int
train_error(struct train *t, struct addr *to, uint8_t *type, uint8_t *code,
    uint32_t *data)
{
	for (;;) {
		struct sockaddr_storage ss;
		_Alignas(struct cmsghdr) char control[512];
		struct msghdr mh = {.msg_name = &ss,
		    .msg_namelen = sizeof(ss),
		    .msg_control = control,
		    .msg_controllen = sizeof(control)};
		struct sock_extended_err e;

		if (recvmsg(t->fd, &mh, MSG_ERRQUEUE | MSG_DONTWAIT) == -1) {
			t->too_long.family = ADDR_NONE;
			return 0;
		}
		/* others are of this host's own making */
		if (!read_error(&mh, &e) || mh.msg_namelen == 0 ||
		    addr_from_sockaddr(to, (struct sockaddr *)&ss) != 0)
			continue;
		*type = e.ee_type;
		*code = e.ee_code;
		*data = e.ee_errno == EMSGSIZE ? e.ee_info : 0;
		if (e.ee_origin == SO_EE_ORIGIN_LOCAL) {
			/* as a router behind the first link would say it; IPv4
			 * does not know the port, each try makes one more */
			if (!addr_equal_ip(to, &t->too_long))
				continue;
			*to = t->too_long;
			t->too_long.family = ADDR_NONE;
			*type = to->family == ADDR_V4 ? ICMP_UNREACH
						      : ICMP6_PACKET_TOO_BIG;
			*code =
			    to->family == ADDR_V4 ? ICMP_UNREACH_NEEDFRAG : 0;
		}
		return 1;
	}
}

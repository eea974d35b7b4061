/* SPDX-License-Identifier: ISC */
/* nat-pipe's UDP port: one number, a socket for each family, and the port
 * socket by which the pipeline punches it. */
#include "netport.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bindset.h"
#include "lendloop.h"
#include "stun.h"
#include "train.h"
#include "udp.h"

#define BUFFER (4 << 20) /* bytes: 1 Gbit/s for 32 ms */
#define READS 2		 /* before the loop turns */
#define QUIC_FIRST 4	 /* first bytes below that are STUN's (RFC 9443) */

struct netport {
	struct netport_config config;
	struct trains *trains;
	struct train *train[2]; /* IPv4, IPv6; NULL: no such family here */
	struct event *event[2];
	struct lendloop lend;
	uint16_t number;
	bool lends;
};

static int
open_train(void *arg, const struct sockaddr_storage *ss, socklen_t len)
{
	struct netport *p = arg;
	struct train **t = &p->train[ss->ss_family == AF_INET6];
	struct train_config c = {.buffer = BUFFER,
	    .gso = p->config.gso,
	    .probe = true,
	    .info = p->config.path != NULL};
	int rc = addr_from_sockaddr(&c.at, (const struct sockaddr *)ss);

	(void)len;
	if (rc == 0)
		rc = train_open(t, p->trains, &c);
	return rc != 0 ? rc : train_addr(*t)->port;
}

static void
close_trains(void *arg)
{
	struct netport *p = arg;

	for (int i = 0; i < 2; i++) {
		train_free(p->train[i]);
		p->train[i] = NULL;
	}
}

static int
open_sockets(struct netport *p)
{
	int rc = bindset_open("*", p->config.port, open_train, close_trains, p);

	if (rc < 0)
		return rc;
	p->number = (uint16_t)rc;
	return 0;
}

static void
lend_stun(struct netport *p, struct train *t, const struct addr *from,
    const uint8_t *data, size_t len)
{
	struct port_msg m = {
	    .op = PORT_DATAGRAM, .remote = *from, .payload = data, .len = len};
	struct udp_info info;

	if (!p->lends || len > PORT_MAX_PAYLOAD || !addr_is_sendable(from))
		return;
	train_info(t, &info);
	if (addr_is_multicast(&info.local))
		return;
	m.ttl = (uint8_t)info.ttl;
	m.local = info.local;
	m.local.port = p->number;
	lend_all(&p->lend.lend, &m);
}

static bool
is_stun(const uint8_t *data, size_t len)
{
	return len > 0 && data[0] < QUIC_FIRST && stun_is_stun(data, len);
}

/* A train of the kernel's may be of datagrams of both kinds. */
static void
read_cb(void *arg, struct train *t, const struct addr *from,
    const uint8_t *data, size_t len, size_t seg)
{
	struct netport *p = arg;
	size_t at = 0, begin = 0;

	while (at < len) {
		size_t n = len - at < seg ? len - at : seg;

		if (is_stun(data + at, n)) {
			if (at > begin)
				p->config.packet(p->config.arg, from,
				    data + begin, at - begin, seg);
			lend_stun(p, t, from, data + at, n);
			begin = at + n;
		}
		at += n;
	}
	if (at > begin)
		p->config.packet(p->config.arg, from, data + begin, at - begin,
		    seg < at - begin ? seg : at - begin);
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct netport *p = arg;
	struct train *t =
	    p->train[p->train[0] == NULL || fd != train_fd(p->train[0])];

	(void)events;
	for (int i = 0; i < READS; i++)
		if (train_read(t, read_cb, p) < TRAIN_BATCH)
			break;
	p->config.batch(p->config.arg);
	netport_flush(p);
}

/* For a client of the port socket. */
static int
send_cb(void *arg, const struct port_msg *m)
{
	struct netport *p = arg;
	struct train *t = p->train[m->remote.family == ADDR_V6];
	struct iovec iov = {
	    .iov_base = (void *)(uintptr_t)m->payload, .iov_len = m->len};

	if (t == NULL)
		return -ENETUNREACH;
	return udp_send(train_fd(t), &m->remote, &m->local, m->ttl, &iov, 1);
}

static int
open_lend(struct netport *p)
{
	int family = p->train[0] == NULL   ? ADDR_V6
		     : p->train[1] == NULL ? ADDR_V4
					   : ADDR_NONE;
	uid_t user = p->config.user != 0 ? p->config.user : getuid();
	int rc = lendloop_open(
	    &p->lend, p->config.path, getuid(), user, p->number, family);

	if (rc != 0)
		return rc;
	lendloop_start(&p->lend, p->config.loop, send_cb, p);
	p->lends = true;
	return 0;
}

int
netport_open(struct netport **out, const struct netport_config *config)
{
	struct netport *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return -ENOMEM;
	p->config = *config;
	if ((rc = trains_new(&p->trains)) != 0 || (rc = open_sockets(p)) != 0 ||
	    (config->path != NULL && (rc = open_lend(p)) != 0)) {
		netport_free(p);
		return rc;
	}
	for (int i = 0; i < 2; i++) {
		if (p->train[i] == NULL)
			continue;
		p->event[i] = loop_event(config->loop, train_fd(p->train[i]),
		    EV_READ | EV_PERSIST, readable_cb, p);
		event_add(p->event[i], NULL);
	}
	*out = p;
	return 0;
}

void
netport_free(struct netport *p)
{
	if (p == NULL)
		return;
	if (p->lends)
		lendloop_close(&p->lend);
	for (int i = 0; i < 2; i++)
		if (p->event[i] != NULL)
			event_free(p->event[i]);
	close_trains(p);
	trains_free(p->trains);
	free(p);
}

uint16_t
netport_number(const struct netport *p)
{
	return p->number;
}

void
netport_send(struct netport *p, const struct addr *to, const uint8_t *data,
    size_t len, size_t seg)
{
	struct train *t = p->train[to->family == ADDR_V6];

	if (t != NULL && to->family != ADDR_NONE)
		train_queue(t, to, NULL, 0, data, len, seg);
}

void
netport_flush(struct netport *p)
{
	trains_flush(p->trains);
}

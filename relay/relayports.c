/* SPDX-License-Identifier: ISC */
/* The relayed ports of TURN allocations (RFC 8656 section 7.2). */
#include "relayports.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIES 64 /* ports that others have, before there is none for us */
#define PORTS 65536

struct relayport {
	struct relayports *owner;
	struct train *train; /* NULL: closed */
	struct event readable;
};

/* A port that a reservation keeps from others (section 18.6): bound, and
 * nobody reads what comes. */
struct held {
	int fd; /* -1: bound no more, but nobody else of ours may have it */
	int family;
	uint16_t port;
};

struct relayports {
	struct loop *loop;
	struct trains *trains;
	struct relayports_config config;
	size_t open;
	uint32_t n_held;
	struct held *held;	       /* config.allocations */
	uint8_t taken[2][PORTS / 8];   /* open or held */
	uint8_t relayed[2][PORTS / 8]; /* open */
	struct relayport port[];       /* 2 * config.allocations */
};

static void
mark(uint8_t *bits, unsigned int port, bool on)
{
	if (on)
		bits[port / 8] |= (uint8_t)(1 << port % 8);
	else
		bits[port / 8] &= (uint8_t) ~(1 << port % 8);
}

static bool
marked(const uint8_t *bits, unsigned int port)
{
	return (bits[port / 8] >> port % 8 & 1) != 0;
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct relayport *port = arg;
	struct relayports *p = port->owner;

	(void)fd;
	(void)events;
	p->config.readable(
	    p->config.arg, (uint32_t)(port - p->port), port->train);
}

static int
open_at(
    struct relayports *p, uint32_t index, int f, uint16_t port, struct addr *at)
{
	struct relayport *r = &p->port[index];
	struct train_config config = {
	    .at = p->config.at[f],
	    .index = (uint16_t)(p->config.first + index),
	    .errors = true,
	    .gso = p->config.gso,
	};
	int rc;

	config.at.port = port;
	rc = train_open(&r->train, p->trains, &config);
	if (rc != 0) {
		r->train = NULL;
		return rc;
	}
	if (event_assign(&r->readable, p->loop->base, train_fd(r->train),
		EV_READ | EV_PERSIST, readable_cb, r) == -1 ||
	    event_add(&r->readable, NULL) == -1) {
		train_free(r->train);
		r->train = NULL;
		return -ENOMEM;
	}
	mark(p->taken[f], port, true);
	mark(p->relayed[f], port, true);
	p->open++;
	*at = p->config.external[f];
	at->port = port;
	return 0;
}

/* Returns a descriptor, or -errno. */
static int
bind_held(const struct relayports *p, int f, uint16_t port)
{
	struct addr at = p->config.at[f];
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, on = 1, small = 0;

	at.port = port;
	len = addr_to_sockaddr(&at, &ss);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (at.family == ADDR_V6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&ss, len) == -1) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

static int
hold(struct relayports *p, int f, uint16_t port)
{
	int fd;

	if (p->n_held == p->config.allocations)
		return -ENOBUFS;
	fd = bind_held(p, f, port);
	if (fd < 0)
		return fd;
	p->held[p->n_held++] = (struct held){
	    .fd = fd, .family = p->config.at[f].family, .port = port};
	mark(p->taken[f], port, true);
	return 0;
}

static struct held *
find_held(struct relayports *p, int family, uint16_t port)
{
	for (uint32_t i = 0; i < p->n_held; i++)
		if (p->held[i].family == family && p->held[i].port == port)
			return &p->held[i];
	return NULL;
}

static void
unhold(struct held *h)
{
	if (h->fd != -1)
		close(h->fd);
	h->fd = -1;
}

static void
release(void *arg, int family, uint16_t port)
{
	struct relayports *p = arg;
	struct held *h = find_held(p, family, port);

	if (h == NULL)
		return;
	unhold(h);
	*h = p->held[--p->n_held];
	mark(p->taken[family == ADDR_V6], port, false);
}

static void
close_port(void *arg, uint32_t index)
{
	struct relayports *p = arg;
	struct relayport *r;
	const struct addr *at;
	int f;

	if (index >= 2 * p->config.allocations)
		return;
	r = &p->port[index];
	if (r->train == NULL)
		return;
	at = train_addr(r->train);
	f = at->family == ADDR_V6;
	mark(p->taken[f], at->port, false);
	mark(p->relayed[f], at->port, false);
	event_del(&r->readable);
	train_free(r->train); /* and sends what it has queued */
	r->train = NULL;
	p->open--;
}

/* A port of the range that we don't have yet: the first one from a random
 * place on. 0: there is none. */
static uint16_t
pick(const struct relayports *p, int f, bool even, bool next)
{
	uint32_t low = p->config.low, n = (uint32_t)p->config.high - low + 1;
	uint32_t start = randombytes_uniform(n);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t port = low + (start + i) % n;

		if (marked(p->taken[f], port) || (even && port % 2 != 0))
			continue;
		if (next && (port + 1 > p->config.high ||
				marked(p->taken[f], port + 1)))
			continue;
		return (uint16_t)port;
	}
	return 0;
}

static int
open_any(struct relayports *p, uint32_t index, int f, bool even, bool next,
    struct addr *at)
{
	int rc = -EADDRINUSE;

	for (int i = 0; i < TRIES && rc == -EADDRINUSE; i++) {
		uint16_t port = pick(p, f, even || next, next);

		if (port == 0)
			return -EADDRNOTAVAIL;
		rc = open_at(p, index, f, port, at);
		if (rc != 0 || !next)
			continue;
		rc = hold(p, f, (uint16_t)(port + 1));
		if (rc != 0)
			close_port(p, index);
	}
	return rc;
}

/* When it can't be opened it is as held as it was: whoever reserved it will
 * release it, and it must not be another's by then. */
static int
open_held(
    struct relayports *p, uint32_t index, int f, uint16_t port, struct addr *at)
{
	struct held *h = find_held(p, p->config.at[f].family, port);
	int rc;

	if (h == NULL)
		return -EADDRNOTAVAIL;
	unhold(h);
	rc = open_at(p, index, f, port, at);
	if (rc == 0) {
		*h = p->held[--p->n_held];
		return 0;
	}
	h->fd = bind_held(p, f, port);
	if (h->fd < 0)
		h->fd = -1;
	return rc;
}

static int
open_port(void *arg, uint32_t index, int family, bool even, bool next,
    uint16_t port, struct addr *at)
{
	struct relayports *p = arg;
	int f = family == ADDR_V6;

	if (index >= 2 * p->config.allocations || p->port[index].train != NULL)
		return -EINVAL;
	if (p->config.at[f].family == ADDR_NONE)
		return -EPROTONOSUPPORT;
	if (port == 0)
		return open_any(p, index, f, even, next, at);
	return open_held(p, index, f, port, at);
}

int
relayports_new(struct relayports **out, struct loop *l, struct trains *trains,
    const struct relayports_config *config)
{
	size_t n = 2 * (size_t)config->allocations;
	struct relayports *p = calloc(1, sizeof(*p) + n * sizeof(p->port[0]));

	if (p == NULL)
		return -ENOMEM;
	p->held = calloc(config->allocations, sizeof(*p->held));
	if (p->held == NULL) {
		free(p);
		return -ENOMEM;
	}
	p->loop = l;
	p->trains = trains;
	p->config = *config;
	for (size_t i = 0; i < n; i++)
		p->port[i].owner = p;
	*out = p;
	return 0;
}

void
relayports_free(struct relayports *p)
{
	if (p == NULL)
		return;
	for (uint32_t i = 0; i < 2 * p->config.allocations; i++)
		close_port(p, i);
	while (p->n_held > 0)
		unhold(&p->held[--p->n_held]);
	free(p->held);
	free(p);
}

struct turn_ports
relayports_turn(struct relayports *p)
{
	return (struct turn_ports){.open = open_port,
	    .close = close_port,
	    .release = release,
	    .arg = p};
}

struct train *
relayports_train(const struct relayports *p, uint32_t index)
{
	return index < 2 * p->config.allocations ? p->port[index].train : NULL;
}

bool
relayports_open_at(const struct relayports *p, int family, uint16_t port)
{
	return marked(p->relayed[family == ADDR_V6], port);
}

size_t
relayports_count(const struct relayports *p)
{
	return p->open;
}

size_t
relayports_memory(const struct relayports *p)
{
	return sizeof(*p) + p->config.allocations *
				(2 * sizeof(p->port[0]) + sizeof(p->held[0]));
}

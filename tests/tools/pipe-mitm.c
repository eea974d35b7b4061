/* SPDX-License-Identifier: ISC */
/* A relay that can't be trusted, between two nat-pipe: carries datagrams between
 * two endpoints and spoils some of them.
 *
 * usage: pipe-mitm PORT host:port PORT host:port PERCENT kind ...
 *
 * What comes from one endpoint to the PORT before it goes to the other one,
 * from the PORT before that. kind: flip (a bit), cut, twice, late (behind the
 * next eight), old (one of long ago comes again), lose; each datagram's is drawn
 * from those. SIGUSR1 makes it PERCENT 100. Prints ready=1, and at its end how
 * many it has spoilt. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"

#define LATE 8
#define OLD 512
#define DATAGRAM 2048

struct datagram {
	uint8_t data[DATAGRAM];
	size_t len;
};

struct side {
	int fd;
	struct addr peer;
	struct sockaddr_storage to;
	socklen_t to_len;
	struct datagram late, old[OLD]; /* that are for this one */
	unsigned behind, olds;
};

static struct side side[2];
static volatile sig_atomic_t percent, ended;
static unsigned long seen, spoilt;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
signal_cb(int sig)
{
	if (sig == SIGUSR1)
		percent = 100;
	else
		ended = 1;
}

static void
open_side(struct side *s, const char *port, const char *peer)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)atoi(port)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int size = 4 << 20;

	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(s->fd, (struct sockaddr *)&at, sizeof(at)) == -1)
		die(port);
	if (addr_parse(&s->peer, peer) != 0)
		die(peer);
	s->to_len = addr_to_sockaddr(&s->peer, &s->to);
}

static void
put(struct side *s, const struct datagram *d)
{
	sendto(s->fd, d->data, d->len, 0, (struct sockaddr *)&s->to, s->to_len);
}

static void
spoil(struct side *s, struct datagram *d, const char *kind)
{
	spoilt++;
	if (strcmp(kind, "flip") == 0 && d->len > 0) {
		d->data[randombytes_uniform((uint32_t)d->len)] ^=
		    (uint8_t)(1 << randombytes_uniform(8));
		put(s, d);
	} else if (strcmp(kind, "cut") == 0) {
		d->len = randombytes_uniform((uint32_t)d->len + 1);
		put(s, d);
	} else if (strcmp(kind, "twice") == 0) {
		put(s, d);
		put(s, d);
	} else if (strcmp(kind, "late") == 0 && s->behind == 0) {
		s->late = *d;
		s->behind = LATE;
	} else if (strcmp(kind, "old") == 0) {
		put(s, d);
		if (s->olds > 0)
			put(s, &s->old[randombytes_uniform(
				   s->olds < OLD ? s->olds : OLD)]);
	} else if (strcmp(kind, "lose") != 0) {
		put(s, d);
	}
}

static void
carry(struct side *s, struct datagram *d, char **kinds, unsigned n)
{
	seen++;
	s->old[s->olds++ % OLD] = *d;
	if (randombytes_uniform(100) < (unsigned)percent)
		spoil(s, d, kinds[randombytes_uniform(n)]);
	else
		put(s, d);
	if (s->behind > 0 && --s->behind == 0)
		put(s, &s->late);
}

static void
take(struct side *from, struct side *to, char **kinds, unsigned n)
{
	static struct datagram d;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;
	ssize_t got;

	for (int i = 0; i < 64; i++, len = sizeof(ss)) {
		got = recvfrom(from->fd, d.data, sizeof(d.data), 0,
		    (struct sockaddr *)&ss, &len);
		if (got < 0)
			return;
		addr_from_sockaddr(&a, (struct sockaddr *)&ss);
		d.len = (size_t)got;
		if (addr_equal(&a, &from->peer))
			carry(to, &d, kinds, n);
	}
}

int
main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = signal_cb};
	struct pollfd p[2];

	if (argc < 7 || sodium_init() == -1) {
		fputs("usage: see the head of pipe-mitm.c\n", stderr);
		return 100;
	}
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	for (int i = 0; i < 2; i++) {
		open_side(&side[i], argv[1 + 2 * i], argv[2 + 2 * i]);
		p[i] = (struct pollfd){.fd = side[i].fd, .events = POLLIN};
	}
	percent = atoi(argv[5]);
	puts("ready=1");
	fflush(stdout);
	while (!ended) {
		if (poll(p, 2, 1000) == -1 && errno != EINTR)
			die("poll");
		for (int i = 0; i < 2; i++)
			take(&side[i], &side[1 - i], argv + 6,
			    (unsigned)argc - 6);
	}
	printf("seen=%lu spoilt=%lu\n", seen, spoilt);
	return 0;
}

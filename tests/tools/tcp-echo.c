/* SPDX-License-Identifier: ISC */
/* Requests and answers over TCP: what latency does a way add, and how long does
 * it take until the first answer? One request at a time, of 64 bytes.
 *
 * usage: tcp-echo serve ADDRESS:PORT             until it is ended
 *        tcp-echo ask ADDRESS:PORT COUNT         prints first_us= p50_us= p99_us=
 *                                                (first: from the connect on)
 * For 10 s ask tries again while nobody listens. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "loop.h"

#define SIZE 64
#define CLIENTS 512

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static int
tcp_socket(const struct addr *a, struct sockaddr_storage *ss, socklen_t *len)
{
	int one = 1, fd;

	*len = addr_to_sockaddr(a, ss);
	fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

/* false: it is over. */
static bool
answer(int fd)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	return n > 0 && write(fd, buf, (size_t)n) == n;
}

static int
serve(const struct addr *at)
{
	static struct pollfd p[CLIENTS];
	struct sockaddr_storage ss;
	socklen_t len;
	nfds_t n = 1;

	p[0].fd = tcp_socket(at, &ss, &len);
	p[0].events = POLLIN;
	if (bind(p[0].fd, (struct sockaddr *)&ss, len) == -1 ||
	    listen(p[0].fd, CLIENTS) == -1)
		die("bind");
	while (poll(p, n, -1) > 0) {
		for (nfds_t i = n; i-- > 1;)
			if (p[i].revents != 0 && !answer(p[i].fd)) {
				close(p[i].fd);
				p[i] = p[--n];
			}
		if (p[0].revents == 0 || n == CLIENTS)
			continue;
		p[n] = (struct pollfd){
		    .fd = accept(p[0].fd, NULL, NULL), .events = POLLIN};
		if (p[n].fd != -1)
			n++;
	}
	return 1;
}

static bool
exchange(int fd)
{
	char buf[SIZE] = {0};
	size_t got = 0;

	if (write(fd, buf, SIZE) != SIZE)
		return false;
	while (got < SIZE) {
		ssize_t n = read(fd, buf, SIZE - got);

		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

static int
first(const struct addr *to, uint64_t *took_us)
{
	struct sockaddr_storage ss;
	uint64_t until = now_ms() + 10000;
	socklen_t len;

	while (now_ms() < until) {
		int fd = tcp_socket(to, &ss, &len);
		uint64_t began = now_us();

		if (connect(fd, (struct sockaddr *)&ss, len) == 0 &&
		    exchange(fd)) {
			*took_us = now_us() - began;
			return fd;
		}
		close(fd);
		poll(NULL, 0, 20);
	}
	fprintf(stderr, "tcp-echo: no answer\n");
	exit(1);
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int
ask(const struct addr *to, size_t count)
{
	uint64_t *took = calloc(count, sizeof(*took)), first_us;
	int fd = first(to, &first_us);

	if (took == NULL)
		die("calloc");
	for (size_t i = 0; i < count; i++) {
		uint64_t began = now_us();

		if (!exchange(fd)) {
			fprintf(stderr, "tcp-echo: no answer\n");
			exit(1);
		}
		took[i] = now_us() - began;
	}
	qsort(took, count, sizeof(*took), compare);
	printf("first_us=%llu p50_us=%llu p99_us=%llu\n",
	    (unsigned long long)first_us, (unsigned long long)took[count / 2],
	    (unsigned long long)took[count * 99 / 100]);
	close(fd);
	free(took);
	return 0;
}

int
main(int argc, char *argv[])
{
	struct addr a;

	if (argc >= 3 && addr_parse(&a, argv[2]) == 0) {
		if (argc == 3 && strcmp(argv[1], "serve") == 0)
			return serve(&a);
		if (argc == 4 && strcmp(argv[1], "ask") == 0 &&
		    atoi(argv[3]) > 0)
			return ask(&a, (size_t)atoi(argv[3]));
	}
	fprintf(stderr, "usage: tcp-echo serve ADDRESS:PORT\n"
			"       tcp-echo ask ADDRESS:PORT COUNT\n");
	return 100;
}

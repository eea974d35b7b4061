/* SPDX-License-Identifier: ISC */
/* A steady stream of numbered datagrams, and who notes when each came:
 *   udp-count send ADDRESS:PORT RATE SECONDS
 *   udp-count receive ADDRESS:PORT SECONDS   prints MILLISECONDS NUMBER
 * or questions, and what answers them:
 *   udp-count echo ADDRESS:PORT              until it is ended
 *   udp-count hear ADDRESS:PORT              the same, prints LINE ADDRESS:PORT: what
 *                                            came, and who sent it
 *   udp-count ping ADDRESS:PORT RATE SECONDS prints the same, of the answers, and
 *                                            sent= answered= p50_us= max_us=
 * Milliseconds are those of the monotonic clock, as in /proc/uptime. */
#include <err.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "addr.h"

static uint64_t
clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
sleep_until(uint64_t at_ns)
{
	struct timespec t = {.tv_sec = (time_t)(at_ns / 1000000000u),
	    .tv_nsec = (long)(at_ns % 1000000000u)};

	while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &t, NULL) != 0)
		;
}

static int
open_socket(const char *text, struct sockaddr_storage *ss, socklen_t *len)
{
	struct addr a;
	int fd;

	if (addr_parse(&a, text) != 0)
		errx(100, "%s is no address:port", text);
	*len = addr_to_sockaddr(&a, ss);
	fd = socket(ss->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		err(111, "socket");
	return fd;
}

/* A datagram that can't be sent (no route at the moment) is a lost one. */
static void
send_all(const char *to, uint64_t rate, uint64_t seconds)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = open_socket(to, &ss, &len);
	uint64_t start = clock_ns(), n = rate * seconds;

	for (uint64_t i = 0; i < n; i++) {
		char text[32];
		int l = snprintf(text, sizeof(text), "%" PRIu64, i);

		sleep_until(start + i * 1000000000u / rate);
		(void)!sendto(
		    fd, text, (size_t)l, 0, (struct sockaddr *)&ss, len);
	}
}

static void
receive_all(const char *at, uint64_t seconds)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = open_socket(at, &ss, &len);
	uint64_t end = clock_ns() + seconds * 1000000000u, now;
	int room = 4 << 20; /* for seconds in which we don't get to run */

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&ss, len) == -1)
		err(111, "bind");
	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((now = clock_ns()) < end) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char text[32];
		ssize_t l;

		if (poll(&p, 1, (int)((end - now) / 1000000u) + 1) != 1)
			continue;
		l = recv(fd, text, sizeof(text) - 1, 0);
		if (l <= 0)
			continue;
		text[l] = '\0';
		printf("%" PRIu64 " %s\n", clock_ns() / 1000000u, text);
	}
}

static void
serve(const char *at, bool back)
{
	struct sockaddr_storage ss, from;
	socklen_t len, from_len;
	int fd = open_socket(at, &ss, &len);
	char text[2048], name[ADDR_STRLEN];
	struct addr sender;
	ssize_t l;
	int one = 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* a test may send from the daemon's port */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, len) == -1)
		err(111, "bind");
	while (true) {
		from_len = sizeof(from);
		l = recvfrom(fd, text, sizeof(text) - 1, 0,
		    (struct sockaddr *)&from, &from_len);
		if (l < 0)
			continue;
		if (back) {
			(void)!sendto(fd, text, (size_t)l, 0,
			    (struct sockaddr *)&from, from_len);
			continue;
		}
		text[l] = '\0';
		addr_from_sockaddr(&sender, (struct sockaddr *)&from);
		printf("%.*s %s\n", (int)strcspn(text, "\n"), text,
		    addr_format(&sender, name));
	}
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Takes the answers that come until then; took[i] is 0 before the i-th. */
static void
answers(int fd, uint64_t until, uint64_t start, uint64_t rate, uint64_t *took,
    uint64_t n)
{
	uint64_t now;

	while ((now = clock_ns()) < until) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char text[32];
		uint64_t i;
		ssize_t l;

		if (poll(&p, 1, (int)((until - now) / 1000000u) + 1) != 1)
			continue;
		l = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
		if (l <= 0)
			continue;
		text[l] = '\0';
		i = strtoull(text, NULL, 10);
		if (i >= n || took[i] != 0)
			continue;
		took[i] = clock_ns() - (start + i * 1000000000u / rate);
		printf("%" PRIu64 " %s\n", clock_ns() / 1000000u, text);
	}
}

static void
ping(const char *to, uint64_t rate, uint64_t seconds)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = open_socket(to, &ss, &len);
	uint64_t start = clock_ns(), n = rate * seconds, answered = 0;
	uint64_t *took = calloc(n + 1, sizeof(*took));

	if (took == NULL || rate == 0)
		errx(111, "no memory for %" PRIu64 " numbers", n);
	for (uint64_t i = 0; i < n; i++) {
		char text[32];
		int l = snprintf(text, sizeof(text), "%" PRIu64, i);

		answers(
		    fd, start + i * 1000000000u / rate, start, rate, took, n);
		(void)!sendto(
		    fd, text, (size_t)l, 0, (struct sockaddr *)&ss, len);
	}
	answers(fd, clock_ns() + 2000000000u, start, rate, took, n);
	for (uint64_t i = 0; i < n; i++)
		if (took[i] != 0)
			took[answered++] = took[i];
	qsort(took, answered, sizeof(*took), compare);
	printf("sent=%" PRIu64 " answered=%" PRIu64 " p50_us=%" PRIu64
	       " max_us=%" PRIu64 "\n",
	    n, answered, answered == 0 ? 0 : took[answered / 2] / 1000,
	    answered == 0 ? 0 : took[answered - 1] / 1000);
	free(took);
}

int
main(int argc, char *argv[])
{
	if (argc == 5 && strcmp(argv[1], "send") == 0)
		send_all(argv[2], strtoull(argv[3], NULL, 10),
		    strtoull(argv[4], NULL, 10));
	else if (argc == 4 && strcmp(argv[1], "receive") == 0)
		receive_all(argv[2], strtoull(argv[3], NULL, 10));
	else if (argc == 3 && strcmp(argv[1], "echo") == 0)
		serve(argv[2], true);
	else if (argc == 3 && strcmp(argv[1], "hear") == 0)
		serve(argv[2], false);
	else if (argc == 5 && strcmp(argv[1], "ping") == 0)
		ping(argv[2], strtoull(argv[3], NULL, 10),
		    strtoull(argv[4], NULL, 10));
	else
		errx(100, "usage: udp-count send ADDRESS:PORT RATE SECONDS | "
			  "receive ADDRESS:PORT SECONDS | echo ADDRESS:PORT | "
			  "hear ADDRESS:PORT | "
			  "ping ADDRESS:PORT RATE SECONDS");
	return 0;
}

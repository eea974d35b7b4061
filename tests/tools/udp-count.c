/* SPDX-License-Identifier: ISC */
/* A steady stream of numbered datagrams, and who notes when each came:
 *   udp-count send ADDRESS:PORT RATE SECONDS
 *   udp-count receive ADDRESS:PORT SECONDS   prints MILLISECONDS NUMBER
 * Milliseconds are those of the monotonic clock, as in /proc/uptime. */
#include <err.h>
#include <inttypes.h>
#include <poll.h>
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

int
main(int argc, char *argv[])
{
	if (argc == 5 && strcmp(argv[1], "send") == 0)
		send_all(argv[2], strtoull(argv[3], NULL, 10),
		    strtoull(argv[4], NULL, 10));
	else if (argc == 4 && strcmp(argv[1], "receive") == 0)
		receive_all(argv[2], strtoull(argv[3], NULL, 10));
	else
		errx(100, "usage: udp-count send ADDRESS:PORT RATE SECONDS | "
			  "receive ADDRESS:PORT SECONDS");
	return 0;
}

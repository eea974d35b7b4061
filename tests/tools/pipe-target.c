/* SPDX-License-Identifier: ISC */
/* What nat-pipe's peers may reach in tests: servers on loopback.
 *
 * usage: pipe-target
 *
 * Prints `source=PORT deaf=PORT watched=PORT udp=PORT`, and then `came=WHERE`
 * for each connection (or datagram) that comes to watched. source sends zeros
 * for ever, deaf accepts and never reads, udp is an echo. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 2048

static struct pollfd p[5 + CLIENTS];
static nfds_t n = 5;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* Port 0: any. */
static int
serve(int type, uint16_t port, uint16_t *got)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    (type == SOCK_STREAM && listen(fd, 4096) == -1))
		die("listen");
	getsockname(fd, (struct sockaddr *)&at, &len);
	*got = ntohs(at.sin_port);
	return fd;
}

static void
take(int listener, short events, const char *name)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (name != NULL)
		printf("came=%s\n", name);
	if (fd != -1 && n < sizeof(p) / sizeof(p[0]))
		p[n++] = (struct pollfd){.fd = fd, .events = events};
	else if (fd != -1)
		close(fd);
}

static void
echo(int fd, const char *name)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char buf[2048];
	ssize_t got =
	    recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

	if (name != NULL)
		printf("came=%s\n", name);
	else if (got >= 0)
		sendto(fd, buf, (size_t)got, 0, (struct sockaddr *)&from, len);
}

/* A client of source, or one that has hung up. */
static void
client(nfds_t i)
{
	static const char zeros[65536];

	if ((p[i].revents & (POLLHUP | POLLERR)) ||
	    ((p[i].revents & POLLOUT) &&
		write(p[i].fd, zeros, sizeof(zeros)) == -1 &&
		errno != EAGAIN)) {
		close(p[i].fd);
		p[i] = p[--n];
	}
}

int
main(void)
{
	const int little = 4096;
	struct rlimit files;
	uint16_t source, deaf, watched, udp;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	p[0].fd = serve(SOCK_STREAM, 0, &source);
	p[1].fd = serve(SOCK_STREAM, 0, &deaf);
	setsockopt(p[1].fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	p[2].fd = serve(SOCK_STREAM, 0, &watched);
	p[3].fd = serve(SOCK_DGRAM, watched, &watched);
	p[4].fd = serve(SOCK_DGRAM, 0, &udp);
	printf("source=%u deaf=%u watched=%u udp=%u\n", source, deaf, watched,
	    udp);
	for (nfds_t i = 0; i < 5; i++)
		p[i].events = POLLIN;
	for (;;) {
		fflush(stdout);
		if (poll(p, n, -1) == -1)
			die("poll");
		for (nfds_t i = n; i-- > 5;)
			if (p[i].revents != 0)
				client(i);
		if (p[0].revents)
			take(p[0].fd, POLLOUT, NULL);
		if (p[1].revents)
			take(p[1].fd, 0, NULL);
		if (p[2].revents)
			take(p[2].fd, 0, "tcp");
		if (p[3].revents)
			echo(p[3].fd, "udp");
		if (p[4].revents)
			echo(p[4].fd, NULL);
	}
}

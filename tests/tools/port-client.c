/* SPDX-License-Identifier: ISC */
/* Test client of a lent port: sends one payload, prints what it receives.
 *
 *   port-client [-r] [-t ttl] [-l local] [-n count] [-w s] path|udp:PORT
 *       [endpoint hex]
 *
 * Prints "hello port= families=", then for each message "datagram from= to=
 * ttl= payload=" or "error to= error=", and ends with 0 after count of them,
 * with 1 after w seconds or when nat-port is gone ("gone"). -r goes past the
 * library's own check of the payload. A line on standard input sends again. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "port.h"

struct client {
	struct port *port;
	bool raw;
	int ttl;
	struct addr local, remote;
	uint8_t payload[PORT_MAX_PAYLOAD];
	size_t len;
};

static int
from_hex(uint8_t *out, size_t cap, const char *hex)
{
	size_t i, n = strlen(hex) / 2;
	unsigned int byte;

	if (n > cap || strlen(hex) % 2 != 0)
		return -EBADMSG;
	for (i = 0; i < n; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -EBADMSG;
		out[i] = (uint8_t)byte;
	}
	return (int)n;
}

static int
send_unchecked(struct client *c)
{
	struct port_msg m = {
	    .op = PORT_DATAGRAM,
	    .ttl = (uint8_t)c->ttl,
	    .remote = c->remote,
	    .local = c->local,
	};
	uint8_t buf[PORT_MAX];
	int fds[2];

	port_fds(c->port, fds);
	memcpy(buf + port_encode(&m, buf), c->payload, c->len);
	return send(fds[0], buf, PORT_HEADER_LEN + c->len, 0) == -1 ? -errno
								    : 0;
}

static void
send_one(struct client *c)
{
	int r = c->raw ? send_unchecked(c)
		       : port_send(c->port, &c->remote, &c->local, c->ttl,
			     c->payload, c->len);

	if (r < 0)
		printf("unsent %s\n", strerror(-r));
}

static void
print(const struct port_msg *m)
{
	char a[ADDR_STRLEN], b[ADDR_STRLEN];
	size_t i;

	if (m->op == PORT_ERROR) {
		printf("error to=%s error=%s\n", addr_format(&m->remote, a),
		    port_error_name(m->error));
		return;
	}
	printf("datagram from=%s to=%s ttl=%u payload=",
	    addr_format(&m->remote, a), addr_format(&m->local, b), m->ttl);
	for (i = 0; i < m->len; i++)
		printf("%02x", m->payload[i]);
	printf("\n");
}

static void
parse(struct client *c, int argc, char **argv)
{
	int n;

	if (argc < 2)
		return;
	n = from_hex(c->payload, sizeof(c->payload), argv[1]);
	if (n < 0 || addr_parse(&c->remote, argv[0]) < 0) {
		fprintf(stderr, "port-client: bad endpoint or payload\n");
		exit(100);
	}
	c->len = (size_t)n;
}

/* Returns how many messages came, or -EPIPE. */
static int
drain(struct client *c, int want)
{
	uint8_t buf[PORT_MAX];
	struct port_msg m;
	int r = 0, got = 0;

	while (got < want && (r = port_recv(c->port, &m, buf)) == 1) {
		print(&m);
		got++;
	}
	return r == -EPIPE ? r : got;
}

static int
run(struct client *c, int want, int seconds)
{
	uint64_t end = now_ms() + (uint64_t)seconds * 1000;
	struct pollfd fds[3] = {{.fd = STDIN_FILENO, .events = POLLIN}};
	int port_fd[2], i, r, n = port_fds(c->port, port_fd);
	char line[8];

	for (i = 0; i < n; i++)
		fds[1 + i] =
		    (struct pollfd){.fd = port_fd[i], .events = POLLIN};
	while (want > 0) {
		uint64_t now = now_ms();

		if (now >= end ||
		    poll(fds, (nfds_t)n + 1, (int)(end - now)) <= 0)
			return 1;
		if (fds[0].revents != 0) {
			if (read(STDIN_FILENO, line, sizeof(line)) > 0)
				send_one(c);
			else
				fds[0].fd = -1;
		}
		r = drain(c, want);
		if (r < 0) {
			printf("gone\n");
			return 1;
		}
		want -= r;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct client c = {.port = NULL};
	int opt, r, count = 1, seconds = 5;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((opt = getopt(argc, argv, "+l:n:rt:w:")) != -1) {
		if (opt == 'l' && addr_parse_ip(&c.local, optarg, 0) == 0)
			continue;
		if (opt == 'n')
			count = atoi(optarg);
		else if (opt == 'r')
			c.raw = true;
		else if (opt == 't')
			c.ttl = atoi(optarg);
		else if (opt == 'w')
			seconds = atoi(optarg);
		else
			return 100;
	}
	if (optind >= argc)
		return 100;
	parse(&c, argc - optind - 1, argv + optind + 1);
	if (strncmp(argv[optind], "udp:", 4) == 0)
		r = port_bind(&c.port, (uint16_t)atoi(argv[optind] + 4));
	else
		r = port_connect(&c.port, argv[optind]);
	if (r < 0) {
		printf("refused %s\n", strerror(-r));
		return 1;
	}
	printf("hello port=%u families=%s%s\n", port_number(c.port),
	    port_has_family(c.port, ADDR_V4) ? "4" : "",
	    port_has_family(c.port, ADDR_V6) ? "6" : "");
	if (c.len > 0)
		send_one(&c);
	r = run(&c, count, seconds);
	port_free(c.port);
	return r;
}

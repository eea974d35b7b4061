/* SPDX-License-Identifier: ISC */
/* nat-rendezvousd: introduces two public keys that both want it, and answers
 * STUN Binding requests (RFC 8489) on the same port. Options, set-up, tear-down;
 * the work is done in server.c. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connections.h"
#include "control.h"
#include "drop.h"
#include "exitcode.h"
#include "key.h"
#include "listener.h"
#include "log.h"
#include "loop.h"
#include "option.h"
#include "ready.h"
#include "record.h"
#include "server.h"
#include "status.h"

#define PORT 3478 /* RFC 8489 section 18.6 */
#define SOCKETS_MAX 16
#define TCP_PORTS_MAX 4 /* of -T */
#define ATTEMPTS 20	/* to find a port that is free for UDP and TCP */
#define OTHERS "nat-rendezvousd, or nat-relayd," /* at our port */
#define BATCHES 8 /* of one socket before another gets its turn */
#define TICK_MAX_MS 60000
#define WARN_EVERY_MS 60000

struct daemon {
	struct loop loop;
	struct server server;
	struct control *control;
	struct event *timer, *sighup;
	struct listener *listeners[SOCKETS_MAX];
	struct event *readable[SOCKETS_MAX];
	uint8_t n_listeners;
	struct connections connections;
	struct status status;
	uint8_t *secret; /* sodium_malloc */
	uint8_t public[KEY_LEN];
	uint64_t armed_ms, warned_ms, full_seen;

	struct server_config config;
	struct tokens tokens; /* until the server has them */
	struct addr bind[SOCKETS_MAX];
	int n_bind;
	uint16_t port, tcp_port[TCP_PORTS_MAX];
	int n_tcp_ports;
	const char *keyfile, *allowfile, *socket, *user;
	int ready_fd;
	bool announce, json;
};

static const char usage[] =
    "nat-rendezvousd -k keyfile [-1hjqv] [-a allowfile] [-b addr] ...\n"
    "           [-c control] [-L requests_per_second_per_key]\n"
    "           [-l clients_per_address] [-N fd] [-n maxclients] [-p port]\n"
    "           [-R secretfile@endpoint[,endpoint]] ...\n"
    "           [-r hellos_per_second_per_address] [-T tcp_port] ...\n"
    "           [-t keepalive_s] [-u user]";

/* With the defaults in it. */
static const char *
help(void)
{
	static char text[1600];

	snprintf(text, sizeof(text),
	    "  -k file   the server's private key, as wg genkey makes it\n"
	    "  -a file   allow these keys only, one a line (SIGHUP: re-read)\n"
	    "  -b addr   listen on this address; may be repeated (all)\n"
	    "  -p port   UDP and TCP port (%d)\n"
	    "  -T port   one more TCP port, as 443; may be repeated\n"
	    "  -c path   control socket: hello, peers, stats, watch\n"
	    "  -n num    registered clients (%d); 4 wants each on average\n"
	    "  -l num    clients of one address (an eighth of -n, at least "
	    "16)\n"
	    "  -r num    hellos per second of one address (%d)\n"
	    "  -L num    requests per second of one key (%d)\n"
	    "  -R relay  secretfile@endpoint[,endpoint]: hand out credentials "
	    "for it\n"
	    "  -t s      keepalive that clients are told (%d)\n"
	    "  -u user   run as this user (nobody)\n"
	    "  -N fd     write a newline to fd when ready\n"
	    "  -1        print a listen record per socket when ready\n"
	    "  -j        records as JSON Lines\n"
	    "  -q -v     say less, say more on standard error\n",
	    PORT, SERVER_CLIENTS, SERVER_HELLO_RATE, SERVER_REQUEST_RATE,
	    WIRE_KEEPALIVE_S);
	return text;
}

static void
add_bind(struct daemon *d, const char *text)
{
	if (d->n_bind == SOCKETS_MAX)
		option_fail("too many -b; the most is 16: %s", text);
	if (addr_parse_ip(&d->bind[d->n_bind], text, 0) != 0)
		option_fail("-b wants an IPv4 or IPv6 address: %s", text);
	d->n_bind++;
}

static void
add_tcp_port(struct daemon *d, const char *text)
{
	uint16_t port = (uint16_t)option_number("-T", text, 1, UINT16_MAX);

	if (d->n_tcp_ports == TCP_PORTS_MAX)
		option_fail(
		    "too many -T; the most is %d: %s", TCP_PORTS_MAX, text);
	d->tcp_port[d->n_tcp_ports++] = port;
}

static void
add_relay(struct daemon *d, const char *text)
{
	int rc = tokens_add(&d->tokens, text);

	if (rc == -ENOMEM)
		fatalx(EXIT_TEMP, "out of memory");
	if (rc == -ENOSPC)
		option_fail("too many -R; the most is %d", TOKEN_SERVED);
	if (rc == -EEXIST)
		option_fail("-R %s: another -R has this endpoint", text);
	if (rc != 0)
		option_fail("-R %s: give secretfile@address:port, with an "
			    "endpoint of each family at most, and a comma "
			    "between them",
		    text);
}

static void
option(struct daemon *d, int ch)
{
	switch (ch) {
	case '1':
		d->announce = true;
		break;
	case 'a':
		d->allowfile = optarg;
		break;
	case 'b':
		add_bind(d, optarg);
		break;
	case 'c':
		d->socket = optarg;
		break;
	case 'j':
		d->json = true;
		break;
	case 'k':
		d->keyfile = optarg;
		break;
	case 'l':
		d->config.per_address =
		    option_number("-l", optarg, 1, REGISTRY_CLIENTS_MAX);
		break;
	case 'L':
		d->config.request_rate =
		    option_number("-L", optarg, 1, LIMIT_RATE_MAX);
		break;
	case 'N':
		if ((d->ready_fd = ready_parse(optarg)) < 0)
			option_fail(
			    "-N wants an open descriptor above 2: %s", optarg);
		break;
	case 'n':
		d->config.clients =
		    option_number("-n", optarg, 1, REGISTRY_CLIENTS_MAX);
		break;
	case 'p':
		d->port = (uint16_t)option_number("-p", optarg, 0, UINT16_MAX);
		break;
	case 'R':
		add_relay(d, optarg);
		break;
	case 'r':
		d->config.hello_rate =
		    option_number("-r", optarg, 1, LIMIT_RATE_MAX);
		break;
	case 'T':
		add_tcp_port(d, optarg);
		break;
	case 't':
		d->config.keepalive_s =
		    (uint16_t)option_number("-t", optarg, 1, 3600);
		break;
	case 'u':
		d->user = optarg;
		break;
	}
}

static void
options(struct daemon *d, int argc, char **argv)
{
	int ch;

	d->config = (struct server_config){
	    .clients = SERVER_CLIENTS,
	    .hello_rate = SERVER_HELLO_RATE,
	    .request_rate = SERVER_REQUEST_RATE,
	    .keepalive_s = WIRE_KEEPALIVE_S,
	};
	d->port = PORT;
	d->ready_fd = -1;
	option_begin(usage, help());
	while ((ch = option_next(
		    argc, argv, ":1a:b:c:hjk:L:l:N:n:p:qR:r:T:t:u:v")) != -1)
		option(d, ch);
	if (optind < argc)
		option_fail("no operands are taken: %s", argv[optind]);
	if (d->keyfile == NULL)
		option_fail("-k keyfile is missing; `wg genkey` makes one");
}

static void
send_cb(void *arg, const struct path *to, const void *data, size_t len)
{
	struct daemon *d = arg;

	if (to->stream != 0)
		connections_send(&d->connections, to, data, len);
	else
		listener_send(d->listeners[to->socket], to, data, len);
}

static void
event_cb(void *arg, const char *what, const uint8_t key[KEY_LEN],
    const uint8_t *peer, const struct addr *at)
{
	struct daemon *d = arg;
	struct record r;

	if (d->control == NULL)
		return;
	record_begin(&r, "event");
	record_put(&r, "what", what);
	record_put_key(&r, "key", key);
	if (peer != NULL)
		record_put_key(&r, "peer", peer);
	if (at != NULL)
		record_put_addr(&r, "endpoint", at);
	control_publish(d->control, &r);
}

/* What the network can make us print: this line, once a minute. */
static void
warn_full(struct daemon *d, uint64_t now)
{
	uint64_t full = d->server.stats.hello_full + d->server.stats.wants_full;

	if (full == d->full_seen ||
	    (d->warned_ms != 0 && now - d->warned_ms < WARN_EVERY_MS))
		return;
	log_warnx(
	    "full: %u clients, %u wants, %llu refusals so far; see -n, -l",
	    d->server.registry.count, d->server.registry.edges_count,
	    (unsigned long long)full);
	d->full_seen = full;
	d->warned_ms = now;
}

static void
tick(struct daemon *d)
{
	uint64_t now = now_ms(), due = server_tick(&d->server, now);

	d->server.tokens.wall_s = wall_ns() / 1000000000u;
	for (int i = 0; i < d->n_listeners; i++)
		listener_flush(d->listeners[i]);
	warn_full(d, now);
	if (due > now + TICK_MAX_MS)
		due = now + TICK_MAX_MS;
	/* a timer that is early enough stays: most packets change nothing */
	if (d->armed_ms > now && d->armed_ms <= due)
		return;
	d->armed_ms = due;
	loop_at(d->timer, due);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)events;
	d->armed_ms = 0;
	tick(d);
}

static void
stepped_cb(void *arg)
{
	tick(arg);
}

static void
datagram_cb(void *arg, const struct path *from, const uint8_t *data, size_t len)
{
	struct daemon *d = arg;

	server_step(&d->server, from, data, len, now_ms());
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct daemon *d = arg;
	struct listener *l = NULL;

	(void)events;
	for (int i = 0; i < d->n_listeners; i++)
		if (listener_fd(d->listeners[i]) == fd)
			l = d->listeners[i];
	for (int i = 0; i < BATCHES && l != NULL; i++) {
		int n = listener_read(l, datagram_cb, d);

		tick(d);
		if (n < LISTENER_BATCH)
			break;
	}
}

static void
load_allow(struct daemon *d)
{
	char error[ALLOW_ERRLEN];
	int rc = allow_load(&d->server.allow, d->allowfile, error);

	if (rc == -ENOMEM)
		fatalx(EXIT_TEMP, "%s", error);
	if (rc != 0)
		fatalx(EXIT_USAGE, "%s", error);
}

/* The old secrets stay when the new ones can't be had. */
static int
load_secrets(struct tokens *t, char error[ALLOW_ERRLEN])
{
	const char *path = "";
	int rc = tokens_load(t, &path);

	if (rc == -EINVAL)
		snprintf(error, ALLOW_ERRLEN,
		    "%s: the secret in its first line has to have %d to %d "
		    "bytes",
		    path, CREDENTIAL_SECRET_MIN, CREDENTIAL_SECRET_MAX);
	else if (rc != 0)
		snprintf(error, ALLOW_ERRLEN, "%s: %s", path, strerror(-rc));
	return rc;
}

static void
sighup_cb(evutil_socket_t sig, short events, void *arg)
{
	struct daemon *d = arg;
	char error[ALLOW_ERRLEN];

	(void)sig;
	(void)events;
	if (load_secrets(&d->server.tokens, error) != 0)
		log_warnx("%s; the old secrets stay", error);
	if (d->allowfile == NULL)
		return;
	if (allow_load(&d->server.allow, d->allowfile, error) != 0) {
		log_warnx("%s; the old list of %zu keys stays", error,
		    d->server.allow.n);
		return;
	}
	log_info("%s: %zu keys", d->allowfile, d->server.allow.n);
	server_allow_changed(&d->server, now_ms());
	tick(d);
}

static void
load_key(struct daemon *d)
{
	d->secret = option_key(d->keyfile, d->public);
	d->config.secret = d->secret;
	d->config.public = d->public;
}

/* UDP, and TCP with the same number. Returns 0 or -errno. */
static int
listen_both(struct daemon *d, struct listener **l, const struct addr *at)
{
	struct listener_config config = {
	    .at = *at, .index = d->n_listeners, .max = STUN_MAX};
	int rc = listener_open(l, &config);

	if (rc != 0)
		return rc;
	rc = connections_bind(&d->connections, listener_addr(*l), false);
	if (rc != 0)
		listener_free(*l);
	return rc;
}

/* Returns 0 or -errno. With -p 0 all sockets take the first one's port. */
static int
listen_at(struct daemon *d, struct addr at)
{
	struct listener *l;
	int rc, attempts = d->port == 0 ? ATTEMPTS : 1;

	at.port = d->port;
	do {
		rc = listen_both(d, &l, &at);
	} while (rc == -EADDRINUSE && --attempts > 0);
	if (rc != 0)
		return rc;
	d->port = listener_addr(l)->port;
	d->listeners[d->n_listeners++] = l;
	for (int i = 0; i < d->n_tcp_ports; i++) {
		at.port = d->tcp_port[i];
		if (at.port == d->port)
			continue;
		rc = connections_bind(&d->connections, &at, true);
		if (rc != 0)
			option_cannot_listen(rc, &at, OTHERS, "-T");
	}
	return 0;
}

static void
listen_all(struct daemon *d)
{
	if (d->n_bind == 0) {
		struct addr v4 = {.family = ADDR_V4}, v6 = {.family = ADDR_V6};

		d->bind[d->n_bind++] = v4;
		d->bind[d->n_bind] = v6;
		/* a system without IPv6 is no reason not to serve IPv4 */
		d->n_bind += access("/proc/net/if_inet6", F_OK) == 0;
	}
	for (int i = 0; i < d->n_bind; i++) {
		int rc = listen_at(d, d->bind[i]);

		if (rc == 0)
			continue;
		d->bind[i].port = d->port;
		option_cannot_listen(rc, &d->bind[i], OTHERS, "-p");
	}
}

static void
start(struct daemon *d)
{
	char error[ALLOW_ERRLEN];
	int rc;

	load_key(d);
	loop_init(&d->loop, false);
	rc =
	    server_init(&d->server, &d->config, send_cb, event_cb, d, now_ms());
	if (rc != 0) {
		errno = -rc;
		fatal(EXIT_TEMP, "can't hold %u clients", d->config.clients);
	}
	if (d->allowfile != NULL)
		load_allow(d);
	if (load_secrets(&d->tokens, error) != 0)
		fatalx(EXIT_USAGE, "%s", error);
	for (size_t i = 0; i < d->tokens.n; i++)
		if (d->tokens.relay[i].secret.loose)
			log_warnx("%s: others may read this secret; chmod 600 "
				  "it",
			    d->tokens.relay[i].path);
	tokens_move(&d->server.tokens, &d->tokens);
	d->server.tokens.wall_s = wall_ns() / 1000000000u;
	listen_all(d);
	d->status = (struct status){.server = &d->server,
	    .listeners = d->listeners,
	    .n_listeners = &d->n_listeners,
	    .connections = &d->connections};
	if (d->socket != NULL &&
	    (rc = control_open(&d->control, &d->loop, d->socket, status_answer,
		 &d->status)) != 0) {
		errno = -rc;
		fatal(EXIT_USAGE, "%s", d->socket);
	}
	rc = connections_start(
	    &d->connections, &d->loop, &d->server, stepped_cb, d);
	if (rc != 0) {
		errno = -rc;
		fatal(EXIT_TEMP, "can't start");
	}
	drop_to(d->user);
}

static void
watch(struct daemon *d)
{
	d->timer = loop_event(&d->loop, -1, 0, timer_cb, d);
	d->sighup =
	    loop_event(&d->loop, SIGHUP, EV_SIGNAL | EV_PERSIST, sighup_cb, d);
	event_add(d->sighup, NULL);
	for (int i = 0; i < d->n_listeners; i++) {
		d->readable[i] =
		    loop_event(&d->loop, listener_fd(d->listeners[i]),
			EV_READ | EV_PERSIST, readable_cb, d);
		event_add(d->readable[i], NULL);
	}
}

static void
announce(struct daemon *d)
{
	char text[ADDR_STRLEN], key[KEY_STRLEN];
	struct record r;

	for (int i = 0; i < d->n_listeners; i++) {
		log_info("listening on %s; clients use -S %s@THIS-HOST:%u",
		    addr_format(listener_addr(d->listeners[i]), text),
		    key_format(d->public, key), d->port);
		if (!d->announce)
			continue;
		status_listen(&r, d->listeners[i]);
		record_write(&r, STDOUT_FILENO, d->json);
	}
	for (int i = 0; i < d->connections.n; i++) {
		if (!connections_is_extra(&d->connections, i))
			continue;
		log_info("listening on %s, TCP",
		    addr_format(&d->connections.at[i], text));
		if (!d->announce)
			continue;
		status_listen_tcp(&r, &d->connections.at[i]);
		record_write(&r, STDOUT_FILENO, d->json);
	}
	ready_tell(d->ready_fd);
}

static void
stop(struct daemon *d)
{
	control_free(d->control);
	event_free(d->timer);
	event_free(d->sighup);
	for (int i = 0; i < d->n_listeners; i++) {
		event_free(d->readable[i]);
		listener_free(d->listeners[i]);
	}
	connections_stop(&d->connections);
	server_free(&d->server);
	sodium_free(d->secret);
	loop_free(&d->loop);
}

int
main(int argc, char **argv)
{
	static struct daemon d;
	int code;

	log_init("nat-rendezvousd", 0);
	if (sodium_init() == -1)
		fatalx(EXIT_INTERNAL, "libsodium can't start");
	options(&d, argc, argv);
	start(&d);
	watch(&d);
	announce(&d);
	code = loop_run(&d.loop);
	stop(&d);
	return code;
}

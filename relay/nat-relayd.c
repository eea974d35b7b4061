/* SPDX-License-Identifier: ISC */
/* nat-relayd: carries datagrams between two hosts that have no direct path, as
 * plain pairs or by TURN (RFC 8656). Options, set-up, tear-down; the work is done
 * in engine.c. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "drop.h"
#include "engine.h"
#include "exitcode.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "option.h"
#include "ready.h"
#include "record.h"
#include "relayboard.h"

#define PORT 3478 /* RFC 8656 section 5 */
#define LOW 49152 /* RFC 8656 section 7.2 */
#define HIGH 65535
#define PAIR_PORTS 16
#define PAIRS 1024
#define PAIRS_MOST 100000
#define ALLOCATIONS 256
#define ALLOCATIONS_MOST 30000 /* a socket's number has 16 bits */
#define REALM "natkit"
#define REALM_MAX 64
#define UNPRIVILEGED 1024
#define SPARE_FILES 64 /* descriptors for all else */
#define RATE_MOST 999999999

struct relayd {
	struct loop loop;
	struct engine engine;
	struct relayboard board;
	struct metrics *metrics;

	struct engine_config config;
	struct conn_tls *tls;
	const char *secretfile[ENGINE_SECRETS_MAX];
	const char *cert, *key, *socket, *metrics_at, *user;
	int ready_fd;
	bool announce, json;
};

static const char usage[] =
    "nat-relayd -b addr[/external] [-b ...] -k secretfile [-k ...]\n"
    "           [-1Ghjqv] [-A allocations] [-a [!]net] [-C cert -K key]\n"
    "           [-c control] [-l limit=number,...] [-M addr:port|path] [-N "
    "fd]\n"
    "           [-n pairs] [-P pair_ports] [-p port] [-R low-high] [-r realm]\n"
    "           [-T port] [-u user]";

/* What -l sets. */
struct limit_name {
	const char *name;
	uint32_t *value;
	uint32_t normal, most;
	const char *text;
};
#define LIMITS 9

static void
limit_names(struct engine_config *c, struct limit_name out[LIMITS])
{
	const struct limit_name all[LIMITS] = {
	    {"address", &c->per_address, 128, PAIRS_MOST,
		"pairs' sides, and allocations, of one address"},
	    {"requests", &c->request_rate, 100, LIMIT_RATE_MAX / 2,
		"requests, and connections, per second of one address"},
	    {"connections", &c->connections, 256, RELAYSTREAMS_MAX,
		"TCP connections"},
	    {"address-connections", &c->connections_per_address, 32,
		RELAYSTREAMS_MAX, "TCP connections of one address"},
	    {"key", &c->accounts.per_account, 64, PAIRS_MOST,
		"pairs, and allocations, of one key or user"},
	    {"key-packets", &c->accounts.packets_s, 0, RATE_MOST,
		"datagrams per second of one key or user (0: any)"},
	    {"key-bytes", &c->accounts.bytes_s, 0, RATE_MOST,
		"bytes per second, likewise"},
	    {"packets", &c->accounts.all_packets_s, 0, RATE_MOST,
		"datagrams per second of all together"},
	    {"bytes", &c->accounts.all_bytes_s, 0, RATE_MOST,
		"bytes per second, likewise"},
	};

	memcpy(out, all, sizeof(all));
}

/* With the defaults in it. */
static const char *
help(void)
{
	static char text[3000];
	static struct engine_config none;
	struct limit_name names[LIMITS];
	size_t len;

	snprintf(text, sizeof(text),
	    "  -b addr   this host's address for clients and relayed ports, "
	    "one of a\n"
	    "            family; addr/external when a 1:1 NAT shows another "
	    "one\n"
	    "  -k file   the secret that signs credentials; a second one while "
	    "it is\n"
	    "            changed\n"
	    "  -p port   UDP and TCP port (%d)\n"
	    "  -T port   another TCP port, such as 443; may be repeated\n"
	    "  -C file   certificate chain: TLS at all TCP ports, too\n"
	    "  -K file   its private key\n"
	    "  -R l-h    ports that are relayed (%d-%d)\n"
	    "  -P num    how many of these are for pairs, the first ones "
	    "(%d):\n"
	    "            so many peers a key may have\n"
	    "  -n num    pairs (%d)\n"
	    "  -A num    TURN allocations (%d)\n"
	    "  -a net    peers that TURN may reach, though private; !net: may "
	    "not\n"
	    "  -r realm  of TURN (%s)\n"
	    "  -c path   control socket: hello, stats, pairs, allocations, "
	    "accounts,\n"
	    "            watch, drop, drain\n"
	    "  -M where  counters for Prometheus: loopback address:port, or a "
	    "path\n"
	    "  -G        neither UDP_GRO nor UDP_SEGMENT\n"
	    "  -u user   run as this user (nobody)\n"
	    "  -N fd     write a newline to fd when ready\n"
	    "  -1        print a listen record per socket when ready\n"
	    "  -j        records as JSON Lines\n"
	    "  -q -v     say less, say more on standard error\n"
	    "  -l limit=number,...\n",
	    PORT, LOW, HIGH, PAIR_PORTS, PAIRS, ALLOCATIONS, REALM);
	limit_names(&none, names);
	for (size_t i = 0; i < LIMITS; i++) {
		len = strlen(text);
		snprintf(text + len, sizeof(text) - len, "     %-20s %s (%u)\n",
		    names[i].name, names[i].text, names[i].normal);
	}
	return text;
}

static void
add_bind(struct relayd *d, char *text)
{
	char *external = strchr(text, '/');
	struct addr at, seen;
	int f;

	if (external != NULL)
		*external++ = '\0';
	if (addr_parse_ip(&at, text, 0) != 0)
		option_fail("-b wants an IPv4 or IPv6 address: %s", text);
	if (addr_is_any(&at) || addr_is_multicast(&at))
		option_fail("-b wants an address of this host: %s", text);
	f = at.family == ADDR_V6;
	if (d->config.at[f].family != ADDR_NONE)
		option_fail("-b %s: one address of a family is enough; another "
			    "nat-relayd may have another one",
		    text);
	seen = at;
	if (external != NULL &&
	    (addr_parse_ip(&seen, external, 0) != 0 ||
		seen.family != at.family || addr_is_any(&seen) ||
		addr_is_multicast(&seen)))
		option_fail(
		    "-b %s/%s: after the slash stands the address of the "
		    "same family that clients see",
		    text, external);
	d->config.at[f] = at;
	d->config.external[f] = seen;
}

static void
add_net(struct relayd *d, const char *text)
{
	int rc = peerrules_add(&d->config.rules, text);

	if (rc == -ENOSPC)
		option_fail("-a %s: %d are enough", text, PEERRULE_MAX);
	if (rc != 0)
		option_fail(
		    "-a wants a network, as 10.0.0.0/8 or !10.1.0.0/16: "
		    "%s",
		    text);
}

static void
add_secret(struct relayd *d, const char *path)
{
	if (d->config.n_secrets == ENGINE_SECRETS_MAX)
		option_fail(
		    "-k %s: %d secrets are enough", path, ENGINE_SECRETS_MAX);
	d->secretfile[d->config.n_secrets++] = path;
}

static void
add_tcp(struct relayd *d, const char *text)
{
	if (d->config.n_tcp == ENGINE_TCP_MAX)
		option_fail("-T %s: %d ports are enough", text, ENGINE_TCP_MAX);
	d->config.tcp[d->config.n_tcp++] =
	    (uint16_t)option_number("-T", text, 0, UINT16_MAX);
}

static void
set_range(struct relayd *d, char *text)
{
	char *high = strchr(text, '-');

	if (high == NULL)
		option_fail("-R wants two ports, as 49152-65535: %s", text);
	*high++ = '\0';
	/* they are opened when there are no privileges any more */
	d->config.low =
	    (uint16_t)option_number("-R", text, UNPRIVILEGED, UINT16_MAX);
	d->config.high =
	    (uint16_t)option_number("-R", high, d->config.low, UINT16_MAX);
}

static void
set_limits(struct relayd *d, char *text)
{
	struct limit_name names[LIMITS];
	char *save = NULL;

	limit_names(&d->config, names);
	for (char *one = strtok_r(text, ",", &save); one != NULL;
	     one = strtok_r(NULL, ",", &save)) {
		char *value = strchr(one, '=');
		size_t i = 0;

		if (value == NULL)
			option_fail("-l wants limit=number: %s", one);
		*value++ = '\0';
		while (i < LIMITS && strcmp(one, names[i].name) != 0)
			i++;
		if (i == LIMITS)
			option_fail("-l %s: no such limit; -h lists them", one);
		*names[i].value = option_number(
		    one, value, names[i].normal > 0, names[i].most);
	}
}

/* What is taken apart is a copy: ps(1) shows what was given. */
static void
with_copy(struct relayd *d, void (*fn)(struct relayd *d, char *text))
{
	char *text = strdup(optarg);

	if (text == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	fn(d, text);
	free(text);
}

static void
option(struct relayd *d, int ch)
{
	switch (ch) {
	case '1':
		d->announce = true;
		break;
	case 'A':
		d->config.allocations =
		    option_number("-A", optarg, 1, ALLOCATIONS_MOST);
		break;
	case 'a':
		add_net(d, optarg);
		break;
	case 'b':
		with_copy(d, add_bind);
		break;
	case 'C':
		d->cert = optarg;
		break;
	case 'c':
		d->socket = optarg;
		break;
	case 'G':
		d->config.gso = false;
		break;
	case 'j':
		d->json = true;
		break;
	case 'K':
		d->key = optarg;
		break;
	case 'k':
		add_secret(d, optarg);
		break;
	case 'l':
		with_copy(d, set_limits);
		break;
	case 'M':
		d->metrics_at = optarg;
		break;
	case 'N':
		if ((d->ready_fd = ready_parse(optarg)) < 0)
			option_fail(
			    "-N wants an open descriptor above 2: %s", optarg);
		break;
	case 'n':
		d->config.pairs = option_number("-n", optarg, 1, PAIRS_MOST);
		break;
	case 'P':
		d->config.pair_ports =
		    (uint16_t)option_number("-P", optarg, 1, PAIRS_PORTS_MAX);
		break;
	case 'p':
		d->config.port =
		    (uint16_t)option_number("-p", optarg, 0, UINT16_MAX);
		break;
	case 'R':
		with_copy(d, set_range);
		break;
	case 'r':
		d->config.realm = optarg;
		break;
	case 'T':
		add_tcp(d, optarg);
		break;
	case 'u':
		d->user = optarg;
		break;
	}
}

static void
check(const struct relayd *d)
{
	const struct engine_config *c = &d->config;

	if (c->at[0].family == ADDR_NONE && c->at[1].family == ADDR_NONE)
		option_fail("-b is missing: the address of this host that "
			    "clients come to; ip addr lists them");
	if (c->n_secrets == 0)
		option_fail(
		    "-k is missing: a file with a secret; make one with: "
		    "openssl rand -base64 32 > FILE");
	if ((d->cert == NULL) != (d->key == NULL))
		option_fail("-C and -K go together: a certificate and its key");
	if (*c->realm == '\0' || strlen(c->realm) > REALM_MAX)
		option_fail("-r wants 1 to %d bytes", REALM_MAX);
	if (c->high - c->low < c->pair_ports)
		option_fail(
		    "-R %u-%u: %u ports are for pairs (-P), none is left "
		    "for TURN",
		    c->low, c->high, c->pair_ports);
	for (size_t i = 0; i < c->n_tcp; i++)
		if (c->tcp[i] != 0 && c->tcp[i] == c->port)
			option_fail("-T %u: that port is there by -p", c->port);
	if (c->port >= c->low && c->port <= c->high)
		option_fail("-p %u is one of the relayed ports: choose another "
			    "-R or -p",
		    c->port);
}

static void
options(struct relayd *d, int argc, char **argv)
{
	struct limit_name names[LIMITS];
	int ch;

	d->config = (struct engine_config){
	    .port = PORT,
	    .low = LOW,
	    .high = HIGH,
	    .pair_ports = PAIR_PORTS,
	    .gso = true,
	    .realm = REALM,
	    .pairs = PAIRS,
	    .allocations = ALLOCATIONS,
	};
	limit_names(&d->config, names);
	for (size_t i = 0; i < LIMITS; i++)
		*names[i].value = names[i].normal;
	d->ready_fd = -1;
	option_begin(usage, help());
	while ((ch = option_next(argc, argv,
		    ":1A:a:b:C:c:GhjK:k:l:M:N:n:P:p:qR:r:T:u:v")) != -1)
		option(d, ch);
	if (optind < argc)
		option_fail("no operands are taken: %s", argv[optind]);
	check(d);
}

static void
load_secrets(struct relayd *d)
{
	for (size_t i = 0; i < d->config.n_secrets; i++) {
		const char *path = d->secretfile[i];
		int rc = credential_load(&d->config.secret[i], path);

		if (rc == -EINVAL)
			fatalx(EXIT_USAGE,
			    "%s: a secret is one line of %d to %d bytes; make "
			    "one "
			    "with: openssl rand -base64 32 > FILE",
			    path, CREDENTIAL_SECRET_MIN, CREDENTIAL_SECRET_MAX);
		if (rc == -ENOENT)
			fatalx(EXIT_USAGE,
			    "%s: %s; make a secret with: openssl rand -base64 "
			    "32 > FILE, after umask 077",
			    path, strerror(-rc));
		if (rc != 0) {
			errno = -rc;
			fatal(EXIT_USAGE, "%s", path);
		}
		if (d->config.secret[i].loose)
			log_warnx("%s: others may read this secret; chmod 600 "
				  "it",
			    path);
	}
}

static void
load_tls(struct relayd *d)
{
	const char *why = NULL;

	if (d->cert == NULL)
		return;
	if (conn_tls_server(&d->tls, d->cert, d->key, &why) != 0)
		fatalx(EXIT_USAGE,
		    "-C %s -K %s: %s (they have to be PEM files)", d->cert,
		    d->key, why);
	d->config.tls = d->tls;
}

/* Every allocation and connection wants descriptors. */
static void
raise_files(const struct engine_config *c)
{
	rlim_t want = 2 * (rlim_t)c->allocations + 2 * c->pair_ports +
		      c->connections + 2 * c->n_tcp + SPARE_FILES;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur >= want)
		return;
	r.rlim_cur = want;
	if (r.rlim_max < want)
		r.rlim_max = want;
	if (setrlimit(RLIMIT_NOFILE, &r) == 0)
		return;
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	log_warnx("-A %u and %u connections want %llu open files, and %llu are "
		  "allowed: see ulimit -Hn",
	    c->allocations, c->connections, (unsigned long long)want,
	    (unsigned long long)r.rlim_max);
}

__attribute__((noreturn)) static void
open_failed(int rc, const struct addr *at)
{
	char text[ADDR_STRLEN], ip[ADDR_STRLEN];

	errno = -rc;
	if (at->family == ADDR_NONE)
		fatal(EXIT_TEMP, "can't start");
	if (rc == -EADDRNOTAVAIL)
		fatalx(EXIT_USAGE,
		    "can't listen on %s: no address of this host; ip addr "
		    "lists them; if a 1:1 NAT has that one: -b OWN/%s",
		    addr_format(at, text), addr_format_ip(at, ip));
	option_cannot_listen(
	    rc, at, "nat-relayd, or nat-rendezvousd,", "-p, -T, -R");
}

static void
open_metrics(struct relayd *d)
{
	int rc;

	if (d->metrics_at == NULL)
		return;
	rc = metrics_open(&d->metrics, &d->engine, d->metrics_at);
	if (rc == -EINVAL)
		option_fail(
		    "-M wants a loopback address with a port, as "
		    "127.0.0.1:9478, or the path of a Unix socket, with a "
		    "slash: %s",
		    d->metrics_at);
	if (rc != 0) {
		errno = -rc;
		fatal(EXIT_USAGE, "-M %s", d->metrics_at);
	}
}

/* Sockets of relayed ports are made at run time; GnuTLS and evhttp ask for a
 * few things, too. */
static void
drop_most(const char *user)
{
	static const char *const calls[] = {"accept4", "bind", "getegid",
	    "geteuid", "getgid", "getpeername", "getrusage", "getsockname",
	    "getsockopt", "getuid", "ioctl", "recvmmsg", "sendmmsg",
	    "setsockopt", "shutdown", "socket", "unlink"};
	int rc;

	tzset(); /* reads a file, which evhttp's Date would do later */
	drop_to(user);
	rc = drop_syscalls(calls, sizeof(calls) / sizeof(calls[0]));
	if (rc != 0) {
		errno = -rc;
		fatal(EXIT_TEMP, "can't limit the system calls");
	}
}

static void
start(struct relayd *d)
{
	struct addr failed;
	int rc;

	load_secrets(d);
	load_tls(d);
	raise_files(&d->config);
	loop_init(&d->loop, false);
	rc = engine_open(&d->engine, &d->loop, &d->config, &failed);
	if (rc != 0)
		open_failed(rc, &failed);
	if (d->socket != NULL) {
		rc =
		    relayboard_open(&d->board, &d->engine, &d->loop, d->socket);
		if (rc != 0) {
			errno = -rc;
			fatal(EXIT_USAGE, "%s", d->socket);
		}
	}
	open_metrics(d);
	drop_most(d->user);
	engine_start(&d->engine);
}

static void
tell_listen(const struct relayd *d, const struct record *r)
{
	log_info("%s", r->text);
	if (d->announce)
		record_write(r, STDOUT_FILENO, d->json);
}

static void
announce(struct relayd *d)
{
	struct record r;

	for (size_t i = 0; relayboard_listen(&d->engine, i, &r); i++)
		tell_listen(d, &r);
	if (d->metrics != NULL &&
	    metrics_addr(d->metrics)->family != ADDR_NONE) {
		record_begin(&r, "listen");
		record_put_addr(&r, "endpoint", metrics_addr(d->metrics));
		record_put(&r, "transport", "http");
		tell_listen(d, &r);
	}
	ready_tell(d->ready_fd);
}

static void
stop(struct relayd *d)
{
	metrics_close(d->metrics);
	relayboard_close(&d->board);
	engine_close(&d->engine);
	conn_tls_free(d->tls);
	sodium_memzero(d->config.secret, sizeof(d->config.secret));
	loop_free(&d->loop);
}

int
main(int argc, char **argv)
{
	static struct relayd d;
	int code;

	log_init("nat-relayd", 0);
	if (sodium_init() == -1)
		fatalx(EXIT_INTERNAL, "libsodium can't start");
	options(&d, argc, argv);
	start(&d);
	announce(&d);
	code = loop_run(&d.loop);
	stop(&d);
	return code;
}

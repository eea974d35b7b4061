/* SPDX-License-Identifier: ISC */
/* nat-port: lends the UDP port of a running daemon on a port socket. */
#include <errno.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drop.h"
#include "exitcode.h"
#include "lendloop.h"
#include "log.h"
#include "loop.h"
#include "option.h"
#include "raw.h"
#include "ready.h"
#include "record.h"

/* Packets that one callback handles before the loop turns. */
#define BATCH 64

struct options {
	bool record;   /* -1 */
	bool json;     /* -j */
	bool own;      /* -o */
	uint32_t mark; /* -m */
	int ready_fd;  /* -N, or -1 */
	const char *user;
	bool user_given;
	uint16_t port;
	const char *path;
	const char *without[RAW_WITHOUT]; /* -x */
	size_t withouts;
};

struct nat_port {
	struct loop loop;
	struct raw raw;
	struct lendloop lend;
	struct event *ev_raw[2];
	uint64_t received;
};

/* What the loop needs besides lib's own list: the sockets of clients, the
 * source address that routing picks, the end. */
static const char *const syscalls[] = {
    "accept4", "connect", "getsockname", "getsockopt", "unlink"};

static const char usage[] =
    "nat-port [-1hjoqv] [-m fwmark] [-N fd] [-u user] [-x interface]... "
    "port path";
static const char help[] =
    "  -o        bind the port: no daemon has it\n"
    "  -m mark   fwmark of what is sent, as wg show tells it\n"
    "  -u user   become this user (nobody)\n"
    "  -x if     take nothing that comes by this interface (repeat for more)\n"
    "  -N fd     write a newline to fd when ready\n"
    "  -1        print a port record when ready\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

/* Decimal or 0x hexadecimal, nothing else; 0 also as wg(8) writes it. */
static bool
parse_mark(const char *text, uint32_t *out)
{
	unsigned long v;
	char *end;

	if (strcmp(text, "off") == 0)
		text = "0";
	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	v = strtoul(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	if (errno != 0 || *end != '\0' || v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

static void
parse_option(struct options *o, int opt, const char *value)
{
	switch (opt) {
	case '1':
		o->record = true;
		return;
	case 'j':
		o->json = true;
		return;
	case 'o':
		o->own = true;
		return;
	case 'm':
		if (!parse_mark(value, &o->mark))
			option_fail("-m takes a mark such as 51820 or 0xca6c");
		return;
	case 'N':
		o->ready_fd = ready_parse(value);
		if (o->ready_fd < 0)
			option_fail("-N takes an open descriptor above 2");
		return;
	case 'u':
		o->user = value;
		o->user_given = true;
		return;
	case 'x':
		if (o->withouts == RAW_WITHOUT)
			option_fail("-x: at most %d", RAW_WITHOUT);
		o->without[o->withouts++] = value;
		return;
	}
}

static void
parse_options(struct options *o, int argc, char **argv)
{
	int opt;

	*o = (struct options){.ready_fd = -1, .user = "nobody"};
	option_begin(usage, help);
	while ((opt = option_next(argc, argv, ":1hjm:N:oqu:vx:")) != -1)
		parse_option(o, opt, optarg);
	if (argc - optind != 2)
		option_fail("give the port to lend and a path for the socket");
	o->port = (uint16_t)option_number("port", argv[optind], 0, 65535);
	if (o->port == 0 && !o->own)
		option_fail(
		    "port 0 (any) goes with -o; give the daemon's port");
	o->path = argv[optind + 1];
}

static int
send_cb(void *arg, const struct port_msg *m)
{
	struct nat_port *np = arg;

	return raw_send(
	    &np->raw, &m->remote, &m->local, m->ttl, m->payload, m->len);
}

static void
raw_cb(evutil_socket_t fd, short events, void *arg)
{
	struct nat_port *np = arg;
	int i, n, family = fd == np->raw.fd[1] ? ADDR_V6 : ADDR_V4;
	uint8_t buf[RAW_BUF_LEN];
	struct udp_info info;

	(void)events;
	for (i = 0; i < BATCH; i++) {
		struct port_msg m = {.op = PORT_DATAGRAM};

		n = raw_recv(&np->raw, family, buf, &m.payload, &info);
		if (n == -EAGAIN)
			return;
		if (n < 0)
			continue;
		m.ttl = (uint8_t)info.ttl;
		m.remote = info.remote;
		m.local = info.local;
		m.len = (size_t)n;
		np->received++;
		lend_all(&np->lend.lend, &m);
	}
}

/* Errors at the start, with what to do about them. */
__attribute__((noreturn)) static void
raw_fatal(const struct options *o, int r, const char *what)
{
	errno = -r;
	if (r == -EADDRINUSE)
		fatal(EXIT_USAGE,
		    "%s %u: another program has it; without -o nat-port lends "
		    "it",
		    what, o->port);
	if ((r == -EPERM || r == -EACCES) && o->own)
		fatal(EXIT_USAGE, "%s %u", what, o->port);
	if (r == -EPERM || r == -EACCES)
		fatal(EXIT_USAGE,
		    "%s: run as root or with CAP_NET_RAW, or use -o to bind "
		    "the port instead of lending a daemon's",
		    what);
	if (r == -EADDRNOTAVAIL || r == -ENETUNREACH || r == -ETIMEDOUT)
		fatal(EXIT_USAGE,
		    "%s: the self-test needs the loopback: ip link set lo up, "
		    "let the firewall pass it, or use -o to bind the port "
		    "instead of lending a daemon's",
		    what);
	fatal(EXIT_TEMP, "%s", what);
}

/* Is a socket here bound to the port? Also true if that can't be told. */
static bool
is_taken(uint16_t port)
{
	static const char *const tables[] = {"/proc/net/udp", "/proc/net/udp6"};
	bool told = false, taken = false;
	char line[512];

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		FILE *f = fopen(tables[i], "re");
		unsigned bound;

		if (f == NULL)
			continue;
		told = true;
		/* "  42: 00000000:CA6C ...": number, address and port */
		while (!taken && fgets(line, sizeof(line), f) != NULL)
			taken =
			    sscanf(line, "%*u: %*[0-9A-F]:%4x", &bound) == 1 &&
			    bound == port;
		fclose(f);
	}
	return taken || !told;
}

static void
open_port(struct nat_port *np, const struct options *o)
{
	const char *what = "";
	int r = raw_open(&np->raw, o->own, o->port, o->mark, &what);

	for (size_t i = 0; i < o->withouts && r == 0; i++) {
		unsigned interface = if_nametoindex(o->without[i]);

		if (interface != 0)
			r = raw_leave_out(&np->raw, interface);
		else
			log_warnx(
			    "-x %s: there is no such interface", o->without[i]);
	}
	if (r == 0)
		r = raw_start(&np->raw, &what);
	if (r < 0)
		raw_fatal(o, r, what);
	if (!o->own && !is_taken(o->port))
		log_warnx("no program here has UDP port %u yet: is the daemon "
			  "running?",
		    o->port);
	log_info("lending UDP port %u, IPv4 %s, IPv6 %s", np->raw.port,
	    raw_has_family(&np->raw, ADDR_V4) ? "yes" : "no",
	    raw_has_family(&np->raw, ADDR_V6) ? "yes" : "no");
}

static void
open_lend(struct nat_port *np, const struct options *o)
{
	uid_t owner = getuid(), user = owner;
	const struct passwd *pw;
	bool v4 = raw_has_family(&np->raw, ADDR_V4);
	bool v6 = raw_has_family(&np->raw, ADDR_V6);
	int r;

	if (o->user_given) {
		pw = getpwnam(o->user);
		if (pw == NULL)
			fatalx(EXIT_USAGE, "-u %s: no such user", o->user);
		user = pw->pw_uid;
	}
	r = lendloop_open(&np->lend, o->path, owner, user, np->raw.port,
	    v4 && v6 ? ADDR_NONE
	    : v4     ? ADDR_V4
		     : ADDR_V6);
	errno = -r;
	if (r == -EADDRINUSE)
		fatalx(EXIT_USAGE,
		    "%s: another nat-port is there; end it or give another "
		    "path",
		    o->path);
	if (r == -EEXIST)
		fatalx(
		    EXIT_USAGE, "%s is no socket; give another path", o->path);
	if (r < 0)
		fatal(EXIT_USAGE, "can't make the socket %s", o->path);
}

static void
start_events(struct nat_port *np)
{
	struct loop *l = &np->loop;
	int i;

	for (i = 0; i < 2; i++) {
		if (np->raw.fd[i] == -1)
			continue;
		np->ev_raw[i] = loop_event(
		    l, np->raw.fd[i], EV_READ | EV_PERSIST, raw_cb, np);
		event_add(np->ev_raw[i], NULL);
	}
	lendloop_start(&np->lend, l, send_cb, np);
}

static void
drop(struct nat_port *np, const struct options *o)
{
	const char *what;
	int r = drop_privileges(o->user, o->user_given, &what);

	if (r == 0) {
		what = "seccomp";
		r = drop_syscalls(
		    syscalls, sizeof(syscalls) / sizeof(syscalls[0]));
	}
	if (r == 0)
		return;
	lendloop_close(&np->lend);
	errno = -r;
	fatal(EXIT_USAGE, "can't drop privileges: %s", what);
}

static void
announce(const struct nat_port *np, const struct options *o)
{
	struct record rec;
	int r = 0;

	if (o->record) {
		record_begin(&rec, "port");
		record_put_u64(&rec, "port", np->raw.port);
		record_put(&rec, "path", o->path);
		r = record_write(&rec, STDOUT_FILENO, o->json);
	}
	if (r < 0) {
		errno = -r;
		log_warn("can't print the port record");
	}
	ready_tell(o->ready_fd);
}

static void
end(struct nat_port *np)
{
	int i;

	log_info("%llu received, %llu sent, %llu refused",
	    (unsigned long long)np->received, (unsigned long long)np->lend.sent,
	    (unsigned long long)np->lend.refused);
	for (i = 0; i < 2; i++)
		if (np->ev_raw[i] != NULL)
			event_free(np->ev_raw[i]);
	lendloop_close(&np->lend);
	raw_close(&np->raw);
	loop_free(&np->loop);
}

int
main(int argc, char **argv)
{
	static struct nat_port np;
	struct options o;
	int code;

	log_init("nat-port", 0);
	parse_options(&o, argc, argv);
	open_port(&np, &o);
	open_lend(&np, &o);
	loop_init(&np.loop, false);
	start_events(&np);
	drop(&np, &o);
	announce(&np, &o);
	code = loop_run(&np.loop);
	end(&np);
	return code;
}

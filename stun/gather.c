/* SPDX-License-Identifier: ISC */
/* nat-stun gather: the candidates of one port (RFC 8445 section 5.1.1), once
 * or (-f) whenever they change. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "candset.h"
#include "cmdline.h"
#include "command.h"
#include "drop.h"
#include "exitcode.h"
#include "generation.h"
#include "log.h"
#include "loop.h"
#include "netlink.h"
#include "option.h"
#include "port.h"
#include "portloop.h"
#include "reader.h"
#include "resolve.h"
#include "servers.h"

/* A round of -f: as long as a person hardly notices, or until the quick
 * servers have answered; what comes later makes a generation of its own. */
#define ROUND_MS 1500
#define AFTER_FIRST_MS 300
/* The very first generation does not wait so long when nobody answers at all:
 * where UDP is blocked, all else would wait for it. */
#define FIRST_MS 600
/* One change of the network is many messages. */
#define DEBOUNCE_MS 50
/* Under a storm of them, no more rounds than these. */
#define CHANGE_GAP_MS 250
#define LOOKUP_MS 5000
#define HOSTS_MAX 64

static const char usage[] =
    "nat-stun gather [-46fhjqv] [-s path | -p port] [-t seconds]\n"
    "           [-w seconds] [-x interface]... -S server [-S server]...";
static const char help[] =
    "  -4 -6     use this family only\n"
    "  -f        go on, and tell every change\n"
    "  -S server a STUN server, host or host:port; may be repeated\n"
    "  -x if     leave this interface out; may be repeated\n"
    "  -s path   use the port that nat-port lends on this socket\n"
    "  -p port   use a UDP port of its own (any)\n"
    "  -t s      with -f: ask the servers every so often (25)\n"
    "  -w s      without -f: wait so long at most (5)\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

struct gather;

struct name {
	struct gather *g;
	size_t index;
	struct resolve *lookup;
	bool warned;
	uint64_t retry_ms; /* after a failure; else UINT64_MAX */
};

struct gather {
	struct loop loop;
	struct cmdline o;
	struct port *port;
	struct resolver *resolver;
	struct event *timer;
	struct portloop portloop;
	struct event *news; /* of rtnetlink */
	struct reader reader;
	int netlink;
	uint64_t change_ms;  /* when to act on the news; UINT64_MAX: none */
	uint64_t changed_ms; /* when that was last done */
	uint64_t first_ms;   /* what there is by then is told; UINT64_MAX */
	struct name names[SERVERS_NAMES];
	struct servers servers;
	struct candset published;
	uint64_t generation;
	bool done;
};

static void turn(struct gather *g);

static void
finish(struct gather *g, int code)
{
	g->done = true;
	loop_end(&g->loop, code);
}

/* ---- the set of candidates */

static void
add(struct candset *set, enum candset_type type, const struct addr *endpoint,
    const struct addr *base, const struct addr *server)
{
	char text[ADDR_STRLEN];

	if (candset_add(set, type, endpoint, base, server) == -ENOSPC)
		log_info("too many candidates: %s is left out",
		    addr_format(endpoint, text));
}

static void
collect(struct gather *g, struct candset *set)
{
	struct addr hosts[HOSTS_MAX];
	int n = netlink_hosts(hosts, HOSTS_MAX, g->o.exclude, g->o.excludes);

	set->n = 0;
	if (n < 0) {
		errno = -n;
		log_warn("can't list this host's addresses");
	}
	for (int i = 0; i < n; i++) {
		if (!cmdline_use(&g->o, g->port, &hosts[i]))
			continue;
		hosts[i].port = port_number(g->port);
		add(set, CANDSET_HOST, &hosts[i], &hosts[i], NULL);
	}
	for (size_t i = 0; i < g->servers.n; i++) {
		const struct server *v = &g->servers.list[i];

		/* what is seen through an excluded interface is of it, too */
		if (v->known &&
		    !netlink_excluded(&v->base, g->o.exclude, g->o.excludes))
			add(set, CANDSET_SRFLX, &v->mapped, &v->base, &v->addr);
	}
}

static void
publish(struct gather *g)
{
	struct candset set;
	int err = 0;

	collect(g, &set);
	if (g->generation > 0 && candset_equal(&set, &g->published))
		return;
	if (!g->o.follow && set.n == 0) {
		log_warnx("no candidates: no server answered and this host "
			  "has no address to offer");
		finish(g, EXIT_NO);
		return;
	}
	g->published = set;
	err = generation_write(
	    &set, &g->servers, ++g->generation, STDOUT_FILENO, g->o.json);
	if (err == -EPIPE) {
		log_info("nobody reads any more");
		finish(g, EXIT_YES);
	} else if (err != 0) {
		errno = -err;
		log_warn("standard output");
		finish(g, EXIT_TEMP);
	} else if (!g->o.follow) {
		finish(g, EXIT_YES);
	}
}

/* ---- servers and their names */

static void
resolve_cb(void *arg, int error, const struct addr *list, size_t n)
{
	struct name *name = arg;
	struct gather *g = name->g;
	struct addr use[RESOLVE_MAX];
	size_t used = 0;

	name->lookup = NULL;
	for (size_t i = 0; i < n; i++)
		if (cmdline_use(&g->o, g->port, &list[i]))
			use[used++] = list[i];
	if (used == 0) {
		/* what it was before stands: name servers come and go */
		if (!name->warned)
			log_warnx("server %s skipped: %s",
			    g->o.server[name->index],
			    error != 0 ? resolve_error(error)
				       : "no address of a family that can be "
					 "used here");
		name->warned = true;
		name->retry_ms = now_ms() + g->o.keepalive_ms;
	} else {
		name->warned = false;
		if (servers_set(
			&g->servers, name->index, use, used, now_us()) &&
		    !g->servers.open)
			publish(g);
	}
	turn(g);
}

static void
look_up(struct gather *g, struct name *name)
{
	uint32_t limit_ms = g->o.follow ? LOOKUP_MS : g->o.wait_ms + 1000;

	resolve_cancel(name->lookup);
	name->lookup = NULL;
	name->retry_ms = UINT64_MAX;
	if (resolve_start(&name->lookup, g->resolver, g->o.server[name->index],
		RESOLVE_STUN_PORT, limit_ms, resolve_cb, name) != 0)
		name->retry_ms = now_ms() + g->o.keepalive_ms;
}

/* All servers anew, and their names as well. */
static void
begin_round(struct gather *g)
{
	if (g->o.follow)
		servers_round(&g->servers, now_us(), ROUND_MS, AFTER_FIRST_MS);
	else
		servers_round(&g->servers, now_us(), g->o.wait_ms, UINT32_MAX);
	for (size_t i = 0; i < g->o.servers; i++)
		look_up(g, &g->names[i]);
}

static void
warn_silent(struct server *v)
{
	char text[ADDR_STRLEN];

	addr_format(&v->addr, text);
	if (!v->warned && v->unreachable)
		log_warnx(
		    "server %s skipped: can't be reached from here", text);
	else if (!v->warned && v->binding.state == BINDING_REFUSED)
		log_warnx("server %s skipped: it answered with error %d", text,
		    v->binding.error);
	else if (!v->warned)
		log_warnx("server %s skipped: no answer", text);
	v->warned = true;
}

/* A quick round has not waited for everybody: who is still to answer gets
 * its warning with the first keepalive that it leaves without one. */
static void
end_round(struct gather *g)
{
	bool any = false;

	g->servers.open = false;
	for (size_t i = 0; i < g->servers.n; i++)
		any = any || g->servers.list[i].known;
	for (size_t i = 0; i < g->servers.n; i++) {
		struct server *v = &g->servers.list[i];
		bool waiting =
		    v->binding.state == BINDING_OPEN && !v->unreachable;

		if (!v->known && !(g->o.follow && any && waiting))
			warn_silent(v);
	}
	for (size_t i = 0; i < g->o.servers && !g->o.follow; i++)
		if (g->names[i].lookup != NULL)
			log_warnx("server %s skipped: %s", g->o.server[i],
			    resolve_error(-ETIMEDOUT));
	publish(g);
}

/* ---- events */

static void
handle(struct gather *g, enum servers_event event, struct server *v)
{
	char text[ADDR_STRLEN];

	switch (event) {
	case SERVERS_ANSWER:
		v->warned = false;
		if (!g->servers.open)
			publish(g);
		break;
	case SERVERS_REMAPPED:
		log_info("server %s sees another mapping now",
		    addr_format(&v->addr, text));
		if (!g->servers.open)
			begin_round(g);
		break;
	case SERVERS_FORGOTTEN:
		warn_silent(v);
		for (size_t i = 0; i < g->o.servers; i++)
			if ((v->names & UINT32_C(1) << i) != 0)
				look_up(g, &g->names[i]);
		if (!g->servers.open)
			publish(g);
		break;
	case SERVERS_SILENT:
	case SERVERS_REFUSED:
		if (!g->servers.open)
			warn_silent(v);
		break;
	default:
		break;
	}
}

static void
send_one(struct gather *g, const struct addr *to, const void *data, size_t len)
{
	int err = port_send(g->port, to, NULL, 0, data, len);
	char text[ADDR_STRLEN];

	if (err == 0 || err == -EAGAIN)
		return;
	log_info("can't send to %s: %s", addr_format(to, text), strerror(-err));
	servers_unreachable(&g->servers, to);
}

/* Nobody can be reached, right after a change: the route comes later than the
 * address. Candidates without a mapping would send peers to the wrong place,
 * so the round is given its time. */
static bool
coming_up(const struct gather *g)
{
	for (size_t i = 0; i < g->servers.n; i++)
		if (g->servers.list[i].binding.state != BINDING_OPEN)
			return false;
	return g->o.follow && g->generation > 0 && g->servers.n > 0;
}

/* Has anything come yet? Then the round ends soon, by itself. */
static bool
any_known(const struct gather *g)
{
	for (size_t i = 0; i < g->servers.n; i++)
		if (g->servers.list[i].known)
			return true;
	return false;
}

/* Everything that is due; then the timer for what comes next. */
static void
turn(struct gather *g)
{
	uint8_t request[BINDING_REQUEST_MAX];
	enum servers_event event = SERVERS_NOTHING;
	struct server *v = NULL;
	uint64_t next_ms = 0;
	bool looking = false;
	size_t len = 0;

	while ((event = servers_step(&g->servers, now_us(), request, &len,
		    &v)) != SERVERS_NOTHING) {
		if (event == SERVERS_SEND)
			send_one(g, &v->addr, request, len);
		else
			handle(g, event, v);
	}
	for (size_t i = 0; i < g->o.servers; i++) {
		if (now_ms() >= g->names[i].retry_ms)
			look_up(g, &g->names[i]);
		looking = looking || g->names[i].lookup != NULL;
	}
	if (g->servers.open && (now_ms() >= g->servers.close_ms ||
				   (!looking && !coming_up(g) &&
				       servers_over(&g->servers, now_us()))))
		end_round(g);
	if (now_ms() >= g->first_ms) {
		g->first_ms = UINT64_MAX;
		if (g->generation == 0 && !any_known(g))
			publish(g);
	}
	next_ms = servers_next(&g->servers);
	for (size_t i = 0; i < g->o.servers; i++)
		if (g->names[i].retry_ms < next_ms)
			next_ms = g->names[i].retry_ms;
	if (g->change_ms < next_ms)
		next_ms = g->change_ms;
	if (g->first_ms < next_ms)
		next_ms = g->first_ms;
	event_del(g->timer);
	if (next_ms != UINT64_MAX)
		loop_at(g->timer, next_ms);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct gather *g = arg;

	(void)fd;
	(void)events;
	if (now_ms() >= g->change_ms) {
		g->change_ms = UINT64_MAX;
		g->changed_ms = now_ms();
		log_debug("the network has changed");
		begin_round(g);
	}
	turn(g);
}

static bool
each_message(void *arg, struct port_msg *m)
{
	struct gather *g = arg;
	enum servers_event event = SERVERS_NOTHING;
	struct server *v = NULL;

	if (m->op == PORT_ERROR) {
		servers_unreachable(&g->servers, &m->remote);
		return true;
	}
	m->local.port = port_number(g->port);
	event = servers_reply(&g->servers, m->payload, m->len, &m->remote,
	    &m->local, now_us(), &v);
	handle(g, event, v);
	return !g->done;
}

static void
then_turn(void *arg)
{
	turn(arg);
}

static void
news_cb(evutil_socket_t fd, short events, void *arg)
{
	struct gather *g = arg;
	int r = netlink_changed(fd);

	(void)events;
	if (r < 0) {
		errno = -r;
		log_warn("news of the network have ended");
		event_del(g->news);
		return;
	}
	if (r == 0 || g->change_ms != UINT64_MAX)
		return;
	g->change_ms = now_ms() + DEBOUNCE_MS;
	if (g->change_ms < g->changed_ms + CHANGE_GAP_MS)
		g->change_ms = g->changed_ms + CHANGE_GAP_MS;
	turn(g);
}

static void
gone_cb(void *arg)
{
	finish(arg, EXIT_YES);
}

/* ---- set-up and tear-down */

static void
watch_system(struct gather *g)
{
	if ((g->netlink = netlink_open(false)) < 0) {
		errno = -g->netlink;
		fatal(EXIT_TEMP, "can't watch the network's changes");
	}
	g->news =
	    loop_event(&g->loop, g->netlink, EV_READ | EV_PERSIST, news_cb, g);
	event_add(g->news, NULL);
	reader_watch(&g->reader, &g->loop, gone_cb, g);
}

static void
set_up(struct gather *g)
{
	g->port = option_port(g->o.path, g->o.port);
	loop_init(&g->loop, false);
	g->netlink = -1;
	if (g->o.follow)
		watch_system(g);
	drop_all();
	if (resolver_new(&g->resolver, &g->loop) != 0)
		fatalx(EXIT_TEMP, "out of memory");
	g->timer = loop_event(&g->loop, -1, 0, timer_cb, g);
	portloop_start(
	    &g->portloop, &g->loop, g->port, each_message, then_turn, g);
	g->change_ms = UINT64_MAX;
	g->first_ms = g->o.follow ? now_ms() + FIRST_MS : UINT64_MAX;
	servers_init(&g->servers, g->o.follow ? g->o.keepalive_ms : 0);
	for (size_t i = 0; i < g->o.servers; i++)
		g->names[i] = (struct name){.g = g, .index = i};
	begin_round(g);
	turn(g);
}

static void
tear_down(struct gather *g)
{
	event_free(g->timer);
	portloop_stop(&g->portloop);
	if (g->news != NULL)
		event_free(g->news);
	reader_stop(&g->reader);
	if (g->netlink != -1)
		close(g->netlink);
	resolver_free(g->resolver);
	port_free(g->port);
	loop_free(&g->loop);
}

int
stun_command_gather(int argc, char *argv[])
{
	struct gather g = {0};
	int code = 0;

	cmdline_parse(&g.o, argc, argv, ":46fhjqvs:p:t:w:x:S:", usage, help);
	if (argc != optind)
		option_fail("%s: give servers with -S", argv[optind]);
	if (g.o.servers == 0)
		option_fail("give at least one server with -S");
	set_up(&g);
	code = loop_run(&g.loop);
	if (!g.done && !g.o.follow) {
		log_warnx("interrupted before all servers had answered");
		code = EXIT_TEMP;
	}
	tear_down(&g);
	return code;
}

/* SPDX-License-Identifier: ISC */
/* nat-punch: opens a path to each peer that the records on standard input
 * introduce, proves it with checks (RFC 8445), and keeps it (RFC 7675). */
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "depth.h"
#include "drop.h"
#include "exitcode.h"
#include "line.h"
#include "log.h"
#include "loop.h"
#include "option.h"
#include "peers.h"
#include "port.h"
#include "portloop.h"
#include "reader.h"
#include "record.h"

#define WAIT_ONE_S 30

static const char usage[] =
    "nat-punch [-1hjqrv] [-s path | -p port] [-w seconds]";
static const char help[] =
    "  -1        end when every peer is direct or relayed (0), or one\n"
    "            failed (1)\n"
    "  -r        relays only: try nothing direct\n"
    "  -s path   use the port that nat-port lends on this socket\n"
    "  -p port   use a UDP port of its own (any)\n"
    "  -w s      with -1: wait so long at most (30), then end with 111\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

struct punch {
	struct loop loop;
	struct peers *peers;
	struct port *port;
	struct line line;
	struct event *input; /* NULL once standard input has ended */
	struct reader reader;
	struct portloop portloop;
	struct event *timer;
	struct event *deadline;
	struct event *depth; /* answers of the hops, or NULL */
	int depth_fd;
	struct addr hop[DEPTH_HOPS];
	uint64_t asked_ms; /* when the hops were asked */
	bool one, json;
	bool done; /* the exit code is decided */
};

struct options {
	bool one, json, relay_only;
	const char *path;
	uint16_t port;
	uint32_t wait_s; /* 0: no limit */
};

/* What is to be sent and said */

static void
finish(struct punch *u, int code)
{
	u->done = true;
	loop_end(&u->loop, code);
}

static void
print(struct punch *u, const struct peer *peer, const struct report *r)
{
	struct record rec;
	int rc;

	record_begin(&rec, "path");
	record_put_key(&rec, "key", peer->key);
	record_put(&rec, "state", path_state_name(r->state));
	record_put_addr(&rec, "endpoint", &r->endpoint);
	if (r->state == PATH_DIRECT || r->state == PATH_RELAYED)
		record_put_u64(&rec, "rtt_us", r->rtt_us);
	record_put_addr(&rec, "local", &r->local);
	record_put(&rec, "method", candidate_type_name(r->method));
	record_put(&rec, "reason", r->reason);
	rc = record_write(&rec, STDOUT_FILENO, u->json);
	if (rc == 0 || u->done)
		return;
	if (rc != -EPIPE)
		log_warnx("standard output: %s", strerror(-rc));
	finish(u, EXIT_TEMP);
}

/* A full socket loses a datagram, as any network may. */
static int
send_error(int rc)
{
	switch (rc) {
	case 0:
	case -EAGAIN:
	case -ENOBUFS:
	case -EINTR:
		return PORT_E_NONE;
	case -EPERM:
	case -EACCES:
		return PORT_E_DENIED;
	default:
		return PORT_E_UNREACHABLE;
	}
}

/* This host's address has changed under a path: until both sides know and open
 * their NATs anew, the peer's NAT must not see us. */
static bool
moved(const struct peer *peer, const struct output *o)
{
	const struct checklist *x = &peer->list;
	struct addr source;

	return x->consent.active && x->phase != PHASE_FULL &&
	       o->local.family == ADDR_NONE &&
	       addr_equal(&o->remote, &x->consent.remote) &&
	       (port_source(&source, &o->remote, 0) != 0 ||
		   !addr_equal_ip(&source, &peer->source));
}

static void
flush(struct punch *u, struct peer *peer, uint64_t now)
{
	struct output o;

	while (peer_take(peer, &o)) {
		int error;

		if (o.is_report) {
			if (o.report.state == PATH_DIRECT)
				(void)port_source(
				    &peer->source, &o.report.endpoint, 0);
			print(u, peer, &o.report);
			continue;
		}
		if (o.ttl == 0 && moved(peer, &o))
			o.ttl = PORT_LOW_TTL;
		error = send_error(port_send(u->port, &o.remote,
		    o.local.family == ADDR_NONE ? NULL : &o.local, o.ttl,
		    o.data, o.len));
		if (error != PORT_E_NONE)
			peer_port_error(peer, &o.remote, error, now);
	}
}

static void
pump(struct punch *u, struct peer *peer)
{
	uint64_t now = now_us();

	flush(u, peer, now);
	peer->next_us = peer_step(peer, now);
	flush(u, peer, now);
}

/* Ends */

static void
say_missing(const struct punch *u)
{
	for (size_t i = 0; i < u->peers->n; i++) {
		const struct peer *peer = &u->peers->peer[i];
		enum path_state state = peer_state(peer, now_us());
		char key[KEY_STRLEN];

		if (!peer->asked || state == PATH_DIRECT ||
		    state == PATH_RELAYED || state == PATH_FAILED)
			continue;
		log_warnx("peer %s: %s", key_format(peer->key, key),
		    peer_missing(peer));
	}
}

static void
conclude(struct punch *u, enum verdict v)
{
	switch (v) {
	case VERDICT_YES:
		finish(u, EXIT_YES);
		break;
	case VERDICT_NO:
		say_missing(u);
		finish(u, EXIT_NO);
		break;
	case VERDICT_LATE:
		say_missing(u);
		finish(u, EXIT_TEMP);
		break;
	case VERDICT_NOBODY:
		log_warnx("no peer record came on standard input: is "
			  "nat-rendezvous agent running, with a peer's key?");
		finish(u, EXIT_TEMP);
		break;
	case VERDICT_OPEN:
		break;
	}
}

/* After every event: the next wake-up, or the end. */
static void
settle(struct punch *u)
{
	uint64_t next = UINT64_MAX, now = now_us();
	bool ended = u->input == NULL;
	enum verdict v;

	if (u->done)
		return;
	v = peers_verdict(u->peers, ended, now);
	if (ended || (u->one && v != VERDICT_NOBODY))
		conclude(u, v);
	for (size_t i = 0; i < u->peers->n; i++)
		if (u->peers->peer[i].next_us < next)
			next = u->peers->peer[i].next_us;
	if (next != UINT64_MAX)
		loop_at(u->timer, (next + 999) / 1000);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct punch *u = arg;
	uint64_t now = now_us();

	(void)fd;
	(void)events;
	for (size_t i = 0; i < u->peers->n; i++)
		if (u->peers->peer[i].next_us <= now)
			pump(u, &u->peers->peer[i]);
	settle(u);
}

static void
deadline_cb(evutil_socket_t fd, short events, void *arg)
{
	struct punch *u = arg;

	(void)fd;
	(void)events;
	conclude(u, peers_verdict_late(u->peers, now_us()));
}

/* How many NATs are ours */

#define DEPTH_AGAIN_MS 5000

static void
set_depth(struct punch *u, unsigned depth)
{
	for (size_t i = 0; i < u->peers->n; i++)
		u->peers->peer[i].list.depth = depth;
}

/* On every introduction and go: the network may be another one by then. */
static void
look(struct punch *u, const struct peer *peer)
{
	const struct checklist *x = &peer->list;
	uint64_t now = now_ms();

	if (u->depth == NULL)
		return;
	if (u->asked_ms != 0 && now - u->asked_ms < DEPTH_AGAIN_MS) {
		set_depth(u, depth_of(u->hop)); /* the peer may be new */
		return;
	}
	for (size_t i = 0; i < x->n_remotes; i++) {
		if (!addr_is_public4(&x->remotes[i].addr))
			continue;
		memset(u->hop, 0, sizeof(u->hop));
		set_depth(u, 0);
		depth_ask(u->depth_fd, &x->remotes[i].addr);
		u->asked_ms = now;
		return;
	}
}

static void
depth_cb(evutil_socket_t fd, short events, void *arg)
{
	struct punch *u = arg;
	struct addr hop;
	int i;

	(void)events;
	i = depth_read(fd, &hop);
	if (i < 0)
		return;
	u->hop[i] = hop;
	set_depth(u, depth_of(u->hop));
	log_debug("hop %d answers; NATs before us: %u (0: unknown)", i + 1,
	    depth_of(u->hop));
}

/* What comes in */

static void
line_cb(void *arg, const char *line, size_t len)
{
	struct punch *u = arg;
	struct peer *peer;
	const char *wrong;

	if (len == 0)
		return;
	if (peers_line(u->peers, line, len, now_us(), &peer, &wrong) != 0)
		log_warnx("standard input: record skipped: %s", wrong);
	if (peer == NULL)
		return;
	look(u, peer);
	pump(u, peer);
}

static void
input_cb(evutil_socket_t fd, short events, void *arg)
{
	struct punch *u = arg;
	uint64_t too_long = u->line.too_long;
	int rc;

	(void)events;
	rc = line_read(&u->line, fd, line_cb, u);
	if (u->line.too_long != too_long)
		log_warnx("standard input: record skipped: too long");
	if (rc < 0)
		log_warnx("standard input: %s", strerror(-rc));
	if (rc <= 0) {
		event_free(u->input);
		u->input = NULL;
	}
	settle(u);
}

static void
gone_cb(void *arg)
{
	finish(arg, EXIT_TEMP);
}

static void
receive(struct punch *u, const struct port_msg *m)
{
	struct peer *peer;
	uint64_t now = now_us();

	if (m->op == PORT_ERROR) {
		log_debug("a send failed: %s", port_error_name(m->error));
		peers_port_error(u->peers, &m->remote, m->error, now);
		return;
	}
	if (m->op != PORT_DATAGRAM)
		return;
	peer = peers_receive(
	    u->peers, m->payload, m->len, &m->remote, &m->local, now);
	if (peer != NULL)
		pump(u, peer);
}

static bool
each_message(void *arg, struct port_msg *m)
{
	struct punch *u = arg;

	receive(u, m);
	return !u->done;
}

static void
then_settle(void *arg)
{
	settle(arg);
}

/* Set-up */

static void
option(struct options *o, int letter, const char *arg)
{
	switch (letter) {
	case '1':
		o->one = true;
		break;
	case 'j':
		o->json = true;
		break;
	case 'p':
		o->port = (uint16_t)option_number("-p", arg, 1, 65535);
		break;
	case 'r':
		o->relay_only = true;
		break;
	case 's':
		o->path = arg;
		break;
	case 'w':
		o->wait_s = option_number("-w", arg, 1, 1000000);
		break;
	}
}

static void
parse(struct options *o, int argc, char *argv[])
{
	int letter;

	option_begin(usage, help);
	while ((letter = option_next(argc, argv, ":1hjp:qrs:vw:")) != -1)
		option(o, letter, optarg);
	if (optind < argc)
		option_fail(
		    "%s: records come on standard input, not as operands",
		    argv[optind]);
	if (o->path != NULL && o->port != 0)
		option_fail(
		    "give either -s (a port socket) or -p (an own port)");
	if (o->one && o->wait_s == 0)
		o->wait_s = WAIT_ONE_S;
}

static void
open_port(struct punch *u, const struct options *o)
{
	u->port = option_port(o->path, o->port);
	portloop_start(
	    &u->portloop, &u->loop, u->port, each_message, then_settle, u);
}

static void
open_pipes(struct punch *u)
{
	u->input = loop_event(
	    &u->loop, STDIN_FILENO, EV_READ | EV_PERSIST, input_cb, u);
	if (event_add(u->input, NULL) == -1)
		fatalx(EXIT_USAGE, "standard input can't be read");
	reader_watch(&u->reader, &u->loop, gone_cb, u);
}

/* Without it, the search goes on as if the hops were silent. */
static void
open_depth(struct punch *u)
{
	u->depth_fd = depth_open();
	if (u->depth_fd < 0)
		return;
	u->depth = loop_event(
	    &u->loop, u->depth_fd, EV_READ | EV_PERSIST, depth_cb, u);
	event_add(u->depth, NULL);
}

static void
set_up(struct punch *u, const struct options *o)
{
	loop_init(&u->loop, true);
	u->one = o->one;
	u->json = o->json;
	line_init(&u->line);
	u->peers = peers_new(!o->one);
	if (u->peers == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	u->peers->relay_only = o->relay_only;
	open_port(u, o);
	open_pipes(u);
	open_depth(u);
	u->timer = loop_event(&u->loop, -1, 0, timer_cb, u);
	u->deadline = loop_event(&u->loop, -1, 0, deadline_cb, u);
	if (o->wait_s != 0)
		loop_at(u->deadline, now_ms() + o->wait_s * 1000ull);
}

static void
tear_down(struct punch *u)
{
	struct event *all[] = {u->input, u->timer, u->deadline, u->depth};

	portloop_stop(&u->portloop);
	reader_stop(&u->reader);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] != NULL)
			event_free(all[i]);
	log_info("%llu packets were not our peers', %llu forged",
	    (unsigned long long)u->peers->foreign,
	    (unsigned long long)u->peers->forged);
	if (u->depth_fd >= 0)
		close(u->depth_fd);
	port_free(u->port);
	peers_free(u->peers);
	loop_free(&u->loop);
}

int
main(int argc, char *argv[])
{
	struct options o = {.path = NULL};
	struct punch u = {.port = NULL};
	int code;

	log_init("nat-punch", 0);
	parse(&o, argc, argv);
	if (sodium_init() == -1)
		fatalx(EXIT_INTERNAL, "libsodium doesn't start");
	set_up(&u, &o);
	drop_all();
	code = loop_run(&u.loop);
	/* A signal ends a run without an answer. */
	if (!u.done && o.one)
		code = EXIT_TEMP;
	tear_down(&u);
	return code;
}

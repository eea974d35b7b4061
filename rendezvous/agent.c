/* SPDX-License-Identifier: ISC */
/* nat-rendezvous agent: candidates on standard input, sessions with every
 * server, introductions to every peer, records on standard output. */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "advice.h"
#include "client.h"
#include "drop.h"
#include "exitcode.h"
#include "feed.h"
#include "introduction.h"
#include "line.h"
#include "log.h"
#include "loop.h"
#include "option.h"
#include "options.h"
#include "ours.h"
#include "portloop.h"
#include "reach.h"
#include "reader.h"
#include "report.h"
#include "verb.h"

#define UNMET_S 10 /* with a session: time to say who is not there */

_Static_assert(OPTIONS_SERVERS <= INTRODUCTION_SERVERS, "each has a place");

struct agent;

struct agent_server {
	struct agent *agent;
	int index;
	struct client *client;
	struct reach reach;
	const char *without; /* why it does not have us; NULL: not known */
};

struct agent {
	struct options o;
	struct options_key key;
	struct loop loop;
	struct port *port;
	struct portloop portloop;
	struct event *input, *timer, *unmet;
	struct reader reader;
	struct resolver *resolver;
	struct report report;
	struct agent_server server[OPTIONS_SERVERS];
	struct introduction *peer; /* sodium_malloc'ed */
	struct relaybook *book;	   /* of each peer, so too */
	int n_peers;
	bool met[REQUEST_PEERS];
	bool advised;	   /* a warning named those that were not met */
	const char *waits; /* why peers are waited for, as last said */
	struct line line;
	struct feed feed;
	struct ours ours; /* what is offered */
	uint64_t line_number;
	uint32_t generation; /* ours */
	bool running, ending;
};

static const char usage[] =
    "nat-rendezvous agent [-46hjqrv] -k keyfile -S KEY@host:port [-S ...]\n"
    "       [-s path | -p port] [-t keepalive] peer...";
static const char help[] =
    "  -k file   our private key, as wg genkey makes it\n"
    "  -S server KEY@host:port; may be repeated, all are used at once\n"
    "  -4 -6     use this family only to reach servers\n"
    "  -s path   use the port that nat-port lends on this socket\n"
    "  -p port   use a UDP port of its own (any)\n"
    "  -r        relays only: nothing is sent to a peer itself\n"
    "  -t s      keepalive, when shorter than the server's\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

static void
end(struct agent *a, int code)
{
	if (a->ending)
		return;
	a->ending = true;
	loop_end(&a->loop, code);
}

/* err is what printing a record returned. */
static void
printed(struct agent *a, int err)
{
	if (err == 0 || a->ending)
		return;
	if (err == -EPIPE)
		log_info("nobody reads standard output any more");
	else
		log_fatalx("standard output: %s", strerror(-err));
	end(a, EXIT_TEMP);
}

static void
send_message(struct agent_server *s, const struct addr *to, const uint8_t *data,
    size_t len)
{
	struct agent *a = s->agent;
	char text[ADDR_STRLEN];
	int err = reach_send(&s->reach, to, data, len);

	if (err == -EPIPE || err == -ECONNRESET || err == -ENOTCONN) {
		log_fatalx("the port socket is gone: has nat-port ended?");
		end(a, EXIT_TEMP);
	} else if (err != 0)
		log_debug("to %s: %s", addr_format(to, text), strerror(-err));
}

/* What clients and introductions say */

static void
client_news(struct agent *a, int server, const struct news *n)
{
	struct introduction *i = &a->peer[n->peer];
	char key[KEY_STRLEN];
	int err;

	switch (n->what) {
	case NEWS_PEER:
		introduction_peer(i, server, n->tag);
		break;
	case NEWS_FROM:
		err = introduction_payload(i, server, n->data, n->len);
		if (err != 0)
			log_debug("an offer of %s is not taken: %s",
			    key_format(i->key, key), strerror(-err));
		break;
	case NEWS_GO:
		introduction_go(i, n->mine, n->theirs, n->age_ms, n->skew_ms);
		break;
	case NEWS_GONE:
		introduction_gone(i, server);
		break;
	case NEWS_TOKEN:
		printed(a, report_relays(&a->report, &a->book[n->peer], server,
			       &n->token, now_ms()));
		break;
	case NEWS_FULL:
		log_warnx("%s has no room for peer %s; trying again",
		    a->o.server[server].name, key_format(i->key, key));
		break;
	default:
		break;
	}
}

static bool
connected(const struct agent *a)
{
	for (size_t s = 0; s < a->o.n_servers; s++)
		if (a->server[s].client->up)
			return true;
	return false;
}

/* Why no server has us: what somebody can do most about. */
static const char *
without(const struct agent *a)
{
	static const char *const reasons[] = {
	    "refused", "full", "wrong-key", "no-server"};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		for (size_t s = 0; s < a->o.n_servers; s++)
			if (a->server[s].without != NULL &&
			    strcmp(a->server[s].without, reasons[i]) == 0)
				return reasons[i];
	return NULL;
}

static const char *
without_by(const struct client_event *ev)
{
	if (ev->what == CLIENT_UP)
		return NULL;
	if (strcmp(ev->reason, "full") == 0)
		return "full";
	if (ev->what == CLIENT_REFUSED)
		return "refused";
	return strcmp(ev->reason, "wrong-key") == 0 ? "wrong-key" : "no-server";
}

/* Says why those are waited for that have never been met, when it changes. */
static void
say_waiting(struct agent *a)
{
	const char *reason = NULL;

	if (!connected(a))
		reason = without(a);
	else if (a->generation > 0 &&
		 !event_pending(a->unmet, EV_TIMEOUT, NULL))
		reason = "absent";
	if (reason == a->waits)
		return;
	a->waits = reason;
	for (int p = 0; p < a->n_peers; p++)
		if (!a->met[p])
			printed(a,
			    report_waiting(&a->report, a->peer[p].key, reason));
}

/* Advice is given once: most are just not there, and come. */
static void
unmet_cb(evutil_socket_t fd, short events, void *arg)
{
	struct agent *a = arg;

	(void)fd;
	(void)events;
	say_waiting(a);
	if (a->advised || !connected(a))
		return;
	a->advised = true;
	for (int p = 0; p < a->n_peers; p++)
		if (!a->met[p])
			advice_unmet(a->peer[p].key, a->key.pub);
}

/* A session came up, or peers are wanted now: they have some time, once. */
static void
await_peers(struct agent *a)
{
	const struct timeval tv = {.tv_sec = UNMET_S};

	if (a->generation > 0 && connected(a) &&
	    (a->waits == NULL || strcmp(a->waits, "absent") != 0) &&
	    !event_pending(a->unmet, EV_TIMEOUT, NULL))
		event_add(a->unmet, &tv);
}

static void
compose(struct agent *a, struct ours *o)
{
	ours_init(o, &a->feed);
	for (size_t s = 0; a->o.path != NULL && s < a->o.n_servers; s++)
		if (a->server[s].client->up)
			ours_complete(o, &a->server[s].client->mapped);
}

static void
new_generation(struct agent *a, const struct ours *o)
{
	a->ours = *o;
	a->generation++;
	log_info("generation %u: %zu candidates", a->generation, o->n);
	for (int p = 0; p < a->n_peers; p++)
		introduction_candidates(
		    &a->peer[p], a->generation, o->list, o->n);
}

static void
session_changed(
    struct agent *a, struct agent_server *s, const struct client_event *ev)
{
	const struct options_server *o = &a->o.server[s->index];
	struct ours ours;

	for (int i = 0; i < a->n_peers; i++)
		introduction_session(
		    &a->peer[i], s->index, ev->what == CLIENT_UP);
	advice_session(o, ev);
	s->without = without_by(ev);
	compose(a, &ours);
	if (a->generation > 0 && ours.completed && !ours_same(&a->ours, &ours))
		new_generation(a, &ours);
	await_peers(a);
	printed(a, report_session(&a->report, o->key, ev));
	say_waiting(a);
}

/* Returns whether there was anything. */
static bool
run_client(struct agent *a, struct agent_server *s, uint64_t *next_ms)
{
	struct client_event ev;
	struct moment now;
	bool any = false;

	while (!a->ending) {
		now = moment();
		client_step(s->client, &now, &ev);
		if (ev.what == CLIENT_WAIT) {
			if (ev.at_ms < *next_ms)
				*next_ms = ev.at_ms;
			break;
		}
		any = true;
		if (ev.what == CLIENT_SEND)
			send_message(s, &ev.to, ev.data, ev.len);
		else if (ev.what == CLIENT_CONNECT)
			reach_connect(&s->reach);
		else if (ev.what == CLIENT_RESOLVE)
			reach_look_up(&s->reach);
		else if (ev.what == CLIENT_NEWS)
			client_news(a, s->index, &ev.news);
		else
			session_changed(a, s, &ev);
	}
	return any;
}

static void
relay(struct agent *a, int peer, const struct introduction_event *ev)
{
	struct agent_server *s = &a->server[ev->server];
	uint8_t out[STUN_MAX];
	int len = client_relay(
	    s->client, peer, ev->payload, ev->len, out, sizeof(out));

	if (len > 0)
		send_message(s, client_endpoint(s->client), out, (size_t)len);
}

/* Our NAT is open before READY leaves by the same port, whenever it is that
 * nat-punch gets to run: READY is our word for that, and the peer's checks
 * come 100 ms after its GO. */
static void
open_nat(struct agent *a, const struct offer *theirs)
{
	uint8_t msg[STUN_MAX];
	int len = stun_binding_indication(msg, sizeof(msg));

	for (size_t k = 0; k < theirs->n && len > 0; k++)
		if (theirs->candidate[k].type != OFFER_RELAY)
			(void)port_send(a->port, &theirs->candidate[k].addr,
			    NULL, PORT_LOW_TTL, msg, (size_t)len);
}

static bool
run_peer(struct agent *a, int peer, uint64_t *next_ms)
{
	struct introduction *i = &a->peer[peer];
	struct introduction_event ev;
	struct moment now;
	bool any = false;

	while (!a->ending) {
		now = moment();
		introduction_step(i, &now, &ev);
		if (ev.what == INTRODUCTION_WAIT) {
			if (ev.at_ms < *next_ms)
				*next_ms = ev.at_ms;
			break;
		}
		any = true;
		if (ev.what == INTRODUCTION_SEND)
			relay(a, peer, &ev);
		else if (ev.what == INTRODUCTION_READY)
			client_ready(a->server[ev.server].client, peer, ev.mine,
			    ev.theirs);
		else if (ev.what == INTRODUCTION_DONE) {
			a->met[peer] = true;
			if (!a->o.relay_only)
				open_nat(a, &i->theirs);
			printed(a, report_introduced(&a->report, i));
		} else if (ev.what == INTRODUCTION_GO)
			printed(a, report_go(&a->report, i, &ev));
		else
			printed(a, report_gone(&a->report, i->key));
	}
	return any;
}

/* One gives the other work: until all of them wait. */
static void
run(struct agent *a)
{
	uint64_t next_ms;
	bool any;

	if (a->running) /* a step of it has called back */
		return;
	a->running = true;
	do {
		any = false;
		next_ms = UINT64_MAX;
		for (size_t s = 0; s < a->o.n_servers; s++)
			any |= run_client(a, &a->server[s], &next_ms);
		for (int p = 0; p < a->n_peers; p++)
			any |= run_peer(a, p, &next_ms);
	} while (any && !a->ending);
	a->running = false;
	for (size_t s = 0; s < a->o.n_servers; s++)
		reach_tidy(&a->server[s].reach);
	event_del(a->timer);
	if (next_ms != UINT64_MAX && !a->ending)
		loop_at(a->timer, next_ms);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	run(arg);
}

/* Standard input */

static void
candidates_changed(struct agent *a)
{
	struct moment now = moment();
	bool first = a->generation == 0;
	struct ours ours;

	compose(a, &ours);
	if (ours_same(&a->ours, &ours))
		return;
	new_generation(a, &ours);
	if (first)
		await_peers(a);
	for (size_t s = 0; s < a->o.n_servers; s++) {
		struct client *c = a->server[s].client;

		for (int p = 0; first && p < a->n_peers; p++)
			client_want(c, p, a->peer[p].key, a->peer[p].tag);
		if (first)
			continue;
		client_roam(c, &now); /* candidates change with the network */
		reach_look_up(&a->server[s].reach);
	}
}

static void
fed(struct agent *a, enum feed_result result)
{
	if (a->feed.why != NULL && a->line_number == 0)
		log_warnx("standard input: %s", a->feed.why);
	else if (a->feed.why != NULL)
		log_warnx("standard input, line %llu: %s",
		    (unsigned long long)a->line_number, a->feed.why);
	if (result == FEED_GENERATION)
		candidates_changed(a);
}

static void
line_cb(void *arg, const char *line, size_t len)
{
	struct agent *a = arg;

	a->line_number++;
	fed(a, feed_line(&a->feed, line, len));
}

static void
input_cb(evutil_socket_t fd, short events, void *arg)
{
	struct agent *a = arg;
	uint64_t too_long = a->line.too_long;
	int more = line_read(&a->line, fd, line_cb, a);

	(void)events;
	if (a->line.too_long != too_long) {
		a->line_number += a->line.too_long - too_long;
		log_warnx("standard input, near line %llu: a line is too long",
		    (unsigned long long)a->line_number);
	}
	if (more < 0) {
		errno = -more;
		log_warn("standard input");
	}
	if (more <= 0) { /* what it told stays true until we end */
		event_del(a->input);
		fed(a, feed_end(&a->feed));
	}
	run(a);
}

static void
gone_cb(void *arg)
{
	printed(arg, -EPIPE);
}

/* The port */

static bool
each_message(void *arg, struct port_msg *m)
{
	struct agent *a = arg;
	struct moment now = moment();

	if (m->op != PORT_DATAGRAM)
		return true;
	for (size_t n = 0; n < a->o.n_servers; n++)
		if (client_input(a->server[n].client, &m->remote, m->payload,
			m->len, &now)) {
			run(a);
			break;
		}
	return !a->ending;
}

/* Set-up and tear-down */

static void
add_peer(struct agent *a, const char *text)
{
	uint8_t key[KEY_LEN];

	options_peer(text, a->key.pub, key);
	for (int p = 0; p < a->n_peers; p++)
		if (key_equal(key, a->peer[p].key))
			option_fail("peer %s: given twice", text);
	if (introduction_init(
		&a->peer[a->n_peers], a->key.secret, a->key.pub, key) != 0)
		option_fail("peer %s: unusable key", text);
	relaybook_init(&a->book[a->n_peers], a->key.pub, key);
	a->n_peers++;
}

static void
read_command_line(struct agent *a, int argc, char *argv[])
{
	options_read(&a->o, argc, argv, ":46hjk:p:qrs:S:t:v", usage, help);
	options_agent(&a->o, argc - optind, REQUEST_PEERS);
	options_load_key(&a->o, &a->key);
	a->peer = sodium_allocarray(REQUEST_PEERS, sizeof(*a->peer));
	a->book = sodium_allocarray(REQUEST_PEERS, sizeof(*a->book));
	if (a->peer == NULL || a->book == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	for (int i = optind; i < argc; i++)
		add_peer(a, argv[i]);
}

static void
changed_cb(void *arg)
{
	run(arg);
}

static void
start_servers(struct agent *a)
{
	struct moment now = moment();

	for (size_t i = 0; i < a->o.n_servers; i++) {
		struct agent_server *s = &a->server[i];

		s->agent = a;
		s->index = (int)i;
		s->client = sodium_malloc(sizeof(*s->client));
		if (s->client == NULL)
			fatalx(EXIT_TEMP, "out of memory");
		client_init(s->client, a->key.secret, a->key.pub,
		    a->o.server[i].key, a->o.keepalive_s, &now);
		s->reach = (struct reach){.options = &a->o,
		    .name = a->o.server[i].name,
		    .port = a->port,
		    .resolver = a->resolver,
		    .client = s->client,
		    .changed = changed_cb,
		    .arg = a};
		reach_start(&s->reach, &a->loop);
	}
}

static void
start_events(struct agent *a)
{
	portloop_start(&a->portloop, &a->loop, a->port, each_message, NULL, a);
	a->timer = loop_event(&a->loop, -1, 0, timer_cb, a);
	a->unmet = loop_event(&a->loop, -1, 0, unmet_cb, a);
	a->input = loop_event(
	    &a->loop, STDIN_FILENO, EV_READ | EV_PERSIST, input_cb, a);
	event_add(a->input, NULL);
	reader_watch(&a->reader, &a->loop, gone_cb, a);
}

static void
say_bye(struct agent *a)
{
	uint8_t out[STUN_MAX];

	for (size_t i = 0; i < a->o.n_servers; i++) {
		struct client *c = a->server[i].client;
		int len = client_bye(c, out, sizeof(out));

		if (len > 0)
			reach_send(&a->server[i].reach, client_endpoint(c), out,
			    (size_t)len);
	}
}

static void
stop(struct agent *a)
{
	portloop_stop(&a->portloop);
	event_free(a->timer);
	event_free(a->unmet);
	event_free(a->input);
	reader_stop(&a->reader);
	for (size_t i = 0; i < a->o.n_servers; i++) {
		reach_stop(&a->server[i].reach);
		sodium_free(a->server[i].client);
	}
	resolver_free(a->resolver);
	port_free(a->port);
	sodium_free(a->peer);
	sodium_free(a->book);
	sodium_free(a->key.secret);
	loop_free(&a->loop);
}

int
verb_agent(int argc, char *argv[])
{
	static struct agent agent;
	struct agent *a = &agent;
	int code;

	read_command_line(a, argc, argv);
	a->port = option_port(a->o.path, a->o.port);
	drop_all();
	a->report = (struct report){.fd = STDOUT_FILENO, .json = a->o.json};
	line_init(&a->line);
	feed_init(&a->feed);
	loop_init(&a->loop, true);
	if (resolver_new(&a->resolver, &a->loop) != 0)
		fatalx(EXIT_TEMP, "can't look names up");
	start_servers(a);
	start_events(a);
	for (int p = 0; p < a->n_peers && !a->ending; p++)
		printed(a, report_waiting(&a->report, a->peer[p].key, NULL));
	run(a);
	code = a->ending ? a->loop.code : loop_run(&a->loop);
	say_bye(a);
	stop(a);
	return code;
}

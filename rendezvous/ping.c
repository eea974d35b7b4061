/* SPDX-License-Identifier: ISC */
/* nat-rendezvous ping: is this server alive, is it the key that I pinned, how
 * far is it? A HELLO proves the key; no session message follows, so nothing
 * is registered. A plain Binding request (RFC 8489) tells a server with
 * another key from no server at all. */
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "dial.h"
#include "drop.h"
#include "exitcode.h"
#include "fallback.h"
#include "log.h"
#include "loop.h"
#include "option.h"
#include "options.h"
#include "portloop.h"
#include "report.h"
#include "resolve.h"
#include "verb.h"

#define WAIT_MS 5000

struct ping {
	struct options o;
	struct options_key key;
	struct loop loop;
	struct port *port;
	struct portloop portloop;
	struct event *timer;
	struct resolver *resolver;
	struct resolve *query;
	struct report report;
	struct dial *dial; /* sodium_malloc'ed */
	struct fallback fallback;
	struct transaction binding[DIAL_ADDRS];
	uint8_t tcp_tid[STUN_TID_LEN]; /* of the same over connections */
	bool resolved, alive;
	uint64_t end_ms;
	bool ending;
};

static const char usage[] =
    "nat-rendezvous ping [-46hjqv] [-k keyfile] [-s path | -p port]\n"
    "       [-w seconds] -S KEY@host:port";
static const char help[] =
    "  -S server KEY@host:port\n"
    "  -k file   our private key (a new one)\n"
    "  -4 -6     use this family only\n"
    "  -s path   use the port that nat-port lends on this socket\n"
    "  -p port   use a UDP port of its own (any)\n"
    "  -w s      wait so long at most (5)\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

static void
end(struct ping *p, int code)
{
	if (!p->ending)
		loop_end(&p->loop, code);
	p->ending = true;
}

static void
give_up(struct ping *p)
{
	const char *name = p->o.server[0].name;

	if (!p->resolved)
		log_fatalx("%s: the name can't be looked up", name);
	else if (p->alive)
		log_fatalx("%s: a STUN server answers there, but not with the "
			   "key given",
		    name);
	else
		log_fatalx("%s: no answer", name);
	end(p, p->alive ? EXIT_NO : EXIT_TEMP);
}

static void
send_message(
    struct ping *p, const struct addr *to, const uint8_t *data, int len)
{
	if (len <= 0)
		return;
	if (to->tcp)
		fallback_send(&p->fallback, to, data, (size_t)len);
	else
		port_send(p->port, to, NULL, 0, data, (size_t)len);
}

static void
send_binding(
    struct ping *p, const struct addr *to, const uint8_t tid[STUN_TID_LEN])
{
	uint8_t out[STUN_HEADER_LEN + 8];
	struct stun_buf b;

	stun_begin(&b, out, sizeof(out), STUN_BINDING, STUN_REQUEST, tid);
	send_message(p, to, out, stun_end(&b, true));
}

static void
run(struct ping *p)
{
	struct moment now = moment();
	uint64_t next_ms;
	const struct hello *h;
	enum dial_what what;

	while ((what = dial_step(p->dial, &now, &h)) != DIAL_WAIT) {
		if (what == DIAL_SEND)
			send_message(p, &h->to, h->msg, (int)h->len);
		if (what == DIAL_CONNECT)
			fallback_connect(
			    &p->fallback, p->dial->addrs, p->dial->n);
	}
	if (!dial_wants_tcp(p->dial)) /* between two attempts */
		fallback_keep(&p->fallback, NULL, NULL);
	next_ms = dial_next_ms(p->dial);
	for (size_t i = 0; i < p->dial->n; i++) {
		if (transaction_step(&p->binding[i], now.ms) ==
		    TRANSACTION_SEND)
			send_binding(p, &p->dial->addrs[i], p->binding[i].tid);
		if (p->binding[i].next_ms < next_ms &&
		    p->binding[i].next_ms > now.ms)
			next_ms = p->binding[i].next_ms;
	}
	if (now.ms >= p->end_ms && !p->ending)
		give_up(p);
	loop_at(p->timer, next_ms < p->end_ms ? next_ms : p->end_ms);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	run(arg);
}

static void
proven(struct ping *p, const struct addr *from,
    const struct wire_welcome *welcome, uint64_t rtt_us)
{
	int err = report_server(
	    &p->report, p->o.server[0].key, from, rtt_us, &welcome->mapped);

	if (err != 0)
		log_fatalx("standard output: %s", strerror(-err));
	if (welcome->status == WIRE_FORBIDDEN && p->o.key_path != NULL)
		log_info("the server does not allow this key");
	if (welcome->status == WIRE_FULL)
		log_info("the server is full");
	end(p, err == 0 ? EXIT_YES : EXIT_TEMP);
}

/* Does it answer one of our Binding requests? */
static bool
is_answer(
    const struct ping *p, const struct addr *from, const struct stun_msg *m)
{
	if (m->method != STUN_BINDING || m->class != STUN_SUCCESS)
		return false;
	if (from->tcp)
		return memcmp(m->tid, p->tcp_tid, STUN_TID_LEN) == 0;
	for (size_t i = 0; i < p->dial->n; i++)
		if (addr_equal(from, &p->dial->addrs[i]) &&
		    memcmp(m->tid, p->binding[i].tid, STUN_TID_LEN) == 0)
			return true;
	return false;
}

static void
input(struct ping *p, const struct addr *from, const uint8_t *data, size_t len)
{
	struct moment now = moment();
	struct wire_welcome welcome;
	struct session session;
	struct stun_msg msg;
	uint64_t rtt_us;

	if (stun_parse(&msg, data, len) != 0)
		return;
	if (dial_input(
		p->dial, from, &msg, &now, &welcome, &session, &rtt_us) == 1) {
		sodium_memzero(&session, sizeof(session));
		proven(p, from, &welcome, rtt_us);
		return;
	}
	p->alive |= is_answer(p, from, &msg);
}

static void
message_cb(void *arg, const struct addr *from, const uint8_t *data, size_t len)
{
	struct ping *p = arg;

	if (p->ending)
		return;
	input(p, from, data, len);
	run(p);
}

static void
connected_cb(void *arg, const struct addr *at)
{
	struct moment now = moment();
	struct ping *p = arg;

	if (p->ending || !dial_connected(p->dial, at, &now))
		return;
	send_binding(p, at, p->tcp_tid);
	run(p);
}

/* The attempt has other ways, and an end. */
static void
cut_cb(void *arg, const struct addr *at)
{
	(void)arg;
	(void)at;
}

static bool
each_message(void *arg, struct port_msg *m)
{
	struct ping *p = arg;

	if (m->op == PORT_DATAGRAM)
		input(p, &m->remote, m->payload, m->len);
	return !p->ending;
}

static void
then_run(void *arg)
{
	run(arg);
}

static void
resolve_cb(void *arg, int error, const struct addr *list, size_t n)
{
	struct addr usable[RESOLVE_MAX];
	struct moment now = moment();
	struct ping *p = arg;
	size_t kept = 0;

	p->query = NULL;
	for (size_t i = 0; i < n && kept < RESOLVE_MAX; i++)
		if (options_usable(&p->o, p->port, &list[i]))
			usable[kept++] = list[i];
	if (kept == 0) {
		log_fatalx("%s: %s", p->o.server[0].name,
		    error != 0 ? resolve_error(error)
			       : "no address of a family that works here");
		end(p, EXIT_TEMP);
		return;
	}
	p->resolved = true;
	dial_addresses(p->dial, usable, kept, &now);
	for (size_t i = 0; i < p->dial->n; i++)
		transaction_start(&p->binding[i], now.ms, TRANSACTION_RTO_MS);
	run(p);
}

/* Without -k, a key that is thrown away. */
static void
get_key(struct ping *p)
{
	if (p->o.key_path != NULL) {
		options_load_key(&p->o, &p->key);
		return;
	}
	p->key.secret = sodium_malloc(KEY_LEN);
	if (p->key.secret == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	randombytes_buf(p->key.secret, KEY_LEN);
	crypto_scalarmult_base(p->key.pub, p->key.secret);
}

static void
start(struct ping *p)
{
	struct moment now = moment();

	loop_init(&p->loop, false);
	p->dial = sodium_malloc(sizeof(*p->dial));
	if (p->dial == NULL || resolver_new(&p->resolver, &p->loop) != 0)
		fatalx(EXIT_TEMP, "out of memory");
	dial_init(p->dial, p->key.secret, p->key.pub, p->o.server[0].key, 0);
	dial_at(p->dial, now.ms);
	stun_new_tid(p->tcp_tid);
	p->fallback = (struct fallback){.loop = &p->loop,
	    .message = message_cb,
	    .ready = connected_cb,
	    .cut = cut_cb,
	    .arg = p};
	portloop_start(
	    &p->portloop, &p->loop, p->port, each_message, then_run, p);
	p->timer = loop_event(&p->loop, -1, 0, timer_cb, p);
	p->end_ms = now.ms + (p->o.wait_ms != 0 ? p->o.wait_ms : WAIT_MS);
	if (resolve_start(&p->query, p->resolver, p->o.server[0].name,
		RESOLVE_STUN_PORT, WAIT_MS, resolve_cb, p) != 0)
		fatalx(
		    EXIT_USAGE, "%s: no name to look up", p->o.server[0].name);
	run(p);
}

static void
stop(struct ping *p)
{
	portloop_stop(&p->portloop);
	event_free(p->timer);
	resolve_cancel(p->query);
	resolver_free(p->resolver);
	fallback_keep(&p->fallback, NULL, NULL);
	sodium_free(p->dial);
	sodium_free(p->key.secret);
	port_free(p->port);
	loop_free(&p->loop);
}

int
verb_ping(int argc, char *argv[])
{
	static struct ping ping;
	struct ping *p = &ping;
	int code;

	options_read(&p->o, argc, argv, ":46hjk:p:qs:S:vw:", usage, help);
	if (p->o.n_servers != 1)
		option_fail("give one server with -S KEY@host:port");
	if (optind != argc)
		option_fail("%s: takes no operands", argv[optind]);
	get_key(p);
	p->port = option_port(p->o.path, p->o.port);
	drop_all();
	p->report = (struct report){.fd = STDOUT_FILENO, .json = p->o.json};
	start(p);
	code = loop_run(&p->loop);
	stop(p);
	return code;
}

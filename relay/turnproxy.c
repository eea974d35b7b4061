/* SPDX-License-Identifier: ISC */
/* nat-relay turn: an allocation at a TURN server (RFC 8656) for a daemon that
 * knows nothing of TURN. Each peer is a UDP port on 127.0.0.1. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drop.h"
#include "exitcode.h"
#include "line.h"
#include "log.h"
#include "loop.h"
#include "reader.h"
#include "ready.h"
#include "record.h"
#include "relayverb.h"
#include "resolve.h"
#include "seating.h"
#include "turnclient.h"
#include "turnlink.h"
#include "turnoptions.h"
#include "turnreport.h"

#define USER "natkit" /* of time-limited names */
#define USER_LIFETIME_S (30 * 86400)
#define ATTEMPT_MS 10000      /* for an allocation */
#define ATTEMPT_SHORT_MS 4000 /* when there are other addresses */
#define LOOKUP_MS 10000
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define BACKOFF_REFUSED_MS 60000 /* RFC 8656 section 7.4 */
#define STEADY_MS 30000		 /* up for so long: the next try is at once */
#define REDIRECTS 4
#define DATAGRAM_MAX (1u << 16)

struct turnproxy {
	struct loop loop;
	struct turnoptions o;
	struct conn_tls *tls;
	struct turnclient *client; /* sodium_malloc */
	struct seating seating;
	struct resolver *resolver;
	struct resolve *lookup;
	struct addr list[RESOLVE_MAX];
	size_t n, at;
	struct addr server; /* of this attempt */
	unsigned int redirects;
	struct turnlink *link; /* NULL: between attempts */
	struct event *step, *attempt, *retry;
	struct event *input;
	struct reader reader;
	struct line line;
	uint32_t backoff_ms;
	uint64_t up_ms; /* since when there is an allocation, or 0 */
	unsigned int attempts;
	int told_code;	  /* what the latest warning was about */
	uint64_t dropped; /* datagrams of the daemon */
	uint64_t link_dropped;
	bool ready; /* has been told */
	bool told_grant[TURNCLIENT_GRANTS];
	bool done;
};

static void
finish(struct turnproxy *t, int code)
{
	if (!t->done)
		loop_end(&t->loop, code);
	t->done = true;
}

/* Records */

static void
print(struct turnproxy *t, const struct record *r)
{
	int err = record_write(r, STDOUT_FILENO, t->o.json);

	if (err == 0 || t->done)
		return;
	if (err != -EPIPE)
		log_warnx("standard output: %s", strerror(-err));
	finish(t, EXIT_TEMP);
}

/* Permissions as they are decided, and whether all are. */
static void
print_grants(struct turnproxy *t)
{
	const struct turnclient *c = t->client;

	for (size_t i = 0; i < TURNCLIENT_GRANTS; i++) {
		const struct turn_grant *g = &c->grant[i];
		char ip[ADDR_STRLEN];
		struct record r;

		if (g->ip.family == ADDR_NONE)
			t->told_grant[i] = false;
		if (g->ip.family == ADDR_NONE || t->told_grant[i] ||
		    g->state == TURN_GRANT_ASKED)
			continue;
		t->told_grant[i] = true;
		if (g->state == TURN_GRANT_REFUSED)
			log_warnx("peer %s: %s (%d)",
			    addr_format_ip(&g->ip, ip), turnclient_why(g->code),
			    g->code);
		turnreport_grant(&r, g);
		print(t, &r);
	}
	if (!t->ready && turnclient_settled(c)) {
		t->ready = true;
		ready_tell(t->o.ready_fd);
	}
}

static void
seated_cb(void *arg, const struct addr *peer, const struct addr *local)
{
	struct record r;

	turnreport_seat(&r, peer, local);
	print(arg, &r);
}

/* Attempts */

static void try_next(struct turnproxy *t);
static void look_up(struct turnproxy *t);

static void
close_link(struct turnproxy *t)
{
	if (t->link != NULL)
		t->link_dropped += turnlink_dropped(t->link);
	turnlink_free(t->link);
	t->link = NULL;
	event_del(t->attempt);
	event_del(t->step);
}

static uint32_t
jitter(uint32_t ms)
{
	return ms - ms / 4 + randombytes_uniform(ms / 2 + 1);
}

/* All addresses have been tried. */
static void
wait_again(struct turnproxy *t, int code, const char *why)
{
	const char *advice =
	    t->up_ms != 0
		? ""
		: turnreport_advice(code, t->o.secret != NULL, t->o.transport);
	uint32_t wait_ms = 0;

	if (t->o.one) {
		log_fatalx("%s: %s%s", t->o.name, why, advice);
		finish(t, turnreport_exit_code(code));
		return;
	}
	wait_ms = jitter(t->backoff_ms);
	t->backoff_ms = t->backoff_ms * 2 < BACKOFF_MAX_MS ? t->backoff_ms * 2
							   : BACKOFF_MAX_MS;
	if (code == 401 || code == 403 || code == 486 || code == 508)
		wait_ms = BACKOFF_REFUSED_MS;
	if (code != t->told_code)
		log_warnx("%s: %s%s; trying on", t->o.name, why, advice);
	else
		log_info("%s: %s; again in %u ms", t->o.name, why, wait_ms);
	t->told_code = code;
	loop_at(t->retry, now_ms() + wait_ms);
}

/* This attempt has failed, or the allocation is lost. */
static void
ended(struct turnproxy *t, int code, const char *why)
{
	bool was_up = t->up_ms != 0;
	bool steady = was_up && now_ms() - t->up_ms >= STEADY_MS;
	char text[ADDR_STRLEN];
	struct record r;

	t->client->state = TURNCLIENT_IDLE;
	close_link(t);
	if (code == 300 && t->redirects++ < REDIRECTS) {
		log_info("%s: use %s instead", t->o.name,
		    addr_format(&t->client->alternate, text));
		t->at--;
		t->list[t->at] = t->client->alternate;
		try_next(t);
		return;
	}
	log_info("%s: %s", addr_format(&t->server, text), why);
	if (was_up) {
		turnreport_down(&r, &t->server, t->o.transport, code, why);
		print(t, &r);
	}
	if (was_up) {
		t->at = t->n; /* which of them is best may have changed */
		if (steady)
			t->backoff_ms = BACKOFF_MIN_MS;
	}
	if (t->at < t->n) {
		try_next(t);
		return;
	}
	if (!t->done)
		wait_again(t, code, why);
	t->up_ms = 0;
}

/* After whatever may have changed the client; the link may be gone then. */
static void
settle(struct turnproxy *t)
{
	uint8_t out[TURNCLIENT_OUT];
	struct turnclient *c = t->client;
	struct record r;
	size_t n = 0;

	if (t->link == NULL || c->state == TURNCLIENT_IDLE)
		return;
	while ((n = turnclient_step(c, now_ms(), out)) > 0)
		(void)turnlink_send(t->link, out, n, false);
	if (c->state == TURNCLIENT_DOWN) {
		ended(t, c->code, turnclient_why(c->code));
		return;
	}
	if (c->state == TURNCLIENT_UP && t->up_ms == 0) {
		t->up_ms = now_ms();
		t->told_code = INT_MIN;
		event_del(t->attempt);
		memset(t->told_grant, 0, sizeof(t->told_grant));
		turnreport_up(&r, c, &t->server, t->o.transport);
		print(t, &r);
	}
	if (c->state == TURNCLIENT_UP)
		print_grants(t);
	if (c->next_ms != UINT64_MAX)
		loop_at(t->step, c->next_ms);
}

static void
step_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	settle(arg);
}

static void
attempt_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	ended(arg, TURNCLIENT_CODE_NO_ANSWER,
	    turnclient_why(TURNCLIENT_CODE_NO_ANSWER));
}

static void
retry_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	look_up(arg);
}

static bool
message_cb(void *arg, const uint8_t *data, size_t len)
{
	struct turnproxy *t = arg;
	unsigned int attempts = t->attempts;
	struct turnclient_in in;

	turnclient_input(t->client, data, len, now_ms(), &in);
	if (in.what == TURNCLIENT_DATA)
		seating_deliver(&t->seating, &in.peer, in.data, in.len);
	/* a new seat has a channel to ask for */
	if (in.what == TURNCLIENT_CHANGED || t->client->next_ms <= now_ms())
		settle(t);
	return t->link != NULL && attempts == t->attempts;
}

static void
ready_cb(void *arg)
{
	struct turnproxy *t = arg;

	if (t->o.secret != NULL)
		turnlogin_make(&t->client->login, t->o.secret,
		    wall_ns() / 1000000000u + USER_LIFETIME_S, USER);
	turnclient_start(t->client, now_ms());
	settle(t);
}

static void
closed_cb(void *arg, const char *why)
{
	ended(arg, 0, why);
}

static void
doubt_cb(void *arg)
{
	struct turnproxy *t = arg;

	turnclient_doubt(t->client, now_ms());
	settle(t);
}

static void
try_next(struct turnproxy *t)
{
	const struct turnlink_config config = {
	    .transport = t->o.transport,
	    .tls = t->tls,
	    .server_name = t->o.host,
	    .wait_ms = ATTEMPT_MS,
	    .message = message_cb,
	    .ready = ready_cb,
	    .closed = closed_cb,
	    .doubt = doubt_cb,
	    .arg = t,
	};
	int err = 0;

	while (t->at < t->n) {
		t->server = t->list[t->at++];
		t->up_ms = 0;
		t->attempts++;
		err = turnlink_open(&t->link, &t->loop, &t->server, &config);
		if (err == 0) {
			loop_at(t->attempt,
			    now_ms() +
				(t->at < t->n ? ATTEMPT_SHORT_MS : ATTEMPT_MS));
			return;
		}
		t->link = NULL;
	}
	wait_again(t, 0, strerror(-err));
}

/* IPv6 first, as RFC 6724 has it for hosts that have both. */
static void
add_family(struct turnproxy *t, const struct addr *list, size_t n, int family)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].family == family &&
		    (family == ADDR_V6 ? t->o.v6 : t->o.v4))
			t->list[t->n++] = list[i];
}

static void
resolve_cb(void *arg, int error, const struct addr *list, size_t n)
{
	struct turnproxy *t = arg;

	t->lookup = NULL;
	t->n = t->at = 0;
	t->redirects = 0;
	add_family(t, list, n, ADDR_V6);
	add_family(t, list, n, ADDR_V4);
	if (t->n > 0)
		try_next(t);
	else
		wait_again(t, 0,
		    error != 0 ? resolve_error(error)
			       : "no address of the family asked for");
}

static void
look_up(struct turnproxy *t)
{
	if (resolve_start(&t->lookup, t->resolver, t->o.server, 0, LOOKUP_MS,
		resolve_cb, t) != 0)
		wait_again(t, 0, "the name can't be looked up");
}

/* From the daemon */

static void
outgoing_cb(void *arg, const struct addr *peer, const uint8_t *data, size_t len)
{
	static uint8_t out[DATAGRAM_MAX + TURNCLIENT_WRAP];
	struct turnproxy *t = arg;
	int n = turnclient_wrap(t->client, peer, data, len, out);

	if (n < 0 || t->link == NULL)
		t->dropped++;
	else
		(void)turnlink_send(t->link, out, (size_t)n, true);
}

/* Standard input */

static void
line_cb(void *arg, const char *line, size_t len)
{
	struct turnproxy *t = arg;
	char copy[LINE_MAX_LEN + 1];
	const char *wrong = NULL;

	if (len == 0)
		return;
	memcpy(copy, line, len + 1);
	wrong = seating_command(&t->seating, copy);
	if (wrong != NULL)
		log_warnx("standard input: %s: %s", line, wrong);
}

static void
input_cb(evutil_socket_t fd, short events, void *arg)
{
	struct turnproxy *t = arg;
	uint64_t too_long = t->line.too_long;
	int rc = line_read(&t->line, fd, line_cb, t);

	(void)events;
	if (t->line.too_long != too_long)
		log_warnx("standard input: line skipped: too long");
	if (rc <= 0) { /* the peers stay */
		event_free(t->input);
		t->input = NULL;
	}
	settle(t);
}

static void
gone_cb(void *arg)
{
	finish(arg, EXIT_TEMP);
}

/* Set-up */

static void
open_pipes(struct turnproxy *t)
{
	/* in the background of a terminal, its lines are not for us */
	signal(SIGTTIN, SIG_IGN);
	line_init(&t->line);
	t->input = loop_event(
	    &t->loop, STDIN_FILENO, EV_READ | EV_PERSIST, input_cb, t);
	if (event_add(t->input, NULL) == -1) {
		event_free(t->input);
		t->input = NULL;
	}
	reader_watch(&t->reader, &t->loop, gone_cb, t);
}

static void
open_client(struct turnproxy *t)
{
	struct turnclient *c = sodium_malloc(sizeof(*c));

	if (c == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	memset(c, 0, sizeof(*c));
	c->login = *t->o.login;
	c->stream = t->o.transport != TURNLINK_UDP;
	c->want4 = t->o.relay4;
	c->want6 = t->o.relay6;
	c->keepalive_ms = t->o.keepalive_s * 1000;
	t->client = c;
	t->seating.loop = &t->loop;
	t->seating.client = c;
	t->seating.daemon = t->o.daemon;
	t->seating.next_port = t->o.port;
	t->seating.outgoing = outgoing_cb;
	t->seating.seated = seated_cb;
	t->seating.arg = t;
}

static void
seat_peers(struct turnproxy *t)
{
	for (int i = 0; i < t->o.n_peers && !t->done; i++) {
		struct addr peer;
		int err = 0;

		if (seating_peer(&peer, t->o.peers[i]))
			err = seating_permit(&t->seating, &peer);
		if (err == 0)
			continue;
		errno = -err;
		if (err == -ENOSPC)
			fatalx(EXIT_USAGE, "%s: too many peers, at most %d",
			    t->o.peers[i], TURNCLIENT_ROUTES);
		fatal(err == -EADDRINUSE || err == -EACCES ? EXIT_USAGE
							   : EXIT_TEMP,
		    "UDP port %u on 127.0.0.1 for %s", t->seating.next_port,
		    t->o.peers[i]);
	}
}

static void
set_up(struct turnproxy *t)
{
	const char *why = NULL;

	loop_init(&t->loop, true);
	if (t->o.transport == TURNLINK_TLS &&
	    conn_tls_client(&t->tls, t->o.ca_file, &why) != 0)
		fatalx(EXIT_USAGE, "%s: %s; name a file with -C",
		    t->o.ca_file != NULL ? t->o.ca_file : "certificates", why);
	open_client(t);
	open_pipes(t);
	seat_peers(t);
	drop_all();
	if (resolver_new(&t->resolver, &t->loop) != 0)
		fatalx(EXIT_TEMP, "out of memory");
	t->step = loop_event(&t->loop, -1, 0, step_cb, t);
	t->attempt = loop_event(&t->loop, -1, 0, attempt_cb, t);
	t->retry = loop_event(&t->loop, -1, 0, retry_cb, t);
	t->backoff_ms = BACKOFF_MIN_MS;
	t->told_code = INT_MIN;
	look_up(t);
}

/* The server forgets us at once. */
static void
release(struct turnproxy *t)
{
	uint8_t out[TURNCLIENT_OUT];
	size_t n = 0;

	if (t->link != NULL)
		n = turnclient_release(t->client, out);
	if (n > 0)
		(void)turnlink_send(t->link, out, n, false);
	close_link(t);
}

static void
tear_down(struct turnproxy *t)
{
	uint64_t refused = t->seating.refused + t->client->ignored;

	release(t);
	log_info("dropped: %llu datagrams without an allocation or a "
		 "permission, %llu as the connection was slow, %llu of peers "
		 "that may not send, %llu that no daemon waited for",
	    (unsigned long long)t->dropped, (unsigned long long)t->link_dropped,
	    (unsigned long long)refused,
	    (unsigned long long)t->seating.unheard);
	seating_free(&t->seating);
	resolve_cancel(t->lookup);
	event_free(t->step);
	event_free(t->attempt);
	event_free(t->retry);
	if (t->input != NULL)
		event_free(t->input);
	reader_stop(&t->reader);
	resolver_free(t->resolver);
	conn_tls_free(t->tls);
	sodium_free(t->client);
	sodium_free(t->o.login);
	sodium_free(t->o.secret);
	loop_free(&t->loop);
}

int
relay_verb_turn(int argc, char *argv[])
{
	static struct turnproxy t;
	int code;

	turnoptions_read(&t.o, argc, argv);
	set_up(&t);
	code = loop_run(&t.loop);
	tear_down(&t);
	return code;
}

/* SPDX-License-Identifier: ISC */
/* nat-relay tcp: a filter in the pipeline that reaches relays over TCP or TLS
 * where UDP does not. Each peer and relay is a UDP port on 127.0.0.1, whose
 * datagrams go as ChannelData. All that it reads goes out as it came. */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "drop.h"
#include "exitcode.h"
#include "log.h"
#include "loop.h"
#include "option.h"
#include "passage.h"
#include "port.h"
#include "portloop.h"
#include "record.h"
#include "relayverb.h"
#include "seat.h"
#include "streamrelay.h"
#include "tcppeers.h"

#define RELAYS 16

struct tcpfilter {
	struct loop loop;
	struct port *port; /* its socket tells when nat-port has gone */
	struct portloop portloop;
	uint16_t daemon;
	struct conn_tls *tls;
	struct passage passage;
	struct event *timer;
	struct tcppeers *peers; /* sodium_malloc */
	struct streamrelay *relay[RELAYS];
	uint64_t unheard, dropped; /* datagrams: to the daemon, from it */
};

static const char usage[] =
    "nat-relay tcp [-hjqTv] [-C cafile] -s path | -p port";
static const char help[] =
    "  -s path   the port that nat-port lends on this socket is the daemon's\n"
    "  -p port   the daemon has this UDP port\n"
    "  -T        TLS\n"
    "  -C file   with -T: trust these certificates (the system's)\n"
    "  -j        its own records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

/* What goes out */

/* Lower than any over UDP, and in the same order. */
static void
print(struct tcpfilter *f, const struct tcpside *s, const char *state,
    const char *reason)
{
	struct record r;

	record_begin(&r, "candidate");
	record_put(&r, "type", "relay");
	record_put_addr(&r, "endpoint", seat_local(s->seat));
	record_put_u64(&r, "priority", s->priority / 2);
	record_put_addr(&r, "server", &s->at[0]);
	record_put_key(&r, "key", s->peer->key);
	record_put(&r, "state", state);
	record_put(&r, "reason", reason);
	passage_print(&f->passage, &r);
}

/* The state of a side, when it is another one; why: of one that ends. */
static void
tell(struct tcpfilter *f, struct tcpside *s, const char *why)
{
	enum streambind_state state = s->bind.state;
	const char *name = "binding";

	if (state == STREAMBIND_REFUSED)
		why = s->bind.reason;
	if (state == STREAMBIND_IDLE && s->told < 0)
		return;
	if ((int)state == s->told && why == s->told_reason)
		return;
	if (state == STREAMBIND_BOUND)
		name = "bound";
	else if (state != STREAMBIND_ASKING)
		name = "gone";
	if (state == STREAMBIND_BOUND || state == STREAMBIND_ASKING)
		why = NULL;
	s->told = (int)state;
	s->told_reason = why;
	print(f, s, name, why);
}

/* The sides */

/* From the daemon. */
static void
seat_cb(void *arg, const uint8_t *data, size_t len)
{
	struct tcpside *s = arg;

	if (s->bind.state != STREAMBIND_BOUND || s->relay == NULL ||
	    streamrelay_send_data(s->relay, s->bind.channel, data, len) != 0)
		s->unheard++;
}

static void
stop_side(struct tcpfilter *f, struct tcpside *s, const char *why)
{
	streambind_stop(&s->bind);
	tell(f, s, why);
	s->told = -1;
	s->told_reason = NULL;
}

static void
drop_side(struct tcpfilter *f, struct tcpside *s)
{
	uint8_t out[STREAMBIND_OUT];
	size_t n = streambind_unbind(&s->bind, out);

	if (n > 0 && s->relay != NULL)
		(void)streamrelay_send(s->relay, out, n);
	stop_side(f, s, "left");
	f->dropped += s->unheard;
	seat_free(s->seat);
	sodium_memzero(s, sizeof(*s));
}

static struct streamrelay *
find_relay(struct tcpfilter *f, const struct tcpside *s)
{
	for (size_t i = 0; i < RELAYS; i++)
		if (f->relay[i] != NULL &&
		    streamrelay_is(f->relay[i], s->at, s->n))
			return f->relay[i];
	return NULL;
}

static void up_cb(void *arg, struct streamrelay *r);
static void down_cb(void *arg, struct streamrelay *r, const char *why);
static void message_cb(
    void *arg, struct streamrelay *r, const uint8_t *data, size_t len);

static struct streamrelay *
get_relay(struct tcpfilter *f, const struct tcpside *s)
{
	const struct streamrelay_config config = {
	    .tls = f->tls,
	    .up = up_cb,
	    .down = down_cb,
	    .message = message_cb,
	    .arg = f,
	};
	struct streamrelay *r = find_relay(f, s);

	for (size_t i = 0; i < RELAYS && r == NULL; i++) {
		if (f->relay[i] != NULL)
			continue;
		if (streamrelay_new(
			&f->relay[i], &f->loop, &config, s->at, s->n) != 0)
			return NULL;
		r = f->relay[i];
	}
	return r;
}

/* A side that is needed, as far as it can be brought. */
static void
run_side(struct tcpfilter *f, struct tcpside *s, uint64_t now, uint64_t *at_ms)
{
	uint8_t out[STREAMBIND_OUT];
	size_t n = 0;

	if (s->relay == NULL)
		s->relay = get_relay(f, s);
	if (s->seat == NULL &&
	    seat_open(&s->seat, &f->loop, 0, f->daemon, seat_cb, s) != 0)
		s->seat = NULL;
	if (s->relay == NULL || s->seat == NULL)
		return;
	streamrelay_want(s->relay, true);
	if (!streamrelay_is_up(s->relay))
		return;
	if (s->bind.state == STREAMBIND_IDLE)
		streambind_start(&s->bind, now);
	n = streambind_step(&s->bind, now, out);
	if (n > 0)
		(void)streamrelay_send(s->relay, out, n);
	if (s->bind.state == STREAMBIND_DEAD) {
		streamrelay_renew(s->relay, s->bind.reason);
		return;
	}
	tell(f, s, NULL);
	if (s->bind.next_ms < *at_ms)
		*at_ms = s->bind.next_ms;
}

static void
run_peer(struct tcpfilter *f, struct tcppeer *p, uint64_t now, uint64_t *at_ms)
{
	bool over = tcppeer_is_over(p, now, at_ms);
	bool needs = !over && tcppeer_needs(p, now, at_ms);

	for (size_t i = 0; i < TCPPEERS_RELAYS; i++) {
		struct tcpside *s = &p->side[i];

		if (!s->used)
			continue;
		/* over UDP it has another place now, and stays there */
		if (!needs && s->bind.state != STREAMBIND_IDLE && !over)
			stop_side(f, s, "udp");
		if (over ||
		    (now >= s->expiry_ms && s->bind.state != STREAMBIND_BOUND))
			drop_side(f, s);
		else if (needs)
			run_side(f, s, now, at_ms);
	}
	if (over)
		sodium_memzero(p, sizeof(*p));
}

/* A relay's connection stays a while when nobody needs it, and goes with the
 * last of its sides. */
static void
run_relay(struct tcpfilter *f, size_t i, uint64_t now, uint64_t *at_ms)
{
	struct streamrelay *r = f->relay[i];
	bool used = false, want = false;

	for (size_t k = 0; k < TCPPEERS_MAX; k++) {
		struct tcppeer *p = &f->peers->peer[k];

		for (size_t n = 0; n < TCPPEERS_RELAYS && p->used; n++) {
			if (!p->side[n].used || p->side[n].relay != r)
				continue;
			used = true;
			want |= tcppeer_needs(p, now, at_ms) ||
				(streamrelay_is_up(r) &&
				    tcppeer_lingers(p, now, at_ms));
		}
	}
	if (used) {
		streamrelay_want(r, want);
		return;
	}
	f->dropped += streamrelay_dropped(r);
	streamrelay_free(r);
	f->relay[i] = NULL;
}

/* Nothing of conn's callbacks calls this: it may free what calls them. */
static void
run(struct tcpfilter *f)
{
	uint64_t now = now_ms(), at_ms = UINT64_MAX;
	bool any = false;

	for (size_t i = 0; i < TCPPEERS_MAX && !f->passage.ending; i++)
		if (f->peers->peer[i].used)
			run_peer(f, &f->peers->peer[i], now, &at_ms);
	for (size_t i = 0; i < RELAYS && !f->passage.ending; i++)
		if (f->relay[i] != NULL)
			run_relay(f, i, now, &at_ms);
	for (size_t i = 0; i < TCPPEERS_MAX; i++)
		any |= f->peers->peer[i].used;
	event_del(f->timer);
	if (f->passage.ending)
		return;
	if (!any && f->passage.eof) /* there is nothing left to keep */
		passage_finish(&f->passage, EXIT_YES);
	else if (at_ms != UINT64_MAX)
		loop_at(f->timer, at_ms);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	run(arg);
}

/* What comes from relays */

static void
up_cb(void *arg, struct streamrelay *r)
{
	struct tcpfilter *f = arg;

	(void)r;
	loop_at(f->timer, 0);
}

static void
down_cb(void *arg, struct streamrelay *r, const char *why)
{
	struct tcpfilter *f = arg;

	for (size_t i = 0; i < TCPPEERS_MAX; i++)
		for (size_t k = 0; k < TCPPEERS_RELAYS; k++) {
			struct tcpside *s = &f->peers->peer[i].side[k];

			if (s->used && s->relay == r &&
			    s->bind.state != STREAMBIND_IDLE)
				stop_side(f, s, why);
		}
	loop_at(f->timer, 0);
}

static void
take_data(struct tcpfilter *f, const struct streamrelay *r, const uint8_t *data,
    size_t len)
{
	struct cursor c;
	uint16_t channel, n;
	const uint8_t *value;

	cursor_init(&c, data, len);
	channel = cursor_u16(&c);
	n = cursor_u16(&c);
	value = cursor_bytes(&c, n);
	for (size_t i = 0; i < TCPPEERS_MAX && !c.bad; i++)
		for (size_t k = 0; k < TCPPEERS_RELAYS; k++) {
			struct tcpside *s = &f->peers->peer[i].side[k];

			if (!s->used || s->relay != r || s->seat == NULL ||
			    s->bind.channel != channel)
				continue;
			if (seat_deliver(s->seat, value, n) != 0)
				f->unheard++;
			return;
		}
}

static void
message_cb(void *arg, struct streamrelay *r, const uint8_t *data, size_t len)
{
	struct tcpfilter *f = arg;
	struct stun_msg m;

	if (len > 0 && (data[0] & 0xc0) == 0x40) {
		take_data(f, r, data, len);
		return;
	}
	if (stun_parse(&m, data, len) != 0)
		return;
	for (size_t i = 0; i < TCPPEERS_MAX; i++)
		for (size_t k = 0; k < TCPPEERS_RELAYS; k++) {
			struct tcpside *s = &f->peers->peer[i].side[k];

			if (s->used && s->relay == r &&
			    streambind_input(&s->bind, &m, now_ms()))
				loop_at(f->timer, 0);
		}
}

/* What comes in */

static void
take_record(void *arg, const struct record_view *v)
{
	struct tcpfilter *f = arg;
	const char *wrong = NULL;
	int err = tcppeers_record(f->peers, v, now_ms(), &wrong);

	if (err == -ENOSPC)
		log_warnx("standard input: record not used: too many peers, "
			  "or relays of one");
	else if (err != 0)
		log_warnx("standard input: record not used: %s", wrong);
}

static void
then_run(void *arg)
{
	run(arg);
}

/* Its datagrams are for others; we only see its end. */
static bool
each_message(void *arg, struct port_msg *m)
{
	(void)arg;
	(void)m;
	return true;
}

/* Set-up and tear-down */

static void
open_port(struct tcpfilter *f, const char *path, uint32_t port)
{
	f->daemon = (uint16_t)port;
	if (path == NULL)
		return;
	f->port = option_port(path, 0);
	f->daemon = port_number(f->port);
	portloop_start(
	    &f->portloop, &f->loop, f->port, each_message, NULL, NULL);
}

static void
read_command_line(struct tcpfilter *f, int argc, char *argv[])
{
	const char *path = NULL, *ca_file = NULL, *why = NULL;
	uint32_t port = 0;
	bool tls = false;
	int letter;

	option_begin(usage, help);
	while ((letter = option_next(argc, argv, ":C:hjp:qs:Tv")) != -1)
		switch (letter) {
		case 'C':
			ca_file = optarg;
			break;
		case 'j':
			f->passage.json = true;
			break;
		case 'p':
			port = option_number("-p", optarg, 1, 65535);
			break;
		case 's':
			path = optarg;
			break;
		case 'T':
			tls = true;
			break;
		}
	if (optind < argc)
		option_fail(
		    "%s: records come on standard input, not as operands",
		    argv[optind]);
	if ((path == NULL) == (port == 0))
		option_fail("give -s (the daemon's port socket) or -p (its "
			    "port)");
	if (ca_file != NULL && !tls)
		option_fail("-C: certificates are for -T");
	loop_init(&f->loop, true);
	if (tls && conn_tls_client(&f->tls, ca_file, &why) != 0)
		fatalx(EXIT_USAGE, "%s: %s; name a file with -C",
		    ca_file != NULL ? ca_file : "certificates", why);
	open_port(f, path, port);
}

static void
start(struct tcpfilter *f)
{
	f->peers = sodium_malloc(sizeof(*f->peers));
	if (f->peers == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	sodium_memzero(f->peers, sizeof(*f->peers));
	f->timer = loop_event(&f->loop, -1, 0, timer_cb, f);
	f->passage.loop = &f->loop;
	f->passage.record = take_record;
	f->passage.then = then_run;
	f->passage.arg = f;
	passage_start(&f->passage);
}

static void
stop(struct tcpfilter *f)
{
	f->passage.ending = true;
	for (size_t i = 0; i < TCPPEERS_MAX; i++)
		for (size_t k = 0; k < TCPPEERS_RELAYS; k++) {
			f->dropped += f->peers->peer[i].side[k].unheard;
			seat_free(f->peers->peer[i].side[k].seat);
		}
	for (size_t i = 0; i < RELAYS; i++) {
		if (f->relay[i] != NULL)
			f->dropped += streamrelay_dropped(f->relay[i]);
		streamrelay_free(f->relay[i]);
	}
	log_info("dropped: %llu datagrams of the daemon, %llu that it did not "
		 "take",
	    (unsigned long long)f->dropped, (unsigned long long)f->unheard);
	portloop_stop(&f->portloop);
	event_free(f->timer);
	passage_stop(&f->passage);
	port_free(f->port);
	conn_tls_free(f->tls);
	sodium_free(f->peers);
	loop_free(&f->loop);
}

int
relay_verb_tcp(int argc, char *argv[])
{
	static struct tcpfilter filter;
	struct tcpfilter *f = &filter;
	int code;

	read_command_line(f, argc, argv);
	start(f);
	drop_all();
	code = loop_run(&f->loop);
	stop(f);
	return code;
}

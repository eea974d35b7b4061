/* SPDX-License-Identifier: ISC */
/* nat-relay pair: a filter in the pipeline that binds a daemon's port to the
 * relays that the records on standard input name, one binding for each peer and
 * relay. All that it reads goes out as it came. */
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
#include "relaybinding.h"
#include "relayverb.h"

#define PEERS 64
#define RELAYS 4 /* of one peer */
#define REFRESH_S 20
#define LEFT_MS (10 * 60 * 1000) /* and a peer that went is given up */

struct relayed {
	bool used;
	struct relaybinding binding;
};

struct relayed_peer {
	bool used;
	uint8_t key[KEY_LEN];
	uint64_t left_ms; /* when it went; 0: it is there */
	struct relayed relay[RELAYS];
};

struct pairfilter {
	struct loop loop;
	struct port *port;
	struct portloop portloop;
	struct passage passage;
	struct event *timer;
	struct relayed_peer *peer; /* sodium_malloc'ed: holds passwords */
	uint32_t refresh_ms;
};

static const char usage[] =
    "nat-relay pair [-hjqv] [-s path | -p port] [-t seconds]";
static const char help[] =
    "  -s path   use the port that nat-port lends on this socket\n"
    "  -p port   use a UDP port of its own (any)\n"
    "  -t s      bind again so often (20)\n"
    "  -j        its own records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

/* What goes out */

/* What only those who run the servers can mend; silence is the network's. */
static void
explain(const struct relaybinding_event *ev)
{
	static const struct {
		const char *reason, *advice;
	} known[] = {
	    {"unauthorized", "it does not take our credential: is its -k the "
			     "file of the rendezvous server's -R, and do both "
			     "clocks agree?"},
	    {"quota", "this key or address has all that it may have there: "
		      "see -l and -P of nat-relayd"},
	    {"full", "it is full: see -n of nat-relayd"},
	};
	char text[ADDR_STRLEN];

	if (ev->state != RELAYBINDING_GONE || ev->reason == NULL)
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(ev->reason, known[i].reason) == 0)
			log_warnx("relay %s: %s",
			    addr_format(&ev->server, text), known[i].advice);
}

static void
tell(struct pairfilter *f, const struct relayed_peer *p,
    const struct relaybinding *b, const struct relaybinding_event *ev)
{
	struct record r;

	record_begin(&r, "candidate");
	record_put(&r, "type", "relay");
	record_put_addr(&r, "endpoint", &ev->to);
	record_put_u64(&r, "priority", b->priority);
	record_put_addr(&r, "server", &ev->server);
	record_put_addr(&r, "mapped", &ev->mapped);
	record_put_key(&r, "key", p->key);
	record_put(&r, "state", relaybinding_state_name(ev->state));
	record_put(&r, "reason", ev->reason);
	passage_print(&f->passage, &r);
}

static void
send_datagram(struct pairfilter *f, struct relaybinding *b,
    const struct addr *to, const uint8_t *data, size_t len)
{
	int err = port_send(f->port, to, NULL, 0, data, len);

	switch (err) {
	case 0:
	case -EAGAIN:
	case -ENOBUFS:
	case -EINTR: /* lost, as any network may lose it */
		break;
	case -EPERM:
	case -EACCES:
		relaybinding_unsent(
		    b, to, port_error_name(PORT_E_DENIED), now_ms());
		break;
	default:
		relaybinding_unsent(
		    b, to, port_error_name(PORT_E_UNREACHABLE), now_ms());
	}
}

/* The peers and their relays */

static void
unbind(struct pairfilter *f, struct relaybinding *b)
{
	uint8_t out[RELAYBINDING_MAX];
	struct addr to;
	size_t len = relaybinding_unbind(b, &to, out);

	if (len > 0)
		(void)port_send(f->port, &to, NULL, 0, out, len);
}

static void
drop_relay(struct pairfilter *f, struct relayed_peer *p, struct relayed *r,
    const char *reason)
{
	const struct relaybinding_event ev = {.state = RELAYBINDING_GONE,
	    .reason = reason,
	    .to = r->binding.told_at,
	    .server = r->binding.try[0].server};

	unbind(f, &r->binding);
	if (r->binding.told && r->binding.told_state != RELAYBINDING_GONE)
		tell(f, p, &r->binding, &ev);
	relaybinding_wipe(&r->binding);
	r->used = false;
}

static void
drop_peer(struct pairfilter *f, struct relayed_peer *p)
{
	for (size_t i = 0; i < RELAYS; i++)
		if (p->relay[i].used)
			drop_relay(f, p, &p->relay[i], "left");
	p->used = false;
}

static struct relayed_peer *
find_peer(struct pairfilter *f, const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; i < PEERS; i++)
		if (f->peer[i].used && key_equal(f->peer[i].key, key))
			return &f->peer[i];
	return NULL;
}

/* A free place, or that of one who went. */
static struct relayed_peer *
add_peer(struct pairfilter *f, const uint8_t key[KEY_LEN])
{
	struct relayed_peer *p = NULL;

	for (size_t i = 0; i < PEERS; i++) {
		if (!f->peer[i].used) {
			p = &f->peer[i];
			break;
		}
		if (f->peer[i].left_ms != 0)
			p = &f->peer[i];
	}
	if (p == NULL)
		return NULL;
	if (p->used)
		drop_peer(f, p);
	memcpy(p->key, key, KEY_LEN);
	p->left_ms = 0;
	p->used = true;
	return p;
}

/* A free place, or that of one that is of no use, or of the least. */
static struct relayed *
place(struct pairfilter *f, struct relayed_peer *p)
{
	struct relayed *worst = &p->relay[0];

	for (size_t i = 0; i < RELAYS; i++) {
		struct relayed *r = &p->relay[i];
		bool gone = r->binding.state == RELAYBINDING_GONE;
		bool worst_gone = worst->binding.state == RELAYBINDING_GONE;

		if (!r->used)
			return r;
		if (gone > worst_gone ||
		    (gone == worst_gone &&
			r->binding.priority < worst->binding.priority))
			worst = r;
	}
	drop_relay(f, p, worst, "replaced");
	return worst;
}

static void
take_relay(struct pairfilter *f, const struct relayrecord *rec)
{
	struct relayed_peer *p = find_peer(f, rec->key);
	uint64_t now = now_ms();
	struct relayed *r;

	if (rec->n == 0) {
		if (p != NULL && p->left_ms == 0)
			p->left_ms = now;
		return;
	}
	if (p == NULL && (p = add_peer(f, rec->key)) == NULL) {
		log_warnx("standard input: record skipped: more than %d peers",
		    PEERS);
		return;
	}
	p->left_ms = 0;
	for (size_t i = 0; i < RELAYS; i++)
		if (p->relay[i].used &&
		    relaybinding_is(&p->relay[i].binding, rec)) {
			relaybinding_renew(&p->relay[i].binding, rec, now);
			return;
		}
	r = place(f, p);
	relaybinding_start(&r->binding, rec, f->refresh_ms, now);
	r->used = true;
}

/* Until it waits; *next_ms gets for what, if that is sooner. */
static void
run_relay(struct pairfilter *f, struct relayed_peer *p, struct relayed *r,
    uint64_t *next_ms)
{
	struct relaybinding_event ev;

	while (!f->passage.ending) {
		relaybinding_step(&r->binding, now_ms(), &ev);
		if (ev.what == RELAYBINDING_SEND) {
			send_datagram(f, &r->binding, &ev.to, ev.data, ev.len);
		} else if (ev.what == RELAYBINDING_STATE) {
			tell(f, p, &r->binding, &ev);
			explain(&ev);
		} else {
			if (ev.at_ms < *next_ms)
				*next_ms = ev.at_ms;
			return;
		}
	}
}

static void
run(struct pairfilter *f)
{
	uint64_t next_ms = UINT64_MAX, now = now_ms();

	for (size_t i = 0; i < PEERS && !f->passage.ending; i++) {
		struct relayed_peer *p = &f->peer[i];

		if (!p->used)
			continue;
		if (p->left_ms != 0 && now >= p->left_ms + LEFT_MS) {
			drop_peer(f, p);
			continue;
		}
		if (p->left_ms != 0 && p->left_ms + LEFT_MS < next_ms)
			next_ms = p->left_ms + LEFT_MS;
		for (size_t k = 0; k < RELAYS; k++)
			if (p->relay[k].used)
				run_relay(f, p, &p->relay[k], &next_ms);
	}
	event_del(f->timer);
	if (f->passage.ending)
		return;
	if (next_ms != UINT64_MAX)
		loop_at(f->timer, next_ms);
	else if (f->passage.eof) /* there is nothing left to keep */
		passage_finish(&f->passage, EXIT_YES);
}

/* What comes in */

static void
take_record(void *arg, const struct record_view *v)
{
	struct pairfilter *f = arg;
	struct relayrecord rec;
	struct relayed_peer *p;
	uint8_t key[KEY_LEN];
	const char *wrong, *state;

	if (record_is(v, "relay")) {
		if (relayrecord_read(&rec, v, &wrong) == 0)
			take_relay(f, &rec);
		else
			log_warnx("standard input: record not used: %s", wrong);
		sodium_memzero(&rec, sizeof(rec));
		return;
	}
	if ((!record_is(v, "gone") && !record_is(v, "peer")) ||
	    record_get_key(v, "key", key) != 0 ||
	    (p = find_peer(f, key)) == NULL)
		return;
	state = record_get(v, "state");
	if (record_is(v, "gone"))
		p->left_ms = now_ms();
	else if (state != NULL && strcmp(state, "introduced") == 0)
		p->left_ms = 0;
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	run(arg);
}

static void
each_binding(
    struct pairfilter *f, const struct port_msg *m, const struct stun_msg *stun)
{
	uint64_t now = now_ms();

	for (size_t i = 0; i < PEERS; i++)
		for (size_t k = 0; k < RELAYS && f->peer[i].used; k++) {
			struct relayed *r = &f->peer[i].relay[k];

			if (!r->used)
				continue;
			if (stun == NULL)
				relaybinding_unsent(&r->binding, &m->remote,
				    port_error_name(m->error), now);
			else if (relaybinding_input(
				     &r->binding, &m->remote, stun, now))
				return;
		}
}

static bool
each_message(void *arg, struct port_msg *m)
{
	struct pairfilter *f = arg;
	struct stun_msg stun;

	if (m->op == PORT_ERROR)
		each_binding(f, m, NULL);
	else if (m->op == PORT_DATAGRAM &&
		 stun_parse(&stun, m->payload, m->len) == 0)
		each_binding(f, m, &stun);
	return !f->passage.ending;
}

static void
then_run(void *arg)
{
	run(arg);
}

/* Set-up and tear-down */

static void
read_command_line(struct pairfilter *f, int argc, char *argv[])
{
	const char *path = NULL;
	uint32_t port = 0, refresh_s = REFRESH_S;
	int letter;

	option_begin(usage, help);
	while ((letter = option_next(argc, argv, ":hjp:qs:t:v")) != -1)
		switch (letter) {
		case 'j':
			f->passage.json = true;
			break;
		case 'p':
			port = option_number("-p", optarg, 0, 65535);
			break;
		case 's':
			path = optarg;
			break;
		case 't':
			refresh_s = option_number("-t", optarg, 1, 300);
			break;
		}
	if (optind < argc)
		option_fail(
		    "%s: records come on standard input, not as operands",
		    argv[optind]);
	if (path != NULL && port != 0)
		option_fail(
		    "give either -s (a port socket) or -p (an own port)");
	f->refresh_ms = refresh_s * 1000;
	f->port = option_port(path, (uint16_t)port);
}

static void
start(struct pairfilter *f)
{
	f->peer = sodium_allocarray(PEERS, sizeof(*f->peer));
	if (f->peer == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	sodium_memzero(f->peer, PEERS * sizeof(*f->peer));
	loop_init(&f->loop, true);
	portloop_start(
	    &f->portloop, &f->loop, f->port, each_message, then_run, f);
	f->timer = loop_event(&f->loop, -1, 0, timer_cb, f);
	f->passage.loop = &f->loop;
	f->passage.record = take_record;
	f->passage.then = then_run;
	f->passage.arg = f;
	passage_start(&f->passage);
}

static void
stop(struct pairfilter *f)
{
	for (size_t i = 0; i < PEERS; i++)
		for (size_t k = 0; k < RELAYS && f->peer[i].used; k++)
			if (f->peer[i].relay[k].used)
				unbind(f, &f->peer[i].relay[k].binding);
	portloop_stop(&f->portloop);
	event_free(f->timer);
	passage_stop(&f->passage);
	port_free(f->port);
	sodium_free(f->peer);
	loop_free(&f->loop);
}

int
relay_verb_pair(int argc, char *argv[])
{
	static struct pairfilter filter;
	struct pairfilter *f = &filter;
	int code;

	read_command_line(f, argc, argv);
	start(f);
	drop_all();
	code = loop_run(&f->loop);
	stop(f);
	return code;
}

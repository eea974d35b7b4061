/* SPDX-License-Identifier: ISC */
/* nat-stun server: asks one server, on all of its addresses, which endpoint it
 * sees; the first answer is the answer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "binding.h"
#include "cmdline.h"
#include "command.h"
#include "drop.h"
#include "exitcode.h"
#include "log.h"
#include "loop.h"
#include "option.h"
#include "port.h"
#include "portloop.h"
#include "record.h"
#include "resolve.h"

/* Between the addresses of one name, as in RFC 8305 section 5. */
#define STAGGER_MS 250

static const char usage[] =
    "nat-stun [-46hjqv] [-s path | -p port] [-w seconds] server";
static const char help[] =
    "  -4 -6     use this family only\n"
    "  -s path   use the port that nat-port lends on this socket\n"
    "  -p port   use a UDP port of its own (any)\n"
    "  -w s      wait so long at most (5)\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n"
    "Commands; each has a -h of its own:\n"
    "  behaviour what the NAT in front of this host does (RFC 4787)\n"
    "  check     what a server can do, and what is wrong with it\n"
    "  gather    all candidates of a port, once or followed\n"
    "  lifetime  how long the NAT keeps a mapping that nothing uses\n"
    "  pair      can two hosts be joined, by what behaviour told of each?\n";

struct
try {
	struct binding binding;
	bool over;
};

struct mapped {
	struct loop loop;
	struct cmdline o;
	struct port *port;
	struct resolver *resolver;
	struct resolve *lookup;
	struct event *timer;
	struct portloop portloop;
	struct try list[RESOLVE_MAX];
	size_t n;
	size_t started;
	uint64_t start_ms; /* of the next address */
	uint64_t end_ms;
	bool done; /* code is the exit code; else a signal ended the loop */
	int code;
	int refused;   /* code of an error response */
	char why[128]; /* the latest reason that an address is no use */
};

static void
finish(struct mapped *m, int code)
{
	m->done = true;
	m->code = code;
	loop_end(&m->loop, code);
}

static void
give_up(struct mapped *m)
{
	const char *name = m->o.server[0];
	size_t silent = 0;

	for (size_t i = 0; i < m->started; i++)
		if (!m->list[i].over)
			silent++;
	if (m->refused != 0) {
		log_warnx("%s answered with error %d", name, m->refused);
		finish(m, EXIT_NO);
		return;
	}
	if (m->lookup != NULL)
		log_warnx("%s: %s", name, resolve_error(-ETIMEDOUT));
	else if (silent > 0 || m->why[0] == '\0')
		log_warnx("%s: time-out: no answer within %u s", name,
		    m->o.wait_ms / 1000);
	else
		log_warnx("%s: %s", name, m->why);
	finish(m, EXIT_TEMP);
}

static void
unreachable(struct mapped *m, struct try *t, const char *why)
{
	char text[ADDR_STRLEN];

	snprintf(m->why, sizeof(m->why), "can't send to %s: %s",
	    addr_format(&t->binding.server, text), why);
	log_info("%s", m->why);
	t->over = true;
}

/* What is due of one address. */
static void
step_one(struct mapped *m, struct try *t)
{
	uint8_t request[BINDING_REQUEST_MAX];
	int n = 0;

	if (t->over)
		return;
	n = binding_step(&t->binding, now_us(), request);
	if (n > 0)
		n = port_send(
		    m->port, &t->binding.server, NULL, 0, request, (size_t)n);
	if (n == -ETIMEDOUT) {
		m->why[0] = '\0'; /* which is a time-out */
		t->over = true;
	} else if (n < 0 && n != -EAGAIN) {
		unreachable(m, t, strerror(-n));
	}
}

/* The next address starts when its time has come, or all before it are over. */
static void
start_more(struct mapped *m)
{
	size_t open = 0;

	for (size_t i = 0; i < m->started; i++)
		if (!m->list[i].over)
			open++;
	while (m->started < m->n && (open == 0 || now_ms() >= m->start_ms)) {
		struct try *t = &m->list[m->started++];

		m->start_ms = now_ms() + STAGGER_MS;
		step_one(m, t);
		if (!t->over)
			open++;
	}
}

static void
step(struct mapped *m)
{
	uint64_t next_ms = m->end_ms;
	size_t open = 0;

	for (size_t i = 0; i < m->started; i++)
		step_one(m, &m->list[i]);
	start_more(m);
	for (size_t i = 0; i < m->started; i++) {
		const struct try *t = &m->list[i];

		if (t->over)
			continue;
		open++;
		if (t->binding.t.next_ms < next_ms)
			next_ms = t->binding.t.next_ms;
	}
	if (m->started < m->n && m->start_ms < next_ms)
		next_ms = m->start_ms;
	if (now_ms() >= m->end_ms || (m->n > 0 && open == 0))
		give_up(m);
	else
		loop_at(m->timer, next_ms);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	step(arg);
}

static void
print(struct mapped *m, const struct binding *b)
{
	struct record r;
	int err = 0;

	record_begin(&r, "mapped");
	record_put_addr(&r, "endpoint", &b->mapped);
	record_put_addr(&r, "local", &b->local);
	record_put_addr(&r, "server", &b->server);
	record_put_u64(&r, "rtt_us", b->rtt_us);
	err = record_write(&r, STDOUT_FILENO, m->o.json);
	if (err != 0 && err != -EPIPE) {
		errno = -err;
		log_warn("standard output");
	}
	finish(m, err == 0 ? EXIT_YES : EXIT_TEMP);
}

static void
received(struct mapped *m, const struct port_msg *msg)
{
	struct addr local = msg->local;

	local.port = port_number(m->port);
	for (size_t i = 0; i < m->started && !m->done; i++) {
		struct try *t = &m->list[i];

		if (msg->op == PORT_ERROR) {
			if (addr_equal(&t->binding.server, &msg->remote))
				unreachable(m, t, port_error_name(msg->error));
			continue;
		}
		if (t->over || !binding_reply(&t->binding, msg->payload,
				   msg->len, &msg->remote, &local, now_us()))
			continue;
		t->over = true;
		if (t->binding.state == BINDING_MAPPED)
			print(m, &t->binding);
		else
			m->refused = t->binding.error;
	}
}

static bool
each_message(void *arg, struct port_msg *msg)
{
	struct mapped *m = arg;

	received(m, msg);
	return !m->done;
}

static void
then_step(void *arg)
{
	step(arg);
}

/* IPv6 first, as RFC 6724 has it for hosts that have both. */
static void
add_family(struct mapped *m, const struct addr *list, size_t n, int family)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].family == family &&
		    cmdline_use(&m->o, m->port, &list[i]))
			binding_start(
			    &m->list[m->n++].binding, &list[i], 0, now_us());
}

static void
resolve_cb(void *arg, int error, const struct addr *list, size_t n)
{
	struct mapped *m = arg;

	m->lookup = NULL;
	if (error != 0) {
		log_warnx("%s: %s", m->o.server[0], resolve_error(error));
		finish(m, EXIT_TEMP);
		return;
	}
	add_family(m, list, n, ADDR_V6);
	add_family(m, list, n, ADDR_V4);
	if (m->n == 0) {
		log_warnx("%s: no address of a family that can be used here",
		    m->o.server[0]);
		finish(m, EXIT_TEMP);
		return;
	}
	step(m);
}

static void
set_up(struct mapped *m)
{
	m->port = option_port(m->o.path, m->o.port);
	drop_all();
	loop_init(&m->loop, false);
	if (resolver_new(&m->resolver, &m->loop) != 0)
		fatalx(EXIT_TEMP, "out of memory");
	m->timer = loop_event(&m->loop, -1, 0, timer_cb, m);
	portloop_start(
	    &m->portloop, &m->loop, m->port, each_message, then_step, m);
	m->end_ms = now_ms() + m->o.wait_ms;
	loop_at(m->timer, m->end_ms);
	/* the lookup may use all of the time: the timer above ends it */
	if (resolve_start(&m->lookup, m->resolver, m->o.server[0],
		RESOLVE_STUN_PORT, m->o.wait_ms + 1000, resolve_cb, m) != 0)
		fatalx(EXIT_TEMP, "out of memory");
}

static void
tear_down(struct mapped *m)
{
	event_free(m->timer);
	portloop_stop(&m->portloop);
	resolver_free(m->resolver);
	port_free(m->port);
	loop_free(&m->loop);
}

/* One word may be a server whatever it is; of several, the first was meant to
 * be a command. */
static void
operand(int n, const char *first)
{
	if (n > 0 && stun_command_exists(first))
		option_fail("the options of %s come after it", first);
	if (n > 1)
		option_fail("no such command: %s; give one server, or one of "
			    "the commands " STUN_COMMANDS,
		    first);
	if (n < 1)
		option_fail(
		    "give one server, or one of the commands " STUN_COMMANDS);
}

int
stun_command_mapped(int argc, char *argv[])
{
	struct mapped m = {.code = EXIT_TEMP};

	cmdline_parse(&m.o, argc, argv, ":46hjqvs:p:w:", usage, help);
	operand(argc - optind, argv[optind]);
	cmdline_server(&m.o, argv[optind]);
	set_up(&m);
	if (loop_run(&m.loop) == EXIT_YES && !m.done)
		log_warnx("interrupted before there was an answer");
	tear_down(&m);
	return m.code;
}

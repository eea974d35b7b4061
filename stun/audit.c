/* SPDX-License-Identifier: ISC */
/* nat-stun check: what a STUN server can do, one record for each of its
 * addresses, so that a script can keep a list of servers clean. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cmdline.h"
#include "command.h"
#include "exitcode.h"
#include "inquiry.h"
#include "log.h"
#include "option.h"
#include "record.h"
#include "servercheck.h"
#include "tcpask.h"

#define WAIT_S 30
#define TRIES 4
#define TCP_MS 3000

static const char usage[] =
    "nat-stun check [-46hjqv] [-s path | -p port] [-w seconds] server";
static const char help[] =
    "  -4 -6     check addresses of this family only\n"
    "  -s path   ask from the port that nat-port lends on this socket\n"
    "  -p port   ask from this UDP port (any)\n"
    "  -w s      take so long at most (30)\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

struct subject {
	struct servercheck check;
	uint32_t rtt_us; /* the least */
	const char *tcp; /* NULL: not known yet */
	const char *why; /* it is cut short */
};

struct audit {
	struct cmdline o;
	struct inquiry q;
	struct subject list[RESOLVE_MAX];
	size_t at; /* which of them is being asked */
	int tries;
	int second; /* port for RESPONSE-PORT */
	struct tcpask *tcp;
};

static void next(struct audit *a);

/* ---- results */

static bool
answered(const struct subject *s)
{
	return s->check.from.family != ADDR_NONE ||
	       (s->tcp != NULL && strcmp(s->tcp, "yes") == 0);
}

static const char *
rfc5780(const struct servercheck *c)
{
	switch (servercheck_5780(c)) {
	case SERVERCHECK_YES:
		return "yes";
	case SERVERCHECK_NO:
		return "no";
	case SERVERCHECK_FILTERED:
		return "unknown";
	default:
		return NULL;
	}
}

static const char *
reason(const struct subject *s)
{
	const struct servercheck *c = &s->check;

	if (s->why != NULL)
		return s->why;
	if (c->from.family == ADDR_NONE)
		return "no-answer";
	if (c->found[SERVERCHECK_PLAIN] == SERVERCHECK_OTHER_ERROR ||
	    c->found[SERVERCHECK_PLAIN] == SERVERCHECK_REFUSED)
		return "error";
	if (servercheck_5780(c) == SERVERCHECK_FILTERED)
		return "nat"; /* of ours: nothing but it may keep answers out */
	return NULL;
}

static int
print(const struct audit *a, const struct subject *s)
{
	const struct servercheck *c = &s->check;
	bool udp = c->from.family != ADDR_NONE;
	char faults[SERVERCHECK_FAULTS_LEN];
	struct record r;

	servercheck_faults(c, faults);
	record_begin(&r, "stun");
	record_put_addr(&r, "endpoint", &c->server);
	record_put(&r, "udp", udp ? "yes" : s->why != NULL ? NULL : "no");
	record_put(&r, "tcp", s->tcp);
	if (udp)
		record_put_u64(&r, "rtt_us", s->rtt_us);
	record_put(&r, "rfc5780", rfc5780(c));
	record_put_addr(&r, "other", &c->other);
	record_put(&r, "fault", faults);
	record_put(&r, "response_port", servercheck_response_port(c));
	record_put(&r, "padding", servercheck_padding(c));
	record_put(&r, "unknown", servercheck_unknown(c));
	record_put(&r, "reply", servercheck_reply(c));
	if (udp)
		record_put_u64(&r, "amplification", c->percent);
	record_put(&r, "reason", reason(s));
	return record_write(&r, STDOUT_FILENO, a->o.json);
}

/* Standard output stays empty when there was nobody to check. */
static void
finish(struct audit *a)
{
	bool any = false, good = true;
	int err = 0;

	for (size_t i = 0; i < a->q.servers; i++) {
		any = any || answered(&a->list[i]);
		good = good && servercheck_good(&a->list[i].check);
	}
	if (!any) {
		log_warnx("%s: no answer", a->o.server[0]);
		inquiry_end(&a->q, EXIT_TEMP);
		return;
	}
	for (size_t i = 0; i < a->q.servers && err == 0; i++)
		err = print(a, &a->list[i]);
	if (err != 0 && err != -EPIPE) {
		errno = -err;
		log_warn("standard output");
	}
	inquiry_end(&a->q, err != 0 ? EXIT_TEMP : good ? EXIT_YES : EXIT_NO);
}

/* ---- questions */

static void
answer_cb(void *arg, const struct asker_result *r)
{
	struct audit *a = arg;
	struct subject *s = &a->list[a->at];
	bool is_answer = r->outcome == ASKER_ANSWER;

	if (!is_answer && r->outcome != ASKER_UNSENT && a->tries < TRIES) {
		next(a);
		return;
	}
	if (is_answer && (s->rtt_us == 0 || r->rtt_us < s->rtt_us))
		s->rtt_us = r->rtt_us;
	servercheck_tell(
	    &s->check, is_answer ? r->answer : NULL, r->port == a->second);
	a->tries = 0;
	next(a);
}

static void
tcp_cb(void *arg, bool yes)
{
	struct audit *a = arg;

	a->list[a->at].tcp = yes ? "yes" : "no";
	if (a->list[a->at].check.step == SERVERCHECK_STEPS)
		next(a);
}

static void
start_tcp(struct audit *a)
{
	struct subject *s = &a->list[a->at];

	tcpask_free(a->tcp);
	a->tcp = NULL;
	if (tcpask_start(
		&a->tcp, &a->q.loop, &s->check.server, TCP_MS, tcp_cb, a) != 0)
		s->tcp = "no";
}

/* The next question of the present address; then the next address. */
static void
next(struct audit *a)
{
	struct servercheck_ask what;
	struct asker_ask ask = {.fn = answer_cb, .arg = a};

	if (a->q.done)
		return;
	if (!servercheck_next(&a->list[a->at].check, &what)) {
		if (a->list[a->at].tcp == NULL)
			return; /* tcp_cb calls */
		if (++a->at == a->q.servers) {
			finish(a);
			return;
		}
		a->tries = 0;
		start_tcp(a);
		next(a);
		return;
	}
	ask.port = what.second ? a->second : 0;
	ask.to = what.to;
	ask.q = what.q;
	a->tries++;
	asker_ask(a->q.asker, &ask);
}

static void
begin_cb(void *arg)
{
	struct audit *a = arg;

	asker_believe_all(a->q.asker);
	if ((a->second = asker_open(a->q.asker)) < 0) {
		errno = -a->second;
		log_warn("no second port");
		inquiry_end(&a->q, EXIT_TEMP);
		return;
	}
	for (size_t i = 0; i < a->q.servers; i++)
		servercheck_init(&a->list[i].check, &a->q.server[i]);
	start_tcp(a);
	next(a);
}

static void
late_cb(void *arg)
{
	struct audit *a = arg;

	for (size_t i = a->at; i < a->q.servers; i++)
		a->list[i].why = "time";
	finish(a);
}

int
stun_command_check(int argc, char *argv[])
{
	static struct audit a;
	int code = 0;

	cmdline_parse(&a.o, argc, argv, ":46hjqvs:p:w:", usage, help);
	if (argc - optind != 1)
		option_fail("give one server");
	cmdline_server(&a.o, argv[optind]);
	if (!a.o.timed)
		a.o.wait_ms = WAIT_S * 1000;
	inquiry_start(&a.q, &a.o, begin_cb, late_cb, &a);
	code = inquiry_run(&a.q);
	if (!a.q.done)
		log_warnx("interrupted before all was asked");
	tcpask_free(a.tcp);
	inquiry_free(&a.q);
	return code;
}

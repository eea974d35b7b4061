/* SPDX-License-Identifier: ISC */
/* nat-probe: what nat-lab grade asks of a NAT and STUN can't: errors and
 * fragments that come back, packets too large for the way, and what keeps a
 * mapping alive (RFC 4787 sections 4.3, 10, 11). Client and server. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/errqueue.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "asked.h"
#include "drop.h"
#include "exitcode.h"
#include "log.h"
#include "loop.h"
#include "option.h"
#include "ready.h"
#include "record.h"
#include "udp.h"

#define PORT 7000
#define CLOSED_PORT 9 /* discard: nobody is there */
#define PORTS_MAX 128
#define EVERY_MS 4000u /* what goes out, of refresh; steps of silent */
#define LATE_MS 3700u  /* what comes in, after the last that went out */
#define TRY_MS 700u
#define HITS 2	       /* of icmp: ports for each sort of error */
#define SORTS 4	       /* of icmp */
#define HIT_MS 200u    /* of icmp: between two tries */
#define CALL_MS 2000u  /* of icmp: they are called back before */
#define GRACE_MS 3000u /* for calls that a busy machine makes late */
#define TRIES 4
#define MTU 1500
#define HEADERS 28 /* IPv4 and UDP */

enum question {
	REFRESH,
	SILENT,
	FRAGMENTS,
	UNREACHABLE,
	TTL,
	DF,
	BIG,
	ERROR,
	QUESTIONS
};

static const char *const questions[QUESTIONS] = {"refresh", "silent",
    "fragments", "unreachable", "ttl", "df", "big", "icmp"};

/* What hits a mapping, of icmp: one sort from the router behind the NAT, and
 * the others from the server. */
static const struct sort {
	const char *name;
	int error; /* type << 8 | code */
} sorts[SORTS] = {
    {"time-exceeded", ICMP_TIME_EXCEEDED << 8 | ICMP_EXC_TTL},
    {"port-unreachable", ICMP_DEST_UNREACH << 8 | ICMP_PORT_UNREACH},
    {"host-unreachable", ICMP_DEST_UNREACH << 8 | ICMP_HOST_UNREACH},
    {"parameter-problem", ICMP_PARAMETERPROB << 8},
};

struct probe;

/* A socket, and for refresh and silent the moment when it is called back. */
struct flow {
	struct probe *probe;
	struct event *readable;
	int fd;
	uint64_t call_ms;
	bool called;
	bool hit; /* by an ICMP error */
};

struct probe {
	struct loop loop;
	struct asked asked; /* of the server */
	struct flow flows[PORTS_MAX];
	unsigned n_flows;
	struct event *timer;
	struct addr server;
	enum question question;
	uint64_t begin_ms;
	uint32_t wait_s;
	unsigned sent;
	bool delivered;		/* of ttl: it got through */
	char from[ADDR_STRLEN]; /* of an ICMP error */
	char errors[96];	/* of icmp: the sorts that the answer is of */
	int ready_fd;
	bool json;
};

static const char usage[] =
    "nat-probe [-hjqv] [-w seconds] question server[:port]\n"
    "       nat-probe -b addr [-hqv] [-N fd] [-p port]";

static const char help[] =
    "  question  refresh, silent, fragments, unreachable, ttl, df, big or "
    "icmp\n"
    "  -w s      for refresh and silent: take so long (30)\n"
    "  -b addr   be the server, on this IPv4 address\n"
    "  -p port   its port (7000)\n"
    "  -N fd     write a newline to fd when ready\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

static void
answer(struct probe *p, const char *value, uint64_t after_s)
{
	struct record r;
	bool yes = strcmp(value, "yes") == 0;

	record_begin(&r, "probe");
	record_put(&r, "question", questions[p->question]);
	record_put(&r, "value", value);
	if (after_s != 0)
		record_put_u64(&r, "after_s", after_s);
	record_put(&r, "from", p->from);
	record_put_u64(&r, "sent", p->sent);
	record_put(&r, "errors", p->errors);
	record_write(&r, STDOUT_FILENO, p->json);
	loop_end(&p->loop, yes ? EXIT_YES : EXIT_NO);
}

static void
send_text(struct flow *f, const char *text, size_t len)
{
	char data[MTU] = {0};

	snprintf(data, sizeof(data), "%s", text);
	f->probe->sent++;
	if (send(f->fd, data, len, 0) == -1)
		log_debug("send: %s", strerror(errno));
}

/* What is sent once more until there is an answer. */
static void
ask(struct probe *p)
{
	struct flow *f = &p->flows[0];
	int ttl = p->delivered ? 1 : 2;

	switch (p->question) {
	case FRAGMENTS:
		send_text(f, ASKED_FRAGMENTS, 64);
		break;
	case BIG:
	case DF:
		send_text(f, ASKED_COUNT, MTU - HEADERS);
		break;
	case TTL:
		/* the second router is behind the NAT; if the NAT does not
		 * count itself, it is the first */
		setsockopt(f->fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
		send_text(f, ASKED_COUNT, 64);
		break;
	default:
		send_text(f, ASKED_COUNT, 64);
		break;
	}
}

static bool
has_moments(const struct probe *p)
{
	return p->question == REFRESH || p->question == SILENT ||
	       p->question == ERROR;
}

/* The first that was not called, or NULL. */
static const struct flow *
uncalled(const struct probe *p)
{
	for (unsigned i = 0; i < p->n_flows; i++)
		if (!p->flows[i].called)
			return &p->flows[i];
	return NULL;
}

/* All that have their moment behind them have been called, or not: the first
 * that was not tells how long a mapping lived. */
static void
refresh_answer(struct probe *p)
{
	const struct flow *f = uncalled(p);

	if (f != NULL)
		answer(p, "no", f->call_ms / 1000);
	else
		answer(p, "yes", p->flows[p->n_flows - 1].call_ms / 1000);
}

static void
refresh_step(struct probe *p)
{
	uint64_t last_ms = p->begin_ms + p->flows[p->n_flows - 1].call_ms;
	uint64_t now = now_ms();
	char text[64];

	if (uncalled(p) == NULL || now >= last_ms + GRACE_MS) {
		refresh_answer(p);
		return;
	}
	for (unsigned i = 0; i < p->n_flows; i++) {
		struct flow *f = &p->flows[i];

		if (p->question == SILENT && p->sent >= p->n_flows)
			break;
		snprintf(text, sizeof(text), ASKED_CALL " %llu",
		    (unsigned long long)f->call_ms);
		send_text(f, p->sent < p->n_flows ? text : ASKED_NOTHING, 64);
	}
	loop_at(p->timer,
	    now + EVERY_MS < last_ms ? now + EVERY_MS : last_ms + GRACE_MS);
}

/* The sorts that did come in, with the mapping alive after it (lives), or those
 * that ended it. Returns how many; -1 when two ports of a sort differ. */
static int
error_sorts(struct probe *p, bool lives)
{
	size_t len = 0;
	int n = 0;

	for (int i = 0; i < SORTS; i++) {
		const struct flow *f = &p->flows[i * HITS];

		if (f[0].called != f[1].called)
			return -1;
		if (f[0].called != lives || (lives && !(f[0].hit && f[1].hit)))
			continue;
		len +=
		    (size_t)snprintf(p->errors + len, sizeof(p->errors) - len,
			"%s%s", n > 0 ? "," : "", sorts[i].name);
		n++;
	}
	return n;
}

static void
error_answer(struct probe *p)
{
	int n = p->flows[SORTS * HITS].called ? error_sorts(p, false) : -1;

	/* the last one's address would stand for all */
	p->from[0] = '\0';
	if (n > 0)
		answer(p, "no", 0);
	else if (n == 0 && error_sorts(p, true) > 0)
		answer(p, "yes", 0);
	else {
		p->errors[0] = '\0';
		answer(p, "unknown", 0);
	}
}

static void
error_hit(struct flow *f, const struct sort *sort)
{
	char text[32];
	int ttl = 2;

	if (sort == sorts) {
		setsockopt(f->fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
		send_text(f, ASKED_NOTHING, 64);
		return;
	}
	snprintf(text, sizeof(text), ASKED_ERROR " %d", sort->error);
	send_text(f, text, 64);
}

/* First all ports ask to be called back. Then an error hits all but the last;
 * a port that is hit sends nothing more, which would make its mapping anew. */
static void
error_step(struct probe *p)
{
	uint64_t spent = now_ms() - p->begin_ms;

	if (spent > CALL_MS &&
	    (uncalled(p) == NULL || spent > CALL_MS + GRACE_MS)) {
		error_answer(p);
		return;
	}
	for (unsigned i = 0; i < p->n_flows; i++) {
		struct flow *f = &p->flows[i];

		if (p->sent < p->n_flows)
			send_text(f, ASKED_CALL " 1500", 64);
		else if (!f->hit && i < SORTS * HITS && spent < CALL_MS / 2)
			error_hit(f, &sorts[i / HITS]);
	}
	loop_at(p->timer, now_ms() + HIT_MS);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct probe *p = arg;

	(void)fd;
	(void)events;
	if (p->question == ERROR) {
		error_step(p);
		return;
	}
	if (has_moments(p)) {
		refresh_step(p);
		return;
	}
	if (p->sent >= TRIES) {
		answer(p, "no", 0);
		return;
	}
	ask(p);
	loop_at(p->timer, now_ms() + TRY_MS);
}

/* The ICMP error that is waiting, as type << 8 | code, or -1. */
static int
read_error(struct flow *f)
{
	char control[512], data[MTU];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct sock_extended_err e;
	struct sockaddr_in from;

	if (recvmsg(f->fd, &m, MSG_ERRQUEUE) == -1)
		return -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL;
	     c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR ||
		    c->cmsg_len < CMSG_LEN(sizeof(e) + sizeof(from)))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		memcpy(&from, CMSG_DATA(c) + sizeof(e), sizeof(from));
		if (e.ee_origin != SO_EE_ORIGIN_ICMP)
			continue;
		inet_ntop(AF_INET, &from.sin_addr, f->probe->from,
		    sizeof(f->probe->from));
		return e.ee_type << 8 | e.ee_code;
	}
	return -1;
}

static bool
is_wanted(const struct probe *p, int error)
{
	switch (p->question) {
	case UNREACHABLE:
		return error == (ICMP_DEST_UNREACH << 8 | ICMP_PORT_UNREACH);
	case TTL:
		return error == (ICMP_TIME_EXCEEDED << 8 | ICMP_EXC_TTL);
	case DF:
		return error == (ICMP_DEST_UNREACH << 8 | ICMP_FRAG_NEEDED);
	default:
		return false;
	}
}

static void
reply_in(struct flow *f, const char *data, size_t len)
{
	struct probe *p = f->probe;
	char wanted[32];

	snprintf(wanted, sizeof(wanted), ASKED_COUNTED " %d", MTU - HEADERS);
	p->delivered = true;
	if (has_moments(p)) {
		if (strncmp(data, ASKED_CALL, strlen(ASKED_CALL)) == 0)
			f->called = true;
		if (p->question != ERROR && uncalled(p) == NULL)
			refresh_answer(p);
	} else if (p->question == FRAGMENTS) {
		if (len == ASKED_FRAGMENTS_LEN && asked_pattern_is(data, len))
			answer(p, "yes", 0);
	} else if (p->question == BIG && strcmp(data, wanted) == 0)
		answer(p, "yes", 0);
}

static void
flow_cb(evutil_socket_t fd, short events, void *arg)
{
	struct flow *f = arg;
	char data[ASKED_FRAGMENTS_LEN + 2];
	ssize_t n;
	int error;

	(void)events;
	while ((error = read_error(f)) != -1) {
		f->hit = true;
		if (is_wanted(f->probe, error)) {
			answer(f->probe, "yes", 0);
			return;
		}
	}
	if (f->probe->question != ERROR)
		f->probe->from[0] = '\0';
	n = recv(fd, data, sizeof(data) - 1, 0);
	if (n == -1)
		return;
	data[n] = '\0';
	reply_in(f, data, (size_t)n);
}

/* DF is set for one question and clear for the rest. */
static void
flow_open(struct probe *p)
{
	struct flow *f = &p->flows[p->n_flows];
	struct sockaddr_storage to;
	socklen_t len = addr_to_sockaddr(&p->server, &to);
	int one = 1;
	int df = p->question == DF ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT;

	f->probe = p;
	f->call_ms = p->n_flows * EVERY_MS + LATE_MS;
	f->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd == -1 ||
	    setsockopt(f->fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)) ||
	    setsockopt(f->fd, IPPROTO_IP, IP_MTU_DISCOVER, &df, sizeof(df)) ||
	    connect(f->fd, (struct sockaddr *)&to, len) == -1)
		fatal(EXIT_TEMP, "socket");
	f->readable =
	    loop_event(&p->loop, f->fd, EV_READ | EV_PERSIST, flow_cb, f);
	event_add(f->readable, NULL);
	p->n_flows++;
}

static void
client_options(struct probe *p, char **operands)
{
	unsigned q = 0;

	while (q < QUESTIONS && strcmp(operands[0], questions[q]) != 0)
		q++;
	if (q == QUESTIONS)
		option_fail("%s: ask refresh, silent, fragments, unreachable, "
			    "ttl, df, big or icmp",
		    operands[0]);
	p->question = (enum question)q;
	if (addr_parse(&p->server, operands[1]) != 0 &&
	    addr_parse_ip(&p->server, operands[1], PORT) != 0)
		option_fail("%s is no address", operands[1]);
	if (p->server.family != ADDR_V4)
		option_fail("%s: only IPv4 is translated", operands[1]);
	if (p->question == UNREACHABLE)
		p->server.port = CLOSED_PORT;
}

static int
client(struct probe *p)
{
	unsigned n = 1;
	int code;

	if (p->question == ERROR)
		n = SORTS * HITS + 1;
	else if (has_moments(p) && p->wait_s * 1000 > EVERY_MS)
		n = (p->wait_s * 1000 - LATE_MS) / EVERY_MS + 1;
	loop_init(&p->loop, false);
	while (p->n_flows < n && p->n_flows < PORTS_MAX)
		flow_open(p);
	drop_all();
	p->begin_ms = now_ms();
	p->timer = loop_event(&p->loop, -1, 0, timer_cb, p);
	loop_at(p->timer, 0);
	code = loop_run(&p->loop);
	for (unsigned i = 0; i < p->n_flows; i++) {
		event_free(p->flows[i].readable);
		close(p->flows[i].fd);
	}
	event_free(p->timer);
	loop_free(&p->loop);
	return code;
}

static int
server(struct probe *p)
{
	int rc, code;

	loop_init(&p->loop, false);
	rc = asked_open(&p->asked, &p->loop, &p->server);
	errno = -rc;
	if (rc != 0)
		fatal(rc == -ENOMEM ? EXIT_TEMP : EXIT_USAGE,
		    "can't be the server (CAP_NET_RAW is needed)");
	drop_all();
	ready_tell(p->ready_fd);
	code = loop_run(&p->loop);
	asked_close(&p->asked);
	loop_free(&p->loop);
	return code;
}

int
main(int argc, char **argv)
{
	static struct probe p;
	bool serving = false;
	uint16_t port = PORT;
	int ch;

	log_init("nat-probe", 0);
	p.ready_fd = -1;
	p.wait_s = 30;
	option_begin(usage, help);
	while ((ch = option_next(argc, argv, ":b:hjN:p:qvw:")) != -1)
		switch (ch) {
		case 'b':
			serving = true;
			if (addr_parse_ip(&p.server, optarg, 0) != 0 ||
			    p.server.family != ADDR_V4)
				option_fail(
				    "-b wants an IPv4 address: %s", optarg);
			break;
		case 'j':
			p.json = true;
			break;
		case 'N':
			if ((p.ready_fd = ready_parse(optarg)) < 0)
				option_fail("-N wants an open descriptor above "
					    "2: %s",
				    optarg);
			break;
		case 'p':
			port = (uint16_t)option_number(
			    "-p", optarg, 1, UINT16_MAX);
			break;
		case 'w':
			p.wait_s = option_number("-w", optarg, 4, 500);
			break;
		}
	if (argc - optind != (serving ? 0 : 2))
		option_fail(serving ? "a server takes no operands"
				    : "give a question and a server");
	if (serving) {
		p.server.port = port;
		return server(&p);
	}
	client_options(&p, argv + optind);
	return client(&p);
}

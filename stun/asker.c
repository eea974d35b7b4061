/* SPDX-License-Identifier: ISC */
/* Asks one server questions from many ports, under a quota. */
#include "asker.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/errqueue.h>

#include "exitcode.h"
#include "log.h"

#define BATCH 64 /* messages a call: timers and signals have their turn too */
/* How long an answer is waited for: three round trips and what busy hosts
 * add. */
#define WAIT_UNKNOWN_MS 1000
#define WAIT_SLACK_MS 200
#define WAIT_MIN_MS 300
#define WAIT_MAX_MS 2500

enum ask_state {
	ASK_FREE,
	ASK_WAITS, /* for its turn */
	ASK_SENT,
};

struct ask {
	enum ask_state state;
	struct asker_ask what;
	uint64_t serial; /* the queue's order */
	uint8_t tid[STUN_TID_LEN];
	uint64_t sent_us;
	uint64_t end_ms;
};

struct lane {
	struct asker *asker;
	int index;
	struct port *port; /* NULL: free */
	bool own;	   /* reports ICMP errors */
	struct event *event[2];
};

struct asker {
	struct loop *loop;
	struct event *timer;
	struct lane lane[ASKER_PORTS];
	struct ask ask[ASKER_OPEN];
	uint64_t serial;
	size_t waiting;
	uint64_t free_ms; /* when the next question may leave */
	struct addr server[ASKER_ADDRESSES];
	size_t servers;
	bool credulous;
	struct asker_stats stats;
};

/* ---- the ends of a question */

/* The slot is free before the call, which may ask again. */
static void
finish(struct asker *a, struct ask *k, struct asker_result *r)
{
	struct asker_ask what = k->what;

	if (k->state == ASK_WAITS)
		a->waiting--;
	r->asked = what.port;
	r->to = what.to;
	r->sent_us = k->sent_us;
	if (r->outcome == ASKER_ANSWER || r->outcome == ASKER_SELF)
		r->rtt_us = (uint32_t)(now_us() - k->sent_us);
	*k = (struct ask){.state = ASK_FREE};
	what.fn(what.arg, r);
}

static struct ask *
find_tid(struct asker *a, const uint8_t *tid)
{
	for (size_t i = 0; i < ASKER_OPEN; i++)
		if (a->ask[i].state == ASK_SENT &&
		    memcmp(a->ask[i].tid, tid, STUN_TID_LEN) == 0)
			return &a->ask[i];
	return NULL;
}

static bool
is_plausible(const struct asker *a, const struct ask *k, const struct addr *s)
{
	if (a->credulous || addr_equal(s, &k->what.to))
		return true;
	for (size_t i = 0; i < a->servers; i++)
		if (addr_equal(s, &a->server[i]))
			return true;
	return false;
}

static void
measure(struct asker *a, const struct ask *k)
{
	uint32_t rtt_us = (uint32_t)(now_us() - k->sent_us);

	a->stats.answered++;
	if (a->stats.rtt_us == 0)
		a->stats.rtt_us = rtt_us > 0 ? rtt_us : 1;
	else /* RFC 6298 section 2.3, but quicker upwards */
		a->stats.rtt_us = rtt_us > a->stats.rtt_us
				      ? (a->stats.rtt_us + rtt_us) / 2
				      : (a->stats.rtt_us * 7 + rtt_us) / 8;
}

/* A request of our own that has come to a port of ours: a hairpin. Or what
 * was a response once: it proves that there are some. */
static void
take_other(struct asker *a, struct lane *l, const struct port_msg *m)
{
	struct asker_result r = {
	    .outcome = ASKER_SELF, .port = l->index, .from = m->remote};
	struct ask *k = find_tid(a, m->payload + 8); /* port.h: it is STUN */
	struct stun_msg msg;

	if (k == NULL)
		return;
	if (stun_parse(&msg, m->payload, m->len) != 0) {
		a->stats.broken += is_plausible(a, k, &m->remote);
		return;
	}
	/* a server that sends it back does not end it */
	if (msg.method == STUN_BINDING && msg.class == STUN_REQUEST &&
	    k->what.hairpin)
		finish(a, k, &r);
}

static void
take(struct asker *a, struct lane *l, const struct port_msg *m)
{
	struct answer answer;
	struct asker_result r = {.outcome = ASKER_ANSWER,
	    .port = l->index,
	    .answer = &answer,
	    .from = m->remote};
	struct addr local = m->local;
	uint8_t tid[STUN_TID_LEN];
	struct ask *k = NULL;

	local.port = port_number(l->port);
	if (answer_parse(
		&answer, tid, m->payload, m->len, &m->remote, &local) != 0) {
		take_other(a, l, m);
		return;
	}
	if ((k = find_tid(a, tid)) == NULL)
		return;
	if (!is_plausible(a, k, &m->remote)) {
		a->stats.foreign++;
		return;
	}
	measure(a, k);
	finish(a, k, &r);
}

/* The system could not send from a lent port: whatever waits for an answer
 * from there can stop. */
static void
take_error(struct asker *a, struct lane *l, const struct port_msg *m)
{
	struct asker_result r = {.outcome = ASKER_UNSENT, .port = -1};

	r.error = m->error == PORT_E_UNREACHABLE ? -ENETUNREACH
		  : m->error == PORT_E_DENIED	 ? -EACCES
						 : -EIO;
	for (size_t i = 0; i < ASKER_OPEN; i++) {
		struct ask *k = &a->ask[i];

		if (k->state == ASK_SENT && k->what.port == l->index &&
		    addr_equal(&k->what.to, &m->remote)) {
			finish(a, k, &r);
			return;
		}
	}
}

/* ---- ICMP errors, from the error queue of an own socket */

struct icmp {
	uint8_t data[STUN_HEADER_LEN];
	size_t len;
	struct addr to;
	struct addr from;
	int error; /* type << 8 | code */
};

static int
read_reporter(struct msghdr *mh, struct icmp *out)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL;
	     c = CMSG_NXTHDR(mh, c)) {
		bool v4 =
		    c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
		bool v6 = c->cmsg_level == IPPROTO_IPV6 &&
			  c->cmsg_type == IPV6_RECVERR;
		struct {
			struct sock_extended_err err;
			union {
				struct sockaddr sa;
				struct sockaddr_in in;
				struct sockaddr_in6 in6;
			} from;
		} e = {0};
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if ((!v4 && !v6) || len < sizeof(e.err))
			continue;
		memcpy(&e, CMSG_DATA(c), len < sizeof(e) ? len : sizeof(e));
		if (e.err.ee_origin != SO_EE_ORIGIN_ICMP &&
		    e.err.ee_origin != SO_EE_ORIGIN_ICMP6)
			return -ENOMSG;
		out->error = e.err.ee_type << 8 | e.err.ee_code;
		if (addr_from_sockaddr(&out->from, &e.from.sa) != 0)
			out->from = (struct addr){0};
		return 0;
	}
	return -ENOMSG;
}

/* Returns 0, -ENOMSG for one to be ignored, -EAGAIN when there is none. */
static int
read_icmp(int fd, struct icmp *out)
{
	union {
		char buf[512];
		struct cmsghdr align;
	} control;
	struct sockaddr_storage ss = {0};
	struct iovec iov = {.iov_base = out->data, sizeof(out->data)};
	struct msghdr mh = {
	    .msg_name = &ss,
	    .msg_namelen = sizeof(ss),
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof(control.buf),
	};
	ssize_t n = recvmsg(fd, &mh, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (n == -1)
		return -EAGAIN;
	out->len = (size_t)n;
	if (addr_from_sockaddr(&out->to, (struct sockaddr *)&ss) != 0)
		return -ENOMSG;
	return read_reporter(&mh, out);
}

/* Routers quote at least 8 bytes of what they drop (RFC 792), which is the
 * UDP header; most quote enough to tell which question it was. */
static struct ask *
find_icmp(struct asker *a, const struct lane *l, const struct icmp *i)
{
	for (size_t n = 0; n < ASKER_OPEN; n++) {
		struct ask *k = &a->ask[n];

		if (k->state != ASK_SENT || k->what.port != l->index ||
		    !addr_equal(&k->what.to, &i->to))
			continue;
		if (i->len < STUN_HEADER_LEN ||
		    memcmp(i->data + 8, k->tid, STUN_TID_LEN) == 0)
			return k;
	}
	return NULL;
}

static void
take_icmp(struct asker *a, struct lane *l)
{
	int fds[2], n = port_fds(l->port, fds);

	for (int f = 0; f < n; f++) {
		struct icmp i = {0};
		int err = 0;

		for (int tries = 0; tries < BATCH && err != -EAGAIN; tries++) {
			struct asker_result r = {
			    .outcome = ASKER_ICMP, .port = -1};
			struct ask *k = NULL;

			if ((err = read_icmp(fds[f], &i)) != 0 ||
			    (k = find_icmp(a, l, &i)) == NULL)
				continue;
			r.from = i.from;
			r.error = i.error;
			finish(a, k, &r);
			if (l->port == NULL) /* closed from that call */
				return;
		}
	}
}

/* ---- ports */

static void
read_cb(evutil_socket_t fd, short events, void *arg)
{
	struct lane *l = arg;
	struct asker *a = l->asker;
	uint8_t buf[PORT_MAX];
	struct port_msg m;
	int r = 1;

	(void)fd;
	(void)events;
	if (l->own)
		take_icmp(a, l);
	for (int n = 0; n < BATCH && r == 1 && l->port != NULL; n++) {
		if ((r = port_recv(l->port, &m, buf)) != 1)
			break;
		if (m.op == PORT_ERROR)
			take_error(a, l, &m);
		else
			take(a, l, &m);
	}
	if (r >= 0)
		return;
	log_fatalx("the port socket is gone: has nat-port ended?");
	loop_end(a->loop, EXIT_TEMP);
}

/* Long questions leave in fragments whatever path MTU was learned, and errors
 * are reported. An option that is not there costs only that. */
static void
set_options(const struct port *p)
{
	int fds[2], n = port_fds(p, fds), on = 1;

	for (int i = 0; i < n; i++) {
		int v4 = IP_PMTUDISC_DONT, v6 = IPV6_PMTUDISC_DONT;

		setsockopt(
		    fds[i], IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4));
		setsockopt(
		    fds[i], IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6));
		setsockopt(fds[i], IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
		setsockopt(fds[i], IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	}
}

static void
lane_start(struct asker *a, int index, struct port *port, bool own)
{
	struct lane *l = &a->lane[index];
	int fds[2], n = port_fds(port, fds);

	*l =
	    (struct lane){.asker = a, .index = index, .port = port, .own = own};
	if (own)
		set_options(port);
	for (int i = 0; i < n; i++) {
		l->event[i] = loop_event(
		    a->loop, fds[i], EV_READ | EV_PERSIST, read_cb, l);
		event_add(l->event[i], NULL);
	}
}

static void
lane_stop(struct lane *l)
{
	for (int i = 0; i < 2; i++)
		if (l->event[i] != NULL)
			event_free(l->event[i]);
	port_free(l->port);
	l->event[0] = l->event[1] = NULL;
	l->port = NULL;
}

int
asker_open(struct asker *a)
{
	struct port *p = NULL;
	int err = 0;

	for (int i = 1; i < ASKER_PORTS; i++) {
		if (a->lane[i].port != NULL)
			continue;
		if ((err = port_bind(&p, 0)) != 0)
			return err;
		lane_start(a, i, p, true);
		return i;
	}
	return -ENOSPC;
}

static void
drop(struct asker *a, struct ask *k)
{
	if (k->state == ASK_WAITS)
		a->waiting--;
	k->state = ASK_FREE;
}

static bool
is_open(const struct asker *a, int index)
{
	return index >= 0 && index < ASKER_PORTS && a->lane[index].port != NULL;
}

void
asker_close(struct asker *a, int index)
{
	if (index == 0 || !is_open(a, index))
		return;
	for (size_t i = 0; i < ASKER_OPEN; i++)
		if (a->ask[i].what.port == index)
			drop(a, &a->ask[i]);
	lane_stop(&a->lane[index]);
}

uint16_t
asker_number(const struct asker *a, int index)
{
	return is_open(a, index) ? port_number(a->lane[index].port) : 0;
}

bool
asker_has_family(const struct asker *a, int index, int family)
{
	return is_open(a, index) &&
	       port_has_family(a->lane[index].port, family);
}

/* ---- the queue */

uint32_t
asker_wait_ms(const struct asker *a)
{
	uint32_t ms = a->stats.rtt_us / 1000 * 3 + WAIT_SLACK_MS;

	if (a->stats.rtt_us == 0)
		return WAIT_UNKNOWN_MS;
	if (ms < WAIT_MIN_MS)
		return WAIT_MIN_MS;
	return ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms;
}

static struct ask *
oldest(struct asker *a)
{
	struct ask *k = NULL;

	for (size_t i = 0; i < ASKER_OPEN; i++)
		if (a->ask[i].state == ASK_WAITS &&
		    (k == NULL || a->ask[i].serial < k->serial))
			k = &a->ask[i];
	return k;
}

/* An ICMP error for an earlier datagram fails one send in its place, so it is
 * tried again; the error itself stays in the queue for take_icmp. */
static int
send_now(struct asker *a, struct ask *k)
{
	struct lane *l = &a->lane[k->what.port];
	uint8_t data[QUESTION_MAX];
	int n = question_build(&k->what.q, k->tid, data, sizeof(data));
	int err = n;
	const struct addr *local =
	    k->what.local.family != ADDR_NONE ? &k->what.local : NULL;

	for (int tries = 0; n > 0 && tries < 3; tries++) {
		err = port_send(
		    l->port, &k->what.to, local, k->what.ttl, data, (size_t)n);
		if (err == 0 || err == -EAGAIN)
			return 0; /* a full socket: lost, as on any network */
		if (!l->own)
			break;
	}
	return err;
}

static void
send_next(struct asker *a)
{
	struct asker_result r = {.outcome = ASKER_UNSENT, .port = -1};
	struct ask *k = oldest(a);
	int err = 0;

	if (k == NULL)
		return;
	if ((err = send_now(a, k)) != 0) {
		r.error = err;
		finish(a, k, &r);
		return;
	}
	a->waiting--;
	a->free_ms = now_ms() + ASKER_GAP_MS;
	a->stats.sent++;
	k->state = ASK_SENT;
	k->sent_us = now_us();
	k->end_ms = k->sent_us / 1000 +
		    (k->what.wait_ms > 0 ? k->what.wait_ms : asker_wait_ms(a));
}

static void
time_out(struct asker *a)
{
	uint64_t now = now_ms();

	for (size_t i = 0; i < ASKER_OPEN; i++) {
		struct asker_result r = {.outcome = ASKER_TIMEOUT, .port = -1};

		if (a->ask[i].state == ASK_SENT && now >= a->ask[i].end_ms)
			finish(a, &a->ask[i], &r);
	}
}

static void
arm(struct asker *a)
{
	uint64_t next = a->waiting > 0 ? a->free_ms : UINT64_MAX;

	for (size_t i = 0; i < ASKER_OPEN; i++)
		if (a->ask[i].state == ASK_SENT && a->ask[i].end_ms < next)
			next = a->ask[i].end_ms;
	if (next != UINT64_MAX)
		loop_at(a->timer, next);
}

/* Answers that are here already are read before anything is called a
 * time-out: this process may have been kept from running. */
static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct asker *a = arg;

	(void)fd;
	(void)events;
	for (int i = 0; i < ASKER_PORTS; i++)
		if (a->lane[i].port != NULL)
			read_cb(-1, 0, &a->lane[i]);
	time_out(a);
	if (a->waiting > 0 && now_ms() >= a->free_ms)
		send_next(a);
	arm(a);
}

int
asker_ask(struct asker *a, const struct asker_ask *ask)
{
	if (!is_open(a, ask->port) || ask->fn == NULL)
		return -EINVAL;
	for (size_t i = 0; i < ASKER_OPEN; i++) {
		struct ask *k = &a->ask[i];

		if (k->state != ASK_FREE)
			continue;
		*k = (struct ask){
		    .state = ASK_WAITS, .what = *ask, .serial = a->serial++};
		stun_new_tid(k->tid);
		a->waiting++;
		arm(a);
		return 0;
	}
	return -ENOSPC;
}

void
asker_forget(struct asker *a, const void *arg)
{
	for (size_t i = 0; i < ASKER_OPEN; i++)
		if (a->ask[i].what.arg == arg)
			drop(a, &a->ask[i]);
}

uint64_t
asker_sends_at(const struct asker *a)
{
	uint64_t now = now_ms();

	return (a->free_ms > now ? a->free_ms : now) +
	       a->waiting * ASKER_GAP_MS;
}

struct asker_stats
asker_stats(const struct asker *a)
{
	return a->stats;
}

/* ---- start and end */

int
asker_believe(struct asker *a, const struct addr *server)
{
	for (size_t i = 0; i < a->servers; i++)
		if (addr_equal(&a->server[i], server))
			return 0;
	if (a->servers == ASKER_ADDRESSES)
		return -ENOSPC;
	a->server[a->servers++] = *server;
	return 0;
}

void
asker_believe_all(struct asker *a)
{
	a->credulous = true;
}

int
asker_new(
    struct asker **out, struct loop *loop, struct port *first, bool shared)
{
	struct asker *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return -ENOMEM;
	a->loop = loop;
	a->timer = loop_event(loop, -1, 0, timer_cb, a);
	lane_start(a, 0, first, !shared);
	*out = a;
	return 0;
}

void
asker_free(struct asker *a)
{
	if (a == NULL)
		return;
	event_free(a->timer);
	for (int i = 0; i < ASKER_PORTS; i++)
		lane_stop(&a->lane[i]);
	free(a);
}

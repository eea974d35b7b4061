/* SPDX-License-Identifier: ISC */
/* "host:port" to a list of endpoints of both families, without blocking:
 * libevent's evdns, which reads /etc/hosts and /etc/resolv.conf itself. */
#include "resolve.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct resolver {
	struct loop *loop;
	struct evdns_base *dns;
	struct resolve *queries;
	int owed; /* evdns calls back once for each, cancelled or not */
};

struct resolve {
	struct resolver *resolver;
	struct resolve *next;
	struct event *timer;
	struct evdns_getaddrinfo_request *req;
	resolve_fn *fn; /* NULL: cancelled */
	void *arg;
	uint16_t port;
	bool owed;
	bool done; /* the timer delivers */
	int error;
	size_t n;
	struct addr list[RESOLVE_MAX];
};

/* Names as DNS has them for hosts, and "_" which some nets use. */
static bool
host_ok(const char *host, size_t len)
{
	struct addr a;
	bool number = true;

	if (len == 0 || len >= RESOLVE_HOST)
		return false;
	for (size_t i = 0; i < len; i++) {
		char ch = host[i];

		if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
		    ch == '-' || ch == '_')
			number = false;
		else if (!(ch >= '0' && ch <= '9') && ch != '.')
			return false;
	}
	/* all digits and dots is an address or a slip, never a name */
	return !number || addr_parse_ip(&a, host, 0) == 0;
}

static int
port_parse(const char *text, uint16_t *out)
{
	unsigned long v = 0;

	if (*text == '\0' || strlen(text) > 5)
		return -EBADMSG;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EBADMSG;
		v = v * 10 + (unsigned long)(*text - '0');
	}
	if (v == 0 || v > 65535)
		return -EBADMSG;
	*out = (uint16_t)v;
	return 0;
}

int
resolve_parse(const char *text, uint16_t default_port, char host[RESOLVE_HOST],
    uint16_t *port)
{
	const char *first = strchr(text, ':'), *last = strrchr(text, ':');
	const char *end = text + strlen(text), *close = strchr(text, ']');
	uint16_t p = default_port;
	size_t len = 0;
	struct addr a;
	bool v6 = false;

	if (*text == '[') {
		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return -EBADMSG;
		last = close[1] == ':' ? close + 1 : NULL;
		end = close;
		text++;
		v6 = true;
	} else if (first != NULL && first != last) {
		last = NULL; /* an IPv6 address alone */
		v6 = true;
	} else if (last != NULL) {
		end = last;
	}
	if (last != NULL && port_parse(last + 1, &p) != 0)
		return -EBADMSG;
	len = (size_t)(end - text);
	if (len >= RESOLVE_HOST)
		return -EBADMSG;
	memcpy(host, text, len);
	host[len] = '\0';
	if (v6 ? addr_parse_ip(&a, host, 0) != 0 : !host_ok(host, len))
		return -EBADMSG;
	*port = p;
	return 0;
}

static void
query_free(struct resolve *q)
{
	struct resolve **p = &q->resolver->queries;

	while (*p != q)
		p = &(*p)->next;
	*p = q->next;
	event_free(q->timer);
	free(q);
}

static void
query_add(struct resolve *q, const struct sockaddr *sa)
{
	struct addr a;

	if (q->n == RESOLVE_MAX || addr_from_sockaddr(&a, sa) != 0)
		return;
	a.port = q->port;
	if (!addr_is_sendable(&a))
		return;
	for (size_t i = 0; i < q->n; i++)
		if (addr_equal(&q->list[i], &a))
			return;
	q->list[q->n++] = a;
}

static int
query_error(int eai)
{
	switch (eai) {
	case 0:
	case EVUTIL_EAI_NONAME:
#if EVUTIL_EAI_NODATA != EVUTIL_EAI_NONAME
	case EVUTIL_EAI_NODATA:
#endif
		return -ENOENT;
	default:
		return -EAGAIN;
	}
}

/* evdns may call this from within evdns_getaddrinfo, so the result waits for
 * the timer: the caller's fn never runs inside resolve_start. */
static void
evdns_cb(int eai, struct evutil_addrinfo *res, void *arg)
{
	struct resolve *q = arg;

	q->req = NULL;
	q->owed = false;
	q->resolver->owed--;
	for (struct evutil_addrinfo *ai = res; ai != NULL; ai = ai->ai_next)
		query_add(q, ai->ai_addr);
	if (res != NULL)
		evutil_freeaddrinfo(res);
	if (q->fn == NULL) {
		query_free(q);
		return;
	}
	q->error = q->n > 0 ? 0 : query_error(eai);
	q->done = true;
	loop_at(q->timer, 0);
}

void
resolve_cancel(struct resolve *q)
{
	if (q == NULL)
		return;
	q->fn = NULL;
	event_del(q->timer);
	if (!q->owed)
		query_free(q);
	else if (q->req != NULL)
		evdns_getaddrinfo_cancel(q->req); /* evdns_cb frees q */
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct resolve *q = arg;
	resolve_fn *fn = q->fn;
	void *fn_arg = q->arg;

	(void)fd;
	(void)events;
	if (!q->done) {
		resolve_cancel(q);
		fn(fn_arg, -ETIMEDOUT, NULL, 0);
		return;
	}
	q->fn = NULL;
	fn(fn_arg, q->error, q->list, q->n);
	query_free(q);
}

static void
silent(int warn, const char *text)
{
	(void)warn;
	(void)text;
}

/* The system's files are read again whenever nobody waits: a network change
 * often changes the name servers too. */
static int
resolver_load(struct resolver *r)
{
	if (r->dns != NULL && r->owed > 0)
		return 0;
	if (r->dns != NULL)
		evdns_base_free(r->dns, 0);
	evdns_set_log_fn(silent);
	r->dns =
	    evdns_base_new(r->loop->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (r->dns == NULL)
		return -ENOMEM;
	/* a missing file leaves 127.0.0.1, as resolv.conf(5) has it */
	evdns_base_resolv_conf_parse(
	    r->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	evdns_base_set_option(r->dns, "timeout:", "1");
	evdns_base_set_option(r->dns, "attempts:", "3");
	/* some servers never answer for AAAA: don't wait long for them */
	evdns_base_set_option(r->dns, "getaddrinfo-allow-skew:", "0.5");
	/* home routers that fold case would look like no answer */
	evdns_base_set_option(r->dns, "randomize-case:", "0");
	return 0;
}

int
resolver_new(struct resolver **out, struct loop *l)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->loop = l;
	*out = r;
	return 0;
}

void
resolver_free(struct resolver *r)
{
	struct resolve *next = NULL;

	if (r == NULL)
		return;
	for (struct resolve *q = r->queries; q != NULL; q = next) {
		next = q->next;
		if (q->fn != NULL)
			resolve_cancel(q);
	}
	/* evdns reports cancelled requests from the loop, and what it has
	 * allocated for one goes only then */
	for (int i = 0; i < 16 && r->owed > 0; i++)
		event_base_loop(r->loop->base, EVLOOP_NONBLOCK);
	if (r->dns != NULL)
		evdns_base_free(r->dns, 0);
	event_base_loop(r->loop->base, EVLOOP_NONBLOCK);
	free(r);
}

static int
query_dns(struct resolve *q, const char *host)
{
	struct evutil_addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_DGRAM,
	    .ai_protocol = IPPROTO_UDP,
	};
	struct evdns_getaddrinfo_request *req = NULL;

	if (resolver_load(q->resolver) != 0)
		return -ENOMEM;
	q->owed = true;
	q->resolver->owed++;
	req = evdns_getaddrinfo(
	    q->resolver->dns, host, NULL, &hints, evdns_cb, q);
	if (q->owed)
		q->req = req;
	return 0;
}

int
resolve_start(struct resolve **out, struct resolver *r, const char *text,
    uint16_t default_port, uint32_t timeout_ms, resolve_fn *fn, void *arg)
{
	char host[RESOLVE_HOST];
	struct resolve *q = NULL;
	uint16_t port = 0;
	int err = resolve_parse(text, default_port, host, &port);

	if (err != 0)
		return err;
	if ((q = calloc(1, sizeof(*q))) == NULL)
		return -ENOMEM;
	q->resolver = r;
	q->fn = fn;
	q->arg = arg;
	q->port = port;
	q->timer = loop_event(r->loop, -1, 0, timer_cb, q);
	q->next = r->queries;
	r->queries = q;
	loop_at(q->timer, now_ms() + timeout_ms);
	if (addr_parse_ip(&q->list[0], host, port) == 0) {
		q->n = addr_is_sendable(&q->list[0]) ? 1 : 0;
		q->error = q->n > 0 ? 0 : -ENOENT;
		q->done = true;
		loop_at(q->timer, 0);
	} else if ((err = query_dns(q, host)) != 0) {
		query_free(q);
		return err;
	}
	*out = q;
	return 0;
}

const char *
resolve_error(int error)
{
	switch (error) {
	case 0:
		return "ok";
	case -ENOENT:
		return "no such name";
	case -ETIMEDOUT:
		return "time-out of the name servers";
	case -EBADMSG:
		return "not host:port";
	default:
		return "the name servers gave no answer";
	}
}

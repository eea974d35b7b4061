/* SPDX-License-Identifier: ISC */
/* nat-stund's two ends of the twin link on their sockets. */
#include "twinlink.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "borrower.h"
#include "exitcode.h"
#include "lender.h"
#include "log.h"
#include "option.h"

#define LOOKUP_MS 10000
/* While the link is down its name is looked up so often. */
#define LOOKUP_AGAIN_MS 10000
#define BATCH 64 /* datagrams, before others get their turn */

struct twinlink {
	struct worker *worker;
	struct twinlink_config config;
	struct borrower *borrower;
	struct lender *lender; /* NULL: another process has it */
	struct resolver *resolver;
	struct resolve *lookup;
	struct twin_places own;
	struct addr peer; /* ADDR_NONE: not known yet */
	int fd;
	struct event *readable, *timer, *again;
	struct addr lent4, lent6; /* P1, as it was told last */
	bool up, odd, warned;
	uint8_t out[TWIN_MAX];
};

void
twinlink_options(struct twin_keys *keys, const char **peer, const char *text,
    const char *keyfile, uint16_t port)
{
	char copy[KEY_STRLEN + RESOLVE_HOST + 16], *host, *port_text;
	uint8_t theirs[KEY_LEN], pub[KEY_LEN];
	uint8_t *secret;
	int rc = -EBADMSG;

	if (strlen(text) < sizeof(copy)) {
		memcpy(copy, text, strlen(text) + 1);
		rc = key_parse_server(copy, theirs, &host, &port_text);
	}
	if (rc == -EINVAL)
		option_fail("-O %s: this key is weak; give the twin's public "
			    "key",
		    text);
	if (rc != 0)
		option_fail("-O %s: give KEY@host:port, with the twin's public "
			    "key in base64",
		    text);
	if (option_number("-O KEY@host:port", port_text, 1, UINT16_MAX) != port)
		option_fail("-O %s: the twin must have our ports; its -p is to "
			    "be %u",
		    text, port);
	secret = option_key(keyfile, pub);
	if (twin_keys_init(keys, secret, pub, theirs) != 0)
		option_fail(
		    "-O %s: this is our own key; give the twin's", text);
	sodium_free(secret);
	*peer = text + KEY_STRLEN; /* 44 characters and the @ */
}

const struct addr *
twinlink_place(const struct twinlink *t, int family)
{
	return borrower_places(t->borrower, family);
}

static bool
lend(struct twinlink *t, int family, struct addr *told)
{
	const struct addr *p = twinlink_place(t, family);
	struct addr now = {.family = ADDR_NONE};
	bool same;

	if (p != NULL)
		now = p[0];
	same = addr_equal(&now, told);
	*told = now;
	if (same)
		return false;
	responder_lend(&t->worker->responder, family, p,
	    p == NULL ? NULL : &p[RESPONDER_PORT2]);
	return true;
}

/* Once, until the link has been up. */
static void
complain(struct twinlink *t, const char *why)
{
	if (t->config.lends && !t->warned)
		log_warnx("-O %s: %s", t->config.peer, why);
	t->warned = true;
}

/* Tells the responder, and who wants to know, what has changed. */
static void
notice(struct twinlink *t)
{
	bool changed = lend(t, ADDR_V4, &t->lent4), was_up = t->up;

	changed = lend(t, ADDR_V6, &t->lent6) || changed;
	if (t->borrower->odd)
		complain(t, "it has other ports than we, or our address, or no "
			    "family that we have");
	t->odd = t->borrower->odd;
	if (!changed)
		return;
	t->up = t->lent4.family != ADDR_NONE || t->lent6.family != ADDR_NONE;
	if (t->config.changed != NULL)
		t->config.changed(t->config.arg);
	t->warned = !t->up; /* who is told of that says so */
	tally_add(t->worker->tally, TALLY_twin_up,
	    (uint64_t)t->up - (uint64_t)was_up);
	if (!t->up)
		loop_at(t->again, now_ms() + LOOKUP_AGAIN_MS);
}

static void
transmit(struct twinlink *t, size_t len)
{
	if (t->fd != -1 && send(t->fd, t->out, len, MSG_DONTWAIT) == -1 &&
	    errno == ECONNREFUSED)
		borrower_refused(t->borrower, now_ms());
}

/* All that is due, and the time of what follows. */
static void
run(struct twinlink *t)
{
	uint64_t at_ms;
	size_t len;

	if (t->fd == -1)
		return;
	while ((len = borrower_step(
		    t->borrower, now_ms(), wall_ns(), t->out, &at_ms)) > 0)
		transmit(t, len);
	notice(t);
	loop_at(t->timer, at_ms);
}
_Static_assert(TALLY_twin_hello + LENDER_OUTCOMES_N - 1 == TALLY_twin_limited,
    "what becomes of a message is counted");

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	run(arg);
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct twinlink *t = arg;
	uint8_t data[TWIN_MAX + 1];

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

		if (n >= 0)
			borrower_input(t->borrower, data, (size_t)n, now_ms());
		else if (errno == ECONNREFUSED)
			borrower_refused(t->borrower, now_ms());
		else
			break;
	}
	run(t);
}

static const struct addr *
own_places(const struct twinlink *t, int family)
{
	return family == ADDR_V4 ? t->own.v4 : t->own.v6;
}

static void
hang_up(struct twinlink *t)
{
	if (t->readable != NULL)
		event_free(t->readable);
	t->readable = NULL;
	if (t->fd != -1)
		close(t->fd);
	t->fd = -1;
}

/* A port of its own: what comes there is from the twin's P1, or is dropped by
 * the system. */
static int
connect_to(struct twinlink *t, const struct addr *peer)
{
	struct addr from = own_places(t, peer->family)[0];
	struct sockaddr_storage ss;
	socklen_t len;
	int rc;

	hang_up(t);
	from.port = 0;
	len = addr_to_sockaddr(&from, &ss);
	t->fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    IPPROTO_UDP);
	if (t->fd == -1 || bind(t->fd, (struct sockaddr *)&ss, len) == -1)
		goto fail;
	len = addr_to_sockaddr(peer, &ss);
	if (connect(t->fd, (struct sockaddr *)&ss, len) == -1)
		goto fail;
	t->peer = *peer;
	t->readable = loop_event(
	    t->worker->loop, t->fd, EV_READ | EV_PERSIST, readable_cb, t);
	event_add(t->readable, NULL);
	return 0;
fail:
	rc = -errno;
	hang_up(t);
	return rc;
}

/* The first address of a family that we have ourselves. */
static void
found_cb(void *arg, int error, const struct addr *list, size_t n)
{
	struct twinlink *t = arg;
	int rc = -EADDRNOTAVAIL;
	size_t i;

	t->lookup = NULL;
	if (!t->up)
		loop_at(t->again, now_ms() + LOOKUP_AGAIN_MS);
	if (error != 0) {
		complain(t, resolve_error(error));
		return;
	}
	for (i = 0; i < n; i++)
		if (own_places(t, list[i].family)[0].family != ADDR_NONE)
			break;
	if (i < n && t->fd != -1 && addr_equal(&list[i], &t->peer))
		return;
	if (i < n)
		rc = connect_to(t, &list[i]);
	if (rc != 0)
		complain(t, strerror(-rc));
	run(t);
}

static void
again_cb(evutil_socket_t fd, short events, void *arg)
{
	struct twinlink *t = arg;

	(void)fd;
	(void)events;
	if (t->up || t->lookup != NULL)
		return;
	if (t->fd != -1 && !t->odd)
		complain(t, "no answer; does it run with our public key in its "
			    "-O, and may UDP pass?");
	if (resolve_start(&t->lookup, t->resolver, t->config.peer,
		RESOLVE_STUN_PORT, LOOKUP_MS, found_cb, t) != 0) {
		t->lookup = NULL;
		loop_at(t->again, now_ms() + LOOKUP_AGAIN_MS);
	}
}

/* What came to one of our places, for the lender. */
static void
receive_cb(void *arg, const struct path *from, const uint8_t *data, size_t len)
{
	struct twinlink *t = arg;
	struct worker *w = t->worker;
	struct lender_action act;
	enum lender_outcome rc =
	    lender_input(t->lender, data, len, w->now_ms, t->out, &act);

	if (rc == LENDER_lent &&
	    !responder_may_send(&w->responder, &act.order.to))
		rc = LENDER_unfit;
	tally_add(w->tally, TALLY_twin_hello + (unsigned int)rc, 1);
	if (act.len > 0)
		worker_send(w, sockets_place(from->socket), &from->remote,
		    t->out, act.len);
	if (rc == LENDER_hello) {
		borrower_hint(t->borrower, w->now_ms);
		run(t);
	}
	if (rc == LENDER_lent)
		worker_send(w, act.order.port ? RESPONDER_PORT2 : 0,
		    &act.order.to, act.order.data, act.order.len);
}

/* An answer of ours that is to leave from the twin's place. */
static void
send_cb(void *arg, uint8_t place, const struct addr *to, const uint8_t *data,
    size_t len)
{
	struct twinlink *t = arg;
	struct twin_order o = {.port = place & RESPONDER_PORT2,
	    .to = *to,
	    .data = data,
	    .len = len};
	int n = borrower_lend(
	    t->borrower, &o, t->worker->now_ms, t->out, sizeof(t->out));

	if (n == -EAGAIN)
		tally_add(t->worker->tally, TALLY_twin_limited, 1);
	if (n <= 0)
		return;
	tally_add(t->worker->tally, TALLY_twin_borrowed, 1);
	transmit(t, (size_t)n);
}

static int
start_ends(struct twinlink *t)
{
	const struct responder_config *c = &t->worker->responder.config;

	for (int i = 0; i < TWIN_PORTS; i++) {
		t->own.v4[i] = c->v4.place[i];
		t->own.v6[i] = c->v6.place[i];
	}
	t->borrower = sodium_malloc(sizeof(*t->borrower));
	if (t->borrower == NULL)
		return -ENOMEM;
	borrower_init(t->borrower, t->config.keys, &t->own, now_ms());
	if (!t->config.lends)
		return 0;
	t->lender = sodium_malloc(sizeof(*t->lender));
	if (t->lender == NULL)
		return -ENOMEM;
	return lender_init(
	    t->lender, t->config.keys, &t->own, c->rate, now_ms());
}

int
twinlink_start(struct twinlink **out, struct worker *w,
    const struct twinlink_config *config)
{
	struct twinlink *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL)
		return -ENOMEM;
	t->worker = w;
	t->config = *config;
	t->fd = -1;
	t->timer = loop_event(w->loop, -1, 0, timer_cb, t);
	t->again = loop_event(w->loop, -1, 0, again_cb, t);
	rc = start_ends(t);
	if (rc == 0)
		rc = resolver_new(&t->resolver, w->loop);
	if (rc != 0) {
		twinlink_stop(t);
		return rc;
	}
	w->twin = (struct worker_twin){
	    .receive = t->lender == NULL ? NULL : receive_cb,
	    .send = send_cb,
	    .arg = t,
	};
	again_cb(-1, 0, t);
	*out = t;
	return 0;
}

void
twinlink_stop(struct twinlink *t)
{
	if (t == NULL)
		return;
	t->worker->twin = (struct worker_twin){.arg = NULL};
	resolve_cancel(t->lookup);
	hang_up(t);
	event_free(t->timer);
	event_free(t->again);
	if (t->resolver != NULL)
		resolver_free(t->resolver);
	if (t->borrower != NULL)
		borrower_free(t->borrower);
	if (t->lender != NULL)
		lender_free(t->lender);
	sodium_free(t->borrower);
	sodium_free(t->lender);
	free(t);
}

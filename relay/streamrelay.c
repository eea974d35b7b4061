/* SPDX-License-Identifier: ISC */
/* The connection to one relay. */
#include "streamrelay.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "bindrequest.h"
#include "credential.h"
#include "cursor.h"
#include "log.h"
#include "stun.h"

#define ENDPOINTS 2
#define RACERS (2 * ENDPOINTS)
#define STEADY_MS 3000

struct racer {
	struct streamrelay *owner;
	struct conn *conn;   /* NULL: not running, or has lost */
	struct event *limit; /* of its answer, once it is connected */
	uint8_t tid[STUN_TID_LEN];
	char name[ADDR_STRLEN];
};

struct streamrelay {
	struct streamrelay_config config;
	struct loop *loop;
	struct addr at[ENDPOINTS];
	size_t n;
	bool wanted, warned;
	struct racer racer[RACERS];
	struct racer *winner; /* that is up: the relay answers there */
	struct event *again;
	uint32_t again_ms;
	uint64_t up_ms;
	uint64_t dropped;
};

static void
drop(struct racer *a)
{
	if (a->conn == NULL)
		return;
	event_del(a->limit);
	a->owner->dropped += conn_dropped(a->conn);
	conn_free(a->conn);
	a->conn = NULL;
}

static void
drop_all_but(struct streamrelay *r, const struct racer *but)
{
	for (size_t i = 0; i < RACERS; i++)
		if (&r->racer[i] != but)
			drop(&r->racer[i]);
}

/* Half of all that were cut off at once come later than the other half. */
static void
try_later(struct streamrelay *r)
{
	uint32_t ms =
	    r->again_ms / 2 + randombytes_uniform(r->again_ms / 2 + 1);

	r->again_ms = r->again_ms * 2 < STREAMRELAY_AGAIN_MAX_MS
			  ? r->again_ms * 2
			  : STREAMRELAY_AGAIN_MAX_MS;
	if (r->wanted)
		loop_at(r->again, now_ms() + ms);
}

static bool
is_racing(const struct streamrelay *r)
{
	for (size_t i = 0; i < RACERS; i++)
		if (r->racer[i].conn != NULL)
			return true;
	return false;
}

/* One that is closed as soon as it is open is as good as none. */
static void
steady(struct streamrelay *r)
{
	if (r->winner != NULL && now_ms() - r->up_ms >= STEADY_MS)
		r->again_ms = STREAMRELAY_AGAIN_MS;
}

static void
lose(struct racer *a, const char *why)
{
	struct streamrelay *r = a->owner;
	char text[ADDR_STRLEN];

	log_info("relay %s: %s", addr_format(conn_remote(a->conn), text), why);
	drop(a);
	if (r->winner != a && is_racing(r))
		return;
	if (r->winner == NULL && !r->warned &&
	    r->again_ms > STREAMRELAY_AGAIN_MS) { /* the second time */
		log_warnx("relay %s: no answer over UDP or TCP (%s): is "
			  "nat-relayd running there, and its firewall open?",
		    addr_format(&r->at[0], text), why);
		r->warned = true;
	}
	steady(r);
	r->winner = NULL;
	try_later(r);
	r->config.down(r->config.arg, r, why);
}

static void
win(struct racer *a)
{
	struct streamrelay *r = a->owner;
	char text[ADDR_STRLEN];

	event_del(a->limit);
	r->winner = a;
	r->up_ms = now_ms();
	drop_all_but(r, a);
	log_info(
	    "relay %s: connected", addr_format(conn_remote(a->conn), text));
	r->config.up(r->config.arg, r);
}

/* Whoever listens there, a web server perhaps: only a relay has a nonce for
 * this. Its name is none, and has the length that the answer may have. */
static void
ready_cb(void *arg)
{
	static const uint8_t name[CREDENTIAL_NONCE_LEN + 24] = {0};
	const struct bindrequest r = {.user = name, .user_len = sizeof(name)};
	struct racer *a = arg;
	uint8_t out[BINDREQUEST_MAX];
	size_t len;

	stun_new_tid(a->tid);
	len = bindrequest_make(&r, a->tid, out);
	if (len > 0)
		(void)conn_send(a->conn, out, len, NULL, 0, false);
	loop_at(a->limit, now_ms() + STREAMRELAY_ANSWER_MS);
}

/* A TURN server has a nonce, too, but names its realm. */
static bool
is_answer(const struct racer *a, const uint8_t *data, size_t len)
{
	struct stun_attr attr;
	struct stun_msg m;

	return stun_parse(&m, data, len) == 0 && m.fingerprint &&
	       m.method == NATKIT_BIND && m.class == STUN_ERROR &&
	       memcmp(m.tid, a->tid, STUN_TID_LEN) == 0 &&
	       stun_get_error(&m) == 401 &&
	       stun_find(&m, STUN_NONCE, &attr) == 0 &&
	       stun_find(&m, STUN_REALM, &attr) != 0;
}

static void
limit_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	lose(arg, "no answer");
}

static void
closed_cb(void *arg, const char *why)
{
	lose(arg, why);
}

static bool
message_cb(void *arg, const uint8_t *data, size_t len)
{
	struct racer *a = arg;

	if (a->owner->winner == a)
		a->owner->config.message(
		    a->owner->config.arg, a->owner, data, len);
	else if (is_answer(a, data, len))
		win(a);
	else
		lose(a, "what answers is no relay");
	return a->conn != NULL;
}

static int
run(struct streamrelay *r, struct racer *a, struct addr to, uint16_t port)
{
	struct conn_config config = {
	    .channel_data = true,
	    .tls = r->config.tls,
	    .message = message_cb,
	    .ready = ready_cb,
	    .closed = closed_cb,
	    .arg = a,
	};

	to.port = port;
	addr_format_ip(&to, a->name);
	config.server_name = a->name;
	return conn_connect(
	    &a->conn, r->loop, &to, STREAMRELAY_WAIT_MS, &config);
}

static void
race(struct streamrelay *r)
{
	int err = 0;

	for (size_t i = 0; i < r->n; i++) {
		err = run(r, &r->racer[2 * i], r->at[i], r->at[i].port);
		if (r->at[i].port != STREAMRELAY_PORT)
			(void)run(r, &r->racer[2 * i + 1], r->at[i],
			    STREAMRELAY_PORT);
	}
	if (is_racing(r))
		return;
	try_later(r);
	r->config.down(r->config.arg, r, strerror(-err));
}

static void
again_cb(evutil_socket_t fd, short events, void *arg)
{
	struct streamrelay *r = arg;

	(void)fd;
	(void)events;
	if (r->wanted && !is_racing(r))
		race(r);
}

int
streamrelay_new(struct streamrelay **out, struct loop *l,
    const struct streamrelay_config *config, const struct addr *at, size_t n)
{
	struct streamrelay *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->config = *config;
	r->loop = l;
	r->n = n < ENDPOINTS ? n : ENDPOINTS;
	memcpy(r->at, at, r->n * sizeof(*at));
	r->again_ms = STREAMRELAY_AGAIN_MS;
	r->again = loop_event(l, -1, 0, again_cb, r);
	for (size_t i = 0; i < RACERS; i++) {
		r->racer[i].owner = r;
		r->racer[i].limit =
		    loop_event(l, -1, 0, limit_cb, &r->racer[i]);
	}
	*out = r;
	return 0;
}

void
streamrelay_free(struct streamrelay *r)
{
	if (r == NULL)
		return;
	drop_all_but(r, NULL);
	for (size_t i = 0; i < RACERS; i++)
		event_free(r->racer[i].limit);
	event_free(r->again);
	free(r);
}

bool
streamrelay_is(const struct streamrelay *r, const struct addr *at, size_t n)
{
	for (size_t i = 0; i < r->n; i++)
		for (size_t k = 0; k < n; k++)
			if (addr_equal(&r->at[i], &at[k]))
				return true;
	return false;
}

const struct addr *
streamrelay_endpoint(const struct streamrelay *r)
{
	return &r->at[0];
}

void
streamrelay_want(struct streamrelay *r, bool want)
{
	if (want == r->wanted)
		return;
	r->wanted = want;
	if (want) {
		r->again_ms = STREAMRELAY_AGAIN_MS;
		loop_at(r->again, 0);
		return;
	}
	event_del(r->again);
	drop_all_but(r, NULL);
	r->winner = NULL;
}

bool
streamrelay_is_up(const struct streamrelay *r)
{
	return r->winner != NULL;
}

void
streamrelay_renew(struct streamrelay *r, const char *why)
{
	if (r->winner == NULL)
		return;
	steady(r);
	drop(r->winner);
	r->winner = NULL;
	try_later(r);
	r->config.down(r->config.arg, r, why);
}

int
streamrelay_send(struct streamrelay *r, const uint8_t *message, size_t len)
{
	if (r->winner == NULL)
		return -ENOTCONN;
	return conn_send(r->winner->conn, message, len, NULL, 0, false);
}

int
streamrelay_send_data(
    struct streamrelay *r, uint16_t channel, const uint8_t *data, size_t len)
{
	uint8_t head[4];

	if (r->winner == NULL)
		return -ENOTCONN;
	if (len > UINT16_MAX)
		return -EMSGSIZE;
	put_u16(head, channel);
	put_u16(head + 2, (uint16_t)len);
	return conn_send(r->winner->conn, head, sizeof(head), data, len, true);
}

uint64_t
streamrelay_dropped(const struct streamrelay *r)
{
	return r->dropped +
	       (r->winner != NULL ? conn_dropped(r->winner->conn) : 0);
}

/* SPDX-License-Identifier: ISC */
/* The rendezvous server without its sockets: sorts datagrams, makes sessions
 * (DESIGN.md, "The rendezvous protocol"), answers STUN Binding (RFC 8489). */
#include "server.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "reflect.h"

#define LIMIT_SLOTS 16384 /* addresses whose rates are kept */
#define CREDIT_FACTOR 3	  /* of what came, as in RFC 9000 section 8.1 */
#define CREDIT_MAX 65535  /* bytes */

static void
introduced(void *arg, const char *what, const uint8_t key[KEY_LEN],
    const uint8_t peer[KEY_LEN])
{
	struct server *s = arg;

	if (strcmp(what, "introduced") == 0)
		s->stats.introduced++;
	else if (strcmp(what, "go") == 0)
		s->stats.went++;
	else
		s->stats.gone++;
	s->event(s->arg, what, key, peer, NULL);
}

static int
init_limits(struct server *s, uint64_t now_ms)
{
	uint32_t rate = s->config.hello_rate;
	uint8_t secret[LIMIT_KEY_LEN];
	int rc;

	randombytes_buf(secret, sizeof(secret));
	rc = limit_init(&s->unproven, LIMIT_SLOTS, rate, 2 * rate, secret);
	if (rc == 0)
		rc =
		    limit_init(&s->proven, LIMIT_SLOTS, rate, 2 * rate, secret);
	if (rc == 0)
		rc = limit_init(
		    &s->answers, LIMIT_SLOTS, rate, 2 * rate, secret);
	if (rc == 0)
		rc = limit_init(&s->sites, LIMIT_SLOTS, LIMIT_WIDE * rate,
		    LIMIT_WIDE * 2 * rate, secret);
	bucket_fill(&s->unproven_all, SERVER_HELLO_ALL, now_ms);
	return rc;
}

int
server_init(struct server *s, const struct server_config *config,
    server_send_fn *send, server_event_fn *event, void *arg, uint64_t now_ms)
{
	uint8_t cookie_key[32];
	uint32_t per_address = config->per_address;
	int rc;

	memset(s, 0, sizeof(*s));
	s->config = *config;
	s->send = send;
	s->event = event;
	s->arg = arg;
	if (config->keepalive_s == 0 || config->hello_rate == 0 ||
	    config->request_rate == 0 || config->hello_rate > LIMIT_RATE_MAX ||
	    config->request_rate > LIMIT_RATE_MAX)
		return -EINVAL;
	if (per_address == 0)
		per_address =
		    config->clients / 8 < 16 ? 16 : config->clients / 8;
	randombytes_buf(cookie_key, sizeof(cookie_key));
	cookie_init(&s->cookie, cookie_key);
	sodium_memzero(cookie_key, sizeof(cookie_key));
	rc = registry_init(&s->registry, config->clients, per_address);
	if (rc == 0)
		rc = pending_init(&s->pending);
	if (rc == 0)
		rc = init_limits(s, now_ms);
	introducer_init(&s->introducer, &s->registry, introduced, s);
	if (rc != 0)
		server_free(s);
	return rc;
}

void
server_free(struct server *s)
{
	registry_free(&s->registry);
	pending_free(&s->pending);
	limit_free(&s->unproven);
	limit_free(&s->proven);
	limit_free(&s->answers);
	limit_free(&s->sites);
	allow_free(&s->allow);
	tokens_wipe(&s->tokens);
	sodium_memzero(&s->cookie, sizeof(s->cookie));
}

size_t
server_memory(const struct server *s)
{
	return s->registry.memory + pending_memory() +
	       limit_memory(&s->unproven) + limit_memory(&s->proven) +
	       limit_memory(&s->answers) + limit_memory(&s->sites) +
	       s->allow.n * KEY_LEN;
}

static void
transmit(struct server *s, const struct path *to, const uint8_t *data, int len)
{
	if (len <= 0)
		return;
	s->stats.sent++;
	s->send(s->arg, to, data, (size_t)len);
}

static void
binding(struct server *s, const struct path *from, const struct stun_msg *m)
{
	uint8_t out[STUN_MAX];

	if (!limit_take(&s->answers, &from->remote, s->now_ms)) {
		s->stats.binding_limited++;
		return;
	}
	s->stats.binding++;
	transmit(s, from, out, reflect(m, &from->remote, out, sizeof(out)));
}

/* Takes what an address that has proven itself may do. */
static bool
take_proven(struct server *s, const struct addr *a)
{
	struct addr site;

	return limit_take(&s->proven, a, s->now_ms) &&
	       (!limit_wide(a, &site) ||
		   limit_take(&s->sites, &site, s->now_ms));
}

/* Does this HELLO get its share of the processor? If not, it was answered
 * with a challenge, or with nothing. */
static bool
hello_admitted(
    struct server *s, const struct path *from, const struct stun_msg *m)
{
	uint8_t nonce[COOKIE_LEN], out[STUN_MAX];
	uint32_t all = SERVER_HELLO_ALL;
	struct stun_attr a;

	if (stun_find(m, STUN_NONCE, &a) == 0 &&
	    cookie_check(
		&s->cookie, &from->remote, s->now_ms, a.value, a.len)) {
		if (take_proven(s, &from->remote))
			return true;
		s->stats.hello_limited++;
		return false;
	}
	if (s->config.hello_rate > all)
		all = s->config.hello_rate;
	if (limit_take(&s->unproven, &from->remote, s->now_ms) &&
	    bucket_take(&s->unproven_all, all, all, s->now_ms))
		return true;
	s->stats.hello_challenged++;
	cookie_make(&s->cookie, &from->remote, s->now_ms, nonce);
	transmit(s, from, out,
	    wire_challenge(m->tid, nonce, sizeof(nonce), out, sizeof(out)));
	return false;
}

/* What a proven key is told: WIRE_OK, or why not. */
static int
hello_status(
    struct server *s, const struct path *from, const uint8_t key[KEY_LEN])
{
	if (!allow_has(&s->allow, key) || key_equal(key, s->config.public)) {
		s->stats.hello_forbidden++;
		return WIRE_FORBIDDEN;
	}
	if (registry_by_key(&s->registry, key) == REGISTRY_NONE &&
	    !registry_has_room(&s->registry, &from->remote)) {
		s->stats.hello_full++;
		return WIRE_FULL;
	}
	s->stats.hello_ok++;
	return WIRE_OK;
}

/* Answers a HELLO whose key is proven, and keeps the session for later. */
static void
hello_answer(struct server *s, const struct path *from,
    const struct stun_msg *m, struct noise *n, uint64_t timestamp_ns)
{
	int len, status = hello_status(s, from, n->rs);
	uint8_t id[WIRE_ID_LEN], out[STUN_MAX];
	struct session session;
	struct pending_entry *e;

	randombytes_buf(id, sizeof(id));
	len = wire_hello_response(n, m->tid, status, id, s->config.keepalive_s,
	    &from->remote, &session, out, sizeof(out));
	if (len < 0 || (size_t)len > m->len)
		return;
	if (status == WIRE_OK && len <= PENDING_ANSWER_MAX) {
		e = pending_add(
		    &s->pending, &from->remote, id, m->raw, m->len, s->now_ms);
		e->session = session;
		e->timestamp_ns = timestamp_ns;
		memcpy(e->key, n->rs, KEY_LEN);
		memcpy(e->answer, out, (size_t)len);
		e->answer_len = (uint16_t)len;
		sodium_memzero(&session, sizeof(session));
	}
	transmit(s, from, out, len);
}

static void
hello(struct server *s, const struct path *from, const struct stun_msg *m)
{
	struct pending_entry *e = pending_repeated(
	    &s->pending, &from->remote, m->raw, m->len, s->now_ms);
	uint64_t timestamp_ns;
	struct noise n;
	uint32_t client;

	if (e != NULL) {
		s->stats.hello_repeated++;
		if (e->repeats++ < PENDING_REPEATS)
			transmit(s, from, e->answer, e->answer_len);
		else
			e->repeats = PENDING_REPEATS;
		return;
	}
	/* even a challenge is longer than the shortest request */
	if (!wire_hello_likely(m)) {
		s->stats.hello_bad++;
		return;
	}
	if (!hello_admitted(s, from, m))
		return;
	noise_init_responder(&n, s->config.secret, s->config.public,
	    WIRE_PROLOGUE, sizeof(WIRE_PROLOGUE) - 1);
	if (wire_hello_read(&n, m, &timestamp_ns) != 0) {
		s->stats.hello_bad++;
		goto out;
	}
	client = registry_by_key(&s->registry, n.rs);
	if (client != REGISTRY_NONE &&
	    timestamp_ns <= s->registry.clients[client].timestamp_ns) {
		s->stats.hello_replayed++;
		goto out;
	}
	hello_answer(s, from, m, &n, timestamp_ns);
out:
	sodium_memzero(&n, sizeof(n));
}

/* Sends a SESSION message that the client did not ask for. To an address that
 * it has not proven, no more than its credit. */
static bool
send_unasked(struct server *s, uint32_t client, enum stun_class class,
    const uint8_t tid[STUN_TID_LEN], const uint8_t *plain, size_t plain_len)
{
	struct member *c = &s->registry.clients[client];
	uint8_t out[STUN_MAX];
	int len = wire_seal(
	    &c->session, class, tid, plain, plain_len, out, sizeof(out));

	if (len < 0)
		return false;
	if (!c->proven) {
		if (c->credit < (uint32_t)len) {
			s->stats.pushes_held++;
			return false;
		}
		c->credit -= (uint32_t)len;
	}
	transmit(s, &c->path, out, len);
	return true;
}

/* FROM: key(32) payload */
static void
send_relay(struct server *s, const struct introducer_relay *relay)
{
	uint8_t plain[WIRE_PLAIN_MAX], tid[STUN_TID_LEN], *p;
	struct stun_buf b;
	int len;

	stun_begin_list(&b, plain, sizeof(plain));
	p = stun_put_space(&b, NATKIT_FROM, KEY_LEN + relay->len);
	if (p == NULL)
		return;
	memcpy(p, relay->from, KEY_LEN);
	memcpy(p + KEY_LEN, relay->payload, relay->len);
	len = stun_end(&b, false);
	stun_new_tid(tid);
	if (send_unasked(
		s, relay->to, STUN_INDICATION, tid, plain, (size_t)len))
		s->stats.relayed++;
}

static bool
take_request(struct server *s, uint32_t client)
{
	return bucket_take(&s->registry.clients[client].bucket,
	    s->config.request_rate, 3 * s->config.request_rate, s->now_ms);
}

/* Takes every action of an authentic message. Each payload but the first
 * counts as a message more: what is carried has a frame each. Returns false on
 * BYE. */
static bool
session_actions(struct server *s, uint32_t client, const uint8_t *plain,
    size_t len, struct stun_buf *answer)
{
	struct introducer_relay relay;
	struct stun_attr a;
	struct cursor c;
	bool stays = true, relayed = false;

	cursor_init(&c, plain, len);
	while (stun_attr_next(&c, &a) == 1) {
		switch (introducer_step(
		    &s->introducer, client, &a, s->now_ms, answer, &relay)) {
		case INTRODUCER_DONE:
			break;
		case INTRODUCER_BAD:
			s->stats.actions_bad++;
			break;
		case INTRODUCER_FULL:
			s->stats.wants_full++;
			break;
		case INTRODUCER_DENIED:
			s->stats.relay_denied++;
			break;
		case INTRODUCER_RELAY:
			if (!relayed || take_request(s, client))
				send_relay(s, &relay);
			else
				s->stats.session_limited++;
			relayed = true;
			break;
		case INTRODUCER_TOKEN:
			if (tokens_put(&s->tokens,
				s->registry.clients[client].key, relay.from,
				relay.len, answer))
				s->stats.tokens++;
			else
				s->stats.actions_bad++;
			break;
		case INTRODUCER_BYE:
			stays = false;
			break;
		}
	}
	return stays;
}

static void
forget(struct server *s, uint32_t client, const char *what)
{
	struct member *c = &s->registry.clients[client];

	s->event(s->arg, what, c->key, NULL, &c->path.remote);
	introducer_forget(&s->introducer, client, s->now_ms);
}

static void
session_request(struct server *s, uint32_t client, const struct path *from,
    const struct stun_msg *m, const uint8_t *plain, size_t plain_len)
{
	struct member *c = &s->registry.clients[client];
	uint8_t list[WIRE_PLAIN_MAX], out[STUN_MAX];
	struct stun_buf answer;
	bool stays;
	int len;

	introducer_heard(&s->introducer, client, s->now_ms);
	stun_begin_list(&answer, list, sizeof(list));
	wire_put_addr(&answer, NATKIT_MAPPED, &from->remote);
	stays = session_actions(s, client, plain, plain_len, &answer);
	len = stun_end(&answer, false);
	if (m->class == STUN_REQUEST && len >= 0) {
		len = wire_seal(&c->session, STUN_SUCCESS, m->tid, list,
		    (size_t)len, out, sizeof(out));
		if (len > (int)m->len)
			s->stats.session_short++;
		else
			transmit(s, from, out, len);
	}
	if (!stays) {
		s->stats.ended++;
		forget(s, client, "ended");
	}
}

/* The newest authentic packet tells where the client is. */
static void
roam(struct server *s, uint32_t client, const struct path *from,
    const struct stun_msg *m)
{
	struct member *c = &s->registry.clients[client];
	const uint8_t *sid = wire_session_id(m);
	struct cursor counter;

	cursor_init(&counter, sid + WIRE_ID_LEN, 8);
	if (cursor_u64(&counter) + 1 == c->session.replay.next &&
	    !path_equal(from, &c->path)) {
		if (!addr_equal(&from->remote, &c->path.remote)) {
			c->proven = false;
			c->credit = 0;
			introducer_moved(&s->introducer, client, s->now_ms);
			s->stats.moved++;
		}
		registry_move(&s->registry, client, from);
	}
	if (!c->proven) {
		c->credit += CREDIT_FACTOR * (uint32_t)m->len;
		if (c->credit > CREDIT_MAX)
			c->credit = CREDIT_MAX;
	}
}

static void
session_message(struct server *s, uint32_t client, const struct path *from,
    const struct stun_msg *m, const uint8_t *plain, size_t len)
{
	struct member *c = &s->registry.clients[client];

	s->stats.session_ok++;
	registry_seen(&s->registry, client, s->now_ms);
	roam(s, client, from, m);
	if (m->class == STUN_SUCCESS) {
		if (introducer_ack(&s->introducer, client, m->tid)) {
			s->stats.acknowledged++;
			/* its transaction id went to this address alone:
			 * introducer_moved saw to that */
			if (addr_equal(&from->remote, &c->path.remote))
				registry_proven(&s->registry, client);
		}
		return;
	}
	if (!take_request(s, client)) {
		s->stats.session_limited++;
		return;
	}
	session_request(s, client, from, m, plain, len);
}

static void
session_of_client(struct server *s, uint32_t client, const struct path *from,
    const struct stun_msg *m)
{
	uint8_t plain[WIRE_PLAIN_MAX];
	int len = wire_open(
	    &s->registry.clients[client].session, m, plain, sizeof(plain));

	if (len == -EALREADY)
		s->stats.session_replayed++;
	else if (len < 0)
		s->stats.session_bad++;
	else
		session_message(s, client, from, m, plain, (size_t)len);
}

static void
unknown_session(
    struct server *s, const struct path *from, const struct stun_msg *m)
{
	uint8_t out[STUN_MAX];

	s->stats.session_unknown++;
	if (m->class == STUN_SUCCESS ||
	    !limit_take(&s->answers, &from->remote, s->now_ms))
		return;
	transmit(s, from, out, wire_unknown_session(m, out, sizeof(out)));
}

/* The first message of a session: it proves that the client has the keys and
 * the address, so now the session takes the place of the key's earlier one. */
static void
session_of_pending(struct server *s, struct pending_entry *e,
    const struct path *from, const struct stun_msg *m)
{
	uint32_t client = registry_by_key(&s->registry, e->key);
	uint8_t plain[WIRE_PLAIN_MAX];
	int len = wire_open(&e->session, m, plain, sizeof(plain));

	if (len < 0) {
		s->stats.session_bad++;
		return;
	}
	if (!allow_has(&s->allow, e->key) ||
	    (client != REGISTRY_NONE &&
		e->timestamp_ns <= s->registry.clients[client].timestamp_ns))
		client = REGISTRY_NONE; /* overtaken: SIGHUP, a newer HELLO */
	else
		client = registry_add(&s->registry, e->key, &e->session, from,
		    e->timestamp_ns, s->now_ms);
	pending_remove(&s->pending, e);
	if (client == REGISTRY_NONE) {
		unknown_session(s, from, m);
		return;
	}
	s->stats.registered++;
	bucket_fill(&s->registry.clients[client].bucket,
	    3 * s->config.request_rate, s->now_ms);
	introducer_renew(&s->introducer, client, s->now_ms);
	s->event(s->arg, "registered", s->registry.clients[client].key, NULL,
	    &from->remote);
	session_message(s, client, from, m, plain, (size_t)len);
}

static void
session(struct server *s, const struct path *from, const struct stun_msg *m)
{
	const uint8_t *id = wire_session_id(m);
	struct pending_entry *e;
	uint32_t client;

	if (id == NULL) {
		s->stats.malformed++;
		return;
	}
	client = registry_by_id(&s->registry, id);
	if (client != REGISTRY_NONE) {
		session_of_client(s, client, from, m);
		return;
	}
	e = m->class == STUN_SUCCESS
		? NULL
		: pending_find(&s->pending, &from->remote, id, s->now_ms);
	if (e != NULL)
		session_of_pending(s, e, from, m);
	else
		unknown_session(s, from, m);
}

void
server_step(struct server *s, const struct path *from, const uint8_t *data,
    size_t len, uint64_t now_ms)
{
	struct stun_msg m;

	s->now_ms = now_ms;
	s->stats.received++;
	if (len > STUN_MAX || !addr_is_sendable(&from->remote) ||
	    stun_parse(&m, data, len) != 0) {
		s->stats.malformed++;
		return;
	}
	if (m.method == STUN_BINDING && m.class == STUN_REQUEST)
		binding(s, from, &m);
	else if (m.method == NATKIT_HELLO && m.class == STUN_REQUEST &&
		 m.fingerprint)
		hello(s, from, &m);
	else if (m.method == NATKIT_SESSION && m.class != STUN_ERROR &&
		 m.fingerprint)
		session(s, from, &m);
	else
		s->stats.unexpected++;
}

static uint64_t
lifetime_ms(const struct server *s)
{
	return (uint64_t)SERVER_LOST_KEEPALIVES * s->config.keepalive_s * 1000;
}

uint64_t
server_tick(struct server *s, uint64_t now_ms)
{
	const struct registry *r = &s->registry;
	uint64_t due;
	struct introducer_request push;

	s->now_ms = now_ms;
	while (r->oldest != REGISTRY_NONE &&
	       now_ms - r->clients[r->oldest].seen_ms >= lifetime_ms(s)) {
		s->stats.expired++;
		forget(s, r->oldest, "expired");
	}
	while (introducer_next(&s->introducer, now_ms, &push))
		if (send_unasked(s, push.to, STUN_REQUEST, push.tid, push.plain,
			push.len))
			s->stats.pushes++;
	due = introducer_due_ms(&s->introducer);
	if (r->oldest != REGISTRY_NONE &&
	    r->clients[r->oldest].seen_ms + lifetime_ms(s) < due)
		due = r->clients[r->oldest].seen_ms + lifetime_ms(s);
	return due;
}

void
server_allow_changed(struct server *s, uint64_t now_ms)
{
	s->now_ms = now_ms;
	for (uint32_t i = 0; i < s->registry.max; i++)
		if (s->registry.clients[i].used &&
		    !allow_has(&s->allow, s->registry.clients[i].key))
			forget(s, i, "forbidden");
}

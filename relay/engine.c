/* SPDX-License-Identifier: ISC */
/* nat-relayd's sockets and loop: set-up, clock, tear-down. What comes is
 * handled in dispatch.c. */
#include "engine.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "dispatch.h"
#include "exitcode.h"
#include "netlink.h"
#include "ownaddrs.h"

#define BUFFER (4 << 20) /* bytes, of a socket that many share */
#define TICK_MAX_MS 60000
#define TICK_SOON_MS 50 /* after a change of a table */
#define HINT_SLOTS 4096
#define SAME_PORT 16 /* UDP ports to try, until TCP has the same */

static void
arm(struct engine *e, uint64_t at_ms)
{
	if (e->armed_ms != 0 && e->armed_ms <= at_ms)
		return;
	e->armed_ms = at_ms;
	loop_at(e->timer, at_ms);
}

/* Many changes, one tick. */
static void
settle(struct engine *e)
{
	if (!e->changed)
		return;
	e->changed = false;
	arm(e, now_ms() + TICK_SOON_MS);
}

static void
flush_cb(evutil_socket_t fd, short events, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)events;
	e->flushing = false;
	trains_flush(e->trains);
}

/* An active event has its turn after those that are active already. */
void
engine_flush_soon(struct engine *e)
{
	if (e->flushing)
		return;
	e->flushing = true;
	event_active(e->flush, EV_TIMEOUT, 0);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct engine *e = arg;
	uint64_t now = now_ms(), a, b;

	(void)fd;
	(void)events;
	e->armed_ms = 0;
	e->now_ms = now;
	a = pairs_tick(e->pairs, now);
	b = turn_tick(e->turn, now);
	e->changed = false;
	if (a > b)
		a = b;
	if (a > now + TICK_MAX_MS)
		a = now + TICK_MAX_MS;
	arm(e, a > now + TICK_SOON_MS ? a : now + TICK_SOON_MS);
	if (e->draining && pairs_count(e->pairs) == 0 &&
	    turn_count(e->turn) == 0)
		loop_end(e->loop, EXIT_YES);
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct engine_socket *s = arg;
	struct engine *e = s->engine;

	(void)fd;
	(void)events;
	if (s - e->socket < ENGINE_PAIRS)
		dispatch_main(e, s->train);
	else
		dispatch_pair(e, s->train);
	settle(e);
}

static void
relayed_cb(void *arg, uint32_t index, struct train *t)
{
	struct engine *e = arg;

	dispatch_relayed(e, index, t);
	settle(e);
}

static bool
message_cb(void *arg, const struct way *from, const uint8_t *data, size_t len)
{
	struct engine *e = arg;
	bool good = dispatch_stream(e, from, data, len);

	settle(e);
	return good;
}

static void
gone_cb(void *arg, uint32_t stream)
{
	struct engine *e = arg;

	if (e->pairs != NULL)
		pairs_stream_gone(e->pairs, stream);
	if (e->turn != NULL)
		turn_stream_gone(e->turn, stream);
	e->changed = true;
	settle(e);
}

/* Which connections have a pair or an allocation. */
static void
used_cb(void *arg)
{
	struct engine *e = arg;
	struct pairs_entry pair;
	struct turn_entry allocation;
	uint64_t at = 0;

	while (pairs_next(e->pairs, &at, &pair))
		for (int i = 0; i < 2; i++)
			if (pair.side[i].bound &&
			    pair.side[i].way.socket == WAY_STREAM)
				relaystreams_keep(
				    e->streams, pair.side[i].way.stream);
	at = 0;
	while (turn_next(e->turn, &at, &allocation))
		if (allocation.way.socket == WAY_STREAM)
			relaystreams_keep(e->streams, allocation.way.stream);
}

static int
open_socket(struct engine *e, unsigned int number, const struct addr *at,
    uint16_t port, struct addr *failed)
{
	struct engine_socket *s = &e->socket[number];
	struct train_config config = {.at = *at,
	    .index = (uint16_t)number,
	    .buffer = BUFFER,
	    .gso = e->config->gso};
	int rc;

	config.at.port = port;
	s->engine = e;
	rc = train_open(&s->train, e->trains, &config);
	if (rc != 0) {
		s->train = NULL;
		*failed = config.at;
		return rc;
	}
	s->readable = loop_event(
	    e->loop, train_fd(s->train), EV_READ | EV_PERSIST, readable_cb, s);
	return 0;
}

static void
close_socket(struct engine_socket *s)
{
	if (s->train == NULL)
		return;
	event_free(s->readable);
	train_free(s->train);
	s->train = NULL;
}

/* TCP at the main port and the others, of both families. */
static int
listen_tcp(struct engine *e, struct addr *failed)
{
	const struct engine_config *c = e->config;

	for (size_t i = 0; i <= c->n_tcp; i++) {
		for (int f = 0; f < 2; f++) {
			struct addr at = c->at[f];
			int rc;

			if (at.family == ADDR_NONE)
				continue;
			at.port = i == 0 ? c->port : c->tcp[i - 1];
			rc = relaystreams_listen(e->streams, &at);
			if (rc == 0)
				continue;
			*failed = at;
			return rc;
		}
	}
	return 0;
}

static int
new_streams(struct engine *e)
{
	struct relaystreams_config config = {
	    .max = e->config->connections,
	    .per_address = e->config->connections_per_address,
	    .rate = e->config->request_rate,
	    .tls = e->config->tls,
	    .message = message_cb,
	    .gone = gone_cb,
	    .used = used_cb,
	    .arg = e,
	};

	return relaystreams_new(&e->streams, e->loop, &config);
}

/* The same port for both families, UDP and TCP. With port 0 the system picks
 * one for the first socket, and another one may have it for the others. */
static int
open_main(struct engine *e, struct addr *failed)
{
	struct engine_config *c = e->config;
	bool any = c->port == 0;
	int rc = -EADDRINUSE;

	for (int i = 0; i < SAME_PORT && rc == -EADDRINUSE; i++) {
		if (any)
			c->port = 0;
		rc = new_streams(e);
		for (int f = 0; f < 2 && rc == 0; f++) {
			if (c->at[f].family == ADDR_NONE)
				continue;
			rc = open_socket(e, ENGINE_MAIN4 + (unsigned int)f,
			    &c->at[f], c->port, failed);
			if (rc == 0)
				c->port = train_addr(e->socket[f].train)->port;
		}
		if (rc == 0)
			rc = listen_tcp(e, failed);
		if (rc == 0 || !any)
			break;
		close_socket(&e->socket[ENGINE_MAIN4]);
		close_socket(&e->socket[ENGINE_MAIN6]);
		relaystreams_free(e->streams);
		e->streams = NULL;
	}
	return rc;
}

static int
open_pairs(struct engine *e, struct pairs_config *pc, struct addr *failed)
{
	const struct engine_config *c = e->config;

	for (unsigned int f = 0; f < 2; f++) {
		for (unsigned int k = 0; k < c->pair_ports; k++) {
			uint16_t port = (uint16_t)(c->low + k);
			int rc;

			if (c->at[f].family == ADDR_NONE)
				continue;
			rc =
			    open_socket(e, ENGINE_PAIRS + f * c->pair_ports + k,
				&c->at[f], port, failed);
			if (rc != 0)
				return rc;
			pc->at[f][k] = c->external[f];
			pc->at[f][k].port = port;
		}
	}
	return 0;
}

/* Peers may not be ourselves, unless that was asked for. */
static int
read_own(struct engine *e)
{
	struct engine_config *c = e->config;
	struct peerrules now = {.n = 0}, none = {.n = 0};
	int rc = ownaddrs_add(&now);

	for (int f = 0; f < 2 && rc == 0; f++) {
		if (c->at[f].family == ADDR_NONE)
			continue;
		rc = peerrules_add_own(&now, &c->at[f]);
		if (rc == 0)
			rc = peerrules_add_own(&now, &c->external[f]);
	}
	if (rc != 0) {
		peerrules_take_own(&now, &none);
		return rc;
	}
	peerrules_take_own(&c->rules, &now);
	for (int f = 0; f < 2; f++)
		if (c->at[f].family != ADDR_NONE)
			e->own_named[f] =
			    peerrules_allow(&c->rules, &c->external[f]);
	return 0;
}

/* Whom they forbid from now on is forbidden. */
static void
own_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)events;
	if (netlink_changed(fd) != 0)
		(void)!read_own(arg);
}

/* Watched before they are read: none is missed. */
static int
open_own(struct engine *e)
{
	int fd = netlink_open(true);

	if (fd < 0)
		return fd;
	e->own = loop_event(e->loop, fd, EV_READ | EV_PERSIST, own_cb, e);
	return read_own(e);
}

static void
close_own(struct engine *e)
{
	struct peerrules none = {.n = 0};

	peerrules_take_own(&e->config->rules, &none);
	if (e->own == NULL)
		return;
	close(event_get_fd(e->own));
	event_free(e->own);
}

static int
new_pairs(struct engine *e, struct addr *failed)
{
	const struct engine_config *c = e->config;
	struct pairs_config config = {
	    .max = c->pairs,
	    .first_socket = ENGINE_PAIRS,
	    .ports = c->pair_ports,
	    .secrets = c->secret,
	    .n_secrets = c->n_secrets,
	    .bind_rate = c->request_rate,
	    .per_address = c->per_address,
	};
	int rc = open_pairs(e, &config, failed);

	return rc != 0 ? rc : pairs_new(&e->pairs, &config, e->accounts);
}

static int
new_turn(struct engine *e)
{
	const struct engine_config *c = e->config;
	struct relayports_config rc = {
	    .low = (uint16_t)(c->low + c->pair_ports),
	    .high = c->high,
	    .allocations = c->allocations,
	    .first = ENGINE_RELAYED,
	    .gso = c->gso,
	    .readable = relayed_cb,
	    .arg = e,
	};
	struct turn_config tc = {
	    .max = c->allocations,
	    .realm = c->realm,
	    .secrets = c->secret,
	    .n_secrets = c->n_secrets,
	    .rules = &c->rules,
	    .has4 = c->at[0].family != ADDR_NONE,
	    .has6 = c->at[1].family != ADDR_NONE,
	    .request_rate = c->request_rate,
	    .per_address = c->per_address,
	};
	struct turn_ports ports;
	int err;

	memcpy(rc.at, c->at, sizeof(rc.at));
	memcpy(rc.external, c->external, sizeof(rc.external));
	err = relayports_new(&e->ports, e->loop, e->trains, &rc);
	if (err != 0)
		return err;
	ports = relayports_turn(e->ports);
	return turn_new(&e->turn, &tc, &ports, e->accounts);
}

int
engine_open(struct engine *e, struct loop *l, struct engine_config *config,
    struct addr *failed)
{
	uint8_t key[LIMIT_KEY_LEN];
	int rc;

	memset(e, 0, sizeof(*e));
	e->loop = l;
	e->config = config;
	*failed = (struct addr){.family = ADDR_NONE};
	e->timer = loop_event(l, -1, 0, timer_cb, e);
	e->flush = loop_event(l, -1, 0, flush_cb, e);
	config->accounts.max = 2 * config->pairs + config->allocations;
	randombytes_buf(key, sizeof(key));
	rc = open_own(e);
	if (rc == 0)
		rc = trains_new(&e->trains);
	if (rc == 0)
		rc = accounts_new(&e->accounts, &config->accounts);
	if (rc == 0)
		rc = limit_init(&e->hints, HINT_SLOTS, config->request_rate,
		    config->request_rate * 2, key);
	if (rc == 0)
		rc = open_main(e, failed);
	if (rc == 0)
		rc = new_pairs(e, failed);
	if (rc == 0)
		rc = new_turn(e);
	return rc;
}

void
engine_start(struct engine *e)
{
	for (size_t i = 0; i < ENGINE_RELAYED; i++)
		if (e->socket[i].train != NULL)
			event_add(e->socket[i].readable, NULL);
	relaystreams_start(e->streams);
	event_add(e->own, NULL);
	arm(e, now_ms());
}

void
engine_changed(struct engine *e)
{
	e->changed = true;
	settle(e);
}

void
engine_drain(struct engine *e, bool drain)
{
	e->draining = drain;
	pairs_drain(e->pairs, drain);
	turn_drain(e->turn, drain);
	engine_changed(e);
}

size_t
engine_memory(const struct engine *e)
{
	return sizeof(*e) + accounts_memory(e->accounts) +
	       pairs_memory(e->pairs) + turn_memory(e->turn) +
	       relayports_memory(e->ports) + relaystreams_memory(e->streams) +
	       limit_memory(&e->hints);
}

/* Connections first: their ends are told to the tables; tables before the
 * ports that they close. */
void
engine_close(struct engine *e)
{
	relaystreams_free(e->streams);
	turn_free(e->turn);
	pairs_free(e->pairs);
	accounts_free(e->accounts);
	relayports_free(e->ports);
	for (size_t i = 0; i < ENGINE_RELAYED; i++)
		close_socket(&e->socket[i]);
	trains_free(e->trains);
	limit_free(&e->hints);
	close_own(e);
	event_free(e->timer);
	event_free(e->flush);
}

/* SPDX-License-Identifier: ISC */
/* What the server's control socket tells; nat-records(5) has every key. */
#include "status.h"

#include <string.h>

#include "loop.h"

#define CLIENTS_AT_ONCE 64 /* records of `peers` written in one go */

void
status_listen(struct record *r, const struct listener *l)
{
	record_begin(r, "listen");
	record_put_addr(r, "endpoint", listener_addr(l));
}

void
status_listen_tcp(struct record *r, const struct addr *at)
{
	record_begin(r, "listen");
	record_put_addr(r, "endpoint", at);
	record_put(r, "transport", "tcp");
}

static void
tell_hello(const struct status *st, struct control_conn *c)
{
	struct record r;

	record_begin(&r, "hello");
	record_put_u64(&r, "version", 1);
	record_put_key(&r, "key", st->server->config.public);
	control_put(c, &r);
	for (int i = 0; i < *st->n_listeners; i++) {
		status_listen(&r, st->listeners[i]);
		control_put(c, &r);
	}
	for (int i = 0; i < st->connections->n; i++) {
		if (!connections_is_extra(st->connections, i))
			continue;
		status_listen_tcp(&r, &st->connections->at[i]);
		control_put(c, &r);
	}
	control_end(c, NULL);
}

/* How many of the keys that it wants want it too. */
static uint64_t
introduced(const struct registry *reg, const struct member *m)
{
	uint64_t n = 0;

	for (uint32_t i = m->edges; i != REGISTRY_NONE; i = reg->edges[i].next)
		n += reg->edges[i].peer != REGISTRY_NONE;
	return n;
}

static void
put_client(struct control_conn *c, const struct registry *reg,
    const struct member *m, uint64_t now)
{
	struct record r;

	record_begin(&r, "client");
	record_put_key(&r, "key", m->key);
	record_put_addr(&r, "endpoint", &m->path.remote);
	record_put_u64(&r, "age_s", (now - m->since_ms) / 1000);
	record_put_u64(&r, "idle_s", (now - m->seen_ms) / 1000);
	record_put_u64(&r, "wants", m->n_edges);
	record_put_u64(&r, "introduced", introduced(reg, m));
	if (m->path.stream != 0)
		record_put(&r, "transport", "tcp");
	control_put(c, &r);
}

/* Some of the clients; position is the next place in the table. */
static void
tell_peers(void *arg, struct control_conn *c, uint64_t *position)
{
	const struct status *st = arg;
	const struct registry *reg = &st->server->registry;
	uint64_t now = now_ms();
	int n = 0;

	for (; *position < reg->max && n < CLIENTS_AT_ONCE; ++*position) {
		if (!reg->clients[*position].used)
			continue;
		put_client(c, reg, &reg->clients[*position], now);
		n++;
	}
	if (*position >= reg->max)
		control_end(c, NULL);
}

static void
put_stat(struct control_conn *c, const char *name, uint64_t value)
{
	struct record r;

	record_begin(&r, "stats");
	record_put(&r, "name", name);
	record_put_u64(&r, "value", value);
	control_put(c, &r);
}

static void
put_connections(struct control_conn *c, const struct connections *n)
{
	static const char *const names[] = {
	    [STREAM_ACCEPTED] = "connections_accepted",
	    [STREAM_REFUSED] = "connections_refused",
	    [STREAM_IDLE] = "connections_idle",
	    [STREAM_EVICTED] = "connections_evicted",
	    [STREAM_BROKEN] = "connections_broken",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put_stat(c, names[i], n->count[i]);
	put_stat(c, "connections", (uint64_t)streams_count(n->streams));
}

static void
tell_stats(const struct status *st, struct control_conn *c)
{
	const struct server *s = st->server;
	uint64_t lost = 0;

	for (int i = 0; i < *st->n_listeners; i++)
		lost += listener_lost(st->listeners[i]);
#define X(name) put_stat(c, #name, s->stats.name);
	SERVER_COUNTERS(X)
#undef X
	put_stat(c, "send_failed", lost);
	put_connections(c, st->connections);
	put_stat(c, "clients", s->registry.count);
	put_stat(c, "clients_max", s->registry.max);
	put_stat(c, "pending", s->pending.count);
	put_stat(c, "wants", s->registry.edges_count);
	put_stat(c, "wants_max", s->registry.edges_max);
	put_stat(c, "memory_bytes", server_memory(s));
	control_end(c, NULL);
}

void
status_answer(
    void *status, struct control_conn *c, const char *command, const char *args)
{
	if (*args != '\0')
		control_end(c, "no-arguments-taken");
	else if (strcmp(command, "hello") == 0)
		tell_hello(status, c);
	else if (strcmp(command, "peers") == 0)
		control_stream(c, tell_peers);
	else if (strcmp(command, "stats") == 0)
		tell_stats(status, c);
	else if (strcmp(command, "watch") == 0)
		control_watch(c);
	else
		control_end(c, "unknown-command");
}

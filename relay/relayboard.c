/* SPDX-License-Identifier: ISC */
/* What nat-relayd tells and takes on its control socket; nat-records(5) has
 * every key. */
#include "relayboard.h"

#include <string.h>

#define AT_ONCE 64 /* records that are written in one go */

bool
relayboard_listen(const struct engine *e, size_t i, struct record *r)
{
	struct addr at;
	size_t n = 0;

	for (int f = 0; f < 2; f++) {
		if (e->socket[f].train == NULL)
			continue;
		if (n++ != i)
			continue;
		record_begin(r, "listen");
		record_put_addr(r, "endpoint", train_addr(e->socket[f].train));
		record_put(r, "transport", "udp");
		return true;
	}
	if (!relaystreams_listening(e->streams, i - n, &at))
		return false;
	record_begin(r, "listen");
	record_put_addr(r, "endpoint", &at);
	record_put(r, "transport", e->config->tls != NULL ? "tcp,tls" : "tcp");
	return true;
}

void
relayboard_stats(const struct engine *e, relayboard_stat_fn *fn, void *arg)
{
	const struct relaystreams_counters *s =
	    relaystreams_counters(e->streams);

#define X(name, text) fn(arg, #name, text, true, e->n.name);
	ENGINE_COUNTERS(X)
#undef X
#define X(name, text) fn(arg, #name, text, true, s->name);
	RELAYSTREAMS_COUNTERS(X)
#undef X
	fn(arg, "dropped_slow", "for a connection that is read too slowly",
	    true, relaystreams_dropped(e->streams));
	fn(arg, "send_failed", "the system refused to send it", true,
	    trains_lost(e->trains));
	fn(arg, "pairs", "pairs with at least one side", false,
	    pairs_count(e->pairs));
	fn(arg, "pairs_max", "most pairs", false, e->config->pairs);
	fn(arg, "allocations", "TURN allocations", false, turn_count(e->turn));
	fn(arg, "allocations_max", "most TURN allocations", false,
	    e->config->allocations);
	fn(arg, "relayed_ports", "ports that are open for TURN allocations",
	    false, relayports_count(e->ports));
	fn(arg, "connections_open", "TCP connections", false,
	    relaystreams_count(e->streams));
	fn(arg, "connections_max", "most TCP connections", false,
	    e->config->connections);
	fn(arg, "draining", "1: takes nobody new", false, e->draining);
	fn(arg, "memory_bytes", "memory of all tables", false,
	    engine_memory(e));
}

static void
tell_hello(const struct engine *e, struct control_conn *c)
{
	struct record r;

	record_begin(&r, "hello");
	record_put_u64(&r, "version", 1);
	control_put(c, &r);
	for (size_t i = 0; relayboard_listen(e, i, &r); i++)
		control_put(c, &r);
	control_end(c, NULL);
}

static void
put_stat(
    void *arg, const char *name, const char *help, bool counter, uint64_t value)
{
	struct record r;

	(void)help;
	(void)counter;
	record_begin(&r, "stats");
	record_put(&r, "name", name);
	record_put_u64(&r, "value", value);
	control_put(arg, &r);
}

static const char *
transport(const struct way *w)
{
	return w->socket == WAY_STREAM ? "tcp" : "udp";
}

static void
put_side(struct control_conn *c, const struct pairs_side *s,
    const struct pairs_side *other, uint64_t now)
{
	struct record r;

	if (!s->bound)
		return;
	record_begin(&r, "binding");
	record_put_key(&r, "key", s->key);
	record_put_key(&r, "peer", other->key);
	record_put_addr(&r, "endpoint", &s->way.remote);
	record_put(&r, "transport", transport(&s->way));
	if (s->way.socket != WAY_STREAM)
		record_put_u64(&r, "port", s->port);
	record_put(&r, "paired", other->bound ? "yes" : "no");
	record_put_u64(&r, "packets", s->packets);
	record_put_u64(&r, "bytes", s->bytes);
	record_put_u64(&r, "dropped", s->dropped);
	record_put_u64(&r, "age_s", (now - s->since_ms) / 1000);
	record_put_u64(&r, "idle_s", (now - s->seen_ms) / 1000);
	control_put(c, &r);
}

static void
tell_pairs(void *arg, struct control_conn *c, uint64_t *position)
{
	const struct relayboard *b = arg;
	struct pairs_entry entry;
	uint64_t now = now_ms();

	for (int i = 0; i < AT_ONCE; i++) {
		if (!pairs_next(b->engine->pairs, position, &entry)) {
			control_end(c, NULL);
			return;
		}
		put_side(c, &entry.side[0], &entry.side[1], now);
		put_side(c, &entry.side[1], &entry.side[0], now);
	}
}

static void
tell_allocations(void *arg, struct control_conn *c, uint64_t *position)
{
	const struct relayboard *b = arg;
	struct turn_entry entry;
	struct record r;
	uint64_t now = now_ms();

	for (int i = 0; i < AT_ONCE; i++) {
		if (!turn_next(b->engine->turn, position, &entry)) {
			control_end(c, NULL);
			return;
		}
		record_begin(&r, "allocation");
		record_put(&r, "user", entry.user);
		record_put_addr(&r, "endpoint", &entry.way.remote);
		record_put(&r, "transport", transport(&entry.way));
		record_put_addr(&r, "relayed", &entry.relayed[0]);
		record_put_addr(&r, "relayed6", &entry.relayed[1]);
		record_put_u64(&r, "lifetime_s",
		    entry.expiry_ms > now ? (entry.expiry_ms - now) / 1000 : 0);
		record_put_u64(&r, "permissions", entry.permissions);
		record_put_u64(&r, "channels", entry.channels);
		control_put(c, &r);
	}
}

static void
tell_accounts(void *arg, struct control_conn *c, uint64_t *position)
{
	const struct relayboard *b = arg;
	const struct account *a;
	struct record r;

	for (int i = 0; i < AT_ONCE; i++) {
		if (!accounts_next(b->engine->accounts, position, &a)) {
			control_end(c, NULL);
			return;
		}
		record_begin(&r, "account");
		record_put(&r, "name", a->name);
		record_put_u64(&r, "used", a->used);
		record_put_u64(&r, "packets_in", a->packets_in);
		record_put_u64(&r, "bytes_in", a->bytes_in);
		record_put_u64(&r, "packets_out", a->packets_out);
		record_put_u64(&r, "bytes_out", a->bytes_out);
		record_put_u64(&r, "dropped", a->dropped);
		control_put(c, &r);
	}
}

/* "KEY", "KEY PEER" or the name of a TURN user. Returns how many ended. */
static size_t
drop(struct engine *e, const char *args)
{
	char first[KEY_STRLEN] = "";
	uint8_t key[KEY_LEN], peer[KEY_LEN];
	const char *blank = strchr(args, ' ');
	size_t len = blank != NULL ? (size_t)(blank - args) : strlen(args);
	size_t n = 0;
	bool is_key;

	if (len < sizeof(first))
		memcpy(first, args, len);
	is_key = len == KEY_STRLEN - 1 && key_parse_public(key, first) == 0;
	if (is_key && blank == NULL)
		n = pairs_drop(e->pairs, key, NULL);
	else if (is_key && key_parse_public(peer, blank + 1) == 0)
		return pairs_drop(e->pairs, key, peer);
	return n + turn_drop(e->turn, args);
}

static void
take_drop(struct engine *e, struct control_conn *c, const char *args)
{
	struct record r;
	size_t n;

	if (*args == '\0') {
		control_end(c, "name-a-key-or-a-user");
		return;
	}
	n = drop(e, args);
	engine_changed(e);
	record_begin(&r, "dropped");
	record_put_u64(&r, "count", n);
	control_put(c, &r);
	control_end(c, n == 0 ? "nothing-of-that-name" : NULL);
}

static void
take_drain(struct engine *e, struct control_conn *c, const char *args)
{
	bool off = strcmp(args, "off") == 0;

	if (*args != '\0' && !off) {
		control_end(c, "drain-takes-off-or-nothing");
		return;
	}
	engine_drain(e, !off);
	control_end(c, NULL);
}

static void
tell(struct relayboard *b, struct control_conn *c, const char *command)
{
	if (strcmp(command, "hello") == 0) {
		tell_hello(b->engine, c);
	} else if (strcmp(command, "stats") == 0) {
		relayboard_stats(b->engine, put_stat, c);
		control_end(c, NULL);
	} else if (strcmp(command, "pairs") == 0) {
		control_stream(c, tell_pairs);
	} else if (strcmp(command, "allocations") == 0) {
		control_stream(c, tell_allocations);
	} else if (strcmp(command, "accounts") == 0) {
		control_stream(c, tell_accounts);
	} else if (strcmp(command, "watch") == 0) {
		control_watch(c);
	} else {
		control_end(c, "unknown-command");
	}
}

static void
control_cb(
    void *arg, struct control_conn *c, const char *command, const char *args)
{
	struct relayboard *b = arg;

	if (strcmp(command, "drop") == 0)
		take_drop(b->engine, c, args);
	else if (strcmp(command, "drain") == 0)
		take_drain(b->engine, c, args);
	else if (*args != '\0')
		control_end(c, "no-arguments-taken");
	else
		tell(b, c, command);
}

static void
pair_cb(void *arg, const char *what, const char *reason,
    const struct pairs_side *side, const uint8_t peer[KEY_LEN])
{
	struct relayboard *b = arg;
	struct record r;

	record_begin(&r, "event");
	record_put(&r, "what", what);
	record_put_key(&r, "key", side->key);
	record_put_key(&r, "peer", peer);
	record_put_addr(&r, "endpoint", &side->way.remote);
	record_put(&r, "reason", reason);
	control_publish(b->control, &r);
}

static void
turn_cb(void *arg, const char *what, const char *reason,
    const struct turn_entry *entry)
{
	struct relayboard *b = arg;
	struct record r;

	record_begin(&r, "event");
	record_put(&r, "what", what);
	record_put_addr(&r, "endpoint", &entry->way.remote);
	record_put(&r, "reason", reason);
	record_put(&r, "user", entry->user);
	control_publish(b->control, &r);
}

int
relayboard_open(
    struct relayboard *b, struct engine *e, struct loop *l, const char *path)
{
	int rc;

	b->engine = e;
	rc = control_open(&b->control, l, path, control_cb, b);
	if (rc != 0)
		return rc;
	pairs_watch(e->pairs, pair_cb, b);
	turn_watch(e->turn, turn_cb, b);
	return 0;
}

void
relayboard_close(struct relayboard *b)
{
	if (b->control == NULL)
		return;
	pairs_watch(b->engine->pairs, NULL, NULL);
	turn_watch(b->engine->turn, NULL, NULL);
	control_free(b->control);
	b->control = NULL;
}

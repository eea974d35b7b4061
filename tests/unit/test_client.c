/* SPDX-License-Identifier: ISC */
/* The client against the real server's state machine, over a simulated network
 * that loses and delays, in simulated time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

/* The server's table calls its entries clients, too. */
#define client registered
#include "server.h"
#undef client

#include "client.h"

#define FLIGHTS 1024
#define NODES 3
#define HOSTS 2
#define NEWS_MAX 128

struct flight {
	bool used;
	uint64_t at_ms;
	struct addr from, to;
	size_t len;
	uint8_t data[STUN_MAX];
};

struct host { /* a server */
	bool on;
	struct addr addr[2];
	struct server server;
	uint64_t next_ms;
};

struct node { /* a client */
	bool on;
	bool connects;	  /* TCP goes through */
	bool filtered;	  /* UDP does not */
	struct addr line; /* the server's end of its connection, if any */
	uint64_t stream;  /* and its number */
	unsigned connections;
	uint8_t secret[KEY_LEN], pub[KEY_LEN];
	struct addr addr;
	struct client c;
	unsigned ups, downs, refusals, resolves, hellos, bindings, sent;
	uint8_t binding_tid[STUN_TID_LEN];
	uint64_t last_hello_ms, longest_gap_ms;
	const char *reason;
	struct client_event up, down;
	struct news news[NEWS_MAX];
	uint8_t tags[NEWS_MAX][WIRE_TAG_LEN];
	uint8_t payload[WIRE_PAYLOAD_MAX];
	size_t n_news, payload_len;
};

static struct host host[HOSTS];
static struct node node[NODES];
static struct flight flight[FLIGHTS], last_up, last_down;
static uint64_t streams;
static uint64_t now_ms, seed;
static unsigned loss;
static uint64_t delay_ms;
static uint8_t server_secret[KEY_LEN], server_pub[KEY_LEN];

static unsigned
chance(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

static struct moment
moment(void)
{
	return (struct moment){.ms = now_ms,
	    .us = now_ms * 1000,
	    .wall_ns = 1700000000000000000u + now_ms * 1000000};
}

static void
carry(const struct addr *from, const struct addr *to, const void *data,
    size_t len)
{
	struct flight f = {.used = true, .from = *from, .to = *to, .len = len};

	assert_true(len <= sizeof(f.data));
	memcpy(f.data, data, len);
	f.at_ms = now_ms + delay_ms;
	if (to->port == 3478)
		last_up = f;
	else
		last_down = f;
	if (chance(100) < loss)
		return;
	for (size_t n = 0; n < FLIGHTS; n++)
		if (!flight[n].used) {
			flight[n] = f;
			return;
		}
	fail_msg("too many datagrams under way");
}

static void
server_sends(void *arg, const struct path *to, const void *data, size_t len)
{
	(void)arg;
	carry(&to->local, &to->remote, data, len);
}

static void
server_event(void *arg, const char *what, const uint8_t key[KEY_LEN],
    const uint8_t *peer, const struct addr *at)
{
	(void)arg;
	(void)what;
	(void)key;
	(void)peer;
	(void)at;
}

static void
start_server(int h, uint32_t hello_rate)
{
	struct server_config config = {
	    .secret = server_secret,
	    .public = server_pub,
	    .clients = 16,
	    .per_address = 16,
	    .hello_rate = hello_rate,
	    .request_rate = SERVER_REQUEST_RATE,
	    .keepalive_s = WIRE_KEEPALIVE_S,
	};

	assert_int_equal(server_init(&host[h].server, &config, server_sends,
			     server_event, NULL, now_ms),
	    0);
	host[h].on = true;
	host[h].next_ms = now_ms;
	addr_parse(
	    &host[h].addr[0], h == 0 ? "192.0.2.1:3478" : "192.0.2.2:3478");
	addr_parse(&host[h].addr[1],
	    h == 0 ? "[2001:db8::1]:3478" : "[2001:db8::2]:3478");
}

static void
stop_server(int h)
{
	if (host[h].on)
		server_free(&host[h].server);
	host[h].on = false;
}

static void
start_node(int n, const uint8_t *pinned, uint32_t keepalive_s)
{
	struct moment now = moment();

	memset(&node[n], 0, sizeof(node[n]));
	randombytes_buf(node[n].secret, KEY_LEN);
	crypto_scalarmult_base(node[n].pub, node[n].secret);
	addr_parse(&node[n].addr, "198.51.100.1:1000");
	node[n].addr.port = (uint16_t)(1000 + n);
	node[n].on = true;
	client_init(
	    &node[n].c, node[n].secret, node[n].pub, pinned, keepalive_s, &now);
}

static void
take_news(struct node *n, const struct news *news)
{
	assert_true(n->n_news < NEWS_MAX);
	if (news->what == NEWS_PEER)
		memcpy(n->tags[n->n_news], news->tag, WIRE_TAG_LEN);
	if (news->what == NEWS_FROM) {
		n->payload_len = news->len;
		memcpy(n->payload, news->data, news->len);
	}
	n->news[n->n_news++] = *news;
}

static void
count_send(struct node *n, const struct client_event *ev)
{
	struct stun_msg m;

	n->sent++;
	assert_int_equal(stun_parse(&m, ev->data, ev->len), 0);
	assert_true(m.fingerprint);
	if (m.method == STUN_BINDING) {
		n->bindings++;
		memcpy(n->binding_tid, m.tid, STUN_TID_LEN);
	}
	if (m.method != NATKIT_HELLO)
		return;
	n->hellos++;
	if (n->last_hello_ms != 0 &&
	    now_ms - n->last_hello_ms > n->longest_gap_ms)
		n->longest_gap_ms = now_ms - n->last_hello_ms;
	n->last_hello_ms = now_ms;
}

static void
send_from(struct node *n, const struct client_event *ev)
{
	struct addr from = n->addr;

	from.tcp = ev->to.tcp;
	if (from.tcp) { /* a port of its own, and never the same again */
		if (!addr_equal(&ev->to, &n->line))
			return;
		from.port = (uint16_t)(20000 + n->stream);
	} else if (n->filtered) {
		return;
	}
	carry(&from, &ev->to, ev->data, ev->len);
}

/* TCP: one connection, to the first address. */
static void
connect_node(struct node *n)
{
	struct moment now = moment();

	n->connections++;
	if (!n->connects)
		return;
	if (n->line.family == ADDR_NONE || client_doubts(&n->c, &n->line)) {
		n->line = n->c.dial.addrs[0];
		n->line.tcp = true;
		n->stream = ++streams;
	}
	client_connected(&n->c, &n->line, &now);
}

static void
cut_node(struct node *n)
{
	struct moment now = moment();
	struct addr at = n->line;

	n->line.family = ADDR_NONE;
	client_cut(&n->c, &at, &now);
}

/* Steps a client until it waits; what it says becomes counters. */
static uint64_t
drain(struct node *n)
{
	struct client_event ev;
	struct moment now = moment();

	for (int i = 0; i < 1000; i++) {
		client_step(&n->c, &now, &ev);
		switch (ev.what) {
		case CLIENT_WAIT:
			if (n->line.family != ADDR_NONE &&
			    !client_uses(&n->c, &n->line))
				n->line.family = ADDR_NONE;
			return ev.at_ms;
		case CLIENT_SEND:
			count_send(n, &ev);
			send_from(n, &ev);
			break;
		case CLIENT_CONNECT:
			connect_node(n);
			break;
		case CLIENT_RESOLVE:
			n->resolves++;
			break;
		case CLIENT_UP:
			n->ups++;
			n->up = ev;
			break;
		case CLIENT_DOWN:
			n->downs++;
			n->down = ev;
			n->reason = ev.reason;
			break;
		case CLIENT_REFUSED:
			n->refusals++;
			n->reason = ev.reason;
			break;
		case CLIENT_NEWS:
			take_news(n, &ev.news);
			break;
		}
	}
	fail_msg("a step that never waits");
	return 0;
}

static bool
is_for(const struct flight *f, const struct node *n)
{
	if (!f->to.tcp)
		return addr_equal(&f->to, &n->addr) && !n->filtered;
	return n->line.family != ADDR_NONE && f->to.port == 20000 + n->stream;
}

static void
deliver(struct flight *slot)
{
	const struct flight copy = *slot, *f = &copy;
	struct moment now = moment();

	slot->used = false;
	for (int h = 0; h < HOSTS; h++)
		for (int a = 0; host[h].on && a < 2; a++) {
			struct path p = {.remote = f->from, .local = f->to};
			struct addr to = f->to;

			to.tcp = false;
			if (!addr_equal(&to, &host[h].addr[a]))
				continue;
			if (f->to.tcp)
				p.stream = f->from.port - 20000u;
			server_step(
			    &host[h].server, &p, f->data, f->len, now_ms);
			host[h].next_ms = now_ms;
		}
	for (int n = 0; n < NODES; n++)
		if (node[n].on && is_for(f, &node[n])) {
			client_input(
			    &node[n].c, &f->from, f->data, f->len, &now);
			drain(&node[n]);
		}
}

static void
run(uint64_t ms)
{
	uint64_t end = now_ms + ms;

	while (now_ms < end) {
		uint64_t next = end;

		for (size_t i = 0; i < FLIGHTS; i++)
			if (flight[i].used && flight[i].at_ms <= now_ms)
				deliver(&flight[i]);
		for (int h = 0; h < HOSTS; h++) {
			if (host[h].on && host[h].next_ms <= now_ms)
				host[h].next_ms =
				    server_tick(&host[h].server, now_ms);
			if (host[h].on && host[h].next_ms < next)
				next = host[h].next_ms;
		}
		for (int n = 0; n < NODES; n++) {
			uint64_t at = node[n].on ? drain(&node[n]) : next;

			if (at < next)
				next = at;
		}
		for (size_t i = 0; i < FLIGHTS; i++)
			if (flight[i].used && flight[i].at_ms < next)
				next = flight[i].at_ms;
		now_ms = next > now_ms ? next : now_ms + 1;
	}
}

static void
resolve(int n, int h, int families)
{
	struct moment now = moment();

	client_addresses(&node[n].c, host[h].addr, (size_t)families, &now);
}

static int
set_up(void **state)
{
	(void)state;
	if (sodium_init() == -1)
		return -1;
	randombytes_buf(server_secret, KEY_LEN);
	crypto_scalarmult_base(server_pub, server_secret);
	for (int h = 0; h < HOSTS; h++)
		stop_server(h);
	memset(host, 0, sizeof(host));
	memset(node, 0, sizeof(node));
	memset(flight, 0, sizeof(flight));
	now_ms = 1000000;
	seed = 1;
	loss = 0;
	delay_ms = 10;
	start_server(0, SERVER_HELLO_RATE);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (int h = 0; h < HOSTS; h++)
		stop_server(h);
	return 0;
}

static void
start_one(void)
{
	start_node(0, server_pub, 0);
	resolve(0, 0, 1);
	run(1000);
	assert_int_equal(node[0].ups, 1);
}

static bool
registered(int h, int n)
{
	return registry_by_key(&host[h].server.registry, node[n].pub) !=
	       REGISTRY_NONE;
}

static void
start_filtered(void)
{
	start_node(0, server_pub, 0);
	node[0].filtered = node[0].connects = true;
	resolve(0, 0, 1);
}

static void
without_udp_it_comes_up_over_tcp(void **state)
{
	(void)state;
	start_filtered();
	run(DIAL_CONNECT_MS - 10);
	assert_int_equal(node[0].connections, 0);
	run(10 + 5 * delay_ms);
	assert_int_equal(node[0].ups, 1);
	assert_true(node[0].up.to.tcp);
	assert_true(registered(0, 0));
	/* what the server sees is no address of our UDP port */
	assert_int_equal(node[0].up.mapped.family, ADDR_NONE);
	run(600000);
	assert_int_equal(node[0].ups, 1);
	assert_int_equal(node[0].downs, 0);
	assert_int_equal(node[0].c.mapped.family, ADDR_NONE);
}

static void
with_udp_nothing_is_connected(void **state)
{
	(void)state;
	start_node(0, server_pub, 0);
	node[0].connects = true;
	resolve(0, 0, 1);
	run(600000);
	assert_int_equal(node[0].ups, 1);
	assert_int_equal(node[0].connections, 0);
}

static void
without_both_it_is_told(void **state)
{
	(void)state;
	start_filtered();
	node[0].connects = false;
	run(CONTACT_MS + 10);
	assert_int_equal(node[0].downs, 1);
	assert_string_equal(node[0].reason, "no-answer");
	run(100000);
	assert_true(node[0].connections > 3);
	node[0].connects = true;
	run(20000);
	assert_int_equal(node[0].ups, 1);
}

/* It asks now and then, seldom, and is back when there is an answer. */
static void
goes_back_to_udp(void **state)
{
	unsigned before;

	(void)state;
	start_filtered();
	run(200000);
	before = node[0].hellos;
	run(1000000);
	assert_true(node[0].hellos > before + 8);
	assert_true(node[0].hellos < before + 60);
	assert_int_equal(node[0].connections, 1);
	node[0].filtered = false;
	run(CLIENT_UDP_MAX_MS + 100);
	assert_int_equal(node[0].ups, 2);
	assert_false(node[0].up.to.tcp);
	assert_true(addr_equal(&node[0].up.mapped, &node[0].addr));
	assert_int_equal(node[0].line.family, ADDR_NONE); /* it is closed */
	assert_int_equal(node[0].downs, 0);
	before = node[0].hellos;
	run(1000000);
	assert_int_equal(node[0].hellos, before);
}

/* On another network, within a moment. */
static void
a_new_network_is_asked_for_udp(void **state)
{
	struct moment now;

	(void)state;
	start_filtered();
	run(400000);
	node[0].filtered = false;
	now = moment();
	client_roam(&node[0].c, &now);
	run(CLIENT_UDP_ROAM_MS + 100);
	assert_int_equal(node[0].ups, 2);
	assert_false(node[0].up.to.tcp);
}

/* UDP is filtered in mid-session: no DOWN in between. */
static void
moves_to_tcp_when_udp_goes_silent(void **state)
{
	(void)state;
	start_one();
	node[0].filtered = node[0].connects = true;
	run(40000);
	assert_int_equal(node[0].ups, 2);
	assert_int_equal(node[0].downs, 0);
	assert_true(node[0].up.to.tcp);
}

static void
a_cut_connection_is_made_again(void **state)
{
	(void)state;
	start_filtered();
	run(1000);
	cut_node(&node[0]);
	run(1000);
	assert_int_equal(node[0].connections, 2);
	assert_int_equal(node[0].downs, 0);
	assert_true(node[0].c.up);
	assert_false(node[0].c.suspect);
	/* and for good: then it is down, and told */
	node[0].connects = false;
	cut_node(&node[0]);
	run(CLIENT_DOWN_MS + 10);
	assert_int_equal(node[0].downs, 1);
	node[0].connects = true;
	run(20000);
	assert_true(node[0].c.up);
}

/* A connection that is there and carries nothing any more is not used for the
 * next attempt. */
static void
a_dead_connection_is_replaced(void **state)
{
	(void)state;
	start_filtered();
	run(1000);
	node[0].line.port = 9; /* nothing arrives, no end is told */
	run(40000);
	assert_int_equal(node[0].connections, 2);
	assert_true(node[0].c.up);
	assert_false(node[0].c.suspect);
	assert_int_equal(node[0].downs, 0);
}

/* Over TCP, too, a session is renewed, over the connection that it has. */
static void
renews_over_its_connection(void **state)
{
	uint64_t stream;

	(void)state;
	start_filtered();
	run(1000);
	stream = node[0].stream;
	run(CLIENT_REKEY_MS + 10000);
	assert_int_equal(node[0].stream, stream);
	assert_int_equal(host[0].server.stats.registered, 2);
	assert_int_equal(node[0].ups, 1);
	assert_int_equal(node[0].downs, 0);
}

static void
another_key_than_the_pinned_one_gets_nothing(void **state)
{
	(void)state;
	start_node(1, server_pub, 0);
	start_node(0, node[1].pub, 0);
	node[1].on = false;
	resolve(0, 0, 1);
	run(120000);
	assert_int_equal(node[0].ups, 0);
	assert_false(registered(0, 0));
	assert_true(node[0].hellos > 8);
	assert_true(node[0].hellos < 60);
	assert_true(node[0].longest_gap_ms <= 16000);
}

/* Once, with where it was tried; and the session may come up all the same. */
static void
nobody_there_is_told(void **state)
{
	(void)state;
	stop_server(0);
	start_node(0, server_pub, 0);
	run(20000); /* to look the name up; nothing is tried yet */
	assert_int_equal(node[0].downs, 0);
	resolve(0, 0, 1);
	run(CONTACT_MS - 10);
	assert_int_equal(node[0].downs, 0);
	run(20);
	assert_int_equal(node[0].downs, 1);
	assert_string_equal(node[0].reason, "no-answer");
	assert_true(addr_equal(&node[0].down.to, &host[0].addr[0]));
	run(300000);
	assert_int_equal(node[0].downs, 1);
	assert_int_equal(node[0].bindings, 1);
	start_server(0, SERVER_HELLO_RATE);
	run(16000);
	assert_int_equal(node[0].ups, 1);
	assert_int_equal(node[0].downs, 1);
}

/* Both families are asked, and the one that answers is named. */
static void
a_server_with_another_key_is_told(void **state)
{
	struct addr both[2];
	struct moment now;

	(void)state;
	start_node(1, server_pub, 0);
	start_node(0, node[1].pub, 0);
	node[1].on = false;
	both[0] = host[0].addr[0];
	both[0].port = 9; /* nobody there */
	both[1] = host[0].addr[1];
	now = moment();
	client_addresses(&node[0].c, both, 2, &now);
	run(CONTACT_MS + 10);
	assert_int_equal(node[0].downs, 1);
	assert_string_equal(node[0].reason, "wrong-key");
	assert_true(addr_equal(&node[0].down.to, &both[1]));
	assert_int_equal(node[0].bindings, 2);
	run(300000);
	assert_int_equal(node[0].downs, 1);
	assert_int_equal(node[0].ups, 0);
}

static void
binding_answer(const struct addr *from, const uint8_t tid[STUN_TID_LEN],
    enum stun_class class)
{
	struct moment now = moment();
	uint8_t out[STUN_MAX];
	struct stun_buf b;
	int len;

	stun_begin(&b, out, sizeof(out), STUN_BINDING, class, tid);
	len = stun_end(&b, true);
	assert_true(len > 0);
	client_input(&node[0].c, from, out, (size_t)len, &now);
	drain(&node[0]);
}

/* From elsewhere, to another question, or an error: no sign of a server. */
static void
stray_answers_are_no_server(void **state)
{
	uint8_t tid[STUN_TID_LEN] = {1};
	struct addr elsewhere;

	(void)state;
	stop_server(0);
	start_node(0, server_pub, 0);
	resolve(0, 0, 1);
	run(CONTACT_MS - 100);
	assert_int_equal(node[0].bindings, 1);
	addr_parse(&elsewhere, "192.0.2.66:3478");
	binding_answer(&elsewhere, node[0].binding_tid, STUN_SUCCESS);
	binding_answer(&host[0].addr[0], tid, STUN_SUCCESS);
	binding_answer(&host[0].addr[0], node[0].binding_tid, STUN_ERROR);
	run(200);
	assert_int_equal(node[0].downs, 1);
	assert_string_equal(node[0].reason, "no-answer");
}

static void
a_contact_that_comes_late_is_no_failure(void **state)
{
	(void)state;
	stop_server(0);
	start_node(0, server_pub, 0);
	resolve(0, 0, 1);
	run(DIAL_ATTEMPT_MS + 100); /* the next HELLO follows within a second */
	start_server(0, SERVER_HELLO_RATE);
	run(600000);
	assert_int_equal(node[0].ups, 1);
	assert_int_equal(node[0].downs, 0);
}

static void
comes_up_and_measures(void **state)
{
	struct client_event *up = &node[0].up;

	(void)state;
	start_one();
	assert_true(registered(0, 0));
	assert_true(addr_equal(&up->to, &host[0].addr[0]));
	assert_true(addr_equal(&up->mapped, &node[0].addr));
	assert_in_range(up->rtt_us, 20000, 21000);
	assert_int_equal(node[0].sent, 2); /* HELLO, and its confirmation */
}

static void
waits_for_addresses(void **state)
{
	(void)state;
	start_node(0, server_pub, 0);
	run(60000);
	assert_int_equal(node[0].sent, 0);
	assert_true(node[0].resolves > 3); /* again and again */
	resolve(0, 0, 1);
	run(100);
	assert_int_equal(node[0].ups, 1);
}

static void
stays_up_on_keepalives_alone(void **state)
{
	unsigned sent;

	(void)state;
	start_one();
	sent = node[0].sent;
	run(50 * 60000);
	assert_true(registered(0, 0));
	assert_int_equal(node[0].ups, 1);
	assert_int_equal(node[0].downs, 0);
	assert_int_equal(host[0].server.stats.expired, 0);
	/* one each 25 s, or somewhat more often */
	assert_in_range(node[0].sent - sent, 120, 161);
}

static void
comes_up_on_bad_networks(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 20; i++) {
		set_up(NULL);
		seed = i;
		loss = 40;
		delay_ms = i * 20;
		start_node(0, server_pub, 0);
		resolve(0, 0, 1);
		run(60000);
		assert_true(node[0].ups >= 1);
		assert_true(registered(0, 0));
		tear_down(NULL);
	}
}

static void
answers_challenges(void **state)
{
	(void)state;
	stop_server(0);
	start_server(0, 1);
	for (int round = 0; round < 4; round++) {
		for (int n = 0; n < NODES; n++) {
			start_node(n, server_pub, 0);
			resolve(n, 0, 1);
		}
		run(10000);
		for (int n = 0; n < NODES; n++)
			assert_true(registered(0, n));
	}
	assert_true(host[0].server.stats.hello_challenged > 0);
}

static void
forged_challenges_are_not_obeyed_for_ever(void **state)
{
	uint8_t nonce[8] = {1}, out[STUN_MAX];
	struct stun_msg m;
	struct moment now;
	unsigned before;

	(void)state;
	stop_server(0);
	start_node(0, server_pub, 0);
	resolve(0, 0, 1);
	run(10);
	before = node[0].hellos;
	for (int i = 0; i < 50; i++) {
		int len;

		assert_int_equal(stun_parse(&m, last_up.data, last_up.len), 0);
		len = wire_challenge(
		    m.tid, nonce, sizeof(nonce), out, sizeof(out));
		now = moment();
		client_input(
		    &node[0].c, &host[0].addr[0], out, (size_t)len, &now);
		drain(&node[0]);
	}
	assert_in_range(node[0].hellos, before + 1, before + 4);
}

/* After kill -9 and a restart: the first keepalive is enough. */
static void
a_restarted_server_knows_us_within_one_keepalive(void **state)
{
	uint8_t tag[WIRE_TAG_LEN] = "tagtag";

	(void)state;
	start_node(1, server_pub, 0);
	start_one();
	client_want(&node[0].c, 0, node[1].pub, tag);
	run(1000);
	stop_server(0);
	run(100);
	start_server(0, SERVER_HELLO_RATE);
	run(WIRE_KEEPALIVE_S * 1000);
	assert_true(registered(0, 0));
	assert_int_equal(node[0].downs, 0);
	assert_int_equal(node[0].ups, 2);
	assert_int_equal(host[0].server.registry.edges_count, 1);
}

static void
a_silent_server_is_down_and_comes_back(void **state)
{
	(void)state;
	start_one();
	stop_server(0);
	run(CLIENT_DOWN_MS);
	assert_int_equal(node[0].downs, 0);
	run(WIRE_KEEPALIVE_S * 1000);
	assert_int_equal(node[0].downs, 1);
	assert_string_equal(node[0].reason, "timeout");
	assert_true(node[0].resolves > 1);
	node[0].longest_gap_ms = 0;
	run(600000);
	assert_int_equal(node[0].downs, 1);
	assert_in_range(node[0].longest_gap_ms, 10000, 16000);
	start_server(0, SERVER_HELLO_RATE);
	run(16000);
	assert_int_equal(node[0].ups, 2);
	assert_true(registered(0, 0));
}

/* An answer that was late or lost for a moment changes nothing. */
static void
a_short_silence_is_nothing(void **state)
{
	(void)state;
	start_one();
	for (int i = 0; i < 20; i++) {
		run(chance(30000));
		loss = 100;
		run(4500);
		loss = 0;
		run(40000);
	}
	assert_int_equal(node[0].downs, 0);
	assert_int_equal(node[0].ups, 1);
}

static void
hints_are_obeyed_once_in_two_seconds(void **state)
{
	uint8_t out[STUN_MAX];
	struct stun_msg m;
	struct moment now;
	struct flight request;
	unsigned before;
	int len;

	(void)state;
	start_one();
	stop_server(0); /* nobody but the liar answers */
	now = moment();
	client_roam(&node[0].c, &now);
	run(1);
	request = last_up;
	assert_int_equal(stun_parse(&m, request.data, request.len), 0);
	len = wire_unknown_session(&m, out, sizeof(out));
	assert_true(len > 0 && (size_t)len <= request.len);
	run(1500); /* more than 2 s since start, not yet suspicious */
	before = node[0].hellos;
	for (int i = 0; i < 100; i++) {
		now = moment();
		client_input(
		    &node[0].c, &host[0].addr[0], out, (size_t)len, &now);
		drain(&node[0]);
		assert_int_equal(node[0].hellos, before + 1);
		run(1);
	}
	/* from elsewhere, or to nothing that we asked */
	set_up(NULL);
	start_one();
	run(3000);
	before = node[0].hellos;
	now = moment();
	client_input(&node[0].c, &host[0].addr[0], out, (size_t)len, &now);
	run(10);
	assert_int_equal(node[0].hellos, before);
	assert_int_equal(node[0].downs, 0);
}

static void
roams_at_once(void **state)
{
	struct moment now;

	(void)state;
	start_one();
	addr_parse(&node[0].addr, "203.0.113.9:999");
	now = moment();
	client_roam(&node[0].c, &now);
	run(200);
	assert_int_equal(node[0].ups, 2);
	assert_true(addr_equal(&node[0].up.mapped, &node[0].addr));
	assert_int_equal(host[0].server.stats.moved, 1);
	assert_int_equal(node[0].hellos, 1);
}

static void
renews_its_session_unseen(void **state)
{
	uint64_t registrations;

	(void)state;
	start_one();
	registrations = host[0].server.stats.registered;
	run(61 * 60000);
	assert_int_equal(host[0].server.stats.registered, registrations + 1);
	assert_int_equal(node[0].ups, 1);
	assert_int_equal(node[0].downs, 0);
	assert_int_equal(node[0].hellos, 2);
}

/* The old session is in use until the new one is proven to both ends. */
static void
a_renewal_that_fails_costs_nothing(void **state)
{
	(void)state;
	start_one();
	run(59 * 60000);
	for (int i = 0; i < 30; i++) {
		/* whatever is said of HELLO is lost */
		run(1000);
		for (size_t f = 0; f < FLIGHTS; f++)
			if (flight[f].used && flight[f].len > 150 &&
			    flight[f].len < 170)
				flight[f].used = false;
	}
	assert_int_equal(node[0].downs, 0);
	run(120000);
	assert_int_equal(node[0].downs, 0);
	assert_true(registered(0, 0));
}

static void
a_refusal_is_told_once_and_tried_again(void **state)
{
	char text[KEY_STRLEN];
	uint8_t other[KEY_LEN] = {9};
	const char *why;
	size_t line;

	(void)state;
	start_node(0, server_pub, 0);
	key_format(other, text);
	assert_int_equal(
	    allow_parse(&host[0].server.allow, text, strlen(text), &line, &why),
	    0);
	resolve(0, 0, 1);
	run(300000);
	assert_int_equal(node[0].refusals, 1);
	assert_string_equal(node[0].reason, "forbidden");
	assert_int_equal(node[0].ups, 0);
	assert_in_range(node[0].hellos, 9, 15);
	key_format(node[0].pub, text);
	assert_int_equal(
	    allow_parse(&host[0].server.allow, text, strlen(text), &line, &why),
	    0);
	run(31000);
	assert_int_equal(node[0].ups, 1);
	allow_free(&host[0].server.allow);
}

static void
the_family_that_answers_is_used(void **state)
{
	struct moment now = moment();
	struct addr both[2];

	(void)state;
	start_node(0, server_pub, 0);
	both[0] = host[0].addr[0];
	both[0].port = 9; /* nobody there */
	both[1] = host[0].addr[1];
	client_addresses(&node[0].c, both, 2, &now);
	run(1000);
	assert_int_equal(node[0].ups, 1);
	assert_true(addr_equal(&node[0].up.to, &both[1]));
}

static void
falls_over_to_another_address(void **state)
{
	struct addr old = host[0].addr[0];

	(void)state;
	start_node(0, server_pub, 0);
	resolve(0, 0, 2);
	run(1000);
	assert_true(addr_equal(&node[0].up.to, &old));
	addr_parse(&host[0].addr[0], "192.0.2.77:3478"); /* moved away */
	run(30000);
	assert_int_equal(node[0].ups, 2);
	assert_int_equal(node[0].downs, 0);
	assert_true(addr_equal(&node[0].up.to, &host[0].addr[1]));
}

static int
find_news(const struct node *n, enum news_what what, int peer)
{
	for (size_t i = 0; i < n->n_news; i++)
		if (n->news[i].what == what && n->news[i].peer == peer)
			return (int)i;
	return -1;
}

static void
two_who_want_each_other_meet(void **state)
{
	uint8_t tag0[WIRE_TAG_LEN] = "tag-000", tag1[WIRE_TAG_LEN] = "tag-111";
	uint8_t out[STUN_MAX];
	int i, len;

	(void)state;
	for (int n = 0; n < NODES; n++) {
		start_node(n, server_pub, 0);
		resolve(n, 0, 1);
	}
	loss = 20;
	run(5000);
	client_want(&node[0].c, 5, node[1].pub, tag0);
	run(5000);
	assert_int_equal(node[1].n_news, 0); /* it does not want us yet */
	client_want(&node[1].c, 7, node[0].pub, tag1);
	client_want(&node[2].c, 0, node[0].pub, tag1); /* nobody wants it */
	run(20000);
	assert_true((i = find_news(&node[0], NEWS_PEER, 5)) >= 0);
	assert_memory_equal(node[0].tags[i], tag1, WIRE_TAG_LEN);
	assert_true((i = find_news(&node[1], NEWS_PEER, 7)) >= 0);
	assert_memory_equal(node[1].tags[i], tag0, WIRE_TAG_LEN);
	assert_int_equal(node[2].n_news, 0);

	loss = 0;
	len = client_relay(
	    &node[0].c, 5, (const uint8_t *)"sealed", 6, out, sizeof(out));
	assert_true(len > 0);
	carry(&node[0].addr, client_endpoint(&node[0].c), out, (size_t)len);
	run(100);
	assert_true(find_news(&node[1], NEWS_FROM, 7) >= 0);
	assert_int_equal(node[1].payload_len, 6);
	assert_memory_equal(node[1].payload, "sealed", 6);

	loss = 20;
	delay_ms = 50;
	run(400000); /* the round trip is known to be 100 ms now */
	client_ready(&node[0].c, 5, 3, 4);
	client_ready(&node[1].c, 7, 1, 1); /* overtaken by the next */
	client_ready(&node[1].c, 7, 4, 3);
	run(20000);
	assert_true((i = find_news(&node[0], NEWS_GO, 5)) >= 0);
	assert_int_equal(node[0].news[i].mine, 3);
	assert_int_equal(node[0].news[i].theirs, 4);
	assert_true(node[0].news[i].age_ms >= 40);
	assert_true((i = find_news(&node[1], NEWS_GO, 7)) >= 0);
	assert_int_equal(node[1].news[i].mine, 4);
	assert_int_equal(node[1].news[i].theirs, 3);

	loss = 0;
	len = client_bye(&node[0].c, out, sizeof(out));
	assert_true(len > 0);
	carry(&node[0].addr, client_endpoint(&node[0].c), out, (size_t)len);
	node[0].on = false;
	run(1000);
	assert_false(registered(0, 0));
	assert_true(find_news(&node[1], NEWS_GONE, 7) >= 0);
	assert_int_equal(node[2].n_news, 0);
}

/* One peer is over TCP, the other over UDP. */
static void
meet_over_both(void)
{
	const uint8_t tags[2][WIRE_TAG_LEN] = {{1}, {2}};

	start_filtered();
	start_node(1, server_pub, 0);
	resolve(1, 0, 1);
	for (int n = 0; n < 2; n++)
		client_want(&node[n].c, 0, node[1 - n].pub, tags[n]);
	run(1000);
	for (int n = 0; n < 2; n++)
		assert_true(find_news(&node[n], NEWS_PEER, 0) >= 0);
}

/* Across a change they go on. */
static void
two_meet_over_both(void **state)
{
	(void)state;
	meet_over_both();
	for (int n = 0; n < 2; n++)
		client_ready(&node[n].c, 0, 1, 1);
	run(500);
	assert_int_equal(find_news(&node[0], NEWS_GO, 0), -1);
	node[0].filtered = false;
	run(CLIENT_UDP_MIN_MS + 5000);
	assert_false(node[0].up.to.tcp);
	assert_int_equal(find_news(&node[1], NEWS_GONE, 0), -1);
	client_ready(&node[0].c, 0, 1, 1);
	client_ready(&node[1].c, 0, 1, 1);
	run(1000);
	for (int n = 0; n < 2; n++)
		assert_true(find_news(&node[n], NEWS_GO, 0) >= 0);
}

/* Where UDP stays blocked, READY is said in the end. */
static void
ready_over_tcp(void **state)
{
	(void)state;
	meet_over_both();
	for (int n = 0; n < 2; n++)
		client_ready(&node[n].c, 0, 1, 1);
	run(CLIENT_HOLD_MS);
	for (int n = 0; n < 2; n++)
		assert_true(find_news(&node[n], NEWS_GO, 0) >= 0);
	assert_true(node[0].up.to.tcp);
}

static const struct token *
token_of(const struct node *n, int peer)
{
	int i = find_news(n, NEWS_TOKEN, peer);

	assert_true(i >= 0);
	return &n->news[i].token;
}

static unsigned
count_news(const struct node *n, enum news_what what)
{
	unsigned count = 0;

	for (size_t i = 0; i < n->n_news; i++)
		count += n->news[i].what == what;
	return count;
}

static void
offer_relays(int h)
{
	static char text[2][60];
	struct tokens *t = &host[h].server.tokens;

	snprintf(text[0], sizeof(text[0]), "f@192.0.2.7:1,[2001:db8::7]:1");
	snprintf(text[1], sizeof(text[1]), "f@192.0.2.8:1");
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(tokens_add(t, text[i]), 0);
		t->relay[i].secret.len = 20;
	}
	t->lifetime_s = 100;
	t->wall_s = 1700000000;
}

/* Tokens come when both want each other, to nobody else, and anew after half of
 * their lives; answers are let through only if they are no longer than what
 * asked, so their coming shows that, too. */
static void
tokens_need_both_consents(void **state)
{
	uint8_t tag[WIRE_TAG_LEN] = "tag-000";
	const struct token *t, *u;
	unsigned before;

	(void)state;
	offer_relays(0);
	for (int n = 0; n < NODES; n++) {
		start_node(n, server_pub, 0);
		resolve(n, 0, 1);
	}
	run(1000);
	client_want(&node[0].c, 5, node[1].pub, tag);
	client_want(&node[2].c, 0, node[0].pub, tag); /* nobody wants it */
	run(1000);
	/* whatever a client asks for */
	ledger_met(&node[0].c.ledger, 5, now_ms);
	ledger_met(&node[2].c.ledger, 0, now_ms);
	run(1000);
	assert_int_equal(host[0].server.stats.relay_denied, 2);
	assert_int_equal(host[0].server.stats.tokens, 0);
	assert_int_equal(node[0].n_news + node[2].n_news, 0);

	client_want(&node[1].c, 7, node[0].pub, tag);
	run(2000);
	t = token_of(&node[0], 5);
	u = token_of(&node[1], 7);
	assert_int_equal(t->n, 2);
	assert_int_equal(u->n, 2);
	assert_true(addr_equal(&t->relay[0].at[0], &u->relay[0].at[0]));
	assert_string_not_equal(t->relay[0].password, u->relay[0].password);
	assert_int_equal(node[2].n_news, 0);

	before = count_news(&node[0], NEWS_TOKEN);
	run(45000);
	assert_int_equal(count_news(&node[0], NEWS_TOKEN), before);
	loss = 20;
	run(10000);
	loss = 0;
	assert_int_equal(count_news(&node[0], NEWS_TOKEN), before + 1);
	run(300000);
	assert_in_range(
	    count_news(&node[0], NEWS_TOKEN), before + 6, before + 7);
	assert_int_equal(node[2].n_news, 0);
}

/* A server that pushes PEER without end is asked for tokens once a second. */
static void
tokens_are_asked_for_seldom(void **state)
{
	uint8_t tag[WIRE_TAG_LEN] = "tag-000";
	uint64_t asked;

	(void)state;
	for (int n = 0; n < 2; n++) {
		start_node(n, server_pub, 0);
		resolve(n, 0, 1);
	}
	for (int n = 0; n < 2; n++)
		client_want(&node[n].c, 0, node[1 - n].pub, tag);
	run(200);
	assert_true(find_news(&node[0], NEWS_PEER, 0) >= 0);
	asked = host[0].server.stats.tokens;
	for (int i = 0; i < 1000; i++) {
		ledger_met(&node[0].c.ledger, 0, now_ms);
		run(10);
	}
	assert_in_range(host[0].server.stats.tokens - asked, 5, 15);
}

/* 64 wants are three requests; and a server that is out of room says so. */
static void
wants_that_do_not_fit_are_reported(void **state)
{
	uint8_t key[KEY_LEN] = {9}, tag[WIRE_TAG_LEN] = {0};
	size_t full = 0;

	(void)state;
	for (int n = 0; n < 2; n++) {
		start_node(n, server_pub, 0);
		resolve(n, 0, 1);
		for (int i = 0; i < (n == 0 ? REQUEST_PEERS : 4); i++) {
			key[1] = (uint8_t)i;
			client_want(&node[n].c, i, key, tag);
		}
		run(5000);
	}
	assert_int_equal(host[0].server.registry.edges_count, 64);
	assert_int_equal(node[0].n_news, 0);
	for (size_t i = 0; i < node[1].n_news; i++)
		full += node[1].news[i].what == NEWS_FULL;
	assert_int_equal(full, 4);
	node[0].on = false;
	run(120000);
	assert_int_equal(host[0].server.registry.edges_count, 4);
}

/* One request can't tell of them all, the one that proves a session either. */
static void
many_wants_survive_a_restart(void **state)
{
	uint8_t key[KEY_LEN] = {9}, tag[WIRE_TAG_LEN] = {0};

	(void)state;
	start_one();
	for (int i = 0; i < REQUEST_PEERS; i++) {
		key[1] = (uint8_t)i;
		client_want(&node[0].c, i, key, tag);
	}
	run(1000);
	stop_server(0);
	start_server(0, SERVER_HELLO_RATE);
	run(WIRE_KEEPALIVE_S * 1000);
	assert_int_equal(host[0].server.registry.edges_count, REQUEST_PEERS);
}

/* Nothing that others can make out of what they saw gets through. */
static void
forged_and_replayed_messages_do_nothing(void **state)
{
	struct moment now;
	struct flight seen;
	struct addr elsewhere;

	(void)state;
	start_one();
	now = moment();
	client_roam(&node[0].c, &now);
	run(100);
	seen = last_down; /* the answer to a keepalive */
	now = moment();
	assert_false(
	    client_input(&node[0].c, &seen.from, seen.data, seen.len, &now));
	for (size_t i = 0; i < seen.len; i++) {
		seen.data[i] ^= 1;
		assert_false(client_input(
		    &node[0].c, &seen.from, seen.data, seen.len, &now));
		seen.data[i] ^= 1;
	}
	assert_false(client_input(&node[0].c, &seen.from, last_up.data,
	    last_up.len, &now)); /* our own, reflected */
	addr_parse(&elsewhere, "192.0.2.66:3478");
	client_roam(&node[0].c, &now);
	run(12); /* the answer is on its way */
	for (size_t i = 0; i < FLIGHTS; i++)
		if (flight[i].used && flight[i].to.port != 3478)
			assert_false(client_input(&node[0].c, &elsewhere,
			    flight[i].data, flight[i].len, &now));
	run(60000);
	assert_int_equal(node[0].ups, 1);
	assert_int_equal(node[0].downs, 0);
}

/* An answer of a server that has the keys and makes things up. */
static void
lie(const uint8_t tid[STUN_TID_LEN], unsigned n)
{
	struct moment now = moment();
	struct addr mapped = {.family = ADDR_V4, .ip = {1, 2}, .port = 1};
	uint8_t data[STUN_MAX], plain[WIRE_PLAIN_MAX], *p;
	struct stun_buf b;
	uint32_t i;
	int len;

	i = registry_by_key(&host[0].server.registry, node[0].pub);
	mapped.port += (uint16_t)n;
	stun_begin_list(&b, plain, sizeof(plain));
	wire_put_addr(&b, NATKIT_MAPPED, &mapped);
	for (int k = 0; k < 20; k++) {
		p = stun_put_space(&b, NATKIT_STATUS, 2 + KEY_LEN);
		put_u16(p, WIRE_FULL);
		memcpy(p + 2, node[0].c.ledger.peer[0].key, KEY_LEN);
	}
	len =
	    wire_seal(&host[0].server.registry.clients[i].session, STUN_SUCCESS,
		tid, plain, (size_t)stun_end(&b, false), data, sizeof(data));
	client_input(&node[0].c, &host[0].addr[0], data, (size_t)len, &now);
	drain(&node[0]);
}

/* What a server may make us print or say is little, whatever it answers, to
 * requests of ours or to none. */
static void
a_server_that_lies_is_heard_seldom(void **state)
{
	uint8_t key[KEY_LEN] = {9}, tag[WIRE_TAG_LEN] = {0};
	uint8_t tid[STUN_TID_LEN];
	unsigned sent;

	(void)state;
	start_one();
	client_want(&node[0].c, 0, key, tag);
	run(1000);
	sent = node[0].sent;
	for (unsigned n = 0; n < 300; n++) {
		stun_new_tid(tid);
		lie(tid, n);
		run(10);
	}
	assert_int_equal(node[0].ups, 1);
	assert_int_equal(node[0].n_news, 0);
	host[0].next_ms = UINT64_MAX;
	for (unsigned n = 0; n < 300; n++) {
		client_ready(&node[0].c, 0, n + 1, 1);
		drain(&node[0]);
		lie(node[0].c.ledger.request[0].t.tid, n);
		run(10);
	}
	assert_true(node[0].ups < 15);
	assert_int_equal(node[0].n_news, 1);
	assert_true(node[0].sent - sent < 300 + 15);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(another_key_than_the_pinned_one_gets_nothing),
	    TEST(nobody_there_is_told),
	    TEST(a_server_with_another_key_is_told),
	    TEST(stray_answers_are_no_server),
	    TEST(a_contact_that_comes_late_is_no_failure),
	    TEST(comes_up_and_measures),
	    TEST(waits_for_addresses),
	    TEST(stays_up_on_keepalives_alone),
	    TEST(comes_up_on_bad_networks),
	    TEST(answers_challenges),
	    TEST(forged_challenges_are_not_obeyed_for_ever),
	    TEST(a_restarted_server_knows_us_within_one_keepalive),
	    TEST(a_silent_server_is_down_and_comes_back),
	    TEST(a_short_silence_is_nothing),
	    TEST(hints_are_obeyed_once_in_two_seconds),
	    TEST(roams_at_once),
	    TEST(renews_its_session_unseen),
	    TEST(a_renewal_that_fails_costs_nothing),
	    TEST(a_refusal_is_told_once_and_tried_again),
	    TEST(the_family_that_answers_is_used),
	    TEST(falls_over_to_another_address),
	    TEST(without_udp_it_comes_up_over_tcp),
	    TEST(with_udp_nothing_is_connected),
	    TEST(without_both_it_is_told),
	    TEST(goes_back_to_udp),
	    TEST(a_new_network_is_asked_for_udp),
	    TEST(moves_to_tcp_when_udp_goes_silent),
	    TEST(a_cut_connection_is_made_again),
	    TEST(a_dead_connection_is_replaced),
	    TEST(renews_over_its_connection),
	    TEST(two_meet_over_both),
	    TEST(ready_over_tcp),
	    TEST(two_who_want_each_other_meet),
	    TEST(tokens_need_both_consents),
	    TEST(tokens_are_asked_for_seldom),
	    TEST(wants_that_do_not_fit_are_reported),
	    TEST(many_wants_survive_a_restart),
	    TEST(forged_and_replayed_messages_do_nothing),
	    TEST(a_server_that_lies_is_heard_seldom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* The rendezvous server against honest and other clients, without a network.
 * Every datagram that it sends unasked or as an answer passes sent_cb. */
#include "server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../rv.h"

#define OUTBOX 256

static struct server srv;
static struct rv self; /* the server's keys */
static uint64_t now;
static uint64_t stream; /* what comes now comes over this connection */

/* What the server sent since the last call of in(). */
static struct {
	struct path to;
	uint8_t data[STUN_MAX];
	size_t len;
} out[OUTBOX];
static int n_out;
static uint8_t buf[STUN_MAX], plain[WIRE_PLAIN_MAX];
static const char *last_event; /* of the server's own literals */

static void
sent_cb(void *arg, const struct path *to, const void *data, size_t len)
{
	(void)arg;
	assert_true(n_out < OUTBOX);
	out[n_out].to = *to;
	memcpy(out[n_out].data, data, len);
	out[n_out++].len = len;
}

static void
event_cb(void *arg, const char *what, const uint8_t key[KEY_LEN],
    const uint8_t *peer, const struct addr *at)
{
	(void)arg;
	(void)key;
	(void)peer;
	(void)at;
	last_event = what;
}

static int
start(uint32_t clients, uint32_t per_address, uint32_t rate)
{
	struct server_config config = {.secret = self.secret,
	    .public = self.public,
	    .clients = clients,
	    .per_address = per_address,
	    .hello_rate = rate,
	    .request_rate = 20,
	    .keepalive_s = 25};

	now = 5000000;
	return server_init(&srv, &config, sent_cb, event_cb, NULL, now);
}

static int
setup(void **state)
{
	(void)state;
	rv_init(&self);
	stream = 0;
	return start(20, 0, 1000);
}

static int
teardown(void **state)
{
	(void)state;
	server_free(&srv);
	return 0;
}

static struct path
at(uint8_t host)
{
	struct path p = {.remote = {.family = ADDR_V4,
			     .ip = {192, 0, 2, host},
			     .port = 40000},
	    .local = {.family = ADDR_V4, .ip = {198, 51, 100, 1}, .port = 1},
	    .stream = stream};

	p.remote.tcp = stream != 0;
	return p;
}

/* One datagram in, all due pushes out. Returns how many were sent. */
static int
in(uint8_t host, const uint8_t *data, int len)
{
	struct path p = at(host);

	assert_true(len >= 0);
	n_out = 0;
	server_step(&srv, &p, data, (size_t)len, now);
	server_tick(&srv, now);
	return n_out;
}

/* HELLO and its confirmation. Returns the status. */
static int
join(struct rv *c, uint8_t host)
{
	int rc, len = rv_hello(c, self.public, NULL, 0, buf);

	if (in(host, buf, len) != 1)
		return -ETIMEDOUT;
	assert_true(out[0].len <= (size_t)len);
	rc = rv_finish(c, out[0].data, out[0].len);
	if (rc != WIRE_OK)
		return rc;
	len = rv_request(c, 0, NULL, 0, buf);
	assert_true(in(host, buf, len) >= 1);
	return rc;
}

static struct rv
joined(uint8_t host)
{
	struct rv c;

	rv_init(&c);
	assert_int_equal(join(&c, host), WIRE_OK);
	return c;
}

static const struct member *
member(const struct rv *c)
{
	uint32_t i = registry_by_key(&srv.registry, c->public);

	return i == REGISTRY_NONE ? NULL : &srv.registry.clients[i];
}

/* The same, where it has to be registered. */
static const struct member *
there(const struct rv *c)
{
	const struct member *m = member(c);

	if (m == NULL)
		fail();
	return m;
}

static void
garbage(void **state)
{
	uint8_t junk[STUN_MAX + 200] = {0};
	struct stun_buf b;
	uint8_t tid[STUN_TID_LEN] = {1};

	(void)state;
	assert_int_equal(in(1, junk, 0), 0);
	for (int i = 0; i < 2000; i++) {
		int len = (int)randombytes_uniform(sizeof(junk));

		randombytes_buf(junk, (size_t)len);
		assert_int_equal(in(1, junk, len), 0);
	}
	/* classes and methods that nobody asks a server */
	for (int class = 0; class < 4; class ++) {
		static const uint16_t methods[] = {
		    STUN_BINDING, NATKIT_HELLO, NATKIT_SESSION, 0x003};

		for (int i = 0; i < 4; i++) {
			if (methods[i] == STUN_BINDING && class == 0)
				continue;
			stun_begin(&b, junk, sizeof(junk), methods[i],
			    (enum stun_class) class, tid);
			assert_int_equal(in(1, junk, stun_end(&b, true)), 0);
		}
	}
}

static void
binding(void **state)
{
	uint8_t tid[STUN_TID_LEN];
	struct addr mapped;
	struct stun_attr a;
	struct stun_msg m;
	struct stun_buf b;
	struct path six = {.remote = {.family = ADDR_V6,
			       .ip = {0x20, 1, 0xd, 0xb8, [15] = 4},
			       .port = 7}};

	(void)state;
	for (int fp = 0; fp < 2; fp++) {
		struct path p = at(9);

		stun_new_tid(tid);
		stun_begin(
		    &b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST, tid);
		stun_put(&b, STUN_SOFTWARE, "test", 4);
		assert_int_equal(in(9, buf, stun_end(&b, fp)), 1);
		assert_int_equal(stun_parse(&m, out[0].data, out[0].len), 0);
		assert_int_equal(m.class, STUN_SUCCESS);
		assert_int_equal(m.fingerprint, fp);
		assert_int_equal(out[0].len, 20 + 12 + (fp ? 8 : 0));
		assert_memory_equal(m.tid, tid, sizeof(tid));
		assert_int_equal(stun_get_mapped(&m, &mapped), 0);
		assert_true(addr_equal(&mapped, &p.remote));
		assert_true(addr_equal(&out[0].to.local, &p.local));
	}
	n_out = 0;
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST, tid);
	server_step(&srv, &six, buf, (size_t)stun_end(&b, false), now);
	assert_int_equal(stun_parse(&m, out[0].data, out[0].len), 0);
	assert_int_equal(stun_get_mapped(&m, &mapped), 0);
	assert_true(addr_equal(&mapped, &six.remote));
	/* an attribute that has to be understood */
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&b, 0x7777, "", 0);
	assert_int_equal(in(9, buf, stun_end(&b, false)), 1);
	assert_int_equal(stun_parse(&m, out[0].data, out[0].len), 0);
	assert_int_equal(stun_get_error(&m), 420);
	assert_int_equal(stun_find(&m, STUN_UNKNOWN_ATTRIBUTES, &a), 0);
	assert_memory_equal(a.value, "\x77\x77", 2);
}

static void
binding_is_limited(void **state)
{
	uint8_t tid[STUN_TID_LEN] = {0};
	struct stun_buf b;
	int answered = 0;

	(void)state;
	server_free(&srv);
	assert_int_equal(start(20, 0, 20), 0);
	stun_begin(&b, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST, tid);
	for (int i = 0; i < 100; i++)
		answered += in(1, buf, 20);
	assert_int_equal(answered, 40);
	assert_int_equal(in(2, buf, 20), 1);
}

/* The key's private half is needed: a HELLO under somebody else's name. */
static void
key_of_another(void **state)
{
	struct rv victim, thief;
	int len;

	(void)state;
	victim = joined(1);
	rv_init(&thief);
	memcpy(thief.public, victim.public, KEY_LEN);
	thief.timestamp = 1000;
	len = rv_hello(&thief, self.public, NULL, 0, buf);
	assert_int_equal(in(2, buf, len), 0);
	assert_int_equal(srv.stats.hello_bad, 1);
	assert_int_equal(there(&victim)->path.remote.ip[3], 1);
}

static void
hello_alone_registers_nobody(void **state)
{
	struct rv c, again;
	struct session was;
	int len;

	(void)state;
	rv_init(&c);
	len = rv_hello(&c, self.public, NULL, 0, buf);
	assert_int_equal(in(1, buf, len), 1);
	assert_null(member(&c));
	/* nor does it replace the session that is there */
	assert_int_equal(join(&c, 1), WIRE_OK);
	was = there(&c)->session;
	again = c;
	len = rv_hello(&again, self.public, NULL, 0, buf);
	assert_int_equal(in(2, buf, len), 1);
	assert_memory_equal(&there(&c)->session, &was, sizeof(was));
	len = rv_request(&c, 0, NULL, 0, buf);
	assert_int_equal(in(1, buf, len), 1);
	/* the answer was for address 2: from another it confirms nothing */
	assert_int_equal(rv_finish(&again, out[0].data, out[0].len), -EBADMSG);
}

static void
confirmed_from_elsewhere(void **state)
{
	struct rv c;
	int len;

	(void)state;
	rv_init(&c);
	len = rv_hello(&c, self.public, NULL, 0, buf);
	in(1, buf, len);
	assert_int_equal(rv_finish(&c, out[0].data, out[0].len), WIRE_OK);
	len = rv_request(&c, 0, NULL, 0, buf);
	assert_int_equal(in(2, buf, len), 1); /* 481 */
	assert_null(member(&c));
	len = rv_request(&c, 0, NULL, 0, buf);
	assert_int_equal(in(1, buf, len), 1);
	assert_non_null(member(&c));
}

static void
hello_retransmitted_and_replayed(void **state)
{
	struct rv c;
	uint8_t hello[STUN_MAX], first[STUN_MAX];
	size_t first_len;
	int len, len2;

	(void)state;
	rv_init(&c);
	len = rv_hello(&c, self.public, NULL, 0, hello);
	assert_int_equal(in(1, hello, len), 1);
	first_len = out[0].len;
	memcpy(first, out[0].data, first_len);
	/* the answer was lost: the same again */
	assert_int_equal(in(1, hello, len), 1);
	assert_int_equal(out[0].len, first_len);
	assert_memory_equal(out[0].data, first, first_len);
	assert_int_equal(srv.stats.hello_repeated, 1);
	assert_int_equal(rv_finish(&c, first, first_len), WIRE_OK);
	len2 = rv_request(&c, 0, NULL, 0, buf);
	assert_int_equal(in(1, buf, len2), 1);
	/* registered: from now on it is a replay, from anywhere */
	assert_int_equal(in(66, hello, len), 0);
	assert_int_equal(in(1, hello, len), 0);
	assert_int_equal(srv.stats.hello_replayed, 2);
	assert_int_equal(there(&c)->path.remote.ip[3], 1);
}

static void
session_replayed(void **state)
{
	struct rv c = joined(1);
	uint8_t old[STUN_MAX];
	int len = rv_request(&c, 0, NULL, 0, old);

	(void)state;
	assert_int_equal(in(1, old, len), 1);
	assert_int_equal(in(66, old, len), 0);
	assert_int_equal(in(1, old, len), 0);
	assert_int_equal(srv.stats.session_replayed, 2);
	assert_int_equal(there(&c)->path.remote.ip[3], 1);
}

static void
id_of_another(void **state)
{
	struct rv victim = joined(1), thief = joined(2);
	int len;

	(void)state;
	memcpy(thief.session.id, victim.session.id, WIRE_ID_LEN);
	len = rv_request(&thief, NATKIT_BYE, NULL, 0, buf);
	assert_int_equal(in(2, buf, len), 0);
	assert_int_equal(srv.stats.session_bad, 1);
	assert_int_equal(there(&victim)->path.remote.ip[3], 1);
	len = rv_request(&victim, 0, NULL, 0, buf);
	assert_int_equal(in(1, buf, len), 1);
}

static void
roaming_newest_wins(void **state)
{
	struct rv c = joined(1);
	uint8_t early[STUN_MAX];
	struct addr mapped;
	struct stun_attr a;
	struct stun_msg m;
	int early_len = rv_request(&c, 0, NULL, 0, early), len;

	(void)state;
	len = rv_request(&c, 0, NULL, 0, buf);
	assert_int_equal(in(7, buf, len), 1);
	assert_int_equal(there(&c)->path.remote.ip[3], 7);
	assert_int_equal(out[0].to.remote.ip[3], 7);
	/* overtaken on the way: authentic and answered, but not where it is */
	assert_int_equal(in(1, early, early_len), 1);
	assert_int_equal(there(&c)->path.remote.ip[3], 7);
	len = rv_open(&c, &m, out[0].data, out[0].len, plain);
	assert_true(len > 0);
	assert_int_equal(rv_find(plain, (size_t)len, NATKIT_MAPPED, &a), 0);
	assert_int_equal(wire_get_addr(&a, &mapped), 0);
	assert_int_equal(mapped.ip[3], 1);
}

static void
answers_and_pushes_take_the_connection(void **state)
{
	struct rv a, b = joined(2);

	(void)state;
	stream = 7;
	a = joined(1);
	assert_int_equal(out[0].to.stream, 7);
	in(1, buf, rv_want(&a, b.public, 1, buf));
	stream = 0;
	in(2, buf, rv_want(&b, a.public, 2, buf));
	assert_int_equal(n_out, 3); /* an answer, and PEER to both */
	assert_int_equal(out[0].to.stream, 0);
	assert_int_equal(out[1].to.stream + out[2].to.stream, 7);
	/* the connection after it, from the same address: nothing to prove */
	assert_true(there(&a)->proven);
	stream = 8;
	in(1, buf, rv_request(&a, 0, NULL, 0, buf));
	assert_int_equal(there(&a)->path.stream, 8);
	assert_true(there(&a)->proven);
	assert_int_equal(srv.stats.moved, 0);
	/* over UDP the same numbers are another address */
	stream = 0;
	in(1, buf, rv_request(&a, 0, NULL, 0, buf));
	assert_int_equal(there(&a)->path.stream, 0);
	assert_false(there(&a)->proven);
	assert_int_equal(srv.stats.moved, 1);
}

static void
connections_have_their_addresss_share(void **state)
{
	struct rv c;

	(void)state;
	server_free(&srv);
	assert_int_equal(start(20, 2, 1000), 0);
	joined(1);
	stream = 3;
	joined(1);
	rv_init(&c);
	assert_int_equal(join(&c, 1), WIRE_FULL);
	stream = 0;
	rv_init(&c);
	assert_int_equal(join(&c, 1), WIRE_FULL);
}

/* A message full of payloads is no lever, and is counted for what it is. */
static void
many_payloads_in_one_message(void **state)
{
	struct rv a = joined(1), b = joined(2);
	size_t bytes_in = 0, bytes_out = 0;
	struct stun_buf list;

	(void)state;
	in(1, buf, rv_want(&a, b.public, 1, buf));
	in(2, buf, rv_want(&b, a.public, 2, buf));
	for (int i = 0; i < 100; i++) {
		int len;

		stun_begin_list(&list, plain, sizeof(plain));
		while (list.len + 40 <= sizeof(plain)) {
			uint8_t *p =
			    stun_put_space(&list, NATKIT_SEND, KEY_LEN + 1);

			memcpy(p, b.public, KEY_LEN);
		}
		stun_new_tid(a.tid);
		len = wire_seal(&a.session, STUN_INDICATION, a.tid, plain,
		    list.len, buf, sizeof(buf));
		bytes_in += (size_t)len;
		in(1, buf, len);
		for (int k = 0; k < n_out; k++)
			bytes_out += out[k].len;
	}
	assert_in_range(srv.stats.relayed, 1, 60);
	assert_true(bytes_out < bytes_in);
}

/* A client that names an address which is not its own can't have it flooded
 * with its introductions. */
static void
no_flood_by_roaming(void **state)
{
	struct rv c = joined(1), peers[15];
	uint8_t tid[STUN_TID_LEN];
	struct stun_msg m;
	size_t bytes = 0;
	int len;

	(void)state;
	for (int i = 0; i < 15; i++) {
		peers[i] = joined((uint8_t)(10 + i));
		len = rv_want(&peers[i], c.public, 1, buf);
		in((uint8_t)(10 + i), buf, len);
		len = rv_want(&c, peers[i].public, 2, buf);
		assert_true(in(1, buf, len) >= 2);
	}
	/* the transaction id of a push to the right address */
	len = rv_open(&c, &m, out[1].data, out[1].len, plain);
	if (len < 0)
		len = rv_open(&c, &m, out[2].data, out[2].len, plain);
	assert_true(len > 0);
	memcpy(tid, m.tid, sizeof(tid));
	len = rv_request(&c, 0, NULL, 0, buf);
	in(99, buf, len);
	for (int i = 0; i < n_out; i++)
		bytes += out[i].to.remote.ip[3] == 99 ? out[i].len : 0;
	assert_true(bytes <= 4 * (size_t)len);
	assert_false(there(&c)->proven);
	assert_true(srv.stats.pushes_held > 0);
	/* an answer to what went to the old address proves nothing */
	len = rv_ack(&c, tid, buf);
	in(99, buf, len);
	assert_false(there(&c)->proven);
}

static void
moved_client_proves_itself(void **state)
{
	struct rv c = joined(1), peer = joined(2);
	struct stun_msg m;
	int len;

	(void)state;
	in(2, buf, rv_want(&peer, c.public, 1, buf));
	in(1, buf, rv_want(&c, peer.public, 2, buf));
	len = rv_request(&c, 0, NULL, 0, buf);
	in(9, buf, len); /* the answer, and the PEER again, to the new one */
	assert_int_equal(n_out, 2);
	assert_false(there(&c)->proven);
	len = rv_open(&c, &m, out[1].data, out[1].len, plain);
	assert_true(len > 0);
	assert_int_equal(out[1].to.remote.ip[3], 9);
	len = rv_ack(&c, m.tid, buf);
	assert_int_equal(in(9, buf, len), 0);
	assert_true(there(&c)->proven);
}

/* Nor is one that moves when it has been told everything cut off from what its
 * peer has to say. */
static void
moved_client_is_asked_for_proof(void **state)
{
	struct rv c = joined(1), peer = joined(2);
	uint8_t payload[WIRE_PAYLOAD_MAX] = {0};
	struct stun_msg m;
	int len;

	(void)state;
	in(2, buf, rv_want(&peer, c.public, 1, buf));
	in(1, buf, rv_want(&c, peer.public, 2, buf));
	for (int i = 1; i < 3; i++) {
		struct rv *to = out[i].to.remote.ip[3] == 1 ? &c : &peer;

		rv_open(to, &m, out[i].data, out[i].len, plain);
		server_step(
		    &srv, &out[i].to, buf, (size_t)rv_ack(to, m.tid, buf), now);
	}
	assert_int_equal(srv.stats.acknowledged, 2);
	in(9, buf, rv_request(&c, 0, NULL, 0, buf));
	assert_false(there(&c)->proven);
	assert_int_equal(n_out, 2);
	len = rv_open(&c, &m, out[1].data, out[1].len, plain);
	assert_true(len > 0);
	in(9, buf, rv_ack(&c, m.tid, buf));
	assert_true(there(&c)->proven);
	len = rv_send(&peer, c.public, payload, sizeof(payload), buf);
	assert_int_equal(in(2, buf, len), 1);
	assert_int_equal(out[0].to.remote.ip[3], 9);
}

static void
challenged(void **state)
{
	uint8_t nonce[WIRE_NONCE_MAX];
	struct stun_msg m;
	struct rv c;
	size_t nonce_len;
	int len, i;

	(void)state;
	server_free(&srv);
	assert_int_equal(start(200, 200, 1), 0);
	rv_init(&c);
	for (i = 0; i < 10; i++) {
		len = rv_hello(&c, self.public, NULL, 0, buf);
		assert_int_equal(in(1, buf, len), 1);
		assert_true(out[0].len <= (size_t)len);
		assert_int_equal(stun_parse(&m, out[0].data, out[0].len), 0);
		if (m.class == STUN_ERROR)
			break;
	}
	assert_int_equal(i, 2); /* the burst of a rate of 1 */
	assert_int_equal(wire_challenge_read(&m, nonce, &nonce_len), 0);
	/* from another address the nonce is worth nothing */
	len = rv_hello(&c, self.public, nonce, nonce_len, buf);
	in(2, buf, len);
	in(2, buf, rv_hello(&c, self.public, nonce, nonce_len, buf));
	len = rv_hello(&c, self.public, nonce, nonce_len, buf);
	assert_int_equal(in(2, buf, len), 1);
	assert_int_equal(srv.stats.hello_challenged, 2);
	/* from its own it is; and has a rate too */
	len = rv_hello(&c, self.public, nonce, nonce_len, buf);
	assert_int_equal(in(1, buf, len), 1);
	assert_int_equal(rv_finish(&c, out[0].data, out[0].len), WIRE_OK);
	for (i = 0; i < 5; i++)
		in(1, buf, rv_hello(&c, self.public, nonce, nonce_len, buf));
	assert_int_equal(srv.stats.hello_limited, 4);
}

/* Each of a site's networks can prove itself; the processor is for others,
 * too. */
static void
a_site_has_a_rate(void **state)
{
	uint8_t nonce[COOKIE_LEN];
	struct path p = at(1);
	struct rv c;

	(void)state;
	server_free(&srv);
	assert_int_equal(start(200, 200, 5), 0);
	rv_init(&c);
	p.remote =
	    (struct addr){.family = ADDR_V6, .ip = {0x20, 1}, .port = 40000};
	for (int i = 0; i < 100; i++) {
		int len;

		p.remote.ip[7] = (uint8_t)i;
		cookie_make(&srv.cookie, &p.remote, now, nonce);
		len = rv_hello(&c, self.public, nonce, sizeof(nonce), buf);
		n_out = 0;
		server_step(&srv, &p, buf, (size_t)len, now);
	}
	assert_int_equal(srv.stats.hello_ok, 20);
	assert_int_equal(srv.stats.hello_limited, 80);
}

/* Nobody is sent more than came, not even a challenge. */
static void
short_hello_is_no_lever(void **state)
{
	uint8_t tid[STUN_TID_LEN] = {1};
	struct stun_buf b;
	int len;

	(void)state;
	server_free(&srv);
	assert_int_equal(start(20, 0, 1), 0);
	stun_begin(&b, buf, sizeof(buf), NATKIT_HELLO, STUN_REQUEST, tid);
	len = stun_end(&b, true);
	for (int i = 0; i < 10; i++)
		assert_int_equal(in(1, buf, len), 0);
	/* nor does it spend what HELLOs from there may */
	assert_int_equal(srv.stats.hello_challenged, 0);
	joined(1);
}

/* A HELLO under a forged address, again and again: its owner is told no
 * oftener than a client would ask. */
static void
repeated_hello_is_no_flood(void **state)
{
	uint8_t hello[STUN_MAX];
	int answered = 0, len;
	struct rv c;

	(void)state;
	rv_init(&c);
	len = rv_hello(&c, self.public, NULL, 0, hello);
	for (int i = 0; i < 1000; i++)
		answered += in(1, hello, len);
	assert_in_range(answered, 7, 10);
}

/* Naming another address neither makes room at the own one nor takes the
 * other's share. */
static void
roaming_does_not_move_the_share(void **state)
{
	struct rv c[16], more;

	(void)state;
	for (int i = 0; i < 16; i++)
		c[i] = joined(1);
	for (int i = 0; i < 16; i++)
		assert_true(in(9, buf, rv_request(&c[i], 0, NULL, 0, buf)) > 0);
	assert_int_equal(there(&c[0])->path.remote.ip[3], 9);
	joined(9);
	rv_init(&more);
	assert_int_equal(join(&more, 1), WIRE_FULL);
}

/* Having proven one address, a client that names another knows no transaction
 * id of what goes there, even if it wants the same peer anew. */
static void
old_push_proves_no_new_address(void **state)
{
	struct rv c = joined(1), peer = joined(2);
	uint8_t tid[64][STUN_TID_LEN];
	struct stun_msg m;
	int n = 0;

	(void)state;
	in(2, buf, rv_want(&peer, c.public, 1, buf));
	for (int i = 0; i < 8; i++) {
		now += 1000;
		in(1, buf, rv_want(&c, peer.public, (uint8_t)i, buf));
		for (int k = 0; k < n_out; k++)
			if (out[k].to.remote.ip[3] == 1 &&
			    rv_open(&c, &m, out[k].data, out[k].len, plain) >=
				0 &&
			    m.class == STUN_REQUEST)
				memcpy(tid[n++], m.tid, STUN_TID_LEN);
		if (i % 2 == 1)
			in(1, buf,
			    rv_request(
				&c, NATKIT_UNWANT, peer.public, KEY_LEN, buf));
	}
	assert_true(n >= 8);
	in(99, buf, rv_request(&c, 0, NULL, 0, buf));
	assert_false(there(&c)->proven);
	now += 1000;
	in(99, buf, rv_want(&c, peer.public, 50, buf));
	for (int i = 0; i < n; i++)
		in(99, buf, rv_ack(&c, tid[i], buf));
	assert_false(there(&c)->proven);
}

static void
table_full(void **state)
{
	struct rv honest = joined(200), c;

	(void)state;
	for (int i = 0; i < 16; i++)
		joined(1);
	rv_init(&c);
	assert_int_equal(join(&c, 1), WIRE_FULL); /* its share */
	assert_int_equal(srv.stats.hello_full, 1);
	for (int i = 0; i < 3; i++)
		joined((uint8_t)(100 + i));
	assert_int_equal(join(&c, 50), WIRE_FULL); /* all of it */
	assert_null(member(&c));
	/* who is in it comes back */
	assert_int_equal(join(&honest, 201), WIRE_OK);
	assert_int_equal(srv.registry.count, 20);
}

static void
forbidden(void **state)
{
	char text[2 * KEY_STRLEN], *p = text;
	struct rv a, b;
	const char *why;
	size_t line;

	(void)state;
	rv_init(&a);
	rv_init(&b);
	key_format(a.public, p);
	p[44] = '\n';
	assert_int_equal(allow_parse(&srv.allow, text, 45, &line, &why), 0);
	assert_int_equal(join(&b, 2), WIRE_FORBIDDEN);
	assert_null(member(&b));
	assert_int_equal(join(&a, 1), WIRE_OK);
	/* taken off the list */
	key_format(b.public, p);
	assert_int_equal(allow_parse(&srv.allow, text, 44, &line, &why), 0);
	server_allow_changed(&srv, now);
	assert_null(member(&a));
	assert_string_equal(last_event, "forbidden");
	assert_int_equal(join(&b, 2), WIRE_OK);
	/* the server's own key is no client */
	allow_free(&srv.allow);
	self.timestamp = 1;
	assert_int_equal(join(&self, 3), WIRE_FORBIDDEN);
}

/* A wants B. B is unknown, is there without wanting A, is there and wants
 * another: A can't tell these from each other. */
static void
no_oracle(void **state)
{
	struct rv a = joined(1), b = joined(2), c = joined(3), nobody;
	const uint8_t *whom[] = {nobody.public, b.public, c.public};
	uint8_t seen[3][WIRE_PLAIN_MAX];
	int len[3];

	(void)state;
	rv_init(&nobody);
	in(3, buf, rv_want(&c, b.public, 1, buf));
	for (int i = 0; i < 3; i++) {
		struct stun_msg m;

		assert_int_equal(in(1, buf, rv_want(&a, whom[i], 1, buf)), 1);
		len[i] = rv_open(&a, &m, out[0].data, out[0].len, seen[i]);
		assert_true(len[i] > 0);
		assert_int_equal(len[i], len[0]);
		assert_memory_equal(seen[i], seen[0], (size_t)len[0]);
		assert_int_equal(
		    in(1, buf, rv_send(&a, whom[i], "hi", 2, buf)), 0);
		assert_int_equal(
		    in(1, buf, rv_ready(&a, whom[i], 1, 1, 1, buf)), 1);
	}
	now += 10000;
	n_out = 0;
	server_tick(&srv, now);
	assert_int_equal(n_out, 0);
}

/* The server's own packets, sent back to it from where they went. */
static void
reflected(void **state)
{
	static uint8_t all[OUTBOX][STUN_MAX];
	static size_t all_len[OUTBOX];
	int n = 0;
	struct rv a, b;
	struct stun_buf sb;
	int len;

	(void)state;
	rv_init(&a);
	rv_init(&b);
#define KEEP()                                                                 \
	for (int k = 0; k < n_out; k++, n++) {                                 \
		memcpy(all[n], out[k].data, out[k].len);                       \
		all_len[n] = out[k].len;                                       \
	}
	in(1, buf, rv_hello(&a, self.public, NULL, 0, buf));
	KEEP()
	rv_finish(&a, out[0].data, out[0].len);
	in(1, buf, rv_request(&a, 0, NULL, 0, buf));
	KEEP()
	assert_int_equal(join(&b, 2), WIRE_OK);
	in(1, buf, rv_want(&a, b.public, 1, buf));
	KEEP()
	in(2, buf, rv_want(&b, a.public, 1, buf));
	KEEP()
	in(2, buf, rv_send(&b, a.public, "payload", 7, buf));
	KEEP()
	a.session.id[0] ^= 1;
	in(1, buf, rv_request(&a, 0, NULL, 0, buf)); /* 481 */
	KEEP()
	stun_begin(&sb, buf, sizeof(buf), STUN_BINDING, STUN_REQUEST, a.tid);
	len = stun_end(&sb, true);
	in(1, buf, len);
	KEEP()
	assert_true(n >= 8);
	for (int i = 0; i < n; i++)
		for (int host = 1; host <= 2; host++)
			assert_int_equal(
			    in((uint8_t)host, all[i], (int)all_len[i]), 0);
	assert_int_equal(srv.registry.count, 2);
}

static void
whole_introduction(void **state)
{
	struct rv a = joined(1), b = joined(2);
	struct stun_attr attr;
	struct stun_msg m;
	int len;

	(void)state;
	in(1, buf, rv_want(&a, b.public, 1, buf));
	assert_int_equal(n_out, 1);
	in(2, buf, rv_want(&b, a.public, 2, buf));
	assert_int_equal(n_out, 3); /* the answer, and PEER to both */
	for (int i = 1; i < 3; i++) {
		struct rv *c = out[i].to.remote.ip[3] == 1 ? &a : &b;
		struct rv *other = c == &a ? &b : &a;

		len = rv_open(c, &m, out[i].data, out[i].len, plain);
		assert_int_equal(m.class, STUN_REQUEST);
		assert_int_equal(
		    rv_find(plain, (size_t)len, NATKIT_PEER, &attr), 0);
		assert_memory_equal(attr.value, other->public, KEY_LEN);
		assert_int_equal(attr.value[KEY_LEN], c == &a ? 2 : 1);
		server_step(
		    &srv, &out[i].to, buf, (size_t)rv_ack(c, m.tid, buf), now);
	}
	assert_int_equal(srv.stats.acknowledged, 2);
	assert_int_equal(
	    in(1, buf, rv_send(&a, b.public, "sealed", 6, buf)), 1);
	len = rv_open(&b, &m, out[0].data, out[0].len, plain);
	assert_int_equal(m.class, STUN_INDICATION);
	assert_int_equal(rv_find(plain, (size_t)len, NATKIT_FROM, &attr), 0);
	assert_int_equal(attr.len, KEY_LEN + 6);
	assert_memory_equal(attr.value, a.public, KEY_LEN);
	assert_memory_equal(attr.value + KEY_LEN, "sealed", 6);
	in(1, buf, rv_ready(&a, b.public, 3, 4, 10, buf));
	assert_int_equal(n_out, 1);
	in(2, buf, rv_ready(&b, a.public, 4, 3, 10, buf));
	assert_int_equal(n_out, 3);
	assert_int_equal(srv.stats.went, 1);
	/* BYE is answered, and B hears of it */
	in(1, buf, rv_request(&a, NATKIT_BYE, NULL, 0, buf));
	assert_null(member(&a));
	assert_int_equal(srv.stats.ended, 1);
	len = rv_open(&b, &m, out[n_out - 1].data, out[n_out - 1].len, plain);
	assert_int_equal(rv_find(plain, (size_t)len, NATKIT_GONE, &attr), 0);
}

static void
forgotten_after_three_keepalives(void **state)
{
	struct rv c = joined(1);

	(void)state;
	now += 3 * 25000 - 1;
	server_tick(&srv, now);
	assert_non_null(member(&c));
	now += 1;
	server_tick(&srv, now);
	assert_null(member(&c));
	assert_string_equal(last_event, "expired");
	/* its old session gets the hint, and a new HELLO is all it takes */
	assert_int_equal(in(1, buf, rv_request(&c, 0, NULL, 0, buf)), 1);
	assert_int_equal(srv.stats.session_unknown, 1);
	assert_int_equal(join(&c, 1), WIRE_OK);
}

static void
requests_are_limited_by_key(void **state)
{
	struct rv c = joined(1), d = joined(1);
	int answered = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		answered += in(1, buf, rv_request(&c, 0, NULL, 0, buf));
	assert_int_equal(answered, 59); /* 60, less the one of joining */
	assert_int_equal(srv.stats.session_limited, 141);
	assert_int_equal(in(1, buf, rv_request(&d, 0, NULL, 0, buf)), 1);
	now += 50;
	assert_int_equal(in(1, buf, rv_request(&c, 0, NULL, 0, buf)), 1);
}

static void
bad_limits(void **state)
{
	struct server s;
	struct server_config config = {.secret = self.secret,
	    .public = self.public,
	    .hello_rate = 1,
	    .request_rate = 1,
	    .keepalive_s = 1};

	(void)state;
	assert_int_equal(
	    server_init(&s, &config, sent_cb, event_cb, NULL, 0), -EINVAL);
	config.clients = 1;
	config.hello_rate = LIMIT_RATE_MAX + 1;
	assert_int_equal(
	    server_init(&s, &config, sent_cb, event_cb, NULL, 0), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(garbage),
	    TEST(binding),
	    TEST(binding_is_limited),
	    TEST(key_of_another),
	    TEST(hello_alone_registers_nobody),
	    TEST(confirmed_from_elsewhere),
	    TEST(hello_retransmitted_and_replayed),
	    TEST(session_replayed),
	    TEST(id_of_another),
	    TEST(roaming_newest_wins),
	    TEST(answers_and_pushes_take_the_connection),
	    TEST(connections_have_their_addresss_share),
	    TEST(many_payloads_in_one_message),
	    TEST(no_flood_by_roaming),
	    TEST(moved_client_proves_itself),
	    TEST(moved_client_is_asked_for_proof),
	    TEST(challenged),
	    TEST(a_site_has_a_rate),
	    TEST(short_hello_is_no_lever),
	    TEST(repeated_hello_is_no_flood),
	    TEST(roaming_does_not_move_the_share),
	    TEST(old_push_proves_no_new_address),
	    TEST(table_full),
	    TEST(forbidden),
	    TEST(no_oracle),
	    TEST(reflected),
	    TEST(whole_introduction),
	    TEST(forgotten_after_three_keepalives),
	    TEST(requests_are_limited_by_key),
	    TEST(bad_limits),
	};

	return sodium_init() == -1 ? 1
				   : cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* A TURN client: what is forged is not believed, every refusal ends in a known
 * state, and what is to be kept is asked for in time. */
#include "turnask.h"
#include "turnclient.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "addr_fixture.h"

#define START UINT64_C(5000000000)
#define COOKIE_NONCE "obMatJos2gAAAn1" /* says: PASSWORD-ALGORITHMS */

static struct turnclient *c;
static struct turnclient_in in;
static uint64_t now;
/* The latest request, and what the server signs with. */
static uint8_t sent[TURNCLIENT_OUT];
static struct stun_msg asked;
static uint8_t key[32];
static size_t key_len;
static bool sha256;

static int
setup(void **state)
{
	(void)state;
	c = sodium_malloc(sizeof(*c));
	assert_non_null(c);
	memset(c, 0, sizeof(*c));
	assert_int_equal(turnlogin_set(&c->login, "user", "pass"), 0);
	c->want4 = true;
	c->keepalive_ms = 25000;
	now = START;
	key_len = 0;
	sha256 = false;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sodium_free(c);
	return 0;
}

/* The next request, of this method. */
static void
expect_ask(uint16_t method)
{
	size_t n = turnclient_step(c, now, sent);

	assert_true(n > 0);
	assert_int_equal(stun_parse(&asked, sent, n), 0);
	assert_true(asked.fingerprint);
	assert_int_equal(asked.method, method);
	assert_int_equal(asked.class, STUN_REQUEST);
}

static void
expect_quiet(void)
{
	assert_int_equal(turnclient_step(c, now, sent), 0);
}

/* The server's key, as RFC 8489 section 9.2.2 makes it. */
static void
use_md5(void)
{
	size_t len = 0;

	/* MD5("user:realm:pass"), RFC 5389 section 15.4 */
	assert_int_equal(
	    sodium_hex2bin(key, sizeof(key), "8493fbc53ba582fb4c044c456bdc40eb",
		32, NULL, &len, NULL),
	    0);
	key_len = len;
	sha256 = false;
}

static void
use_sha256(void)
{
	crypto_hash_sha256(key, (const uint8_t *)"user:realm:pass", 15);
	key_len = 32;
	sha256 = true;
}

enum sign {
	SIGNED,
	UNSIGNED,
	FORGED
};

static struct stun_buf b;
static uint8_t answer[1400];

static void begin(enum stun_class class)
{
	stun_begin(&b, answer, sizeof(answer), asked.method, class, asked.tid);
}

static void
give(enum sign sign)
{
	uint8_t wrong[32] = {1};
	const uint8_t *k = sign == FORGED ? wrong : key;
	int n = 0;

	if (sign != UNSIGNED && sha256)
		stun_put_integrity_sha256(&b, k, key_len);
	else if (sign != UNSIGNED)
		stun_put_integrity(&b, k, key_len);
	n = stun_end(&b, true);
	assert_true(n > 0);
	turnclient_input(c, answer, (size_t)n, now, &in);
}

static void
give_error(int code, enum sign sign)
{
	begin(STUN_ERROR);
	stun_put_error(&b, code, NULL);
	give(sign);
}

static void
challenge(int code, const char *nonce, bool algorithms)
{
	/* one that nobody knows is passed by, then the server's order counts */
	static const uint8_t both[12] = {0, 9, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0};

	begin(STUN_ERROR);
	stun_put_error(&b, code, "Unauthorized");
	stun_put(&b, STUN_REALM, "realm", 5);
	stun_put(&b, STUN_NONCE, nonce, strlen(nonce));
	if (algorithms)
		stun_put(&b, STUN_PASSWORD_ALGORITHMS, both, sizeof(both));
	give(UNSIGNED);
}

static void
put_allocation(const char *relayed, uint32_t lifetime_s)
{
	struct addr r = at(relayed), m = at("192.0.2.9:4000");

	stun_put_xor_addr(&b, TURN_XOR_RELAYED_ADDRESS, &r);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &m);
	stun_put_u32(&b, TURN_LIFETIME, lifetime_s);
}

static void
give_success(enum sign sign)
{
	begin(STUN_SUCCESS);
	if (asked.method == TURN_ALLOCATE)
		put_allocation("192.0.2.1:50000", 600);
	if (asked.method == TURN_REFRESH)
		stun_put_u32(&b, TURN_LIFETIME, 600);
	give(sign);
}

static void
begin_allocation(void)
{
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	use_md5();
	challenge(401, "nonce", false);
	expect_ask(TURN_ALLOCATE);
}

static void
allocate(void)
{
	begin_allocation();
	give_success(SIGNED);
	assert_int_equal(c->state, TURNCLIENT_UP);
}

/* A peer with a permission, and (route) a channel. */
static void
grant(const char *peer, bool route)
{
	struct addr a = at(peer);

	assert_int_equal(turnclient_permit(c, &a, now), 0);
	expect_ask(TURN_CREATE_PERMISSION);
	give_success(SIGNED);
	assert_int_equal(turnclient_grant(c, &a)->state, TURN_GRANTED);
	if (!route)
		return;
	assert_int_equal(turnclient_route(c, &a, now), 0);
	expect_ask(TURN_CHANNEL_BIND);
	give_success(SIGNED);
}

static void
test_allocates_after_a_challenge(void **state)
{
	struct stun_attr a;
	struct addr relayed = at("192.0.2.1:50000");

	(void)state;
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	assert_int_equal(stun_find(&asked, STUN_USERNAME, &a), -ENOENT);
	assert_int_equal(stun_find(&asked, TURN_REQUESTED_TRANSPORT, &a), 0);
	assert_int_equal(a.len, 4);
	assert_int_equal(a.value[0], 17);
	expect_quiet();
	use_md5();
	challenge(401, "nonce", false);
	expect_ask(TURN_ALLOCATE);
	assert_int_equal(stun_check_integrity(&asked, key, key_len), 0);
	assert_int_equal(stun_find(&asked, STUN_NONCE, &a), 0);
	assert_memory_equal(a.value, "nonce", 5);
	give_success(SIGNED);
	assert_int_equal(in.what, TURNCLIENT_CHANGED);
	assert_int_equal(c->state, TURNCLIENT_UP);
	assert_true(addr_equal(&c->relayed[0], &relayed));
	assert_int_equal(c->mapped.port, 4000);
	assert_int_equal(c->lifetime_s, 600);
	assert_true(turnclient_settled(c));
}

static void
test_sha256_when_the_server_has_it(void **state)
{
	struct stun_attr a;

	(void)state;
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	use_sha256();
	challenge(401, COOKIE_NONCE, true);
	expect_ask(TURN_ALLOCATE);
	assert_int_equal(stun_check_integrity_sha256(&asked, key, key_len), 0);
	assert_int_equal(
	    stun_find(&asked, STUN_MESSAGE_INTEGRITY, &a), -ENOENT);
	assert_int_equal(stun_find(&asked, STUN_PASSWORD_ALGORITHM, &a), 0);
	assert_int_equal(a.value[1], 2);
	assert_int_equal(stun_find(&asked, STUN_PASSWORD_ALGORITHMS, &a), 0);
	assert_int_equal(a.len, 12);
	sha256 = false; /* an answer of the weaker kind is none */
	give_success(SIGNED);
	assert_int_equal(c->state, TURNCLIENT_ASKING);
	sha256 = true;
	give_success(SIGNED);
	assert_int_equal(c->state, TURNCLIENT_UP);
}

static void
test_the_order_of_algorithms_is_the_servers(void **state)
{
	static const uint8_t md5_first[8] = {0, 1, 0, 0, 0, 2, 0, 0};
	struct stun_attr a;

	(void)state;
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	begin(STUN_ERROR);
	stun_put_error(&b, 401, NULL);
	stun_put(&b, STUN_REALM, "realm", 5);
	stun_put(&b, STUN_NONCE, COOKIE_NONCE, strlen(COOKIE_NONCE));
	stun_put(&b, STUN_PASSWORD_ALGORITHMS, md5_first, sizeof(md5_first));
	give(UNSIGNED);
	expect_ask(TURN_ALLOCATE);
	assert_int_equal(stun_find(&asked, STUN_PASSWORD_ALGORITHM, &a), 0);
	assert_int_equal(a.value[1], 1);
}

/* RFC 8489 section 9.2.5: then it is the hash that MUST be used. */
static void
test_a_hash_for_the_name(void **state)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	struct stun_attr a;

	(void)state;
	crypto_hash_sha256(hash, (const uint8_t *)"user:realm", 10);
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	use_sha256();
	challenge(401, "obMatJos2wAAAn1", true);
	expect_ask(TURN_ALLOCATE);
	assert_int_equal(stun_find(&asked, STUN_USERNAME, &a), -ENOENT);
	assert_int_equal(stun_find(&asked, STUN_USERHASH, &a), 0);
	assert_int_equal(a.len, sizeof(hash));
	assert_memory_equal(a.value, hash, sizeof(hash));
	assert_int_equal(stun_check_integrity_sha256(&asked, key, key_len), 0);
	give_success(SIGNED);
	assert_int_equal(c->state, TURNCLIENT_UP);
}

static void
test_nobody_takes_sha256_out(void **state)
{
	(void)state;
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	challenge(401, COOKIE_NONCE, false);
	assert_false(c->login.challenged);
	assert_int_equal(c->ignored, 1);
	use_sha256();
	challenge(401, COOKIE_NONCE, true); /* the true one comes, too */
	expect_ask(TURN_ALLOCATE);
	give_success(SIGNED);
	assert_int_equal(c->state, TURNCLIENT_UP);
}

static void
test_forged_answers_are_ignored(void **state)
{
	(void)state;
	begin_allocation();
	give_success(UNSIGNED);
	give_success(FORGED);
	asked.tid = (const uint8_t *)"another tid.";
	give_success(SIGNED);
	assert_int_equal(c->state, TURNCLIENT_ASKING);
	assert_int_equal(c->ignored, 3);
}

static void
test_an_allocation_is_not_ended_by_a_forgery(void **state)
{
	(void)state;
	allocate();
	now += 25000;
	expect_ask(TURN_REFRESH);
	give_error(437, UNSIGNED);
	give_error(437, FORGED);
	assert_int_equal(c->state, TURNCLIENT_UP);
	give_error(437, SIGNED);
	assert_int_equal(c->state, TURNCLIENT_DOWN);
	assert_int_equal(c->code, 437);
}

static void
test_a_second_401_is_a_no(void **state)
{
	(void)state;
	begin_allocation();
	challenge(401, "other", false);
	assert_int_equal(c->state, TURNCLIENT_DOWN);
	assert_int_equal(c->code, 401);
	expect_quiet();
	/* and the next start asks without a credential again */
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	assert_int_equal(stun_check_integrity(&asked, key, key_len), -ENOENT);
}

static void
test_stale_nonces(void **state)
{
	struct stun_attr a;

	(void)state;
	allocate();
	now += 25000;
	expect_ask(TURN_REFRESH);
	challenge(438, "fresh", false);
	expect_ask(TURN_REFRESH);
	assert_int_equal(stun_find(&asked, STUN_NONCE, &a), 0);
	assert_memory_equal(a.value, "fresh", 5);
	give_success(SIGNED);
	assert_int_equal(c->state, TURNCLIENT_UP);
	now += 25000;
	for (int i = 0; i < 4; i++) { /* but not for ever */
		expect_ask(TURN_REFRESH);
		challenge(438, "again", false);
	}
	assert_int_equal(c->state, TURNCLIENT_DOWN);
	assert_int_equal(c->code, 438);
}

static void
test_another_server(void **state)
{
	struct addr other = at("198.51.100.7:3479"), bad = at("224.0.0.1:9");

	(void)state;
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	begin(STUN_ERROR);
	stun_put_error(&b, 300, NULL);
	stun_put_addr(&b, STUN_ALTERNATE_SERVER, &other);
	give(UNSIGNED);
	assert_int_equal(c->code, 300);
	assert_true(addr_equal(&c->alternate, &other));
	/* without one, or to where nobody can send */
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	give_error(300, UNSIGNED);
	assert_int_equal(c->code, TURNCLIENT_CODE_BAD_ANSWER);
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	begin(STUN_ERROR);
	stun_put_error(&b, 300, NULL);
	stun_put_addr(&b, STUN_ALTERNATE_SERVER, &bad);
	give(UNSIGNED);
	assert_int_equal(c->code, TURNCLIENT_CODE_BAD_ANSWER);
	assert_int_equal(c->alternate.family, ADDR_NONE);
}

static void
test_refusals(void **state)
{
	static const int codes[] = {400, 403, 420, 440, 442, 486, 500, 508};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		begin_allocation();
		give_error(codes[i], SIGNED);
		assert_int_equal(c->state, TURNCLIENT_DOWN);
		assert_int_equal(c->code, codes[i]);
		assert_true(strlen(turnclient_why(codes[i])) > 10);
	}
	begin_allocation(); /* a success that tells no address */
	begin(STUN_SUCCESS);
	stun_put_u32(&b, TURN_LIFETIME, 600);
	give(SIGNED);
	assert_int_equal(c->code, TURNCLIENT_CODE_BAD_ANSWER);
}

/* How often an unanswered request is sent until the client is down. */
static int
count_sends(uint64_t *took_ms)
{
	uint64_t start = now;
	int n = 0;

	while (c->state != TURNCLIENT_DOWN) {
		while (turnclient_step(c, now, sent) > 0)
			n++;
		if (c->state != TURNCLIENT_DOWN) {
			assert_true(c->next_ms > now);
			now = c->next_ms;
		}
	}
	*took_ms = now - start;
	return n;
}

static void
test_silence(void **state)
{
	uint64_t ms = 0;

	(void)state;
	turnclient_start(c, now);
	assert_int_equal(count_sends(&ms), 7);
	assert_int_equal(ms, 39500);
	assert_int_equal(c->code, TURNCLIENT_CODE_NO_ANSWER);
	c->stream = true; /* TCP sends again by itself */
	turnclient_start(c, now);
	assert_int_equal(count_sends(&ms), 1);
	assert_int_equal(ms, 39500);
}

/* A round trip that is known makes a dead server known sooner. */
static void
test_silence_of_a_near_server(void **state)
{
	uint64_t ms = 0;

	(void)state;
	begin_allocation();
	now += 20;
	give_success(SIGNED);
	now += 25000;
	assert_int_equal(count_sends(&ms), 7);
	assert_int_equal(ms, 7900);
}

static void
test_refresh_in_time(void **state)
{
	(void)state;
	allocate();
	now += 24999;
	expect_quiet();
	assert_int_equal(c->next_ms, START + 25000);
	now += 1;
	expect_ask(TURN_REFRESH);
	/* a short life: half of it */
	begin(STUN_SUCCESS);
	stun_put_u32(&b, TURN_LIFETIME, 20);
	give(SIGNED);
	expect_quiet();
	assert_int_equal(c->next_ms, now + 10000);
	/* zero, or nothing: no busy loop */
	now += 10000;
	expect_ask(TURN_REFRESH);
	begin(STUN_SUCCESS);
	stun_put_u32(&b, TURN_LIFETIME, 0);
	give(SIGNED);
	expect_quiet();
	assert_true(c->next_ms >= now + 5000);
	/* a refusal that need not last is asked again, until it is over */
	now = c->next_ms;
	expect_ask(TURN_REFRESH);
	give_error(500, SIGNED);
	assert_int_equal(c->state, TURNCLIENT_UP);
	now += 5000;
	expect_quiet();
	assert_int_equal(c->state, TURNCLIENT_DOWN);
}

static void
test_permissions_and_channels_are_kept(void **state)
{
	uint64_t since = now;
	int permissions = 0, channels = 0;
	size_t n = 0;

	(void)state;
	c->keepalive_ms = 300000;
	allocate();
	grant("192.0.2.7:9", true);
	while (now < since + 1000000) {
		while ((n = turnclient_step(c, now, sent)) > 0) {
			assert_int_equal(stun_parse(&asked, sent, n), 0);
			permissions += asked.method == TURN_CREATE_PERMISSION;
			channels += asked.method == TURN_CHANNEL_BIND;
			give_success(SIGNED);
		}
		now = c->next_ms;
	}
	assert_int_equal(permissions, 4); /* every 240 of 300 s */
	assert_int_equal(channels, 2);	  /* every 480 of 600 s */
}

static void
test_a_refused_peer(void **state)
{
	struct addr peer = at("10.0.0.1:9");
	uint8_t out[200];

	(void)state;
	allocate();
	assert_int_equal(turnclient_permit(c, &peer, now), 0);
	assert_false(turnclient_settled(c));
	expect_ask(TURN_CREATE_PERMISSION);
	give_error(403, SIGNED);
	assert_true(turnclient_settled(c));
	assert_int_equal(turnclient_grant(c, &peer)->code, 403);
	assert_int_equal(
	    turnclient_wrap(c, &peer, (const uint8_t *)"x", 1, out), -EAGAIN);
	expect_quiet();
}

static void
test_data_as_the_server_wants_it(void **state)
{
	struct addr peer = at("192.0.2.7:9"), other = at("192.0.2.7:10");
	struct stun_attr a;
	struct stun_msg m;
	uint8_t out[200];
	int n = 0;

	(void)state;
	allocate();
	assert_int_equal(
	    turnclient_wrap(c, &peer, (const uint8_t *)"hello", 5, out),
	    -EAGAIN);
	grant("192.0.2.7:9", true);
	n = turnclient_wrap(c, &peer, (const uint8_t *)"hello", 5, out);
	assert_int_equal(n, 9);
	assert_memory_equal(out, "\x40\x00\x00\x05hello", 9);
	/* without a channel */
	n = turnclient_wrap(c, &other, (const uint8_t *)"hello", 5, out);
	assert_true(n > 0);
	assert_int_equal(stun_parse(&m, out, (size_t)n), 0);
	assert_int_equal(m.method, TURN_SEND);
	assert_int_equal(stun_find(&m, TURN_DATA_ATTR, &a), 0);
	assert_int_equal(a.len, 5);
	assert_int_equal(stun_find(&m, TURN_XOR_PEER_ADDRESS, &a), 0);
	assert_int_equal(stun_get_xor_addr(&a, m.tid, &peer), 0);
	assert_int_equal(peer.port, 10);
}

/* Hostile or full: the server takes no channel. */
static void
test_a_refused_channel(void **state)
{
	struct addr peer = at("192.0.2.7:9");
	uint8_t out[200];

	(void)state;
	allocate();
	grant("192.0.2.7:9", false);
	assert_int_equal(turnclient_route(c, &peer, now), 0);
	expect_ask(TURN_CHANNEL_BIND);
	give_error(508, SIGNED);
	expect_quiet();
	assert_true(
	    turnclient_wrap(c, &peer, (const uint8_t *)"x", 1, out) > 5);
}

static void
give_data(const char *peer)
{
	struct addr a = at(peer);
	uint8_t tid[STUN_TID_LEN] = {9};
	int n = 0;

	stun_begin(&b, answer, sizeof(answer), TURN_DATA, STUN_INDICATION, tid);
	stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &a);
	stun_put(&b, TURN_DATA_ATTR, "data", 4);
	n = stun_end(&b, false);
	turnclient_input(c, answer, (size_t)n, now, &in);
}

static void
give_channel(uint16_t number, uint16_t claimed, size_t len)
{
	memset(answer, 'd', sizeof(answer));
	put_u16(answer, number);
	put_u16(answer + 2, claimed);
	turnclient_input(c, answer, len, now, &in);
}

static void
test_only_permitted_peers_are_heard(void **state)
{
	struct addr peer = at("192.0.2.7:9");

	(void)state;
	allocate();
	grant("192.0.2.7:9", true);
	give_data("192.0.2.8:9");
	assert_int_equal(in.what, TURNCLIENT_NOTHING);
	give_data("192.0.2.7:77");
	assert_int_equal(in.what, TURNCLIENT_DATA);
	assert_int_equal(in.peer.port, 77);
	assert_int_equal(in.len, 4);
	give_channel(0x4000, 5, 9);
	assert_int_equal(in.what, TURNCLIENT_DATA);
	assert_true(addr_equal(&in.peer, &peer));
	assert_int_equal(in.len, 5);
	give_channel(0x4000, 5, 12); /* padded */
	assert_int_equal(in.len, 5);
	give_channel(0x4001, 5, 9); /* nobody's */
	assert_int_equal(in.what, TURNCLIENT_NOTHING);
	give_channel(0x4000, 6, 9); /* cut off */
	assert_int_equal(in.what, TURNCLIENT_NOTHING);
	give_channel(0x4000, 0, 3);
	assert_int_equal(in.what, TURNCLIENT_NOTHING);
	/* forbidden: at once, whatever the server still lets through */
	turnclient_forbid(c, &peer);
	give_channel(0x4000, 5, 9);
	assert_int_equal(in.what, TURNCLIENT_NOTHING);
	give_data("192.0.2.7:9");
	assert_int_equal(in.what, TURNCLIENT_NOTHING);
	now += 300000;
	assert_null(turnclient_grant(c, &peer));
}

/* The server keeps to the channel of before, and so do we. */
static void
test_a_peer_that_comes_back(void **state)
{
	struct addr peer = at("192.0.2.7:9"), other = at("192.0.2.7:10");
	struct stun_attr a;

	(void)state;
	allocate();
	grant("192.0.2.7:9", true);
	turnclient_unroute(c, &peer);
	give_channel(0x4000, 5, 9);
	assert_int_equal(in.what, TURNCLIENT_DATA);
	assert_true(addr_equal(&in.peer, &peer));
	assert_int_equal(turnclient_route(c, &other, now), 0);
	expect_ask(TURN_CHANNEL_BIND);
	assert_int_equal(stun_find(&asked, TURN_CHANNEL_NUMBER, &a), 0);
	assert_memory_equal(a.value, "\x40\x01\0\0", 4);
	begin(STUN_SUCCESS);
	give(SIGNED);
	/* permitted again, after nobody there was */
	turnclient_forbid(c, &peer);
	give_channel(0x4000, 5, 9);
	assert_int_equal(in.what, TURNCLIENT_NOTHING);
	grant("192.0.2.7:9", false);
	assert_int_equal(turnclient_route(c, &peer, now), 0);
	expect_ask(TURN_CHANNEL_BIND);
	assert_int_equal(stun_find(&asked, TURN_CHANNEL_NUMBER, &a), 0);
	assert_memory_equal(a.value, "\x40\x00\0\0", 4);
	begin(STUN_SUCCESS);
	give(SIGNED);
	give_channel(0x4000, 5, 9);
	assert_true(addr_equal(&in.peer, &peer));
	/* all numbers in turn, but none that somebody has */
	for (int i = 0; i < 5000; i++) {
		other.port = (uint16_t)(1000 + i);
		assert_int_equal(turnclient_route(c, &other, now), 0);
		turnclient_unroute(c, &other);
	}
	give_channel(0x4000, 5, 9);
	assert_true(addr_equal(&in.peer, &peer));
	/* another allocation knows nothing of all that */
	turnclient_start(c, now);
	for (uint16_t n = 0x4001; n <= 0x4fff; n++)
		assert_null(turn_channel_peer(c, n));
}

static void
test_families(void **state)
{
	struct addr peer6 = at("[2001:db8::1]:9");
	struct stun_attr a;

	(void)state;
	c->want6 = true;
	assert_int_equal(turnclient_permit(c, &peer6, now), 0);
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	assert_int_equal(
	    stun_find(&asked, TURN_ADDITIONAL_ADDRESS_FAMILY, &a), 0);
	use_md5();
	challenge(401, "nonce", false);
	expect_ask(TURN_ALLOCATE);
	begin(STUN_SUCCESS);
	put_allocation("192.0.2.1:50000", 600);
	stun_put_u32(&b, TURN_ADDRESS_ERROR_CODE, 2u << 24 | 4u << 8 | 40);
	give(SIGNED);
	assert_int_equal(c->state, TURNCLIENT_UP);
	assert_int_equal(
	    turnclient_grant(c, &peer6)->state, TURN_GRANT_REFUSED);
	assert_int_equal(turnclient_grant(c, &peer6)->code, 440);
	/* both, and IPv6 alone */
	begin_allocation();
	begin(STUN_SUCCESS);
	put_allocation("192.0.2.1:50000", 600);
	peer6.port = 50001;
	stun_put_xor_addr(&b, TURN_XOR_RELAYED_ADDRESS, &peer6);
	give(SIGNED);
	assert_true(addr_equal(&c->relayed[1], &peer6));
	assert_int_equal(turnclient_grant(c, &peer6)->state, TURN_GRANT_ASKED);
	c->want4 = false;
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	assert_int_equal(
	    stun_find(&asked, TURN_REQUESTED_ADDRESS_FAMILY, &a), 0);
	assert_int_equal(a.value[0], 2);
}

static void
test_all_again_at_another_server(void **state)
{
	(void)state;
	allocate();
	grant("192.0.2.7:9", true);
	turnclient_start(c, now);
	assert_false(turnclient_settled(c));
	expect_ask(TURN_ALLOCATE);
	challenge(401, "nonce", false);
	expect_ask(TURN_ALLOCATE);
	give_success(SIGNED);
	expect_ask(TURN_CREATE_PERMISSION);
	give_success(SIGNED);
	expect_ask(TURN_CHANNEL_BIND);
	give_success(SIGNED);
	expect_quiet();
}

/* The answer to a permission that shows the allocation to be lost makes the
 * client ask for that itself. */
static void
test_doubt(void **state)
{
	struct addr peer = at("192.0.2.7:9");

	(void)state;
	allocate();
	assert_int_equal(turnclient_permit(c, &peer, now), 0);
	expect_ask(TURN_CREATE_PERMISSION);
	give_error(437, SIGNED);
	assert_int_equal(c->state, TURNCLIENT_UP);
	expect_ask(TURN_REFRESH);
	give_error(437, SIGNED);
	assert_int_equal(c->state, TURNCLIENT_DOWN);
	/* an ICMP error while asking is enough */
	turnclient_start(c, now);
	expect_ask(TURN_ALLOCATE);
	turnclient_doubt(c, now);
	assert_int_equal(c->code, TURNCLIENT_CODE_NO_ANSWER);
}

static void
test_release(void **state)
{
	struct stun_attr a;
	size_t n = 0;

	(void)state;
	assert_int_equal(turnclient_release(c, sent), 0);
	allocate();
	n = turnclient_release(c, sent);
	assert_int_equal(stun_parse(&asked, sent, n), 0);
	assert_int_equal(asked.method, TURN_REFRESH);
	assert_int_equal(stun_find(&asked, TURN_LIFETIME, &a), 0);
	assert_memory_equal(a.value, "\0\0\0\0", 4);
	assert_int_equal(stun_check_integrity(&asked, key, key_len), 0);
}

static void
test_bounds(void **state)
{
	struct addr peer = at("192.0.2.0:9");

	(void)state;
	for (int i = 0; i < TURNCLIENT_GRANTS; i++) {
		peer.ip[3] = (uint8_t)i;
		assert_int_equal(turnclient_permit(c, &peer, now), 0);
	}
	assert_int_equal(turnclient_permit(c, &peer, now), 0);
	for (int i = 0; i < TURNCLIENT_ROUTES; i++) {
		peer.port = (uint16_t)(i + 1);
		assert_int_equal(turnclient_route(c, &peer, now), 0);
	}
	peer.port = 999;
	assert_int_equal(turnclient_route(c, &peer, now), -ENOSPC);
	peer.ip[3] = 255;
	assert_int_equal(turnclient_permit(c, &peer, now), -ENOSPC);
	assert_int_equal(turnclient_route(c, &peer, now), -EACCES);
}

/* Credentials */

static int
load(const char *text, bool *loose)
{
	char path[] = "/tmp/test_turnclient.XXXXXX";
	int fd = mkstemp(path), rc = 0;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	rc = turnlogin_load(&c->login, path, loose);
	unlink(path);
	return rc;
}

static void
test_user_files(void **state)
{
	bool loose = true;

	(void)state;
	assert_int_equal(load("alice\nsecret\n", &loose), 0);
	assert_false(loose);
	assert_string_equal(c->login.user, "alice");
	assert_string_equal(c->login.password, "secret");
	assert_int_equal(load("bob\r\nwith blank ", &loose), 0);
	assert_string_equal(c->login.user, "bob");
	assert_string_equal(c->login.password, "with blank ");
	assert_int_equal(load("", &loose), -EINVAL);
	assert_int_equal(load("alice\n", &loose), -EINVAL);
	assert_int_equal(load("\nsecret\n", &loose), -EINVAL);
	assert_int_equal(load("a\nb\nc\n", &loose), -EINVAL);
	assert_int_equal(
	    turnlogin_load(&c->login, "/nonexistent", &loose), -ENOENT);
}

static void
test_algorithms_that_nobody_knows(void **state)
{
	static const uint8_t strange[] = {0, 9, 0, 4, 1, 2, 3, 4};
	static const uint8_t cut[] = {0, 2, 0, 9};

	(void)state;
	for (int i = 0; i < 2; i++) {
		turnclient_start(c, now);
		expect_ask(TURN_ALLOCATE);
		begin(STUN_ERROR);
		stun_put_error(&b, 401, NULL);
		stun_put(&b, STUN_REALM, "realm", 5);
		stun_put(&b, STUN_NONCE, "n", 1);
		stun_put(&b, STUN_PASSWORD_ALGORITHMS, i == 0 ? strange : cut,
		    i == 0 ? sizeof(strange) : sizeof(cut));
		give(UNSIGNED);
		assert_int_equal(
		    c->state, i == 0 ? TURNCLIENT_DOWN : TURNCLIENT_ASKING);
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_allocates_after_a_challenge),
	    T(test_sha256_when_the_server_has_it),
	    T(test_the_order_of_algorithms_is_the_servers),
	    T(test_a_hash_for_the_name),
	    T(test_nobody_takes_sha256_out),
	    T(test_forged_answers_are_ignored),
	    T(test_an_allocation_is_not_ended_by_a_forgery),
	    T(test_a_second_401_is_a_no),
	    T(test_stale_nonces),
	    T(test_another_server),
	    T(test_refusals),
	    T(test_silence),
	    T(test_silence_of_a_near_server),
	    T(test_refresh_in_time),
	    T(test_permissions_and_channels_are_kept),
	    T(test_a_refused_peer),
	    T(test_data_as_the_server_wants_it),
	    T(test_a_refused_channel),
	    T(test_only_permitted_peers_are_heard),
	    T(test_a_peer_that_comes_back),
	    T(test_families),
	    T(test_all_again_at_another_server),
	    T(test_doubt),
	    T(test_release),
	    T(test_bounds),
	    T(test_user_files),
	    T(test_algorithms_that_nobody_knows),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

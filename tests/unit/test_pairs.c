/* SPDX-License-Identifier: ISC */
/* Plain pairs of the relay: first what must not work. */
#include "pairs.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>

#include <cmocka.h>

#include "pairs_fixture.h"

#define A "198.51.100.1:1000"
#define B "203.0.113.7:2000"
#define LOW "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="

static const struct accounts_config plenty = {.max = 64, .per_account = 16};

static int
setup(void **state)
{
	struct rig *r = malloc(sizeof(*r));

	assert_non_null(r);
	rig_open(r, 8, &plenty, 8);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	rig_close(*state);
	free(*state);
	return 0;
}

static bool
has(const struct rig *r, uint16_t type)
{
	struct stun_attr a;

	return stun_find(&r->m, type, &a) == 0;
}

static struct addr
alternate(const struct rig *r)
{
	struct stun_attr a;
	struct addr at;

	assert_int_equal(stun_find(&r->m, STUN_ALTERNATE_SERVER, &a), 0);
	assert_int_equal(stun_get_addr(&a, &at), 0);
	return at;
}

static unsigned int
lifetime(const struct rig *r)
{
	struct stun_attr a;
	struct cursor c;

	assert_int_equal(stun_find(&r->m, TURN_LIFETIME, &a), 0);
	cursor_init(&c, a.value, a.len);
	return cursor_u32(&c);
}

static bool
is_signed(const struct rig *r, const struct client *c)
{
	char name[CREDENTIAL_NAME_MAX];
	char password[CREDENTIAL_PASSWORD_LEN + 1];

	credential_pair_name(&c->c, name);
	credential_pair_password(c->secret, name, password);
	return stun_check_integrity_sha256(
		   &r->m, password, CREDENTIAL_PASSWORD_LEN) == 0;
}

static void
assert_reaches(struct rig *r, const struct way *from, const struct way *to)
{
	struct pairs_hop hop;

	assert_true(rig_forward(r, from, 0, &hop));
	assert_true(way_equal(&hop.to, to));
	assert_int_equal(hop.channel, 0);
}

static void
assert_nowhere(struct rig *r, const struct way *from)
{
	struct pairs_hop hop;

	assert_false(rig_forward(r, from, 0, &hop));
}

/* Two clients, bound, that reach each other. */
static void
bind_two(struct rig *r, struct client *a, struct client *b)
{
	*a = fixture_client(r, 1, 2, A);
	*b = fixture_client(r, 2, 1, B);
	assert_int_equal(rig_bind(r, a), 0);
	assert_int_equal(rig_bind(r, b), 0);
	assert_reaches(r, &a->from, &b->from);
	assert_reaches(r, &b->from, &a->from);
}

/* Attacks */

static void
without_a_nonce_nothing_is_told(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A);

	/* everything else is right */
	assert_int_equal(rig_ask(r, &a), 401);
	assert_true(has(r, STUN_NONCE));
	assert_false(has(r, STUN_MESSAGE_INTEGRITY_SHA256));
	assert_true(r->answer_len < r->request_len);
	assert_int_equal(pairs_count(r->pairs), 0);
	/* a short one is not worth a longer answer */
	a.no_name = a.no_integrity = true;
	assert_int_equal(rig_ask(r, &a), SILENCE);
	/* nor is what isn't a request, or may be somebody's data */
	a = fixture_client(r, 1, 2, A);
	a.no_fingerprint = true;
	assert_int_equal(rig_ask(r, &a), SILENCE);
}

static void
forged_tokens(void **state)
{
	struct rig *r = *state;
	struct credential_secret wrong = {.bytes = "not the secret", .len = 20};
	struct client a = fixture_client(r, 1, 2, A), good = a;
	char name[CREDENTIAL_NAME_MAX], password[CREDENTIAL_PASSWORD_LEN + 1];
	struct stun_msg m;

	a.secret = &wrong;
	assert_int_equal(rig_bind(r, &a), 401);
	assert_false(has(r, STUN_NONCE)); /* or it would be tried again */
	assert_false(has(r, STUN_MESSAGE_INTEGRITY_SHA256));
	/* a right password under another name: for longer, for another key */
	credential_pair_name(&good.c, name);
	credential_pair_password(good.secret, name, password);
	for (int i = 0; i < 3; i++) {
		a = good;
		a.password = password;
		a.c.expiry_s += i == 0;
		fixture_key(a.c.key, i == 1 ? 3 : 1);
		fixture_key(a.c.peer, i == 2 ? 3 : 2);
		assert_int_equal(rig_bind(r, &a), 401);
	}
	a = good;
	a.no_integrity = true;
	assert_int_equal(rig_bind(r, &a), 401);
	assert_int_equal(pairs_count(r->pairs), 0);
	assert_false(pairs_bound(r->pairs, &good.from, 0));
	/* one bit of what was signed */
	assert_int_equal(rig_bind(r, &good), 0);
	assert_int_equal(pairs_drop(r->pairs, good.c.key, NULL), 1);
	good.no_fingerprint = true;
	fixture_request(r, &good);
	r->request[STUN_HEADER_LEN - 1] ^= 1; /* the transaction id */
	assert_int_equal(stun_parse(&m, r->request, r->request_len), 0);
	m.fingerprint = true;
	assert_true(pairs_bind(r->pairs, &good.from, &m, r->now_ms, r->wall_s,
			r->answer, sizeof(r->answer)) > 0);
	assert_int_equal(pairs_count(r->pairs), 0);
}

static void
replayed_from_another_address(void **state)
{
	static const char *const others[] = {"198.51.100.1:1001",
	    "198.51.100.2:1000", "203.0.113.7:2000", "[2001:db8::1]:1000"};
	struct rig *r = *state;
	struct client a, b;
	struct way from;

	bind_two(r, &a, &b);
	fixture_request(r, &a); /* as it was on the wire */
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		from = a.from;
		from.remote = fixture_addr(others[i]);
		assert_int_equal(rig_send(r, &from), 438);
		assert_true(has(r, STUN_NONCE));
		assert_reaches(r, &b.from, &a.from);
	}
	/* from its own address, but to another port of ours, or over a
	 * connection: the side stays where it is */
	from = a.from;
	from.socket = SOCKET4(1);
	assert_int_equal(rig_send(r, &from), 438);
	from.socket = WAY_STREAM;
	assert_int_equal(rig_send(r, &from), 400); /* and has no channel */
	assert_reaches(r, &b.from, &a.from);
}

static void
a_late_copy_does_not_move_a_side_back(void **state)
{
	struct rig *r = *state;
	struct client a, b, moved;
	uint8_t old[STUN_MAX];
	size_t old_len;

	bind_two(r, &a, &b);
	fixture_request(r, &a);
	memcpy(old, r->request, sizeof(old));
	old_len = r->request_len;
	r->now_ms += 50;
	moved = a;
	moved.from.remote = fixture_addr("198.51.100.77:5");
	assert_int_equal(rig_bind(r, &moved), 0);
	memcpy(r->request, old, sizeof(old));
	r->request_len = old_len;
	assert_int_equal(rig_send(r, &a.from), 438);
	assert_reaches(r, &b.from, &moved.from);
	/* whoever is really back there has a new nonce now */
	memcpy(a.nonce, r->nonce, sizeof(a.nonce));
	assert_int_equal(rig_ask(r, &a), 0);
	assert_reaches(r, &b.from, &a.from);
	assert_nowhere(r, &moved.from);
}

static void
expired_tokens(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A);

	a.c.expiry_s = WALL_S;
	assert_int_equal(rig_bind(r, &a), 403);
	assert_true(is_signed(r, &a));
	assert_false(has(r, STUN_NONCE));
	a.c.expiry_s = 0;
	assert_int_equal(rig_bind(r, &a), 403);
	/* and one for ever */
	a.c.expiry_s = WALL_S + PAIRS_EXPIRY_S + 1;
	assert_int_equal(rig_bind(r, &a), 403);
	a.c.expiry_s = UINT64_MAX;
	assert_int_equal(rig_bind(r, &a), 403);
	assert_int_equal(pairs_count(r->pairs), 0);
	a.c.expiry_s = WALL_S + PAIRS_EXPIRY_S;
	assert_int_equal(rig_bind(r, &a), 0);
	a.c.expiry_s = WALL_S + PAIRS_EXPIRY_S + 1;
	assert_int_equal(rig_bind(r, &a), 403);
}

/* Its rendezvous may have been away for hours. */
static void
who_is_bound_may_stay_with_an_expired_token(void **state)
{
	struct rig *r = *state;
	struct client a, b;

	bind_two(r, &a, &b);
	r->wall_s += 4000;
	assert_int_equal(rig_bind(r, &a), 0);
	a.from.remote.port++; /* also when its NAT forgets it */
	r->now_ms += 20000;
	assert_int_equal(rig_bind(r, &a), 0);
	assert_reaches(r, &b.from, &a.from);
	a.leave = true;
	assert_int_equal(rig_bind(r, &a), 0);
	a.leave = false;
	assert_int_equal(rig_bind(r, &a), 403);
	assert_nowhere(r, &b.from);
}

static void
a_token_for_another_pair(void **state)
{
	struct rig *r = *state;
	struct client a, b, c = fixture_client(r, 3, 1, "192.0.2.66:3000");

	bind_two(r, &a, &b);
	/* c may meet a, says its token; a isn't there for it */
	assert_int_equal(rig_bind(r, &c), 0);
	assert_nowhere(r, &c.from);
	assert_reaches(r, &a.from, &b.from);
	assert_reaches(r, &b.from, &a.from);
	/* nor is it let in between those two */
	fixture_key(c.c.key, 2);
	assert_true(memcmp(&c.c, &b.c, sizeof(c.c)) == 0);
	c.secret = &(struct credential_secret){.len = 16};
	assert_int_equal(rig_bind(r, &c), 401);
	assert_reaches(r, &a.from, &b.from);
}

static void
the_wrong_role(void **state)
{
	struct rig *r = *state;
	struct client a, b, evil;
	char name[CREDENTIAL_NAME_MAX], password[CREDENTIAL_PASSWORD_LEN + 1];

	bind_two(r, &a, &b);
	/* b's own password, under the name of a's side */
	credential_pair_name(&b.c, name);
	credential_pair_password(b.secret, name, password);
	evil = a;
	evil.from = b.from;
	evil.password = password;
	assert_int_equal(rig_bind(r, &evil), 401);
	assert_reaches(r, &a.from, &b.from);
	assert_reaches(r, &b.from, &a.from);
}

static void
spoofed_sources(void **state)
{
	struct rig *r = *state;
	struct client a, b;
	struct way from;

	bind_two(r, &a, &b);
	from = a.from;
	from.remote.port++;
	assert_nowhere(r, &from);
	from = a.from;
	from.remote.ip[3]++;
	assert_nowhere(r, &from);
	for (int s = 0; s < FIRST + 2 * PORTS + 2; s++) {
		from = a.from;
		from.socket = (uint16_t)s;
		if (s != a.from.socket)
			assert_nowhere(r, &from);
		assert_int_equal(
		    pairs_bound(r->pairs, &from, 0), s == a.from.socket);
	}
	from = a.from;
	from.socket = WAY_STREAM;
	assert_nowhere(r, &from);
}

/* A NAT gives its client another port: told, and nobody else is. */
static void
hints_are_for_a_proven_ip_address_only(void **state)
{
	static const char *const others[] = {"198.51.100.2:1000",
	    "192.0.2.66:1001", "198.51.101.1:1001", "[2001:db8::1]:1001",
	    "[c633:6401::]:1001"};
	struct rig *r = *state;
	struct way from = fixture_client(r, 1, 2, A).from;
	struct client a, b;

	assert_false(pairs_hint(r->pairs, &from, r->now_ms));
	bind_two(r, &a, &b);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		from.remote = fixture_addr(others[i]);
		for (int s = 0; s < FIRST + 2 * PORTS; s++) {
			from.socket = (uint16_t)s;
			assert_false(pairs_hint(r->pairs, &from, r->now_ms));
		}
	}
	from = a.from;
	from.remote.port++;
	for (int s = 0; s < FIRST + 2 * PORTS; s++) {
		from.socket = (uint16_t)s;
		if (s != a.from.socket)
			assert_false(pairs_hint(r->pairs, &from, r->now_ms));
	}
	from.socket = WAY_STREAM;
	assert_false(pairs_hint(r->pairs, &from, r->now_ms));
	/* who is bound there is none, also when nothing of his is forwarded */
	assert_false(pairs_hint(r->pairs, &a.from, r->now_ms));
	pairs_drop(r->pairs, b.c.key, NULL);
	from = a.from;
	from.remote.port++;
	assert_false(pairs_hint(r->pairs, &from, r->now_ms));
	/* nor does a connection prove a port */
	a = fixture_client(r, 1, 2, A);
	a.from.socket = WAY_STREAM;
	a.from.stream = 0;
	a.channel = PAIRS_CHANNEL_MIN;
	assert_int_equal(rig_bind(r, &a), 0);
	assert_false(pairs_hint(r->pairs, &from, r->now_ms));
}

/* How many there are at once. */
static int
hints(struct rig *r, const struct way *from)
{
	int n = 0;

	while (pairs_hint(r->pairs, from, r->now_ms))
		n++;
	return n;
}

static void
hints_are_few_and_prove_nothing(void **state)
{
	struct rig *r = *state;
	struct client a, b, c;
	struct way from;
	int n = 0;

	bind_two(r, &a, &b);
	from = a.from;
	for (int i = 0; i < 1000; i++, r->now_ms++) {
		from.remote.port = (uint16_t)(2000 + i);
		n += pairs_hint(r->pairs, &from, r->now_ms);
		assert_nowhere(r, &from);
		assert_false(pairs_bound(r->pairs, &from, 0));
		assert_reaches(r, &b.from, &a.from);
	}
	assert_in_range(n + hints(r, &from), 10, 12);
	/* b's are of the same pair, another pair's are not */
	from = b.from;
	from.remote.port++;
	assert_int_equal(hints(r, &from), 0);
	c = fixture_client(r, 3, 4, "203.0.113.7:2001");
	assert_int_equal(rig_bind(r, &c), 0);
	from.remote.port++;
	assert_int_equal(hints(r, &from), PAIRS_HINT_BURST);
	r->now_ms += 1000 / PAIRS_HINT_RATE;
	assert_int_equal(hints(r, &from), 2); /* one of each */
	/* nor is there any for where it was before */
	from = a.from;
	a.from.remote = fixture_addr("192.0.2.66:9");
	r->now_ms += 1000;
	assert_int_equal(rig_bind(r, &a), 0);
	assert_int_equal(hints(r, &from), 0);
	/* however many there are at one address */
	for (uint32_t i = 0; i < 6; i++) {
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "192.0.2.66:%u", 10 + i);
		c = fixture_client(r, 10 + i, 100 + i, text);
		assert_int_equal(rig_bind(r, &c), 0);
	}
	from.remote = fixture_addr("192.0.2.66:1");
	assert_int_equal(hints(r, &from), 7 * PAIRS_HINT_BURST);
}

static void
names_that_no_key_can_have(void **state)
{
	static const char *const names[] = {"1700001000:" LOW ":" KEY,
	    "1700001000:" KEY ":" LOW, "1700001000:" KEY ":" KEY, "1700001000",
	    "1700001000:" KEY ":", "x", ""};
	struct rig *r = *state;

	/* passwords are right: the secret has leaked, or signs too much */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct client a = fixture_client(r, 1, 2, A);

		a.name = names[i];
		/* too short a name gets no nonce for free */
		memset(a.nonce, 'x', CREDENTIAL_NONCE_LEN);
		assert_int_equal(rig_ask(r, &a), 438);
		memcpy(a.nonce, r->nonce, sizeof(a.nonce));
		assert_int_equal(rig_ask(r, &a), 401);
		assert_false(has(r, STUN_NONCE));
	}
	assert_int_equal(pairs_count(r->pairs), 0);
}

static void
malformed_requests(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A), bad;
	struct stun_attr unknown;
	struct stun_msg m;

	assert_int_equal(rig_bind(r, &a), 0);
	bad = a;
	bad.extra = 0x4fff;
	assert_int_equal(rig_ask(r, &bad), 420);
	assert_true(is_signed(r, &a));
	assert_int_equal(
	    stun_find(&r->m, STUN_UNKNOWN_ATTRIBUTES, &unknown), 0);
	assert_memory_equal(unknown.value, "\x4f\xff", 2);
	bad.extra = NATKIT_PADDING; /* may be there */
	assert_int_equal(rig_ask(r, &bad), 0);
	bad.extra = TURN_LIFETIME; /* of 5 bytes */
	assert_int_equal(rig_ask(r, &bad), 400);
	bad = a;
	bad.no_name = true;
	assert_int_equal(rig_ask(r, &bad), 400);
	bad = a;
	bad.channel = PAIRS_CHANNEL_MIN; /* but no stream */
	assert_int_equal(rig_ask(r, &bad), 400);
	/* answers, of a loop perhaps, are no requests */
	fixture_request(r, &a);
	assert_int_equal(stun_parse(&m, r->request, r->request_len), 0);
	for (int class = STUN_INDICATION; class <= STUN_ERROR; class ++) {
		m.class = (enum stun_class) class;
		assert_int_equal(pairs_bind(r->pairs, &a.from, &m, r->now_ms,
				     r->wall_s, r->answer, STUN_MAX),
		    0);
	}
}

/* What 100,000 requests from an address get: how many were answered. */
static unsigned int
flood(struct rig *r, const struct client *evil)
{
	unsigned int answers = 0;

	for (int i = 0; i < 100000; i++) {
		answers += rig_ask(r, evil) != SILENCE;
		r->now_ms += i % 100 == 0; /* in one second */
	}
	return answers;
}

static void
a_hundred_thousand_attempts(void **state)
{
	struct rig *r = *state;
	struct client a, b, evil = fixture_client(r, 8, 9, "192.0.2.66:6"), own;
	struct client c = fixture_client(r, 5, 6, "192.0.2.67:6");
	struct credential_secret wrong = {.len = 16};
	size_t memory = pairs_memory(r->pairs);

	bind_two(r, &a, &b);
	/* without a nonce, with a wrong one, with a right one but a wrong
	 * password: 100 at once and 50 a second */
	assert_in_range(flood(r, &evil), 100, 151);
	memset(evil.nonce, 'n', CREDENTIAL_NONCE_LEN);
	r->now_ms += 10000;
	assert_in_range(flood(r, &evil), 100, 151);
	r->now_ms += 10000;
	own = evil;
	own.secret = &wrong;
	assert_int_equal(rig_bind(r, &own), 401);
	assert_in_range(flood(r, &own), 99, 150);
	/* others do not notice */
	assert_int_equal(rig_bind(r, &c), 0);
	assert_int_equal(rig_ask(r, &a), 0);
	assert_reaches(r, &a.from, &b.from);
	assert_int_equal(pairs_memory(r->pairs), memory);
	assert_int_equal(pairs_count(r->pairs), 2);
}

/* Who sends in a's name does not use up what a may do. */
static void
attempts_in_a_victims_name(void **state)
{
	struct rig *r = *state;
	struct client a, b, spoofed;

	bind_two(r, &a, &b);
	spoofed = a;
	spoofed.nonce[0] = '\0';
	assert_in_range(flood(r, &spoofed), 90, 151);
	assert_int_equal(rig_ask(r, &a), 0);
	/* also when its nonce is an old one */
	r->now_ms += CREDENTIAL_NONCE_MS;
	flood(r, &spoofed);
	assert_int_equal(rig_ask(r, &a), 438);
	memcpy(a.nonce, r->nonce, sizeof(a.nonce));
	assert_int_equal(rig_ask(r, &a), 0);
	assert_reaches(r, &b.from, &a.from);
	/* nor what it may do over a connection, without a nonce yet */
	flood(r, &spoofed);
	a.from.socket = WAY_STREAM;
	a.from.stream = 7;
	a.channel = PAIRS_CHANNEL_MIN;
	a.nonce[0] = '\0';
	assert_int_equal(rig_ask(r, &a), 401);
}

/* Limits */

static void
a_full_table(void **state)
{
	struct rig *r = *state;
	struct client c[9];
	char from[ADDR_STRLEN];

	for (uint32_t i = 0; i < 9; i++) {
		snprintf(from, sizeof(from), "192.0.2.%u:1", 10 + i);
		c[i] = fixture_client(r, 10 + i, 100 + i, from);
		assert_int_equal(rig_bind(r, &c[i]), i < 8 ? 0 : 508);
	}
	assert_true(is_signed(r, &c[8]));
	assert_int_equal(pairs_count(r->pairs), 8);
	/* who is in may stay, and be met */
	assert_int_equal(rig_ask(r, &c[0]), 0);
	c[8] = fixture_client(r, 100, 10, "192.0.2.99:1");
	assert_int_equal(rig_bind(r, &c[8]), 0);
	assert_reaches(r, &c[8].from, &c[0].from);
	/* and there is room again when one leaves */
	c[1].leave = true;
	assert_int_equal(rig_ask(r, &c[1]), 0);
	c[8] = fixture_client(r, 18, 108, "192.0.2.98:1");
	assert_int_equal(rig_bind(r, &c[8]), 0);
}

static void
too_many_of_a_key(void **state)
{
	const struct accounts_config two = {.max = 3, .per_account = 2};
	struct client a = fixture_client(*state, 1, 2, A), b;
	struct rig r;

	(void)state;
	rig_open(&r, 8, &two, 8);
	a.secret = &r.secret[0];
	for (uint16_t k = 0; k < 3; k++) {
		a.from.socket = SOCKET4(k);
		fixture_key(a.c.peer, 10 + k);
		assert_int_equal(rig_bind(&r, &a), k < 2 ? 0 : 486);
	}
	assert_true(is_signed(&r, &a));
	/* which its peers do not pay for */
	b = fixture_client(&r, 10, 1, B);
	assert_int_equal(rig_bind(&r, &b), 0);
	/* a third account is in the table; a fourth isn't */
	b = fixture_client(&r, 11, 1, B);
	b.from.socket = SOCKET4(1);
	assert_int_equal(rig_bind(&r, &b), 0);
	b = fixture_client(&r, 12, 1, B);
	b.from.socket = SOCKET4(2);
	assert_int_equal(rig_bind(&r, &b), 508);
	assert_int_equal(pairs_count(r.pairs), 2);
	rig_close(&r);
}

static void
too_many_of_an_address(void **state)
{
	struct rig r;
	struct client c;
	char from[ADDR_STRLEN];

	(void)state;
	rig_open(&r, 32, &plenty, 2);
	for (uint32_t i = 0; i < 3; i++) {
		snprintf(from, sizeof(from), "192.0.2.1:%u", 1 + i);
		c = fixture_client(&r, 10 + i, 1, from);
		assert_int_equal(rig_bind(&r, &c), i < 2 ? 0 : 486);
	}
	/* an IPv6 site, whatever it numbers: twice that */
	for (uint32_t i = 0; i < 5; i++) {
		snprintf(from, sizeof(from), "[2001:db8:0:%x::1]:1", i);
		c = fixture_client(&r, 20 + i, 1, from);
		assert_int_equal(rig_bind(&r, &c), i < 4 ? 0 : 486);
	}
	/* one who moves there is one more; who is there may move within */
	c = fixture_client(&r, 30, 1, "192.0.2.2:1");
	assert_int_equal(rig_bind(&r, &c), 0);
	r.now_ms++;
	c.from.remote = fixture_addr("192.0.2.1:9");
	assert_int_equal(rig_bind(&r, &c), 486);
	c = fixture_client(&r, 10, 1, "192.0.2.1:9");
	assert_int_equal(rig_bind(&r, &c), 0);
	rig_close(&r);
}

static void
draining(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A),
		      b = fixture_client(r, 2, 1, B),
		      c = fixture_client(r, 3, 4, "192.0.2.1:1");

	assert_int_equal(rig_bind(r, &a), 0);
	pairs_drain(r->pairs, true);
	assert_int_equal(rig_bind(r, &c), 508);
	assert_int_equal(rig_ask(r, &a), 0);
	assert_int_equal(rig_bind(r, &b), 0); /* a pair that there is */
	assert_reaches(r, &a.from, &b.from);
	pairs_drain(r->pairs, false);
	assert_int_equal(rig_bind(r, &c), 0);
}

static void
too_many_datagrams(void **state)
{
	const struct accounts_config slow = {
	    .max = 8, .per_account = 8, .packets_s = 400};
	struct pairs_entry e;
	struct pairs_hop hop;
	struct client a, b;
	uint64_t position = 0;
	struct rig r;

	(void)state;
	rig_open(&r, 8, &slow, 8);
	bind_two(&r, &a, &b); /* one each */
	assert_true(
	    pairs_forward(r.pairs, &a.from, 0, 99 * 1000, 99, r.now_ms, &hop));
	assert_false(
	    pairs_forward(r.pairs, &a.from, 0, 2000, 2, r.now_ms, &hop));
	assert_reaches(&r, &b.from, &a.from); /* its own rate */
	r.now_ms += 5;
	assert_true(
	    pairs_forward(r.pairs, &a.from, 0, 2000, 2, r.now_ms, &hop));
	assert_true(pairs_next(r.pairs, &position, &e));
	assert_memory_equal(e.side[0].key, a.c.key, KEY_LEN);
	assert_int_equal(e.side[0].packets, 102);
	assert_int_equal(e.side[0].bytes, 101148);
	assert_int_equal(e.side[0].dropped, 2);
	assert_int_equal(e.side[1].packets, 2);
	rig_close(&r);
}

/* What works */

static void
a_pair(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A),
		      b = fixture_client(r, 2, 1, B);
	struct stun_attr v;
	struct addr mapped;

	assert_int_equal(rig_bind(r, &a), 0);
	assert_true(is_signed(r, &a));
	assert_false(is_signed(r, &b));
	assert_int_equal(lifetime(r), PAIRS_UNUSED_MS / 1000);
	assert_int_equal(stun_find(&r->m, STUN_XOR_MAPPED_ADDRESS, &v), 0);
	assert_int_equal(stun_get_xor_addr(&v, r->m.tid, &mapped), 0);
	assert_true(addr_equal(&mapped, &a.from.remote));
	assert_nowhere(r, &a.from); /* nobody there yet */
	assert_true(pairs_bound(r->pairs, &a.from, 0));
	assert_int_equal(rig_bind(r, &b), 0);
	assert_reaches(r, &a.from, &b.from);
	assert_reaches(r, &b.from, &a.from);
	assert_int_equal(rig_ask(r, &a), 0);
	assert_int_equal(lifetime(r), PAIRS_LIFETIME_S);
}

static void
a_second_secret_signs_too(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A),
		      b = fixture_client(r, 2, 1, B);

	b.secret = &r->secret[1];
	assert_int_equal(rig_bind(r, &a), 0);
	assert_int_equal(rig_bind(r, &b), 0);
	assert_true(is_signed(r, &b));
	assert_reaches(r, &a.from, &b.from);
}

static void
a_retransmission_gets_the_same_answer(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A);
	uint8_t first[STUN_MAX];
	size_t len;

	assert_int_equal(rig_bind(r, &a), 0);
	len = r->answer_len;
	memcpy(first, r->answer, len);
	r->now_ms += 700;
	assert_int_equal(rig_send(r, &a.from), 0);
	assert_int_equal(r->answer_len, len);
	assert_memory_equal(r->answer, first, len);
	assert_int_equal(pairs_count(r->pairs), 1);
}

static void
a_new_address_without_a_gap(void **state)
{
	struct rig *r = *state;
	struct client a, b;
	struct way old;

	bind_two(r, &a, &b);
	for (int i = 0; i < 20; i++) {
		r->now_ms += 30000;
		old = a.from;
		a.from.remote.port++;
		if (i == 10) { /* from IPv4 to IPv6 */
			a.from.remote = fixture_addr("[2001:db8::1]:9");
			a.from.socket = SOCKET6(0);
		}
		assert_nowhere(r, &a.from);
		assert_reaches(r, &b.from, &old); /* until then */
		assert_int_equal(rig_bind(r, &a), 0);
		assert_reaches(r, &b.from, &a.from);
		assert_reaches(r, &a.from, &b.from);
		assert_nowhere(r, &old);
		assert_false(pairs_bound(r->pairs, &old, 0));
	}
	assert_int_equal(pairs_count(r->pairs), 1);
}

static void
a_newer_proof_takes_an_address_over(void **state)
{
	struct rig *r = *state;
	struct client a, b, c = fixture_client(r, 3, 4, A),
			    d = fixture_client(r, 4, 3, "192.0.2.4:4");

	bind_two(r, &a, &b);
	assert_int_equal(rig_bind(r, &d), 0);
	assert_int_equal(rig_bind(r, &c), 0);
	assert_reaches(r, &c.from, &d.from);
	assert_reaches(r, &d.from, &c.from);
	assert_nowhere(r, &b.from);
	/* also from the other side of its own pair */
	c.from = d.from;
	r->now_ms++;
	assert_int_equal(rig_bind(r, &c), 0);
	assert_nowhere(r, &c.from);
	assert_int_equal(pairs_count(r->pairs), 2);
}

static void
a_port_for_each_peer(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A), v6;
	struct addr to;

	/* the main port has no pairs */
	a.from.socket = MAIN4;
	assert_int_equal(rig_bind(r, &a), 300);
	assert_true(is_signed(r, &a));
	to = alternate(r);
	assert_int_equal(to.family, ADDR_V4);
	assert_int_equal(to.port, 49152);
	assert_int_equal(pairs_count(r->pairs), 0);
	a.from.socket = SOCKET4(0);
	assert_int_equal(rig_ask(r, &a), 0); /* the nonce is still good */
	for (uint32_t k = 1; k < PORTS; k++) {
		fixture_key(a.c.peer, 2 + k);
		a.from.socket = SOCKET4(0);
		assert_int_equal(rig_ask(r, &a), 300);
		to = alternate(r);
		assert_int_equal(to.port, 49152 + k);
		a.from.socket = SOCKET4(k);
		assert_int_equal(rig_ask(r, &a), 0);
	}
	fixture_key(a.c.peer, 99);
	assert_int_equal(rig_ask(r, &a), 486);
	/* IPv6 has its own */
	v6 = fixture_client(r, 1, 99, "[2001:db8::1]:7");
	v6.from.socket = 1;
	assert_int_equal(rig_bind(r, &v6), 300);
	to = alternate(r);
	assert_int_equal(to.family, ADDR_V6);
	assert_int_equal(to.port, 49152);
	/* the lowest that is free: where one has left; its own counts */
	fixture_key(a.c.peer, 3);
	a.from.socket = SOCKET4(1);
	a.leave = true;
	assert_int_equal(rig_ask(r, &a), 0);
	a.leave = false;
	fixture_key(a.c.peer, 5);
	a.from.socket = SOCKET4(0);
	r->now_ms++;
	assert_int_equal(rig_bind(r, &a), 300);
	to = alternate(r);
	assert_int_equal(to.port, 49153);
}

static void
unbinding(void **state)
{
	struct rig *r = *state;
	struct client a, b, old;

	bind_two(r, &a, &b);
	old = a;
	old.leave = true;
	r->now_ms++;
	assert_int_equal(rig_bind(r, &a), 0);
	assert_int_equal(rig_ask(r, &old), 438); /* from before that */
	assert_reaches(r, &b.from, &a.from);
	a.leave = true;
	assert_int_equal(rig_ask(r, &a), 0);
	assert_int_equal(lifetime(r), 0);
	assert_true(is_signed(r, &a));
	assert_nowhere(r, &b.from);
	assert_nowhere(r, &a.from);
	assert_int_equal(rig_ask(r, &a), 0); /* said again */
	assert_int_equal(pairs_count(r->pairs), 1);
	b.leave = true;
	assert_int_equal(rig_ask(r, &b), 0);
	assert_int_equal(pairs_count(r->pairs), 0);
	a.leave = b.leave = false;
	assert_int_equal(rig_ask(r, &a), 0);
	assert_int_equal(rig_ask(r, &b), 0);
	assert_reaches(r, &a.from, &b.from);
}

static void
streams(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A),
		      b = fixture_client(r, 2, 1, B), c;
	struct pairs_hop hop;

	assert_int_equal(rig_bind(r, &b), 0);
	a.from.socket = WAY_STREAM;
	a.from.stream = 7;
	assert_int_equal(rig_bind(r, &a), 400); /* which channel? */
	a.channel = PAIRS_CHANNEL_MIN - 1;
	assert_int_equal(rig_ask(r, &a), 400);
	a.channel = PAIRS_CHANNEL_MAX + 1;
	assert_int_equal(rig_ask(r, &a), 400);
	a.channel = PAIRS_CHANNEL_MAX;
	assert_int_equal(rig_ask(r, &a), 0);
	assert_true(rig_forward(r, &b.from, 0, &hop));
	assert_true(way_equal(&hop.to, &a.from));
	assert_int_equal(hop.channel, PAIRS_CHANNEL_MAX);
	for (uint16_t n = 0; n < PAIRS_CHANNEL_MAX; n++)
		assert_false(rig_forward(r, &a.from, n, &hop));
	assert_true(rig_forward(r, &a.from, PAIRS_CHANNEL_MAX, &hop));
	assert_true(way_equal(&hop.to, &b.from));
	assert_int_equal(hop.channel, 0);
	/* another peer over the same connection */
	c = a;
	fixture_key(c.c.peer, 3);
	c.channel = PAIRS_CHANNEL_MIN;
	assert_int_equal(rig_ask(r, &c), 0);
	c.from.stream = 8;
	assert_false(rig_forward(r, &c.from, PAIRS_CHANNEL_MAX, &hop));
	pairs_stream_gone(r->pairs, 8); /* not theirs */
	assert_int_equal(pairs_count(r->pairs), 2);
	/* the other's channel: the newer one has it */
	c.from.stream = 7;
	c.channel = PAIRS_CHANNEL_MAX;
	assert_int_equal(rig_ask(r, &c), 0);
	assert_nowhere(r, &b.from);
	assert_int_equal(rig_ask(r, &a), 0);
	assert_true(rig_forward(r, &b.from, 0, &hop));
	assert_int_equal(hop.channel, PAIRS_CHANNEL_MAX);
}

static void
a_connection_ends(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A),
		      b = fixture_client(r, 2, 1, B), c;
	struct pairs_hop hop;

	a.from.socket = WAY_STREAM;
	a.from.stream = 7;
	a.channel = PAIRS_CHANNEL_MIN;
	c = a;
	c.channel++;
	fixture_key(c.c.peer, 3);
	assert_int_equal(rig_bind(r, &a), 0);
	assert_int_equal(rig_bind(r, &c), 0);
	assert_int_equal(rig_bind(r, &b), 0);
	pairs_stream_gone(r->pairs, 7);
	assert_int_equal(pairs_count(r->pairs), 1);
	assert_nowhere(r, &b.from);
	assert_false(rig_forward(r, &a.from, a.channel, &hop));
	assert_false(rig_forward(r, &c.from, c.channel, &hop));
}

/* Time */

static void
unused_for_thirty_seconds(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A),
		      b = fixture_client(r, 2, 1, B);
	uint64_t start = r->now_ms;

	assert_true(pairs_tick(r->pairs, start) == UINT64_MAX);
	assert_int_equal(rig_bind(r, &a), 0);
	assert_int_equal(pairs_tick(r->pairs, start), start + PAIRS_UNUSED_MS);
	r->now_ms += 20000;
	assert_int_equal(rig_bind(r, &b), 0);
	assert_int_equal(
	    pairs_tick(r->pairs, start + 29999), start + PAIRS_UNUSED_MS);
	assert_true(pairs_bound(r->pairs, &a.from, 0));
	assert_int_equal(pairs_tick(r->pairs, start + 30000), start + 50000);
	assert_false(pairs_bound(r->pairs, &a.from, 0));
	/* who says that it is there stays */
	r->now_ms = start + 49000;
	assert_int_equal(rig_ask(r, &b), 0);
	assert_int_equal(pairs_tick(r->pairs, start + 50000), start + 79000);
	assert_true(pairs_tick(r->pairs, start + 79000) == UINT64_MAX);
	assert_int_equal(pairs_count(r->pairs), 0);
}

static void
idle_for_five_minutes(void **state)
{
	struct rig *r = *state;
	struct client a, b;
	uint64_t start = r->now_ms;

	bind_two(r, &a, &b);
	r->now_ms += 200000;
	assert_reaches(r, &a.from, &b.from);
	pairs_tick(r->pairs, start + PAIRS_IDLE_MS - 1);
	assert_true(pairs_bound(r->pairs, &b.from, 0));
	/* b has been silent: what a sends doesn't keep it */
	r->now_ms = start + PAIRS_IDLE_MS;
	pairs_tick(r->pairs, r->now_ms);
	assert_false(pairs_bound(r->pairs, &b.from, 0));
	assert_true(pairs_bound(r->pairs, &a.from, 0));
	assert_nowhere(r, &a.from);
	/* nor does sending to nobody keep a */
	pairs_tick(r->pairs, start + 200000 + PAIRS_IDLE_MS);
	assert_int_equal(pairs_count(r->pairs), 0);
}

/* One of the two may only listen. */
static void
used_in_one_direction(void **state)
{
	struct rig *r = *state;
	struct client a = fixture_client(r, 1, 2, A),
		      b = fixture_client(r, 2, 1, B);

	assert_int_equal(rig_bind(r, &a), 0);
	assert_int_equal(rig_bind(r, &b), 0);
	assert_reaches(r, &a.from, &b.from);
	pairs_tick(r->pairs, r->now_ms + PAIRS_IDLE_MS - 1);
	assert_true(pairs_bound(r->pairs, &a.from, 0));
	assert_true(pairs_bound(r->pairs, &b.from, 0));
	pairs_tick(r->pairs, r->now_ms + PAIRS_IDLE_MS);
	assert_int_equal(pairs_count(r->pairs), 0);
}

/* More often than any limit allows at once, and with every end. */
static void
what_ends_counts_no_more(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 100; i++) {
		struct client a, b, c;

		bind_two(r, &a, &b);
		c = fixture_client(r, 3, 4, B);
		switch (i % 4) {
		case 0:
			a.leave = b.leave = true;
			assert_int_equal(rig_ask(r, &a), 0);
			assert_int_equal(rig_ask(r, &b), 0);
			break;
		case 1:
			pairs_drop(r->pairs, a.c.key, NULL);
			break;
		case 2: /* taken over */
			assert_int_equal(rig_bind(r, &c), 0);
			c.leave = true;
			assert_int_equal(rig_ask(r, &c), 0);
			break;
		}
		r->now_ms += PAIRS_IDLE_MS;
		assert_true(pairs_tick(r->pairs, r->now_ms) == UINT64_MAX);
		assert_int_equal(pairs_count(r->pairs), 0);
	}
}

struct noted {
	char text[512];
};

static void
note(void *arg, const char *what, const char *reason,
    const struct pairs_side *side, const uint8_t peer[KEY_LEN])
{
	struct noted *n = arg;
	size_t len = strlen(n->text);

	snprintf(n->text + len, sizeof(n->text) - len, "%s%u-%u%s%s ", what,
	    side->key[3], peer[3], reason != NULL ? ":" : "",
	    reason != NULL ? reason : "");
}

static void
events_drop_and_walk(void **state)
{
	struct rig *r = *state;
	struct noted n = {""};
	struct client a, b, c = fixture_client(r, 3, 1, "192.0.2.3:3");
	struct pairs_entry e;
	uint64_t position = 0;

	pairs_watch(r->pairs, note, &n);
	bind_two(r, &a, &b);
	assert_int_equal(rig_bind(r, &c), 0);
	a.from.remote.port++;
	r->now_ms++;
	assert_int_equal(rig_bind(r, &a), 0);
	assert_int_equal(rig_ask(r, &a), 0); /* is no news */
	assert_string_equal(
	    n.text, "bound1-2 bound2-1 paired2-1 bound3-1 moved1-2 ");
	n.text[0] = '\0';
	assert_true(pairs_next(r->pairs, &position, &e));
	assert_true(e.side[0].bound && e.side[1].bound);
	assert_int_equal(e.side[0].port, 49152);
	assert_true(way_equal(&e.side[0].way, &a.from));
	assert_true(pairs_next(r->pairs, &position, &e));
	assert_true(e.side[0].bound != e.side[1].bound);
	assert_false(pairs_next(r->pairs, &position, &e));
	assert_int_equal(pairs_drop(r->pairs, b.c.key, c.c.key), 0);
	assert_int_equal(pairs_drop(r->pairs, b.c.key, a.c.key), 1);
	assert_string_equal(n.text, "unbound1-2:dropped unbound2-1:dropped ");
	assert_int_equal(pairs_drop(r->pairs, a.c.key, NULL), 1);
	assert_int_equal(pairs_count(r->pairs), 0);
}

static void
memory_of_ten_thousand(void **state)
{
	const struct accounts_config many = {.max = 20000, .per_account = 8};
	struct rig r;

	(void)state;
	rig_open(&r, 10000, &many, 8);
	assert_true(pairs_memory(r.pairs) + accounts_memory(r.accounts) <
		    16 * 1024 * 1024);
	rig_close(&r);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test(without_a_nonce_nothing_is_told),
	    test(forged_tokens),
	    test(replayed_from_another_address),
	    test(a_late_copy_does_not_move_a_side_back),
	    test(expired_tokens),
	    test(who_is_bound_may_stay_with_an_expired_token),
	    test(a_token_for_another_pair),
	    test(the_wrong_role),
	    test(spoofed_sources),
	    test(hints_are_for_a_proven_ip_address_only),
	    test(hints_are_few_and_prove_nothing),
	    test(names_that_no_key_can_have),
	    test(malformed_requests),
	    test(a_hundred_thousand_attempts),
	    test(attempts_in_a_victims_name),
	    test(a_full_table),
	    test(too_many_of_a_key),
	    test(too_many_of_an_address),
	    test(draining),
	    test(too_many_datagrams),
	    test(a_pair),
	    test(a_second_secret_signs_too),
	    test(a_retransmission_gets_the_same_answer),
	    test(a_new_address_without_a_gap),
	    test(a_newer_proof_takes_an_address_over),
	    test(a_port_for_each_peer),
	    test(unbinding),
	    test(streams),
	    test(a_connection_ends),
	    test(unused_for_thirty_seconds),
	    test(idle_for_five_minutes),
	    test(used_in_one_direction),
	    test(what_ends_counts_no_more),
	    test(events_drop_and_walk),
	    cmocka_unit_test(memory_of_ten_thousand),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

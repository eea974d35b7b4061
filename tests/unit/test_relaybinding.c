/* SPDX-License-Identifier: ISC */
/* One binding to a relay: what is forged is not believed, nobody else's address
 * is sent to, and a NAT that forgets costs one request. */
#include "relaybinding.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "addr_fixture.h"

#define REFRESH_MS 20000

static struct relaybinding b;
static struct relaybinding_event ev;
static uint64_t now;
static struct credential_secret secret;
static struct relayrecord record;

/* The latest request that was sent. */
static uint8_t sent[RELAYBINDING_MAX];
static size_t sent_len;
static struct addr sent_to;
static int sends;

static void
make_record(const char *first, const char *second, uint64_t expiry_s)
{
	struct credential_pair c = {.expiry_s = expiry_s};

	memset(&record, 0, sizeof(record));
	memset(c.key, 1, KEY_LEN);
	memset(c.peer, 2, KEY_LEN);
	memcpy(record.key, c.peer, KEY_LEN);
	credential_pair_name(&c, record.user);
	memset(secret.bytes, 's', secret.len = 32);
	credential_pair_password(&secret, record.user, record.password);
	record.at[record.n++] = at(first);
	if (second != NULL)
		record.at[record.n++] = at(second);
	record.priority = 7;
	record.lifetime_s = 3600;
}

static int
setup(void **state)
{
	(void)state;
	now = 1000000;
	sends = 0;
	sent_len = 0;
	make_record("192.0.2.1:3478", NULL, 1800000000);
	relaybinding_start(&b, &record, REFRESH_MS, now);
	return 0;
}

/* Steps until it waits; keeps what it sent, returns whether the state was told
 * (in ev, or the last one). */
static bool
run(void)
{
	struct relaybinding_event e;
	bool told = false;

	for (int i = 0; i < 20; i++) {
		relaybinding_step(&b, now, &e);
		if (e.what == RELAYBINDING_WAIT) {
			if (!told)
				ev = e;
			return told;
		}
		if (e.what == RELAYBINDING_STATE) {
			ev = e;
			told = true;
			continue;
		}
		sends++;
		sent_to = e.to;
		sent_len = e.len;
		memcpy(sent, e.data, e.len);
	}
	fail_msg("it never waits");
	return false;
}

static uint64_t
next_ms(void)
{
	struct relaybinding_event e;

	relaybinding_step(&b, now, &e);
	assert_int_equal(e.what, RELAYBINDING_WAIT);
	return e.at_ms;
}

/* An answer to the latest request. */
struct answer {
	enum stun_class class;
	int code;
	const char *nonce;
	const char *alternate;
	const char *key;    /* of the integrity; NULL: none */
	const char *mapped; /* XOR-MAPPED-ADDRESS */
	const char *from;
	bool other_tid, plain; /* plain: without FINGERPRINT */
	uint32_t lifetime_s;
};

static bool
answer(const struct answer *a)
{
	struct addr from = a->from != NULL ? at(a->from) : sent_to;
	uint8_t out[STUN_MAX], tid[STUN_TID_LEN];
	struct stun_buf m;
	struct stun_msg parsed;
	int len;

	memcpy(tid, sent + 8, STUN_TID_LEN);
	if (a->other_tid)
		tid[0] ^= 1;
	stun_begin(&m, out, sizeof(out), NATKIT_BIND, a->class, tid);
	if (a->class == STUN_SUCCESS)
		stun_put_u32(
		    &m, TURN_LIFETIME, a->lifetime_s != 0 ? a->lifetime_s : 60);
	if (a->mapped != NULL) {
		struct addr mapped = at(a->mapped);

		stun_put_xor_addr(&m, STUN_XOR_MAPPED_ADDRESS, &mapped);
	}
	if (a->code != 0)
		stun_put_error(&m, a->code, NULL);
	if (a->nonce != NULL)
		stun_put(&m, STUN_NONCE, a->nonce, strlen(a->nonce));
	if (a->alternate != NULL) {
		struct addr to = at(a->alternate);

		stun_put_addr(&m, STUN_ALTERNATE_SERVER, &to);
	}
	if (a->key != NULL)
		stun_put_integrity_sha256(&m, a->key, strlen(a->key));
	len = stun_end(&m, !a->plain);
	assert_int_equal(stun_parse(&parsed, out, (size_t)len), 0);
	return relaybinding_input(&b, &from, &parsed, now);
}

static bool
sent_has(uint16_t type)
{
	struct stun_msg m;
	struct stun_attr a;

	assert_int_equal(stun_parse(&m, sent, sent_len), 0);
	return stun_find(&m, type, &a) == 0;
}

static void
challenge(void)
{
	assert_true(answer(
	    &(struct answer){.class = STUN_ERROR, .code = 401, .nonce = "n1"}));
}

static void
succeed(void)
{
	assert_true(answer(
	    &(struct answer){.class = STUN_SUCCESS, .key = record.password}));
}

static void
bind_it(void)
{
	run();
	challenge();
	run();
	succeed();
	assert_true(run());
	assert_int_equal(ev.state, RELAYBINDING_BOUND);
}

static void
binds_with_a_nonce(void **state)
{
	const struct addr server = at("192.0.2.1:3478");
	struct stun_msg m;

	(void)state;
	assert_true(run());
	assert_int_equal(ev.state, RELAYBINDING_BINDING);
	assert_true(addr_equal(&sent_to, &server));
	assert_false(sent_has(STUN_NONCE));
	challenge();
	assert_false(run());
	assert_int_equal(sends, 2);
	assert_true(sent_has(STUN_NONCE));
	assert_int_equal(stun_parse(&m, sent, sent_len), 0);
	assert_int_equal(stun_check_integrity_sha256(
			     &m, record.password, strlen(record.password)),
	    0);
	succeed();
	assert_true(run());
	assert_int_equal(ev.state, RELAYBINDING_BOUND);
	assert_true(addr_equal(&ev.to, &server));
	assert_int_equal(next_ms(), now + REFRESH_MS);
	/* a copy of the answer says nothing */
	assert_false(answer(
	    &(struct answer){.class = STUN_SUCCESS, .key = record.password}));
	/* who is forgotten sooner says more often that he is there */
	now += REFRESH_MS;
	run();
	assert_true(answer(&(struct answer){
	    .class = STUN_SUCCESS, .key = record.password, .lifetime_s = 30}));
	assert_int_equal(next_ms(), now + 15000);
}

/* Where the relay sees us is told, and told again when it changes. */
static void
tells_the_mapping(void **state)
{
	static const char *const seen[] = {
	    "198.51.100.2:51820", "198.51.100.2:51820", "198.51.100.2:40001"};

	(void)state;
	run();
	challenge();
	for (int i = 0; i < 3; i++) {
		const struct addr expected = at(seen[i]);

		run();
		assert_true(answer(&(struct answer){.class = STUN_SUCCESS,
		    .key = record.password,
		    .mapped = seen[i]}));
		assert_int_equal(run(), i != 1);
		if (i != 1) {
			assert_int_equal(ev.state, RELAYBINDING_BOUND);
			assert_true(addr_equal(&ev.mapped, &expected));
		}
		now += REFRESH_MS;
	}
}

static void
forged_success_is_not_believed(void **state)
{
	(void)state;
	run();
	challenge();
	run();
	assert_true(answer(&(struct answer){.class = STUN_SUCCESS}));
	assert_true(answer(
	    &(struct answer){.class = STUN_SUCCESS, .key = "not the key"}));
	assert_false(answer(&(struct answer){
	    .class = STUN_SUCCESS, .key = record.password, .other_tid = true}));
	assert_false(answer(&(struct answer){.class = STUN_SUCCESS,
	    .key = record.password,
	    .from = "192.0.2.9:3478"}));
	assert_false(answer(&(struct answer){
	    .class = STUN_SUCCESS, .key = record.password, .plain = true}));
	assert_false(run());
	assert_int_equal(b.state, RELAYBINDING_BINDING);
	succeed(); /* the right one still counts */
	assert_true(run());
	assert_int_equal(ev.state, RELAYBINDING_BOUND);
}

static void
follows_the_relay_to_another_port_only(void **state)
{
	const struct addr port = at("192.0.2.1:49153");

	(void)state;
	run();
	challenge();
	run();
	/* not signed by who knows the password */
	assert_true(answer(&(struct answer){
	    .class = STUN_ERROR, .code = 300, .alternate = "192.0.2.1:49153"}));
	assert_false(run());
	assert_int_equal(sends, 2);
	assert_true(answer(&(struct answer){.class = STUN_ERROR,
	    .code = 300,
	    .alternate = "192.0.2.1:49153",
	    .key = record.password}));
	run();
	assert_int_equal(sends, 3);
	assert_true(addr_equal(&sent_to, &port));
	succeed();
	assert_true(run());
	assert_int_equal(ev.state, RELAYBINDING_BOUND);
	assert_true(addr_equal(&ev.to, &port));
}

static void
is_never_sent_to_a_third_party(void **state)
{
	static const char *const elsewhere[] = {
	    "203.0.113.5:53", "[2001:db8::1]:3478", "192.0.2.1:0"};
	const struct addr relay = at("192.0.2.1:3478");

	for (size_t i = 0; i < 3; i++) {
		setup(state);
		run();
		challenge();
		run();
		assert_true(answer(&(struct answer){.class = STUN_ERROR,
		    .code = 300,
		    .alternate = elsewhere[i],
		    .key = record.password}));
		assert_true(run());
		assert_int_equal(ev.state, RELAYBINDING_GONE);
		assert_string_equal(ev.reason, "redirected");
		for (int k = 0; k < 10; k++) {
			now += 10000;
			run();
			assert_true(addr_equal(&sent_to, &relay));
		}
	}
}

static void
does_not_go_in_circles(void **state)
{
	char there[ADDR_STRLEN];

	(void)state;
	run();
	challenge();
	run();
	for (int i = 0; i < 4; i++) {
		snprintf(there, sizeof(there), "192.0.2.1:%d", 5000 + i % 2);
		assert_true(answer(&(struct answer){.class = STUN_ERROR,
		    .code = 300,
		    .alternate = there,
		    .key = record.password}));
		run();
	}
	assert_int_equal(b.state, RELAYBINDING_GONE);
	assert_int_equal(sends, 5);
	/* nor with challenges */
	setup(state);
	run();
	for (int i = 0; i < 4; i++) {
		assert_true(answer(&(struct answer){
		    .class = STUN_ERROR, .code = 438, .nonce = "again"}));
		run();
	}
	assert_int_equal(b.state, RELAYBINDING_GONE);
	assert_string_equal(b.reason, "unauthorized");
	assert_int_equal(sends, 4);
}

static void
refusals_have_reasons(void **state)
{
	static const struct {
		int code;
		const char *reason;
	} refusals[] = {{401, "unauthorized"}, {403, "expired"}, {486, "quota"},
	    {508, "full"}, {500, "refused"}};

	for (size_t i = 0; i < 5; i++) {
		setup(state);
		run();
		challenge();
		run();
		assert_true(answer(&(struct answer){.class = STUN_ERROR,
		    .code = refusals[i].code,
		    .key = record.password}));
		assert_true(run());
		assert_int_equal(ev.state, RELAYBINDING_GONE);
		assert_string_equal(ev.reason, refusals[i].reason);
		assert_int_equal(next_ms(), now + RELAYBINDING_AGAIN_MS);
	}
}

/* 0, 200, 600, 1400; gone at 2000; then after 1 s, 2 s, ... 10 s. */
static void
retransmits_and_goes_on_trying(void **state)
{
	static const uint64_t times[] = {0, 200, 600, 1400};
	static const uint64_t waits[] = {1000, 2000, 4000, 8000, 10000, 10000};
	uint64_t start = now;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		now = start + times[i];
		run();
		assert_int_equal(sends, (int)i + 1);
		now += 1;
		run();
		assert_int_equal(sends, (int)i + 1);
	}
	now = start + 2000;
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(run(), i == 0);
		assert_int_equal(b.state, RELAYBINDING_GONE);
		assert_string_equal(b.reason, "timeout");
		assert_int_equal(next_ms(), now + waits[i]);
		now += waits[i];
		sends = 0;
		run();
		assert_int_equal(sends, 1);
		now += RELAYBINDING_SILENT_MS;
	}
	run();
	/* and when it is there again, it is bound */
	now = next_ms();
	bind_it();
}

static void
refreshes_and_notices_silence(void **state)
{
	(void)state;
	bind_it();
	sends = 0;
	now += REFRESH_MS;
	assert_false(run());
	assert_int_equal(sends, 1);
	assert_true(sent_has(STUN_NONCE)); /* one round trip is enough */
	succeed();
	assert_false(run());
	now += REFRESH_MS;
	run();
	for (int i = 0; i < 19; i++) {
		now += 100;
		assert_false(run());
	}
	now += 100;
	assert_true(run());
	assert_int_equal(ev.state, RELAYBINDING_GONE);
	assert_string_equal(ev.reason, "timeout");
}

static void
an_unsendable_request_is_gone_at_once(void **state)
{
	const struct addr other = at("192.0.2.77:1");

	(void)state;
	bind_it();
	now += REFRESH_MS;
	run();
	relaybinding_unsent(&b, &other, "unreachable", now);
	assert_false(run());
	relaybinding_unsent(&b, &sent_to, "unreachable", now);
	assert_true(run());
	assert_int_equal(ev.state, RELAYBINDING_GONE);
	assert_string_equal(ev.reason, "unreachable");
	assert_true(addr_equal(&ev.to, &sent_to));
}

/* A Binding success, as a server that does not know us sends it, or as a peer
 * answers a check. */
static bool
binding_success(const char *from, const char *key)
{
	struct addr source = at(from), mapped = at("198.51.100.1:5");
	uint8_t out[STUN_MAX], tid[STUN_TID_LEN];
	struct stun_buf m;
	struct stun_msg parsed;
	int len;

	stun_new_tid(tid);
	stun_begin(&m, out, sizeof(out), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_xor_addr(&m, STUN_XOR_MAPPED_ADDRESS, &mapped);
	if (key != NULL)
		stun_put_integrity_sha256(&m, key, strlen(key));
	len = stun_end(&m, true);
	assert_int_equal(stun_parse(&parsed, out, (size_t)len), 0);
	return relaybinding_input(&b, &source, &parsed, now);
}

static void
a_hint_binds_again(void **state)
{
	(void)state;
	assert_false(binding_success("192.0.2.1:3478", NULL)); /* too early */
	bind_it();
	now += 1000;
	sends = 0;
	/* the peer's answer to a check, and somebody else's answer */
	assert_true(binding_success("192.0.2.1:3478", "the peer's"));
	assert_false(binding_success("192.0.2.1:3479", NULL));
	run();
	assert_int_equal(sends, 0);
	assert_true(binding_success("192.0.2.1:3478", NULL));
	assert_false(run()); /* bound until something else is known */
	assert_int_equal(sends, 1);
	/* our address is another one: so is the nonce */
	assert_true(answer(
	    &(struct answer){.class = STUN_ERROR, .code = 438, .nonce = "n2"}));
	run();
	assert_int_equal(sends, 2);
	succeed();
	assert_false(run());
	assert_int_equal(next_ms(), now + REFRESH_MS);
}

/* A NAT that loses its table may do so twice in a row: the second mapping is
 * gone when it has just been bound. */
static void
two_hints_in_a_row(void **state)
{
	(void)state;
	bind_it();
	now += 1000;
	for (int i = 0; i < 2; i++) {
		sends = 0;
		assert_true(binding_success("192.0.2.1:3478", NULL));
		run();
		assert_int_equal(sends, 1);
		now += 5;
		succeed();
		assert_false(run());
		assert_int_equal(next_ms(), now + REFRESH_MS);
		now += 5;
	}
}

/* Whose UDP is cut off while he is relayed need not wait for a refresh. */
static void
checks_that_stop(void **state)
{
	(void)state;
	bind_it();
	sends = 0;
	for (int i = 0; i < 10; i++) {
		now += 1000;
		assert_true(binding_success("192.0.2.1:3478", "the peer's"));
		run();
	}
	assert_int_equal(sends, 0);
	assert_int_equal(next_ms(), now + RELAYBINDING_QUIET_MS);
	now += RELAYBINDING_QUIET_MS;
	assert_false(run());
	assert_int_equal(sends, 1);
	/* the relay is there, only the peer is silent: asked once */
	succeed();
	run();
	assert_int_equal(next_ms(), now + REFRESH_MS);
	assert_true(binding_success("192.0.2.1:3478", "the peer's"));
	now += RELAYBINDING_QUIET_MS;
	run();
	now += RELAYBINDING_SILENT_MS;
	assert_true(run());
	assert_int_equal(ev.state, RELAYBINDING_GONE);
	assert_string_equal(ev.reason, "timeout");
	assert_false(binding_success("192.0.2.1:3478", "the peer's"));
}

static void
a_flood_of_hints_costs_little(void **state)
{
	const struct addr relay = at("192.0.2.1:3478");

	(void)state;
	bind_it();
	now += 1000;
	sends = 0;
	for (int i = 0; i < 10000; i++) { /* a second */
		if (i % 10 == 0)
			now++;
		(void)binding_success("192.0.2.1:3478", NULL);
		if (!run() && b.try[0].active)
			(void)answer(&(struct answer){
			    .class = STUN_SUCCESS, .key = record.password});
		assert_int_equal(b.state, RELAYBINDING_BOUND);
		assert_true(addr_equal(&sent_to, &relay));
	}
	assert_in_range(sends, 1, 7);
	/* and when the relay does not answer, no more */
	sends = 0;
	for (int i = 0; i < 10000; i++) {
		if (i % 10 == 0)
			now++;
		(void)binding_success("192.0.2.1:3478", NULL);
		run();
	}
	assert_in_range(sends, 0, 7);
}

/* The family that answers first is used, and the other is left alone: the relay
 * would take the later of two for the side's new address. */
static void
one_family_is_bound(void **state)
{
	const struct addr v4 = at("192.0.2.1:3478");
	const struct addr v6 = at("[2001:db8::1]:3478");

	(void)state;
	make_record("[2001:db8::1]:3478", "192.0.2.1:3478", 1800000000);
	relaybinding_start(&b, &record, REFRESH_MS, now);
	run();
	assert_int_equal(sends, 1);
	assert_true(addr_equal(&sent_to, &v6));
	now += RELAYBINDING_FAMILY_MS;
	run();
	assert_true(sends == 3 && addr_equal(&sent_to, &v4));
	challenge();
	run();
	sends = 0;
	now += 400; /* IPv6 would be asked again, too */
	run();
	assert_true(sends == 1 && addr_equal(&sent_to, &v4));
	succeed();
	assert_true(run());
	assert_true(addr_equal(&ev.to, &v4) && addr_equal(&ev.server, &v4));
	sends = 0;
	now += REFRESH_MS;
	run();
	assert_true(sends == 1 && addr_equal(&sent_to, &v4));
	/* IPv4 ends: both again */
	now += RELAYBINDING_SILENT_MS;
	run();
	assert_int_equal(b.state, RELAYBINDING_GONE);
	now += RELAYBINDING_AGAIN_MS;
	run();
	assert_true(addr_equal(&sent_to, &v6));
	assert_false(sent_has(STUN_NONCE)); /* that one alone binds nothing */
	now += RELAYBINDING_FAMILY_MS;
	run();
	assert_true(addr_equal(&sent_to, &v4));
	assert_false(sent_has(STUN_NONCE));
	now += 2000;
	run();
	now = next_ms();
	run();
	assert_true(addr_equal(&sent_to, &v6));
	challenge();
	run();
	succeed();
	assert_true(run());
	assert_true(addr_equal(&ev.to, &v6));
}

static void
no_route_for_one_family_is_no_matter(void **state)
{
	const struct addr v6 = at("[2001:db8::1]:3478");

	(void)state;
	make_record("[2001:db8::1]:3478", "192.0.2.1:3478", 1800000000);
	relaybinding_start(&b, &record, REFRESH_MS, now);
	run();
	relaybinding_unsent(&b, &v6, "unreachable", now);
	run();
	assert_int_equal(b.state, RELAYBINDING_BINDING);
	assert_int_equal(sends, 2); /* at once */
	challenge();
	run();
	succeed();
	assert_true(run());
	assert_int_equal(ev.state, RELAYBINDING_BOUND);
}

static void
a_new_token_replaces_the_old(void **state)
{
	char old[CREDENTIAL_NAME_MAX];

	(void)state;
	bind_it();
	sends = 0;
	memcpy(old, record.user, sizeof(old));
	make_record("192.0.2.1:3478", NULL, 1800003600);
	assert_string_not_equal(old, record.user);
	assert_true(relaybinding_is(&b, &record));
	relaybinding_renew(&b, &record, now);
	assert_false(run()); /* what is bound is not disturbed */
	assert_int_equal(sends, 0);
	now += REFRESH_MS;
	run();
	succeed(); /* signed with the new password */
	assert_false(run());
	assert_int_equal(b.state, RELAYBINDING_BOUND);
	/* another priority is news */
	record.priority = 5;
	relaybinding_renew(&b, &record, now);
	assert_true(run());
	assert_int_equal(ev.state, RELAYBINDING_BOUND);
	/* and a new credential is tried at once by who was refused */
	now += REFRESH_MS;
	run();
	assert_true(answer(&(struct answer){
	    .class = STUN_ERROR, .code = 403, .key = record.password}));
	run();
	sends = 0;
	relaybinding_renew(&b, &record, now);
	run();
	assert_int_equal(sends, 1);
}

static void
an_expired_token_is_not_shown_for_ever(void **state)
{
	(void)state;
	bind_it();
	now += 3600 * 1000;
	run();
	assert_true(answer(&(struct answer){
	    .class = STUN_ERROR, .code = 403, .key = record.password}));
	assert_true(run());
	assert_string_equal(ev.reason, "expired");
	assert_true(next_ms() == UINT64_MAX);
}

/* The relay began anew, and gives us another port: the old one ends first. */
static void
another_port_is_told_as_such(void **state)
{
	struct relaybinding_event e;
	const struct addr port = at("192.0.2.1:5001");

	(void)state;
	bind_it();
	now += REFRESH_MS;
	run();
	assert_true(answer(&(struct answer){.class = STUN_ERROR,
	    .code = 300,
	    .alternate = "192.0.2.1:5001",
	    .key = record.password}));
	assert_false(run());
	succeed();
	relaybinding_step(&b, now, &e);
	assert_int_equal(e.what, RELAYBINDING_STATE);
	assert_int_equal(e.state, RELAYBINDING_GONE);
	assert_string_equal(e.reason, "moved");
	assert_int_equal(e.to.port, 3478);
	relaybinding_step(&b, now, &e);
	assert_int_equal(e.what, RELAYBINDING_STATE);
	assert_int_equal(e.state, RELAYBINDING_BOUND);
	assert_true(addr_equal(&e.to, &port));
	relaybinding_step(&b, now, &e);
	assert_int_equal(e.what, RELAYBINDING_WAIT);
}

static void
unbinds_where_it_is_bound(void **state)
{
	uint8_t out[RELAYBINDING_MAX];
	struct stun_attr a;
	struct stun_msg m;
	struct addr to;
	size_t len;

	(void)state;
	run();
	assert_int_equal(relaybinding_unbind(&b, &to, out), 0);
	setup(state);
	bind_it();
	len = relaybinding_unbind(&b, &to, out);
	assert_true(len > 0);
	assert_int_equal(stun_parse(&m, out, len), 0);
	assert_int_equal(stun_find(&m, TURN_LIFETIME, &a), 0);
	assert_memory_equal(a.value, "\0\0\0\0", 4);
	assert_int_equal(stun_check_integrity_sha256(
			     &m, record.password, strlen(record.password)),
	    0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	    TEST(tells_the_mapping),
	    TEST(forged_success_is_not_believed),
	    TEST(is_never_sent_to_a_third_party),
	    TEST(follows_the_relay_to_another_port_only),
	    TEST(does_not_go_in_circles),
	    TEST(binds_with_a_nonce),
	    TEST(refusals_have_reasons),
	    TEST(retransmits_and_goes_on_trying),
	    TEST(refreshes_and_notices_silence),
	    TEST(an_unsendable_request_is_gone_at_once),
	    TEST(a_hint_binds_again),
	    TEST(two_hints_in_a_row),
	    TEST(checks_that_stop),
	    TEST(a_flood_of_hints_costs_little),
	    TEST(one_family_is_bound),
	    TEST(no_route_for_one_family_is_no_matter),
	    TEST(a_new_token_replaces_the_old),
	    TEST(an_expired_token_is_not_shown_for_ever),
	    TEST(another_port_is_told_as_such),
	    TEST(unbinds_where_it_is_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

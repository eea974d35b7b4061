/* SPDX-License-Identifier: ISC */
/* Introductions: nobody learns of anybody without both consents. */
#include "introducer.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct registry reg;
static struct introducer in;
static uint64_t now;
static int events;

/* What one push said, and to whom. */
static struct introducer_request push;
static struct stun_attr said[4];
static int n_said;

static void
event(void *arg, const char *what, const uint8_t key[KEY_LEN],
    const uint8_t peer[KEY_LEN])
{
	(void)arg;
	(void)what;
	(void)key;
	(void)peer;
	events++;
}

static int
setup(void **state)
{
	(void)state;
	now = 1000000;
	events = 0;
	if (registry_init(&reg, 50, 50) != 0)
		return -1;
	introducer_init(&in, &reg, event, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	registry_free(&reg);
	return 0;
}

static const uint8_t *
key(char name)
{
	static uint8_t keys[128][KEY_LEN];

	memset(keys[(int)name], name, KEY_LEN);
	keys[(int)name][31] = 0;
	return keys[(int)name];
}

static uint32_t
join(char name)
{
	struct path p = {
	    .remote = {.family = ADDR_V4, .ip = {10, 0, 0, 1}, .port = 1}};
	struct session s = {0};
	uint32_t c;

	p.remote.ip[3] = (uint8_t)name;
	randombytes_buf(s.id, sizeof(s.id));
	c = registry_add(&reg, key(name), &s, &p, now, now);
	introducer_renew(&in, c, now);
	return c;
}

static enum introducer_action
act(uint32_t c, uint16_t type, const void *value, size_t len,
    struct introducer_relay *relay)
{
	uint8_t list[256], copy[WIRE_PLAIN_MAX];
	struct stun_attr a = {.type = type, .len = (uint16_t)len};
	struct introducer_relay unused;
	struct stun_buf answer;

	memcpy(copy, value, len);
	a.value = relay == NULL ? copy : value;
	stun_begin_list(&answer, list, sizeof(list));
	return introducer_step(
	    &in, c, &a, now, &answer, relay == NULL ? &unused : relay);
}

static enum introducer_action
want(uint32_t c, char whom, uint8_t tag)
{
	uint8_t v[KEY_LEN + WIRE_TAG_LEN];

	memcpy(v, key(whom), KEY_LEN);
	memset(v + KEY_LEN, tag, WIRE_TAG_LEN);
	return act(c, NATKIT_WANT, v, sizeof(v), NULL);
}

static enum introducer_action
ready(uint32_t c, char whom, uint32_t mine, uint32_t theirs, uint16_t rtt)
{
	uint8_t v[KEY_LEN + 10];

	memcpy(v, key(whom), KEY_LEN);
	put_u32(v + KEY_LEN, mine);
	put_u32(v + KEY_LEN + 4, theirs);
	put_u16(v + KEY_LEN + 8, rtt);
	return act(c, NATKIT_READY, v, sizeof(v), NULL);
}

static enum introducer_action
send_to(uint32_t c, char whom, size_t len, struct introducer_relay *relay)
{
	static uint8_t v[KEY_LEN + WIRE_PAYLOAD_MAX + 1];

	memcpy(v, key(whom), KEY_LEN);
	memset(v + KEY_LEN, 'p', len);
	return act(c, NATKIT_SEND, v, KEY_LEN + len, relay);
}

/* The next push that is due now; its attributes go to said. */
static bool
pushed(void)
{
	struct cursor c;

	n_said = 0;
	if (!introducer_next(&in, now, &push))
		return false;
	cursor_init(&c, push.plain, push.len);
	while (stun_attr_next(&c, &said[n_said]) == 1)
		n_said++;
	return true;
}

static void
says(uint32_t to, uint16_t type, char about)
{
	assert_int_equal(push.to, to);
	assert_int_equal(n_said, 1);
	assert_int_equal(said[0].type, type);
	assert_memory_equal(said[0].value, key(about), KEY_LEN);
}

/* Takes and acknowledges all that is due. Returns how many. */
static int
settle(void)
{
	int n = 0;

	while (pushed()) {
		assert_true(introducer_ack(&in, push.to, push.tid));
		n++;
	}
	return n;
}

static void
no_consent_no_word(void **state)
{
	struct introducer_relay relay;
	uint32_t a = join('a');

	(void)state;
	join('b');
	assert_int_equal(want(a, 'b', 1), INTRODUCER_DONE);
	assert_int_equal(want(a, 'x', 1), INTRODUCER_DONE);
	assert_false(pushed());
	assert_int_equal(introducer_due_ms(&in), UINT64_MAX);
	assert_int_equal(send_to(a, 'b', 10, &relay), INTRODUCER_DENIED);
	assert_int_equal(send_to(a, 'x', 10, &relay), INTRODUCER_DENIED);
	ready(a, 'b', 1, 1, 10);
	assert_false(pushed());
	assert_int_equal(events, 0);
}

/* A wants B, B wants C, C wants A: nobody meets. */
static void
a_ring_is_no_pair(void **state)
{
	uint32_t a = join('a'), b = join('b'), c = join('c');

	(void)state;
	want(a, 'b', 1);
	want(b, 'c', 1);
	want(c, 'a', 1);
	assert_false(pushed());
}

static void
malformed(void **state)
{
	static const uint16_t types[] = {
	    NATKIT_WANT, NATKIT_UNWANT, NATKIT_SEND, NATKIT_READY};
	static const size_t right[] = {40, 32, 33, 42};
	uint8_t v[KEY_LEN + WIRE_PAYLOAD_MAX + 1] = {0}, low[40] = {1};
	uint32_t a = join('a');

	(void)state;
	memcpy(v, key('b'), KEY_LEN);
	for (size_t i = 0; i < 4; i++)
		for (size_t len = 0; len < 64; len++)
			if (types[i] == NATKIT_SEND ? len < 33
						    : len != right[i])
				assert_int_equal(act(a, types[i], v, len, NULL),
				    INTRODUCER_BAD);
	assert_int_equal(
	    act(a, NATKIT_SEND, v, KEY_LEN + WIRE_PAYLOAD_MAX + 1, NULL),
	    INTRODUCER_BAD);
	assert_int_equal(act(a, NATKIT_WANT, low, 40, NULL), INTRODUCER_BAD);
	low[0] = 0; /* the zero key */
	assert_int_equal(act(a, NATKIT_WANT, low, 40, NULL), INTRODUCER_BAD);
	assert_int_equal(want(a, 'a', 1), INTRODUCER_BAD);
	assert_int_equal(reg.edges_count, 0);
}

static void
both_consent(void **state)
{
	uint32_t a = join('a'), b = join('b');
	static const uint8_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
	static const uint8_t twos[8] = {2, 2, 2, 2, 2, 2, 2, 2};

	(void)state;
	want(a, 'b', 1);
	want(b, 'a', 2);
	assert_true(pushed());
	says(b, NATKIT_PEER, 'a');
	assert_memory_equal(said[0].value + KEY_LEN, ones, 8);
	assert_true(introducer_ack(&in, b, push.tid));
	assert_true(pushed());
	says(a, NATKIT_PEER, 'b');
	assert_memory_equal(said[0].value + KEY_LEN, twos, 8);
	assert_true(introducer_ack(&in, a, push.tid));
	assert_false(pushed());
	assert_int_equal(events, 1);
	/* a retransmitted WANT changes nothing */
	want(a, 'b', 1);
	assert_false(pushed());
}

static void
resent_until_acknowledged(void **state)
{
	uint32_t a = join('a'), b = join('b');
	uint8_t tid[STUN_TID_LEN], first[STUN_TID_LEN];
	uint64_t at = now, gap = INTRODUCER_RESEND_MS;

	(void)state;
	want(a, 'b', 1);
	want(b, 'a', 2);
	assert_true(pushed());
	assert_true(introducer_ack(&in, b, push.tid));
	assert_true(pushed());
	memcpy(first, push.tid, sizeof(first));
	for (int i = 0; i < INTRODUCER_RESENDS; i++) {
		assert_false(pushed());
		at += gap;
		gap *= 2;
		assert_int_equal(introducer_due_ms(&in), at);
		now = at - 1;
		assert_false(pushed());
		now = at;
		assert_true(pushed());
		says(a, NATKIT_PEER, 'b');
		assert_memory_equal(push.tid, first, sizeof(first));
	}
	/* given up, until the client is heard of */
	now = at + gap;
	assert_false(pushed());
	assert_int_equal(introducer_due_ms(&in), UINT64_MAX);
	introducer_heard(&in, a, now);
	assert_true(pushed());
	says(a, NATKIT_PEER, 'b');
	memcpy(tid, push.tid, sizeof(tid));
	tid[0] ^= 1;
	assert_false(introducer_ack(&in, a, tid));
	assert_false(introducer_ack(&in, b, push.tid)); /* not its own */
	assert_true(introducer_ack(&in, a, push.tid));
	assert_false(introducer_ack(&in, a, push.tid));
	now += 100000;
	assert_false(pushed());
}

static void
relay_both_ways(void **state)
{
	struct introducer_relay relay;
	uint32_t a = join('a'), b = join('b');

	(void)state;
	want(a, 'b', 1);
	want(b, 'a', 2);
	assert_int_equal(send_to(a, 'b', 10, &relay), INTRODUCER_RELAY);
	assert_int_equal(relay.to, b);
	assert_int_equal(relay.len, 10);
	assert_memory_equal(relay.from, key('a'), KEY_LEN);
	assert_int_equal(
	    send_to(b, 'a', WIRE_PAYLOAD_MAX, &relay), INTRODUCER_RELAY);
	assert_int_equal(relay.to, a);
	/* consent withdrawn */
	assert_int_equal(
	    act(b, NATKIT_UNWANT, key('a'), KEY_LEN, NULL), INTRODUCER_DONE);
	assert_int_equal(send_to(a, 'b', 10, &relay), INTRODUCER_DENIED);
	assert_int_equal(send_to(b, 'a', 10, &relay), INTRODUCER_DENIED);
}

static void
go_needs_both_and_the_same(void **state)
{
	uint32_t a = join('a'), b = join('b');
	struct cursor c;

	(void)state;
	want(a, 'b', 1);
	want(b, 'a', 2);
	settle();
	ready(a, 'b', 5, 9, 40);
	assert_false(pushed());
	ready(b, 'a', 9, 4, 100); /* an earlier generation of A's */
	assert_false(pushed());
	ready(b, 'a', 9, 5, 100);
	assert_true(pushed());
	says(b, NATKIT_GO, 'a');
	assert_true(introducer_ack(&in, b, push.tid));
	/* A's first is lost; the second says how old it is */
	assert_true(pushed());
	says(a, NATKIT_GO, 'b');
	now += INTRODUCER_RESEND_MS;
	assert_true(pushed());
	says(a, NATKIT_GO, 'b');
	cursor_init(&c, said[0].value + KEY_LEN, 12);
	assert_int_equal(cursor_u32(&c), 5);
	assert_int_equal(cursor_u32(&c), 9);
	assert_int_equal(cursor_u16(&c), INTRODUCER_RESEND_MS);
	/* (100 - 40) / 2 + 5 + 100 / 8 */
	assert_int_equal(cursor_u16(&c), 47);
	assert_true(introducer_ack(&in, a, push.tid));
	/* READY again, as when its answer was lost: no second GO */
	ready(a, 'b', 5, 9, 40);
	ready(b, 'a', 9, 5, 100);
	assert_false(pushed());
	/* a new generation: a new GO */
	ready(a, 'b', 6, 9, 40);
	assert_false(pushed());
	ready(b, 'a', 9, 6, 40);
	assert_int_equal(settle(), 2);
}

static void
skew_is_bounded(void **state)
{
	uint32_t a = join('a'), b = join('b');
	struct cursor c;

	(void)state;
	want(a, 'b', 1);
	want(b, 'a', 2);
	settle();
	ready(a, 'b', 1, 1, 65535);
	ready(b, 'a', 1, 1, 0);
	assert_true(pushed());
	cursor_init(&c, said[0].value + KEY_LEN + 10, 2);
	assert_int_equal(cursor_u16(&c), INTRODUCER_SKEW_MAX_MS);
}

static void
gone(void **state)
{
	uint32_t a = join('a'), b = join('b'), c = join('c');

	(void)state;
	want(a, 'b', 1);
	want(c, 'b', 1); /* not consented: hears nothing */
	want(b, 'a', 2);
	settle();
	introducer_forget(&in, b, now);
	assert_true(pushed());
	says(a, NATKIT_GONE, 'b');
	assert_true(introducer_ack(&in, a, push.tid));
	assert_false(pushed());
	/* and back */
	b = join('b');
	want(b, 'a', 3);
	assert_int_equal(settle(), 2);
	act(b, NATKIT_UNWANT, key('a'), KEY_LEN, NULL);
	assert_true(pushed());
	says(a, NATKIT_GONE, 'b');
	assert_false(pushed());
}

/* A GONE that overtakes the PEER: only the last word is said. */
static void
peer_then_gone_unsaid(void **state)
{
	uint32_t a = join('a'), b = join('b');

	(void)state;
	want(a, 'b', 1);
	want(b, 'a', 2);
	act(b, NATKIT_UNWANT, key('a'), KEY_LEN, NULL);
	assert_true(pushed());
	says(a, NATKIT_GONE, 'b');
	assert_true(introducer_ack(&in, a, push.tid));
	assert_false(pushed());
}

static void
new_run_has_a_new_tag(void **state)
{
	uint32_t a = join('a'), b = join('b');

	(void)state;
	want(a, 'b', 1);
	want(b, 'a', 2);
	settle();
	ready(a, 'b', 1, 1, 1);
	/* A restarts. Before it wants B again, nothing goes on with B */
	a = join('a');
	ready(b, 'a', 1, 1, 1);
	assert_false(pushed());
	want(a, 'b', 7);
	assert_true(pushed());
	assert_true(pushed());
	says(b, NATKIT_PEER, 'a');
	assert_int_equal(said[0].value[KEY_LEN], 7);
	settle();
	/* B's READY was for the earlier run */
	ready(a, 'b', 1, 1, 1);
	assert_int_equal(n_said, 0);
	assert_false(pushed());
}

static void
same_run_new_session(void **state)
{
	struct introducer_relay relay;
	uint32_t a = join('a'), b = join('b');

	(void)state;
	want(a, 'b', 1);
	want(b, 'a', 2);
	settle();
	a = join('a');
	assert_int_equal(send_to(b, 'a', 1, &relay), INTRODUCER_DENIED);
	want(a, 'b', 1);
	assert_true(pushed()); /* A may not know; B need not hear of it */
	says(a, NATKIT_PEER, 'b');
	assert_true(introducer_ack(&in, a, push.tid));
	assert_false(pushed());
	assert_int_equal(send_to(b, 'a', 1, &relay), INTRODUCER_RELAY);
}

/* Wants of an earlier session that the new one does not have. */
static void
unconfirmed_wants_end(void **state)
{
	uint32_t a = join('a'), b = join('b');

	(void)state;
	want(a, 'b', 1);
	want(b, 'a', 2);
	settle();
	a = join('a');
	now += INTRODUCER_STALE_MS - 1;
	introducer_heard(&in, a, now);
	assert_false(pushed());
	now += 1;
	introducer_heard(&in, a, now);
	assert_true(pushed());
	says(b, NATKIT_GONE, 'a');
	assert_int_equal(reg.clients[a].n_edges, 0);
}

/* Nobody is introduced to a client's earlier run either. */
static void
stale_want_is_no_consent(void **state)
{
	uint32_t a = join('a'), b = join('b');

	(void)state;
	want(a, 'b', 1);
	a = join('a');
	want(b, 'a', 2);
	assert_false(pushed());
	want(a, 'b', 1);
	assert_int_equal(settle(), 2);
}

static void
moved_client_gets_new_ids(void **state)
{
	uint32_t a = join('a'), b = join('b');
	uint8_t tid[STUN_TID_LEN];

	(void)state;
	want(a, 'b', 1);
	want(b, 'a', 2);
	while (pushed())
		if (push.to == a)
			memcpy(tid, push.tid, sizeof(tid));
	introducer_moved(&in, a, now);
	assert_true(pushed());
	says(a, NATKIT_PEER, 'b');
	/* what was sent to the old address proves nothing for the new one */
	assert_false(introducer_ack(&in, a, tid));
	assert_true(introducer_ack(&in, a, push.tid));
}

static void
full_is_answered(void **state)
{
	uint32_t a = join('a');
	uint8_t v[40], list[64];
	struct stun_attr attr = {NATKIT_WANT, 40, v}, got;
	struct introducer_relay relay;
	struct stun_buf answer;
	struct cursor c;

	(void)state;
	memset(v, 9, sizeof(v));
	for (int i = 0; i <= REGISTRY_WANTS; i++) {
		v[5] = (uint8_t)i;
		stun_begin_list(&answer, list, sizeof(list));
		assert_int_equal(
		    introducer_step(&in, a, &attr, now, &answer, &relay),
		    i < REGISTRY_WANTS ? INTRODUCER_DONE : INTRODUCER_FULL);
	}
	cursor_init(&c, list, answer.len);
	assert_int_equal(stun_attr_next(&c, &got), 1);
	assert_int_equal(got.type, NATKIT_STATUS);
	assert_int_equal(got.len, 34);
	assert_int_equal(got.value[0] << 8 | got.value[1], WIRE_FULL);
	assert_memory_equal(got.value + 2, v, KEY_LEN);
}

static void
unknown_actions(void **state)
{
	uint32_t a = join('a');

	(void)state;
	assert_int_equal(act(a, 0x7abc, "later", 5, NULL), INTRODUCER_DONE);
	assert_int_equal(act(a, NATKIT_BYE, "", 0, NULL), INTRODUCER_BYE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(no_consent_no_word),
	    TEST(a_ring_is_no_pair),
	    TEST(malformed),
	    TEST(both_consent),
	    TEST(resent_until_acknowledged),
	    TEST(relay_both_ways),
	    TEST(go_needs_both_and_the_same),
	    TEST(skew_is_bounded),
	    TEST(gone),
	    TEST(peer_then_gone_unsaid),
	    TEST(new_run_has_a_new_tag),
	    TEST(same_run_new_session),
	    TEST(unconfirmed_wants_end),
	    TEST(stale_want_is_no_consent),
	    TEST(moved_client_gets_new_ids),
	    TEST(full_is_answered),
	    TEST(unknown_actions),
	};

	return sodium_init() == -1 ? 1
				   : cmocka_run_group_tests(tests, NULL, NULL);
}

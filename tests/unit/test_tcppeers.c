/* SPDX-License-Identifier: ISC */
/* When nat-relay tcp is needed, and what it says to a relay: UDP comes first,
 * forged answers bind nothing, silence is seen. */
#include "tcppeers.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define START UINT64_C(5000000000)
#define SERVER "192.0.2.1:3478"
#define SERVER2 "192.0.2.2:3478"

static struct tcppeers *t;
static uint64_t now, at_ms;
static const char *wrong;
static char key[KEY_STRLEN], own[KEY_STRLEN];
static uint8_t key_bytes[KEY_LEN];

static int
setup(void **state)
{
	uint8_t secret[KEY_LEN], pub[KEY_LEN];

	(void)state;
	t = sodium_malloc(sizeof(*t));
	assert_non_null(t);
	memset(t, 0, sizeof(*t));
	randombytes_buf(secret, sizeof(secret));
	crypto_scalarmult_base(key_bytes, secret);
	key_format(key_bytes, key);
	secret[5]++;
	crypto_scalarmult_base(pub, secret);
	key_format(pub, own);
	now = START;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sodium_free(t);
	return 0;
}

static int
line(const char *text)
{
	struct record_view v;

	assert_int_equal(record_parse(&v, text, strlen(text)), 0);
	return tcppeers_record(t, &v, now, &wrong);
}

static int
relay(const char *server)
{
	char text[RECORD_MAX];

	snprintf(text, sizeof(text),
	    "relay key=%s server=%s user=2000000000:%s:%s "
	    "password=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
	    "priority=100 lifetime_s=600",
	    key, server, own, key);
	return line(text);
}

static void
udp(const char *server, const char *state)
{
	char text[RECORD_MAX];

	snprintf(text, sizeof(text),
	    "candidate type=relay endpoint=192.0.2.1:50000 priority=100 "
	    "server=%s key=%s state=%s",
	    server, key, state);
	assert_int_equal(line(text), 0);
}

static bool
needs(void)
{
	at_ms = UINT64_MAX;
	return tcppeer_needs(tcppeers_find(t, key_bytes), now, &at_ms);
}

static bool
lingers(void)
{
	at_ms = UINT64_MAX;
	return tcppeer_lingers(tcppeers_find(t, key_bytes), now, &at_ms);
}

static void
test_udp_has_its_time(void **state)
{
	(void)state;
	assert_int_equal(relay(SERVER), 0);
	assert_false(needs());
	assert_int_equal(at_ms, START + TCPPEERS_WAIT_MS);
	now += TCPPEERS_WAIT_MS - 1;
	assert_int_equal(relay(SERVER), 0); /* once more is no new beginning */
	assert_int_equal(relay(SERVER2), 0);
	assert_false(needs());
	now++;
	assert_true(needs());
	udp(SERVER, "binding");
	assert_true(needs());
	udp(SERVER, "bound");
	assert_false(needs());
	assert_int_equal(at_ms, UINT64_MAX);
}

static void
test_udp_goes(void **state)
{
	(void)state;
	assert_int_equal(relay(SERVER), 0);
	udp(SERVER, "gone"); /* before its time is over: no use in waiting */
	assert_true(needs());
	udp(SERVER, "bound");
	udp(SERVER2, "bound");
	udp(SERVER2, "bound");
	udp(SERVER, "gone"); /* one of two is enough */
	assert_false(needs());
	udp(SERVER2, "gone");
	assert_true(needs());
}

static void
test_the_connection_lingers(void **state)
{
	(void)state;
	assert_int_equal(relay(SERVER), 0);
	assert_false(lingers());
	udp(SERVER, "bound");
	assert_true(lingers());
	now += TCPPEERS_LINGER_MS - 1;
	assert_true(lingers());
	assert_int_equal(at_ms, now + 1);
	now++;
	assert_false(lingers());
}

/* nat-relay pair's candidates of other kinds, and those of others. */
static void
test_other_records(void **state)
{
	char text[RECORD_MAX];

	(void)state;
	udp(SERVER, "bound"); /* of nobody */
	assert_null(tcppeers_find(t, key_bytes));
	assert_int_equal(relay(SERVER), 0);
	assert_int_equal(
	    line("candidate type=host endpoint=192.0.2.9:1 priority=9"), 0);
	assert_int_equal(line("candidate type=relay state=bound"), 0);
	snprintf(text, sizeof(text),
	    "candidate type=relay server=%s key=%s state=bound", SERVER, own);
	assert_int_equal(line(text), 0);
	now += TCPPEERS_WAIT_MS;
	assert_true(needs());
	assert_int_equal(line("relay key=nonsense"), -EBADMSG);
	assert_string_equal(wrong, "key");
}

static void
test_who_went_is_given_up_later(void **state)
{
	const struct tcppeer *p = NULL;
	char text[RECORD_MAX];

	(void)state;
	assert_int_equal(relay(SERVER), 0);
	p = tcppeers_find(t, key_bytes);
	snprintf(text, sizeof(text), "gone key=%s reason=left", key);
	assert_int_equal(line(text), 0);
	at_ms = UINT64_MAX;
	assert_false(tcppeer_is_over(p, now, &at_ms));
	now += TCPPEERS_LEFT_MS;
	assert_true(tcppeer_is_over(p, now, &at_ms));
	assert_int_equal(relay(SERVER), 0); /* back in time */
	assert_false(tcppeer_is_over(p, now, &at_ms));
	snprintf(text, sizeof(text), "relay key=%s", key);
	assert_int_equal(line(text), 0);
	now += TCPPEERS_LEFT_MS;
	assert_true(tcppeer_is_over(p, now, &at_ms));
}

static void
test_bounds(void **state)
{
	char server[64];

	(void)state;
	for (int i = 1; i <= TCPPEERS_RELAYS; i++) {
		snprintf(server, sizeof(server), "192.0.2.%d:3478", i);
		assert_int_equal(relay(server), 0);
		udp(server, "bound");
	}
	assert_int_equal(relay("192.0.2.99:3478"), -ENOSPC);
	udp("192.0.2.99:3478", "gone"); /* of one that has no room */
	assert_false(needs());
	for (int i = 0; i < TCPPEERS_MAX; i++) {
		uint8_t secret[KEY_LEN];

		randombytes_buf(secret, sizeof(secret));
		crypto_scalarmult_base(key_bytes, secret);
		key_format(key_bytes, key);
		assert_int_equal(
		    relay(SERVER), i < TCPPEERS_MAX - 1 ? 0 : -ENOSPC);
	}
}

/* A relay, played by the test */

static struct streambind *b;
static uint8_t out[STREAMBIND_OUT], answer[STREAMBIND_OUT];
static struct stun_msg asked;

static void
start(void)
{
	assert_int_equal(relay(SERVER), 0);
	b = &tcppeers_find(t, key_bytes)->side[0].bind;
	streambind_start(b, now);
}

static void
expect_ask(bool is_signed)
{
	size_t n = streambind_step(b, now, out);
	struct stun_attr a;

	assert_true(n > 0);
	assert_int_equal(stun_parse(&asked, out, n), 0);
	assert_true(asked.fingerprint);
	assert_int_equal(asked.method, NATKIT_BIND);
	assert_int_equal(stun_find(&asked, TURN_CHANNEL_NUMBER, &a), 0);
	assert_memory_equal(a.value, "\x40\x00\x00\x00", 4);
	assert_int_equal(stun_check_integrity_sha256(
			     &asked, b->password, strlen(b->password)),
	    is_signed ? 0 : -ENOENT);
}

/* code 0: a success. password NULL: not signed */
static bool
give(int code, const char *nonce, const char *password)
{
	struct stun_msg m;
	struct stun_buf s;
	int n = 0;

	stun_begin(&s, answer, sizeof(answer), NATKIT_BIND,
	    code == 0 ? STUN_SUCCESS : STUN_ERROR, asked.tid);
	if (code == 0)
		stun_put_u32(&s, TURN_LIFETIME, 60);
	else
		stun_put_error(&s, code, NULL);
	if (nonce != NULL)
		stun_put(&s, STUN_NONCE, nonce, strlen(nonce));
	if (password != NULL)
		stun_put_integrity_sha256(&s, password, strlen(password));
	n = stun_end(&s, true);
	assert_int_equal(stun_parse(&m, answer, (size_t)n), 0);
	return streambind_input(b, &m, now);
}

static void
test_binds(void **state)
{
	(void)state;
	start();
	expect_ask(false);
	assert_true(give(401, "nonce", NULL));
	expect_ask(true);
	assert_int_equal(streambind_unbind(b, out), 0);
	assert_true(give(0, NULL, b->password));
	assert_int_equal(b->state, STREAMBIND_BOUND);
	assert_int_equal(b->next_ms, now + STREAMBIND_REFRESH_MS);
	assert_int_equal(streambind_step(b, now, out), 0);
	now = b->next_ms;
	expect_ask(true);
	assert_int_equal(b->state, STREAMBIND_BOUND); /* while it asks */
	assert_true(give(438, "newer", NULL));
	expect_ask(true);
	assert_true(give(0, NULL, b->password));
	assert_true(streambind_unbind(b, out) > 0);
	streambind_stop(b);
	now += 100000;
	assert_int_equal(streambind_step(b, now, out), 0);
}

static void
test_forgeries_bind_nothing(void **state)
{
	(void)state;
	start();
	expect_ask(false);
	assert_true(give(0, NULL, NULL));
	assert_true(give(0, NULL, "another"));
	assert_int_equal(b->state, STREAMBIND_ASKING);
	asked.tid = (const uint8_t *)"another tid.";
	assert_false(give(0, NULL, b->password));
}

static void
test_silence_is_death(void **state)
{
	(void)state;
	start();
	expect_ask(false);
	now += STREAMBIND_WAIT_MS - 1;
	assert_int_equal(streambind_step(b, now, out), 0);
	assert_int_equal(b->state, STREAMBIND_ASKING);
	now++;
	assert_int_equal(streambind_step(b, now, out), 0);
	assert_int_equal(b->state, STREAMBIND_DEAD);
}

static void
test_refusals_are_asked_again_ever_later(void **state)
{
	uint64_t wait_ms = STREAMBIND_AGAIN_MS;

	(void)state;
	start();
	expect_ask(false);
	assert_true(give(401, "nonce", NULL));
	for (int i = 0; i < 6; i++) {
		expect_ask(true);
		assert_true(give(508, NULL, b->password));
		assert_int_equal(b->state, STREAMBIND_REFUSED);
		assert_string_equal(b->reason, "full");
		assert_int_equal(b->next_ms, now + wait_ms);
		now = b->next_ms;
		wait_ms = wait_ms * 2 < STREAMBIND_AGAIN_MAX_MS
			      ? wait_ms * 2
			      : STREAMBIND_AGAIN_MAX_MS;
	}
}

static void
test_challenges_end(void **state)
{
	(void)state;
	start();
	expect_ask(false);
	for (int i = 0; i < STREAMBIND_CHALLENGES; i++) {
		assert_true(give(401, "nonce", NULL));
		expect_ask(true);
	}
	assert_true(give(401, "nonce", NULL));
	assert_int_equal(b->state, STREAMBIND_REFUSED);
	assert_string_equal(b->reason, "unauthorized");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_udp_has_its_time),
	    T(test_udp_goes),
	    T(test_the_connection_lingers),
	    T(test_other_records),
	    T(test_who_went_is_given_up_later),
	    T(test_bounds),
	    T(test_binds),
	    T(test_forgeries_bind_nothing),
	    T(test_silence_is_death),
	    T(test_refusals_are_asked_again_ever_later),
	    T(test_challenges_end),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* HELLO and SESSION as both sides see them, with the real Noise. */
#include "wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#include "../rv.h"

static const struct addr client4 = {
    .family = ADDR_V4, .ip = {192, 0, 2, 7}, .port = 40000};
static const struct addr client6 = {
    .family = ADDR_V6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 9}, .port = 40001};

static struct rv server, client;
static struct session at_server;
static uint8_t id[WIRE_ID_LEN] = "sessioni";

static int
setup(void **state)
{
	(void)state;
	rv_init(&server);
	rv_init(&client);
	return 0;
}

static struct stun_msg
parsed(const uint8_t *data, int len)
{
	struct stun_msg m;

	assert_true(len > 0);
	assert_int_equal(stun_parse(&m, data, (size_t)len), 0);
	return m;
}

static int
serve_read(struct noise *n, const uint8_t *data, int len, uint64_t *ts)
{
	struct stun_msg m = parsed(data, len);

	noise_init_responder(n, server.secret, server.public, WIRE_PROLOGUE,
	    sizeof(WIRE_PROLOGUE) - 1);
	return wire_hello_read(n, &m, ts);
}

/* HELLO to its end. Returns the length of the answer in out. */
static int
serve(const uint8_t *request, int len, int status, const struct addr *mapped,
    uint8_t out[STUN_MAX])
{
	struct noise n;
	uint64_t ts;
	int out_len;

	assert_int_equal(serve_read(&n, request, len, &ts), 0);
	assert_memory_equal(n.rs, client.public, KEY_LEN);
	out_len = wire_hello_response(
	    &n, client.tid, status, id, 25, mapped, &at_server, out, STUN_MAX);
	assert_true(out_len > 0);
	assert_true(out_len <= len); /* no answer is longer than its request */
	return out_len;
}

static void
connected(void)
{
	uint8_t a[STUN_MAX], b[STUN_MAX];
	int len = rv_hello(&client, server.public, NULL, 0, a);

	len = serve(a, len, WIRE_OK, &client4, b);
	assert_int_equal(rv_finish(&client, b, (size_t)len), WIRE_OK);
}

static void
hello_wrong_server(void **state)
{
	struct rv other;
	struct noise n;
	uint8_t a[STUN_MAX];
	uint64_t ts;
	int len;

	(void)state;
	rv_init(&other);
	len = rv_hello(&client, other.public, NULL, 0, a);
	assert_int_equal(serve_read(&n, a, len, &ts), -EBADMSG);
}

static void
hello_every_byte_counts(void **state)
{
	uint8_t a[STUN_MAX], bad[STUN_MAX];
	struct stun_msg m;
	struct noise n;
	struct stun_attr noise;
	uint64_t ts;
	int len = rv_hello(&client, server.public, NULL, 0, a);

	(void)state;
	m = parsed(a, len);
	assert_int_equal(stun_find(&m, NATKIT_NOISE, &noise), 0);
	for (int i = 0; i < noise.len; i++) {
		struct stun_buf b;
		uint8_t value[256];

		memcpy(value, noise.value, noise.len);
		value[i] ^= 1;
		stun_begin(&b, bad, sizeof(bad), NATKIT_HELLO, STUN_REQUEST,
		    client.tid);
		stun_put(&b, NATKIT_NOISE, value, noise.len);
		stun_put_space(&b, NATKIT_PADDING, 64);
		assert_true(serve_read(&n, bad, stun_end(&b, true), &ts) < 0);
	}
}

static void
hello_low_order_ephemeral(void **state)
{
	uint8_t a[STUN_MAX] = {0};
	struct stun_buf b;
	struct noise n;
	uint64_t ts;

	(void)state;
	stun_begin(&b, a, sizeof(a), NATKIT_HELLO, STUN_REQUEST, client.tid);
	stun_put_space(&b, NATKIT_NOISE, NOISE_MSG1_LEN + 12);
	stun_put_space(&b, NATKIT_PADDING, 64);
	assert_int_equal(serve_read(&n, a, stun_end(&b, true), &ts), -EINVAL);
}

static void
hello_short_or_bare(void **state)
{
	uint8_t a[STUN_MAX], bad[STUN_MAX];
	struct stun_attr noise;
	struct stun_msg m;
	struct stun_buf b;
	struct noise n;
	uint64_t ts;
	int len = rv_hello(&client, server.public, NULL, 0, a);

	(void)state;
	m = parsed(a, len);
	assert_int_equal(stun_find(&m, NATKIT_NOISE, &noise), 0);
	/* cut off inside the Noise message */
	for (size_t cut = 0; cut < noise.len; cut++) {
		stun_begin(&b, bad, sizeof(bad), NATKIT_HELLO, STUN_REQUEST,
		    client.tid);
		stun_put(&b, NATKIT_NOISE, noise.value, cut);
		stun_put_space(&b, NATKIT_PADDING, 200);
		assert_true(serve_read(&n, bad, stun_end(&b, true), &ts) < 0);
	}
	/* without FINGERPRINT */
	stun_begin(
	    &b, bad, sizeof(bad), NATKIT_HELLO, STUN_REQUEST, client.tid);
	stun_put(&b, NATKIT_NOISE, noise.value, noise.len);
	stun_put_space(&b, NATKIT_PADDING, 64);
	assert_int_equal(
	    serve_read(&n, bad, stun_end(&b, false), &ts), -EBADMSG);
	/* of another class */
	stun_begin(
	    &b, bad, sizeof(bad), NATKIT_HELLO, STUN_INDICATION, client.tid);
	stun_put(&b, NATKIT_NOISE, noise.value, noise.len);
	stun_put_space(&b, NATKIT_PADDING, 64);
	assert_int_equal(
	    serve_read(&n, bad, stun_end(&b, true), &ts), -EBADMSG);
}

static void
hello_and_back(void **state)
{
	static const struct addr *const addrs[] = {&client4, &client6};
	uint8_t a[STUN_MAX], b[STUN_MAX];
	struct wire_welcome w;
	struct stun_msg m;

	(void)state;
	for (int i = 0; i < 2; i++) {
		int len = rv_hello(&client, server.public, NULL, 0, a);

		len = serve(a, len, WIRE_OK, addrs[i], b);
		m = parsed(b, len);
		assert_int_equal(
		    wire_hello_finish(&client.noise, &m, &w, &client.session),
		    0);
		assert_int_equal(w.status, WIRE_OK);
		assert_int_equal(w.keepalive_s, 25);
		assert_true(addr_equal(&w.mapped, addrs[i]));
		assert_memory_equal(client.session.id, id, WIRE_ID_LEN);
		assert_memory_equal(
		    client.session.keys.send, at_server.keys.recv, 32);
	}
}

static void
hello_refused(void **state)
{
	static const int statuses[] = {WIRE_FORBIDDEN, WIRE_FULL};
	uint8_t a[STUN_MAX], b[STUN_MAX];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct session none = {0};
		int len = rv_hello(&client, server.public, NULL, 0, a);

		memset(&at_server, 0, sizeof(at_server));
		memset(&client.session, 0, sizeof(client.session));
		len = serve(a, len, statuses[i], &client4, b);
		assert_int_equal(
		    rv_finish(&client, b, (size_t)len), statuses[i]);
		/* nobody has a session */
		assert_memory_equal(&client.session, &none, sizeof(none));
		assert_memory_equal(&at_server, &none, sizeof(none));
	}
}

static void
answer_forged_then_right(void **state)
{
	uint8_t a[STUN_MAX], b[STUN_MAX], forged[STUN_MAX];
	struct noise before;
	struct stun_msg m;
	struct stun_attr noise;
	struct stun_buf buf;
	uint8_t value[256];
	int len = rv_hello(&client, server.public, NULL, 0, a);

	(void)state;
	len = serve(a, len, WIRE_OK, &client4, b);
	m = parsed(b, len);
	assert_int_equal(stun_find(&m, NATKIT_NOISE, &noise), 0);
	memcpy(value, noise.value, noise.len);
	value[noise.len - 1] ^= 0x80;
	stun_begin(&buf, forged, sizeof(forged), NATKIT_HELLO, STUN_SUCCESS,
	    client.tid);
	stun_put(&buf, NATKIT_NOISE, value, noise.len);
	before = client.noise;
	assert_int_equal(
	    rv_finish(&client, forged, (size_t)stun_end(&buf, true)), -EBADMSG);
	assert_memory_equal(&before, &client.noise, sizeof(before));
	/* the own request, reflected */
	assert_int_equal(rv_finish(&client, a, 160), -EBADMSG);
	/* and the right one still counts */
	assert_int_equal(rv_finish(&client, b, (size_t)len), WIRE_OK);
}

static void
challenge(void **state)
{
	static const uint8_t nonce[WIRE_NONCE_MAX] = "0123456789abcdef";
	uint8_t a[STUN_MAX], b[STUN_MAX], got[WIRE_NONCE_MAX];
	struct stun_msg m;
	struct stun_attr attr;
	size_t got_len;
	int len = rv_hello(&client, server.public, NULL, 0, a), answer;

	(void)state;
	m = parsed(a, len); /* a request is no challenge */
	assert_int_equal(wire_challenge_read(&m, got, &got_len), -EBADMSG);
	answer = wire_challenge(client.tid, nonce, sizeof(nonce), b, sizeof(b));
	assert_true(answer > 0 && answer <= len);
	m = parsed(b, answer);
	assert_int_equal(stun_get_error(&m), WIRE_STALE_NONCE);
	assert_int_equal(wire_challenge_read(&m, got, &got_len), 0);
	assert_int_equal(got_len, sizeof(nonce));
	assert_memory_equal(got, nonce, sizeof(nonce));
	/* it comes back in the request */
	len = rv_hello(&client, server.public, got, got_len, a);
	m = parsed(a, len);
	assert_int_equal(stun_find(&m, STUN_NONCE, &attr), 0);
	assert_memory_equal(attr.value, nonce, sizeof(nonce));
	serve(a, len, WIRE_OK, &client6, b);

	assert_int_equal(
	    wire_challenge(client.tid, nonce, 33, b, sizeof(b)), -EINVAL);
	assert_true(wire_challenge(client.tid, nonce, 32, b, 40) < 0);
}

static void
session_there_and_back(void **state)
{
	uint8_t a[STUN_MAX], b[STUN_MAX], plain[WIRE_PLAIN_MAX];
	struct stun_msg m;
	struct stun_attr attr;
	struct stun_buf list;
	uint8_t answer[64];
	int len, answer_len;

	(void)state;
	connected();
	len = rv_want(&client, server.public, 7, a);
	m = parsed(a, len);
	assert_memory_equal(wire_session_id(&m), id, WIRE_ID_LEN);
	assert_int_equal(wire_open(&at_server, &m, plain, sizeof(plain)), 44);
	assert_int_equal(rv_find(plain, 44, NATKIT_WANT, &attr), 0);
	assert_memory_equal(attr.value, server.public, KEY_LEN);

	/* a keepalive is not shorter than its answer, even over IPv6 */
	len = rv_request(&client, 0, NULL, 0, a);
	m = parsed(a, len);
	assert_int_equal(wire_open(&at_server, &m, plain, sizeof(plain)), 0);
	stun_begin_list(&list, answer, sizeof(answer));
	wire_put_addr(&list, NATKIT_MAPPED, &client6);
	answer_len = wire_seal(
	    &at_server, STUN_SUCCESS, m.tid, answer, list.len, b, sizeof(b));
	assert_true(answer_len > 0 && answer_len <= len);
	assert_int_equal(
	    rv_open(&client, &m, b, (size_t)answer_len, plain), 24);
}

static void
session_forged(void **state)
{
	uint8_t a[STUN_MAX], plain[WIRE_PLAIN_MAX], value[128];
	struct stun_attr sealed, sid;
	struct stun_msg m;
	struct stun_buf b;
	uint8_t bad[STUN_MAX];
	int len;

	(void)state;
	connected();
	len = rv_want(&client, server.public, 7, a);
	m = parsed(a, len);
	assert_int_equal(stun_find(&m, NATKIT_SEALED, &sealed), 0);
	assert_int_equal(stun_find(&m, NATKIT_SESSION_ID, &sid), 0);
	for (int i = 0; i < sealed.len + 16; i++) {
		uint8_t sid_bad[16];
		struct stun_msg forged;

		memcpy(value, sealed.value, sealed.len);
		memcpy(sid_bad, sid.value, 16);
		if (i < 16)
			sid_bad[i] ^= 1;
		else
			value[i - 16] ^= 1;
		stun_begin(&b, bad, sizeof(bad), NATKIT_SESSION, STUN_REQUEST,
		    client.tid);
		stun_put(&b, NATKIT_SESSION_ID, sid_bad, 16);
		stun_put(&b, NATKIT_SEALED, value, sealed.len);
		forged = parsed(bad, stun_end(&b, true));
		assert_int_equal(
		    wire_open(&at_server, &forged, plain, sizeof(plain)),
		    -EBADMSG);
	}
	/* none of them spoiled the window for the right one */
	assert_int_equal(wire_open(&at_server, &m, plain, sizeof(plain)), 44);
}

/* The class and the transaction id are not to be changed either. */
static void
session_header_is_bound(void **state)
{
	uint8_t a[STUN_MAX], bad[STUN_MAX], plain[WIRE_PLAIN_MAX];
	struct stun_attr sealed, sid;
	struct stun_msg m, forged;
	struct stun_buf b;
	uint8_t tid[STUN_TID_LEN];
	int len;

	(void)state;
	connected();
	len = rv_want(&client, server.public, 7, a);
	m = parsed(a, len);
	assert_int_equal(stun_find(&m, NATKIT_SEALED, &sealed), 0);
	assert_int_equal(stun_find(&m, NATKIT_SESSION_ID, &sid), 0);
	for (int class = 0; class < 4; class ++) {
		memcpy(tid, client.tid, sizeof(tid));
		if (class == STUN_REQUEST)
			tid[11] ^= 1;
		stun_begin(&b, bad, sizeof(bad), NATKIT_SESSION,
		    (enum stun_class) class, tid);
		stun_put(&b, NATKIT_SESSION_ID, sid.value, 16);
		stun_put(&b, NATKIT_SEALED, sealed.value, sealed.len);
		forged = parsed(bad, stun_end(&b, true));
		assert_int_equal(
		    wire_open(&at_server, &forged, plain, sizeof(plain)),
		    -EBADMSG);
	}
}

static void
session_replayed_and_reflected(void **state)
{
	uint8_t a[STUN_MAX], plain[WIRE_PLAIN_MAX];
	struct stun_msg m;
	int len;

	(void)state;
	connected();
	len = rv_request(&client, 0, NULL, 0, a);
	m = parsed(a, len);
	/* back to who sent it */
	assert_int_equal(
	    wire_open(&client.session, &m, plain, sizeof(plain)), -EBADMSG);
	assert_int_equal(wire_open(&at_server, &m, plain, sizeof(plain)), 0);
	assert_int_equal(
	    wire_open(&at_server, &m, plain, sizeof(plain)), -EALREADY);
}

static void
session_truncated(void **state)
{
	uint8_t a[STUN_MAX], plain[WIRE_PLAIN_MAX];
	struct stun_msg m;
	struct stun_buf b;

	(void)state;
	connected();
	/* no SEALED; a SEALED without room for its tag; a short SESSION_ID */
	for (size_t sealed = 0; sealed < NOISE_TAG_LEN; sealed++) {
		stun_begin(
		    &b, a, sizeof(a), NATKIT_SESSION, STUN_REQUEST, client.tid);
		stun_put(&b, NATKIT_SESSION_ID, "sessioni\0\0\0\0\0\0\0", 16);
		if (sealed > 0)
			stun_put_space(&b, NATKIT_SEALED, sealed);
		m = parsed(a, stun_end(&b, true));
		assert_int_equal(
		    wire_open(&at_server, &m, plain, sizeof(plain)), -EBADMSG);
	}
	stun_begin(&b, a, sizeof(a), NATKIT_SESSION, STUN_REQUEST, client.tid);
	stun_put(&b, NATKIT_SESSION_ID, "sessioni", 8);
	m = parsed(a, stun_end(&b, true));
	assert_null(wire_session_id(&m));
	/* a message without FINGERPRINT is not ours */
	stun_begin(&b, a, sizeof(a), NATKIT_SESSION, STUN_REQUEST, client.tid);
	stun_put(&b, NATKIT_SESSION_ID, "sessioni\0\0\0\0\0\0\0", 16);
	m = parsed(a, stun_end(&b, false));
	assert_null(wire_session_id(&m));
}

/* Authentic, but not an attribute list. */
static void
session_bad_list(void **state)
{
	static const uint8_t cut[] = {0x4e, 0x14, 0, 40, 1, 2, 3, 4};
	uint8_t a[STUN_MAX], plain[WIRE_PLAIN_MAX];
	struct stun_msg m;
	int len;

	(void)state;
	connected();
	len = wire_seal(&client.session, STUN_REQUEST, client.tid, cut,
	    sizeof(cut), a, sizeof(a));
	m = parsed(a, len);
	assert_int_equal(
	    wire_open(&at_server, &m, plain, sizeof(plain)), -EBADMSG);
}

static void
session_limits(void **state)
{
	uint8_t a[STUN_MAX], plain[WIRE_PLAIN_MAX + 1] = {0};
	struct stun_msg m;
	int len;

	(void)state;
	connected();
	assert_int_equal(wire_seal(&client.session, STUN_REQUEST, client.tid,
			     plain, WIRE_PLAIN_MAX + 1, a, sizeof(a)),
	    -ENOBUFS);
	assert_int_equal(wire_seal(&client.session, STUN_REQUEST, client.tid,
			     plain, 40, a, 80),
	    -ENOBUFS);
	/* the longest one fits, and into no smaller buffer */
	len = wire_seal(&client.session, STUN_REQUEST, client.tid, plain,
	    WIRE_PLAIN_MAX, a, sizeof(a));
	m = parsed(a, len);
	assert_int_equal(
	    wire_open(&at_server, &m, plain, WIRE_PLAIN_MAX - 1), -EBADMSG);
	/* 1100 zero bytes: 275 empty attributes of type 0 */
	assert_int_equal(
	    wire_open(&at_server, &m, plain, WIRE_PLAIN_MAX), WIRE_PLAIN_MAX);
	/* a counter is never used twice */
	client.session.counter = UINT64_MAX;
	assert_int_equal(wire_seal(&client.session, STUN_REQUEST, client.tid,
			     plain, 0, a, sizeof(a)),
	    -ENOBUFS);
}

static void
unknown_session(void **state)
{
	uint8_t a[STUN_MAX], b[STUN_MAX];
	struct stun_msg m;
	int len, answer;

	(void)state;
	connected();
	len = wire_seal(&client.session, STUN_INDICATION, client.tid, NULL, 0,
	    a, sizeof(a));
	m = parsed(a, len);
	answer = wire_unknown_session(&m, b, sizeof(b));
	assert_true(answer > 0 && answer <= len);
	m = parsed(b, answer);
	assert_int_equal(stun_get_error(&m), WIRE_UNKNOWN_SESSION);
	assert_memory_equal(m.tid, client.tid, STUN_TID_LEN);
	assert_true(m.fingerprint);
}

static void
addresses(void **state)
{
	static const uint8_t bad[][20] = {{4, 0, 1, 2}, {5, 0, 1, 2, 3, 4, 5},
	    {0, 0, 1, 2, 3, 4, 5, 6}, {6, 0, 1, 2, 3, 4, 5, 6}};
	static const uint16_t bad_len[] = {4, 8, 8, 8};
	struct stun_attr a = {.type = NATKIT_MAPPED};
	struct addr got;
	uint8_t nine[9] = {4};

	(void)state;
	for (int i = 0; i < 4; i++) {
		a.value = bad[i];
		a.len = bad_len[i];
		assert_int_equal(wire_get_addr(&a, &got), -EBADMSG);
	}
	a.value = nine;
	a.len = sizeof(nine);
	assert_int_equal(wire_get_addr(&a, &got), -EBADMSG);
	a.len = 0;
	assert_int_equal(wire_get_addr(&a, &got), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(hello_wrong_server, setup),
	    cmocka_unit_test_setup(hello_every_byte_counts, setup),
	    cmocka_unit_test_setup(hello_low_order_ephemeral, setup),
	    cmocka_unit_test_setup(hello_short_or_bare, setup),
	    cmocka_unit_test_setup(hello_and_back, setup),
	    cmocka_unit_test_setup(hello_refused, setup),
	    cmocka_unit_test_setup(answer_forged_then_right, setup),
	    cmocka_unit_test_setup(challenge, setup),
	    cmocka_unit_test_setup(session_there_and_back, setup),
	    cmocka_unit_test_setup(session_forged, setup),
	    cmocka_unit_test_setup(session_header_is_bound, setup),
	    cmocka_unit_test_setup(session_replayed_and_reflected, setup),
	    cmocka_unit_test_setup(session_truncated, setup),
	    cmocka_unit_test_setup(session_bad_list, setup),
	    cmocka_unit_test_setup(session_limits, setup),
	    cmocka_unit_test_setup(unknown_session, setup),
	    cmocka_unit_test(addresses),
	};

	return sodium_init() == -1 ? 1
				   : cmocka_run_group_tests(tests, NULL, NULL);
}

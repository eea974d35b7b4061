/* SPDX-License-Identifier: ISC */
/* What is said of a peer with two check lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "choice.h"

static struct choice c;
static struct report out[CHOICE_MAX];
static size_t n;

static struct report
report(enum path_state state, const char *endpoint, const char *reason)
{
	struct report r = {.state = state, .reason = reason};

	if (endpoint != NULL)
		assert_int_equal(addr_parse(&r.endpoint, endpoint), 0);
	return r;
}

static void
direct(enum path_state state, const char *reason)
{
	struct report r = report(state,
	    state == PATH_DIRECT || state == PATH_LOST ? "192.0.2.2:5" : NULL,
	    reason);

	n = choice_direct(&c, &r, out);
}

static void
relay(enum path_state state, const char *endpoint, const char *reason)
{
	struct report r = report(state, endpoint, reason);

	n = choice_relay(&c, &r, out);
}

static void
said(size_t i, enum path_state state, const char *reason)
{
	assert_true(i < n);
	assert_int_equal(out[i].state, state);
	if (reason == NULL)
		assert_null(out[i].reason);
	else
		assert_string_equal(out[i].reason, reason);
}

static int
begin(void **state)
{
	(void)state;
	choice_init(&c, false);
	return 0;
}

/* Each reason is told once, and none once there is something to tell. */
static void
waited_for(void **state)
{
	(void)state;
	n = choice_waiting(&c, NULL, out);
	assert_int_equal(n, 0);
	n = choice_waiting(&c, "no-server", out);
	said(0, PATH_WAITING, "no-server");
	n = choice_waiting(&c, "no-server", out);
	assert_int_equal(n, 0);
	n = choice_waiting(&c, NULL, out);
	said(0, PATH_WAITING, NULL);
	n = choice_waiting(&c, "absent", out);
	said(0, PATH_WAITING, "absent");
	direct(PATH_CHECKING, NULL);
	said(0, PATH_CHECKING, NULL);
	n = choice_waiting(&c, "no-server", out);
	assert_int_equal(n, 0);
}

/* Nothing that the relays' list does is worth a word while direct stands. */
static void
relay_is_no_news(void **state)
{
	(void)state;
	relay(PATH_CHECKING, NULL, NULL);
	assert_int_equal(n, 0);
	direct(PATH_CHECKING, NULL);
	assert_int_equal(n, 1);
	direct(PATH_DIRECT, NULL);
	said(0, PATH_DIRECT, NULL);
	relay(PATH_DIRECT, "203.0.113.9:1", NULL);
	assert_int_equal(n, 0);
	relay(PATH_LOST, "203.0.113.9:1", "no-answer");
	assert_int_equal(n, 0);
	relay(PATH_FAILED, NULL, "no-answer");
	assert_int_equal(n, 0);
}

static void
without_a_relay(void **state)
{
	(void)state;
	direct(PATH_CHECKING, NULL);
	said(0, PATH_CHECKING, NULL);
	direct(PATH_FAILED, "no-answer");
	said(0, PATH_FAILED, "no-answer");
	direct(PATH_CHECKING, NULL);
	said(0, PATH_CHECKING, NULL);
	direct(PATH_DIRECT, NULL);
	said(0, PATH_DIRECT, NULL);
	direct(PATH_LOST, "no-answer");
	assert_int_equal(n, 1);
	said(0, PATH_LOST, "no-answer");
	assert_int_equal(out[0].endpoint.port, 5);
	direct(PATH_CHECKING, NULL);
	said(0, PATH_CHECKING, NULL);
}

/* What sleeps can't carry anybody when direct is lost. */
static void
asleep_is_not_there(void **state)
{
	(void)state;
	direct(PATH_CHECKING, NULL);
	relay(PATH_DIRECT, "203.0.113.9:1", NULL);
	direct(PATH_DIRECT, NULL);
	choice_asleep(&c);
	direct(PATH_LOST, "no-answer");
	said(0, PATH_LOST, "no-answer");
	assert_int_equal(n, 1);
}

static void
why_not_direct(void **state)
{
	(void)state;
	direct(PATH_CHECKING, NULL);
	relay(PATH_DIRECT, "203.0.113.9:1", NULL);
	said(0, PATH_RELAYED, "checking");
	assert_int_equal(out[0].method, CANDIDATE_RELAY);
	assert_int_equal(out[0].endpoint.port, 1);
	direct(PATH_FAILED, "no-answer");
	said(0, PATH_RELAYED, "no-answer");
	/* One try after the other says nothing new. */
	for (int i = 0; i < 3; i++) {
		direct(PATH_CHECKING, NULL);
		assert_int_equal(n, 0);
		direct(PATH_FAILED, "no-answer");
		assert_int_equal(n, 0);
	}
	assert_int_equal(choice_anew(&c, out), 0);
	direct(PATH_CHECKING, NULL);
	said(0, PATH_RELAYED, "checking");
	direct(PATH_FAILED, "gone");
	said(0, PATH_RELAYED, "gone");
	direct(PATH_DIRECT, NULL);
	assert_int_equal(n, 1);
	said(0, PATH_DIRECT, NULL);
	direct(PATH_LOST, "no-answer");
	assert_int_equal(n, 1); /* nothing is lost */
	said(0, PATH_RELAYED, "lost");
}

static void
relay_lost(void **state)
{
	(void)state;
	direct(PATH_CHECKING, NULL);
	relay(PATH_DIRECT, "203.0.113.9:1", NULL);
	relay(PATH_LOST, "203.0.113.9:1", "no-answer");
	assert_int_equal(n, 2);
	said(0, PATH_LOST, "no-answer");
	assert_int_equal(out[0].endpoint.port, 1);
	said(1, PATH_CHECKING, NULL);
	relay(PATH_CHECKING, NULL, NULL);
	assert_int_equal(n, 0);
	/* The other relay. */
	relay(PATH_DIRECT, "203.0.113.9:2", NULL);
	said(0, PATH_RELAYED, "checking");
	assert_int_equal(out[0].endpoint.port, 2);
	direct(PATH_FAILED, "no-answer");
	relay(PATH_LOST, "203.0.113.9:2", "gone");
	said(0, PATH_LOST, "gone");
	said(1, PATH_CHECKING, NULL);
	relay(PATH_FAILED, NULL, "no-relay");
	assert_int_equal(n, 1);
	said(0, PATH_FAILED, "no-answer");
	relay(PATH_CHECKING, NULL, NULL);
	assert_int_equal(n, 0);
}

static void
failed_when_both_are(void **state)
{
	(void)state;
	direct(PATH_CHECKING, NULL);
	relay(PATH_CHECKING, NULL, NULL);
	direct(PATH_FAILED, "no-answer");
	assert_int_equal(n, 0);
	relay(PATH_FAILED, NULL, "no-answer");
	said(0, PATH_FAILED, "no-answer");
}

static void
failed_when_none_is_expected(void **state)
{
	(void)state;
	assert_int_equal(choice_expect(&c, true, out), 0);
	direct(PATH_CHECKING, NULL);
	direct(PATH_FAILED, "no-candidates");
	assert_int_equal(n, 0);
	n = choice_expect(&c, false, out);
	said(0, PATH_FAILED, "no-candidates");
	assert_int_equal(n, 1);
	n = choice_expect(&c, true, out);
	assert_int_equal(n, 0);
}

static void
relay_only(void **state)
{
	(void)state;
	choice_init(&c, true);
	n = choice_anew(&c, out);
	said(0, PATH_CHECKING, NULL); /* the peer is there, a relay not yet */
	assert_int_equal(out[0].method, CANDIDATE_RELAY);
	relay(PATH_CHECKING, NULL, NULL);
	assert_int_equal(n, 0);
	relay(PATH_DIRECT, "203.0.113.9:1", NULL);
	said(0, PATH_RELAYED, "relay-only");
	relay(PATH_LOST, "203.0.113.9:1", "no-answer");
	assert_int_equal(n, 1);
	said(0, PATH_LOST, "no-answer");
	relay(PATH_FAILED, NULL, "no-relay");
	said(0, PATH_FAILED, "no-relay");
	assert_int_equal(out[0].method, CANDIDATE_RELAY);
	relay(PATH_CHECKING, NULL, NULL);
	assert_int_equal(n, 0);
	relay(PATH_FAILED, NULL, "no-answer");
	said(0, PATH_FAILED, "no-answer");
	relay(PATH_CHECKING, NULL, NULL);
	relay(PATH_DIRECT, "203.0.113.9:1", NULL);
	said(0, PATH_RELAYED, "relay-only");
}

/* Its own word, not a guess at NATs; and only for as long as it says so. */
static void
peer_takes_relays_only(void **state)
{
	(void)state;
	direct(PATH_CHECKING, NULL);
	relay(PATH_DIRECT, "203.0.113.9:1", NULL);
	n = choice_peer_only(&c, true, out);
	said(0, PATH_RELAYED, "peer-relay-only");
	direct(PATH_FAILED, "no-answer");
	assert_int_equal(n, 0);
	assert_int_equal(choice_peer_only(&c, true, out), 0);
	n = choice_peer_only(&c, false, out);
	said(0, PATH_RELAYED, "no-answer");
}

/* A relayed path that ends when the peer has left is not tried again. */
static void
peer_has_left(void **state)
{
	(void)state;
	direct(PATH_CHECKING, NULL);
	relay(PATH_DIRECT, "203.0.113.9:1", NULL);
	direct(PATH_FAILED, "no-answer");
	choice_gone(&c);
	direct(PATH_FAILED, "no-answer");
	assert_int_equal(n, 0); /* the path still stands */
	relay(PATH_LOST, "203.0.113.9:1", "no-answer");
	assert_int_equal(n, 2);
	said(0, PATH_LOST, "no-answer");
	said(1, PATH_FAILED, "gone");
	relay(PATH_CHECKING, NULL, NULL);
	assert_int_equal(n, 0);
	/* it was only the server that did not see it */
	relay(PATH_DIRECT, "203.0.113.9:1", NULL);
	said(0, PATH_RELAYED, "no-answer");
	relay(PATH_LOST, "203.0.113.9:1", "no-answer");
	said(1, PATH_FAILED, "gone");
	choice_anew(&c, out);
	direct(PATH_CHECKING, NULL);
	said(0, PATH_CHECKING, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(waited_for, begin),
	    cmocka_unit_test_setup(relay_is_no_news, begin),
	    cmocka_unit_test_setup(without_a_relay, begin),
	    cmocka_unit_test_setup(asleep_is_not_there, begin),
	    cmocka_unit_test_setup(why_not_direct, begin),
	    cmocka_unit_test_setup(relay_lost, begin),
	    cmocka_unit_test_setup(failed_when_both_are, begin),
	    cmocka_unit_test_setup(failed_when_none_is_expected, begin),
	    cmocka_unit_test_setup(relay_only, begin),
	    cmocka_unit_test_setup(peer_takes_relays_only, begin),
	    cmocka_unit_test_setup(peer_has_left, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* Records in, the right peer found, the verdict at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "peers.h"

#define SECOND 1000000ull
#define CREDENTIALS                                                            \
	"user=userAAAA password=aaaaaaaaaaaaaaaaaaaaaaaa "                     \
	"peer_user=userBBBB peer_password=bbbbbbbbbbbbbbbbbbbbbbbb"

static struct peers *p;
static struct peer *peer;
static const char *wrong;
static char key[KEY_STRLEN];

static int
set_up(void **state)
{
	(void)state;
	p = peers_new(false);
	return p == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	peers_free(p);
	return 0;
}

static void
use_key(uint8_t n)
{
	uint8_t k[KEY_LEN] = {9, n};

	key_format(k, key);
}

/* A %s in the line stands for the key. */
static int
feed(const char *text)
{
	const char *mark = strstr(text, "%s");
	size_t head = mark == NULL ? strlen(text) : (size_t)(mark - text);
	char line[512];

	snprintf(line, sizeof(line), "%.*s%s%s", (int)head, text,
	    mark == NULL ? "" : key, mark == NULL ? "" : mark + 2);
	return peers_line(p, line, strlen(line), SECOND, &peer, &wrong);
}

/* From this line on, the peer is known. */
#define KNOWN 17

static void
bad_lines(void **state)
{
	static const char *const lines[] = {
	    "gone key=%s reason=bye",
	    "gone reason=bye",
	    "",
	    " ",
	    "=",
	    "peer",
	    "peer key=%s",
	    "peer state=waiting",
	    "peer key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
	    "state=waiting",
	    "peer key=short state=waiting",
	    "remote key=%s generation=1 type=host priority=1",
	    "remote key=%s generation=1 type=host endpoint=1.2.3.4 priority=1",
	    "remote key=%s generation=-1 type=host endpoint=1.2.3.4:5 "
	    "priority=1",
	    "remote key=%s generation=4294967296 type=host "
	    "endpoint=1.2.3.4:5 priority=1",
	    "remote key=%s generation=1 type=host endpoint=1.2.3.4:5",
	    "peer key=%s state=introduced generation=1 count=0 "
	    "role=boss " CREDENTIALS,
	    "peer key=%s state=introduced generation=1 count=0 "
	    "role=controlling user=userAAAA",
	    "peer key=%s state=introduced generation=1 count=1 "
	    "role=controlling " CREDENTIALS,
	    "peer key=%s state=introduced count=0 "
	    "role=controlling " CREDENTIALS,
	    "go key=%s generation=1 age_ms=0 skew_ms=0",
	    "go key=%s generation=1 skew_ms=0",
	    "candidate type=relay state=bound endpoint=192.0.2.1:5 priority=1",
	    "candidate type=relay state=binding",
	    "candidate type=relay endpoint=192.0.2.1 priority=1 key=%s "
	    "state=bound",
	    "candidate type=relay endpoint=192.0.2.1:5 key=%s state=bound",
	    "candidate type=relay priority=1 key=%s state=bound",
	    "candidate type=relay endpoint=224.0.0.1:5 priority=1 key=%s "
	    "state=bound",
	    "candidate type=relay endpoint=[ priority=1 key=%s state=gone",
	    "candidate type=relay endpoint=192.0.2.1:5 priority=1 key=%s "
	    "state=bound mapped=192.0.2.9",
	};

	(void)state;
	use_key(1);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		wrong = NULL;
		assert_true(feed(lines[i]) < 0);
		assert_non_null(wrong);
		assert_int_equal(peers_verdict_late(p, SECOND),
		    i < KNOWN ? VERDICT_NOBODY : VERDICT_LATE);
		if (i + 1 == KNOWN)
			assert_int_equal(feed("peer key=%s state=waiting"), 0);
	}
	assert_int_equal(p->n, 1);
	assert_int_equal(peer == NULL || peer == &p->peer[0], 1);
}

static void
unknown_is_skipped(void **state)
{
	(void)state;
	use_key(1);
	assert_int_equal(feed("session server=%s state=up"), 0);
	assert_int_equal(feed("peer key=%s state=dancing"), 0);
	assert_int_equal(feed("candidate type=host endpoint=1.2.3.4:5"), 0);
	assert_int_equal(feed("candidate type=relay key=%s state=odd"), 0);
	assert_int_equal(feed("candidate type=relay key=%s state=gone"), 0);
	assert_int_equal(feed("candidate type=relay endpoint=192.0.2.1:5 "
			      "key=%s state=gone reason=bye"),
	    0);
	assert_int_equal(p->n, 0);
	assert_int_equal(feed("peer key=%s state=waiting colour=red"), 0);
	assert_int_equal(p->n, 1);
}

/* Why a peer is waited for: only in words that we know. */
static void
waiting_reason(void **state)
{
	static const char *const lines[] = {
	    "peer key=%s state=waiting reason=no-server",
	    "peer key=%s state=waiting reason=wrong-key",
	    "peer key=%s state=waiting reason=refused",
	    "peer key=%s state=waiting reason=full",
	    "peer key=%s state=waiting reason=absent",
	    "peer key=%s state=waiting reason=direct",
	};
	static const char *const said[] = {
	    "no-server", "wrong-key", "refused", "full", "absent", NULL};
	struct output o;

	(void)state;
	use_key(1);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(feed(lines[i]), 0);
		assert_true(peer_take(peer, &o));
		assert_true(o.is_report);
		assert_int_equal(o.report.state, PATH_WAITING);
		if (said[i] == NULL)
			assert_null(o.report.reason);
		else
			assert_string_equal(o.report.reason, said[i]);
		assert_int_equal(feed(lines[i]), 0);
		assert_false(peer_take(peer, &o));
	}
}

static void
too_many_peers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		use_key((uint8_t)i);
		assert_int_equal(feed("peer key=%s state=waiting"), 0);
	}
	use_key(PEERS_MAX);
	assert_int_equal(feed("peer key=%s state=waiting"), -ENOSPC);
	use_key(3);
	assert_int_equal(feed("peer key=%s state=waiting"), 0);
	assert_ptr_equal(peer, &p->peer[3]);
}

static void
introduction(void **state)
{
	(void)state;
	use_key(1);
	assert_int_equal(feed("remote key=%s generation=4 type=srflx "
			      "endpoint=192.0.2.1:5 priority=7"),
	    0);
	assert_int_equal(feed("remote key=%s generation=4 type=host "
			      "endpoint=[2001:db8::1]:5 priority=8"),
	    0);
	assert_int_equal(peers_verdict(p, true, SECOND), VERDICT_NOBODY);
	assert_int_equal(feed("peer key=%s state=introduced generation=4 "
			      "count=2 role=controlled " CREDENTIALS),
	    0);
	assert_int_equal(peer->list.n_remotes, 2);
	assert_int_equal(peer->list.state, PATH_CHECKING);
	assert_false(peer->list.controlling);
	assert_string_equal(peer->list.credentials.peer_user, "userBBBB");
	assert_int_equal(feed("go key=%s generation=4 age_ms=3 skew_ms=9"), 0);
	assert_int_equal(peers_verdict(p, true, SECOND), VERDICT_OPEN);
	assert_int_equal(peers_verdict_late(p, SECOND), VERDICT_LATE);
}

static void
verdicts(void **state)
{
	(void)state;
	assert_int_equal(peers_verdict(p, false, SECOND), VERDICT_NOBODY);
	use_key(1);
	assert_int_equal(feed("peer key=%s state=waiting"), 0);
	assert_int_equal(peers_verdict(p, false, SECOND), VERDICT_OPEN);
	/* Nothing will introduce it any more. */
	assert_int_equal(peers_verdict(p, true, SECOND), VERDICT_LATE);
	use_key(2);
	assert_int_equal(feed("peer key=%s state=waiting"), 0);
	assert_int_equal(feed("gone key=%s reason=bye"), 0);
	assert_int_equal(peers_verdict(p, false, SECOND), VERDICT_OPEN);
	assert_int_equal(peers_verdict(p, true, SECOND), VERDICT_NO);
	assert_int_equal(peers_verdict_late(p, SECOND), VERDICT_NO);
}

/* Bindings are facts of this host, known before the peer is. */
static void
relays(void **state)
{
	(void)state;
	use_key(1);
	assert_int_equal(feed("candidate type=relay key=%s state=binding"), 0);
	assert_int_equal(feed("candidate type=relay endpoint=127.0.0.1:7 "
			      "priority=1 server=192.0.2.1:3478 key=%s "
			      "state=bound"),
	    0);
	assert_int_equal(peers_verdict(p, true, SECOND), VERDICT_NOBODY);
	assert_int_equal(peer->relay.n_remotes, 1);
	assert_int_equal(feed("peer key=%s state=introduced generation=1 "
			      "count=0 role=controlled " CREDENTIALS),
	    0);
	/* No candidate but a relay: that isn't over yet. */
	assert_int_equal(peer->list.state, PATH_FAILED);
	assert_int_equal(peers_verdict(p, true, SECOND), VERDICT_OPEN);
	assert_int_equal(feed("candidate type=relay endpoint=127.0.0.1:7 "
			      "key=%s state=gone reason=no-answer"),
	    0);
	assert_int_equal(peer->relay.n_remotes, 0);
	assert_int_equal(
	    peers_verdict(p, true, SECOND + PEER_EXPECT_US), VERDICT_NO);
	/* And only relays when so told. */
	p->relay_only = true;
	use_key(2);
	assert_int_equal(feed("remote key=%s generation=1 type=host "
			      "endpoint=192.0.2.1:5 priority=7"),
	    0);
	assert_int_equal(feed("peer key=%s state=introduced generation=1 "
			      "count=1 role=controlled " CREDENTIALS),
	    0);
	assert_int_equal(feed("go key=%s generation=1 age_ms=0 skew_ms=0"), 0);
	assert_false(peer->list.introduced);
	assert_int_equal(feed("gone key=%s reason=bye"), 0);
}

static void
strangers_packets(void **state)
{
	const struct check check = {.priority = 1};
	const struct check_credentials stranger = {"userZZZZ",
	    "zzzzzzzzzzzzzzzzzzzzzzzz", "userAAAA", "aaaaaaaaaaaaaaaaaaaaaaaa"};
	const struct check_credentials forger = {"userBBBB",
	    "bbbbbbbbbbbbbbbbbbbbbbbb", "userAAAA", "zzzzzzzzzzzzzzzzzzzzzzzz"};
	uint8_t data[CHECK_MAX], tid[STUN_TID_LEN] = {1};
	struct addr from, local = {.family = ADDR_NONE};
	int len;

	introduction(state);
	assert_int_equal(addr_parse(&from, "192.0.2.1:5"), 0);
	assert_null(peers_receive(
	    p, (const uint8_t *)"junk", 4, &from, &local, SECOND));
	len = check_request(&stranger, &check, 1, tid, data, sizeof(data));
	assert_null(peers_receive(p, data, (size_t)len, &from, &local, SECOND));
	assert_int_equal(p->foreign, 2);
	assert_int_equal(p->forged, 0);
	len = check_request(&forger, &check, 1, tid, data, sizeof(data));
	assert_null(peers_receive(p, data, (size_t)len, &from, &local, SECOND));
	assert_int_equal(p->forged, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(bad_lines, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		unknown_is_skipped, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(waiting_reason, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(too_many_peers, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(introduction, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(relays, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(verdicts, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		strangers_packets, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

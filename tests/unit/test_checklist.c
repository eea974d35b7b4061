/* SPDX-License-Identifier: ISC */
/* One check list, with the test as its peer: nomination, forgeries, reasons,
 * rates. Two of them against NATs are in test_path.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "addr_fixture.h"
#include "checklist.h"
#include "port.h"

#define MS 1000ull
#define SECOND 1000000ull
#define SENT 1024

static const struct check_credentials us = {"userAAAA",
    "aaaaaaaaaaaaaaaaaaaaaaaa", "userBBBB", "bbbbbbbbbbbbbbbbbbbbbbbb"};
static const struct check_credentials them = {"userBBBB",
    "bbbbbbbbbbbbbbbbbbbbbbbb", "userAAAA", "aaaaaaaaaaaaaaaaaaaaaaaa"};

static struct checklist x;
static uint64_t now, next;
static struct output sent[SENT];
static uint64_t sent_at[SENT];
static unsigned n_sent, n_reports;
static struct report last;
static struct addr local;
static bool yes = true, no = false;

static void
drain(void)
{
	struct output o;

	while (outputs_take(&x.out, &o)) {
		if (o.is_report) {
			last = o.report;
			n_reports++;
			continue;
		}
		assert_true(n_sent < SENT);
		sent[n_sent] = o;
		sent_at[n_sent++] = now;
	}
	assert_int_equal(x.out.lost, 0);
}

static void
step(void)
{
	next = checklist_step(&x, now);
	drain();
}

static void
run_until(uint64_t end)
{
	while (next <= end) {
		now = next > now ? next : now;
		step();
	}
	now = end;
}

static void
start(bool again)
{
	checklist_init(&x, again, 3);
	now = SECOND;
	next = UINT64_MAX;
	n_sent = n_reports = 0;
	memset(&last, 0, sizeof(last));
	local = at("10.0.0.1:51820");
}

static void
remote(enum candidate_type type, const char *text, uint32_t priority)
{
	const struct remote r = {type, at(text), priority};

	assert_int_equal(checklist_remote(&x, 1, &r), 0);
}

static int
introduce(uint64_t count, bool controlling)
{
	const struct introduction i = {.generation = 1,
	    .count = count,
	    .controlling = controlling,
	    .credentials = us};
	int rc = checklist_introduce(&x, &i, now);

	drain();
	step();
	return rc;
}

static void
two_candidates(bool controlling)
{
	start(false);
	remote(CANDIDATE_HOST, "10.0.0.2:1000", 200);
	remote(CANDIDATE_SRFLX, "192.0.2.2:1000", 100);
	assert_int_equal(introduce(2, controlling), 0);
	assert_int_equal(checklist_go(&x, 1, 0, 0, now), 0);
	step();
}

/* The latest check that went to an address; NULL when none did. */
static struct output *
check_to(const char *text, bool nominating)
{
	struct addr a = at(text);
	struct stun_attr attr;
	struct stun_msg m;

	for (unsigned i = n_sent; i-- > 0;) {
		assert_int_equal(stun_parse(&m, sent[i].data, sent[i].len), 0);
		if (m.class == STUN_REQUEST &&
		    addr_equal(&sent[i].remote, &a) &&
		    (!nominating ||
			stun_find(&m, STUN_USE_CANDIDATE, &attr) == 0))
			return &sent[i];
	}
	return NULL;
}

/* The peer answers the latest check to an address, from from. */
static int
answer_from(const char *to, const char *from, const struct check_credentials *c)
{
	struct output *o = check_to(to, false);
	uint8_t data[CHECK_MAX];
	struct addr a = at(from);
	struct stun_msg m;
	int len, rc;

	assert_non_null(o);
	assert_int_equal(stun_parse(&m, o->data, o->len), 0);
	len = check_response(c, &local, m.tid, data, sizeof(data));
	assert_int_equal(stun_parse(&m, data, (size_t)len), 0);
	rc = checklist_receive(&x, &m, &a, &local, now);
	drain();
	step();
	return rc;
}

static int
answer(const char *to)
{
	return answer_from(to, to, &them);
}

static int
check_from(const char *from, bool nominate, const struct check_credentials *c)
{
	const struct check check = {.priority = 55,
	    .nominate = nominate,
	    .controlling = !x.controlling};
	uint8_t data[CHECK_MAX], tid[STUN_TID_LEN];
	struct addr a = at(from);
	struct stun_msg m;
	int len, rc;

	stun_new_tid(tid);
	len = check_request(c, &check, 9, tid, data, sizeof(data));
	assert_int_equal(stun_parse(&m, data, (size_t)len), 0);
	rc = checklist_receive(&x, &m, &a, &local, now);
	drain();
	step();
	return rc;
}

static void
forged_check(void **state)
{
	struct check_credentials forger = them;
	unsigned before;

	(void)state;
	two_candidates(true);
	forger.peer_password[0] = 'x';
	before = n_sent;
	next = UINT64_MAX; /* the clock stands still */
	assert_int_equal(check_from("203.0.113.66:9", true, &forger), -EACCES);
	forger = them;
	forger.user[0] = 'x';
	assert_int_equal(check_from("203.0.113.66:9", true, &forger), -ENOENT);
	assert_int_equal(check_from("203.0.113.66:9", true, &us), -ENOENT);
	assert_int_equal(x.candidates.n, 2);
	for (unsigned i = before; i < n_sent; i++)
		assert_int_not_equal(sent[i].remote.ip[0], 203);
	run_until(now + SECOND);
	assert_null(check_to("203.0.113.66:9", false));
}

static void
forged_answer(void **state)
{
	struct check_credentials forger = them;

	(void)state;
	two_candidates(true);
	run_until(now + 200 * MS);
	forger.password[0] = 'x';
	assert_int_equal(
	    answer_from("192.0.2.2:1000", "192.0.2.2:1000", &forger), -EACCES);
	/* Right, but from elsewhere than the check went to. */
	assert_int_equal(
	    answer_from("192.0.2.2:1000", "192.0.2.3:1000", &them), -ENOENT);
	assert_int_equal(
	    answer_from("192.0.2.2:1000", "10.0.0.2:1000", &them), -ENOENT);
	assert_int_equal(x.first_us, 0);
	/* The forgeries did not use the real one up. */
	assert_int_equal(answer("192.0.2.2:1000"), 0);
	assert_int_equal(answer("192.0.2.2:1000"), -ENOENT);
}

static void
before_introduction(void **state)
{
	(void)state;
	start(false);
	assert_int_equal(check_from("192.0.2.2:1000", true, &them), -ENOENT);
	assert_int_equal(n_sent, 0);
	assert_int_equal(checklist_go(&x, 1, 0, 0, now), -ENOENT);
	assert_int_equal(x.state, PATH_WAITING);
}

static void
host_before_srflx(void **state)
{
	(void)state;
	two_candidates(true);
	run_until(now + 300 * MS);
	check_from("192.0.2.2:1000", false, &them);
	check_from("10.0.0.2:1000", false, &them);
	assert_int_equal(answer("192.0.2.2:1000"), 0);
	run_until(now + 100 * MS); /* within the grace */
	assert_null(check_to("192.0.2.2:1000", true));
	assert_int_equal(answer("10.0.0.2:1000"), 0);
	run_until(now + 10 * MS);
	assert_non_null(check_to("10.0.0.2:1000", true));
	assert_int_not_equal(x.state, PATH_DIRECT);
	assert_int_equal(answer("10.0.0.2:1000"), 0);
	assert_int_equal(x.state, PATH_DIRECT);
	assert_int_equal(last.method, CANDIDATE_HOST);
	assert_int_equal(last.endpoint.ip[0], 10);
	assert_true(addr_equal(&last.local, &local));
}

static void
srflx_after_grace(void **state)
{
	(void)state;
	two_candidates(true);
	run_until(now + 300 * MS);
	check_from("192.0.2.2:1000", false, &them);
	assert_int_equal(answer("192.0.2.2:1000"), 0);
	run_until(now + 200 * MS);
	assert_non_null(check_to("192.0.2.2:1000", true));
	assert_int_equal(answer("192.0.2.2:1000"), 0);
	assert_int_equal(x.state, PATH_DIRECT);
	assert_int_equal(last.method, CANDIDATE_SRFLX);
}

/* The controlling side wants to have heard the peer, too. */
static void
not_heard(void **state)
{
	(void)state;
	two_candidates(true);
	run_until(now + 300 * MS);
	answer("192.0.2.2:1000");
	run_until(now + 300 * MS);
	answer("192.0.2.2:1000");
	run_until(now + 300 * MS);
	assert_int_equal(x.state, PATH_CHECKING);
	check_from("192.0.2.2:1000", false, &them);
	assert_int_equal(x.state, PATH_DIRECT);
}

/* The controlled side wants its own check answered. */
static void
nominated_unanswered(void **state)
{
	(void)state;
	two_candidates(false);
	run_until(now + 300 * MS);
	check_from("192.0.2.2:1000", true, &them);
	assert_int_equal(x.state, PATH_CHECKING);
	run_until(now + 10 * MS);
	assert_int_equal(answer("192.0.2.2:1000"), 0);
	assert_int_equal(x.state, PATH_DIRECT);
	/* Only the controlling side nominates. */
	for (unsigned i = 0; i < n_sent; i++) {
		struct stun_attr a;
		struct stun_msg m;

		assert_int_equal(stun_parse(&m, sent[i].data, sent[i].len), 0);
		assert_int_not_equal(stun_find(&m, STUN_USE_CANDIDATE, &a), 0);
	}
}

/* The peer can't nominate when we control. */
/* A peer that names our own credentials as its own, and our own address as its
 * candidate: what we send comes back to us, and must not prove a path. */
static void
mirror(void **state)
{
	const struct introduction i = {.generation = 1,
	    .count = 1,
	    .controlling = *(bool *)*state,
	    .credentials = {"userAAAA", "aaaaaaaaaaaaaaaaaaaaaaaa", "userAAAA",
		"aaaaaaaaaaaaaaaaaaaaaaaa"}};
	struct addr self = at("127.0.0.1:51820");
	unsigned seen = 0;

	start(false);
	remote(CANDIDATE_HOST, "127.0.0.1:51820", 200);
	assert_int_equal(checklist_introduce(&x, &i, now), 0);
	drain();
	step();
	for (uint64_t end = now + 20 * SECOND; now < end;) {
		for (; seen < n_sent; seen++) {
			struct stun_msg m;

			assert_int_equal(
			    stun_parse(&m, sent[seen].data, sent[seen].len), 0);
			checklist_receive(&x, &m, &self, &self, now);
			drain();
		}
		run_until(now + 50 * MS);
	}
	assert_int_equal(x.state, PATH_FAILED);
}

static void
usurper(void **state)
{
	(void)state;
	two_candidates(true);
	run_until(now + 300 * MS);
	answer("192.0.2.2:1000");
	check_from("192.0.2.2:1000", true, &them);
	assert_int_equal(x.state, PATH_CHECKING);
}

static void
low_ttl_until_go(void **state)
{
	uint64_t went;

	(void)state;
	start(false);
	remote(CANDIDATE_SRFLX, "192.0.2.2:1000", 100);
	introduce(1, true);
	run_until(now + 2900 * MS);
	assert_true(n_sent >= 25);
	for (unsigned i = 0; i < n_sent; i++)
		assert_int_equal(sent[i].ttl, PORT_LOW_TTL);
	assert_int_equal(checklist_go(&x, 2, 0, 0, now), -ENOENT);
	assert_int_equal(checklist_go(&x, 1, 0, 0, now), 0);
	n_sent = 0;
	went = now;
	step();
	run_until(now + 150 * MS);
	assert_int_equal(sent[0].ttl, 2);
	assert_int_equal(sent[1].ttl, 3);
	assert_int_equal(sent[2].ttl, 4);
	assert_int_equal(sent[3].ttl, 0);
	assert_true(sent_at[3] - went >= 100 * MS);
}

/* Two NATs are ours, as the hops tell: both are opened before go, and TTL 4,
 * which may be one too far, is not used. */
static void
low_ttl_of_known_depth(void **state)
{
	(void)state;
	for (unsigned depth = 1; depth <= 3; depth++) {
		bool full = false;

		start(false);
		remote(CANDIDATE_SRFLX, "192.0.2.2:1000", 100);
		x.depth = depth;
		introduce(1, true);
		run_until(now + 500 * MS);
		assert_int_equal(checklist_go(&x, 1, 0, 0, now), 0);
		run_until(now + 500 * MS);
		for (unsigned i = 0; i < n_sent; i++) {
			full |= sent[i].ttl == 0;
			assert_int_equal(sent[i].ttl, full ? 0 : depth + 1);
		}
		assert_true(full);
	}
}

static void
go_that_waits_for_skew(void **state)
{
	uint64_t went;

	(void)state;
	for (int age = 0; age < 300; age += 100) {
		start(false);
		remote(CANDIDATE_SRFLX, "192.0.2.2:1000", 100);
		introduce(1, true);
		run_until(now + 50 * MS);
		went = now;
		checklist_go(&x, 1, (uint64_t)age, 200, now);
		n_sent = 0;
		step();
		run_until(now + 600 * MS);
		for (unsigned i = 0; i < n_sent; i++)
			assert_int_equal(sent[i].ttl == 0,
			    sent_at[i] >= went + (400 - (uint64_t)age) * MS);
	}
}

static void
fails_in_time(void **state)
{
	(void)state;
	two_candidates(true);
	run_until(now + 11 * SECOND);
	assert_int_equal(last.state, PATH_FAILED);
	assert_string_equal(last.reason, "no-answer");
	assert_true(checklist_settled(&x, now));
	assert_int_equal(next, UINT64_MAX);
}

static void
silence_before_retry(void **state)
{
	uint64_t failed;

	(void)state;
	two_candidates(true);
	x.again = true;
	run_until(now + 11 * SECOND);
	assert_int_equal(last.state, PATH_FAILED);
	failed = now;
	n_sent = 0;
	run_until(failed + 38 * SECOND);
	assert_int_equal(n_sent, 0);
	run_until(failed + 41 * SECOND);
	assert_true(n_sent > 0);
	assert_int_equal(sent[0].ttl, PORT_LOW_TTL);
	assert_int_equal(last.state, PATH_CHECKING);
}

static void
revived_by_a_check(void **state)
{
	(void)state;
	two_candidates(false);
	run_until(now + 11 * SECOND);
	assert_int_equal(last.state, PATH_FAILED);
	n_sent = 0;
	assert_int_equal(check_from("192.0.2.2:1000", true, &them), 0);
	run_until(now + 10 * MS);
	assert_int_equal(last.state, PATH_CHECKING);
	assert_int_equal(answer("192.0.2.2:1000"), 0);
	assert_int_equal(x.state, PATH_DIRECT);
}

static void
gone(void **state)
{
	(void)state;
	two_candidates(true);
	checklist_gone(&x, now);
	drain();
	step();
	assert_int_equal(last.state, PATH_FAILED);
	assert_string_equal(last.reason, "gone");
	n_sent = 0;
	assert_int_equal(check_from("192.0.2.2:1000", false, &them), 0);
	run_until(now + 100 * SECOND);
	assert_int_equal(n_sent, 0);
}

static void
gone_while_direct(void **state)
{
	(void)state;
	two_candidates(false);
	run_until(now + 300 * MS);
	answer("192.0.2.2:1000");
	check_from("192.0.2.2:1000", true, &them);
	assert_int_equal(x.state, PATH_DIRECT);
	checklist_gone(&x, now);
	drain();
	assert_int_equal(x.state, PATH_DIRECT);
	n_reports = 0;
	run_until(now + 20 * SECOND);
	assert_int_equal(n_reports, 2); /* lost, then failed */
	assert_int_equal(last.state, PATH_FAILED);
	assert_string_equal(last.reason, "gone");
}

static void
counts(void **state)
{
	const struct remote bad = {CANDIDATE_HOST, at("224.0.0.1:5"), 1};
	const struct remote unknown = {CANDIDATE_NONE, at("192.0.2.9:5"), 1};

	(void)state;
	start(false);
	remote(CANDIDATE_SRFLX, "192.0.2.2:1000", 100);
	assert_int_equal(introduce(2, true), -EBADMSG);
	assert_int_equal(x.state, PATH_WAITING);
	/* Refused and unknown ones count, but are nobody to send to. */
	assert_int_equal(checklist_remote(&x, 1, &bad), -EINVAL);
	assert_int_equal(checklist_remote(&x, 1, &unknown), 0);
	remote(CANDIDATE_SRFLX, "192.0.2.2:1000", 100);
	assert_int_equal(introduce(3, true), 0);
	assert_int_equal(x.candidates.n, 1);
	start(false);
	assert_int_equal(introduce(0, true), 0);
	assert_int_equal(last.state, PATH_FAILED);
	assert_string_equal(last.reason, "no-candidates");
}

/* Another generation's remotes are not this one's. */
static void
mixed_generations(void **state)
{
	const struct remote r = {CANDIDATE_HOST, at("192.0.2.9:5"), 1};

	(void)state;
	start(false);
	assert_int_equal(checklist_remote(&x, 7, &r), 0);
	remote(CANDIDATE_SRFLX, "192.0.2.2:1000", 100);
	assert_int_equal(introduce(1, true), 0);
	run_until(now + SECOND);
	assert_null(check_to("192.0.2.9:5", false));
	assert_non_null(check_to("192.0.2.2:1000", false));
}

static void
port_errors(void **state)
{
	static const int errors[] = {PORT_E_UNREACHABLE, PORT_E_DENIED};

	(void)state;
	for (int i = 0; i < 2; i++) {
		two_candidates(true);
		for (int ms = 0; ms < 2500; ms++) {
			unsigned before = n_sent;

			run_until(now + MS);
			if (n_sent == before)
				continue;
			checklist_port_error(
			    &x, &sent[n_sent - 1].remote, errors[i], now);
			next = now;
		}
		assert_int_equal(last.state, PATH_FAILED);
		assert_string_equal(last.reason, port_error_name(errors[i]));
	}
}

/* One that can't be reached doesn't hide that the other doesn't answer. */
static void
one_port_error(void **state)
{
	struct addr a = at("10.0.0.2:1000");

	(void)state;
	two_candidates(true);
	for (int ms = 0; ms < 11000; ms += 100) {
		checklist_port_error(&x, &a, PORT_E_UNREACHABLE, now);
		run_until(now + 100 * MS);
	}
	assert_int_equal(last.state, PATH_FAILED);
	assert_string_equal(last.reason, "no-answer");
}

static void
rate(void **state)
{
	char text[32];
	unsigned first = 0;

	(void)state;
	start(true);
	for (unsigned i = 0; i < CANDIDATE_REMOTES; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u:1000", i + 1);
		remote(CANDIDATE_HOST, text, i);
	}
	introduce(CANDIDATE_REMOTES, true);
	checklist_go(&x, 1, 0, 100, now + 500 * MS);
	for (int ms = 0; ms < 5000; ms += 5) {
		run_until(now + 5 * MS);
		check_from("192.0.2.1:1000", false, &them);
	}
	for (unsigned i = 0; i < n_sent; i++) {
		while (sent_at[i] - sent_at[first] >= SECOND)
			first++;
		assert_true(i - first < 55);
	}
	assert_true(n_sent > 100);
}

static void
too_many_candidates(void **state)
{
	const struct remote r = {CANDIDATE_HOST, at("192.0.2.99:5"), 1};
	char text[32];

	(void)state;
	start(false);
	for (unsigned i = 0; i < CANDIDATE_REMOTES; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u:1000", i + 1);
		remote(CANDIDATE_HOST, text, i);
	}
	assert_int_equal(checklist_remote(&x, 1, &r), -ENOSPC);
	assert_int_equal(introduce(CANDIDATE_REMOTES + 1, false), 0);
	/* And as many peer-reflexive ones as anybody likes. */
	for (unsigned i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "198.51.100.%u:1", i + 1);
		assert_int_equal(check_from(text, false, &them), 0);
		run_until(now + 50 * MS);
	}
	assert_int_equal(
	    x.candidates.n, CANDIDATE_REMOTES + CANDIDATE_REFLEXIVE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forged_check),
	    cmocka_unit_test(forged_answer),
	    cmocka_unit_test(before_introduction),
	    cmocka_unit_test(not_heard),
	    cmocka_unit_test(nominated_unanswered),
	    cmocka_unit_test_prestate(mirror, &yes),
	    cmocka_unit_test_prestate(mirror, &no),
	    cmocka_unit_test(usurper),
	    cmocka_unit_test(host_before_srflx),
	    cmocka_unit_test(srflx_after_grace),
	    cmocka_unit_test(low_ttl_until_go),
	    cmocka_unit_test(low_ttl_of_known_depth),
	    cmocka_unit_test(go_that_waits_for_skew),
	    cmocka_unit_test(fails_in_time),
	    cmocka_unit_test(silence_before_retry),
	    cmocka_unit_test(revived_by_a_check),
	    cmocka_unit_test(gone),
	    cmocka_unit_test(gone_while_direct),
	    cmocka_unit_test(counts),
	    cmocka_unit_test(mixed_generations),
	    cmocka_unit_test(port_errors),
	    cmocka_unit_test(one_port_error),
	    cmocka_unit_test(rate),
	    cmocka_unit_test(too_many_candidates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

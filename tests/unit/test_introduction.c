/* SPDX-License-Identifier: ISC */
/* Two introductions back to back, over servers that lose, double, delay and
 * reorder what they carry. Time is simulated; chance is seeded. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "introduction.h"

#define FLIGHTS 512
#define PAIRS 64
#define SERVERS 2

struct flight {
	bool used;
	int to, server;
	uint64_t at_ms;
	size_t len;
	uint8_t payload[INTRODUCTION_PAYLOAD_MAX];
};

struct side {
	uint8_t secret[KEY_LEN], pub[KEY_LEN];
	struct introduction i;
	uint64_t clock_ns; /* what its wall clock is ahead */
	uint32_t generation;
	/* what each server was told by READY */
	uint32_t mine[SERVERS], theirs[SERVERS];
	/* what it printed */
	unsigned introduced, gone, readies;
	uint32_t remote_generation;
	unsigned gos;
	uint32_t go_mine[PAIRS], go_theirs[PAIRS];
};

struct world {
	struct side side[2];
	struct flight flight[FLIGHTS];
	uint64_t now_ms;
	uint64_t seed;
	unsigned loss, twice; /* percent */
	uint64_t delay_ms;    /* at most */
	unsigned sent;
	unsigned through[SERVERS]; /* of them */
	int servers;
	struct flight last[2]; /* the latest payload to each side */
};

static struct world w;

static unsigned
chance(unsigned below)
{
	w.seed = w.seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w.seed >> 33) % below;
}

static struct moment
moment_of(const struct side *s)
{
	return (struct moment){.ms = w.now_ms,
	    .us = w.now_ms * 1000,
	    .wall_ns = 1700000000000000000u + w.now_ms * 1000000 + s->clock_ns};
}

static void
carry(int to, const struct introduction_event *ev)
{
	struct flight f = {.used = true, .to = to, .server = ev->server};

	w.sent++;
	w.through[ev->server]++;
	f.len = ev->len;
	memcpy(f.payload, ev->payload, ev->len);
	w.last[to] = f;
	for (unsigned copies = chance(100) < w.twice ? 2 : 1; copies > 0;
	     copies--) {
		f.at_ms = w.now_ms + 1 +
			  (w.delay_ms > 0 ? chance((unsigned)w.delay_ms) : 0);
		if (chance(100) < w.loss)
			continue;
		for (size_t n = 0; n < FLIGHTS; n++)
			if (!w.flight[n].used) {
				w.flight[n] = f;
				break;
			}
	}
}

/* GO to both, when the two READY that a server has match. */
static void
try_go(int server)
{
	struct side *a = &w.side[0], *b = &w.side[1];

	if (a->mine[server] == 0 || a->mine[server] != b->theirs[server] ||
	    b->mine[server] == 0 || b->mine[server] != a->theirs[server])
		return;
	for (int s = 0; s < 2; s++)
		introduction_go(&w.side[s].i, w.side[s].mine[server],
		    w.side[s].theirs[server], 1, 2);
}

static void
print_go(struct side *s, const struct introduction_event *ev)
{
	for (unsigned n = 0; n < s->gos; n++)
		assert_false(s->go_mine[n] == s->i.mine &&
			     s->go_theirs[n] == ev->theirs);
	assert_true(s->gos < PAIRS);
	assert_int_equal(ev->theirs, s->remote_generation);
	assert_int_equal(ev->age_ms, 1);
	assert_int_equal(ev->skew_ms, 2);
	s->go_mine[s->gos] = s->i.mine;
	s->go_theirs[s->gos++] = ev->theirs;
}

static uint64_t
drain(int which)
{
	struct side *s = &w.side[which];
	struct introduction_event ev;
	struct moment now = moment_of(s);

	for (int n = 0; n < 1000; n++) {
		introduction_step(&s->i, &now, &ev);
		switch (ev.what) {
		case INTRODUCTION_WAIT:
			return ev.at_ms;
		case INTRODUCTION_SEND:
			carry(1 - which, &ev);
			break;
		case INTRODUCTION_READY:
			s->readies++;
			s->mine[ev.server] = ev.mine;
			s->theirs[ev.server] = ev.theirs;
			try_go(ev.server);
			break;
		case INTRODUCTION_DONE:
			s->introduced++;
			s->remote_generation = s->i.theirs.generation;
			break;
		case INTRODUCTION_GO:
			print_go(s, &ev);
			break;
		case INTRODUCTION_GONE:
			s->gone++;
			break;
		}
	}
	fail_msg("a step that never waits");
	return 0;
}

static void
deliver(struct flight *slot)
{
	const struct flight copy = *slot, *f = &copy;

	slot->used = false;
	introduction_payload(&w.side[f->to].i, f->server, f->payload, f->len);
}

/* Runs until nothing is left to do, or for ms. */
static void
run(uint64_t ms)
{
	uint64_t end = w.now_ms + ms;

	while (w.now_ms < end) {
		uint64_t next = end;

		for (size_t n = 0; n < FLIGHTS; n++)
			if (w.flight[n].used && w.flight[n].at_ms <= w.now_ms)
				deliver(&w.flight[n]);
		for (int pass = 0; pass < 2; pass++)
			for (int s = 0; s < 2; s++) {
				uint64_t at = drain(s);

				if (at < next)
					next = at;
			}
		for (size_t n = 0; n < FLIGHTS; n++)
			if (w.flight[n].used && w.flight[n].at_ms < next)
				next = w.flight[n].at_ms;
		w.now_ms = next > w.now_ms ? next : w.now_ms + 1;
	}
}

static void
offer(int which)
{
	struct offer_candidate c = {.type = OFFER_HOST, .priority = 9};
	struct side *s = &w.side[which];

	s->generation++;
	addr_parse(&c.addr, "192.0.2.1:51820");
	c.addr.port = (uint16_t)(1000 * (which + 1) + s->generation);
	introduction_candidates(&s->i, s->generation, &c, 1);
}

static void
begin_run(int which)
{
	struct side *s = &w.side[which], *other = &w.side[1 - which];

	assert_int_equal(
	    introduction_init(&s->i, s->secret, s->pub, other->pub), 0);
	s->generation = 0;
	s->gos = 0;
	offer(which);
	for (int v = 0; v < SERVERS; v++) {
		s->mine[v] = s->theirs[v] = 0;
		introduction_session(&s->i, v, true);
	}
}

/* Both consent: what a server says then. */
static void
introduce(int server)
{
	for (int s = 0; s < 2; s++)
		introduction_peer(&w.side[s].i, server, w.side[1 - s].i.tag);
}

static void
set_up(uint64_t seed, int servers)
{
	memset(&w, 0, sizeof(w));
	w.seed = seed;
	w.servers = servers;
	w.now_ms = 1000;
	for (int s = 0; s < 2; s++) {
		randombytes_buf(w.side[s].secret, KEY_LEN);
		crypto_scalarmult_base(w.side[s].pub, w.side[s].secret);
	}
	begin_run(0);
	begin_run(1);
	for (int v = 0; v < servers; v++)
		introduce(v);
}

static void
assert_agreed(void)
{
	char password[4][OFFER_PASSWORD_LEN + 1];

	for (int s = 0; s < 2; s++) {
		struct side *me = &w.side[s], *peer = &w.side[1 - s];

		assert_int_equal(me->remote_generation, peer->generation);
		assert_int_equal(me->i.theirs.generation, peer->generation);
		assert_int_equal(me->i.theirs.holds, me->generation);
		assert_int_equal(me->i.theirs.candidate[0].addr.port,
		    1000 * (1 - s + 1) + peer->generation);
		assert_string_equal(me->i.theirs.user, peer->i.user);
		assert_string_equal(me->i.theirs.password, peer->i.password);
		introduction_passwords(&me->i, password[0], password[1]);
		introduction_passwords(&peer->i, password[2], password[3]);
		assert_string_equal(password[0], password[3]);
		assert_string_equal(password[1], password[2]);
		assert_string_not_equal(password[0], password[1]);
		assert_true(me->gos > 0);
		assert_int_equal(me->go_mine[me->gos - 1], me->generation);
		assert_int_equal(me->go_theirs[me->gos - 1], peer->generation);
	}
	assert_true(w.side[0].i.controlling != w.side[1].i.controlling);
}

/* Once all is agreed there is nothing more to say, ever. */
static void
assert_quiet(void)
{
	unsigned sent = w.sent;

	run(60000);
	assert_int_equal(w.sent, sent);
}

static void
nothing_without_consent(void **state)
{
	(void)state;
	set_up(1, 0);
	run(60000);
	assert_int_equal(w.sent, 0);
	assert_int_equal(w.side[0].introduced + w.side[1].introduced, 0);
}

static void
meets_on_a_good_network(void **state)
{
	(void)state;
	set_up(1, 1);
	run(1000);
	assert_agreed();
	assert_int_equal(w.side[0].introduced, 1);
	assert_int_equal(w.side[1].introduced, 1);
	assert_int_equal(w.side[0].gos, 1);
	assert_true(w.sent <= 8);
	assert_quiet();
}

static void
meets_on_bad_networks(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 150; seed++) {
		set_up(seed, 1 + (int)(seed % 2));
		w.loss = seed % 5 * 15;
		w.twice = 30;
		w.delay_ms = seed % 7 * 60;
		run(120000);
		assert_agreed();
		assert_int_equal(w.side[0].introduced, 1);
		assert_int_equal(w.side[1].introduced, 1);
		w.loss = 0;
		run(1000);
		assert_quiet();
	}
}

/* Generations on both sides, at the same time and while others are under way. */
static void
generations_cross(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 150; seed++) {
		set_up(seed, 1 + (int)(seed % 2));
		w.loss = seed % 4 * 15;
		w.twice = 20;
		w.delay_ms = 1 + seed % 7 * 60;
		for (int n = 0; n < 5; n++) {
			run(chance(300) + 1);
			offer(0);
			if (chance(2) == 0)
				run(chance(50) + 1);
			offer(1);
		}
		run(120000);
		assert_agreed();
		w.loss = 0;
		run(1000);
		assert_quiet();
	}
}

static void
one_generation_is_told_once(void **state)
{
	(void)state;
	set_up(3, 2);
	run(2000);
	introduce(0); /* a session was renewed */
	introduce(1);
	run(2000);
	assert_agreed();
	assert_int_equal(w.side[0].introduced, 1);
	assert_int_equal(w.side[0].gos, 1);
}

static void
a_restarted_peer_is_met_anew(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 50; seed++) {
		char user[OFFER_USER_LEN + 1];

		set_up(seed, 1);
		w.loss = seed % 4 * 15;
		w.twice = 20;
		w.delay_ms = 1 + seed % 3 * 100;
		offer(1);
		run(60000);
		assert_agreed();
		memcpy(user, w.side[1].i.user, sizeof(user));
		begin_run(1); /* generation 1 again, and another tag */
		w.side[0].gos = 0;
		introduce(0);
		run(120000);
		assert_string_not_equal(user, w.side[1].i.user);
		assert_agreed();
		assert_int_equal(w.side[0].gone, 0);
	}
}

/* PEER is only what the server says: the peer's own word counts. */
static void
a_wrong_tag_from_one_server_stops_nothing(void **state)
{
	uint8_t wrong[WIRE_TAG_LEN] = "wrong!!";

	(void)state;
	set_up(5, 2);
	introduction_peer(&w.side[0].i, 1, wrong);
	introduction_peer(&w.side[1].i, 1, wrong);
	run(10000);
	assert_agreed();
	introduction_peer(&w.side[0].i, 0, wrong);
	introduction_peer(&w.side[0].i, 1, wrong);
	offer(1);
	offer(0);
	run(20000);
	assert_agreed();
	assert_quiet();
}

/* Nor does it make us, or the peer, flood the others. */
static void
a_lying_server_makes_no_flood(void **state)
{
	uint8_t wrong[WIRE_TAG_LEN];

	(void)state;
	set_up(6, 2);
	run(1000);
	assert_agreed();
	w.through[0] = 0;
	for (int n = 0; n < 2000; n++) {
		randombytes_buf(wrong, sizeof(wrong));
		introduction_peer(&w.side[0].i, 1, wrong);
		run(5);
	}
	assert_in_range(w.through[0], 1, 2 * (16 + 10));
	w.through[0] = 0;
	offer(1);
	run(20000);
	assert_agreed();
	assert_quiet();
}

/* A peer that has new candidates all the time costs little, too. */
static void
a_restless_peer_makes_no_flood(void **state)
{
	struct side *me = &w.side[0];

	(void)state;
	set_up(6, 2);
	run(1000);
	assert_agreed();
	me->introduced = me->readies = 0;
	for (int n = 0; n < 2000; n++) {
		w.side[1].i.rounds_ms = 0; /* it knows no measure */
		offer(1);
		run(5);
	}
	assert_in_range(me->introduced, 10, 16 + 10);
	assert_in_range(me->readies, 1, 2 * (16 + 10));
	run(20000);
	assert_agreed();
	assert_quiet();
}

static void
a_replayed_payload_is_refused(void **state)
{
	struct flight old;

	(void)state;
	set_up(6, 1);
	run(1000);
	old = w.last[0];
	assert_int_equal(
	    introduction_payload(&w.side[0].i, 0, old.payload, old.len),
	    -ESTALE);
	offer(1);
	run(1000);
	assert_int_equal(
	    introduction_payload(&w.side[0].i, 0, old.payload, old.len),
	    -ESTALE);
	assert_agreed();
}

static void
a_reflected_payload_is_refused(void **state)
{
	(void)state;
	set_up(7, 1);
	run(1000);
	assert_int_equal(introduction_payload(
			     &w.side[0].i, 0, w.last[1].payload, w.last[1].len),
	    -EBADMSG);
}

/* What was said to an earlier run of ours does not reach this one. */
static void
an_earlier_run_is_refused(void **state)
{
	struct flight old;

	(void)state;
	set_up(8, 1);
	run(1000);
	old = w.last[0];
	begin_run(0);
	introduction_peer(&w.side[0].i, 0, w.side[1].i.tag);
	assert_int_equal(
	    introduction_payload(&w.side[0].i, 0, old.payload, old.len),
	    -ESTALE);
	assert_int_equal(w.side[0].i.met, false);
}

/* The peer restarted; the server replays what its earlier run said to us. */
static void
the_peers_earlier_run_is_refused(void **state)
{
	struct flight held;
	struct introduction_event ev;
	struct moment now;

	(void)state;
	set_up(9, 1);
	run(1000);
	offer(1);
	now = moment_of(&w.side[1]);
	introduction_step(&w.side[1].i, &now, &ev);
	assert_int_equal(ev.what, INTRODUCTION_SEND);
	held.len = ev.len;
	memcpy(held.payload, ev.payload, ev.len);
	begin_run(1);
	w.side[0].gos = 0;
	introduce(0);
	w.now_ms += 10;
	run(5000);
	assert_agreed();
	assert_int_equal(
	    introduction_payload(&w.side[0].i, 0, held.payload, held.len),
	    -ESTALE);
	assert_agreed();
}

static void
a_changed_payload_is_refused(void **state)
{
	struct flight f;

	(void)state;
	set_up(10, 1);
	w.loss = 100;
	run(100);
	f = w.last[0];
	for (size_t at = 0; at < f.len; at++) {
		f.payload[at] ^= 1;
		assert_int_equal(
		    introduction_payload(&w.side[0].i, 0, f.payload, f.len),
		    -EBADMSG);
		f.payload[at] ^= 1;
	}
	assert_int_equal(
	    introduction_payload(&w.side[0].i, 0, f.payload, 3), -EBADMSG);
	assert_int_equal(
	    introduction_payload(&w.side[0].i, 0, f.payload, f.len), 0);
}

static void
a_forged_go_is_ignored(void **state)
{
	struct side *a;

	(void)state;
	set_up(11, 1);
	a = &w.side[0];
	assert_int_equal(introduction_go(&a->i, 1, 1, 0, 0), -ESTALE);
	run(1000);
	assert_int_equal(a->gos, 1);
	assert_int_equal(introduction_go(&a->i, 1, 1, 0, 0), -ESTALE);
	assert_int_equal(introduction_go(&a->i, 1, 2, 0, 0), -ESTALE);
	assert_int_equal(introduction_go(&a->i, 2, 1, 0, 0), -ESTALE);
	assert_int_equal(introduction_go(&a->i, 0, 0, 0, 0), -ESTALE);
	run(1000);
	assert_int_equal(a->gos, 1);
}

/* A GO of the peer's earlier run, or one made up: before the peer holds what we
 * have now, its NAT is shut, and our checks would do lasting damage. */
static void
an_early_go_is_ignored(void **state)
{
	struct side *a, *b;

	(void)state;
	set_up(11, 1);
	a = &w.side[0];
	b = &w.side[1];
	run(1000);
	assert_agreed();
	begin_run(1); /* same generation, other credentials */
	introduction_peer(&b->i, 0, a->i.tag);
	w.delay_ms = 0;
	for (int n = 0; n < 10 && a->introduced < 2; n++)
		run(1);
	assert_int_equal(a->introduced, 2);
	assert_int_equal(a->i.theirs.holds, 0);
	assert_int_equal(introduction_go(&a->i, 1, 1, 0, 0), -ESTALE);
}

/* With two servers, a peer is gone when both say so, and comes back. */
static void
gone_and_back(void **state)
{
	struct side *a;

	(void)state;
	set_up(12, 2);
	a = &w.side[0];
	run(1000);
	introduction_gone(&a->i, 0);
	run(1000);
	assert_int_equal(a->gone, 0);
	introduction_gone(&a->i, 1);
	introduction_gone(&a->i, 1);
	run(1000);
	assert_int_equal(a->gone, 1);
	/* the same run of the peer: it is introduced anew all the same */
	a->gos = 0;
	introduce(1);
	run(5000);
	assert_agreed();
	assert_int_equal(a->introduced, 2);
	assert_int_equal(a->gone, 1);
	assert_quiet();
}

/* A server that we have lost is not a place where the peer still is. */
static void
gone_with_a_server_down(void **state)
{
	struct side *a;

	(void)state;
	set_up(13, 2);
	a = &w.side[0];
	run(1000);
	introduction_session(&a->i, 0, false);
	run(10);
	assert_int_equal(a->gone, 0);
	introduction_gone(&a->i, 1);
	run(10);
	assert_int_equal(a->gone, 1);
}

/* Their clocks may differ by years, and may be set back. */
static void
clocks_do_not_matter(void **state)
{
	(void)state;
	set_up(14, 1);
	w.side[0].clock_ns = (uint64_t)86400 * 365 * 1000000000;
	run(1000);
	w.side[0].clock_ns = 0;
	offer(0);
	run(1000);
	assert_agreed();
}

/* B has A's credentials and offers them to C as its own: the checks that C
 * then sends to A are none that A takes for B's, nor the other way round. */
static void
credentials_of_another(void **state)
{
	struct introduction a_of_b, c_of_b;
	uint8_t secret[3][KEY_LEN], pub[3][KEY_LEN];
	char a[2][OFFER_PASSWORD_LEN + 1], c[2][OFFER_PASSWORD_LEN + 1];

	(void)state;
	for (int i = 0; i < 3; i++) {
		randombytes_buf(secret[i], KEY_LEN);
		crypto_scalarmult_base(pub[i], secret[i]);
	}
	introduction_init(&a_of_b, secret[0], pub[0], pub[1]);
	introduction_init(&c_of_b, secret[2], pub[2], pub[1]);
	memcpy(c_of_b.theirs.password, a_of_b.password, sizeof(a[0]));
	memcpy(a_of_b.theirs.password, c_of_b.password, sizeof(a[0]));
	introduction_passwords(&a_of_b, a[0], a[1]);
	introduction_passwords(&c_of_b, c[0], c[1]);
	assert_string_not_equal(a[0], c[1]);
	assert_string_not_equal(a[1], c[0]);
}

static int
start(void **state)
{
	(void)state;
	return sodium_init() == -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_without_consent),
	    cmocka_unit_test(meets_on_a_good_network),
	    cmocka_unit_test(meets_on_bad_networks),
	    cmocka_unit_test(generations_cross),
	    cmocka_unit_test(one_generation_is_told_once),
	    cmocka_unit_test(a_restarted_peer_is_met_anew),
	    cmocka_unit_test(a_wrong_tag_from_one_server_stops_nothing),
	    cmocka_unit_test(a_lying_server_makes_no_flood),
	    cmocka_unit_test(a_restless_peer_makes_no_flood),
	    cmocka_unit_test(a_replayed_payload_is_refused),
	    cmocka_unit_test(a_reflected_payload_is_refused),
	    cmocka_unit_test(an_earlier_run_is_refused),
	    cmocka_unit_test(the_peers_earlier_run_is_refused),
	    cmocka_unit_test(a_changed_payload_is_refused),
	    cmocka_unit_test(a_forged_go_is_ignored),
	    cmocka_unit_test(an_early_go_is_ignored),
	    cmocka_unit_test(gone_and_back),
	    cmocka_unit_test(gone_with_a_server_down),
	    cmocka_unit_test(clocks_do_not_matter),
	    cmocka_unit_test(credentials_of_another),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}

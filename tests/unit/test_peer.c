/* SPDX-License-Identifier: ISC */
/* Two peers back to back, with a direct way between them and two relays, all on
 * a virtual clock. The direct way has a NAT at each end that, as Linux's
 * masquerade, shuts itself for 30 s when the peer's packet comes first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "peer.h"

#define MS 1000ull
#define SECOND 1000000ull
#define A 0
#define B 1
#define RELAYS 2
#define PACKETS 256
#define FORGETS_US (30 * SECOND)

struct packet {
	bool used;
	uint64_t at;
	int to;
	struct addr src, dst;
	size_t len;
	uint8_t data[CHECK_MAX];
};

struct side {
	struct peer peer;
	uint64_t next;
	struct report last;
	unsigned reports[PATH_RELAYED + 1];
	uint64_t said_at;
	bool mute; /* nothing of it arrives directly */
	/* its NAT */
	uint64_t out_at, shut_at; /* latest; 0 never */
	/* what it sent */
	unsigned direct, relayed, tries;
	uint64_t direct_at, try_at;
};

static struct {
	uint64_t now, delay, relay_delay;
	struct side side[2];
	bool dead[RELAYS];
	bool liar; /* A takes the relay for a direct way */
	/* B's NAT has another mapping for A than for the server, and lets in
	 * nothing else; A's lets in what it has sent to. ADDR_NONE: it has not */
	struct addr mapping;
	bool opened; /* A has sent there */
	unsigned clashes;
	unsigned lose; /* so many direct packets */
	struct packet packet[PACKETS];
} w;

static struct addr
host(int s)
{
	return (struct addr){.family = ADDR_V4,
	    .ip = {192, 0, 2, (uint8_t)(1 + s)},
	    .port = 7000};
}

/* Where side s is bound: what the other one sends comes from there. */
static struct addr
binding(int s, int relay)
{
	return (struct addr){.family = ADDR_V4,
	    .ip = {203, 0, 113, (uint8_t)(1 + relay)},
	    .port = (uint16_t)(1001 + s)};
}

static void
post(int from, const struct output *o, struct addr src, uint64_t delay)
{
	struct packet *p = NULL;

	for (int i = 0; i < PACKETS && p == NULL; i++)
		if (!w.packet[i].used)
			p = &w.packet[i];
	assert_non_null(p);
	*p = (struct packet){.used = true,
	    .at = w.now + delay,
	    .to = !from,
	    .src = src,
	    .dst = host(!from),
	    .len = o->len};
	memcpy(p->data, o->data, o->len);
}

static void
send_direct(int s, const struct output *o)
{
	struct side *me = &w.side[s];

	me->direct++;
	if (w.now > me->direct_at + 900 * MS) {
		me->tries++;
		me->try_at = w.now;
	}
	me->direct_at = w.now;
	me->out_at = w.now;
	if (w.mapping.family != ADDR_NONE && addr_equal(&o->remote, &w.mapping))
		w.opened = true;
	else if (w.mapping.family != ADDR_NONE && s == A)
		return;
	if (o->ttl != 0)
		return;
	if (w.lose > 0) {
		w.lose--;
		return;
	}
	if (!me->mute && (me->shut_at == 0 || w.now - me->shut_at > FORGETS_US))
		post(s, o, s == B && w.opened ? w.mapping : host(s), w.delay);
}

static void
drain(int s)
{
	struct side *me = &w.side[s];
	struct output o;

	while (peer_take(&me->peer, &o)) {
		if (o.is_report) {
			me->last = o.report;
			me->reports[o.report.state]++;
			me->said_at = w.now;
			continue;
		}
		if (o.remote.ip[0] == 192 ||
		    addr_equal(&o.remote, &w.mapping)) {
			send_direct(s, &o);
			continue;
		}
		me->relayed++;
		assert_true(o.ttl == 0 || w.liar);
		for (int r = 0; r < RELAYS; r++) {
			struct addr a = binding(s, r);

			if (addr_equal(&a, &o.remote) && !w.dead[r])
				post(s, &o, binding(!s, r), w.relay_delay);
		}
	}
	assert_int_equal(me->peer.out.lost, 0);
	assert_int_equal(me->peer.list.out.lost, 0);
	assert_int_equal(me->peer.relay.out.lost, 0);
}

static void
step(int s)
{
	w.side[s].next = peer_step(&w.side[s].peer, w.now);
	assert_true(w.side[s].next > w.now);
	drain(s);
}

/* Does the NAT of the receiver let it in? */
static bool
admitted(struct side *me)
{
	if (me->shut_at != 0 && w.now - me->shut_at <= FORGETS_US) {
		me->shut_at = w.now;
		return false;
	}
	if (me->out_at != 0 && w.now - me->out_at <= FORGETS_US)
		return true;
	me->shut_at = w.now;
	w.clashes++;
	return false;
}

static void
deliver(struct packet *p)
{
	struct side *me = &w.side[p->to];
	struct stun_msg m;
	int to = p->to;

	if (p->src.ip[0] != 192 || admitted(me)) {
		assert_int_equal(stun_parse(&m, p->data, p->len), 0);
		peer_receive(&me->peer, &m, &p->src, &p->dst, w.now);
		drain(to);
		step(to);
	}
	p->used = false; /* its place may be taken from now on */
}

static void
run(uint64_t lasts)
{
	uint64_t end = w.now + lasts;

	while (w.now < end) {
		struct packet *p = NULL;
		uint64_t next = end;

		for (int i = 0; i < PACKETS; i++)
			if (w.packet[i].used && w.packet[i].at < next) {
				p = &w.packet[i];
				next = p->at;
			}
		for (int s = 0; s < 2; s++)
			if (w.side[s].next < next) {
				p = NULL;
				next = w.side[s].next;
			}
		w.now = next > w.now ? next : w.now;
		if (p != NULL)
			deliver(p);
		for (int s = 0; s < 2; s++)
			if (w.side[s].next <= w.now)
				step(s);
	}
}

static void
world(bool again, bool only)
{
	memset(&w, 0, sizeof(w));
	w.now = SECOND;
	w.delay = 20 * MS;
	w.relay_delay = 30 * MS;
	for (int s = 0; s < 2; s++) {
		const uint8_t key[KEY_LEN] = {9, (uint8_t)s};

		peer_init(&w.side[s].peer, key, again, only);
		w.side[s].next = UINT64_MAX;
	}
}

static void
apply(int s, struct intake *in)
{
	const char *wrong = NULL;

	assert_int_equal(peer_apply(&w.side[s].peer, in, w.now, &wrong), 0);
	drain(s);
	step(s);
}

static void
introduce_at(int s, uint32_t generation, struct addr other)
{
	static const struct check_credentials c[2] = {
	    {"userAAAA", "aaaaaaaaaaaaaaaaaaaaaaaa", "userBBBB",
		"bbbbbbbbbbbbbbbbbbbbbbbb"},
	    {"userBBBB", "bbbbbbbbbbbbbbbbbbbbbbbb", "userAAAA",
		"aaaaaaaaaaaaaaaaaaaaaaaa"}};
	struct intake remote = {.kind = INTAKE_REMOTE,
	    .generation = generation,
	    .remote = {CANDIDATE_SRFLX, other, 1000}};
	struct intake in = {.kind = INTAKE_INTRODUCED,
	    .generation = generation,
	    .introduction = {.generation = generation,
		.count = 1,
		.controlling = s == A,
		.credentials = c[s]}};

	apply(s, &remote);
	apply(s, &in);
}

static void
introduce(int s, uint32_t generation)
{
	introduce_at(s, generation, host(!s));
}

static void
go(int s, uint32_t generation)
{
	struct intake in = {.kind = INTAKE_GO, .generation = generation};

	apply(s, &in);
}

static void
bind_one(int s, int relay, uint32_t priority)
{
	struct intake in = {.kind = INTAKE_RELAY_BOUND,
	    .remote = {CANDIDATE_RELAY, binding(s, relay), priority}};

	apply(s, &in);
}

static void
bind_mapped(int s, struct addr mapped)
{
	struct intake in = {.kind = INTAKE_RELAY_BOUND,
	    .remote = {CANDIDATE_RELAY, binding(s, 0), 20},
	    .mapped = mapped};

	apply(s, &in);
}

static void
unbind_one(int s, int relay)
{
	struct intake in = {.kind = INTAKE_RELAY_GONE,
	    .remote = {CANDIDATE_RELAY, binding(s, relay), 0}};

	apply(s, &in);
}

static void
meet(void)
{
	introduce(A, 1);
	run(20 * MS);
	introduce(B, 1);
	run(20 * MS);
	go(A, 1);
	run(5 * MS);
	go(B, 1);
}

static void
both_bind(int relay, uint32_t priority)
{
	bind_one(A, relay, priority);
	run(10 * MS);
	bind_one(B, relay, priority);
}

static void
cut(bool on)
{
	w.side[A].mute = w.side[B].mute = on;
}

static void
both(enum path_state state)
{
	assert_int_equal(w.side[A].last.state, state);
	assert_int_equal(w.side[B].last.state, state);
}

static void
reasons(const char *text)
{
	for (int s = 0; s < 2; s++)
		assert_string_equal(w.side[s].last.reason, text);
}

static unsigned
through_relays(void)
{
	return w.side[A].relayed + w.side[B].relayed;
}

static void
count_anew(void)
{
	for (int s = 0; s < 2; s++) {
		w.side[s].relayed = w.side[s].direct = w.side[s].tries = 0;
		memset(w.side[s].reports, 0, sizeof(w.side[s].reports));
	}
}

/* Connected directly, with a relay that is bound. */
static void
settle_direct(void)
{
	world(true, false);
	both_bind(0, 20);
	meet();
	run(5 * SECOND);
	both(PATH_DIRECT);
	assert_int_equal(w.clashes, 0);
	count_anew();
}

static int
say(const char *from, bool relayed, bool forged)
{
	struct check_credentials c = {"userBBBB", "bbbbbbbbbbbbbbbbbbbbbbbb",
	    "userAAAA", "aaaaaaaaaaaaaaaaaaaaaaaa"};
	struct check check = {
	    .priority = relayed ? CHECK_PRIORITY_RELAYED : CHECK_PRIORITY,
	    .hint = CHECK_HINT_NEED | CHECK_HINT_TRY};
	uint8_t data[CHECK_MAX], tid[STUN_TID_LEN];
	struct addr src, dst = host(A);
	struct stun_msg m;
	int len, rc;

	if (forged)
		c.peer_password[0] = 'x';
	assert_int_equal(addr_parse(&src, from), 0);
	stun_new_tid(tid);
	len = check_request(&c, &check, 1, tid, data, sizeof(data));
	assert_int_equal(stun_parse(&m, data, (size_t)len), 0);
	rc = peer_receive(&w.side[A].peer, &m, &src, &dst, w.now);
	drain(A);
	return rc;
}

static void
nothing_is_bound(void **state)
{
	(void)state;
	world(true, false);
	cut(true);
	meet();
	run(15 * SECOND);
	both(PATH_FAILED);
	reasons("no-answer");
	assert_int_equal(through_relays(), 0);
	count_anew();
	run(20 * SECOND);
	assert_int_equal(w.side[A].direct, 0);
}

/* The peer's NAT has another mapping for us than for its server: the relay sees
 * it, and its checks through the relay tell. */
static void
other_mapping(void **state)
{
	const struct addr other = {
	    .family = ADDR_V4, .ip = {198, 51, 100, 77}, .port = 4000};

	(void)state;
	for (int told = 0; told < 2; told++) {
		world(true, false);
		w.mapping = other;
		w.side[B].mute = !told; /* A's NAT lets nothing in */
		bind_mapped(A, host(A));
		bind_mapped(B, told ? other : host(B));
		meet();
		run(30 * SECOND);
		both(told ? PATH_DIRECT : PATH_RELAYED);
		assert_int_equal(w.opened, told);
		if (told)
			assert_true(
			    addr_equal(&w.side[A].last.endpoint, &other));
	}
	/* the relay's own is none, whatever the peer says */
	world(true, false);
	cut(true);
	bind_mapped(A, host(A));
	bind_mapped(B, binding(A, 0));
	meet();
	run(30 * SECOND); /* drain() sees to what goes to relays */
	both(PATH_RELAYED);
}

/* The way that a check says it came and the one it came have to agree. */
static void
wrong_way(void **state)
{
	(void)state;
	world(true, false);
	cut(true);
	meet();
	bind_one(A, 0, 20); /* but not B */
	run(15 * SECOND);
	both(PATH_FAILED);
	count_anew();
	assert_int_equal(say("198.51.100.66:9", true, false), -ENOENT);
	assert_int_equal(say("203.0.113.1:1001", false, false), -ENOENT);
	assert_int_equal(say("203.0.113.1:1001", true, true), -EACCES);
	assert_int_equal(say("198.51.100.66:9", true, true), -EACCES);
	assert_int_equal(w.side[A].direct + w.side[A].relayed, 0);
	assert_int_equal(say("203.0.113.1:1001", true, false), 0);
	assert_true(w.side[A].relayed > 0);
}

/* A relay that nobody else is bound to connects nobody. */
static void
one_binds(void **state)
{
	(void)state;
	world(false, false);
	cut(true);
	bind_one(A, 0, 20);
	meet();
	run(20 * SECOND);
	both(PATH_FAILED);
	assert_true(peer_settled(&w.side[A].peer, w.now));
	assert_true(peer_settled(&w.side[B].peer, w.now));
}

static void
relayed_at_once(void **state)
{
	uint64_t met;

	(void)state;
	world(true, false);
	cut(true);
	meet();
	run(300 * MS);
	met = w.now;
	both_bind(0, 20);
	run(300 * MS);
	both(PATH_RELAYED);
	reasons("checking");
	for (int s = 0; s < 2; s++) {
		struct addr a = binding(s, 0);

		assert_true(w.side[s].said_at - met < 200 * MS);
		assert_true(addr_equal(&w.side[s].last.endpoint, &a));
		assert_true(w.side[s].last.rtt_us >= 2 * w.relay_delay);
	}
	run(5 * SECOND);
	both(PATH_RELAYED);
	reasons("no-answer");
}

/* 1, 2, 4, ... 60 s, both at once, and no more records than reasons. */
static void
tries_again(void **state)
{
	(void)state;
	relayed_at_once(state);
	count_anew();
	run(20 * SECOND);
	assert_in_range(w.side[A].tries, 2, 4);
	for (int i = 0; i < 300; i++) {
		run(SECOND);
		assert_true(w.side[A].try_at < w.side[B].try_at + 200 * MS);
		assert_true(w.side[B].try_at < w.side[A].try_at + 200 * MS);
	}
	assert_in_range(w.side[A].tries, 7, 11);
	assert_int_equal(w.side[A].reports[PATH_RELAYED], 0);
	/* A new introduction tries at once, and begins anew. */
	count_anew();
	introduce(A, 2);
	introduce(B, 2);
	run(10 * SECOND);
	assert_in_range(w.side[A].tries, 2, 3);
	cut(false);
	run(10 * SECOND);
	both(PATH_DIRECT);
	assert_int_equal(w.clashes, 0);
}

/* A NAT that has forgotten a flow goes on using its port for new ones until it
 * sweeps its table, once a minute: tries once a minute may miss that for ever. */
static void
now_and_then_a_long_silence(void **state)
{
	uint64_t latest = 0, longest = 0;

	(void)state;
	relayed_at_once(state);
	for (int i = 0; i < 600; i++) {
		uint64_t before = w.side[A].direct_at;

		run(SECOND);
		if (w.side[A].direct_at == before)
			continue;
		if (latest != 0 && w.side[A].direct_at - latest > longest)
			longest = w.side[A].direct_at - latest;
		latest = w.side[A].direct_at;
	}
	assert_in_range(longest, 95 * SECOND, 105 * SECOND);
}

/* One side alone begins: the other follows, after its own low TTL. */
static void
tries_together(void **state)
{
	(void)state;
	relayed_at_once(state);
	run(100 * SECOND);
	for (int i = 0; i < 20; i++) {
		struct side *me = &w.side[i % 2], *other = &w.side[(i + 1) % 2];
		uint64_t delay = w.relay_delay = (uint64_t)(5 + 20 * i) * MS;

		while (me->peer.list.phase != PHASE_IDLE ||
		       other->peer.list.phase != PHASE_IDLE)
			run(100 * MS);
		me->peer.list.retry_us = w.now;
		me->out_at = other->out_at = 0; /* the NATs know nothing */
		step(i % 2);
		run(delay + 300 * MS);
		assert_true(other->peer.list.phase != PHASE_IDLE);
		run(2 * delay + 300 * MS);
		assert_int_equal(me->peer.list.phase, PHASE_FULL);
		assert_int_equal(other->peer.list.phase, PHASE_FULL);
		run(4 * SECOND);
	}
	/* With the way open, no NAT has seen the peer first. */
	cut(false);
	run(70 * SECOND);
	both(PATH_DIRECT);
	assert_int_equal(w.clashes, 0);
}

static void
silent_relay(void **state)
{
	(void)state;
	settle_direct();
	run(2 * 60 * SECOND);
	assert_int_equal(through_relays(), 0);
	both(PATH_DIRECT);
	assert_int_equal(w.side[A].reports[PATH_DIRECT], 0);
}

/* Both sides agree at once that nobody needs the relay any more. */
static void
relay_falls_silent(void **state)
{
	(void)state;
	world(true, false);
	both_bind(0, 20);
	meet();
	while (w.side[A].last.state != PATH_DIRECT ||
	       w.side[B].last.state != PATH_DIRECT)
		run(10 * MS);
	run(4 * w.relay_delay);
	count_anew();
	run(10 * SECOND);
	assert_int_equal(through_relays(), 0);
}

static void
one_lost_answer(void **state)
{
	(void)state;
	settle_direct();
	w.lose = 6; /* a doubt */
	run(3 * SECOND);
	assert_true(through_relays() > 0);
	assert_int_equal(w.side[A].reports[PATH_RELAYED], 0);
	assert_int_equal(w.side[B].reports[PATH_RELAYED], 0);
	run(5 * SECOND);
	count_anew();
	run(20 * SECOND);
	assert_int_equal(through_relays(), 0);
}

static void
falls_back(void **state)
{
	uint64_t before;

	(void)state;
	for (int what = 0; what < 3; what++) {
		settle_direct();
		before = w.now;
		/* Cut off; one way only; and the table is gone. */
		if (what == 0)
			cut(true);
		else if (what == 1)
			w.side[B].mute = true;
		else
			w.side[A].shut_at = w.side[B].shut_at = w.now;
		run(4 * SECOND);
		both(PATH_RELAYED);
		for (int s = 0; s < 2; s++) {
			assert_int_equal(w.side[s].reports[PATH_LOST], 0);
			assert_int_equal(w.side[s].reports[PATH_CHECKING], 0);
			assert_true(w.side[s].reports[PATH_RELAYED] >= 1);
		}
		if (what != 1)
			assert_true(w.side[A].said_at - before < 4 * SECOND);
	}
}

/* How long the fall takes, from the last packet that came. */
static void
falls_back_in_time(void **state)
{
	(void)state;
	for (unsigned offset = 0; offset < 500; offset += 50) {
		uint64_t before;

		settle_direct();
		run(offset * MS);
		before = w.now;
		cut(true);
		while (w.side[A].last.state != PATH_RELAYED ||
		       w.side[B].last.state != PATH_RELAYED) {
			run(10 * MS);
			assert_true(w.now - before <= 1700 * MS);
		}
		reasons("lost");
	}
}

/* The clash that may have ended the path needs silence. */
static void
silence_after_a_loss(void **state)
{
	(void)state;
	settle_direct();
	cut(true);
	run(5 * SECOND);
	both(PATH_RELAYED);
	reasons("no-answer");
	count_anew();
	run(36 * SECOND);
	assert_int_equal(w.side[A].direct + w.side[B].direct, 0);
	run(20 * SECOND);
	assert_int_equal(w.side[A].tries, 1);
	count_anew(); /* and silence again, or a clash would live on */
	run(20 * SECOND);
	assert_int_equal(w.side[A].direct + w.side[B].direct, 0);
	settle_direct();
	w.side[A].shut_at = w.now;
	run(60 * SECOND);
	both(PATH_DIRECT);
	assert_int_equal(w.side[A].reports[PATH_RELAYED], 2);
}

static void
slow_ways(void **state)
{
	(void)state;
	world(true, false);
	w.delay = 400 * MS;
	both_bind(0, 20);
	meet();
	run(10 * SECOND);
	both(PATH_DIRECT);
	count_anew();
	run(60 * SECOND);
	assert_int_equal(through_relays(), 0);
	both(PATH_DIRECT);
	assert_int_equal(w.side[A].reports[PATH_RELAYED], 0);
}

static void
second_relay(void **state)
{
	uint64_t before;
	struct addr a = binding(A, 1);

	(void)state;
	world(true, false);
	cut(true);
	both_bind(0, 20);
	both_bind(1, 10);
	meet();
	run(10 * SECOND);
	both(PATH_RELAYED);
	assert_int_equal(w.side[A].last.endpoint.ip[3], 1);
	w.dead[0] = true;
	before = w.now;
	run(3 * SECOND);
	both(PATH_RELAYED);
	assert_true(addr_equal(&w.side[A].last.endpoint, &a));
	assert_true(w.side[A].said_at - before < 2700 * MS);
	/* Back again, but who is told? The path works and stays. */
	w.dead[0] = false;
	run(10 * SECOND);
	assert_int_equal(w.side[A].last.endpoint.ip[3], 2);
	/* Gone is known at once. */
	unbind_one(A, 1);
	unbind_one(B, 1);
	run(300 * MS);
	both(PATH_RELAYED);
	assert_int_equal(w.side[A].last.endpoint.ip[3], 1);
	unbind_one(A, 0);
	assert_int_equal(w.side[A].last.state, PATH_FAILED);
	assert_int_equal(w.side[A].reports[PATH_LOST], 3);
}

/* A better one (UDP after TCP), whoever is bound there first. */
static void
better_relay(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		world(true, false);
		cut(true);
		both_bind(1, 10);
		meet();
		run(10 * SECOND);
		both(PATH_RELAYED);
		count_anew();
		bind_one(first, 0, 20);
		run(5 * SECOND);
		assert_int_equal(w.side[A].last.endpoint.ip[3], 2);
		bind_one(!first, 0, 20);
		run(SECOND);
		for (int s = 0; s < 2; s++) {
			assert_int_equal(w.side[s].last.endpoint.ip[3], 1);
			assert_int_equal(w.side[s].reports[PATH_LOST], 0);
		}
	}
}

/* A peer checks through the relay as if that were a direct way, before we know
 * that it is a relay's, or names it as its candidate. */
static void
relay_as_direct(void **state)
{
	(void)state;
	for (int named = 0; named < 2; named++) {
		world(true, false);
		w.liar = true;
		cut(true);
		introduce_at(A, 1, binding(A, 0));
		introduce_at(B, 1, named ? binding(B, 0) : host(A));
		go(A, 1);
		go(B, 1);
		run(60 * MS);
		assert_int_equal(w.side[B].reports[PATH_DIRECT], 0);
		bind_one(B, 0, 20);
		run(20 * SECOND);
		assert_int_equal(w.side[B].reports[PATH_DIRECT], 0);
		introduce_at(B, 2, named ? binding(B, 0) : host(A));
		run(20 * SECOND);
		assert_int_equal(w.side[B].reports[PATH_DIRECT], 0);
	}
}

/* And when it was faster than we: that is no direct way any more. */
static void
relay_was_direct(void **state)
{
	(void)state;
	world(true, false);
	w.liar = true;
	cut(true);
	introduce_at(A, 1, binding(A, 0));
	introduce_at(B, 1, host(A));
	go(A, 1);
	go(B, 1);
	run(3 * SECOND);
	assert_int_equal(w.side[B].last.state, PATH_DIRECT);
	bind_one(B, 0, 20);
	assert_int_not_equal(w.side[B].last.state, PATH_DIRECT);
	run(20 * SECOND);
	assert_int_equal(w.side[B].reports[PATH_DIRECT], 1);
}

static void
relay_only(void **state)
{
	(void)state;
	world(true, true);
	both_bind(0, 20);
	meet();
	run(30 * SECOND);
	both(PATH_RELAYED);
	reasons("relay-only");
	assert_int_equal(w.side[A].direct + w.side[B].direct, 0);
	assert_int_equal(say("192.0.2.2:7000", false, false), -ENOENT);
}

/* The other side learns of it, and has another reason when that ends. */
static void
one_takes_relays_only(void **state)
{
	const uint8_t key[KEY_LEN] = {9, A};

	(void)state;
	world(true, false);
	peer_init(&w.side[A].peer, key, true, true);
	both_bind(0, 20);
	meet();
	run(30 * SECOND);
	both(PATH_RELAYED);
	assert_string_equal(w.side[A].last.reason, "relay-only");
	assert_string_equal(w.side[B].last.reason, "peer-relay-only");
	assert_int_equal(w.side[A].direct, 0);
	peer_init(&w.side[A].peer, key, true, false);
	cut(true);
	both_bind(0, 20);
	introduce(A, 2);
	introduce(B, 2);
	run(10 * SECOND);
	both(PATH_RELAYED);
	reasons("no-answer");
}

/* Who has left is not said to be looked for. */
static void
relayed_and_gone(void **state)
{
	struct intake gone = {.kind = INTAKE_GONE};

	(void)state;
	world(true, false);
	cut(true);
	both_bind(0, 20);
	meet();
	run(6 * SECOND);
	both(PATH_RELAYED);
	count_anew();
	apply(A, &gone);
	w.dead[0] = true;
	run(3 * SECOND);
	assert_int_equal(w.side[A].last.state, PATH_FAILED);
	assert_string_equal(w.side[A].last.reason, "gone");
	assert_int_equal(w.side[A].reports[PATH_CHECKING], 0);
	assert_int_equal(w.side[B].last.state, PATH_CHECKING);
}

/* Nobody is left waiting in silence; and what is bound later is used. */
static void
relay_only_without_one(void **state)
{
	struct intake binding_begun = {.kind = INTAKE_RELAY_BINDING};

	(void)state;
	world(true, true);
	meet();
	apply(B, &binding_begun);
	both(PATH_CHECKING);
	run(4900 * MS);
	assert_int_equal(w.side[A].reports[PATH_FAILED], 0);
	assert_false(peer_settled(&w.side[A].peer, w.now));
	apply(B, &binding_begun);
	run(SECOND);
	assert_int_equal(w.side[A].last.state, PATH_FAILED);
	assert_string_equal(w.side[A].last.reason, "no-relay");
	assert_true(peer_settled(&w.side[A].peer, w.now));
	assert_int_equal(w.side[B].reports[PATH_FAILED], 0);
	run(60 * SECOND);
	both(PATH_FAILED);
	reasons("no-relay");
	/* Said once. */
	introduce(A, 2);
	run(10 * SECOND);
	assert_int_equal(w.side[A].reports[PATH_FAILED], 1);
	both_bind(0, 20);
	run(5 * SECOND);
	both(PATH_RELAYED);
	run(30 * SECOND);
	both(PATH_RELAYED);
	assert_int_equal(w.side[A].direct + w.side[B].direct, 0);
}

/* One that left, and is introduced again, has another reason then. */
static void
relay_only_comes_back(void **state)
{
	struct intake gone = {.kind = INTAKE_GONE};

	(void)state;
	world(true, true);
	meet();
	apply(A, &gone);
	run(10 * SECOND);
	assert_string_equal(w.side[A].last.reason, "gone");
	introduce(A, 2);
	run(6 * SECOND);
	assert_string_equal(w.side[A].last.reason, "no-relay");
}

/* With -1: the direct search has its time first. */
static void
settled_when_searched(void **state)
{
	(void)state;
	world(false, false);
	cut(true);
	both_bind(0, 20);
	meet();
	run(500 * MS);
	both(PATH_RELAYED);
	assert_false(peer_settled(&w.side[A].peer, w.now));
	run(4 * SECOND);
	assert_true(peer_settled(&w.side[A].peer, w.now));
	assert_int_equal(peer_state(&w.side[A].peer, w.now), PATH_RELAYED);
}

/* A binding that has begun is waited for, but not for ever. */
static void
binding_begins(void **state)
{
	struct intake in = {.kind = INTAKE_RELAY_BINDING};

	(void)state;
	world(false, false);
	cut(true);
	meet();
	run(9 * SECOND);
	apply(A, &in);
	run(3 * SECOND);
	assert_int_equal(w.side[A].peer.list.state, PATH_FAILED);
	assert_false(peer_settled(&w.side[A].peer, w.now));
	assert_true(peer_settled(&w.side[B].peer, w.now));
	run(3 * SECOND);
	assert_true(peer_settled(&w.side[A].peer, w.now));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_bound),
	    cmocka_unit_test(other_mapping),
	    cmocka_unit_test(wrong_way),
	    cmocka_unit_test(one_binds),
	    cmocka_unit_test(silent_relay),
	    cmocka_unit_test(relay_falls_silent),
	    cmocka_unit_test(one_lost_answer),
	    cmocka_unit_test(relayed_at_once),
	    cmocka_unit_test(tries_again),
	    cmocka_unit_test(tries_together),
	    cmocka_unit_test(falls_back),
	    cmocka_unit_test(falls_back_in_time),
	    cmocka_unit_test(now_and_then_a_long_silence),
	    cmocka_unit_test(silence_after_a_loss),
	    cmocka_unit_test(slow_ways),
	    cmocka_unit_test(second_relay),
	    cmocka_unit_test(better_relay),
	    cmocka_unit_test(relay_as_direct),
	    cmocka_unit_test(relay_was_direct),
	    cmocka_unit_test(relay_only),
	    cmocka_unit_test(one_takes_relays_only),
	    cmocka_unit_test(relayed_and_gone),
	    cmocka_unit_test(relay_only_without_one),
	    cmocka_unit_test(relay_only_comes_back),
	    cmocka_unit_test(settled_when_searched),
	    cmocka_unit_test(binding_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

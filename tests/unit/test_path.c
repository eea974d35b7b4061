/* SPDX-License-Identifier: ISC */
/* Two check lists back to back, through a network that exists only here: hosts
 * behind NATs with Linux's connection tracking (RFC 4787 terms: address- and
 * port-dependent filtering, and a clash when the peer's packet came first),
 * routers that count TTL down, delays, losses, all on a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "checklist.h"
#include "port.h"

#define MS 1000ull
#define SECOND 1000000ull
#define A 0
#define B 1
#define ROUTERS 3 /* the most */
#define FLOWS 256
#define PACKETS 512
#define UNREPLIED_US (30 * SECOND)
#define REPLIED_US (120 * SECOND)

/* One connection-tracking entry. */
struct flow {
	bool used, input, replied;
	struct addr inside, remote; /* inside is unset for input */
	uint16_t port;		    /* on the outside */
	uint64_t last;
};

struct nat {
	struct addr outside; /* port unused */
	bool symmetric;	     /* another port for each destination */
	struct flow flow[FLOWS];
};

struct packet {
	bool used;
	uint64_t at;
	int from, stage, ttl;
	struct addr src, dst;
	size_t len;
	uint8_t data[CHECK_MAX];
};

struct side {
	struct checklist list;
	struct addr host;
	int nats; /* from the inside out */
	struct nat nat[2];
	bool deaf; /* nothing reaches this side */
	uint64_t next;
	struct report last;
	unsigned reports[PATH_LOST + 1];
	uint64_t direct_at;
	uint64_t sent[4096];
	unsigned n_sent;
};

struct world {
	uint64_t now, delay;
	unsigned loss; /* percent, between the outermost NATs */
	bool naive;    /* every packet has full TTL */
	bool lan;      /* the hosts also share a wire */
	int routers;   /* between the outermost NATs */
	uint32_t random;
	uint16_t fresh_port;
	struct side side[2];
	struct packet packet[PACKETS];
};

static struct world w;

static struct addr
ip(const char *text, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(&a, text, port), 0);
	return a;
}

static unsigned
random_below(unsigned n)
{
	w.random = w.random * 1664525u + 1013904223u;
	return (w.random >> 8) % n;
}

/* The network */

static bool
alive(const struct flow *f)
{
	return f->used &&
	       w.now - f->last < (f->replied ? REPLIED_US : UNREPLIED_US);
}

static struct flow *
flow_new(struct nat *n)
{
	for (int i = 0; i < FLOWS; i++)
		if (!alive(&n->flow[i])) {
			n->flow[i] = (struct flow){.used = true};
			return &n->flow[i];
		}
	fail_msg("the NAT's table is full");
	return NULL;
}

/* Who has the tuple that an answer from remote to our port would match? */
static struct flow *
flow_by_port(struct nat *n, uint16_t port, const struct addr *remote)
{
	for (int i = 0; i < FLOWS; i++)
		if (alive(&n->flow[i]) && n->flow[i].port == port &&
		    addr_equal(&n->flow[i].remote, remote))
			return &n->flow[i];
	return NULL;
}

static void
nat_out(struct nat *n, struct packet *p)
{
	struct flow *f = NULL;

	for (int i = 0; i < FLOWS && f == NULL; i++)
		if (alive(&n->flow[i]) && !n->flow[i].input &&
		    addr_equal(&n->flow[i].inside, &p->src) &&
		    addr_equal(&n->flow[i].remote, &p->dst))
			f = &n->flow[i];
	if (f == NULL) {
		uint16_t port = p->src.port;

		if (n->symmetric || flow_by_port(n, port, &p->dst) != NULL)
			port = w.fresh_port++; /* the clash */
		f = flow_new(n);
		f->inside = p->src;
		f->remote = p->dst;
		f->port = port;
	}
	f->last = w.now;
	p->src = n->outside;
	p->src.port = f->port;
}

static bool
nat_in(struct nat *n, struct packet *p)
{
	struct flow *f = flow_by_port(n, p->dst.port, &p->src);

	if (f == NULL) {
		/* Taken for the NAT's own traffic; nobody answers. */
		f = flow_new(n);
		f->input = true;
		f->remote = p->src;
		f->port = p->dst.port;
	}
	f->last = w.now;
	if (f->input)
		return false;
	f->replied = true;
	p->dst = f->inside;
	return true;
}

static void
drain(int s)
{
	struct side *me = &w.side[s];
	struct output o;

	while (outputs_take(&me->list.out, &o)) {
		struct packet *p = NULL;

		if (o.is_report) {
			me->last = o.report;
			me->reports[o.report.state]++;
			if (o.report.state == PATH_DIRECT)
				me->direct_at = w.now;
			continue;
		}
		assert_true(me->n_sent < 4096);
		me->sent[me->n_sent++] = w.now;
		for (int i = 0; i < PACKETS && p == NULL; i++)
			if (!w.packet[i].used)
				p = &w.packet[i];
		assert_non_null(p);
		*p = (struct packet){.used = true,
		    .at = w.now + MS / 5,
		    .from = s,
		    .src = me->host,
		    .dst = o.remote,
		    .ttl = o.ttl == 0 || w.naive ? 64 : o.ttl,
		    .len = o.len};
		memcpy(p->data, o.data, o.len);
	}
}

static void
step(int s)
{
	w.side[s].next = checklist_step(&w.side[s].list, w.now);
	drain(s);
}

static void
deliver(int s, const struct packet *p)
{
	struct side *me = &w.side[s];
	struct stun_msg m;

	if (me->deaf)
		return;
	assert_int_equal(stun_parse(&m, p->data, p->len), 0);
	checklist_receive(&me->list, &m, &p->src, &p->dst, w.now);
	drain(s);
	step(s);
}

static bool
forwarded(struct packet *p)
{
	return --p->ttl > 0;
}

/* One hop: our NATs, the routers, their NATs, the host. */
static void
hop(struct packet *p)
{
	struct side *me = &w.side[p->from], *peer = &w.side[!p->from];
	int out = me->nats, in = peer->nats, stage = p->stage++;

	p->used = false;
	if (stage == 0 && addr_equal(&p->dst, &me->host)) {
		deliver(p->from, p); /* to itself, under an own candidate */
		return;
	}
	if (stage == 0 && w.lan && addr_equal(&p->dst, &peer->host)) {
		deliver(!p->from, p);
		return;
	}
	if (stage < out) {
		if (!forwarded(p))
			return;
		nat_out(&me->nat[stage], p);
		p->at = w.now + MS / 5;
	} else if (stage < out + w.routers) {
		if (!forwarded(p) ||
		    (stage == out && random_below(100) < w.loss))
			return;
		p->at = w.now + w.delay / (unsigned)w.routers;
	} else if (stage < out + w.routers + in) {
		struct nat *n = &peer->nat[in - 1 - (stage - out - w.routers)];

		if (!addr_equal_ip(&p->dst, &n->outside) || !nat_in(n, p) ||
		    !forwarded(p))
			return;
		p->at = w.now + MS / 5;
	} else {
		if (addr_equal(&p->dst, &peer->host))
			deliver(!p->from, p);
		return;
	}
	p->used = true;
}

static void
run_until(uint64_t end)
{
	while (w.now < end) {
		uint64_t next = end;
		struct packet *p = NULL;

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
			hop(p);
		for (int s = 0; s < 2; s++)
			if (w.side[s].next <= w.now)
				step(s);
	}
}

/* What the rendezvous does */

static void
world_init(int nats_a, int nats_b)
{
	static const char *const outside[2][2] = {
	    {"192.168.7.2", "198.51.100.1"}, {"192.168.7.3", "203.0.113.1"}};
	const int nats[2] = {nats_a, nats_b};

	memset(&w, 0, sizeof(w));
	w.now = SECOND;
	w.delay = 20 * MS;
	w.routers = ROUTERS;
	w.random = 7;
	w.fresh_port = 40000;
	for (int s = 0; s < 2; s++) {
		struct side *me = &w.side[s];

		checklist_init(&me->list, true, 1);
		me->next = UINT64_MAX;
		me->nats = nats[s];
		/* Overlapping: both have the same private address. */
		me->host = ip(nats[s] == 0 ? outside[s][1] : "10.0.0.2", 51820);
		if (nats[s] == 1)
			me->nat[0].outside = ip(outside[s][1], 0);
		for (int i = 0; i < nats[s] && nats[s] == 2; i++)
			me->nat[i].outside = ip(outside[s][i], 0);
	}
}

static struct addr
public_address(int s)
{
	struct side *me = &w.side[s];
	struct addr a =
	    me->nats == 0 ? me->host : me->nat[me->nats - 1].outside;

	a.port = me->host.port;
	return a;
}

static struct check_credentials
credentials(int s)
{
	static const struct check_credentials c[2] = {
	    {"userAAAA", "aaaaaaaaaaaaaaaaaaaaaaaa", "userBBBB",
		"bbbbbbbbbbbbbbbbbbbbbbbb"},
	    {"userBBBB", "bbbbbbbbbbbbbbbbbbbbbbbb", "userAAAA",
		"aaaaaaaaaaaaaaaaaaaaaaaa"}};

	return c[s];
}

/* Tells s about its peer: the host and the server-reflexive candidate. */
static void
introduce(int s, uint32_t generation, bool controlling)
{
	struct side *me = &w.side[s], *peer = &w.side[!s];
	struct remote r[2] = {
	    {CANDIDATE_HOST, peer->host, 2130706431u},
	    {CANDIDATE_SRFLX, public_address(!s), 1694498815u},
	};
	struct introduction i = {.generation = generation,
	    .count = 2,
	    .controlling = controlling,
	    .credentials = credentials(s)};

	assert_int_equal(checklist_remote(&me->list, generation, &r[0]), 0);
	assert_int_equal(checklist_remote(&me->list, generation, &r[1]), 0);
	assert_int_equal(checklist_introduce(&me->list, &i, w.now), 0);
	drain(s);
	step(s);
}

static void
go(int s, uint32_t generation, uint64_t skew_ms)
{
	assert_int_equal(
	    checklist_go(&w.side[s].list, generation, 0, skew_ms, w.now), 0);
	drain(s);
	step(s);
}

/* A is introduced at once, B so much later, then both get their go. */
static void
meet(uint64_t skew_ms, bool a_controls)
{
	introduce(A, 1, a_controls);
	run_until(w.now + skew_ms * MS);
	introduce(B, 1, !a_controls);
	run_until(w.now + 20 * MS);
	go(A, 1, 10);
	run_until(w.now + 10 * MS);
	go(B, 1, 10);
}

static bool
direct(int s)
{
	return w.side[s].list.state == PATH_DIRECT;
}

static void
assert_direct(int s, struct addr endpoint, enum candidate_type method)
{
	struct report *r = &w.side[s].last;

	assert_int_equal(r->state, PATH_DIRECT);
	assert_true(addr_equal(&r->endpoint, &endpoint));
	assert_int_equal(r->method, method);
	assert_true(direct(s));
}

/* No second of the run has more packets than this, of one side. */
static void
assert_rate(int s, unsigned most)
{
	struct side *me = &w.side[s];
	unsigned first = 0;

	for (unsigned i = 0; i < me->n_sent; i++) {
		while (me->sent[i] - me->sent[first] >= SECOND)
			first++;
		assert_true(i - first + 1 <= most);
	}
}

/* The negative control: what low TTL is for. */
static void
naive_clashes(void **state)
{
	(void)state;
	for (uint64_t skew = 50; skew <= 1000; skew += 50) {
		world_init(1, 1);
		w.naive = true;
		meet(skew, true);
		run_until(w.now + 25 * SECOND);
		assert_int_equal(w.side[A].reports[PATH_DIRECT], 0);
		assert_int_equal(w.side[B].reports[PATH_DIRECT], 0);
		assert_int_equal(w.side[A].last.state, PATH_FAILED);
		assert_string_equal(w.side[A].last.reason, "no-answer");
	}
}

static void
masquerade_both(void **state)
{
	(void)state;
	for (uint64_t skew = 0; skew <= 1000; skew += 50) {
		uint64_t went;

		world_init(1, 1);
		meet(skew, true);
		went = w.now;
		run_until(w.now + 5 * SECOND);
		assert_direct(A, public_address(B), CANDIDATE_SRFLX);
		assert_direct(B, public_address(A), CANDIDATE_SRFLX);
		assert_true(w.side[A].direct_at - went < 600 * MS);
		assert_true(w.side[B].direct_at - went < 600 * MS);
		assert_int_equal(w.side[A].reports[PATH_DIRECT], 1);
		assert_int_equal(w.side[B].reports[PATH_DIRECT], 1);
		assert_rate(A, 55);
	}
}

static void
roles_are_symmetric(void **state)
{
	(void)state;
	for (int controls = 0; controls < 2; controls++) {
		world_init(1, 1);
		meet(300, controls == 0);
		run_until(w.now + 5 * SECOND);
		assert_direct(A, public_address(B), CANDIDATE_SRFLX);
		assert_direct(B, public_address(A), CANDIDATE_SRFLX);
	}
}

static void
lost_go(void **state)
{
	(void)state;
	for (int deaf = 0; deaf < 2; deaf++) {
		world_init(1, 1);
		introduce(A, 1, true);
		introduce(B, 1, false);
		run_until(w.now + 50 * MS);
		go(deaf, 1, 10);
		run_until(w.now + 2 * SECOND);
		assert_true(direct(A) && direct(B));
	}
}

static void
no_go_at_all(void **state)
{
	(void)state;
	world_init(1, 1);
	introduce(A, 1, true);
	run_until(w.now + 700 * MS);
	introduce(B, 1, false);
	run_until(w.now + 2 * SECOND);
	assert_false(direct(A) || direct(B));
	run_until(w.now + 3 * SECOND);
	assert_true(direct(A) && direct(B));
}

static void
losses(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 40; seed++) {
		world_init(1, 1);
		w.loss = 30;
		w.random = seed;
		meet(200, seed % 2 == 0);
		run_until(w.now + 10 * SECOND);
		assert_int_equal(w.side[A].reports[PATH_FAILED], 0);
		assert_true(w.side[A].reports[PATH_DIRECT] > 0);
		assert_true(w.side[B].reports[PATH_DIRECT] > 0);
		assert_rate(A, 55);
		assert_rate(B, 55);
	}
}

static void
double_nat(void **state)
{
	(void)state;
	for (int shape = 1; shape < 4; shape++) {
		world_init(1 + (shape & 1), 1 + (shape >> 1));
		meet(400, shape != 2);
		run_until(w.now + 3 * SECOND);
		assert_direct(A, public_address(B), CANDIDATE_SRFLX);
		assert_direct(B, public_address(A), CANDIDATE_SRFLX);
	}
}

/* So short a way that TTL 3 gets through to the other side's outer NAT: it is
 * a matter of luck, unless both know how many NATs they have. */
static void
double_nat_next_door(void **state)
{
	(void)state;
	for (int know = 0; know < 2; know++)
		for (int single = 0; single < 2; single++) {
			world_init(1 + (single == B), 1 + (single == A));
			w.routers = 1;
			w.delay = MS / 10;
			if (know) {
				w.side[A].list.depth = 1 + (single == B);
				w.side[B].list.depth = 1 + (single == A);
			}
			introduce(A, 1, true);
			introduce(B, 1, false);
			run_until(w.now + 20 * MS);
			go(single, 1, 10); /* the wrong one goes first */
			run_until(w.now + 10 * MS);
			go(!single, 1, 10);
			run_until(w.now + 3 * SECOND);
			assert_int_equal(direct(A) && direct(B), know);
		}
}

static void
same_lan(void **state)
{
	uint64_t met;

	(void)state;
	world_init(1, 1);
	w.lan = true;
	w.side[B].host = ip("10.0.0.3", 51820);
	introduce(A, 1, false);
	run_until(w.now + 100 * MS);
	met = w.now;
	introduce(B, 1, true);
	/* Neither needs a go, nor the grace: the best has answered. */
	run_until(w.now + 300 * MS);
	assert_direct(A, w.side[B].host, CANDIDATE_HOST);
	assert_direct(B, w.side[A].host, CANDIDATE_HOST);
	assert_true(w.side[A].direct_at - met < 100 * MS);
}

/* One side public, the other's NAT picks a port for each destination: only its
 * own checks show where it is. */
static void
peer_reflexive(void **state)
{
	for (int controls = 0; controls < 2; controls++) {
		(void)state;
		world_init(0, 1);
		w.side[B].nat[0].symmetric = true;
		meet(300, controls == 0);
		run_until(w.now + 3 * SECOND);
		assert_true(direct(A));
		assert_int_equal(w.side[A].last.method, CANDIDATE_PRFLX);
		assert_true(w.side[A].last.endpoint.port >= 40000);
		assert_direct(B, w.side[A].host, CANDIDATE_HOST);
	}
}

static void
one_way(void **state)
{
	(void)state;
	for (int s = 0; s < 2; s++) {
		world_init(1, 1);
		w.side[s].deaf = true;
		meet(100, true);
		run_until(w.now + 14 * SECOND);
		assert_int_equal(w.side[A].reports[PATH_DIRECT], 0);
		assert_int_equal(w.side[B].reports[PATH_DIRECT], 0);
	}
}

static void
quiet_path_stays(void **state)
{
	(void)state;
	world_init(1, 1);
	meet(100, true);
	run_until(w.now + 300 * SECOND);
	assert_int_equal(w.side[A].reports[PATH_DIRECT], 1);
	assert_int_equal(w.side[A].reports[PATH_LOST], 0);
	assert_int_equal(w.side[B].reports[PATH_LOST], 0);
	assert_true(w.now - w.side[A].list.consent.good_us < 6 * SECOND);
	assert_true(w.now - w.side[B].list.consent.good_us < 6 * SECOND);
}

static bool
lives(int s)
{
	return direct(s) && w.now - w.side[s].list.consent.good_us < 6 * SECOND;
}

/* A NAT without its table, whichever it is and at any moment of the consent
 * period: the path goes on, unless a check was just then on its way. */
static void
flushed_table(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (int s = 0; s < 2; s++)
		for (uint64_t at = 0; at < 5000; at += 25) {
			world_init(1, 1);
			meet(100, true);
			run_until(w.now + 10 * SECOND + at * MS);
			memset(w.side[s].nat[0].flow, 0,
			    sizeof(w.side[s].nat[0].flow));
			run_until(w.now + 15 * SECOND);
			if (!lives(A) || !lives(B))
				bad++;
		}
	assert_true(bad * 100 <= 400 * 3);
}

/* The line is cut for longer than consent lasts. */
static void
lost_and_found(void **state)
{
	(void)state;
	world_init(1, 1);
	meet(100, true);
	run_until(w.now + 10 * SECOND);
	w.side[A].deaf = w.side[B].deaf = true;
	run_until(w.now + 14 * SECOND);
	for (int s = 0; s < 2; s++) {
		assert_int_equal(w.side[s].reports[PATH_LOST], 1);
		assert_int_equal(w.side[s].last.state, PATH_CHECKING);
		w.side[s].deaf = false;
	}
	run_until(w.now + 5 * SECOND);
	assert_direct(A, public_address(B), CANDIDATE_SRFLX);
	assert_direct(B, public_address(A), CANDIDATE_SRFLX);
}

/* B gets another address: A hears of it in a new generation, B gets a go. */
static void
new_generation(void **state)
{
	(void)state;
	for (int controls = 0; controls < 2; controls++) {
		uint64_t told;

		world_init(1, 1);
		meet(100, controls == 0);
		run_until(w.now + 20 * SECOND);
		memset(&w.side[B].nat[0], 0, sizeof(w.side[B].nat[0]));
		w.side[B].nat[0].outside = ip("203.0.113.99", 0);
		w.side[B].host = ip("10.0.0.77", 51820);
		run_until(w.now + 300 * MS);
		told = w.now;
		introduce(A, 2, controls == 0);
		assert_true(direct(A));
		run_until(w.now + 30 * MS);
		go(A, 2, 10);
		go(B, 1, 10);
		run_until(w.now + 3 * SECOND);
		assert_direct(A, public_address(B), CANDIDATE_SRFLX);
		assert_true(w.side[A].direct_at - told < 1500 * MS);
		assert_true(direct(B));
		assert_int_equal(w.side[A].reports[PATH_LOST], 0);
		assert_int_equal(w.side[A].reports[PATH_DIRECT], 2);
	}
}

/* The same next door, where all takes a millisecond: what B sends before A has
 * opened its NAT for the new address would be a clash. */
static void
new_generation_next_door(void **state)
{
	(void)state;
	for (int controls = 0; controls < 2; controls++) {
		world_init(1, 1);
		w.routers = 1;
		w.delay = MS / 10;
		meet(100, controls == 0);
		run_until(w.now + 4 * SECOND);
		memset(&w.side[B].nat[0], 0, sizeof(w.side[B].nat[0]));
		w.side[B].nat[0].outside = ip("203.0.113.99", 0);
		w.side[B].host = ip("10.0.0.77", 51820);
		go(B, 1, 5);
		run_until(w.now + 2 * MS);
		introduce(A, 2, controls == 0);
		go(A, 2, 5);
		run_until(w.now + 3 * SECOND);
		assert_direct(A, public_address(B), CANDIDATE_SRFLX);
		assert_true(direct(B));
		assert_int_equal(w.side[A].reports[PATH_LOST], 0);
	}
}

/* A new generation that changes nothing: no report, no gap. */
static void
same_generation_again(void **state)
{
	(void)state;
	world_init(1, 1);
	meet(100, true);
	run_until(w.now + 20 * SECOND);
	introduce(A, 2, true);
	introduce(B, 2, false);
	run_until(w.now + 50 * MS);
	go(A, 2, 10);
	go(B, 2, 10);
	run_until(w.now + 20 * SECOND);
	for (int s = 0; s < 2; s++) {
		assert_true(direct(s));
		assert_int_equal(w.side[s].reports[PATH_DIRECT], 1);
		assert_int_equal(w.side[s].reports[PATH_LOST], 0);
	}
}

/* B starts afresh, knowing nothing; A keeps its path and says nothing. */
static void
restarted_peer(void **state)
{
	(void)state;
	for (int controls = 0; controls < 2; controls++) {
		world_init(1, 1);
		meet(100, controls == 0);
		run_until(w.now + 20 * SECOND);
		checklist_init(&w.side[B].list, true, 2);
		memset(w.side[B].reports, 0, sizeof(w.side[B].reports));
		introduce(A, 2, controls == 0);
		introduce(B, 2, controls != 0);
		run_until(w.now + 50 * MS);
		go(A, 2, 10);
		go(B, 2, 10);
		run_until(w.now + 20 * SECOND);
		assert_direct(B, public_address(A), CANDIDATE_SRFLX);
		assert_int_equal(w.side[A].reports[PATH_DIRECT], 1);
		assert_int_equal(w.side[A].reports[PATH_LOST], 0);
	}
}

/* After a clash nothing helps but silence, which the retry keeps. */
static void
silence_cures_a_clash(void **state)
{
	(void)state;
	world_init(1, 1);
	w.naive = true;
	meet(400, true);
	run_until(w.now + 25 * SECOND);
	assert_int_equal(w.side[A].last.state, PATH_FAILED);
	assert_int_equal(w.side[B].last.state, PATH_FAILED);
	w.naive = false;
	run_until(w.now + 50 * SECOND);
	assert_true(direct(A) && direct(B));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(naive_clashes),
	    cmocka_unit_test(one_way),
	    cmocka_unit_test(masquerade_both),
	    cmocka_unit_test(roles_are_symmetric),
	    cmocka_unit_test(lost_go),
	    cmocka_unit_test(no_go_at_all),
	    cmocka_unit_test(losses),
	    cmocka_unit_test(double_nat),
	    cmocka_unit_test(double_nat_next_door),
	    cmocka_unit_test(same_lan),
	    cmocka_unit_test(peer_reflexive),
	    cmocka_unit_test(quiet_path_stays),
	    cmocka_unit_test(flushed_table),
	    cmocka_unit_test(lost_and_found),
	    cmocka_unit_test(new_generation),
	    cmocka_unit_test(new_generation_next_door),
	    cmocka_unit_test(same_generation_again),
	    cmocka_unit_test(restarted_peer),
	    cmocka_unit_test(silence_cures_a_clash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

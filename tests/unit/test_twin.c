/* SPDX-License-Identifier: ISC */
/* Two machines that lend each other their address, in memory: what one hands
 * in, the other gets, and an enemy in between changes what it likes. */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "borrower.h"
#include "integrity.h"
#include "lender.h"

struct machine {
	uint8_t secret[KEY_LEN], public[KEY_LEN];
	struct twin_keys keys;
	struct twin_places places;
	struct lender lender;
	struct borrower borrower;
	struct addr link; /* the borrower's socket */
};

struct packet {
	uint8_t data[TWIN_MAX];
	size_t len;
};

#define RATE 100
#define WALL_NS (UINT64_C(1700000000) * 1000000000)

static struct machine a, b, stranger;
static uint64_t now_ms;
static struct lender_action act;
static const struct addr client = {
    .family = ADDR_V4, .ip = {203, 0, 113, 5}, .port = 40000};
static const struct addr client6 = {
    .family = ADDR_V6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 5}, .port = 40001};

static struct addr
at4(uint8_t host, uint16_t port)
{
	return (struct addr){
	    .family = ADDR_V4, .ip = {192, 0, 2, host}, .port = port};
}

static void
machine_init(struct machine *m, uint8_t host)
{
	randombytes_buf(m->secret, KEY_LEN);
	crypto_scalarmult_base(m->public, m->secret);
	memset(&m->places, 0, sizeof(m->places));
	for (uint8_t i = 0; i < TWIN_PORTS; i++) {
		m->places.v4[i] = at4(host, (uint16_t)(3478 + i));
		m->places.v6[i] = (struct addr){.family = ADDR_V6,
		    .ip = {0x20, 1, 0xd, 0xb8, [15] = host},
		    .port = (uint16_t)(3478 + i)};
	}
	m->link = at4(host, (uint16_t)(50000 + host));
}

static void
start_borrower(struct machine *m)
{
	borrower_free(&m->borrower);
	borrower_init(&m->borrower, &m->keys, &m->places, now_ms);
}

static void
start_lender(struct machine *m)
{
	lender_free(&m->lender);
	assert_int_equal(
	    lender_init(&m->lender, &m->keys, &m->places, RATE, now_ms), 0);
}

static void
pair_up(struct machine *m, const struct machine *with)
{
	assert_int_equal(
	    twin_keys_init(&m->keys, m->secret, m->public, with->public), 0);
	start_borrower(m);
	start_lender(m);
}

static int
setup(void **state)
{
	(void)state;
	now_ms = 1000000;
	machine_init(&a, 1);
	machine_init(&b, 2);
	machine_init(&stranger, 3);
	pair_up(&a, &b);
	pair_up(&b, &a);
	pair_up(&stranger, &b);
	return 0;
}

static int
teardown(void **state)
{
	struct machine *all[] = {&a, &b, &stranger};

	(void)state;
	for (int i = 0; i < 3; i++) {
		lender_free(&all[i]->lender);
		borrower_free(&all[i]->borrower);
	}
	return 0;
}

/* What m's borrower has to say now, if anything. */
static bool
says(struct machine *m, struct packet *p)
{
	uint64_t at;

	p->len = borrower_step(
	    &m->borrower, now_ms, WALL_NS + now_ms * 1000000, p->data, &at);
	return p->len > 0;
}

static enum lender_outcome
gives(struct machine *from, struct machine *to, const struct packet *p,
    struct packet *answer)
{
	enum lender_outcome rc = lender_input(
	    &to->lender, p->data, p->len, now_ms, answer->data, &act);

	(void)from; /* a lender asks not where, but who */
	answer->len = act.len;
	assert_true(act.len <= p->len); /* no answer is longer */
	return rc;
}

/* All that m has to say now goes to the other, and all answers come back. */
static void
talk(struct machine *m, struct machine *to)
{
	struct packet p, answer;

	while (says(m, &p)) {
		gives(m, to, &p, &answer);
		if (answer.len > 0)
			borrower_input(
			    &m->borrower, answer.data, answer.len, now_ms);
	}
}

/* For so long, with a timer that is never late. to NULL: nobody is there. */
static void
pass(struct machine *m, struct machine *to, uint64_t ms)
{
	struct packet p;

	for (uint64_t end = now_ms + ms; now_ms < end; now_ms += 100) {
		if (to != NULL)
			talk(m, to);
		else
			while (says(m, &p))
				;
	}
}

/* As an enemy does it, who can't make anything else right. */
static void
fingerprint(struct packet *p)
{
	put_u32(p->data + p->len - FINGERPRINT_LEN,
	    integrity_fingerprint(p->data, p->len - 4 - FINGERPRINT_LEN));
}

static bool
is_up(const struct machine *m)
{
	return borrower_places(&m->borrower, ADDR_V4) != NULL;
}

/* A Binding success that tells its receiver that address. */
static struct twin_order
order(struct packet *store, const struct addr *to, const struct addr *mapped)
{
	uint8_t tid[STUN_TID_LEN] = "transaction";
	struct stun_buf s;

	stun_begin(&s, store->data, sizeof(store->data), STUN_BINDING,
	    STUN_SUCCESS, tid);
	stun_put_xor_addr(&s, STUN_XOR_MAPPED_ADDRESS, mapped);
	store->len = (size_t)stun_end(&s, false);
	return (struct twin_order){
	    .port = 1, .to = *to, .data = store->data, .len = store->len};
}

static void
lends(struct machine *m, const struct twin_order *o, struct packet *p)
{
	int len =
	    borrower_lend(&m->borrower, o, now_ms, p->data, sizeof(p->data));

	assert_true(len > 0);
	p->len = (size_t)len;
}

/* Nothing was known before the handshake; afterwards the twin sends what it is
 * asked to send, from where it is asked to. */
static void
test_lend(void **state)
{
	struct packet msg, p, answer;
	struct twin_order o = order(&msg, &client, &client);

	(void)state;
	assert_false(is_up(&a));
	assert_int_equal(
	    borrower_lend(&a.borrower, &o, now_ms, p.data, sizeof(p.data)),
	    -ENOTCONN);
	talk(&a, &b);
	assert_true(is_up(&a));
	assert_false(is_up(&b)); /* the other direction is its own */
	assert_true(addr_equal(
	    &borrower_places(&a.borrower, ADDR_V4)[1], &b.places.v4[1]));
	assert_true(addr_equal(
	    &borrower_places(&a.borrower, ADDR_V6)[0], &b.places.v6[0]));

	lends(&a, &o, &p);
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_lent);
	assert_int_equal(answer.len, 0);
	assert_int_equal(act.order.port, 1);
	assert_true(addr_equal(&act.order.to, &client));
	assert_int_equal(act.order.len, msg.len);
	assert_memory_equal(act.order.data, msg.data, msg.len);

	o = order(&msg, &client6, &client6);
	lends(&a, &o, &p);
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_lent);
	assert_true(addr_equal(&act.order.to, &client6));
}

static void
test_replay(void **state)
{
	struct packet msg, p, answer;
	struct twin_order o = order(&msg, &client, &client);

	(void)state;
	talk(&a, &b);
	lends(&a, &o, &p);
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_lent);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(gives(&a, &b, &p, &answer), LENDER_replayed);
		assert_int_equal(answer.len, 0);
	}
}

/* A HELLO by itself gives its sender, or who repeats it, nothing. */
static void
test_replayed_hello(void **state)
{
	struct packet hello, late, answer, msg, p;
	struct twin_order o = order(&msg, &client, &client);
	int answers = 0;

	(void)state;
	assert_true(says(&a, &late)); /* comes after all else */
	now_ms += BORROWER_HELLO_MS;
	assert_true(says(&a, &hello));
	assert_int_equal(gives(&a, &b, &hello, &answer), LENDER_hello);
	assert_int_equal(lender_sessions(&b.lender, now_ms), 0);
	for (int i = 0; i < 50; i++)
		answers += gives(&a, &b, &hello, &answer) == LENDER_hello;
	assert_int_equal(answers, LENDER_REPEATS);

	/* later it is not answered, and takes nothing from the twin */
	now_ms += 60000;
	for (int i = 0; i < 2000; i++)
		assert_int_equal(
		    gives(&a, &b, &hello, &answer), LENDER_replayed);
	assert_int_equal(lender_sessions(&b.lender, now_ms), 0);

	/* nor is one that is new here, but older than a session */
	now_ms += 60000;
	talk(&a, &b);
	assert_true(is_up(&a));
	assert_int_equal(gives(&a, &b, &late, &answer), LENDER_replayed);
	assert_int_equal(answer.len, 0);
	lends(&a, &o, &p);
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_lent);
}

static void
test_wrong_key(void **state)
{
	struct packet p, answer;
	struct stun_msg m;
	struct noise n;
	uint64_t ts;

	(void)state;
	/* b answers a alone; it costs b one hash, and tells nothing */
	assert_true(says(&stranger, &p));
	assert_int_equal(gives(&stranger, &b, &p, &answer), LENDER_forged);
	assert_int_equal(answer.len, 0);
	/* which is not all that stands in its way */
	assert_int_equal(stun_parse(&m, p.data, p.len), 0);
	assert_false(twin_hello_check(&b.keys, &m));
	assert_int_equal(twin_hello_read(&n, &b.keys, &m, &ts), -EACCES);
	pass(&stranger, &b, 20000);
	assert_false(is_up(&stranger));
	assert_int_equal(lender_sessions(&b.lender, now_ms), 0);
	/* what a sends to b is nothing to the stranger, nor to a itself */
	assert_true(says(&a, &p));
	assert_int_equal(gives(&a, &stranger, &p, &answer), LENDER_forged);
	assert_int_equal(gives(&a, &a, &p, &answer), LENDER_forged);
}

static void
test_bad_keys(void **state)
{
	static const uint8_t zero[KEY_LEN];
	struct twin_keys k;

	(void)state;
	assert_int_equal(
	    twin_keys_init(&k, a.secret, a.public, a.public), -EINVAL);
	assert_int_equal(twin_keys_init(&k, a.secret, a.public, zero), -EINVAL);
}

/* Every byte of every message of the link, changed: nothing comes of it. */
static void
test_forged(void **state)
{
	struct packet msg, p, bad, answer;
	struct twin_order o = order(&msg, &client, &client);

	(void)state;
	assert_true(says(&a, &p));
	for (size_t i = 0; i < p.len; i++) {
		bad = p;
		bad.data[i] ^= 1;
		if (i < p.len - 8)
			fingerprint(&bad);
		assert_int_equal(gives(&a, &b, &bad, &answer), LENDER_forged);
		assert_int_equal(answer.len, 0);
	}
	gives(&a, &b, &p, &answer);
	for (size_t i = 0; i < answer.len; i++) {
		bad = answer;
		bad.data[i] ^= 1;
		if (i < answer.len - 8)
			fingerprint(&bad);
		borrower_input(&a.borrower, bad.data, bad.len, now_ms);
		assert_false(says(&a, &p));
	}
	borrower_input(&a.borrower, answer.data, answer.len, now_ms);
	talk(&a, &b);
	assert_true(is_up(&a));
	lends(&a, &o, &p);
	for (size_t i = 0; i < p.len; i++) {
		enum lender_outcome rc;

		bad = p;
		bad.data[i] ^= 1;
		if (i < p.len - 8)
			fingerprint(&bad);
		rc = gives(&a, &b, &bad, &answer);
		assert_int_not_equal(rc, LENDER_lent);
		assert_int_equal(answer.len, 0);
	}
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_lent);
}

static void
assert_unfit(const struct twin_order *o)
{
	struct packet p, answer;

	now_ms += 1000; /* for the rates */
	lends(&a, o, &p);
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_unfit);
	assert_int_equal(answer.len, 0);
}

static void
assert_unfit_to(struct addr to)
{
	struct packet msg;
	struct twin_order o = order(&msg, &to, &to);

	assert_unfit(&o);
}

/* A stolen key sends nothing but answers, and those to no forbidden place. */
static void
test_unfit(void **state)
{
	static const uint8_t text[40] = "GET / HTTP/1.0";
	uint8_t tid[STUN_TID_LEN] = "transaction";
	struct packet msg;
	struct twin_order o;
	struct stun_buf s;

	(void)state;
	talk(&a, &b);
	assert_unfit_to(b.places.v4[0]);
	assert_unfit_to(b.places.v6[1]);
	assert_unfit_to(at4(2, 53)); /* any port of its own */
	assert_unfit_to((struct addr){.family = ADDR_V4, .port = 9});
	assert_unfit_to(at4(9, 0));
	assert_unfit_to((struct addr){
	    .family = ADDR_V4, .ip = {224, 0, 0, 251}, .port = 5353});
	assert_unfit_to((struct addr){
	    .family = ADDR_V4, .ip = {255, 255, 255, 255}, .port = 9});
	assert_unfit_to((struct addr){
	    .family = ADDR_V6, .ip = {0xff, 2, [15] = 1}, .port = 9});
	/* what only this machine can reach */
	assert_unfit_to(
	    (struct addr){.family = ADDR_V4, .ip = {127, 0, 0, 1}, .port = 53});
	assert_unfit_to(
	    (struct addr){.family = ADDR_V6, .ip = {[15] = 1}, .port = 53});
	o = order(&msg, &client, &a.link); /* another's address */
	assert_unfit(&o);
	o = order(&msg, &client, &client);
	o.data = text;
	o.len = sizeof(text);
	assert_unfit(&o);
	o.len = 0;
	assert_unfit(&o);
	o = order(&msg, &client, &client);
	msg.data[0] = 0; /* a request */
	assert_unfit(&o);
	for (unsigned int type = STUN_USERNAME; type <= STUN_NONCE; type++) {
		stun_begin(&s, msg.data, sizeof(msg.data), STUN_BINDING,
		    STUN_SUCCESS, tid);
		stun_put_xor_addr(&s, STUN_XOR_MAPPED_ADDRESS, &client);
		stun_put(&s, (uint16_t)type, text, sizeof(text));
		o.len = (size_t)stun_end(&s, false);
		assert_unfit(&o);
	}
	stun_begin(
	    &s, msg.data, sizeof(msg.data), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_xor_addr(&s, STUN_XOR_MAPPED_ADDRESS, &client);
	stun_put(&s, STUN_PADDING, text, sizeof(text));
	o.len = (size_t)stun_end(&s, false);
	assert_unfit(&o);
	/* an answer that doesn't say what was asked */
	stun_begin(
	    &s, msg.data, sizeof(msg.data), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_addr(&s, STUN_RESPONSE_ORIGIN, &b.places.v4[0]);
	o.len = (size_t)stun_end(&s, false);
	assert_unfit(&o);
}

/* ... but all that a responder makes: RFC 5780's, with padding, and RFC
 * 3489's. */
static void
test_fit(void **state)
{
	uint8_t tid[STUN_TID_LEN] = "transaction";
	struct packet msg, p, answer;
	struct twin_order o = order(&msg, &client, &client);
	struct stun_buf s;

	(void)state;
	talk(&a, &b);
	stun_begin(
	    &s, msg.data, sizeof(msg.data), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_xor_addr(&s, STUN_XOR_MAPPED_ADDRESS, &client);
	stun_put_addr(&s, STUN_MAPPED_ADDRESS, &client);
	stun_put_addr(&s, STUN_RESPONSE_ORIGIN, &b.places.v4[0]);
	stun_put_addr(&s, STUN_OTHER_ADDRESS, &a.places.v4[1]);
	stun_put_space(&s, STUN_PADDING, 1500);
	o.len = (size_t)stun_end(&s, true);
	lends(&a, &o, &p);
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_lent);

	stun_begin(
	    &s, msg.data, sizeof(msg.data), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_addr(&s, STUN_MAPPED_ADDRESS, &client);
	stun_put_addr(&s, STUN_SOURCE_ADDRESS, &b.places.v4[0]);
	o.len = (size_t)stun_end(&s, false);
	put_u32(msg.data + 4, 0x12345678); /* no cookie */
	lends(&a, &o, &p);
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_lent);
	assert_memory_equal(act.order.data, msg.data, o.len);

	o.len = TWIN_CARRY_MAX + 1;
	assert_int_equal(
	    borrower_lend(&a.borrower, &o, now_ms, p.data, sizeof(p.data)),
	    -EMSGSIZE);
}

/* One address gets no more than an address would from one machine. */
static void
test_rate(void **state)
{
	struct packet msg, p, answer;
	struct twin_order o = order(&msg, &client, &client);
	int sent = 0;

	(void)state;
	talk(&a, &b);
	for (int i = 0; i < 1000; i++) {
		lends(&a, &o, &p);
		sent += gives(&a, &b, &p, &answer) == LENDER_lent;
	}
	assert_int_equal(sent, 2 * RATE);
}

/* Whoever forges many sources makes us burden the twin with no more than it
 * would carry out. */
static void
test_burden(void **state)
{
	struct packet msg, p;
	struct twin_order o = order(&msg, &client, &client);
	int sent = 0;

	(void)state;
	talk(&a, &b);
	for (int i = 0; i < 3 * BORROWER_ORDERS; i++)
		sent += borrower_lend(&a.borrower, &o, now_ms, p.data,
			    sizeof(p.data)) > 0;
	assert_int_equal(sent, BORROWER_ORDERS);
	now_ms += 1000;
	lends(&a, &o, &p);
}

/* As many processes as there may be renew their sessions, and no other one's
 * is forgotten for it. */
static void
test_processes(void **state)
{
	static struct borrower process[64];
	struct borrower own = a.borrower;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 64; i++) {
			a.borrower = round == 0 ? own : process[i];
			talk(&a, &b);
			process[i] = a.borrower;
			now_ms += 50;
		}
		for (int i = 0; i < 64; i++)
			assert_true(process[i].up);
		assert_int_equal(
		    lender_sessions(&b.lender, now_ms), round == 0 ? 64 : 128);
		for (int i = 0; round == 0 && i < 64; i++)
			process[i].hello_ms = now_ms;
	}
	a.borrower = own;
}

/* -r, as the responder has it. */
static void
test_rate_max(void **state)
{
	struct lender l;

	(void)state;
	assert_int_equal(
	    lender_init(&l, &a.keys, &a.places, LIMIT_RATE_MAX, now_ms), 0);
	lender_free(&l);
	assert_int_equal(
	    lender_init(&l, &a.keys, &a.places, LIMIT_RATE_MAX + 1, now_ms),
	    -EINVAL);
}

/* The link outlives its sessions, and stays quiet. */
static void
test_long(void **state)
{
	struct packet msg, p, answer;
	struct twin_order o = order(&msg, &client, &client);
	uint8_t first[TWIN_ID_LEN];

	(void)state;
	talk(&a, &b);
	memcpy(first, a.borrower.now.session.id, TWIN_ID_LEN);
	for (int minute = 0; minute < 10; minute++) {
		pass(&a, &b, 60000);
		assert_true(is_up(&a));
		assert_in_range(now_ms - a.borrower.now.made_ms, 0,
		    BORROWER_RENEW_MS + 1000);
		/* at most the old session and the new one */
		assert_in_range(lender_sessions(&b.lender, now_ms), 1, 2);
		lends(&a, &o, &p);
		assert_int_equal(gives(&a, &b, &p, &answer), LENDER_lent);
	}
	assert_memory_not_equal(first, a.borrower.now.session.id, TWIN_ID_LEN);
}

/* A twin that is silent is given up within 9 s, and found again within the
 * longest interval of tries. */
static void
test_silence(void **state)
{
	struct packet p;
	int sent = 0;

	(void)state;
	talk(&a, &b);
	pass(&a, NULL, BORROWER_KEEPALIVE_MS);
	assert_true(is_up(&a));
	pass(&a, NULL, (BORROWER_PROBES + 1) * BORROWER_PROBE_MS);
	assert_false(is_up(&a));
	for (int i = 0; i < 600; i++, now_ms += 100)
		while (says(&a, &p))
			sent++;
	assert_in_range(sent, 14, 18); /* a minute of it */
	pass(&a, &b, BORROWER_HELLO_MAX_MS);
	assert_true(is_up(&a));
}

/* "Connection refused" is a hint to ask, and no more. */
static void
test_refused(void **state)
{
	(void)state;
	talk(&a, &b);
	for (int i = 0; i < 100; i++) {
		borrower_refused(&a.borrower, now_ms);
		pass(&a, &b, 100);
		assert_true(is_up(&a));
	}
	borrower_refused(&a.borrower, now_ms);
	pass(&a, NULL, (BORROWER_PROBES + 1) * BORROWER_PROBE_MS);
	assert_false(is_up(&a));
}

/* A twin that has begun to ask is there: no need to wait for the next try. */
static void
test_hint(void **state)
{
	struct packet p;

	(void)state;
	pass(&a, NULL, 30000);
	talk(&a, &b);
	while (says(&a, &p))
		;
	assert_false(is_up(&a));
	borrower_hint(&a.borrower, now_ms);
	talk(&a, &b);
	assert_true(is_up(&a));
	/* obeyed once in a while, and not at all while the link is up */
	borrower_hint(&a.borrower, now_ms);
	assert_false(says(&a, &p));
	start_borrower(&a);
	borrower_hint(&a.borrower, now_ms);
	assert_true(says(&a, &p));
	for (int i = 0; i < 10; i++) {
		borrower_hint(&a.borrower, now_ms);
		assert_false(says(&a, &p));
	}
}

/* A lender that has forgotten says so, and a forged 481 ends nothing. */
static void
test_restart_lender(void **state)
{
	struct packet p, hello, answer;
	uint8_t forged[64];
	struct stun_msg m;
	int len, hellos = 0;

	(void)state;
	talk(&a, &b);
	start_lender(&b);
	pass(&a, &b, BORROWER_KEEPALIVE_MS + 200);
	assert_true(is_up(&a));
	assert_int_equal(lender_sessions(&b.lender, now_ms), 1);

	now_ms += BORROWER_KEEPALIVE_MS;
	assert_true(says(&a, &p));
	assert_int_equal(stun_parse(&m, p.data, p.len), 0);
	len = twin_unknown(&m, forged, sizeof(forged));
	assert_true(len > 0);
	for (int i = 0; i < 100; i++) {
		borrower_input(&a.borrower, forged, (size_t)len, now_ms);
		while (says(&a, &hello))
			hellos++;
	}
	assert_int_equal(hellos, 1);
	assert_true(is_up(&a));
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_alive);
	borrower_input(&a.borrower, answer.data, answer.len, now_ms);
	assert_true(is_up(&a));
}

static void
test_restart_borrower(void **state)
{
	(void)state;
	talk(&a, &b);
	for (int i = 0; i < 3 * LENDER_SESSIONS; i++) {
		now_ms += 100;
		start_borrower(&a);
		talk(&a, &b);
		assert_true(is_up(&a));
	}
	assert_int_equal(lender_sessions(&b.lender, now_ms), LENDER_SESSIONS);
	pass(&a, &b, LENDER_SILENT_MS);
	assert_int_equal(lender_sessions(&b.lender, now_ms), 1);
}

/* A twin whose clock was set back is let in once its sessions are forgotten. */
static void
test_clock_back(void **state)
{
	struct packet p, answer;
	uint64_t at;

	(void)state;
	talk(&a, &b);
	start_borrower(&a);
	p.len = borrower_step(&a.borrower, now_ms, WALL_NS / 2, p.data, &at);
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_replayed);
	now_ms += LENDER_SILENT_MS;
	p.len = borrower_step(&a.borrower, now_ms, WALL_NS / 2, p.data, &at);
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_hello);
}

/* A flood of HELLOs and of sessions that nobody has: the link stays. */
static void
test_flood(void **state)
{
	struct packet hello, p, noise, answer;
	int answers = 0;

	(void)state;
	talk(&a, &b);
	assert_true(says(&stranger, &hello));
	now_ms += BORROWER_KEEPALIVE_MS;
	assert_true(says(&a, &p));
	for (int i = 0; i < 5000; i++) {
		randombytes_buf(hello.data + 30, 90);
		fingerprint(&hello);
		gives(&stranger, &b, &hello, &answer);
		assert_int_equal(answer.len, 0);
		noise = p;
		randombytes_buf(noise.data + 24, 8); /* its session id */
		fingerprint(&noise);
		gives(&stranger, &b, &noise, &answer);
		answers += answer.len > 0;
	}
	assert_int_equal(answers, LENDER_UNKNOWNS);
	assert_int_equal(gives(&a, &b, &p, &answer), LENDER_alive);
	start_borrower(&a);
	talk(&a, &b);
	assert_true(is_up(&a));
}

/* Two machines with other ports, or one that says that it is us, are of no
 * use to each other; a family that only one has is left out. */
static void
test_other_ports(void **state)
{
	(void)state;
	b.places.v4[1].port = 4000;
	start_lender(&b);
	talk(&a, &b);
	assert_null(borrower_places(&a.borrower, ADDR_V4));
	assert_non_null(borrower_places(&a.borrower, ADDR_V6));
	assert_false(a.borrower.odd);

	memset(b.places.v6, 0, sizeof(b.places.v6));
	b.places.v4[0] = a.places.v4[0];
	b.places.v4[1] = a.places.v4[1];
	start_lender(&b);
	start_borrower(&a);
	talk(&a, &b);
	assert_null(borrower_places(&a.borrower, ADDR_V4));
	assert_null(borrower_places(&a.borrower, ADDR_V6));
	assert_true(a.borrower.odd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_lend, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_replay, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_replayed_hello, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_wrong_key, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_bad_keys, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_forged, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unfit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_fit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_burden, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_processes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rate_max, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_long, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hint, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_restart_lender, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_restart_borrower, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_clock_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_other_ports, setup, teardown),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

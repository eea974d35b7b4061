/* SPDX-License-Identifier: ISC */
/* What TURN clients and peers send each other; first all that is not to be
 * carried. */
#include "turn_fixture.h"

#define USER "9000000:ann"
#define PEER "192.0.2.77:7"

static bool
on_channel(struct world *w, const struct client *c, uint16_t channel,
    struct addr *peer)
{
	uint32_t index;

	return turn_channel(
		   w->t, &c->way, channel, 10, 1, w->now_ms, &index, peer) &&
	       w->port[index] != 0;
}

static void
make(struct world *w, struct client *c)
{
	world_make(w, 8, 0);
	client_make(c, "198.51.100.1:1000", USER);
	assert_int_equal(allocate(w, c), 0);
}

static void
without_permission(void **state)
{
	struct world w;
	struct client c, nobody;
	struct addr peer;
	struct way to;
	uint16_t channel;

	(void)state;
	make(&w, &c);
	client_make(&nobody, "198.51.100.2:2", USER);
	assert_int_equal(send_to(&w, &nobody, PEER, "x"), ANSWER_NONE);
	assert_int_equal(send_to(&w, &c, PEER, "x"), ANSWER_NONE);
	assert_false(comes_from(&w, 0, PEER, &to, &channel));
	assert_false(on_channel(&w, &c, 0x4000, &peer));
	assert_int_equal(permit(&w, &c, "192.0.2.78:7"), 0);
	assert_int_equal(send_to(&w, &c, PEER, "x"), ANSWER_NONE);
	assert_false(comes_from(&w, 0, PEER, &to, &channel));
	/* nobody's ports */
	assert_false(comes_from(&w, 1, "192.0.2.78:7", &to, &channel));
	assert_false(comes_from(&w, 2, "192.0.2.78:7", &to, &channel));
	assert_false(comes_from(&w, 999, "192.0.2.78:7", &to, &channel));
	/* a permission is for all ports, but nothing is sent to none */
	assert_int_equal(send_to(&w, &c, "192.0.2.78:8", "x"), ANSWER_FORWARD);
	assert_int_equal(send_to(&w, &c, "192.0.2.78:0", "x"), ANSWER_NONE);
	world_end(&w);
}

/* What was 10.0.0.1 and went as an IPv6 address stays 10.0.0.1. */
static int
permit_raw(struct world *w, struct client *c, const uint8_t ip[16])
{
	uint8_t buf[STUN_MAX], value[20] = {0, 2, 0, 7};
	struct stun_buf b;

	ask(&b, buf, TURN_CREATE_PERMISSION);
	for (int i = 0; i < 16; i++)
		value[4 + i] = ip[i] ^ buf[4 + i];
	stun_put(&b, TURN_XOR_PEER_ADDRESS, value, sizeof(value));
	return asked(w, c, &b);
}

static void
forbidden_peers(void **state)
{
	static const char *const bad[] = {"10.0.0.1:1", "127.0.0.1:3478",
	    "169.254.169.254:80", "192.168.1.1:1", "224.0.0.1:1", "0.0.0.0:1"};
	static const uint8_t bad6[][16] = {
	    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1},
	    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1},
	    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1},
	    {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1},
	    {0x20, 2, 10, 0, 0, 1},
	    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
	    {0xfe, 0x80, 1},
	    {0xfd, 1},
	};
	static const uint8_t mapped[16] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 77};
	static const uint8_t six[4] = {2};
	struct peerrules none = {.n = 0};
	struct world w;
	struct client c;
	struct addr a;
	uint8_t buf[STUN_MAX];
	struct stun_buf b;

	(void)state;
	make(&w, &c);
	assert_int_equal(refresh(&w, &c, 0), 0);
	ask(&b, buf, TURN_ALLOCATE);
	stun_put_u32(&b, TURN_REQUESTED_TRANSPORT, 17u << 24);
	stun_put(&b, TURN_ADDITIONAL_ADDRESS_FAMILY, six, 4);
	assert_int_equal(asked(&w, &c, &b), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(permit(&w, &c, bad[i]), 403);
		assert_int_equal(bind_channel(&w, &c, 0x4000, bad[i]), 403);
		assert_int_equal(send_to(&w, &c, bad[i], "x"), ANSWER_NONE);
	}
	for (size_t i = 0; i < sizeof(bad6) / sizeof(bad6[0]); i++)
		assert_int_equal(permit_raw(&w, &c, bad6[i]), 403);
	/* harmless: it is what it holds */
	assert_int_equal(permit_raw(&w, &c, mapped), 0);
	assert_int_equal(send_to(&w, &c, PEER, "x"), ANSWER_FORWARD);
	assert_int_equal(w.result.index, 0);
	/* named by the operator */
	assert_int_equal(peerrules_add(&w.rules, "10.0.0.0/24"), 0);
	assert_int_equal(permit(&w, &c, "10.0.0.1:1"), 0);
	assert_int_equal(permit(&w, &c, "10.0.1.1:1"), 403);
	/* and forbidden again: what was permitted is not sent any more */
	w.rules.n = 0;
	assert_int_equal(send_to(&w, &c, "10.0.0.1:1", "x"), ANSWER_NONE);
	/* another client of ours, although the address is the relay's */
	a = at("192.0.2.5:0");
	assert_int_equal(peerrules_add_own(&w.rules, &a), 0);
	assert_int_equal(permit(&w, &c, "192.0.2.5:50000"), 0);
	peerrules_take_own(&w.rules, &none);
	world_end(&w);
}

static void
all_or_nothing(void **state)
{
	struct world w;
	struct client c;
	struct addr a;
	uint8_t buf[STUN_MAX];
	struct stun_buf b;
	char text[32];

	(void)state;
	make(&w, &c);
	ask(&b, buf, TURN_CREATE_PERMISSION);
	assert_int_equal(asked(&w, &c, &b), 400);
	for (int bad = 0; bad < 2; bad++) {
		ask(&b, buf, TURN_CREATE_PERMISSION);
		a = at(PEER);
		stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &a);
		a = at(bad ? "10.0.0.1:1" : "[2001:db8::1]:1");
		stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &a);
		assert_int_equal(asked(&w, &c, &b), bad ? 403 : 443);
		assert_int_equal(send_to(&w, &c, PEER, "x"), ANSWER_NONE);
	}
	ask(&b, buf, TURN_CREATE_PERMISSION);
	for (int i = 0; i <= TURN_PERMISSIONS; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d:1", 100 + i);
		a = at(text);
		stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &a);
	}
	assert_int_equal(asked(&w, &c, &b), 508);
	assert_int_equal(send_to(&w, &c, "192.0.2.100:1", "x"), ANSWER_NONE);
	/* as many as there is room for, one of them twice */
	ask(&b, buf, TURN_CREATE_PERMISSION);
	for (int i = 0; i <= TURN_PERMISSIONS; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d:%d",
		    100 + i % TURN_PERMISSIONS, i);
		a = at(text);
		stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &a);
	}
	assert_int_equal(asked(&w, &c, &b), 0);
	assert_int_equal(send_to(&w, &c, "192.0.2.163:9", "x"), ANSWER_FORWARD);
	assert_int_equal(permit(&w, &c, "192.0.2.200:1"), 508);
	assert_int_equal(bind_channel(&w, &c, 0x4000, "192.0.2.200:1"), 508);
	/* that made no channel */
	assert_int_equal(bind_channel(&w, &c, 0x4000, "192.0.2.100:1"), 0);
	world_end(&w);
}

static void
permissions_run_out(void **state)
{
	struct world w;
	struct client c;
	struct way to;
	uint16_t channel;

	(void)state;
	make(&w, &c);
	assert_int_equal(permit(&w, &c, PEER), 0);
	later(&w, 200);
	challenge(&w, &c);
	assert_int_equal(permit(&w, &c, PEER), 0); /* again */
	later(&w, 299);
	assert_true(comes_from(&w, 0, PEER, &to, &channel));
	/* what comes does not renew it */
	later(&w, 2);
	assert_false(comes_from(&w, 0, PEER, &to, &channel));
	assert_int_equal(send_to(&w, &c, PEER, "x"), ANSWER_NONE);
	/* nor outlives it its allocation */
	challenge(&w, &c);
	assert_int_equal(permit(&w, &c, PEER), 0);
	later(&w, 100);
	assert_false(comes_from(&w, 0, PEER, &to, &channel));
	world_end(&w);
}

static void
channels_clash(void **state)
{
	struct world w;
	struct client c, other;
	struct addr peer;
	char text[32];

	(void)state;
	make(&w, &c);
	client_make(&other, "198.51.100.2:2", USER);
	assert_int_equal(allocate(&w, &other), 0);
	assert_int_equal(bind_channel(&w, &c, 0x3fff, PEER), 400);
	assert_int_equal(bind_channel(&w, &c, 0x8000, PEER), 400);
	assert_int_equal(bind_channel(&w, &c, 0x4000, "192.0.2.77:0"), 400);
	assert_int_equal(bind_channel(&w, &c, 0x4000, PEER), 0);
	assert_int_equal(bind_channel(&w, &c, 0x4000, PEER), 0);
	assert_int_equal(bind_channel(&w, &c, 0x4000, "192.0.2.77:8"), 400);
	assert_int_equal(bind_channel(&w, &c, 0x4001, PEER), 400);
	assert_true(on_channel(&w, &c, 0x4000, &peer));
	assert_true(peer.port == 7 && peer.ip[3] == 77);
	/* of another client, of none */
	assert_false(on_channel(&w, &other, 0x4000, &peer));
	assert_false(on_channel(&w, &c, 0x4001, &peer));
	assert_false(on_channel(&w, &c, 0, &peer));
	c.way.socket = 1;
	assert_false(on_channel(&w, &c, 0x4000, &peer));
	c.way.socket = 0;
	for (int i = 1; i < TURN_CHANNELS; i++) {
		snprintf(text, sizeof(text), "192.0.2.77:%d", 100 + i);
		assert_int_equal(
		    bind_channel(&w, &c, (uint16_t)(0x7fff - i), text), 0);
	}
	assert_int_equal(bind_channel(&w, &c, 0x5000, "192.0.2.77:99"), 508);
	/* after its time a number may be another peer's */
	assert_int_equal(refresh(&w, &c, 3600), 0);
	later(&w, 599);
	assert_true(on_channel(&w, &c, 0x4000, &peer));
	later(&w, 2);
	assert_false(on_channel(&w, &c, 0x4000, &peer));
	challenge(&w, &c);
	assert_int_equal(bind_channel(&w, &c, 0x4000, "192.0.2.77:8"), 0);
	assert_true(on_channel(&w, &c, 0x4000, &peer));
	assert_int_equal(peer.port, 8);
	world_end(&w);
}

static void
data_goes_both_ways(void **state)
{
	struct world w;
	struct client c;
	struct way to;
	uint16_t channel = 9;

	(void)state;
	make(&w, &c);
	assert_int_equal(permit(&w, &c, PEER), 0);
	assert_int_equal(send_to(&w, &c, PEER, "hello"), ANSWER_FORWARD);
	assert_int_equal(w.result.data_len, 5);
	assert_memory_equal(w.result.data, "hello", 5);
	assert_int_equal(w.result.index, 0);
	assert_int_equal(w.result.peer.port, 7);
	assert_false(w.result.df);
	assert_int_equal(send_to(&w, &c, PEER, ""), ANSWER_FORWARD);
	assert_int_equal(w.result.data_len, 0);
	assert_true(comes_from(&w, 0, "192.0.2.77:4321", &to, &channel));
	assert_int_equal(channel, 0);
	assert_true(way_equal(&to, &c.way));
	/* on the channel once there is one, of exactly that port */
	assert_int_equal(bind_channel(&w, &c, 0x4abc, PEER), 0);
	assert_true(comes_from(&w, 0, PEER, &to, &channel));
	assert_int_equal(channel, 0x4abc);
	assert_true(comes_from(&w, 0, "192.0.2.77:4321", &to, &channel));
	assert_int_equal(channel, 0);
	world_end(&w);
}

/* A Send with an attribute missing, malformed or unknown. */
static void
broken_indications(void **state)
{
	struct world w;
	struct client c;
	struct addr peer = at(PEER);
	uint8_t buf[STUN_MAX], tid[STUN_TID_LEN] = {7};
	struct stun_buf b;

	(void)state;
	make(&w, &c);
	assert_int_equal(permit(&w, &c, PEER), 0);
	for (int i = 0; i < 6; i++) {
		stun_begin(
		    &b, buf, sizeof(buf), TURN_SEND, STUN_INDICATION, tid);
		if (i == 0)
			stun_put_space(&b, TURN_XOR_PEER_ADDRESS, 7);
		else if (i != 1)
			stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &peer);
		if (i != 2)
			stun_put(&b, TURN_DATA_ATTR, "x", 1);
		if (i == 3)
			stun_put(&b, 0x0030, "x", 1);
		if (i == 4)
			stun_put(&b, TURN_DONT_FRAGMENT, NULL, 0);
		if (i == 5)
			stun_put(&b, 0x8030, "x", 1); /* optional */
		assert_int_equal(give(&w, &c.way, b.data, b.len),
		    i < 4 ? ANSWER_NONE : ANSWER_FORWARD);
		assert_int_equal(w.result.df, i == 4);
	}
	/* a request of that name is none, nor is a Data indication */
	stun_begin(&b, buf, sizeof(buf), TURN_SEND, STUN_REQUEST, tid);
	assert_int_equal(give(&w, &c.way, b.data, b.len), ANSWER_NONE);
	stun_begin(&b, buf, sizeof(buf), TURN_DATA, STUN_INDICATION, tid);
	stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &peer);
	stun_put(&b, TURN_DATA_ATTR, "x", 1);
	assert_int_equal(give(&w, &c.way, b.data, b.len), ANSWER_NONE);
	world_end(&w);
}

static void
data_indications(void **state)
{
	static const char *const peers[] = {PEER, "[2001:db8::77]:7"};
	uint8_t buf[64 + 1500 + 4] = {0}, tid[STUN_TID_LEN];
	struct stun_msg m;
	struct stun_attr a;
	struct addr peer, got;
	size_t head;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (size_t len = 0; len <= 1500; len++) {
			peer = at(peers[i]);
			head = turn_data_head(&peer, len, buf);
			assert_int_equal(head, i == 0 ? 36 : 48);
			memset(buf + head, 'd', len);
			memset(buf + head + len, 0, 4);
			assert_int_equal(stun_parse(&m, buf,
					     head + ((len + 3) & ~(size_t)3)),
			    0);
			assert_int_equal(m.method, TURN_DATA);
			assert_int_equal(m.class, STUN_INDICATION);
			assert_true(
			    len == 0 || memcmp(m.tid, tid, sizeof(tid)) != 0);
			memcpy(tid, m.tid, sizeof(tid));
			assert_int_equal(stun_find(&m, TURN_DATA_ATTR, &a), 0);
			assert_int_equal(a.len, len);
			assert_int_equal(
			    stun_find(&m, TURN_XOR_PEER_ADDRESS, &a), 0);
			assert_int_equal(stun_get_xor_addr(&a, m.tid, &got), 0);
			assert_true(addr_equal(&got, &peer));
		}
	}
	assert_int_equal(turn_data_head(&peer, 65535, buf), 0);
}

static void
icmp_errors(void **state)
{
	struct addr peer = at(PEER), stranger = at("192.0.2.78:7");
	struct world w;
	struct client c;
	struct stun_msg m;
	struct stun_attr a;
	struct way to;
	size_t len;

	(void)state;
	make(&w, &c);
	assert_int_equal(turn_icmp(w.t, 0, &peer, 3, 3, 0, &to, w.out), 0);
	assert_int_equal(permit(&w, &c, PEER), 0);
	assert_int_equal(turn_icmp(w.t, 0, &stranger, 3, 3, 0, &to, w.out), 0);
	assert_int_equal(turn_icmp(w.t, 1, &peer, 3, 3, 0, &to, w.out), 0);
	/* pings and redirects are nobody's */
	for (uint8_t type = 0; type < 40; type++)
		assert_int_equal(
		    turn_icmp(w.t, 0, &peer, type, 0, 0, &to, w.out) > 0,
		    type == 3 || type == 11);
	len = turn_icmp(w.t, 0, &peer, 3, 4, 1400, &to, w.out);
	assert_true(way_equal(&to, &c.way));
	assert_int_equal(stun_parse(&m, w.out, len), 0);
	assert_int_equal(m.method, TURN_DATA);
	assert_int_equal(stun_find(&m, TURN_ICMP, &a), 0);
	assert_int_equal(a.len, 8);
	/* type in 7 bits, code in 9, the MTU */
	assert_memory_equal(a.value, "\0\0\x06\x04\0\0\x05\x78", 8);
	assert_int_not_equal(stun_find(&m, TURN_DATA_ATTR, &a), 0);
	len = turn_icmp(w.t, 0, &peer, 3, 3, 99, &to, w.out);
	assert_int_equal(stun_parse(&m, w.out, len), 0);
	assert_int_equal(stun_find(&m, TURN_ICMP, &a), 0);
	assert_memory_equal(a.value, "\0\0\x06\x03\0\0\0\0", 8);
	world_end(&w);
}

/* Over what an account may carry nothing passes, either way. */
static void
over_the_limit(void **state)
{
	struct accounts_config ac = {
	    .max = 4, .per_account = 4, .packets_s = 100};
	struct turn_config conf = {.max = 2,
	    .realm = REALM,
	    .n_secrets = 2,
	    .has4 = true,
	    .request_rate = 100};
	struct turn_ports ports = {
	    .open = port_open, .close = port_close, .release = port_release};
	struct world w;
	struct client c;
	struct way to;
	uint16_t channel;
	unsigned int sent = 0, came = 0;

	(void)state;
	make(&w, &c);
	turn_free(w.t);
	accounts_free(w.accounts);
	conf.secrets = w.secret;
	conf.rules = &w.rules;
	ports.arg = &w;
	assert_int_equal(accounts_new(&w.accounts, &ac), 0);
	assert_int_equal(turn_new(&w.t, &conf, &ports, w.accounts), 0);
	assert_int_equal(allocate(&w, &c), 0);
	assert_int_equal(permit(&w, &c, PEER), 0);
	for (int i = 0; i < 500; i++)
		sent += send_to(&w, &c, PEER, "x") == ANSWER_FORWARD;
	for (int i = 0; i < 500; i++)
		came += comes_from(&w, 0, PEER, &to, &channel);
	assert_true(sent > 0 && sent <= 100);
	assert_int_equal(came, 0);
	later(&w, 1);
	assert_true(comes_from(&w, 0, PEER, &to, &channel));
	world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_permission),
	    cmocka_unit_test(forbidden_peers),
	    cmocka_unit_test(all_or_nothing),
	    cmocka_unit_test(permissions_run_out),
	    cmocka_unit_test(channels_clash),
	    cmocka_unit_test(data_goes_both_ways),
	    cmocka_unit_test(broken_indications),
	    cmocka_unit_test(data_indications),
	    cmocka_unit_test(icmp_errors),
	    cmocka_unit_test(over_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

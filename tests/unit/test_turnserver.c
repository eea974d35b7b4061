/* SPDX-License-Identifier: ISC */
/* TURN requests and what they lead to (RFC 8656 sections 7 to 12). */
#include "turn_fixture.h"

#define USER "9000000:ann"
#define HERE "198.51.100.1:1000"

static const uint8_t four[4] = {1}, six[4] = {2};

static void
make(struct world *w, struct client *c)
{
	world_make(w, 8, 0);
	client_make(c, HERE, USER);
	challenge(w, c);
}

/* An Allocate with one attribute more. */
static int
allocate_with(struct world *w, struct client *c, uint16_t type,
    const void *value, size_t len)
{
	uint8_t buf[STUN_MAX];
	struct stun_buf b;

	ask(&b, buf, TURN_ALLOCATE);
	stun_put_u32(&b, TURN_REQUESTED_TRANSPORT, 17u << 24);
	if (type != 0)
		stun_put(&b, type, value, len);
	return asked(w, c, &b);
}

static int
allocate_with2(struct world *w, struct client *c, uint16_t type,
    const void *value, size_t len, uint16_t type2, const void *value2,
    size_t len2)
{
	uint8_t buf[STUN_MAX];
	struct stun_buf b;

	ask(&b, buf, TURN_ALLOCATE);
	stun_put_u32(&b, TURN_REQUESTED_TRANSPORT, 17u << 24);
	stun_put(&b, type, value, len);
	stun_put(&b, type2, value2, len2);
	return asked(w, c, &b);
}

/* Every attribute that has a length, with every other one. */
static void
malformed_lengths(void **state)
{
	static const struct {
		uint16_t method, type;
		size_t right;
	} cases[] = {
	    {TURN_ALLOCATE, TURN_REQUESTED_TRANSPORT, 4},
	    {TURN_ALLOCATE, TURN_LIFETIME, 4},
	    {TURN_ALLOCATE, TURN_EVEN_PORT, 1},
	    {TURN_ALLOCATE, TURN_RESERVATION_TOKEN, 8},
	    {TURN_ALLOCATE, TURN_DONT_FRAGMENT, 0},
	    {TURN_ALLOCATE, TURN_REQUESTED_ADDRESS_FAMILY, 4},
	    {TURN_ALLOCATE, TURN_ADDITIONAL_ADDRESS_FAMILY, 4},
	    {TURN_REFRESH, TURN_LIFETIME, 4},
	    {TURN_REFRESH, TURN_REQUESTED_ADDRESS_FAMILY, 4},
	    {TURN_CREATE_PERMISSION, TURN_XOR_PEER_ADDRESS, 8},
	    {TURN_CHANNEL_BIND, TURN_XOR_PEER_ADDRESS, 8},
	    {TURN_CHANNEL_BIND, TURN_CHANNEL_NUMBER, 4},
	};
	struct addr peer = at("192.0.2.77:7");
	struct world w;
	struct client c, other;
	uint8_t buf[STUN_MAX], zeros[40] = {0};
	struct stun_buf b;

	(void)state;
	make(&w, &c);
	client_make(&other, "198.51.100.9:9", USER);
	challenge(&w, &other);
	assert_int_equal(allocate(&w, &c), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t len = 0; len <= sizeof(zeros); len++) {
			uint16_t method = cases[i].method, type = cases[i].type;

			if (len == cases[i].right)
				continue;
			ask(&b, buf, method);
			stun_put(&b, type, zeros, len);
			if (method == TURN_ALLOCATE)
				stun_put_u32(
				    &b, TURN_REQUESTED_TRANSPORT, 17u << 24);
			if (method == TURN_CHANNEL_BIND)
				stun_put_u32(
				    &b, TURN_CHANNEL_NUMBER, 0x40010000);
			if (type == TURN_CHANNEL_NUMBER)
				stun_put_xor_addr(
				    &b, TURN_XOR_PEER_ADDRESS, &peer);
			if (asked(&w, method == TURN_ALLOCATE ? &other : &c,
				&b) != 400)
				fail_msg("method %u, type %x, %zu bytes",
				    method, type, len);
		}
	}
	assert_int_equal(turn_count(w.t), 1);
	assert_int_equal(w.opened, 1);
	world_end(&w);
}

static void
what_allocate_refuses(void **state)
{
	static const uint8_t tcp[4] = {6}, token[8] = {0}, odd[4] = {3};
	static const uint8_t even[1] = {0}, next[1] = {0x80};
	struct world w;
	struct client c;
	uint8_t buf[STUN_MAX];
	struct stun_attr a;
	struct stun_buf b;

	(void)state;
	make(&w, &c);
	ask(&b, buf, TURN_ALLOCATE);
	assert_int_equal(asked(&w, &c, &b), 400); /* no transport */
	ask(&b, buf, TURN_ALLOCATE);
	stun_put(&b, TURN_REQUESTED_TRANSPORT, tcp, 4);
	assert_int_equal(asked(&w, &c, &b), 442);
	/* those that exclude each other */
	assert_int_equal(allocate_with2(&w, &c, TURN_RESERVATION_TOKEN, token,
			     8, TURN_EVEN_PORT, even, 1),
	    400);
	assert_int_equal(allocate_with2(&w, &c, TURN_RESERVATION_TOKEN, token,
			     8, TURN_REQUESTED_ADDRESS_FAMILY, four, 4),
	    400);
	assert_int_equal(allocate_with2(&w, &c, TURN_RESERVATION_TOKEN, token,
			     8, TURN_ADDITIONAL_ADDRESS_FAMILY, six, 4),
	    400);
	assert_int_equal(allocate_with2(&w, &c, TURN_REQUESTED_ADDRESS_FAMILY,
			     four, 4, TURN_ADDITIONAL_ADDRESS_FAMILY, six, 4),
	    400);
	assert_int_equal(allocate_with2(&w, &c, TURN_EVEN_PORT, next, 1,
			     TURN_ADDITIONAL_ADDRESS_FAMILY, six, 4),
	    400);
	assert_int_equal(
	    allocate_with(&w, &c, TURN_ADDITIONAL_ADDRESS_FAMILY, four, 4),
	    400);
	assert_int_equal(
	    allocate_with(&w, &c, TURN_ADDITIONAL_ADDRESS_FAMILY, odd, 4), 400);
	assert_int_equal(
	    allocate_with(&w, &c, TURN_REQUESTED_ADDRESS_FAMILY, odd, 4), 440);
	assert_int_equal(
	    allocate_with(&w, &c, TURN_RESERVATION_TOKEN, token, 8), 508);
	/* 420 names what is not known, twice the same or not */
	assert_int_equal(
	    allocate_with2(&w, &c, 0x0030, "", 0, 0x7fff, "x", 1), 420);
	assert_int_equal(stun_find(&w.answer, STUN_UNKNOWN_ATTRIBUTES, &a), 0);
	assert_int_equal(a.len, 4);
	assert_memory_equal(a.value, "\x00\x30\x7f\xff", 4);
	assert_int_equal(stun_check_integrity(&w.answer, c.key, c.key_len), 0);
	w.refuse[0] = true;
	assert_int_equal(allocate_with(&w, &c, 0, NULL, 0), 508);
	assert_int_equal(turn_count(w.t), 0);
	assert_int_equal(w.opened, 0);
	world_end(&w);
}

static void
an_allocation_lives_and_dies(void **state)
{
	struct world w;
	struct client c;
	struct addr a;
	struct stun_attr attr;

	(void)state;
	make(&w, &c);
	assert_int_equal(refresh(&w, &c, 600), 437);
	assert_int_equal(permit(&w, &c, "192.0.2.77:1"), 437);
	assert_int_equal(bind_channel(&w, &c, 0x4000, "192.0.2.77:1"), 437);
	assert_int_equal(allocate(&w, &c), 0);
	a = relayed(&w, 0);
	assert_int_equal(a.port, FIRST_PORT);
	assert_int_equal(relayed(&w, 1).family, ADDR_NONE);
	assert_int_equal(
	    stun_find(&w.answer, STUN_XOR_MAPPED_ADDRESS, &attr), 0);
	assert_int_equal(stun_get_xor_addr(&attr, w.answer.tid, &a), 0);
	assert_true(addr_equal(&a, &c.way.remote));
	assert_int_equal(u32_of(&w, TURN_LIFETIME), 600);
	assert_int_equal(allocate(&w, &c), 437); /* another one */
	assert_int_equal(turn_count(w.t), 1);
	/* asked for less, more, too much */
	assert_int_equal(refresh(&w, &c, 1), 0);
	assert_int_equal(u32_of(&w, TURN_LIFETIME), 600);
	assert_int_equal(refresh(&w, &c, UINT32_MAX), 0);
	assert_int_equal(u32_of(&w, TURN_LIFETIME), 3600);
	assert_int_equal(refresh(&w, &c, 700), 0);
	assert_int_equal(u32_of(&w, TURN_LIFETIME), 700);
	later(&w, 699);
	assert_true(turn_tick(w.t, w.now_ms) <= w.now_ms + 2000);
	assert_int_equal(turn_count(w.t), 1);
	later(&w, 2);
	assert_int_equal(turn_tick(w.t, w.now_ms), UINT64_MAX);
	assert_int_equal(turn_count(w.t), 0);
	assert_int_equal(w.opened, 0);
	/* without a tick it is over, too */
	assert_int_equal(allocate(&w, &c), 0);
	later(&w, 602);
	assert_int_equal(allocate(&w, &c), 0);
	assert_int_equal(w.opened, 1);
	assert_int_equal(refresh(&w, &c, 0), 0);
	assert_int_equal(u32_of(&w, TURN_LIFETIME), 0);
	assert_int_equal(turn_count(w.t), 0);
	assert_int_equal(refresh(&w, &c, 0), 437);
	world_end(&w);
}

static void
a_retransmission_is_answered_alike(void **state)
{
	static const uint8_t next[1] = {0x80};
	uint8_t buf[STUN_MAX], first[TURN_OUT_MAX];
	struct stun_buf b;
	struct world w;
	struct client c, eve;
	size_t len;

	(void)state;
	make(&w, &c);
	ask(&b, buf, TURN_ALLOCATE);
	stun_put_u32(&b, TURN_REQUESTED_TRANSPORT, 17u << 24);
	stun_put(&b, TURN_EVEN_PORT, next, 1);
	assert_int_equal(asked(&w, &c, &b), 0);
	len = w.result.len;
	memcpy(first, w.out, len);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(give(&w, &c.way, b.data, b.len), 0);
		assert_int_equal(w.result.len, len);
		assert_memory_equal(w.out, first, len);
	}
	assert_int_equal(turn_count(w.t), 1);
	assert_int_equal(w.opened, 1);
	assert_int_equal(w.n_held, 1);
	/* from elsewhere it is somebody else's, who has to show a nonce */
	client_make(&eve, "198.51.100.66:66", USER);
	assert_int_equal(give(&w, &eve.way, b.data, b.len), 438);
	world_end(&w);
}

static void
of_another_client(void **state)
{
	struct world w;
	struct client c, same_port;

	(void)state;
	make(&w, &c);
	assert_int_equal(allocate(&w, &c), 0);
	client_make(&same_port, HERE, "9000000:eve");
	memcpy(same_port.nonce, c.nonce, sizeof(c.nonce));
	assert_int_equal(refresh(&w, &same_port, 0), 441);
	assert_int_equal(permit(&w, &same_port, "192.0.2.77:1"), 441);
	assert_int_equal(
	    bind_channel(&w, &same_port, 0x4000, "192.0.2.77:1"), 441);
	/* the same user with a newer name is another one (RFC 8656 5) */
	client_make(&same_port, HERE, "9000001:ann");
	memcpy(same_port.nonce, c.nonce, sizeof(c.nonce));
	assert_int_equal(refresh(&w, &same_port, 0), 441);
	assert_int_equal(allocate(&w, &same_port), 441);
	/* another socket of ours, or a connection, is another five-tuple */
	c.way.socket = 1;
	assert_int_equal(refresh(&w, &c, 0), 437);
	c.way = (struct way){
	    .remote = c.way.remote, .socket = WAY_STREAM, .stream = 7};
	assert_int_equal(refresh(&w, &c, 0), 437);
	assert_int_equal(allocate(&w, &c), 0);
	assert_int_equal(turn_count(w.t), 2);
	c.way.stream = 8;
	assert_int_equal(refresh(&w, &c, 0), 437);
	turn_stream_gone(w.t, 8);
	assert_int_equal(turn_count(w.t), 2);
	turn_stream_gone(w.t, 7);
	assert_int_equal(turn_count(w.t), 1);
	world_end(&w);
}

static void
two_families(void **state)
{
	struct world w;
	struct client c;
	uint8_t buf[STUN_MAX];
	struct stun_attr a;
	struct stun_buf b;

	(void)state;
	make(&w, &c);
	assert_int_equal(
	    allocate_with(&w, &c, TURN_REQUESTED_ADDRESS_FAMILY, six, 4), 0);
	assert_int_equal(relayed(&w, 0).family, ADDR_V6);
	assert_int_equal(permit(&w, &c, "192.0.2.77:1"), 443);
	assert_int_equal(bind_channel(&w, &c, 0x4000, "192.0.2.77:1"), 443);
	assert_int_equal(permit(&w, &c, "[2001:db8::77]:1"), 0);
	assert_int_equal(refresh(&w, &c, 0), 0);
	assert_int_equal(
	    allocate_with(&w, &c, TURN_ADDITIONAL_ADDRESS_FAMILY, six, 4), 0);
	assert_int_equal(relayed(&w, 0).family, ADDR_V4);
	assert_int_equal(relayed(&w, 1).family, ADDR_V6);
	assert_int_equal(permit(&w, &c, "192.0.2.77:1"), 0);
	assert_int_equal(permit(&w, &c, "[2001:db8::77]:1"), 0);
	/* one of them goes, the other stays */
	ask(&b, buf, TURN_REFRESH);
	stun_put_u32(&b, TURN_LIFETIME, 0);
	stun_put(&b, TURN_REQUESTED_ADDRESS_FAMILY, four, 4);
	assert_int_equal(asked(&w, &c, &b), 0);
	assert_int_equal(w.opened, 1);
	assert_int_equal(permit(&w, &c, "192.0.2.77:1"), 443);
	assert_int_equal(permit(&w, &c, "[2001:db8::77]:1"), 0);
	ask(&b, buf, TURN_REFRESH);
	stun_put(&b, TURN_REQUESTED_ADDRESS_FAMILY, four, 4);
	assert_int_equal(asked(&w, &c, &b), 443);
	assert_int_equal(refresh(&w, &c, 0), 0);
	assert_int_equal(w.opened, 0);
	/* half of it is better than nothing, and said so */
	w.refuse[1] = true;
	assert_int_equal(
	    allocate_with(&w, &c, TURN_ADDITIONAL_ADDRESS_FAMILY, six, 4), 0);
	assert_int_equal(relayed(&w, 1).family, ADDR_NONE);
	assert_int_equal(stun_find(&w.answer, TURN_ADDRESS_ERROR_CODE, &a), 0);
	assert_int_equal(a.len, 4);
	assert_memory_equal(a.value, "\x02\x00\x05\x08", 4);
	assert_int_equal(refresh(&w, &c, 0), 0);
	w.refuse[0] = true;
	assert_int_equal(
	    allocate_with(&w, &c, TURN_ADDITIONAL_ADDRESS_FAMILY, six, 4), 508);
	assert_int_equal(turn_count(w.t), 0);
	world_end(&w);
}

static void
a_family_that_we_have_not(void **state)
{
	struct turn_config conf = {.max = 2,
	    .realm = REALM,
	    .n_secrets = 2,
	    .has6 = true,
	    .request_rate = 100};
	struct turn_ports ports = {
	    .open = port_open, .close = port_close, .release = port_release};
	struct world w;
	struct client c;
	struct stun_attr a;

	(void)state;
	make(&w, &c);
	turn_free(w.t);
	conf.secrets = w.secret;
	conf.rules = &w.rules;
	ports.arg = &w;
	assert_int_equal(turn_new(&w.t, &conf, &ports, w.accounts), 0);
	challenge(&w, &c);
	assert_int_equal(allocate_with(&w, &c, 0, NULL, 0), 440);
	assert_int_equal(
	    allocate_with(&w, &c, TURN_REQUESTED_ADDRESS_FAMILY, four, 4), 440);
	assert_int_equal(
	    allocate_with(&w, &c, TURN_ADDITIONAL_ADDRESS_FAMILY, six, 4), 0);
	assert_int_equal(relayed(&w, 0).family, ADDR_V6);
	assert_int_equal(stun_find(&w.answer, TURN_ADDRESS_ERROR_CODE, &a), 0);
	assert_memory_equal(a.value, "\x01\x00\x04\x28", 4);
	world_end(&w);
}

/* Who sends in a client's name does not use up what it may do: with its old
 * nonce, and over a connection. */
static void
asked_in_a_clients_name(void **state)
{
	struct client c, spoofed, stream;
	struct world w;
	uint8_t buf[STUN_MAX];
	struct stun_buf b;
	int unheard = 0;

	(void)state;
	make(&w, &c);
	assert_int_equal(allocate(&w, &c), 0);
	later(&w, CREDENTIAL_NONCE_MS / 1000 + 1);
	spoofed = c;
	memset(spoofed.nonce, 'n', CREDENTIAL_NONCE_LEN);
	for (int i = 0; i < 30000; i++)
		unheard += refresh(&w, &spoofed, 0) == ANSWER_NONE;
	assert_int_not_equal(unheard, 0);
	assert_int_equal(refresh(&w, &c, 600), 438);
	take_nonce(&w, &c);
	assert_int_equal(refresh(&w, &c, 600), 0);
	stream = c;
	stream.way.socket = WAY_STREAM;
	stream.way.stream = 7;
	assert_int_equal(allocate(&w, &stream), 0);
	ask(&b, buf, STUN_BINDING);
	assert_int_equal(give(&w, &c.way, b.data, b.len), ANSWER_NONE);
	assert_int_equal(give(&w, &stream.way, b.data, b.len), 0);
	world_end(&w);
}

static void
reservations(void **state)
{
	static const uint8_t even[1] = {0}, next[1] = {0x80};
	struct world w;
	struct client c, rtcp, eve;
	struct stun_attr a;
	uint8_t token[8], wrong[8];
	uint16_t port;

	(void)state;
	make(&w, &c);
	client_make(&rtcp, "198.51.100.1:1001", USER);
	client_make(&eve, "198.51.100.1:1002", "9000000:eve");
	challenge(&w, &rtcp);
	challenge(&w, &eve);
	w.next_port = 50001;
	assert_int_equal(allocate_with(&w, &c, TURN_EVEN_PORT, even, 1), 0);
	assert_int_equal(relayed(&w, 0).port % 2, 0);
	assert_int_equal(w.n_held, 0);
	assert_int_equal(refresh(&w, &c, 0), 0);
	assert_int_equal(allocate_with(&w, &c, TURN_EVEN_PORT, next, 1), 0);
	port = relayed(&w, 0).port;
	assert_int_equal(port % 2, 0);
	assert_int_equal(w.n_held, 1);
	assert_int_equal(stun_find(&w.answer, TURN_RESERVATION_TOKEN, &a), 0);
	assert_int_equal(a.len, 8);
	memcpy(token, a.value, 8);
	memcpy(wrong, token, 8);
	wrong[7] ^= 1;
	assert_int_equal(
	    allocate_with(&w, &rtcp, TURN_RESERVATION_TOKEN, wrong, 8), 508);
	wrong[7] ^= 1;
	wrong[0] = 0xff;
	assert_int_equal(
	    allocate_with(&w, &rtcp, TURN_RESERVATION_TOKEN, wrong, 8), 508);
	/* of another user */
	assert_int_equal(
	    allocate_with(&w, &eve, TURN_RESERVATION_TOKEN, token, 8), 508);
	assert_int_equal(
	    allocate_with(&w, &rtcp, TURN_RESERVATION_TOKEN, token, 8), 0);
	assert_int_equal(relayed(&w, 0).port, port + 1);
	assert_int_equal(w.n_held, 0);
	assert_int_equal(refresh(&w, &rtcp, 0), 0);
	/* once only */
	assert_int_equal(
	    allocate_with(&w, &rtcp, TURN_RESERVATION_TOKEN, token, 8), 508);
	/* 30 seconds only */
	assert_int_equal(refresh(&w, &c, 0), 0);
	assert_int_equal(allocate_with(&w, &c, TURN_EVEN_PORT, next, 1), 0);
	assert_int_equal(stun_find(&w.answer, TURN_RESERVATION_TOKEN, &a), 0);
	memcpy(token, a.value, 8);
	later(&w, 29);
	turn_tick(w.t, w.now_ms);
	assert_int_equal(w.n_held, 1);
	later(&w, 2);
	turn_tick(w.t, w.now_ms);
	assert_int_equal(w.n_held, 0);
	assert_int_equal(turn_count(w.t), 1);
	assert_int_equal(
	    allocate_with(&w, &rtcp, TURN_RESERVATION_TOKEN, token, 8), 508);
	world_end(&w);
}

/* One address, 100,000 times: no more than its share, and no more memory. */
static void
one_address_asks_for_all(void **state)
{
	struct world w;
	struct client c;
	size_t memory;
	unsigned int got = 0, quota = 0;

	(void)state;
	world_make(&w, 16, 5);
	memory = turn_memory(w.t) + accounts_memory(w.accounts);
	client_make(&c, HERE, USER);
	for (unsigned int i = 0; i < 100000; i++) {
		int code;

		c.way.remote.port = (uint16_t)(1024 + i % 60000);
		if (i % 10000 == 0)
			later(&w, 1);
		challenge(&w, &c);
		code = allocate_with(&w, &c, 0, NULL, 0);
		got += code == 0;
		quota += code == 486;
	}
	assert_int_equal(got, 5);
	/* the ports of those five came twice: 437 */
	assert_int_equal(quota, 100000 - 5 - 5);
	assert_int_equal(turn_count(w.t), 5);
	assert_int_equal(w.opened, 5);
	assert_int_equal(
	    turn_memory(w.t) + accounts_memory(w.accounts), memory);
	/* there is room for another one */
	client_make(&c, "198.51.100.2:1", "9000000:bob");
	assert_int_equal(allocate(&w, &c), 0);
	world_end(&w);
}

static void
full(void **state)
{
	struct world w;
	struct client c;
	char user[32];

	(void)state;
	world_make(&w, 3, 0);
	for (int i = 0; i < 4; i++) {
		snprintf(user, sizeof(user), "9000000:u%d", i);
		client_make(&c, HERE, user);
		c.way.remote.port = (uint16_t)(5000 + i);
		assert_int_equal(allocate(&w, &c), i < 3 ? 0 : 508);
	}
	assert_int_equal(turn_drop(w.t, "u"), 0);
	assert_int_equal(turn_drop(w.t, "u1"), 1);
	assert_int_equal(allocate(&w, &c), 0);
	turn_drain(w.t, true);
	assert_int_equal(turn_drop(w.t, "u0"), 1);
	client_make(&c, "198.51.100.7:7", USER);
	assert_int_equal(allocate(&w, &c), 508);
	turn_drain(w.t, false);
	assert_int_equal(allocate(&w, &c), 0);
	world_end(&w);
}

static void
an_account_has_its_share(void **state)
{
	struct world w;
	struct client c;

	(void)state;
	world_make(&w, 30, 0);
	client_make(&c, HERE, USER);
	for (int i = 0; i < 21; i++) {
		c.way.remote.port = (uint16_t)(5000 + i);
		assert_int_equal(allocate(&w, &c), i < 20 ? 0 : 486);
	}
	/* by another name of the same user */
	client_make(&c, "198.51.100.9:9", "9000001:ann");
	assert_int_equal(allocate(&w, &c), 486);
	world_end(&w);
}

static void
watched(
    void *arg, const char *what, const char *reason, const struct turn_entry *e)
{
	char *text = arg;
	size_t len = strlen(text);

	assert_string_equal(e->user, "ann");
	snprintf(text + len, 256 - len, "%s:%s ", what, reason ? reason : "");
}

/* A user with the name of a key does not use up what the key may do. */
static void
a_user_named_like_a_key(void **state)
{
	uint8_t key[KEY_LEN] = {1, 2, 3};
	char text[KEY_STRLEN], name[64];
	struct turn_entry e;
	struct account *acc;
	uint64_t position = 0;
	struct world w;
	struct client c;
	bool mine;

	(void)state;
	make(&w, &c);
	acc = accounts_take(w.accounts, key_format(key, text), w.now_ms, &mine);
	assert_int_equal(acc->used, 1);
	snprintf(name, sizeof(name), "9000000:%s", text);
	client_make(&c, "198.51.100.1:1000", name);
	assert_int_equal(allocate(&w, &c), 0);
	assert_int_equal(acc->used, 1);
	assert_true(turn_next(w.t, &position, &e));
	assert_int_equal(turn_drop(w.t, e.user), 1);
	accounts_release(w.accounts, acc);
	world_end(&w);
}

static void
it_can_be_watched(void **state)
{
	char text[256] = "";
	struct turn_entry e;
	uint64_t position = 0;
	struct world w;
	struct client c;

	(void)state;
	make(&w, &c);
	turn_watch(w.t, watched, text);
	assert_int_equal(allocate(&w, &c), 0);
	assert_int_equal(bind_channel(&w, &c, 0x4000, "192.0.2.77:1"), 0);
	assert_true(turn_next(w.t, &position, &e));
	assert_string_equal(e.user, "ann");
	assert_true(way_equal(&e.way, &c.way));
	assert_int_equal(e.relayed[0].port, FIRST_PORT);
	assert_int_equal(e.relayed[1].family, ADDR_NONE);
	assert_int_equal(e.permissions, 1);
	assert_int_equal(e.channels, 1);
	assert_true(e.expiry_ms >= w.now_ms + 600000);
	assert_false(turn_next(w.t, &position, &e));
	assert_int_equal(refresh(&w, &c, 0), 0);
	assert_int_equal(allocate(&w, &c), 0);
	later(&w, 700);
	turn_tick(w.t, w.now_ms);
	assert_int_equal(allocate(&w, &c), 0);
	turn_drop(w.t, "ann");
	assert_string_equal(text, "allocated: ended:deleted allocated: "
				  "ended:expired allocated: ended:dropped ");
	world_end(&w);
}

static void
plain_binding(void **state)
{
	struct world w;
	struct way from = {.remote = at("[2001:db8::9]:99")};
	uint8_t buf[STUN_MAX];
	struct stun_attr attr;
	struct stun_buf b;
	struct addr a;

	(void)state;
	world_make(&w, 2, 0);
	ask(&b, buf, STUN_BINDING);
	assert_int_equal(give(&w, &from, b.data, b.len), 0);
	assert_int_equal(w.result.len, 20 + 24); /* and not a byte more */
	assert_int_equal(
	    stun_find(&w.answer, STUN_XOR_MAPPED_ADDRESS, &attr), 0);
	assert_int_equal(stun_get_xor_addr(&attr, w.answer.tid, &a), 0);
	assert_true(addr_equal(&a, &from.remote));
	stun_put(&b, 0x0030, NULL, 0);
	assert_int_equal(give(&w, &from, b.data, b.len), 420);
	from.remote.port = 0;
	assert_int_equal(give(&w, &from, b.data, b.len), ANSWER_NONE);
	world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(malformed_lengths),
	    cmocka_unit_test(what_allocate_refuses),
	    cmocka_unit_test(an_allocation_lives_and_dies),
	    cmocka_unit_test(a_retransmission_is_answered_alike),
	    cmocka_unit_test(of_another_client),
	    cmocka_unit_test(two_families),
	    cmocka_unit_test(a_family_that_we_have_not),
	    cmocka_unit_test(asked_in_a_clients_name),
	    cmocka_unit_test(reservations),
	    cmocka_unit_test(one_address_asks_for_all),
	    cmocka_unit_test(full),
	    cmocka_unit_test(an_account_has_its_share),
	    cmocka_unit_test(a_user_named_like_a_key),
	    cmocka_unit_test(it_can_be_watched),
	    cmocka_unit_test(plain_binding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* A TURN server under any sequence of messages, signed and not, data and time:
 * what it answers is well-formed and short, nothing goes to or comes from an
 * address that no success has permitted, or one that is forbidden, and its
 * ports are those of its allocations.
 *
 * Input: steps of what (1 byte), who (1), length (1), and so many bytes. A
 * signed request's bytes are its attributes, where XOR-PEER-ADDRESS of no
 * value stands for peer number who / 16. */
#include <nettle/md5.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "turnserver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define CLIENTS 4
#define MAX 3
#define REALM "example.org"
#define SECRET "0123456789abcdef"
#define CHALLENGE_MAX 100 /* bytes; with FINGERPRINT */

static struct accounts *accounts;
static struct credential_secret secret;
static struct peerrules rules;
static struct turn *turn;
static uint64_t now, wall;
static bool open_port[2 * MAX];
static unsigned int held;
static uint8_t out[TURN_OUT_MAX];

static struct {
	struct way way;
	char user[32], password[CREDENTIAL_TURN_PASSWORD_LEN + 1];
	uint8_t key[16], nonce[CREDENTIAL_NONCE_LEN];
	/* what it has been granted, the last time of each peer */
	uint64_t until[8];
} client[CLIENTS];

static const char *const peers[8] = {"192.0.2.77:7", "192.0.2.78:0",
    "[2001:db8::77]:7", "10.0.0.1:1", "127.0.0.1:3478", "[::1]:9",
    "[64:ff9b::a00:1]:9", "224.0.0.1:5"};

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static struct addr
at(const char *text)
{
	struct addr a;

	check(addr_parse(&a, text) == 0);
	return a;
}

static int
port_open(void *arg, uint32_t index, int family, bool even, bool next,
    uint16_t port, struct addr *a)
{
	(void)arg;
	(void)even;
	check(index < 2 * MAX && !open_port[index] &&
	      index % 2 == (family == ADDR_V6));
	if (port != 0)
		check(held-- > 0);
	if (next)
		held++;
	open_port[index] = true;
	*a = at(family == ADDR_V6 ? "[2001:db8:5::1]:0" : "192.0.2.5:0");
	a->port = port != 0 ? port : (uint16_t)(50000 + 2 * index);
	return 0;
}

static void
port_close(void *arg, uint32_t index)
{
	(void)arg;
	check(index < 2 * MAX && open_port[index]);
	open_port[index] = false;
}

static void
port_release(void *arg, int family, uint16_t port)
{
	(void)arg;
	(void)family;
	check(port != 0 && held-- > 0);
}

static void
begin(void)
{
	struct turn_ports ports = {
	    .open = port_open, .close = port_close, .release = port_release};
	struct accounts_config ac = {.max = 8, .per_account = 2};
	struct turn_config c = {.max = MAX,
	    .realm = REALM,
	    .secrets = &secret,
	    .n_secrets = 1,
	    .rules = &rules,
	    .has4 = true,
	    .has6 = true,
	    .request_rate = 100,
	    .per_address = 2};
	char text[128];
	struct md5_ctx md5;

	check(sodium_init() >= 0);
	secret.len = strlen(SECRET);
	memcpy(secret.bytes, SECRET, secret.len);
	now = 1000;
	wall = 1000;
	check(accounts_new(&accounts, &ac) == 0);
	check(turn_new(&turn, &c, &ports, accounts) == 0);
	memset(client, 0, sizeof(client));
	for (unsigned int i = 0; i < CLIENTS; i++) {
		client[i].way.remote =
		    at(i == 1 ? "[2001:db8:9::1]:9" : "198.51.100.1:1000");
		client[i].way.remote.port += (uint16_t)i;
		if (i == 2)
			client[i].way.socket = WAY_STREAM;
		snprintf(client[i].user, sizeof(client[i].user), "%u:u%u",
		    i == 3 ? 2000 : 900000, i / 2);
		credential_turn_password(
		    &secret, client[i].user, client[i].password);
		snprintf(text, sizeof(text), "%s:" REALM ":%s", client[i].user,
		    client[i].password);
		md5_init(&md5);
		md5_update(&md5, strlen(text), (uint8_t *)text);
		md5_digest(&md5, 16, client[i].key);
	}
}

/* Which peer it is, or 8. */
static unsigned int
number(const struct addr *peer)
{
	for (unsigned int i = 0; i < 8; i++) {
		struct addr a = at(peers[i]);

		if (addr_equal_ip(&a, peer))
			return i;
	}
	return 8;
}

static void
check_peer(unsigned int who, const struct addr *peer)
{
	unsigned int n = number(peer);

	check(n == 8 || n < 3); /* the others are forbidden */
	check(peerrules_allow(&rules, peer) || peer->ip[3] == 5 ||
	      peer->ip[5] == 5);
	if (n < 8)
		check(now < client[who].until[n]);
}

static void
granted(unsigned int who, const struct stun_msg *m)
{
	struct stun_attr a;
	struct addr peer;
	struct cursor c;
	unsigned int n;

	if (m->method != TURN_CREATE_PERMISSION &&
	    m->method != TURN_CHANNEL_BIND)
		return;
	stun_attrs(&c, m);
	while (stun_attr_next(&c, &a) == 1) {
		if (a.type != TURN_XOR_PEER_ADDRESS ||
		    stun_get_xor_addr(&a, m->tid, &peer) != 0)
			continue;
		n = number(&peer);
		check(n == 8 || n < 3);
		if (n < 8) /* a channel alone lasts longer */
			client[who].until[n] = now + 602000;
	}
}

static void
message(unsigned int who, const uint8_t *data, size_t len)
{
	struct turn_result r;
	struct stun_msg m, answer;
	struct stun_attr a;

	if (stun_parse(&m, data, len) != 0)
		return;
	turn_message(turn, &client[who].way, &m, now, wall, out, &r);
	if (r.action == TURN_FORWARD) {
		check(r.index < 2 * MAX && open_port[r.index]);
		check(r.data >= data && r.data + r.data_len <= data + len);
		check(addr_is_sendable(&r.peer));
		check_peer(who, &r.peer);
	}
	if (r.action != TURN_ANSWER)
		return;
	check(m.class == STUN_REQUEST && r.len <= TURN_OUT_MAX);
	check(stun_parse(&answer, out, r.len) == 0);
	check(memcmp(answer.tid, m.tid, STUN_TID_LEN) == 0);
	if (stun_find(&answer, STUN_NONCE, &a) == 0) {
		check(a.len == CREDENTIAL_NONCE_LEN);
		memcpy(client[who].nonce, a.value, a.len);
	}
	if (stun_find(&m, STUN_MESSAGE_INTEGRITY, &a) != 0 &&
	    stun_find(&m, STUN_MESSAGE_INTEGRITY_SHA256, &a) != 0)
		check(r.len <= CHALLENGE_MAX);
	if (answer.class == STUN_SUCCESS)
		granted(who, &m);
}

static void
copy_attributes(struct stun_buf *b, unsigned int peer, struct cursor *c)
{
	struct stun_attr a;
	struct addr to = at(peers[peer]);

	while (stun_attr_next(c, &a) == 1) {
		if (a.type == TURN_XOR_PEER_ADDRESS && a.len == 0)
			stun_put_xor_addr(b, TURN_XOR_PEER_ADDRESS, &to);
		else
			stun_put(b, a.type, a.value, a.len);
	}
}

static void
built(uint16_t method, enum stun_class class, unsigned int who,
    unsigned int peer, struct cursor *c)
{
	uint8_t buf[2048], tid[STUN_TID_LEN] = {1};
	struct stun_buf b;

	if (class == STUN_REQUEST)
		stun_new_tid(tid);
	stun_begin(&b, buf, sizeof(buf), method, class, tid);
	copy_attributes(&b, peer & 7, c);
	if (class == STUN_REQUEST) {
		stun_put(&b, STUN_USERNAME, client[who].user,
		    strlen(client[who].user));
		stun_put(&b, STUN_REALM, REALM, strlen(REALM));
		stun_put(&b, STUN_NONCE, client[who].nonce,
		    sizeof(client[who].nonce));
		stun_put_integrity(&b, client[who].key, 16);
	}
	if (stun_end(&b, peer & 8) > 0)
		message(who, b.data, b.len);
}

static void
data_of(
    unsigned int what, unsigned int who, unsigned int peer, struct cursor *c)
{
	struct addr a = at(peers[peer & 7]);
	struct way to;
	uint32_t index;
	uint16_t channel = cursor_u16(c);
	uint8_t type = cursor_u8(c);

	if (what == 0) {
		if (turn_channel(turn, &client[who].way, channel, 9, 1, now,
			&index, &a)) {
			check(index < 2 * MAX && open_port[index]);
			check_peer(who, &a);
		}
		return;
	}
	index = type % (2 * MAX + 1);
	if (what == 1) {
		if (!turn_peer(turn, index, &a, 9, 2, now, &to, &channel))
			return;
		check(turn_data_head(&a, channel % 1500u, out) <= 64);
	} else if (turn_icmp(turn, index, &a, (uint8_t)(channel >> 8),
		       (uint8_t)channel, 1, &to, out) == 0) {
		return;
	}
	check(index < 2 * MAX && open_port[index]);
	for (who = 0; !way_equal(&client[who].way, &to);)
		check(++who < CLIENTS);
	check_peer(who, &a);
}

static void
step(unsigned int what, unsigned int who, struct cursor *c)
{
	static const uint16_t methods[4] = {TURN_ALLOCATE, TURN_REFRESH,
	    TURN_CREATE_PERMISSION, TURN_CHANNEL_BIND};
	unsigned int peer = who / 16, i = who % CLIENTS;
	size_t len = cursor_left(c);

	switch (what % 12) {
	case 0:
		message(i, cursor_bytes(c, len), len);
		break;
	case 1:
	case 2:
	case 3:
	case 4:
		built(methods[what % 12 - 1], STUN_REQUEST, i, peer, c);
		break;
	case 5:
		built(TURN_SEND, STUN_INDICATION, i, peer, c);
		break;
	case 6:
	case 7:
	case 8:
		data_of(what % 12 - 6, i, peer, c);
		break;
	case 9:
		now += cursor_u16(c) * UINT64_C(10);
		wall += now / 1000;
		break;
	case 10:
		turn_tick(turn, now);
		break;
	default:
		if (who & 1)
			turn_stream_gone(turn, 0);
		else if (who & 2)
			turn_drop(turn, "u0");
		else
			turn_drain(turn, who & 4);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cursor c, part;
	struct turn_entry e;
	uint64_t position = 0;
	size_t open = 0, told = 0, bytes;
	unsigned int what, who;
	const uint8_t *p;

	begin();
	cursor_init(&c, data, len);
	while (cursor_left(&c) > 0) {
		what = cursor_u8(&c);
		who = cursor_u8(&c);
		bytes = cursor_u8(&c);
		p = cursor_bytes(&c, bytes);
		if (p == NULL)
			break;
		cursor_init(&part, p, bytes);
		step(what, who, &part);
	}
	while (turn_next(turn, &position, &e))
		told += (e.relayed[0].family != ADDR_NONE) +
			(e.relayed[1].family != ADDR_NONE);
	for (int i = 0; i < 2 * MAX; i++)
		open += open_port[i];
	check(open == told && turn_count(turn) <= MAX && held <= MAX);
	turn_free(turn);
	accounts_free(accounts);
	for (int i = 0; i < 2 * MAX; i++)
		check(!open_port[i]);
	check(held == 0);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* The relay's pairs between right and wrong requests, foreign bytes,
 * datagrams and time, next to a plain list of who should be bound where: what
 * one side sends goes to the other side of its own pair, or nowhere; foreign
 * bytes bind nobody; no answer is longer than its request; memory stays as it is.
 *
 * Input: steps of 4 bytes (what, who, from where, how); a foreign message has
 * its length in the last and follows. */
#include "../unit/pairs_fixture.h"

#define KEYS 5
#define ADDRS 6
#define MAX 6 /* pairs: fewer than there could be */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct expected {
	bool bound;
	struct way way;
	uint16_t channel;
	uint64_t seen_ms;
};

static const char *const addrs[ADDRS] = {"192.0.2.1:1", "192.0.2.1:2",
    "192.0.2.2:1", "198.51.100.1:9", "[2001:db8::1]:1", "[2001:db8:1::1]:1"};

static struct rig r;
static struct expected sides[KEYS][KEYS]; /* of key, with peer */
static char nonces[ADDRS][CREDENTIAL_NONCE_LEN + 1];
static size_t memory;

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static bool
same(const struct expected *e, const struct way *way, uint16_t channel)
{
	return e->bound && way_equal(&e->way, way) && e->channel == channel;
}

static struct expected *
bound_at(const struct way *way, uint16_t channel, struct expected **peer)
{
	for (int i = 0; i < KEYS; i++) {
		for (int k = 0; k < KEYS; k++) {
			if (same(&sides[i][k], way, channel)) {
				*peer = &sides[k][i];
				return &sides[i][k];
			}
		}
	}
	return NULL;
}

/* What ends by time, ends in time; all other ends are asked for, or follow. */
static void
event(void *arg, const char *what, const char *reason,
    const struct pairs_side *side, const uint8_t peer[KEY_LEN])
{
	struct expected *e = &sides[side->key[3]][peer[3]];

	(void)arg;
	if (strcmp(what, "unbound") != 0)
		return;
	check(same(e, &side->way, e->channel));
	if (strcmp(reason, "idle") == 0)
		check(r.now_ms - e->seen_ms >= PAIRS_IDLE_MS);
	if (strcmp(reason, "unused") == 0)
		check(r.now_ms - e->seen_ms >= PAIRS_UNUSED_MS);
	e->bound = false;
}

static struct way
way_of(uint8_t where, uint8_t socket)
{
	struct way w = {.remote = fixture_addr(addrs[where % ADDRS]),
	    .socket = socket % (FIRST + 2 * PORTS + 1)};

	if (w.socket == FIRST + 2 * PORTS) {
		w.socket = WAY_STREAM;
		w.stream = where % ADDRS;
	}
	return w;
}

/* how: 4 bits socket, then: leave, old nonce, expired, wrong secret */
static void
ask(uint8_t who, uint8_t where, uint8_t how)
{
	static const struct credential_secret wrong = {.len = 16};
	unsigned int key = who % KEYS, peer = who / KEYS % KEYS;
	struct expected *e = &sides[key][peer];
	struct client c = fixture_client(&r, key, peer, addrs[where % ADDRS]);
	int code;

	c.from = way_of(where, how & 15);
	if (c.from.socket == WAY_STREAM)
		c.channel = PAIRS_CHANNEL_MIN + (who >> 6 & 1);
	c.leave = (how & 16) != 0;
	if ((how & 64) != 0)
		c.c.expiry_s = WALL_S;
	if ((how & 128) != 0)
		c.secret = &wrong;
	if ((how & 32) != 0) {
		memcpy(c.nonce, nonces[where % ADDRS], sizeof(c.nonce));
		code = rig_ask(&r, &c);
	} else {
		code = rig_bind(&r, &c);
		memcpy(nonces[where % ADDRS], c.nonce, sizeof(c.nonce));
	}
	check(code == SILENCE || code == 0 || code >= 300);
	if (code != 0)
		return;
	check((how & 128) == 0 && key != peer && c.nonce[0] != '\0');
	check(c.leave || (how & 64) == 0 || e->bound);
	if (c.leave) {
		check(!e->bound);
		return;
	}
	e->bound = true;
	e->way = c.from;
	e->channel = c.channel;
	e->seen_ms = r.now_ms;
}

/* Nobody gets one whose IP address has proven nothing at that socket, nor more
 * than there may be for a pair. */
static void
hint(const struct way *from, bool bound)
{
	static const struct way nowhere;
	bool first = pairs_hint(r.pairs, from, r.now_ms);
	int most = 0;

	for (int i = 0; i < KEYS; i++)
		for (int k = 0; k < KEYS; k++)
			most += sides[i][k].bound &&
				sides[i][k].way.socket == from->socket &&
				addr_equal_ip(
				    &sides[i][k].way.remote, &from->remote);
	check(!first || (!bound && most > 0 && from->socket != WAY_STREAM));
	for (most *= PAIRS_HINT_BURST; first && most > 0; most--)
		first = pairs_hint(r.pairs, from, r.now_ms);
	check(!first && !pairs_hint(r.pairs, &nowhere, r.now_ms));
}

static void
send_one(uint8_t who, uint8_t where, uint8_t socket)
{
	struct way from = way_of(where, socket & 15);
	uint16_t channel =
	    from.socket == WAY_STREAM ? PAIRS_CHANNEL_MIN + (who >> 6 & 1) : 0;
	struct expected *peer = NULL, *e = bound_at(&from, channel, &peer);
	struct pairs_hop hop;

	check(pairs_bound(r.pairs, &from, channel) == (e != NULL));
	hint(&from, e != NULL);
	if (!rig_forward(&r, &from, channel, &hop)) {
		check(e == NULL || !peer->bound);
		return;
	}
	check(e != NULL && same(peer, &hop.to, hop.channel));
	e->seen_ms = r.now_ms;
}

/* Nothing in there can be signed. */
static void
foreign(const uint8_t *data, size_t len, uint8_t where, uint8_t socket)
{
	struct way from = way_of(where, socket & 15);
	struct stun_msg m;
	int n;

	if (stun_parse(&m, data, len) != 0)
		return;
	m.fingerprint = true;
	m.method = NATKIT_BIND;
	n = pairs_bind(
	    r.pairs, &from, &m, r.now_ms, r.wall_s, r.answer, sizeof(r.answer));
	check(n >= 0 && (size_t)n <= len);
	if (n > 0) {
		check(stun_parse(&m, r.answer, (size_t)n) == 0);
		check(m.class == STUN_ERROR);
	}
}

static void
check_all(void)
{
	struct pairs_entry entry;
	uint64_t position = 0;
	size_t bound = 0, pairs = 0, want = 0;

	while (pairs_next(r.pairs, &position, &entry)) {
		pairs++;
		for (int i = 0; i < 2; i++) {
			const struct pairs_side *s = &entry.side[i];
			const struct expected *e =
			    &sides[s->key[3]][entry.side[1 - i].key[3]];

			check(s->bound == e->bound);
			check(!s->bound || way_equal(&s->way, &e->way));
			bound += s->bound;
		}
	}
	for (int i = 0; i < KEYS; i++)
		for (int k = 0; k < KEYS; k++)
			want += sides[i][k].bound;
	check(bound == want && pairs == pairs_count(r.pairs) && pairs <= MAX);
	check(memory == pairs_memory(r.pairs) + accounts_memory(r.accounts));
}

static void
step(const uint8_t in[4])
{
	uint8_t key[KEY_LEN], peer[KEY_LEN];

	switch (in[0] % 8) {
	case 0:
	case 1:
		ask(in[1], in[2], in[3]);
		break;
	case 2:
	case 3:
		send_one(in[1], in[2], in[3]);
		break;
	case 4:
		r.now_ms += (uint64_t)in[1] * in[2] * 10;
		pairs_tick(r.pairs, r.now_ms);
		break;
	case 5:
		pairs_stream_gone(r.pairs, in[1] % ADDRS);
		break;
	case 6:
		fixture_key(key, in[1] % KEYS);
		fixture_key(peer, in[2] % KEYS);
		pairs_drop(r.pairs, key, (in[3] & 1) != 0 ? peer : NULL);
		break;
	case 7:
		pairs_drain(r.pairs, (in[1] & 1) != 0);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct accounts_config limits = {
	    .max = 4, .per_account = 3};
	size_t len;

	rig_open(&r, MAX, &limits, 4);
	pairs_watch(r.pairs, event, NULL);
	memset(sides, 0, sizeof(sides));
	memset(nonces, 0, sizeof(nonces));
	memory = pairs_memory(r.pairs) + accounts_memory(r.accounts);
	while (size >= 4) {
		const uint8_t *in = data;

		data += 4;
		size -= 4;
		if (in[0] >= 0xc0) {
			len = in[3] < size ? in[3] : size;
			foreign(data, len, in[1], in[2]);
			data += len;
			size -= len;
		} else {
			step(in);
		}
		check_all();
	}
	rig_close(&r);
	return 0;
}

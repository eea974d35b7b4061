/* SPDX-License-Identifier: ISC */
/* What came to the relay's sockets and connections: ChannelData (RFC 8656
 * section 12.4), STUN (RFC 8489 section 5) of TURN, BIND or plain Binding, or
 * a pair's own datagrams. A train of datagrams is handled at once as far as
 * they are of one kind. Nothing is copied but answers, Data indications, and
 * what goes over a connection. */
#include "dispatch.h"

#include <errno.h>
#include <string.h>

#include "cursor.h"
#include "reflect.h"
#include "stun.h"

#define BATCHES 8 /* of one socket before another gets its turn */
#define ERRORS 16 /* ICMP errors of one socket, likewise */
#define CHANNEL_HEAD 4
#define ANSWER_MAX STUN_MAX
/* XOR-MAPPED-ADDRESS (RFC 8489 section 14.2) and FINGERPRINT; to it an IP address */
#define HINT_LEN (STUN_HEADER_LEN + 8 + 8)
#define HINT_MAX (HINT_LEN + 16)

static uint16_t
get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static size_t
min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The first two bits are 01. */
static bool
is_channel_data(const uint8_t *data, size_t len)
{
	return len > 0 && data[0] >> 6 == 1;
}

/* The bits of the method (RFC 8489 section 5), with those of the class. */
static uint16_t
method_of(uint16_t type)
{
	return (
	    uint16_t)((type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80));
}

static bool
is_request(uint16_t type)
{
	return (type & 0x0110) == 0;
}

static uint64_t
wall_s(void)
{
	return wall_ns() / 1000000000u;
}

/* The socket of a way, or NULL: that is over a connection. */
static struct train *
train_of(struct engine *e, const struct way *w)
{
	return w->socket < ENGINE_RELAYED ? e->socket[w->socket].train : NULL;
}

static void
tell(struct engine *e, const struct way *to, const void *data, size_t len,
    bool droppable)
{
	struct train *t = train_of(e, to);

	if (t != NULL)
		train_answer(t, &to->remote, data, len);
	else if (!relaystreams_send(
		     e->streams, to->stream, NULL, 0, data, len, droppable))
		e->n.dropped_gone++;
}

static void
answer(struct engine *e, const struct way *to, const void *data, size_t len)
{
	tell(e, to, data, len, false);
}

/* An indication: what peers, or who forges their ICMP errors, make us say costs
 * a client that reads slowly no connection. */
static void
indication(struct engine *e, const struct way *to, const void *data, size_t len)
{
	tell(e, to, data, len, true);
}

/* Datagrams of a pair, or ChannelData of a TURN client, on their way out. A
 * channel makes each of them ChannelData. The last may be shorter than the
 * others, so its head is another one. */
static void
deliver(struct engine *e, const struct way *to, uint16_t channel,
    const uint8_t *data, size_t len, size_t seg)
{
	struct train *t = train_of(e, to);
	size_t whole = seg > 0 ? len - len % seg : 0;
	uint8_t head[CHANNEL_HEAD];

	if (t != NULL && channel == 0) {
		train_queue(t, &to->remote, NULL, 0, data, len, seg);
		return;
	}
	put_u16(head, channel);
	put_u16(head + 2, (uint16_t)seg);
	if (t != NULL && whole > 0)
		train_queue(
		    t, &to->remote, head, sizeof(head), data, whole, seg);
	for (size_t at = 0; t == NULL && at < whole; at += seg)
		if (!relaystreams_send(e->streams, to->stream, head,
			sizeof(head), data + at, seg, true))
			e->n.dropped_gone++;
	if (whole == len && len > 0)
		return;
	put_u16(head + 2, (uint16_t)(len - whole));
	if (t != NULL)
		train_queue(t, &to->remote, head, sizeof(head), data + whole,
		    len - whole, len - whole);
	else if (!relaystreams_send(e->streams, to->stream, head, sizeof(head),
		     data + whole, len - whole, true))
		e->n.dropped_gone++;
}

/* One of our own addresses, seen from inside or outside? */
static int
own_family(const struct engine *e, const struct addr *a)
{
	int f = a->family == ADDR_V6;

	return addr_equal_ip(a, &e->config->at[f]) ||
		       addr_equal_ip(a, &e->config->external[f])
		   ? f
		   : -1;
}

/* At our own address other clients are, at their relayed ports. All else there
 * has to have been named (-a), and the ports that take clients stay shut even
 * then: no port of ours takes a client's word that came from ourselves, and so
 * nothing goes in circles. */
static bool
is_peer(const struct engine *e, int f, uint16_t port)
{
	const struct engine_config *c = e->config;

	if (relayports_open_at(e->ports, f == 1 ? ADDR_V6 : ADDR_V4, port))
		return true;
	return e->own_named[f] && port != c->port &&
	       (port < c->low || port - c->low >= c->pair_ports);
}

/* Where a client's datagram for a peer leaves from. No NAT in front of us has to
 * turn round what is for ourselves. */
static struct train *
to_peer(struct engine *e, uint32_t index, struct addr *peer)
{
	int f = own_family(e, peer);
	uint16_t port = peer->port;

	if (f == -1)
		return relayports_train(e->ports, index);
	if (!is_peer(e, f, port)) {
		e->n.dropped_own++;
		return NULL;
	}
	*peer = e->config->at[f];
	peer->port = port;
	return relayports_train(e->ports, index);
}

static void
count_to_peer(struct engine *e, size_t datagrams, size_t bytes)
{
	e->n.to_peer_datagrams += datagrams;
	e->n.to_peer_bytes += bytes;
}

/* Is this a whole ChannelData message? Over UDP it may have padding or not
 * (RFC 8656 section 12.5). */
static bool
channel_length(const uint8_t *data, size_t len, size_t *claimed)
{
	if (len < CHANNEL_HEAD)
		return false;
	*claimed = get_u16(data + 2);
	return *claimed + CHANNEL_HEAD <= len &&
	       len - CHANNEL_HEAD - *claimed < 4;
}

/* ChannelData over UDP: as many datagrams as have the same head. Returns how
 * many bytes of the train they were. */
static size_t
channel_run(struct engine *e, const struct way *from, const uint8_t *data,
    size_t len, size_t seg)
{
	size_t first = min(seg, len), n = 1, claimed;
	struct train *t;
	struct addr peer;
	uint32_t index;

	if (!channel_length(data, first, &claimed)) {
		e->n.dropped_length++;
		return first;
	}
	while ((n + 1) * seg <= len &&
	       memcmp(data, data + n * seg, CHANNEL_HEAD) == 0)
		n++;
	if (!turn_channel(e->turn, from, get_u16(data), n * claimed,
		(unsigned int)n, e->now_ms, &index, &peer)) {
		e->n.dropped_channel += n;
	} else if ((t = to_peer(e, index, &peer)) != NULL) {
		count_to_peer(e, n, n * claimed);
		for (size_t i = 0; i < n; i++)
			train_queue(t, &peer, NULL, 0,
			    data + i * seg + CHANNEL_HEAD, claimed, claimed);
	}
	return n == 1 ? first : n * seg;
}

/* The errors of what we sent to peers (section 11.5). */
static void
errors(struct engine *e, uint32_t index, struct train *t)
{
	uint8_t type, code, out[TURN_OUT_MAX];
	struct addr peer;
	uint32_t data;

	for (int i = 0;
	     i < ERRORS && train_error(t, &peer, &type, &code, &data) == 1;
	     i++) {
		struct way to;
		size_t len = turn_icmp(
		    e->turn, index, &peer, type, code, data, &to, out);

		if (len == 0)
			continue;
		e->n.icmp++;
		indication(e, &to, out, len);
	}
}

static void
turn(struct engine *e, const struct way *from, const struct stun_msg *m)
{
	struct turn_result r = {.action = TURN_NOTHING};
	uint8_t out[TURN_OUT_MAX];
	struct train *t;

	e->n.turn_messages++;
	if (m->method != TURN_SEND)
		e->changed = true;
	turn_message(e->turn, from, m, e->now_ms, wall_s(), out, &r);
	if (r.action == TURN_ANSWER)
		answer(e, from, out, r.len);
	if (r.action != TURN_FORWARD ||
	    (t = to_peer(e, r.index, &r.peer)) == NULL)
		return;
	count_to_peer(e, 1, r.data_len);
	if (!r.df)
		train_queue(
		    t, &r.peer, NULL, 0, r.data, r.data_len, r.data_len);
	else if (train_send_df(t, &r.peer, r.data, r.data_len) == -EMSGSIZE)
		errors(e, r.index, t); /* before there is another one */
}

static void
bind_pair(struct engine *e, const struct way *from, const struct stun_msg *m)
{
	uint8_t out[ANSWER_MAX];
	int len;

	e->n.binds++;
	e->changed = true;
	len = pairs_bind(
	    e->pairs, from, m, e->now_ms, wall_s(), out, sizeof(out));
	if (len > 0)
		answer(e, from, out, (size_t)len);
}

/* Tells who is not bound at a pair's port what everybody else asks a STUN
 * server; never more bytes than were asked with. */
static void
hint(struct engine *e, const struct way *to, const struct stun_msg *m)
{
	uint8_t out[ANSWER_MAX];
	int len;

	if (!addr_is_sendable(&to->remote) ||
	    !limit_take(&e->hints, &to->remote, e->now_ms))
		return;
	len = reflect(m, &to->remote, out, sizeof(out));
	if (len <= 0 || (size_t)len > m->len)
		return;
	e->n.hints++;
	answer(e, to, out, (size_t)len);
}

/* What is no STUN (an answer to our answer would go round for ever) and comes from an IP
 * address that is bound there, at another port: that NAT may have a new mapping. */
static void
hint_moved(
    struct engine *e, const struct way *to, const uint8_t *data, size_t len)
{
	uint8_t out[HINT_MAX], tid[STUN_TID_LEN];
	struct stun_buf b;
	int n;

	if (len < HINT_LEN + addr_ip_len(&to->remote) ||
	    stun_is_stun(data, len) || !addr_is_sendable(&to->remote) ||
	    !pairs_hint(e->pairs, to, e->now_ms))
		return;
	stun_new_tid(tid);
	stun_begin(&b, out, sizeof(out), STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &to->remote);
	n = stun_end(&b, true);
	if (n <= 0 || (size_t)n > len)
		return;
	e->n.hints++;
	answer(e, to, out, (size_t)n);
}

/* A STUN message to the main port or over a connection. False: it is none. */
static bool
message(
    struct engine *e, const struct way *from, const uint8_t *data, size_t len)
{
	struct stun_msg m;

	if (stun_parse(&m, data, len) != 0) {
		e->n.dropped_malformed++;
		return false;
	}
	if (m.method == NATKIT_BIND && m.class == STUN_REQUEST && m.fingerprint)
		bind_pair(e, from, &m);
	else
		turn(e, from, &m);
	return true;
}

static void
main_cb(void *arg, struct train *t, const struct addr *from,
    const uint8_t *data, size_t len, size_t seg)
{
	struct engine *e = arg;
	struct way way = {.remote = *from, .socket = train_index(t)};

	for (size_t at = 0; at < len;) {
		size_t n = min(seg, len - at);

		if (is_channel_data(data + at, n)) {
			at += channel_run(e, &way, data + at, len - at, seg);
			continue;
		}
		message(e, &way, data + at, n);
		at += n;
	}
}

/* The type of what looks like STUN; UINT16_MAX: it does not. */
static uint16_t
stun_type(const uint8_t *data, size_t len)
{
	if (len < STUN_HEADER_LEN || data[0] > 0x3f || !stun_is_stun(data, len))
		return UINT16_MAX;
	return get_u16(data);
}

/* Is it of interest to us, and not just to the other side? */
static bool
is_ours(uint16_t type)
{
	uint16_t method;

	if (type == UINT16_MAX)
		return false;
	method = method_of(type);
	return method == NATKIT_BIND ||
	       (method == STUN_BINDING && is_request(type));
}

static bool
forward(struct engine *e, const struct way *from, uint16_t channel,
    const uint8_t *data, size_t len, size_t seg)
{
	unsigned int n = seg > 0 ? (unsigned int)((len + seg - 1) / seg) : 1;
	struct pairs_hop hop;

	if (!pairs_forward(e->pairs, from, channel, len, n, e->now_ms, &hop))
		return false;
	e->n.pair_datagrams += n;
	e->n.pair_bytes += len;
	deliver(e, &hop.to, hop.channel, data, len, seg);
	return true;
}

static void
pair_run(struct engine *e, const struct way *from, const uint8_t *data,
    size_t len, size_t seg)
{
	if (forward(e, from, 0, data, len, seg))
		return;
	e->n.dropped_unbound += seg > 0 ? (len + seg - 1) / seg : 1;
	hint_moved(e, from, data, min(seg, len));
}

/* At a pair's port: BIND is for us. A Binding request goes to the other side;
 * who is not bound here gets an answer, and so learns that. */
static void
pair_message(struct engine *e, const struct way *from, uint16_t type,
    const uint8_t *data, size_t len)
{
	bool binding = method_of(type) == STUN_BINDING;
	struct stun_msg m;

	if (binding && pairs_bound(e->pairs, from, 0)) {
		pair_run(e, from, data, len, len);
		return;
	}
	if (stun_parse(&m, data, len) != 0 || m.class != STUN_REQUEST ||
	    (!binding && !m.fingerprint)) {
		e->n.dropped_malformed++;
	} else if (binding) {
		e->n.dropped_unbound++;
		hint(e, from, &m);
	} else {
		bind_pair(e, from, &m);
	}
}

static void
pair_cb(void *arg, struct train *t, const struct addr *from,
    const uint8_t *data, size_t len, size_t seg)
{
	struct engine *e = arg;
	struct way way = {.remote = *from, .socket = train_index(t)};
	size_t begin = 0; /* of a run that is not ours */

	for (size_t at = 0; at < len; at += seg) {
		size_t n = min(seg, len - at);
		uint16_t type = stun_type(data + at, n);

		if (!is_ours(type))
			continue;
		if (at > begin)
			pair_run(e, &way, data + begin, at - begin, seg);
		pair_message(e, &way, type, data + at, n);
		begin = at + n;
	}
	if (begin < len || len == 0)
		pair_run(
		    e, &way, data + begin, len - begin, min(seg, len - begin));
}

/* A Data indication (RFC 8656 section 11.4) for each datagram. */
static void
indicate(struct engine *e, const struct way *to, const struct addr *peer,
    const uint8_t *data, size_t len, size_t seg)
{
	for (size_t at = 0; at < len || len == 0; at += seg) {
		size_t n = min(seg, len - at), pad = -n & 3;
		uint8_t *out = e->scratch;
		size_t head = turn_data_head(peer, n, out);

		if (head == 0) { /* too long for one: IPv6 has room for it */
			e->n.dropped_length++;
			return;
		}
		if (n > 0)
			memcpy(out + head, data + at, n);
		memset(out + head + n, 0, pad);
		indication(e, to, out, head + n + pad);
		if (len == 0)
			return;
	}
}

struct relayed {
	struct engine *engine;
	uint32_t index;
};

static void
relayed_cb(void *arg, struct train *t, const struct addr *from,
    const uint8_t *data, size_t len, size_t seg)
{
	const struct relayed *r = arg;
	struct engine *e = r->engine;
	unsigned int n = seg > 0 ? (unsigned int)((len + seg - 1) / seg) : 1;
	struct addr peer = *from;
	struct way to;
	uint16_t channel;
	int f = own_family(e, from);

	(void)t;
	/* what a port for clients says was asked in our own name: who got it
	 * through here would be a client at our address */
	if (f != -1 && !is_peer(e, f, from->port)) {
		e->n.dropped_own += n;
		return;
	}
	if (f != -1) {
		peer = e->config->external[f];
		peer.port = from->port;
	}
	if (!turn_peer(
		e->turn, r->index, &peer, len, n, e->now_ms, &to, &channel)) {
		e->n.dropped_permission += n;
		return;
	}
	e->n.to_client_datagrams += n;
	e->n.to_client_bytes += len;
	if (channel != 0)
		deliver(e, &to, channel, data, len, seg);
	else
		indicate(e, &to, &peer, data, len, seg);
}

/* Reads while there is more and it is this socket's turn; what that leads to
 * leaves when all sockets have had theirs. Returns how many messages there were. */
static int
read_all(struct engine *e, struct train *t, train_fn *fn, void *arg)
{
	int all = 0;

	for (int i = 0; i < BATCHES; i++) {
		int n;

		e->now_ms = now_ms();
		n = train_read(t, fn, arg);
		all += n;
		if (n < TRAIN_BATCH)
			break;
	}
	engine_flush_soon(e);
	return all;
}

void
dispatch_main(struct engine *e, struct train *t)
{
	read_all(e, t, main_cb, e);
}

void
dispatch_pair(struct engine *e, struct train *t)
{
	read_all(e, t, pair_cb, e);
}

/* Nothing to read: then it was an error that woke us. */
void
dispatch_relayed(struct engine *e, uint32_t index, struct train *t)
{
	struct relayed r = {.engine = e, .index = index};

	if (read_all(e, t, relayed_cb, &r) > 0)
		return;
	errors(e, index, t);
	engine_flush_soon(e);
}

/* ChannelData over a connection: of a TURN allocation, or of a pair. */
static void
stream_channel(
    struct engine *e, const struct way *from, const uint8_t *data, size_t len)
{
	uint16_t channel = get_u16(data);
	size_t n = len - CHANNEL_HEAD;
	struct train *t;
	struct addr peer;
	uint32_t index;

	if (turn_channel(
		e->turn, from, channel, n, 1, e->now_ms, &index, &peer)) {
		if ((t = to_peer(e, index, &peer)) == NULL)
			return;
		count_to_peer(e, 1, n);
		train_queue(t, &peer, NULL, 0, data + CHANNEL_HEAD, n, n);
	} else if (!forward(e, from, channel, data + CHANNEL_HEAD, n, n)) {
		e->n.dropped_channel++;
	}
}

/* What it queued is sent at once: data is not there any more later. */
bool
dispatch_stream(
    struct engine *e, const struct way *from, const uint8_t *data, size_t len)
{
	bool good = true;

	e->now_ms = now_ms();
	if (!is_channel_data(data, len))
		good = message(e, from, data, len);
	else if (len >= CHANNEL_HEAD)
		stream_channel(e, from, data, len);
	trains_flush(e->trains);
	return good;
}

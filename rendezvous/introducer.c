/* SPDX-License-Identifier: ISC */
/* Introductions by mutual consent: who learns of whom, and when. */
#include "introducer.h"

#include <sodium.h>
#include <string.h>

#define NONE REGISTRY_NONE
#define QUEUES (INTRODUCER_RESENDS + 2)
#define SPREAD_MS 5 /* of the arrival of two packets sent at once, at least */

void
introducer_init(struct introducer *in, struct registry *r,
    introducer_event_fn *event, void *arg)
{
	in->r = r;
	in->event = event;
	in->arg = arg;
	randombytes_buf(in->secret, sizeof(in->secret));
	for (int q = 0; q < QUEUES; q++)
		in->head[q] = in->tail[q] = NONE;
}

static struct edge *
edge(const struct introducer *in, uint32_t i)
{
	return &in->r->edges[i];
}

static void
publish(struct introducer *in, const char *what, const struct edge *e)
{
	in->event(in->arg, what, in->r->clients[e->owner].key, e->key);
}

/* The queue that an edge waits in is that of its tries. */
static void
dequeue(struct introducer *in, uint32_t i)
{
	struct edge *e = edge(in, i);

	if (!e->queued)
		return;
	if (e->queue_prev != NONE)
		edge(in, e->queue_prev)->queue_next = e->queue_next;
	else
		in->head[e->tries] = e->queue_next;
	if (e->queue_next != NONE)
		edge(in, e->queue_next)->queue_prev = e->queue_prev;
	else
		in->tail[e->tries] = e->queue_prev;
	e->queued = false;
}

static void
enqueue(struct introducer *in, uint32_t i, uint8_t tries, uint64_t now_ms)
{
	struct edge *e = edge(in, i);
	uint32_t last;

	dequeue(in, i);
	e->tries = tries;
	e->due_ms = now_ms;
	if (tries > 0)
		e->due_ms += (uint64_t)INTRODUCER_RESEND_MS << (tries - 1);
	last = in->tail[tries];
	e->queue_prev = last;
	e->queue_next = NONE;
	if (last != NONE)
		edge(in, last)->queue_next = i;
	else
		in->head[tries] = i;
	in->tail[tries] = i;
	e->queued = true;
}

/* Changes what the owner has yet to be told, and tells it now. */
static void
push(struct introducer *in, uint32_t i, uint8_t add, uint8_t clear,
    uint64_t now_ms)
{
	struct edge *e = edge(in, i);

	e->pending = (uint8_t)((e->pending & ~clear) | add);
	e->version++;
	if (e->pending != 0)
		enqueue(in, i, 0, now_ms);
	else
		dequeue(in, i);
}

static void
push_peer(struct introducer *in, uint32_t i, uint64_t now_ms)
{
	edge(in, i)->told = true;
	push(in, i, PUSH_PEER, PUSH_GONE, now_ms);
}

static void
reset_ready(struct introducer *in, uint32_t i, uint64_t now_ms)
{
	struct edge *e = edge(in, i);

	e->ready = false;
	e->went = false;
	if (e->pending & PUSH_GO)
		push(in, i, 0, PUSH_GO, now_ms);
}

/* Half the difference of the round trips, and some of the longer for the
 * unsteadiness of the way. A client can't say more than delays its peer by
 * INTRODUCER_SKEW_MAX_MS. */
static uint16_t
skew_ms(uint16_t a, uint16_t b)
{
	unsigned int more = a > b ? a : b, less = a > b ? b : a;
	unsigned int skew = (more - less) / 2 + SPREAD_MS + more / 8;

	return (uint16_t)(skew < INTRODUCER_SKEW_MAX_MS
			      ? skew
			      : INTRODUCER_SKEW_MAX_MS);
}

/* GO to both, when both are ready for the same two generations. */
static void
try_go(struct introducer *in, uint32_t i, uint64_t now_ms)
{
	struct edge *a = edge(in, i), *b;

	if (a->peer == NONE)
		return;
	b = edge(in, a->peer);
	if (!a->ready || !b->ready || a->went || b->went || a->stale ||
	    b->stale || a->mine != b->theirs || a->theirs != b->mine)
		return;
	a->went = b->went = true;
	a->moment_ms = b->moment_ms = now_ms;
	a->skew_ms = b->skew_ms = skew_ms(a->rtt_ms, b->rtt_ms);
	push(in, i, PUSH_GO, 0, now_ms);
	push(in, a->peer, PUSH_GO, 0, now_ms);
	publish(in, "go", a);
}

/* Looks for the edge back, and introduces the two if it is there. */
static void
try_link(struct introducer *in, uint32_t i, uint64_t now_ms)
{
	struct registry *r = in->r;
	struct edge *e = edge(in, i);
	uint32_t other = registry_by_key(r, e->key), back;

	if (other == NONE)
		return;
	back = registry_edge(r, other, r->clients[e->owner].key);
	if (back == NONE || edge(in, back)->stale)
		return;
	e->peer = back;
	edge(in, back)->peer = i;
	push_peer(in, i, now_ms);
	push_peer(in, back, now_ms);
	publish(in, "introduced", e);
}

/* The peer's edge has lost this one. */
static void
unlink_peer(struct introducer *in, uint32_t i, uint64_t now_ms)
{
	uint32_t back = edge(in, i)->peer;
	struct edge *p;

	if (back == NONE)
		return;
	p = edge(in, back);
	p->peer = NONE;
	reset_ready(in, back, now_ms);
	push(in, back, p->told ? PUSH_GONE : 0, PUSH_PEER | PUSH_GO, now_ms);
	p->told = false;
	publish(in, "gone", edge(in, i));
}

static void
end_want(struct introducer *in, uint32_t i, uint64_t now_ms)
{
	unlink_peer(in, i, now_ms);
	dequeue(in, i);
	registry_unwant(in->r, i);
}

static void
put_full(struct stun_buf *answer, const uint8_t key[KEY_LEN])
{
	uint8_t *p = stun_put_space(answer, NATKIT_STATUS, 2 + KEY_LEN);

	if (p == NULL)
		return;
	put_u16(p, WIRE_FULL);
	memcpy(p + 2, key, KEY_LEN);
}

/* A WANT for a key that is wanted already: a retransmission, the
 * confirmation after a new session, or (another tag) a new run. */
static void
rewant(struct introducer *in, uint32_t i, const uint8_t *tag, uint64_t now_ms)
{
	struct edge *e = edge(in, i);
	bool was_stale = e->stale, changed = memcmp(e->tag, tag, 8) != 0;

	if (!was_stale && !changed)
		return;
	e->stale = false;
	memcpy(e->tag, tag, WIRE_TAG_LEN);
	if (changed)
		reset_ready(in, i, now_ms);
	if (e->peer == NONE) {
		/* a new run has nobody to lose */
		push(in, i, 0, changed ? PUSH_GONE : 0, now_ms);
		try_link(in, i, now_ms);
		return;
	}
	push_peer(in, i, now_ms);
	if (changed) {
		reset_ready(in, e->peer, now_ms);
		push_peer(in, e->peer, now_ms);
	} else if (edge(in, e->peer)->pending != 0) {
		enqueue(in, e->peer, 0, now_ms); /* was held */
	}
	if (e->went && !changed)
		push(in, i, PUSH_GO, 0, now_ms);
	try_go(in, i, now_ms);
}

/* WANT: key(32) tag(8) */
static enum introducer_action
want(struct introducer *in, uint32_t client, const struct stun_attr *a,
    uint64_t now_ms, struct stun_buf *answer)
{
	const uint8_t *key = a->value, *tag = a->value + KEY_LEN;
	uint32_t i;

	if (a->len != KEY_LEN + WIRE_TAG_LEN || key_is_low_order(key) ||
	    memcmp(key, in->r->clients[client].key, KEY_LEN) == 0)
		return INTRODUCER_BAD;
	i = registry_edge(in->r, client, key);
	if (i != NONE) {
		rewant(in, i, tag, now_ms);
		return INTRODUCER_DONE;
	}
	i = registry_want(in->r, client, key);
	if (i == NONE) {
		put_full(answer, key);
		return INTRODUCER_FULL;
	}
	memcpy(edge(in, i)->tag, tag, WIRE_TAG_LEN);
	try_link(in, i, now_ms);
	return INTRODUCER_DONE;
}

/* The edge that an attribute which starts with a key is about. */
static uint32_t
named_edge(
    const struct introducer *in, uint32_t client, const struct stun_attr *a)
{
	return registry_edge(in->r, client, a->value);
}

static enum introducer_action
unwant(struct introducer *in, uint32_t client, const struct stun_attr *a,
    uint64_t now_ms)
{
	uint32_t i;

	if (a->len != KEY_LEN)
		return INTRODUCER_BAD;
	i = named_edge(in, client, a);
	if (i != NONE)
		end_want(in, i, now_ms);
	return INTRODUCER_DONE;
}

/* SEND: key(32) payload */
static enum introducer_action
relay(struct introducer *in, uint32_t client, const struct stun_attr *a,
    struct introducer_relay *out)
{
	const struct edge *e, *back;
	uint32_t i;

	if (a->len <= KEY_LEN || a->len > KEY_LEN + WIRE_PAYLOAD_MAX)
		return INTRODUCER_BAD;
	i = named_edge(in, client, a);
	if (i == NONE || edge(in, i)->peer == NONE)
		return INTRODUCER_DENIED;
	e = edge(in, i);
	back = edge(in, e->peer);
	if (e->stale || back->stale)
		return INTRODUCER_DENIED;
	out->to = back->owner;
	out->from = in->r->clients[client].key;
	out->payload = a->value + KEY_LEN;
	out->len = a->len - (size_t)KEY_LEN;
	return INTRODUCER_RELAY;
}

/* Nothing is said while one of the two has yet to confirm its want. */
static bool
is_held(const struct introducer *in, uint32_t i)
{
	const struct edge *e = edge(in, i);

	return e->peer != NONE && (e->stale || edge(in, e->peer)->stale);
}

/* TOKEN: key(32) room. Nothing is said without both consents. */
static enum introducer_action
token(struct introducer *in, uint32_t client, const struct stun_attr *a,
    struct introducer_relay *out)
{
	uint32_t i;

	if (a->len < KEY_LEN)
		return INTRODUCER_BAD;
	i = named_edge(in, client, a);
	if (i == NONE || edge(in, i)->peer == NONE || is_held(in, i))
		return INTRODUCER_DENIED;
	out->from = edge(in, i)->key;
	out->len = a->len;
	return INTRODUCER_TOKEN;
}

/* READY: key(32) mine(4) theirs(4) round trip(2) */
static enum introducer_action
ready(struct introducer *in, uint32_t client, const struct stun_attr *a,
    uint64_t now_ms)
{
	uint32_t i, mine, theirs;
	struct cursor c;
	struct edge *e;

	if (a->len != KEY_LEN + 10)
		return INTRODUCER_BAD;
	cursor_init(&c, a->value + KEY_LEN, 10);
	mine = cursor_u32(&c);
	theirs = cursor_u32(&c);
	i = named_edge(in, client, a);
	if (i == NONE || edge(in, i)->stale)
		return INTRODUCER_DENIED;
	e = edge(in, i);
	if (!e->ready || e->mine != mine || e->theirs != theirs) {
		reset_ready(in, i, now_ms);
		if (e->peer != NONE)
			edge(in, e->peer)->went = false;
		e->mine = mine;
		e->theirs = theirs;
	}
	e->rtt_ms = cursor_u16(&c);
	e->ready = true;
	try_go(in, i, now_ms);
	return INTRODUCER_DONE;
}

enum introducer_action
introducer_step(struct introducer *in, uint32_t client,
    const struct stun_attr *a, uint64_t now_ms, struct stun_buf *answer,
    struct introducer_relay *out)
{
	switch (a->type) {
	case NATKIT_WANT:
		return want(in, client, a, now_ms, answer);
	case NATKIT_UNWANT:
		return unwant(in, client, a, now_ms);
	case NATKIT_SEND:
		return relay(in, client, a, out);
	case NATKIT_READY:
		return ready(in, client, a, now_ms);
	case NATKIT_BYE:
		return INTRODUCER_BYE;
	case NATKIT_TOKEN:
		return token(in, client, a, out);
	default: /* of a later version, perhaps */
		return INTRODUCER_DONE;
	}
}

/* The transaction id of what an edge has pending: only who got the push can
 * acknowledge it, and no list of outstanding ids is needed. */
static void
push_tid(const struct introducer *in, uint32_t i, uint8_t tid[STUN_TID_LEN])
{
	uint8_t id[8], out[crypto_shorthash_siphashx24_BYTES];

	put_u32(id, i);
	put_u32(id + 4, edge(in, i)->version);
	crypto_shorthash_siphashx24(out, id, sizeof(id), in->secret);
	memcpy(tid, out, STUN_TID_LEN);
}

bool
introducer_ack(
    struct introducer *in, uint32_t client, const uint8_t tid[STUN_TID_LEN])
{
	uint32_t i = in->r->clients[client].edges;
	uint8_t ours[STUN_TID_LEN];

	for (; i != NONE; i = edge(in, i)->next) {
		if (edge(in, i)->pending == 0)
			continue;
		push_tid(in, i, ours);
		if (sodium_memcmp(ours, tid, STUN_TID_LEN) != 0)
			continue;
		edge(in, i)->pending = 0;
		dequeue(in, i);
		return true;
	}
	return false;
}

static void
put_go(struct stun_buf *b, const struct edge *e, uint64_t now_ms)
{
	uint64_t age_ms = now_ms - e->moment_ms;
	uint8_t *p = stun_put_space(b, NATKIT_GO, KEY_LEN + 12);

	if (p == NULL)
		return;
	memcpy(p, e->key, KEY_LEN);
	put_u32(p + KEY_LEN, e->mine);
	put_u32(p + KEY_LEN + 4, e->theirs);
	put_u16(p + KEY_LEN + 8,
	    (uint16_t)(age_ms < UINT16_MAX ? age_ms : UINT16_MAX));
	put_u16(p + KEY_LEN + 10, e->skew_ms);
}

static void
make_request(const struct introducer *in, uint32_t i, uint64_t now_ms,
    struct introducer_request *out)
{
	const struct edge *e = edge(in, i);
	uint8_t value[KEY_LEN + WIRE_TAG_LEN];
	struct stun_buf b;
	int len;

	stun_begin_list(&b, out->plain, sizeof(out->plain));
	if (e->pending & PUSH_PEER) {
		memcpy(value, e->key, KEY_LEN);
		memcpy(value + KEY_LEN, edge(in, e->peer)->tag, WIRE_TAG_LEN);
		stun_put(&b, NATKIT_PEER, value, sizeof(value));
	}
	if (e->pending & PUSH_GO)
		put_go(&b, e, now_ms);
	if (e->pending & PUSH_GONE)
		stun_put(&b, NATKIT_GONE, e->key, KEY_LEN);
	len = stun_end(&b, false);
	out->len = len < 0 ? 0 : (size_t)len;
	out->to = e->owner;
	push_tid(in, i, out->tid);
}

bool
introducer_next(
    struct introducer *in, uint64_t now_ms, struct introducer_request *out)
{
	for (int q = 0; q < QUEUES; q++) {
		uint32_t i;

		while ((i = in->head[q]) != NONE &&
		       edge(in, i)->due_ms <= now_ms) {
			if (q > INTRODUCER_RESENDS) {
				dequeue(in, i);
				in->r->clients[edge(in, i)->owner].stalled =
				    true;
				continue;
			}
			if (is_held(in, i)) {
				dequeue(in, i);
				continue;
			}
			make_request(in, i, now_ms, out);
			enqueue(in, i, (uint8_t)(q + 1), now_ms);
			return true;
		}
	}
	return false;
}

uint64_t
introducer_due_ms(const struct introducer *in)
{
	uint64_t due = UINT64_MAX;

	for (int q = 0; q < QUEUES; q++)
		if (in->head[q] != NONE && edge(in, in->head[q])->due_ms < due)
			due = edge(in, in->head[q])->due_ms;
	return due;
}

void
introducer_renew(struct introducer *in, uint32_t client, uint64_t now_ms)
{
	struct member *c = &in->r->clients[client];

	/* what was pushed to the old session is said again when the new one
	 * wants it; nothing of the old is known to who has the new */
	for (uint32_t i = c->edges; i != NONE; i = edge(in, i)->next) {
		edge(in, i)->pending &= PUSH_GONE;
		edge(in, i)->stale = true;
		dequeue(in, i);
	}
	c->stalled = false;
	c->stale_ms = c->edges == NONE ? 0 : now_ms + INTRODUCER_STALE_MS;
}

static void
end_stale(struct introducer *in, struct member *c, uint64_t now_ms)
{
	uint32_t i = c->edges;

	while (i != NONE) {
		uint32_t next = edge(in, i)->next;

		if (edge(in, i)->stale)
			end_want(in, i, now_ms);
		i = next;
	}
	c->stale_ms = 0;
}

void
introducer_heard(struct introducer *in, uint32_t client, uint64_t now_ms)
{
	struct member *c = &in->r->clients[client];

	if (c->stale_ms != 0 && now_ms >= c->stale_ms)
		end_stale(in, c, now_ms);
	if (!c->stalled)
		return;
	c->stalled = false;
	for (uint32_t i = c->edges; i != NONE; i = edge(in, i)->next)
		if (edge(in, i)->pending != 0 && !edge(in, i)->queued)
			enqueue(in, i, 0, now_ms);
}

void
introducer_moved(struct introducer *in, uint32_t client, uint64_t now_ms)
{
	uint32_t i = in->r->clients[client].edges, told = NONE;
	bool asked = false;

	for (; i != NONE; i = edge(in, i)->next) {
		if (edge(in, i)->pending != 0) {
			push(in, i, 0, 0, now_ms);
			asked = true;
		} else if (edge(in, i)->peer != NONE && !is_held(in, i)) {
			told = i;
		}
	}
	if (!asked && told != NONE)
		push_peer(in, told, now_ms);
}

void
introducer_forget(struct introducer *in, uint32_t client, uint64_t now_ms)
{
	struct member *c = &in->r->clients[client];

	while (c->edges != NONE)
		end_want(in, c->edges, now_ms);
	registry_remove(in->r, client);
}

/* SPDX-License-Identifier: ISC */
/* The lending end of the twin link. */
#include "lender.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define TARGETS 4096 /* addresses whose rates are kept */

int
lender_init(struct lender *l, const struct twin_keys *keys,
    const struct twin_places *places, uint32_t rate, uint64_t now_ms)
{
	memset(l, 0, sizeof(*l));
	if (rate == 0 || rate > LIMIT_RATE_MAX)
		return -EINVAL;
	l->keys = keys;
	l->places = *places;
	randombytes_buf(l->secret, sizeof(l->secret));
	bucket_fill(&l->hellos, 2 * LENDER_HELLOS, now_ms);
	bucket_fill(&l->orders, LENDER_ORDERS, now_ms);
	bucket_fill(&l->unknowns, LENDER_UNKNOWNS, now_ms);
	return limit_init(&l->targets, TARGETS, rate, 2 * rate, l->secret);
}

void
lender_free(struct lender *l)
{
	limit_free(&l->targets);
	sodium_memzero(l, sizeof(*l));
}

static bool
is_live(const struct lender_session *s, uint64_t now_ms)
{
	return s->used && now_ms - s->heard_ms < LENDER_SILENT_MS;
}

unsigned int
lender_sessions(const struct lender *l, uint64_t now_ms)
{
	unsigned int n = 0;

	for (int i = 0; i < LENDER_SESSIONS; i++)
		n += is_live(&l->sessions[i], now_ms);
	return n;
}

static uint64_t
hash(const struct lender *l, const struct stun_msg *m)
{
	uint8_t out[8];
	struct cursor c;

	crypto_shorthash(out, m->raw, TWIN_HELLO_LEN, l->secret);
	cursor_init(&c, out, sizeof(out));
	return cursor_u64(&c);
}

/* The same request again: no work, the same answer, a few times. */
static struct lender_pending *
repeated(struct lender *l, uint64_t request, uint64_t now_ms)
{
	for (int i = 0; i < LENDER_PENDING; i++) {
		struct lender_pending *p = &l->pending[i];

		if (p->s.used && p->request == request &&
		    now_ms - p->s.made_ms < LENDER_PENDING_MS)
			return p;
	}
	return NULL;
}

/* Older than what a living session began with, by more than the twin's
 * processes can be apart. A twin whose clock was set back has to wait until
 * its sessions are forgotten. */
static bool
is_stale(struct lender *l, uint64_t timestamp_ns, uint64_t now_ms)
{
	if (lender_sessions(l, now_ms) == 0)
		l->newest_ns = 0;
	return timestamp_ns < l->newest_ns &&
	       l->newest_ns - timestamp_ns > LENDER_STALE_NS;
}

static enum lender_outcome
answer_hello(struct lender *l, const struct stun_msg *m, struct noise *n,
    uint64_t request, uint64_t now_ms, uint8_t *out, struct lender_action *act)
{
	struct lender_pending *p = &l->pending[l->next];
	uint8_t id[TWIN_ID_LEN];
	uint64_t timestamp_ns;
	int len;

	if (twin_hello_read(n, l->keys, m, &timestamp_ns) != 0)
		return LENDER_forged;
	if (is_stale(l, timestamp_ns, now_ms))
		return LENDER_replayed;
	sodium_memzero(p, sizeof(*p));
	randombytes_buf(id, sizeof(id));
	len = twin_hello_response(
	    n, m->tid, id, &l->places, &p->s.session, out, TWIN_ANSWER_MAX);
	if (len < 0)
		return LENDER_forged;
	p->s.used = true;
	p->s.made_ms = now_ms;
	p->s.timestamp_ns = timestamp_ns;
	p->request = request;
	memcpy(p->answer, out, (size_t)len);
	p->answer_len = (uint16_t)len;
	l->next = (l->next + 1) % LENDER_PENDING;
	act->len = (size_t)len;
	return LENDER_hello;
}

static enum lender_outcome
hello(struct lender *l, const struct stun_msg *m, uint64_t now_ms, uint8_t *out,
    struct lender_action *act)
{
	struct lender_pending *p;
	uint64_t *seen;
	enum lender_outcome rc;
	uint64_t request;
	struct noise n;

	if (!twin_hello_check(l->keys, m))
		return LENDER_forged;
	request = hash(l, m);
	if ((p = repeated(l, request, now_ms)) != NULL) {
		if (p->repeats >= LENDER_REPEATS)
			return LENDER_replayed;
		p->repeats++;
		memcpy(out, p->answer, p->answer_len);
		act->len = p->answer_len;
		return LENDER_hello;
	}
	seen = &l->seen[request % LENDER_SEEN];
	if (*seen == request)
		return LENDER_replayed;
	if (!bucket_take(&l->hellos, LENDER_HELLOS, 2 * LENDER_HELLOS, now_ms))
		return LENDER_limited;
	*seen = request;
	rc = answer_hello(l, m, &n, request, now_ms, out, act);
	sodium_memzero(&n, sizeof(n));
	return rc;
}

/* The session of an id, in use or not confirmed. */
static struct lender_session *
find(struct lender *l, const uint8_t *id, uint64_t now_ms, bool *confirmed)
{
	struct lender_session *s;

	*confirmed = true;
	for (int i = 0; i < LENDER_SESSIONS; i++) {
		s = &l->sessions[i];
		if (is_live(s, now_ms) &&
		    memcmp(s->session.id, id, TWIN_ID_LEN) == 0)
			return s;
	}
	*confirmed = false;
	for (int i = 0; i < LENDER_PENDING; i++) {
		s = &l->pending[i].s;
		if (s->used && now_ms - s->made_ms < LENDER_PENDING_MS &&
		    memcmp(s->session.id, id, TWIN_ID_LEN) == 0)
			return s;
	}
	return NULL;
}

/* Its first message has proven that the twin is there now. It takes a free
 * place, or that of who has been silent for longest: all are the twin's. */
static struct lender_session *
confirm(struct lender *l, struct lender_session *pending)
{
	struct lender_session *best = &l->sessions[0];

	for (int i = 0; i < LENDER_SESSIONS && best->used; i++) {
		struct lender_session *s = &l->sessions[i];

		if (!s->used || s->heard_ms < best->heard_ms)
			best = s;
	}
	*best = *pending;
	if (best->timestamp_ns > l->newest_ns)
		l->newest_ns = best->timestamp_ns;
	sodium_memzero(pending, sizeof(*pending));
	return best;
}

/* Or what only this machine can reach. */
static bool
is_ours(const struct lender *l, const struct addr *a)
{
	const struct addr *own =
	    a->family == ADDR_V4 ? l->places.v4 : l->places.v6;

	return addr_equal_ip(a, &own[0]) || addr_equal_ip(a, &own[1]) ||
	       (addr_is_loopback(a) && !addr_is_loopback(&own[0]));
}

static enum lender_outcome
carry_out(
    struct lender *l, size_t len, uint64_t now_ms, struct lender_action *act)
{
	struct twin_order o;
	struct stun_attr a;

	if (stun_list_find(l->plain, len, NATKIT_TWIN_SEND, &a) != 0 ||
	    twin_get_order(&a, &o) != 0)
		return LENDER_forged;
	if (is_ours(l, &o.to) || !twin_order_fit(&o))
		return LENDER_unfit;
	if (!limit_take(&l->targets, &o.to, now_ms) ||
	    !bucket_take(&l->orders, LENDER_ORDERS, LENDER_ORDERS, now_ms))
		return LENDER_limited;
	act->order = o;
	return LENDER_lent;
}

static enum lender_outcome
unknown(struct lender *l, const struct stun_msg *m, uint64_t now_ms,
    uint8_t *out, struct lender_action *act)
{
	int len;

	if (m->class != STUN_REQUEST ||
	    !bucket_take(
		&l->unknowns, LENDER_UNKNOWNS, LENDER_UNKNOWNS, now_ms))
		return LENDER_unknown;
	len = twin_unknown(m, out, TWIN_MAX);
	act->len = len > 0 ? (size_t)len : 0;
	return LENDER_unknown;
}

static enum lender_outcome
message(struct lender *l, const struct stun_msg *m, uint64_t now_ms,
    uint8_t *out, struct lender_action *act)
{
	const uint8_t *id = session_id(m, NATKIT_TWIN);
	struct lender_session *s;
	bool confirmed;
	int len;

	if (id == NULL ||
	    (m->class != STUN_REQUEST && m->class != STUN_INDICATION))
		return LENDER_forged;
	if ((s = find(l, id, now_ms, &confirmed)) == NULL)
		return unknown(l, m, now_ms, out, act);
	len = session_open(
	    &s->session, m, NATKIT_TWIN, l->plain, sizeof(l->plain));
	if (len < 0)
		return len == -EALREADY ? LENDER_replayed : LENDER_forged;
	if (!confirmed)
		s = confirm(l, s);
	s->heard_ms = now_ms;
	if (m->class == STUN_INDICATION)
		return carry_out(l, (size_t)len, now_ms, act);
	len = session_seal(&s->session, NATKIT_TWIN, STUN_SUCCESS, m->tid, NULL,
	    0, 0, out, TWIN_MAX);
	if (len > 0 && (size_t)len <= m->len)
		act->len = (size_t)len;
	return LENDER_alive;
}

enum lender_outcome
lender_input(struct lender *l, const uint8_t *data, size_t len, uint64_t now_ms,
    uint8_t *out, struct lender_action *act)
{
	struct stun_msg m;

	*act = (struct lender_action){.len = 0};
	if (len > TWIN_MAX || stun_parse(&m, data, len) != 0 || !m.fingerprint)
		return LENDER_forged;
	if (m.method == NATKIT_TWIN_HELLO)
		return hello(l, &m, now_ms, out, act);
	if (m.method == NATKIT_TWIN)
		return message(l, &m, now_ms, out, act);
	return LENDER_forged;
}

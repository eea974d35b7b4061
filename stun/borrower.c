/* SPDX-License-Identifier: ISC */
/* The borrowing end of the twin link. */
#include "borrower.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define UNKNOWN_SESSION 481

void
borrower_init(struct borrower *b, const struct twin_keys *keys,
    const struct twin_places *own, uint64_t now_ms)
{
	memset(b, 0, sizeof(*b));
	b->keys = keys;
	b->own = *own;
	b->hello_ms = now_ms;
	b->interval_ms = BORROWER_HELLO_MS;
	bucket_fill(&b->orders, BORROWER_ORDERS, now_ms);
}

void
borrower_free(struct borrower *b)
{
	sodium_memzero(b, sizeof(*b));
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
restart(struct borrower *b, uint64_t now_ms)
{
	b->handshake = BORROWER_IDLE;
	b->hello_ms = now_ms;
	b->interval_ms = BORROWER_HELLO_MS;
}

static size_t
say_hello(struct borrower *b, uint64_t now_ms, uint64_t wall_ns, uint8_t *out)
{
	int len;

	stun_new_tid(b->tid);
	len = twin_hello_request(
	    &b->noise, b->keys, b->tid, wall_ns, out, TWIN_MAX);
	b->handshake = BORROWER_HELLO;
	b->hello_ms = now_ms + b->interval_ms;
	b->interval_ms =
	    (uint32_t)least(2 * b->interval_ms, BORROWER_HELLO_MAX_MS);
	return len > 0 ? (size_t)len : 0;
}

static size_t
ping(struct borrower_session *s, uint64_t now_ms, uint8_t *out)
{
	int len;

	stun_new_tid(s->tid);
	s->unanswered++;
	s->ping_ms = now_ms + BORROWER_PROBE_MS;
	len = session_seal(&s->session, NATKIT_TWIN, STUN_REQUEST, s->tid, NULL,
	    0, 0, out, TWIN_MAX);
	return len > 0 ? (size_t)len : 0;
}

static void
end_session(struct borrower *b)
{
	b->up = false;
	sodium_memzero(&b->now, sizeof(b->now));
}

static void
expire(struct borrower *b, uint64_t now_ms)
{
	if (!b->up)
		return;
	if (now_ms - b->now.made_ms >= BORROWER_EXPIRE_MS ||
	    (b->now.unanswered >= BORROWER_PROBES &&
		now_ms >= b->now.ping_ms)) {
		end_session(b);
		restart(b, now_ms);
	}
}

static bool
hello_due(const struct borrower *b, uint64_t now_ms)
{
	return now_ms >= b->hello_ms;
}

size_t
borrower_step(struct borrower *b, uint64_t now_ms, uint64_t wall_ns,
    uint8_t *out, uint64_t *at_ms)
{
	size_t len = 0;

	expire(b, now_ms);
	if (b->handshake == BORROWER_CONFIRM && b->next.unanswered == 0)
		len = ping(&b->next, now_ms, out);
	else if (b->up && now_ms >= b->now.ping_ms)
		len = ping(&b->now, now_ms, out);
	else if (hello_due(b, now_ms))
		len = say_hello(b, now_ms, wall_ns, out);
	*at_ms = b->hello_ms;
	if (b->up)
		*at_ms = least(least(*at_ms, b->now.ping_ms),
		    b->now.made_ms + BORROWER_EXPIRE_MS);
	return len;
}

static bool
have_same_ports(
    const struct addr twin[TWIN_PORTS], const struct addr own[TWIN_PORTS])
{
	for (int i = 0; i < TWIN_PORTS; i++)
		if (twin[i].family != own[i].family ||
		    twin[i].port != own[i].port ||
		    addr_equal_ip(&twin[i], &own[i]) ||
		    !addr_is_sendable(&twin[i]))
			return false;
	return addr_equal_ip(&twin[0], &twin[1]);
}

/* Keeps what the two have in common. */
static void
match_places(struct borrower *b, struct twin_places *p)
{
	static const struct twin_places none;
	bool v4 = have_same_ports(p->v4, b->own.v4);
	bool v6 = have_same_ports(p->v6, b->own.v6);

	if (!v4)
		memcpy(p->v4, none.v4, sizeof(p->v4));
	if (!v6)
		memcpy(p->v6, none.v6, sizeof(p->v6));
	b->odd = !v4 && !v6;
}

static void
take_hello(struct borrower *b, const struct stun_msg *m, uint64_t now_ms)
{
	struct borrower_session s = {.made_ms = now_ms};

	if (b->handshake == BORROWER_HELLO && m->class == STUN_SUCCESS &&
	    memcmp(m->tid, b->tid, STUN_TID_LEN) == 0 &&
	    twin_hello_finish(&b->noise, m, &s.places, &s.session) == 0) {
		sodium_memzero(&b->noise, sizeof(b->noise));
		match_places(b, &s.places);
		b->next = s;
		b->handshake = BORROWER_CONFIRM;
	}
	sodium_memzero(&s, sizeof(s));
}

/* Is it the answer to our latest keepalive there? */
static bool
is_answer(struct borrower_session *s, const struct stun_msg *m)
{
	uint8_t plain[TWIN_MAX];

	return s->unanswered > 0 && m->class == STUN_SUCCESS &&
	       memcmp(m->tid, s->tid, STUN_TID_LEN) == 0 &&
	       session_open(
		   &s->session, m, NATKIT_TWIN, plain, sizeof(plain)) >= 0;
}

static void
use_next(struct borrower *b, uint64_t now_ms)
{
	b->now = b->next;
	sodium_memzero(&b->next, sizeof(b->next));
	b->up = true;
	restart(b, now_ms + BORROWER_RENEW_MS);
}

/* Anybody who sees our packets could have sent it, so it ends nothing. */
static void
take_unknown(struct borrower *b, const struct stun_msg *m, uint64_t now_ms)
{
	if (!b->up || b->now.unanswered == 0 || b->handshake != BORROWER_IDLE ||
	    memcmp(m->tid, b->now.tid, STUN_TID_LEN) != 0 ||
	    stun_get_error(m) != UNKNOWN_SESSION || now_ms < b->hint_ms)
		return;
	b->hint_ms = now_ms + BORROWER_HINT_MS;
	restart(b, now_ms);
}

void
borrower_input(
    struct borrower *b, const uint8_t *data, size_t len, uint64_t now_ms)
{
	struct stun_msg m;

	if (len > TWIN_MAX || stun_parse(&m, data, len) != 0 || !m.fingerprint)
		return;
	if (m.method == NATKIT_TWIN_HELLO) {
		take_hello(b, &m, now_ms);
	} else if (m.method != NATKIT_TWIN) {
		return;
	} else if (m.class == STUN_ERROR) {
		take_unknown(b, &m, now_ms);
	} else if (b->handshake == BORROWER_CONFIRM &&
		   is_answer(&b->next, &m)) {
		use_next(b, now_ms);
		b->now.unanswered = 0;
		b->now.ping_ms = now_ms + BORROWER_KEEPALIVE_MS;
	} else if (b->up && is_answer(&b->now, &m)) {
		b->now.unanswered = 0;
		b->now.ping_ms = now_ms + BORROWER_KEEPALIVE_MS;
	}
}

void
borrower_refused(struct borrower *b, uint64_t now_ms)
{
	if (b->up && b->now.unanswered == 0)
		b->now.ping_ms = least(b->now.ping_ms, now_ms);
}

void
borrower_hint(struct borrower *b, uint64_t now_ms)
{
	if (b->up || b->handshake == BORROWER_CONFIRM || now_ms < b->hint_ms)
		return;
	b->hint_ms = now_ms + BORROWER_HINT_MS;
	restart(b, now_ms);
}

const struct addr *
borrower_places(const struct borrower *b, int family)
{
	const struct addr *p =
	    family == ADDR_V4 ? b->now.places.v4 : b->now.places.v6;

	return b->up && p[0].family != ADDR_NONE ? p : NULL;
}

int
borrower_lend(struct borrower *b, const struct twin_order *o, uint64_t now_ms,
    uint8_t *out, size_t cap)
{
	uint8_t plain[TWIN_MAX], tid[STUN_TID_LEN];
	struct stun_buf list;
	int len;

	if (!b->up)
		return -ENOTCONN;
	if (o->len > TWIN_CARRY_MAX)
		return -EMSGSIZE;
	if (!bucket_take(&b->orders, BORROWER_ORDERS, BORROWER_ORDERS, now_ms))
		return -EAGAIN;
	stun_begin_list(&list, plain, sizeof(plain));
	twin_put_order(&list, o);
	if ((len = stun_end(&list, false)) < 0)
		return len;
	stun_new_tid(tid);
	return session_seal(&b->now.session, NATKIT_TWIN, STUN_INDICATION, tid,
	    plain, (size_t)len, 0, out, cap);
}

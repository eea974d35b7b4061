/* SPDX-License-Identifier: ISC */
/* What a STUN server answers: RFC 8489 sections 6.3 and 7.3.1, RFC 5780
 * section 6, RFC 3489 section 8.1. */
#include "responder.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "stun.h"

#define SLOTS 16384 /* sources whose rates are kept */
#define FINGERPRINT_ATTR 8
/* As many attributes as a request has room for: a 420 names all that are
 * unknown (RFC 8489 section 6.3.1), in half of the bytes. */
#define UNKNOWN_MAX ((RESPONDER_MAX - STUN_HEADER_LEN) / 4)

const char *const responder_names[] = {
#define X(name) #name,
    RESPONDER_OUTCOMES(X)
#undef X
};

/* A message, and what it asks for. */
struct wish {
	struct stun_msg m;
	bool classic; /* RFC 3489: no magic cookie, 16 bytes of id */
	bool change, redirect, pad;
	bool bad; /* error 400 */
	uint32_t flags;
	uint16_t port, padding;
	uint16_t *unknown; /* UNKNOWN_MAX of them, not cleared */
	size_t n_unknown;
};

int
responder_init(struct responder *r, const struct responder_config *config)
{
	uint8_t secret[LIMIT_KEY_LEN];
	uint32_t rate = config->rate, few = RESPONDER_REDIRECTS;
	int rc;

	memset(r, 0, sizeof(*r));
	if (rate == 0 || rate > RESPONDER_RATE_MAX)
		return -EINVAL;
	r->config = *config;
	if (few > rate)
		few = rate;
	randombytes_buf(secret, sizeof(secret));
	rc = limit_init(&r->sources, SLOTS, rate, 2 * rate, secret);
	if (rc == 0)
		rc = limit_init(&r->sites, SLOTS, LIMIT_WIDE * rate,
		    LIMIT_WIDE * 2 * rate, secret);
	if (rc == 0)
		rc = limit_init(&r->redirects, SLOTS, few, 2 * few, secret);
	if (rc != 0)
		responder_free(r);
	return rc;
}

void
responder_free(struct responder *r)
{
	limit_free(&r->sources);
	limit_free(&r->sites);
	limit_free(&r->redirects);
}

static const struct responder_family *
family_of(const struct responder *r, int family)
{
	return family == ADDR_V4 ? &r->config.v4 : &r->config.v6;
}

static bool
has_four(const struct responder_family *f)
{
	return f->place[RESPONDER_PLACES - 1].family != ADDR_NONE;
}

bool
responder_may_send(const struct responder *r, const struct addr *to)
{
	const struct responder_family *f = family_of(r, to->family);

	if (!addr_is_sendable(to))
		return false;
	for (int i = 0; i < RESPONDER_PLACES; i++)
		if (addr_equal(to, &f->place[i]))
			return false;
	return true;
}

/* A wildcard's own address shows only in what came to it. */
static bool
is_fit(const struct responder *r, const struct responder_request *q,
    const struct addr *to)
{
	return responder_may_send(r, to) && !addr_equal(to, &q->local);
}

bool
responder_lend(struct responder *r, int family, const struct addr *b_p1,
    const struct addr *b_p2)
{
	struct responder_family *f =
	    family == ADDR_V4 ? &r->config.v4 : &r->config.v6;
	static const struct addr none;

	/* without A:P2 there is nothing to change the port to */
	if (f->place[RESPONDER_PORT2].family == ADDR_NONE ||
	    (has_four(f) && !f->twin))
		return has_four(f);
	f->twin = b_p1 != NULL && b_p2 != NULL;
	f->place[RESPONDER_OTHER] = f->twin ? *b_p1 : none;
	f->place[RESPONDER_OTHER | RESPONDER_PORT2] = f->twin ? *b_p2 : none;
	return f->twin;
}

/* RFC 3489 section 11: the same header, but for the cookie, which is the
 * first part of the transaction id. */
static int
parse_classic(struct stun_msg *out, const uint8_t *data, size_t len)
{
	struct stun_msg m = {.raw = data, .len = len};
	struct stun_attr a;
	struct cursor c;
	uint16_t type, length;
	uint32_t cookie;
	int rc;

	cursor_init(&c, data, len);
	type = cursor_u16(&c);
	length = cursor_u16(&c);
	cookie = cursor_u32(&c);
	m.tid = cursor_bytes(&c, STUN_TID_LEN);
	if (m.tid == NULL || cookie == STUN_COOKIE || length % 4 != 0 ||
	    length != cursor_left(&c) || type != STUN_BINDING)
		return -EBADMSG;
	while ((rc = stun_attr_next(&c, &a)) == 1)
		;
	m.method = STUN_BINDING;
	m.class = STUN_REQUEST;
	if (rc == 0)
		*out = m;
	return rc;
}

static int
parse(struct wish *w, const struct responder_request *q)
{
	if (stun_parse(&w->m, q->data, q->len) == 0)
		return 0;
	/* RFC 3489 knows neither IPv6 nor, for Binding, TCP */
	if (q->stream || q->from.family != ADDR_V4)
		return -EBADMSG;
	w->classic = true;
	return parse_classic(&w->m, q->data, q->len);
}

static void
add_unknown(struct wish *w, uint16_t type)
{
	if (w->n_unknown < UNKNOWN_MAX)
		w->unknown[w->n_unknown++] = type;
}

static void
read_change(struct wish *w, const struct stun_attr *a)
{
	struct cursor c;

	if (w->change)
		return;
	cursor_init(&c, a->value, a->len);
	w->flags = cursor_u32(&c);
	w->change = true;
	w->bad = w->bad || a->len != 4;
}

/* RFC 5780 section 7.5: "a 16-bit integer followed by 2 bytes of padding",
 * which some take for 2 and some for 4 bytes of value. */
static void
read_port(struct wish *w, const struct stun_attr *a)
{
	struct cursor c;

	if (w->redirect)
		return;
	cursor_init(&c, a->value, a->len);
	w->port = cursor_u16(&c);
	w->redirect = true;
	w->bad = w->bad || (a->len != 2 && a->len != 4) || w->port == 0;
}

static void
read_attr(struct wish *w, const struct stun_attr *a)
{
	switch (a->type) {
	case STUN_CHANGE_REQUEST:
		read_change(w, a);
		break;
	case STUN_RESPONSE_PORT:
		read_port(w, a);
		break;
	case STUN_PADDING:
		w->padding = w->pad ? w->padding : a->len;
		w->pad = true;
		break;
	/* of no interest to who asks nobody to prove anything, and no
	 * reason to refuse ICE */
	case STUN_USERNAME:
	case STUN_REALM:
	case STUN_NONCE:
	case STUN_PASSWORD_ALGORITHM:
	case STUN_USERHASH:
	case STUN_PRIORITY:
	case STUN_USE_CANDIDATE:
		break;
	default:
		if (a->type < 0x8000)
			add_unknown(w, a->type);
	}
}

/* What is there but can't be done is unknown (error 420), as RFC 5780
 * sections 5 and 6 want it. */
static void
deny(const struct responder *r, const struct responder_request *q,
    struct wish *w)
{
	bool four = has_four(family_of(r, q->from.family));

	/* classic clients send a CHANGE-REQUEST that changes nothing */
	if (w->change && (q->stream || !four) &&
	    !(w->classic && w->flags == 0 && !w->bad))
		add_unknown(w, STUN_CHANGE_REQUEST);
	if (w->redirect && (q->stream || w->classic || r->config.modest))
		add_unknown(w, STUN_RESPONSE_PORT);
	if (w->pad && (q->stream || w->classic || r->config.modest))
		add_unknown(w, STUN_PADDING);
	w->bad = w->bad || (w->redirect && w->pad);
}

static void
read_attrs(const struct responder *r, const struct responder_request *q,
    struct wish *w)
{
	struct stun_attr a;
	struct cursor c;

	stun_attrs(&c, &w->m);
	while (stun_attr_next(&c, &a) == 1) {
		/* what follows these is not to be used: RFC 8489 section 14.5 */
		if (a.type == STUN_MESSAGE_INTEGRITY ||
		    a.type == STUN_MESSAGE_INTEGRITY_SHA256)
			break;
		read_attr(w, &a);
	}
	deny(r, q, w);
}

static bool
is_permitted(
    struct responder *r, const struct addr *from, bool redirect, uint64_t now)
{
	struct addr site;

	return limit_take(&r->sources, from, now) &&
	       (!limit_wide(from, &site) ||
		   limit_take(&r->sites, &site, now)) &&
	       (!redirect || limit_take(&r->redirects, from, now));
}

static void
begin(struct stun_buf *b, const struct responder *r,
    const struct responder_request *q, const struct wish *w,
    enum stun_class class, uint8_t *out)
{
	size_t cap = RESPONDER_MAX;

	if (r->config.modest && !q->stream && q->len < cap)
		cap = q->len;
	stun_begin(b, out, cap, STUN_BINDING, class, w->m.tid);
	if (w->classic && !b->overflow)
		memcpy(out + 4, w->m.raw + 4, 4); /* the id's first part */
}

static size_t
finish(struct stun_buf *b, const struct wish *w)
{
	bool fingerprint =
	    w->m.fingerprint && b->cap - b->len >= FINGERPRINT_ATTR;
	int len = stun_end(b, fingerprint);

	return len > 0 ? (size_t)len : 0;
}

static size_t
build_error(const struct responder *r, const struct responder_request *q,
    const struct wish *w, uint8_t *out)
{
	uint8_t list[2 * (UNKNOWN_MAX + 1)];
	size_t n = w->n_unknown;
	struct stun_buf b;

	begin(&b, r, q, w, STUN_ERROR, out);
	stun_put_error(&b, n > 0 ? 420 : 400, NULL);
	for (size_t i = 0; i < n; i++)
		put_u16(list + 2 * i, w->unknown[i]);
	if (w->classic && n % 2 == 1) { /* RFC 3489 section 11.2.10 */
		put_u16(list + 2 * n, w->unknown[0]);
		n++;
	}
	if (n > 0)
		stun_put(&b, STUN_UNKNOWN_ATTRIBUTES, list, 2 * n);
	return finish(&b, w);
}

/* Under -A: only what still leaves the answer no longer than the request, and
 * room for a FINGERPRINT that is due. */
static void
put_extra(struct stun_buf *b, const struct wish *w, uint16_t type,
    const struct addr *a)
{
	size_t need = 8 + addr_ip_len(a);

	if (w->m.fingerprint)
		need += FINGERPRINT_ATTR;
	if (!b->overflow && b->cap - b->len >= need)
		stun_put_addr(b, type, a);
}

/* The order is that of worth to a client. */
static size_t
build_success(const struct responder *r, const struct responder_request *q,
    const struct wish *w, uint8_t place, uint8_t *out)
{
	const struct responder_family *f = family_of(r, q->from.family);
	const struct addr *origin =
	    place == q->place ? &q->local : &f->place[place];
	const struct addr *other = &f->place[q->place ^ 3u];
	struct stun_buf b;

	begin(&b, r, q, w, STUN_SUCCESS, out);
	if (w->classic) {
		stun_put_addr(&b, STUN_MAPPED_ADDRESS, &q->from);
		put_extra(&b, w, STUN_SOURCE_ADDRESS, origin);
		if (has_four(f))
			put_extra(&b, w, STUN_CHANGED_ADDRESS, other);
		return finish(&b, w);
	}
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &q->from);
	if (has_four(f))
		put_extra(&b, w, STUN_OTHER_ADDRESS, other);
	put_extra(&b, w, STUN_RESPONSE_ORIGIN, origin);
	put_extra(&b, w, STUN_MAPPED_ADDRESS, &q->from);
	if (w->pad)
		stun_put_space(&b, STUN_PADDING,
		    w->padding < RESPONDER_PADDING_MAX ? w->padding
						       : RESPONDER_PADDING_MAX);
	return finish(&b, w);
}

static uint8_t
changed_place(const struct responder_request *q, const struct wish *w)
{
	unsigned int place = q->place;

	if (w->flags & STUN_CHANGE_IP)
		place ^= RESPONDER_OTHER;
	if (w->flags & STUN_CHANGE_PORT)
		place ^= RESPONDER_PORT2;
	return (uint8_t)place;
}

static enum responder_outcome
answer(const struct responder *r, const struct responder_request *q,
    const struct wish *w, uint8_t *out, struct responder_answer *a)
{
	const struct responder_family *f = family_of(r, q->from.family);

	a->to = q->from;
	a->place = q->place;
	if (w->n_unknown > 0 || w->bad) {
		a->len = build_error(r, q, w, out);
		if (a->len == 0)
			return RESPONDER_too_short;
		return w->n_unknown > 0 ? RESPONDER_unknown : RESPONDER_refused;
	}
	if (w->redirect) {
		a->to.port = w->port;
		if (!is_fit(r, q, &a->to))
			return RESPONDER_unsendable;
	}
	a->place = changed_place(q, w);
	a->twin = f->twin && (a->place & RESPONDER_OTHER) != 0;
	a->len = build_success(r, q, w, a->place, out);
	if (a->len == 0)
		return RESPONDER_too_short;
	if (w->redirect)
		return RESPONDER_redirected;
	return a->place != q->place ? RESPONDER_changed : RESPONDER_answered;
}

enum responder_outcome
responder_step(struct responder *r, const struct responder_request *q,
    uint64_t now_ms, uint8_t *out, struct responder_answer *a)
{
	uint16_t unknown[UNKNOWN_MAX];
	struct wish w = {.unknown = unknown};

	*a = (struct responder_answer){.len = 0};
	if (q->len > RESPONDER_MAX || parse(&w, q) != 0)
		return RESPONDER_malformed;
	if (w.m.class != STUN_REQUEST || w.m.method != STUN_BINDING)
		return RESPONDER_unexpected;
	if (!is_fit(r, q, &q->from))
		return RESPONDER_unsendable;
	read_attrs(r, q, &w);
	if (!is_permitted(r, &q->from, w.redirect, now_ms))
		return RESPONDER_limited;
	return answer(r, q, &w, out, a);
}

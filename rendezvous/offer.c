/* SPDX-License-Identifier: ISC */
/* The offer inside a sealed payload: encoding and strict decoding.
 *
 *  TIMESTAMP    ns since 1970 (64)
 *  TAGS         from (64), to (64)
 *  GENERATION   mine (32), yours that I hold (32), mine that you hold (32)
 *  CREDENTIALS  user (8 characters), password (24 characters)
 *  CANDIDATE    type (8), family (8), port (16), priority (32), address */
#include "offer.h"

#include <errno.h>
#include <string.h>

#include "stun.h"

#define FIXED 4 /* attributes that stand first, once each */

static const struct {
	int type;
	const char *name;
} types[] = {
    {OFFER_HOST, "host"},
    {OFFER_SRFLX, "srflx"},
    {OFFER_RELAY, "relay"},
};

const char *
offer_type_name(int type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return types[i].name;
	return NULL;
}

int
offer_type_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	return -EBADMSG;
}

/* ICE's characters (RFC 8445 section 5.3), which also pass through records. */
static bool
ice_chars(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char ch = s[i];

		if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') ||
			(ch >= '0' && ch <= '9') || ch == '+' || ch == '/'))
			return false;
	}
	return true;
}

static bool
candidate_ok(const struct offer_candidate *c)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (offer_type_name(c->type) == NULL)
		return false;
	if (c->addr.family == ADDR_V6 &&
	    memcmp(c->addr.ip, mapped, sizeof(mapped)) == 0)
		return false; /* 4-in-6 is never on the wire */
	return addr_is_sendable(&c->addr);
}

static bool
offer_ok(const struct offer *o)
{
	if (o->generation == 0 || o->n > OFFER_CANDIDATES ||
	    !ice_chars(o->user, OFFER_USER_LEN) ||
	    !ice_chars(o->password, OFFER_PASSWORD_LEN))
		return false;
	for (size_t i = 0; i < o->n; i++)
		if (!candidate_ok(&o->candidate[i]))
			return false;
	return true;
}

static void
put_candidate(struct stun_buf *b, const struct offer_candidate *c)
{
	size_t ip_len = addr_ip_len(&c->addr);
	uint8_t *p = stun_put_space(b, NATKIT_CANDIDATE, 8 + ip_len);

	if (p == NULL)
		return;
	p[0] = c->type;
	p[1] = c->addr.family;
	put_u16(p + 2, c->addr.port);
	put_u32(p + 4, c->priority);
	memcpy(p + 8, c->addr.ip, ip_len);
}

int
offer_encode(const struct offer *o, uint8_t *out, size_t cap)
{
	uint8_t tags[2 * WIRE_TAG_LEN], generation[12];
	uint8_t credentials[OFFER_USER_LEN + OFFER_PASSWORD_LEN];
	struct stun_buf b;

	if (!offer_ok(o))
		return -EINVAL;
	memcpy(tags, o->from, WIRE_TAG_LEN);
	memcpy(tags + WIRE_TAG_LEN, o->to, WIRE_TAG_LEN);
	put_u32(generation, o->generation);
	put_u32(generation + 4, o->holds);
	put_u32(generation + 8, o->known);
	memcpy(credentials, o->user, OFFER_USER_LEN);
	memcpy(credentials + OFFER_USER_LEN, o->password, OFFER_PASSWORD_LEN);
	stun_begin_list(&b, out, cap);
	stun_put_u64(&b, NATKIT_TIMESTAMP, o->timestamp_ns);
	stun_put(&b, NATKIT_TAGS, tags, sizeof(tags));
	stun_put(&b, NATKIT_GENERATION, generation, sizeof(generation));
	stun_put(&b, NATKIT_CREDENTIALS, credentials, sizeof(credentials));
	for (size_t i = 0; i < o->n; i++)
		put_candidate(&b, &o->candidate[i]);
	return stun_end(&b, false);
}

static bool
get_tags(struct cursor *c, struct offer *o)
{
	const uint8_t *p = cursor_bytes(c, sizeof(o->from) + sizeof(o->to));

	if (p == NULL)
		return false;
	memcpy(o->from, p, sizeof(o->from));
	memcpy(o->to, p + sizeof(o->from), sizeof(o->to));
	return true;
}

static bool
get_credentials(struct cursor *c, struct offer *o)
{
	const uint8_t *user = cursor_bytes(c, OFFER_USER_LEN);
	const uint8_t *password = cursor_bytes(c, OFFER_PASSWORD_LEN);

	if (user == NULL || password == NULL)
		return false;
	memcpy(o->user, user, OFFER_USER_LEN);
	memcpy(o->password, password, OFFER_PASSWORD_LEN);
	return true;
}

static bool
get_candidate(struct cursor *c, struct offer *o)
{
	struct offer_candidate *k = &o->candidate[o->n];
	const uint8_t *ip;

	if (o->n == OFFER_CANDIDATES)
		return false;
	k->type = cursor_u8(c);
	k->addr.family = cursor_u8(c);
	k->addr.port = cursor_u16(c);
	k->priority = cursor_u32(c);
	if (k->addr.family != ADDR_V4 && k->addr.family != ADDR_V6)
		return false;
	ip = cursor_bytes(c, addr_ip_len(&k->addr));
	if (ip == NULL)
		return false;
	memcpy(k->addr.ip, ip, addr_ip_len(&k->addr));
	o->n++;
	return true;
}

/* One attribute, the seen-th that counts. Returns whether it is right. */
static bool
get_attr(struct offer *o, const struct stun_attr *a, unsigned seen)
{
	static const uint16_t order[FIXED] = {NATKIT_TIMESTAMP, NATKIT_TAGS,
	    NATKIT_GENERATION, NATKIT_CREDENTIALS};
	struct cursor c;

	if (a->type != (seen < FIXED ? order[seen] : NATKIT_CANDIDATE))
		return false;
	cursor_init(&c, a->value, a->len);
	switch (a->type) {
	case NATKIT_TIMESTAMP:
		o->timestamp_ns = cursor_u64(&c);
		break;
	case NATKIT_TAGS:
		if (!get_tags(&c, o))
			return false;
		break;
	case NATKIT_GENERATION:
		o->generation = cursor_u32(&c);
		o->holds = cursor_u32(&c);
		o->known = cursor_u32(&c);
		break;
	case NATKIT_CREDENTIALS:
		if (!get_credentials(&c, o))
			return false;
		break;
	default:
		if (!get_candidate(&c, o))
			return false;
	}
	return !c.bad && cursor_left(&c) == 0;
}

static bool
known_type(uint16_t type)
{
	return type == NATKIT_TIMESTAMP || type == NATKIT_TAGS ||
	       type == NATKIT_GENERATION || type == NATKIT_CREDENTIALS ||
	       type == NATKIT_CANDIDATE;
}

int
offer_decode(struct offer *out, const uint8_t *data, size_t len)
{
	struct offer o = {0};
	struct stun_attr a;
	struct cursor c;
	unsigned seen = 0;
	int r;

	cursor_init(&c, data, len);
	while ((r = stun_attr_next(&c, &a)) == 1) {
		if (!known_type(a.type)) {
			if (a.type < 0x8000)
				return -EPROTONOSUPPORT;
			continue;
		}
		if (!get_attr(&o, &a, seen++))
			return -EBADMSG;
	}
	if (r < 0 || seen < FIXED || !offer_ok(&o))
		return -EBADMSG;
	*out = o;
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* What a server tells about a peer (DESIGN.md, "The rendezvous protocol"). */
#include "news.h"

static const struct {
	uint16_t type;
	enum stun_class class;
	enum news_what what;
} table[] = {
    {NATKIT_PEER, STUN_REQUEST, NEWS_PEER},
    {NATKIT_GO, STUN_REQUEST, NEWS_GO},
    {NATKIT_GONE, STUN_REQUEST, NEWS_GONE},
    {NATKIT_FROM, STUN_INDICATION, NEWS_FROM},
    {NATKIT_STATUS, STUN_SUCCESS, NEWS_FULL},
    {NATKIT_TOKEN, STUN_SUCCESS, NEWS_TOKEN},
    {NATKIT_MAPPED, STUN_SUCCESS, NEWS_MAPPED},
};

static enum news_what
kind(enum stun_class class, uint16_t type)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].type == type && table[i].class == class)
			return table[i].what;
	return NEWS_NONE;
}

static void
read_value(struct news *n, struct cursor *v)
{
	if (n->what == NEWS_FULL && cursor_u16(v) != WIRE_FULL)
		v->bad = true;
	n->key = cursor_bytes(v, KEY_LEN);
	if (n->what == NEWS_PEER)
		n->tag = cursor_bytes(v, WIRE_TAG_LEN);
	if (n->what == NEWS_GO) {
		n->mine = cursor_u32(v);
		n->theirs = cursor_u32(v);
		n->age_ms = cursor_u16(v);
		n->skew_ms = cursor_u16(v);
	}
	if (n->what == NEWS_FROM || n->what == NEWS_TOKEN) {
		n->len = cursor_left(v);
		n->data = cursor_bytes(v, n->len);
	}
	if (n->what == NEWS_TOKEN && !v->bad &&
	    token_read(&n->token, n->data, n->len) != 0)
		v->bad = true;
}

struct news
news_read(enum stun_class class, const struct stun_attr *a)
{
	struct news n = {.what = kind(class, a->type), .peer = -1};
	struct cursor v;

	if (n.what == NEWS_MAPPED) {
		if (wire_get_addr(a, &n.mapped) != 0)
			n.what = NEWS_NONE;
		return n;
	}
	cursor_init(&v, a->value, a->len);
	read_value(&n, &v);
	if (v.bad || cursor_left(&v) != 0)
		n.what = NEWS_NONE;
	return n;
}

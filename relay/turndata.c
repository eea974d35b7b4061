/* SPDX-License-Identifier: ISC */
/* What TURN clients and their peers send each other: RFC 8656 sections 11 and
 * 12. A few look-ups per train of datagrams, nothing allocated. */
#include <sodium.h>
#include <string.h>

#include "turnstate.h"

#define TIDS 64 /* drawn at once: each draw is a system call */

void
turn_send(struct turn *t, const struct way *from, const struct stun_msg *m,
    uint64_t now_ms, struct turn_result *r)
{
	struct allocation *a = turn_live(t, from, now_ms);
	struct stun_attr peer, data, df;
	uint16_t unknown;

	if (a == NULL || turn_unknown(m, &unknown, 1) > 0 ||
	    stun_find(m, TURN_XOR_PEER_ADDRESS, &peer) != 0 ||
	    stun_find(m, TURN_DATA_ATTR, &data) != 0 ||
	    stun_get_xor_addr(&peer, m->tid, &r->peer) != 0 ||
	    !addr_is_sendable(&r->peer) ||
	    turn_peer_error(t, a, &r->peer, now_ms) != 0 ||
	    !permission_is_there(a->permission, &r->peer, now_ms) ||
	    !accounts_spend(t->accounts, a->account, NULL, 1, data.len, now_ms))
		return;
	r->action = TURN_FORWARD;
	r->index = allocations_index(&t->table, a) * 2 +
		   allocation_half(r->peer.family);
	r->data = data.value;
	r->data_len = data.len;
	r->df = stun_find(m, TURN_DONT_FRAGMENT, &df) == 0;
}

bool
turn_channel(struct turn *t, const struct way *from, uint16_t channel,
    size_t len, unsigned int n, uint64_t now_ms, uint32_t *index,
    struct addr *peer)
{
	const struct allocation *a = allocations_find(&t->table, from);
	const struct channel *c;
	unsigned int half;

	t->now_ms = now_ms;
	if (a == NULL)
		return false;
	c = channel_by_number(a, channel, now_ms);
	if (c == NULL)
		return false;
	half = allocation_half(c->family);
	if (!allocation_is_live(a->relayed[half].until_s, now_ms) ||
	    !accounts_spend(t->accounts, a->account, NULL, n, len, now_ms))
		return false;
	*index = allocations_index(&t->table, a) * 2 + half;
	*peer = channel_peer(c);
	return true;
}

/* The allocation whose port a peer that it permits has sent to, or NULL. */
static const struct allocation *
permitting(const struct turn *t, uint32_t index, const struct addr *peer,
    uint64_t now_ms)
{
	const struct allocation *a = allocations_at(&t->table, index / 2);

	if (a == NULL || allocation_half(peer->family) != index % 2 ||
	    !allocation_is_live(a->relayed[index % 2].until_s, now_ms) ||
	    !permission_is_there(a->permission, peer, now_ms))
		return NULL;
	return a;
}

bool
turn_peer(struct turn *t, uint32_t index, const struct addr *peer, size_t len,
    unsigned int n, uint64_t now_ms, struct way *to, uint16_t *channel)
{
	const struct allocation *a = permitting(t, index, peer, now_ms);
	const struct channel *c;

	t->now_ms = now_ms;
	if (a == NULL ||
	    !accounts_spend(t->accounts, NULL, a->account, n, len, now_ms))
		return false;
	c = channel_by_peer(a, peer, now_ms);
	*channel = c != NULL ? c->number : 0;
	*to = a->way;
	return true;
}

static void
next_tid(uint8_t tid[STUN_TID_LEN])
{
	static uint8_t drawn[TIDS][STUN_TID_LEN];
	static unsigned int left;

	if (left == 0) {
		randombytes_buf(drawn, sizeof(drawn));
		left = TIDS;
	}
	memcpy(tid, drawn[--left], STUN_TID_LEN);
}

size_t
turn_data_head(const struct addr *peer, size_t len, uint8_t head[64])
{
	uint8_t tid[STUN_TID_LEN];
	size_t padded = (len + 3) & ~(size_t)3;
	struct stun_buf b;

	next_tid(tid);
	stun_begin(&b, head, 64, TURN_DATA, STUN_INDICATION, tid);
	stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, peer);
	stun_put(&b, TURN_DATA_ATTR, NULL, 0);
	if (stun_end(&b, false) < 0 ||
	    b.len - STUN_HEADER_LEN + padded > UINT16_MAX)
		return 0;
	put_u16(head + b.len - 2, (uint16_t)len);
	put_u16(head + 2, (uint16_t)(b.len - STUN_HEADER_LEN + padded));
	return b.len;
}

/* Section 11.5: the types that say that datagrams don't arrive. */
static bool
is_relayed_icmp(const struct addr *peer, uint8_t type)
{
	if (peer->family == ADDR_V4)
		return type == 3 || type == 11;
	return type >= 1 && type <= 3;
}

/*  |  Reserved (16)  | Type (7) | Code (9) |  Error Data (32)  |  */
size_t
turn_icmp(struct turn *t, uint32_t index, const struct addr *peer, uint8_t type,
    uint8_t code, uint32_t data, struct way *to, uint8_t out[TURN_OUT_MAX])
{
	const struct allocation *a = permitting(t, index, peer, t->now_ms);
	bool mtu = peer->family == ADDR_V4 ? type == 3 && code == 4 : type == 2;
	uint8_t tid[STUN_TID_LEN], *p;
	struct stun_buf b;
	int len;

	if (a == NULL || !is_relayed_icmp(peer, type))
		return 0;
	next_tid(tid);
	stun_begin(&b, out, TURN_OUT_MAX, TURN_DATA, STUN_INDICATION, tid);
	stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, peer);
	p = stun_put_space(&b, TURN_ICMP, 8);
	if (p != NULL) {
		put_u16(p + 2, (uint16_t)(type << 9 | code));
		put_u32(p + 4, mtu ? data : 0);
	}
	len = stun_end(&b, false);
	if (len <= 0)
		return 0;
	*to = a->way;
	return (size_t)len;
}

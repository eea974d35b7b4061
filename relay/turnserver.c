/* SPDX-License-Identifier: ISC */
/* A TURN server's requests and their answers (RFC 8656), and plain Binding
 * requests (RFC 8489). Who shows no nonce of ours gets few answers, and short
 * ones. */
#include <errno.h>
#include <string.h>

#include "turnstate.h"

#define UNKNOWN_MAX 8 /* attributes that a 420 names, at most */

static bool
is_known(uint16_t type)
{
	switch (type) {
	case STUN_USERNAME:
	case STUN_REALM:
	case STUN_NONCE:
	case STUN_PASSWORD_ALGORITHM:
	case STUN_USERHASH:
	case STUN_PRIORITY: /* of ICE, in Binding requests */
	case STUN_USE_CANDIDATE:
	case TURN_CHANNEL_NUMBER:
	case TURN_LIFETIME:
	case TURN_XOR_PEER_ADDRESS:
	case TURN_DATA_ATTR:
	case TURN_REQUESTED_ADDRESS_FAMILY:
	case TURN_EVEN_PORT:
	case TURN_REQUESTED_TRANSPORT:
	case TURN_DONT_FRAGMENT:
	case TURN_RESERVATION_TOKEN:
		return true;
	default:
		return type >= 0x8000;
	}
}

size_t
turn_unknown(const struct stun_msg *m, uint16_t *list, size_t max)
{
	struct stun_attr a;
	struct cursor c;
	size_t n = 0;

	stun_attrs(&c, m);
	while (n < max && stun_attr_next(&c, &a) == 1) {
		/* what follows these is not to be used: RFC 8489 section 14.5 */
		if (a.type == STUN_MESSAGE_INTEGRITY ||
		    a.type == STUN_MESSAGE_INTEGRITY_SHA256)
			break;
		if (!is_known(a.type))
			list[n++] = a.type;
	}
	return n;
}

static void
finish(struct stun_buf *b, const struct turn_request *r,
    struct turn_result *result)
{
	int len;

	turnauth_sign(&r->who, b);
	len = stun_end(b, r->m->fingerprint);
	if (len <= 0)
		return;
	result->action = TURN_ANSWER;
	result->len = (size_t)len;
}

static void
begin(struct stun_buf *b, const struct turn_request *r, enum stun_class class,
    uint8_t *out)
{
	stun_begin(b, out, TURN_OUT_MAX, r->m->method, class, r->m->tid);
}

/* For people; who is not known gets none, for the answer to be short. */
static const char *
phrase(int code)
{
	static const struct {
		int code;
		const char *text;
	} all[] = {
	    {400, "Bad Request"},
	    {403, "Forbidden"},
	    {420, "Unknown Attribute"},
	    {437, "Allocation Mismatch"},
	    {440, "Address Family not Supported"},
	    {441, "Wrong Credentials"},
	    {442, "Unsupported Transport Protocol"},
	    {443, "Peer Address Family Mismatch"},
	    {486, "Allocation Quota Reached"},
	    {508, "Insufficient Capacity"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].code == code)
			return all[i].text;
	return NULL;
}

static void
answer_error(const struct turn *t, const struct turn_request *r, int code,
    uint8_t *out, struct turn_result *result)
{
	uint16_t unknown[UNKNOWN_MAX];
	struct stun_buf b;
	uint8_t *list;
	size_t n;

	begin(&b, r, STUN_ERROR, out);
	stun_put_error(&b, code, r->who.key_len > 0 ? phrase(code) : NULL);
	if (code == 401 || code == 438)
		turnauth_challenge(&t->auth, &b, &r->from->remote, r->now_ms);
	if (code == 420) {
		n = turn_unknown(r->m, unknown, UNKNOWN_MAX);
		list = stun_put_space(&b, STUN_UNKNOWN_ATTRIBUTES, 2 * n);
		for (size_t i = 0; i < n && list != NULL; i++)
			put_u16(list + 2 * i, unknown[i]);
	}
	finish(&b, r, result);
}

static uint32_t
left_s(const struct allocation *a, uint64_t now_ms)
{
	uint32_t until_s = a->relayed[0].until_s > a->relayed[1].until_s
			       ? a->relayed[0].until_s
			       : a->relayed[1].until_s;

	return until_s - (uint32_t)((now_ms + 999) / 1000);
}

static void
put_address_error(struct stun_buf *b, unsigned int half, uint16_t code)
{
	uint8_t *p = stun_put_space(b, TURN_ADDRESS_ERROR_CODE, 4);

	if (p == NULL)
		return;
	p[0] = (uint8_t)(half + 1);
	p[2] = (uint8_t)(code / 100);
	p[3] = (uint8_t)(code % 100);
}

/* Also to a retransmitted request, from what is remembered (section 7.2). */
static void
answer_allocated(const struct turn *t, const struct turn_request *r,
    uint8_t *out, struct turn_result *result)
{
	const struct allocation *a = r->a;
	uint8_t token[TURN_TOKEN_LEN];
	struct stun_buf b;

	begin(&b, r, STUN_SUCCESS, out);
	for (unsigned int i = 0; i < 2; i++)
		if (a->relayed[i].until_s != 0)
			stun_put_xor_addr(
			    &b, TURN_XOR_RELAYED_ADDRESS, &a->relayed[i].at);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &r->from->remote);
	stun_put_u32(&b, TURN_LIFETIME, left_s(a, r->now_ms));
	if (a->reserved_until_s != 0) {
		turn_token(t, a, token);
		stun_put(&b, TURN_RESERVATION_TOKEN, token, sizeof(token));
	}
	for (unsigned int i = 0; i < 2; i++)
		if (a->relayed[i].error != 0)
			put_address_error(&b, i, a->relayed[i].error);
	finish(&b, r, result);
}

static int
allocate(struct turn *t, struct turn_request *r, uint8_t *out,
    struct turn_result *result)
{
	struct turn_wish w;
	int code;

	if (r->a != NULL) {
		if (memcmp(r->a->tid, r->m->tid, STUN_TID_LEN) != 0)
			return 437;
		answer_allocated(t, r, out, result);
		return 0;
	}
	code = turn_read_wish(r, &w);
	if (code == 0)
		code = turn_grant(t, r, &w);
	if (code == 0)
		answer_allocated(t, r, out, result);
	return code;
}

static int
refresh(struct turn *t, struct turn_request *r, uint8_t *out,
    struct turn_result *result)
{
	uint32_t lifetime_s = turn_lifetime(0);
	unsigned int half = 0;
	int one = turn_find_family(r->m, TURN_REQUESTED_ADDRESS_FAMILY, &half);
	struct stun_buf b;
	struct cursor c;
	int rc = turn_find(r->m, TURN_LIFETIME, 4, &c);

	if (rc < 0 || one == -EBADMSG)
		return 400;
	if (one < 0 || (one == 1 && r->a->relayed[half].until_s == 0))
		return 443;
	if (rc == 1) {
		lifetime_s = cursor_u32(&c);
		if (lifetime_s != 0)
			lifetime_s = turn_lifetime(lifetime_s);
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (r->a->relayed[i].until_s == 0 || (one == 1 && i != half))
			continue;
		if (lifetime_s > 0)
			r->a->relayed[i].until_s =
			    allocation_until(r->now_ms, lifetime_s);
		else if (!turn_end_half(t, r->a, i, "deleted"))
			break;
	}
	if (lifetime_s > 0)
		allocations_schedule(&t->table, r->a);
	begin(&b, r, STUN_SUCCESS, out);
	stun_put_u32(&b, TURN_LIFETIME, lifetime_s);
	finish(&b, r, result);
	return 0;
}

static void
answer_done(
    const struct turn_request *r, uint8_t *out, struct turn_result *result)
{
	struct stun_buf b;

	begin(&b, r, STUN_SUCCESS, out);
	finish(&b, r, result);
}

/* All or nothing (section 10.2): into a copy first. */
static int
permit(struct turn *t, struct turn_request *r, uint8_t *out,
    struct turn_result *result)
{
	struct permission list[TURN_PERMISSIONS];
	struct stun_attr a;
	struct addr peer;
	struct cursor c;
	size_t n = 0;
	int code;

	memcpy(list, r->a->permission, sizeof(list));
	stun_attrs(&c, r->m);
	while (stun_attr_next(&c, &a) == 1) {
		if (a.type == STUN_MESSAGE_INTEGRITY ||
		    a.type == STUN_MESSAGE_INTEGRITY_SHA256)
			break;
		if (a.type != TURN_XOR_PEER_ADDRESS)
			continue;
		if (stun_get_xor_addr(&a, r->m->tid, &peer) != 0)
			return 400;
		code = turn_peer_error(t, r->a, &peer, r->now_ms);
		if (code != 0)
			return code;
		if (!permission_put(list, &peer, r->now_ms))
			return 508;
		n++;
	}
	if (n == 0)
		return 400;
	memcpy(r->a->permission, list, sizeof(list));
	answer_done(r, out, result);
	return 0;
}

static int
bind_channel(struct turn *t, struct turn_request *r, uint8_t *out,
    struct turn_result *result)
{
	struct permission list[TURN_PERMISSIONS];
	struct stun_attr a;
	struct addr peer;
	struct cursor c;
	uint16_t number;
	int code;

	if (turn_find(r->m, TURN_CHANNEL_NUMBER, 4, &c) != 1 ||
	    stun_find(r->m, TURN_XOR_PEER_ADDRESS, &a) != 0 ||
	    stun_get_xor_addr(&a, r->m->tid, &peer) != 0)
		return 400;
	number = cursor_u16(&c);
	if (number < TURN_CHANNEL_MIN || number > TURN_CHANNEL_MAX ||
	    peer.port == 0)
		return 400;
	code = turn_peer_error(t, r->a, &peer, r->now_ms);
	if (code != 0)
		return code;
	memcpy(list, r->a->permission, sizeof(list));
	if (!permission_put(list, &peer, r->now_ms))
		return 508;
	code = channel_put(r->a, number, &peer, r->now_ms);
	if (code != 0)
		return code == -EEXIST ? 400 : 508;
	memcpy(r->a->permission, list, sizeof(list));
	answer_done(r, out, result);
	return 0;
}

/* Returns 0, or an error code that is still to be answered. */
static int
serve(struct turn *t, struct turn_request *r, uint8_t *out,
    struct turn_result *result)
{
	uint16_t unknown;

	r->a = turn_live(t, r->from, r->now_ms);
	if (r->a != NULL &&
	    memcmp(r->a->user, r->who.id, sizeof(r->a->user)) != 0)
		return 441;
	/* a name runs out for new allocations only: calls are not cut off */
	if (r->a == NULL && r->who.name.expiry_s <= r->wall_s)
		return 401;
	if (turn_unknown(r->m, &unknown, 1) > 0)
		return 420;
	if (r->m->method == TURN_ALLOCATE)
		return allocate(t, r, out, result);
	if (r->a == NULL)
		return 437;
	if (r->m->method == TURN_REFRESH)
		return refresh(t, r, out, result);
	return r->m->method == TURN_CREATE_PERMISSION
		   ? permit(t, r, out, result)
		   : bind_channel(t, r, out, result);
}

/* heard: it receives at its address, so nobody else sends in its name. */
static bool
may_ask(struct turn *t, const struct turn_request *r, bool heard)
{
	bool known = heard || r->from->socket == WAY_STREAM;
	struct limit *each = known ? &t->proven : &t->strangers;
	struct limit *wide = known ? &t->proven_sites : &t->stranger_sites;
	struct addr site;

	return limit_take(each, &r->from->remote, r->now_ms) &&
	       (!limit_wide(&r->from->remote, &site) ||
		   limit_take(wide, &site, r->now_ms));
}

static void
request(struct turn *t, struct turn_request *r, uint8_t *out,
    struct turn_result *result)
{
	enum nonce_state nonce =
	    turnauth_nonce(&t->auth, r->m, &r->from->remote, r->now_ms);
	bool proven = nonce == NONCE_FRESH;
	int code;

	/* an old nonce has to be changed for a new one */
	if (!may_ask(t, r, nonce != NONCE_WRONG))
		return;
	code = turnauth_check(&t->auth, r->m, proven, &r->who);
	if (code == 0)
		code = serve(t, r, out, result);
	if (code != 0)
		answer_error(t, r, code, out, result);
	turnauth_forget(&r->who);
}

static void
binding(struct turn *t, struct turn_request *r, uint8_t *out,
    struct turn_result *result)
{
	struct stun_buf b;
	uint16_t unknown;

	if (!may_ask(t, r, false))
		return;
	if (turn_unknown(r->m, &unknown, 1) > 0) {
		answer_error(t, r, 420, out, result);
		return;
	}
	begin(&b, r, STUN_SUCCESS, out);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, &r->from->remote);
	finish(&b, r, result);
}

void
turn_message(struct turn *t, const struct way *from, const struct stun_msg *m,
    uint64_t now_ms, uint64_t wall_s, uint8_t out[TURN_OUT_MAX],
    struct turn_result *result)
{
	struct turn_request r = {
	    .m = m, .from = from, .now_ms = now_ms, .wall_s = wall_s};

	*result = (struct turn_result){.action = TURN_NOTHING};
	t->now_ms = now_ms;
	if (!addr_is_sendable(&from->remote))
		return;
	if (m->class == STUN_INDICATION && m->method == TURN_SEND)
		turn_send(t, from, m, now_ms, result);
	if (m->class != STUN_REQUEST)
		return;
	switch (m->method) {
	case STUN_BINDING:
		binding(t, &r, out, result);
		break;
	case TURN_ALLOCATE:
	case TURN_REFRESH:
	case TURN_CREATE_PERMISSION:
	case TURN_CHANNEL_BIND:
		request(t, &r, out, result);
		break;
	default:
		break;
	}
}

/* SPDX-License-Identifier: ISC */
/* A TURN client (RFC 8656): what comes in, answers and data. */
#include <errno.h>
#include <string.h>

#include "turnask.h"

#define PERMISSION_MS 240000 /* of the 300 s of section 9 */
#define CHANNEL_MS 480000    /* of the 600 s of section 12 */
#define RETRY_MS 5000	     /* after a request that was not answered */
#define REFUSED_MS 60000     /* a channel that was refused: Send does it, too */
#define RTO_MIN_MS 100
#define STALE_MAX 3
#define LIFETIME_DEFAULT_S 600
#define LIFETIME_LEAST_S 10 /* whatever a server says: no busy loop */
#define FAMILY_IPV6 2

static uint32_t
get_lifetime(const struct stun_msg *m)
{
	struct stun_attr a;
	struct cursor cur;
	uint32_t v = LIFETIME_DEFAULT_S;

	if (stun_find(m, TURN_LIFETIME, &a) == 0 && a.len == 4) {
		cursor_init(&cur, a.value, a.len);
		v = cursor_u32(&cur);
	}
	return v;
}

/* The next Refresh: as often as the NAT before us wants it, and in time for
 * one that is lost. */
static void
refreshed(struct turnclient *c, uint32_t lifetime_s, uint64_t now_ms)
{
	uint64_t lifetime_ms, next_ms;

	if (lifetime_s < LIFETIME_LEAST_S)
		lifetime_s = LIFETIME_LEAST_S;
	c->lifetime_s = lifetime_s;
	lifetime_ms = lifetime_s * 1000ull;
	next_ms = lifetime_ms / 2;
	if (c->keepalive_ms != 0 && c->keepalive_ms < next_ms)
		next_ms = c->keepalive_ms;
	c->expiry_ms = now_ms + lifetime_ms;
	turn_ask_at(&c->main, now_ms + next_ms);
	c->main.stale = 0;
}

/* The relayed addresses, one of each family at most. */
static void
get_relayed(struct turnclient *c, const struct stun_msg *m)
{
	struct stun_attr a;
	struct cursor cur;
	struct addr relayed;

	stun_attrs(&cur, m);
	while (stun_attr_next(&cur, &a) == 1) {
		if (a.type == STUN_MESSAGE_INTEGRITY ||
		    a.type == STUN_MESSAGE_INTEGRITY_SHA256)
			break;
		if (a.type == TURN_ADDRESS_ERROR_CODE && a.len >= 4)
			c->family_code[a.value[0] == FAMILY_IPV6] =
			    (a.value[2] & 7) * 100 + a.value[3] % 100;
		if (a.type == TURN_XOR_RELAYED_ADDRESS &&
		    stun_get_xor_addr(&a, m->tid, &relayed) == 0 &&
		    addr_is_sendable(&relayed))
			c->relayed[relayed.family == ADDR_V6] = relayed;
	}
}

static void
allocated(struct turnclient *c, const struct stun_msg *m, uint64_t now_ms)
{
	uint64_t rtt_ms = now_ms - c->main.t.last_ms;

	get_relayed(c, m);
	if (c->relayed[0].family == ADDR_NONE &&
	    c->relayed[1].family == ADDR_NONE) {
		turn_down(c, TURNCLIENT_CODE_BAD_ANSWER);
		return;
	}
	stun_get_mapped(m, &c->mapped);
	c->state = TURNCLIENT_UP;
	/* an answer to the only one that was sent tells the round trip */
	if (c->main.t.sent == 1 && rtt_ms * 2 < TRANSACTION_RTO_MS)
		c->rto_ms =
		    rtt_ms * 2 > RTO_MIN_MS ? (uint32_t)rtt_ms * 2 : RTO_MIN_MS;
	refreshed(c, get_lifetime(m), now_ms);
	for (size_t i = 0; i < TURNCLIENT_GRANTS; i++)
		if (c->grant[i].ip.family != ADDR_NONE)
			turn_grant_begin(c, &c->grant[i], now_ms);
}

/* A 401 is the challenge once; then it means no. Returns true when that is all
 * about the answer. */
static bool
challenged(struct turnclient *c, struct turn_ask *a, int code,
    const struct stun_msg *m, uint64_t now_ms)
{
	int r = 0;

	if (code == 401 && c->login.challenged)
		return false;
	if (code == 438 && ++a->stale > STALE_MAX)
		return false;
	r = turnlogin_challenge(&c->login, m);
	if (r == 0)
		turn_ask_at(a, now_ms);
	else if (r == -EPROTONOSUPPORT && c->state == TURNCLIENT_ASKING)
		turn_down(c, TURNCLIENT_CODE_BAD_ANSWER);
	else
		c->ignored++; /* forged, perhaps: the true one may come yet */
	return true;
}

/* What an allocation can't outlive, if its own request says so. */
static bool
is_fatal(int code)
{
	return code == 401 || code == 437 || code == 438 || code == 441;
}

static void
main_refused(
    struct turnclient *c, int code, const struct stun_msg *m, uint64_t now_ms)
{
	struct stun_attr a;

	if (c->state == TURNCLIENT_UP && !is_fatal(code)) {
		turn_ask_at(&c->main, now_ms + RETRY_MS); /* until it expires */
		return;
	}
	if (code == 300 && (stun_find(m, STUN_ALTERNATE_SERVER, &a) != 0 ||
			       stun_get_addr(&a, &c->alternate) != 0 ||
			       !addr_is_sendable(&c->alternate))) {
		memset(&c->alternate, 0, sizeof(c->alternate));
		code = TURNCLIENT_CODE_BAD_ANSWER;
	}
	turn_down(c, code);
}

static void
main_answer(
    struct turnclient *c, int code, const struct stun_msg *m, uint64_t now_ms)
{
	if (code != 0)
		main_refused(c, code, m, now_ms);
	else if (c->state == TURNCLIENT_UP)
		refreshed(c, get_lifetime(m), now_ms);
	else
		allocated(c, m, now_ms);
}

/* The allocation itself is doubtful: let its own request find out. */
static void
doubtful(struct turnclient *c, struct turn_ask *a, uint64_t now_ms)
{
	turn_ask_at(a, now_ms + RETRY_MS);
	turnclient_doubt(c, now_ms);
}

static void
grant_answer(
    struct turnclient *c, struct turn_grant *g, int code, uint64_t now_ms)
{
	if (code == 0) {
		g->state = TURN_GRANTED;
		g->ask.stale = 0;
		turn_ask_at(&g->ask, now_ms + PERMISSION_MS);
	} else if (is_fatal(code)) {
		doubtful(c, &g->ask, now_ms);
	} else {
		g->ask.open = false;
		g->state = TURN_GRANT_REFUSED;
		g->code = code;
	}
}

static void
route_answer(
    struct turnclient *c, struct turn_route *r, int code, uint64_t now_ms)
{
	if (code == 0) {
		r->bound = true;
		r->ask.stale = 0;
		turn_ask_at(&r->ask, now_ms + CHANNEL_MS);
	} else if (is_fatal(code)) {
		doubtful(c, &r->ask, now_ms);
	} else {
		r->bound = false;
		turn_ask_at(&r->ask, now_ms + REFUSED_MS);
	}
}

struct asked {
	struct turn_ask *ask;
	struct turn_grant *grant;
	struct turn_route *route;
	uint16_t method;
};

static bool
is_answer_to(const struct turn_ask *a, const struct stun_msg *m)
{
	return a->open && a->t.sent > 0 &&
	       memcmp(a->t.tid, m->tid, STUN_TID_LEN) == 0;
}

static bool
find_asked(struct turnclient *c, const struct stun_msg *m, struct asked *out)
{
	*out = (struct asked){.ask = NULL};
	if (is_answer_to(&c->main, m)) {
		out->ask = &c->main;
		out->method =
		    c->state == TURNCLIENT_UP ? TURN_REFRESH : TURN_ALLOCATE;
	}
	for (size_t i = 0; i < TURNCLIENT_GRANTS && out->ask == NULL; i++) {
		if (c->grant[i].ip.family != ADDR_NONE &&
		    is_answer_to(&c->grant[i].ask, m)) {
			out->grant = &c->grant[i];
			out->ask = &out->grant->ask;
			out->method = TURN_CREATE_PERMISSION;
		}
	}
	for (size_t i = 0; i < TURNCLIENT_ROUTES && out->ask == NULL; i++) {
		if (c->route[i].peer.family != ADDR_NONE &&
		    is_answer_to(&c->route[i].ask, m)) {
			out->route = &c->route[i];
			out->ask = &out->route->ask;
			out->method = TURN_CHANNEL_BIND;
		}
	}
	return out->ask != NULL && out->method == m->method;
}

/* May this answer be believed? Without integrity only what begins a
 * conversation may: a challenge, and what ends the asking for an allocation. */
static bool
is_believed(const struct turnclient *c, const struct stun_msg *m, int code)
{
	int r = turnlogin_check(&c->login, m);

	if (r == 0)
		return true;
	if (r == -EACCES || code == 0)
		return false;
	return code == 401 || code == 438 || c->state == TURNCLIENT_ASKING;
}

static void
take_answer(struct turnclient *c, const struct stun_msg *m, uint64_t now_ms,
    struct turnclient_in *in)
{
	struct asked asked;
	int code = m->class == STUN_ERROR ? stun_get_error(m) : 0;

	if (!find_asked(c, m, &asked) || code < 0 || !is_believed(c, m, code)) {
		c->ignored++;
		return;
	}
	c->next_ms = now_ms;
	in->what = TURNCLIENT_CHANGED;
	if ((code == 401 || code == 438) &&
	    challenged(c, asked.ask, code, m, now_ms))
		return;
	if (asked.grant != NULL)
		grant_answer(c, asked.grant, code, now_ms);
	else if (asked.route != NULL)
		route_answer(c, asked.route, code, now_ms);
	else
		main_answer(c, code, m, now_ms);
}

static void
take_data(
    struct turnclient *c, const struct stun_msg *m, struct turnclient_in *in)
{
	struct stun_attr peer, data;

	if (m->method != TURN_DATA ||
	    stun_find(m, TURN_XOR_PEER_ADDRESS, &peer) != 0 ||
	    stun_find(m, TURN_DATA_ATTR, &data) != 0 ||
	    stun_get_xor_addr(&peer, m->tid, &in->peer) != 0 ||
	    !addr_is_sendable(&in->peer) ||
	    turn_grant_find(c, &in->peer) == NULL) {
		c->ignored++;
		return;
	}
	in->what = TURNCLIENT_DATA;
	in->data = data.value;
	in->len = data.len;
}

/*  |  channel (16)  |  length (16)  |  data, over TCP padded to 4 */
static void
take_channel(struct turnclient *c, const uint8_t *data, size_t len,
    struct turnclient_in *in)
{
	const struct addr *peer = NULL;
	struct cursor cur;
	uint16_t channel, n;
	const uint8_t *value;

	cursor_init(&cur, data, len);
	channel = cursor_u16(&cur);
	n = cursor_u16(&cur);
	value = cursor_bytes(&cur, n);
	/* bound or not: the answer to ChannelBind may come after the first data */
	if (!cur.bad && c->state == TURNCLIENT_UP)
		peer = turn_channel_peer(c, channel);
	if (peer == NULL || turn_grant_find(c, peer) == NULL) {
		c->ignored++;
		return;
	}
	in->what = TURNCLIENT_DATA;
	in->peer = *peer;
	in->data = value;
	in->len = n;
}

void
turnclient_input(struct turnclient *c, const uint8_t *data, size_t len,
    uint64_t now_ms, struct turnclient_in *in)
{
	struct stun_msg m;

	*in = (struct turnclient_in){.what = TURNCLIENT_NOTHING};
	if (c->state != TURNCLIENT_ASKING && c->state != TURNCLIENT_UP)
		return;
	if (len > 0 && (data[0] & 0xc0) == 0x40) {
		take_channel(c, data, len, in);
		return;
	}
	if (stun_parse(&m, data, len) != 0)
		m.class = STUN_REQUEST; /* which is not for us, either */
	if (m.class == STUN_SUCCESS || m.class == STUN_ERROR)
		take_answer(c, &m, now_ms, in);
	else if (m.class == STUN_INDICATION && c->state == TURNCLIENT_UP)
		take_data(c, &m, in);
	else
		c->ignored++;
}

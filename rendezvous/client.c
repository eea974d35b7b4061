/* SPDX-License-Identifier: ISC */
/* The client's session with one rendezvous server: HELLO with backoff and
 * rekeying, keepalives, what the server is to know, and what it pushes. */
#include "client.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "client_say.h"

#define NEVER UINT64_MAX

void
client_init(struct client *c, const uint8_t *key, const uint8_t pub[KEY_LEN],
    const uint8_t server[KEY_LEN], uint32_t keepalive_limit_s,
    const struct moment *now)
{
	sodium_memzero(c, sizeof(*c));
	dial_init(&c->dial, key, pub, server, keepalive_limit_s * 1000);
	dial_at(&c->dial, now->ms);
	contact_init(&c->contact);
	c->keepalive_limit_s = keepalive_limit_s;
	c->hint_ms = now->ms;
	c->confirm_end_ms = NEVER;
	c->keepalive_at_ms = NEVER;
	c->rekey_at_ms = NEVER;
	c->full_at_ms = NEVER;
	c->udp_at_ms = NEVER;
	c->waiting_ms = NEVER;
	c->announce = true;
	c->tell_resolve = true;
}

void
client_wipe(struct client *c)
{
	sodium_memzero(c, sizeof(*c));
}

const struct addr *
client_endpoint(const struct client *c)
{
	return &c->addr;
}

void
client_addresses(struct client *c, const struct addr *list, size_t n,
    const struct moment *now)
{
	dial_addresses(&c->dial, list, n, now);
}

/* Requests */

static struct request *
new_request(struct client *c, const struct moment *now)
{
	uint64_t rtt_ms = c->rtt_us / 1000;
	struct request *r;

	if (rtt_ms > UINT16_MAX)
		rtt_ms = UINT16_MAX;
	r = ledger_request(
	    &c->ledger, now, request_rto_ms(c->rtt_us), (uint16_t)rtt_ms);
	if (r != NULL && c->waiting_ms == NEVER)
		c->waiting_ms = now->ms;
	return r;
}

void
client_want(struct client *c, int peer, const uint8_t key[KEY_LEN],
    const uint8_t tag[WIRE_TAG_LEN])
{
	ledger_want(&c->ledger, peer, key, tag);
}

void
client_ready(struct client *c, int peer, uint32_t mine, uint32_t theirs)
{
	ledger_ready(&c->ledger, peer, mine, theirs);
}

/* The session's life */

static void
keepalive_later(struct client *c, const struct moment *now)
{
	c->keepalive_at_ms = now->ms + dial_jitter(c->keepalive_ms);
}

static void
set_keepalive(struct client *c)
{
	uint32_t s = c->welcome.keepalive_s;

	if (s == 0 || s > 300)
		s = WIRE_KEEPALIVE_S;
	if (c->keepalive_limit_s != 0 && c->keepalive_limit_s < s)
		s = c->keepalive_limit_s;
	c->keepalive_ms = s * 1000;
}

static void
probe_later(struct client *c, uint32_t ms, const struct moment *now)
{
	c->udp_ms = ms < CLIENT_UDP_MAX_MS ? ms : CLIENT_UDP_MAX_MS;
	c->udp_at_ms = now->ms + dial_jitter(c->udp_ms);
}

/* Where a connection comes from says nothing about our UDP port. */
static struct addr
mapped_of(const struct addr *server, const struct addr *mapped)
{
	return server->tcp ? (struct addr){.family = ADDR_NONE} : *mapped;
}

/* The new session is proven to both ends: it replaces the old one, and the
 * server may know nothing of what the old one told it. */
static void
activate(struct client *c, const struct moment *now)
{
	struct addr mapped = mapped_of(&c->next_addr, &c->welcome.mapped);

	c->announce |= !c->up || !addr_equal(&c->addr, &c->next_addr) ||
		       !addr_equal(&c->mapped, &mapped);
	if (!c->next_addr.tcp) {
		c->udp_at_ms = NEVER;
		c->ledger.hold_ms = 0;
	} else if (!c->up || !c->addr.tcp) {
		probe_later(c, CLIENT_UDP_MIN_MS, now);
		c->ledger.hold_ms = now->ms + CLIENT_HOLD_MS;
	}
	c->session = c->next;
	c->addr = c->next_addr;
	c->mapped = mapped;
	sodium_memzero(&c->next, sizeof(c->next));
	c->pending = false;
	c->up = true;
	c->refused = 0;
	contact_end(&c->contact);
	dial_stop(&c->dial);
	c->suspect = false;
	c->confirm_end_ms = NEVER;
	set_keepalive(c);
	keepalive_later(c, now);
	c->rekey_at_ms = now->ms + CLIENT_REKEY_MS;
	c->full_at_ms = NEVER;
	c->waiting_ms = NEVER;
	ledger_renew(&c->ledger);
	c->tell_up = c->announce;
	c->announce = false;
}

static void
end_session(struct client *c)
{
	c->up = false;
	c->announce = true;
	ledger_drop(&c->ledger, false);
	sodium_memzero(&c->session, sizeof(c->session));
	c->keepalive_at_ms = NEVER;
	c->rekey_at_ms = NEVER;
	c->udp_at_ms = NEVER;
	c->waiting_ms = NEVER;
	c->tell_up = false;
}

/* The server has proven its key, and says what it makes of ours. A server
 * that is full when we renew a session leaves us the old one. */
static void
welcomed(struct client *c, const struct addr *from, uint64_t rtt_us,
    const struct moment *now)
{
	int status = c->welcome.status;

	c->contact.proven = true;
	dial_stop(&c->dial);
	c->suspect = false;
	ledger_drop(&c->ledger, true);
	c->pending = false;
	if (c->rtt_us == 0)
		c->rtt_us = request_smooth_rtt(0, rtt_us);
	if (status != WIRE_OK) {
		dial_at(&c->dial, now->ms + dial_jitter(CLIENT_REFUSED_MS));
		if (c->up && status == WIRE_FULL)
			return;
		if (c->up)
			end_session(c);
		contact_end(&c->contact);
		c->tell_refused = c->refused != status;
		c->refused = status;
		c->addr = *from;
		return;
	}
	c->pending = true;
	c->next_addr = *from;
	c->confirm_end_ms = now->ms + CLIENT_CONFIRM_MS;
	ledger_confirm(&c->ledger, now, request_rto_ms(c->rtt_us));
}

/* Something came under the session: it is alive. */
static void
heard(struct client *c, const struct moment *now)
{
	c->waiting_ms = ledger_waits(&c->ledger) ? now->ms : NEVER;
	if (c->suspect) {
		c->suspect = false;
		dial_stop(&c->dial);
	}
}

/* Input */

/* Returns whether it was asked for. */
static bool
answered(struct client *c, const uint8_t *tid, const struct moment *now)
{
	struct request *r = ledger_by_tid(&c->ledger, tid);

	if (r == NULL)
		return false;
	if (r->t.sent == 1) /* else nobody knows what it answers */
		c->rtt_us = request_smooth_rtt(c->rtt_us, now->us - r->sent_us);
	ledger_settle(&c->ledger, r, ITEM_DONE);
	return true;
}

static bool
session_input(struct client *c, const struct addr *from,
    const struct stun_msg *m, const struct moment *now)
{
	int len = -EBADMSG;
	bool news = true;

	if (c->pending && addr_equal(from, &c->next_addr))
		len = wire_open(&c->next, m, c->plain, sizeof(c->plain));
	if (len >= 0)
		activate(c, now);
	else if (c->up && addr_equal(from, &c->addr))
		len = wire_open(&c->session, m, c->plain, sizeof(c->plain));
	if (len < 0)
		return false;
	if (m->class == STUN_SUCCESS)
		news = answered(c, m->tid, now);
	heard(c, now);
	if (m->class == STUN_REQUEST) {
		c->ack = true;
		memcpy(c->ack_tid, m->tid, STUN_TID_LEN);
	}
	cursor_init(&c->learned, c->plain, news ? (size_t)len : 0);
	c->learned_class = m->class;
	return true;
}

static bool
our_tid(struct client *c, const uint8_t *tid)
{
	struct request *r = ledger_by_tid(&c->ledger, tid);

	return (r != NULL && !r->confirm) ||
	       memcmp(tid, c->relayed_tid, STUN_TID_LEN) == 0;
}

/* A hint, not a proof: the old session goes on until a new one is proven. */
static bool
hint_input(struct client *c, const struct addr *from, const struct stun_msg *m,
    const struct moment *now)
{
	if (!c->up || !m->fingerprint || !addr_equal(from, &c->addr) ||
	    stun_get_error(m) != WIRE_UNKNOWN_SESSION || !our_tid(c, m->tid))
		return false;
	if (c->pending || now->ms < c->hint_ms + CLIENT_HINT_MS)
		return true;
	c->hint_ms = now->ms;
	c->announce = true;
	c->suspect = false;
	dial_at(&c->dial, now->ms);
	return true;
}

bool
client_input(struct client *c, const struct addr *from, const uint8_t *data,
    size_t len, const struct moment *now)
{
	struct stun_msg m;
	uint64_t rtt_us;

	if (stun_parse(&m, data, len) != 0)
		return false;
	if (m.method == NATKIT_SESSION)
		return m.class == STUN_ERROR ? hint_input(c, from, &m, now)
					     : session_input(c, from, &m, now);
	if (m.method == STUN_BINDING)
		return contact_input(
			   &c->contact, c->dial.addrs, c->dial.n, from, &m) ||
		       contact_input(
			   &c->contact, c->dial.tcp, c->dial.n_tcp, from, &m);
	if (m.method != NATKIT_HELLO)
		return false;
	if (dial_input(
		&c->dial, from, &m, now, &c->welcome, &c->next, &rtt_us) == 1) {
		welcomed(c, from, rtt_us, now);
		return true;
	}
	return false;
}

/* Is the dial free for something that matters more? */
static bool
dials(const struct client *c)
{
	return (c->dial.busy && !c->dial.udp_only) || c->pending;
}

/* The session goes on for now, but another is looked for. */
static void
suspect(struct client *c, const struct moment *now)
{
	if (dials(c))
		return;
	c->suspect = true;
	dial_at(&c->dial, now->ms);
	c->tell_resolve = true;
}

void
client_connected(
    struct client *c, const struct addr *at, const struct moment *now)
{
	dial_connected(&c->dial, at, now);
}

bool
client_doubts(const struct client *c, const struct addr *at)
{
	return c->up && c->suspect && addr_equal(&c->addr, at);
}

bool
client_uses(const struct client *c, const struct addr *at)
{
	return dial_wants_tcp(&c->dial) ||
	       (c->up && addr_equal(&c->addr, at)) ||
	       (c->pending && addr_equal(&c->next_addr, at));
}

void
client_cut(struct client *c, const struct addr *at, const struct moment *now)
{
	if (c->pending && addr_equal(&c->next_addr, at)) {
		c->pending = false;
		c->confirm_end_ms = NEVER;
		ledger_drop(&c->ledger, true);
		dial_back_off(&c->dial, now);
	}
	if (!c->up || !addr_equal(&c->addr, at))
		return;
	if (c->waiting_ms == NEVER)
		c->waiting_ms = now->ms;
	suspect(c, now);
}

void
client_roam(struct client *c, const struct moment *now)
{
	if (c->up) {
		c->keepalive_at_ms = now->ms;
		if (c->addr.tcp) { /* it may be dead now, or not needed */
			suspect(c, now);
			probe_later(c, CLIENT_UDP_ROAM_MS, now);
		}
		return;
	}
	c->tell_resolve = true;
	if (c->refused == 0 && c->dial.busy && c->dial.end_ms == NEVER)
		dial_at(&c->dial, now->ms);
}

/* Indications */

static int
indication(struct client *c, const uint8_t *plain, size_t len, uint8_t *out,
    size_t cap)
{
	stun_new_tid(c->relayed_tid);
	return wire_seal(
	    &c->session, STUN_INDICATION, c->relayed_tid, plain, len, out, cap);
}

int
client_relay(struct client *c, int peer, const uint8_t *payload, size_t len,
    uint8_t *out, size_t cap)
{
	uint8_t plain[WIRE_PLAIN_MAX], *p;
	struct stun_buf b;
	int n;

	if (!c->up)
		return -ENOTCONN;
	if (len > WIRE_PAYLOAD_MAX)
		return -ENOBUFS;
	stun_begin_list(&b, plain, sizeof(plain));
	p = stun_put_space(&b, NATKIT_SEND, KEY_LEN + len);
	if (p == NULL || (n = stun_end(&b, false)) < 0)
		return -ENOBUFS;
	memcpy(p, c->ledger.peer[peer].key, KEY_LEN);
	memcpy(p + KEY_LEN, payload, len);
	return indication(c, plain, (size_t)n, out, cap);
}

int
client_bye(struct client *c, uint8_t *out, size_t cap)
{
	uint8_t plain[4];
	struct stun_buf b;
	int n;

	if (!c->up)
		return -ENOTCONN;
	stun_begin_list(&b, plain, sizeof(plain));
	stun_put(&b, NATKIT_BYE, NULL, 0);
	if ((n = stun_end(&b, false)) < 0)
		return n;
	return indication(c, plain, (size_t)n, out, cap);
}

/* What the time brings */

static void
go_down(struct client *c, const struct moment *now)
{
	end_session(c);
	c->tell_down = true;
	c->reason = "timeout";
	c->suspect = false;
	if (!dials(c)) {
		dial_at(&c->dial, now->ms);
		c->tell_resolve = true;
	}
}

/* There never was a session, and who waits for one should know why. */
static void
no_contact(struct client *c)
{
	c->reason = contact_fail(&c->contact);
	c->addr = c->contact.to;
	c->tell_down = true;
}

static uint64_t
after(uint64_t from_ms, uint64_t ms)
{
	return from_ms == NEVER ? NEVER : from_ms + ms;
}

static void
tick(struct client *c, const struct moment *now)
{
	bool dialling = dials(c);

	if (now->ms >= after(c->waiting_ms, CLIENT_DOWN_MS))
		go_down(c, now);
	else if (now->ms >= after(c->waiting_ms, CLIENT_SUSPECT_MS))
		suspect(c, now);
	if (now->ms >= c->rekey_at_ms) {
		c->rekey_at_ms = NEVER;
		c->suspect = false;
		if (!dialling)
			dial_at(&c->dial, now->ms);
	}
	if (now->ms >= c->confirm_end_ms) {
		c->confirm_end_ms = NEVER;
		c->pending = false;
		ledger_drop(&c->ledger, true);
		dial_back_off(&c->dial, now);
	}
	if (now->ms >= c->udp_at_ms && !c->dial.busy && !c->pending) {
		dial_probe(&c->dial, now);
		probe_later(c, c->udp_ms * 2, now);
	}
	if (now->ms >= c->contact.due_ms && !c->pending)
		no_contact(c);
	if (now->ms >= c->full_at_ms) {
		c->full_at_ms = NEVER;
		ledger_unrefuse(&c->ledger);
	}
	if (c->up && ledger_due(&c->ledger, now->ms) &&
	    new_request(c, now) != NULL)
		keepalive_later(c, now);
	if (now->ms >= c->keepalive_at_ms) {
		new_request(c, now);
		keepalive_later(c, now);
	}
}

static uint64_t
next_ms(const struct client *c)
{
	uint64_t at = NEVER;

#define EARLIEST(t)                                                            \
	do {                                                                   \
		if ((t) < at)                                                  \
			at = (t);                                              \
	} while (0)
	EARLIEST(dial_next_ms(&c->dial));
	EARLIEST(c->confirm_end_ms);
	EARLIEST(c->keepalive_at_ms);
	EARLIEST(c->rekey_at_ms);
	EARLIEST(c->full_at_ms);
	if (c->up)
		EARLIEST(ledger_next_ms(&c->ledger));
	EARLIEST(after(c->waiting_ms, CLIENT_DOWN_MS));
	if (!c->pending)
		EARLIEST(c->contact.due_ms);
	if (!dials(c))
		EARLIEST(after(c->waiting_ms, CLIENT_SUSPECT_MS));
	if (!c->dial.busy && !c->pending)
		EARLIEST(c->udp_at_ms);
	for (size_t i = 0; i < LEDGER_REQUESTS; i++)
		if (c->ledger.request[i].active)
			EARLIEST(c->ledger.request[i].t.next_ms);
#undef EARLIEST
	return at;
}

void
client_step(struct client *c, const struct moment *now, struct client_event *ev)
{
	*ev = (struct client_event){.what = CLIENT_WAIT};
	tick(c, now);
	if (client_say(c, now, ev))
		return;
	*ev = (struct client_event){.what = CLIENT_WAIT, .at_ms = next_ms(c)};
}

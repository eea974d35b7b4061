/* SPDX-License-Identifier: ISC */
/* One binding: our daemon's port at one relay, for one peer. */
#include "relaybinding.h"

#include <sodium.h>
#include <string.h>

#define NEVER UINT64_MAX

const char *
relaybinding_state_name(enum relaybinding_state state)
{
	static const char *const names[] = {
	    [RELAYBINDING_BINDING] = "binding",
	    [RELAYBINDING_BOUND] = "bound",
	    [RELAYBINDING_GONE] = "gone",
	};

	return names[state];
}

/* The credential */

static void
take_credential(
    struct relaybinding *b, const struct relayrecord *r, uint64_t now_ms)
{
	memcpy(b->user, r->user, sizeof(b->user));
	memcpy(b->password, r->password, sizeof(b->password));
	b->priority = r->priority;
	b->expiry_ms = now_ms + r->lifetime_s * UINT64_C(1000);
}

static void
take_endpoints(struct relaybinding *b, const struct relayrecord *r)
{
	memset(b->try, 0, sizeof(b->try));
	b->n = r->n;
	for (size_t i = 0; i < r->n; i++)
		b->try[i].server = b->try[i].to = r->at[i];
	b->chosen = -1;
}

void
relaybinding_start(struct relaybinding *b, const struct relayrecord *r,
    uint32_t refresh_ms, uint64_t now_ms)
{
	sodium_memzero(b, sizeof(*b));
	take_credential(b, r, now_ms);
	take_endpoints(b, r);
	bucket_fill(&b->hints, RELAYBINDING_HINT_BURST, now_ms);
	b->again_ms = RELAYBINDING_AGAIN_MS;
	b->refresh_ms = refresh_ms;
	b->next_ms = now_ms;
	b->quiet_ms = NEVER;
}

bool
relaybinding_is(const struct relaybinding *b, const struct relayrecord *r)
{
	for (size_t i = 0; i < b->n; i++)
		for (size_t k = 0; k < r->n; k++)
			if (addr_equal(&b->try[i].server, &r->at[k]))
				return true;
	return false;
}

static bool
same_endpoints(const struct relaybinding *b, const struct relayrecord *r)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->n != r->n || !addr_equal(&b->try[i].server, &r->at[i]))
			return false;
	return true;
}

/* What is bound stays bound, and gets the credential with its next refresh. */
void
relaybinding_renew(
    struct relaybinding *b, const struct relayrecord *r, uint64_t now_ms)
{
	take_credential(b, r, now_ms);
	if (b->state == RELAYBINDING_BOUND && same_endpoints(b, r))
		return;
	if (b->state == RELAYBINDING_BOUND) {
		b->state = RELAYBINDING_GONE;
		b->reason = "moved";
	}
	take_endpoints(b, r);
	b->again_ms = RELAYBINDING_AGAIN_MS;
	b->next_ms = now_ms;
}

void
relaybinding_wipe(struct relaybinding *b)
{
	sodium_memzero(b, sizeof(*b));
}

/* Requests */

static uint32_t
rto_ms(const struct relaybinding *b)
{
	uint32_t rto = 2 * b->rtt_ms;

	if (b->rtt_ms == 0)
		return RELAYBINDING_RTO_MS;
	return rto < RELAYBINDING_RTO_MS / 2 ? RELAYBINDING_RTO_MS / 2 : rto;
}

/* The same request goes on, with what the relay has just told. */
static void
ask(struct relaybinding *b, struct relaybinding_try *t, uint64_t now_ms)
{
	uint32_t rto = rto_ms(b);

	transaction_start(&t->t, now_ms, rto);
	t->active = true;
	t->end_ms = now_ms + RELAYBINDING_SILENT_MS;
	if (t->end_ms < now_ms + 2 * (uint64_t)rto)
		t->end_ms = now_ms + 2 * (uint64_t)rto;
}

static void
begin(struct relaybinding *b, uint64_t now_ms)
{
	b->next_ms = b->quiet_ms = NEVER;
	if (b->state != RELAYBINDING_BOUND)
		b->chosen = -1;
	for (size_t i = 0; i < b->n; i++) {
		struct relaybinding_try *t = &b->try[i];

		if (b->chosen >= 0 && b->chosen != (int)i)
			continue;
		if (b->chosen < 0) {
			t->to = t->server;
			t->nonce_len = 0;
		}
		t->challenges = t->redirects = 0;
		ask(b, t,
		    now_ms + i * (b->chosen < 0) * RELAYBINDING_FAMILY_MS);
	}
}

static size_t
make_request(const struct relaybinding *b, const struct relaybinding_try *t,
    const uint8_t tid[STUN_TID_LEN], bool unbind, uint8_t out[RELAYBINDING_MAX])
{
	const struct bindrequest r = {
	    .user = b->user,
	    .user_len = strlen(b->user),
	    .password = b->password,
	    .nonce = t->nonce,
	    .nonce_len = t->nonce_len,
	    .unbind = unbind,
	};

	return bindrequest_make(&r, tid, out);
}

/* Answers */

static void
stop_others(struct relaybinding *b, int but)
{
	for (int i = 0; i < (int)b->n; i++)
		if (i != but)
			b->try[i].active = false;
}

/* Whatever the reason is, it may pass: tried again until the credential ends. */
static void
fail(struct relaybinding *b, const char *reason, uint64_t now_ms)
{
	stop_others(b, -1);
	b->state = RELAYBINDING_GONE;
	b->reason = reason;
	b->quiet_ms = NEVER;
	b->next_ms = now_ms < b->expiry_ms ? now_ms + b->again_ms : NEVER;
	b->again_ms *= 2;
	if (b->again_ms > RELAYBINDING_AGAIN_MAX_MS)
		b->again_ms = RELAYBINDING_AGAIN_MAX_MS;
}

static void
succeeded(struct relaybinding *b, struct relaybinding_try *t,
    const struct stun_msg *m, uint64_t now_ms)
{
	struct stun_attr a;

	if (!bindrequest_is_signed(m, b->password))
		return; /* forged: the right one may still come */
	if (stun_find(m, STUN_XOR_MAPPED_ADDRESS, &a) != 0 ||
	    stun_get_xor_addr(&a, m->tid, &b->mapped) != 0)
		memset(&b->mapped, 0, sizeof(b->mapped));
	if (t->t.sent == 1)
		b->rtt_ms = (uint32_t)(now_ms - t->t.start_ms) + 1;
	b->chosen = (int)(t - b->try);
	b->at = t->to;
	stop_others(b, -1);
	b->state = RELAYBINDING_BOUND;
	b->reason = NULL;
	b->again_ms = RELAYBINDING_AGAIN_MS;
	b->next_ms = now_ms + bindrequest_refresh_ms(m, b->refresh_ms);
}

/* Another port of the same relay, and nobody else's address: else who knows the
 * password, or the relay, could have us send to a third party. */
static void
redirected(struct relaybinding *b, struct relaybinding_try *t,
    const struct stun_msg *m, uint64_t now_ms)
{
	struct stun_attr a;
	struct addr to;

	if (!bindrequest_is_signed(m, b->password))
		return;
	if (stun_find(m, STUN_ALTERNATE_SERVER, &a) != 0 ||
	    stun_get_addr(&a, &to) != 0 || !addr_equal_ip(&to, &t->server) ||
	    to.port == 0 || t->redirects++ == RELAYBINDING_REDIRECTS) {
		fail(b, "redirected", now_ms);
		return;
	}
	t->to = to;
	ask(b, t, now_ms);
}

static void
challenged(struct relaybinding *b, struct relaybinding_try *t,
    const struct stun_attr *nonce, uint64_t now_ms)
{
	if (nonce->len == 0 || nonce->len > BINDREQUEST_NONCE_MAX ||
	    t->challenges++ == RELAYBINDING_CHALLENGES) {
		fail(b, bindrequest_reason(401), now_ms);
		return;
	}
	memcpy(t->nonce, nonce->value, nonce->len);
	t->nonce_len = nonce->len;
	ask(b, t, now_ms);
}

static void
answered(struct relaybinding *b, struct relaybinding_try *t,
    const struct stun_msg *m, uint64_t now_ms)
{
	struct stun_attr nonce;
	int code;

	if (m->class == STUN_SUCCESS) {
		succeeded(b, t, m, now_ms);
		return;
	}
	code = stun_get_error(m);
	/* of two endpoints the first that says anything is used: never are
	 * both bound, since the later one would win at the relay */
	if (b->chosen < 0) {
		b->chosen = (int)(t - b->try);
		stop_others(b, b->chosen);
	}
	if (code == 300)
		redirected(b, t, m, now_ms);
	else if ((code == 401 || code == 438) &&
		 stun_find(m, STUN_NONCE, &nonce) == 0)
		challenged(b, t, &nonce, now_ms);
	else
		fail(b, bindrequest_reason(code), now_ms);
}

/* A Binding success without integrity, which no check has, is the relay's own
 * answer to one of our side's checks: it does not know us at this address. So
 * our NAT has another mapping now. It may be forged, and costs a request then. */
static bool
is_hint(const struct stun_msg *m)
{
	struct stun_attr a;

	return m->method == STUN_BINDING && m->class == STUN_SUCCESS &&
	       stun_list_find(m->raw + STUN_HEADER_LEN,
		   m->len - STUN_HEADER_LEN, STUN_MESSAGE_INTEGRITY_SHA256,
		   &a) != 0 &&
	       stun_list_find(m->raw + STUN_HEADER_LEN,
		   m->len - STUN_HEADER_LEN, STUN_MESSAGE_INTEGRITY, &a) != 0;
}

bool
relaybinding_input(struct relaybinding *b, const struct addr *from,
    const struct stun_msg *m, uint64_t now_ms)
{
	if (m->method == NATKIT_BIND) {
		if (!m->fingerprint ||
		    (m->class != STUN_SUCCESS && m->class != STUN_ERROR))
			return false;
		for (size_t i = 0; i < b->n; i++) {
			struct relaybinding_try *t = &b->try[i];

			if (!t->active || t->t.sent == 0 ||
			    !addr_equal(from, &t->to) ||
			    memcmp(m->tid, t->t.tid, STUN_TID_LEN) != 0)
				continue;
			answered(b, t, m, now_ms);
			return true;
		}
		return false;
	}
	if (b->state != RELAYBINDING_BOUND || !addr_equal(from, &b->at))
		return false;
	if (!is_hint(m))
		b->quiet_ms = now_ms + RELAYBINDING_QUIET_MS;
	else if (b->next_ms != NEVER && b->next_ms > now_ms &&
		 bucket_take(&b->hints, RELAYBINDING_HINT_RATE,
		     RELAYBINDING_HINT_BURST, now_ms))
		b->next_ms = now_ms;
	return true;
}

void
relaybinding_unsent(struct relaybinding *b, const struct addr *to,
    const char *why, uint64_t now_ms)
{
	bool any = false, ours = false;

	for (size_t i = 0; i < b->n; i++) {
		struct relaybinding_try *t = &b->try[i];

		if (t->active && addr_equal(to, &t->to)) {
			t->active = false;
			ours = true;
		}
		any = any || t->active;
	}
	if (!ours)
		return;
	if (!any)
		fail(b, why, now_ms);
	/* the other endpoint need not wait for this one any more */
	for (size_t i = 0; i < b->n; i++)
		if (b->try[i].t.sent == 0)
			b->try[i].t.next_ms = now_ms;
}

/* What the time brings */

static bool
say_state(struct relaybinding *b, struct relaybinding_event *ev)
{
	const struct relaybinding_try *t =
	    &b->try[b->chosen < 0 ? 0 : b->chosen];
	bool moved = b->told && b->told_state == RELAYBINDING_BOUND &&
		     b->state == RELAYBINDING_BOUND &&
		     !addr_equal(&b->told_at, &b->at);

	if (b->told && !moved && b->state == b->told_state &&
	    b->reason == b->told_reason &&
	    (b->state != RELAYBINDING_BOUND ||
		(b->priority == b->told_priority &&
		    addr_equal(&b->mapped, &b->told_mapped))))
		return false;
	*ev = (struct relaybinding_event){.what = RELAYBINDING_STATE,
	    .state = moved ? RELAYBINDING_GONE : b->state,
	    .reason = moved ? "moved" : b->reason,
	    .server = t->server,
	    .to = b->state == RELAYBINDING_BOUND ? b->at : t->to};
	/* what ends is named as it was told */
	if (b->told && ev->state == RELAYBINDING_GONE)
		ev->to = b->told_at;
	b->told = true;
	b->told_state = ev->state;
	b->told_reason = ev->reason;
	b->told_at = ev->to;
	b->told_priority = b->priority;
	if (ev->state == RELAYBINDING_BOUND)
		ev->mapped = b->told_mapped = b->mapped;
	return true;
}

/* Returns whether there is something to send. */
static bool
step_try(struct relaybinding *b, struct relaybinding_try *t, uint64_t now_ms,
    struct relaybinding_event *ev)
{
	/* of two endpoints, one waits for its turn */
	if (t->t.sent == 0 && now_ms < t->t.next_ms)
		return false;
	if (now_ms >= t->end_ms) {
		t->active = false;
		return false;
	}
	if (transaction_step(&t->t, now_ms) != TRANSACTION_SEND)
		return false;
	ev->what = RELAYBINDING_SEND;
	ev->to = t->to;
	ev->data = b->out;
	ev->len = make_request(b, t, t->t.tid, false, b->out);
	return ev->len > 0;
}

/* Returns whether any request is under way; *at_ms gets when it goes on. */
static bool
under_way(const struct relaybinding *b, uint64_t *at_ms)
{
	bool any = false;

	for (size_t i = 0; i < b->n; i++) {
		const struct relaybinding_try *t = &b->try[i];

		if (!t->active)
			continue;
		any = true;
		if (t->end_ms < *at_ms)
			*at_ms = t->end_ms;
		if (t->t.next_ms < *at_ms)
			*at_ms = t->t.next_ms;
	}
	return any;
}

void
relaybinding_step(
    struct relaybinding *b, uint64_t now_ms, struct relaybinding_event *ev)
{
	bool asking = false;

	*ev = (struct relaybinding_event){.what = RELAYBINDING_WAIT};
	/* when a refresh is under way already, it tells */
	if (now_ms >= b->quiet_ms && b->next_ms == NEVER)
		b->quiet_ms = NEVER;
	if (now_ms >= b->next_ms || now_ms >= b->quiet_ms)
		begin(b, now_ms);
	for (size_t i = 0; i < b->n; i++) {
		if (!b->try[i].active)
			continue;
		asking = true;
		if (step_try(b, &b->try[i], now_ms, ev))
			return;
	}
	ev->at_ms = b->next_ms < b->quiet_ms ? b->next_ms : b->quiet_ms;
	if (!under_way(b, &ev->at_ms) && asking) {
		fail(b, "timeout", now_ms);
		ev->at_ms = b->next_ms;
	}
	say_state(b, ev);
}

size_t
relaybinding_unbind(
    struct relaybinding *b, struct addr *to, uint8_t out[RELAYBINDING_MAX])
{
	const struct relaybinding_try *t;
	uint8_t tid[STUN_TID_LEN];

	if (b->state != RELAYBINDING_BOUND)
		return 0;
	t = &b->try[b->chosen];
	*to = b->at;
	stun_new_tid(tid);
	return make_request(b, t, tid, true, out);
}

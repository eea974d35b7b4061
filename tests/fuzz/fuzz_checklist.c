/* SPDX-License-Identifier: ISC */
/* Any order of records, clock steps, the peer's checks and answers, port
 * errors and forgeries; of relays that come and go, hints, sleep. What must hold: never more packets than the rate, no
 * direct path unless a check of ours to it was answered and one of the peer
 * came from it, nothing for a forgery, and the clock never stands still. */
#include <stdlib.h>
#include <string.h>

#include "checklist.h"
#include "port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define ADDRESSES 32
#define WINDOW 64 /* packets that are remembered for the rate */
#define MOST 55	  /* a second */

static const struct check_credentials us = {"userAAAA",
    "aaaaaaaaaaaaaaaaaaaaaaaa", "userBBBB", "bbbbbbbbbbbbbbbbbbbbbbbb"};
static const struct check_credentials them = {"userBBBB",
    "bbbbbbbbbbbbbbbbbbbbbbbb", "userAAAA", "aaaaaaaaaaaaaaaaaaaaaaaa"};

struct run {
	struct checklist x;
	uint64_t now_us;
	uint64_t sent_us[WINDOW];
	unsigned n_sent;
	uint8_t tid[ADDRESSES][STUN_TID_LEN];
	bool asked[ADDRESSES]; /* a check went there */
	bool answered[ADDRESSES];
	bool heard[ADDRESSES];
};

static struct addr
address(unsigned n)
{
	struct addr a = {.family = ADDR_V4, .ip = {192, 0, 2}, .port = 1000};

	a.ip[3] = (uint8_t)(n % ADDRESSES);
	return a;
}

static void
sent(struct run *r, const struct output *o)
{
	unsigned n = o->remote.ip[3] % ADDRESSES;
	uint64_t *slot = &r->sent_us[r->n_sent % WINDOW];
	struct stun_msg m;

	if (r->n_sent >= MOST &&
	    r->now_us - r->sent_us[(r->n_sent - MOST) % WINDOW] < 1000000)
		abort();
	*slot = r->now_us;
	r->n_sent++;
	if (stun_parse(&m, o->data, o->len) != 0 || !m.fingerprint)
		abort();
	if (m.class == STUN_REQUEST) {
		memcpy(r->tid[n], m.tid, STUN_TID_LEN);
		r->asked[n] = true;
	}
}

static void
drain(struct run *r)
{
	struct output o;

	while (outputs_take(&r->x.out, &o)) {
		unsigned n = o.report.endpoint.ip[3] % ADDRESSES;

		if (!o.is_report)
			sent(r, &o);
		else if (o.report.state == PATH_DIRECT &&
			 (!r->answered[n] || !r->heard[n]))
			abort();
	}
	if (r->x.out.lost > 0 || r->x.candidates.n > CANDIDATE_MAX ||
	    r->x.nominee >= (int)r->x.candidates.n)
		abort();
}

static void
pass(struct run *r, unsigned ms)
{
	uint64_t end = r->now_us + ms * 1000ull;

	for (;;) {
		uint64_t next = checklist_step(&r->x, r->now_us);

		drain(r);
		if (next <= r->now_us)
			abort();
		if (next > end)
			break;
		r->now_us = next;
	}
	r->now_us = end;
}

static int
receive(struct run *r, const uint8_t *data, int len, unsigned n)
{
	struct addr from = address(n), local = {.family = ADDR_NONE};
	struct stun_msg m;
	int rc;

	if (len < 0 || stun_parse(&m, data, (size_t)len) != 0)
		abort();
	rc = checklist_receive(&r->x, &m, &from, &local, r->now_us);
	drain(r);
	return rc;
}

static void
peer_checks(struct run *r, unsigned n, bool nominate, bool forge)
{
	struct check check = {.priority = n * 1000,
	    .nominate = nominate,
	    .hint = n & 3,
	    .controlling = !r->x.controlling};
	struct check_credentials c = them;
	uint8_t data[CHECK_MAX], tid[STUN_TID_LEN];
	int len;

	if (forge)
		c.peer_password[n % CHECK_PASSWORD_LEN] = 'x';
	else if (r->x.introduced)
		r->heard[n % ADDRESSES] = true;
	stun_new_tid(tid);
	len = check_request(&c, &check, 1, tid, data, sizeof(data));
	if (receive(r, data, len, n) == 0 && forge)
		abort();
}

static void
peer_answers(struct run *r, unsigned n, bool forge)
{
	struct check_credentials c = them;
	struct addr seen = address(1);
	uint8_t data[CHECK_MAX];
	int len;

	n %= ADDRESSES;
	if (!r->asked[n])
		return;
	if (forge)
		c.password[3] = 'x';
	len = check_response(&c, &seen, r->tid[n], data, sizeof(data));
	/* Set before: the report comes with it. */
	if (!forge)
		r->answered[n] = true;
	if (receive(r, data, len, n) == 0 && forge)
		abort();
}

static void
introduce(struct run *r, unsigned n, bool controlling)
{
	struct introduction i = {.generation = n / 32,
	    .count = n % 20,
	    .controlling = controlling,
	    .credentials = us};

	for (unsigned k = 0; k < i.count; k++) {
		struct remote m = {
		    (enum candidate_type)(1 + k % 2), address(n + k), 1 + k};

		checklist_remote(&r->x, i.generation, &m);
	}
	checklist_introduce(&r->x, &i, r->now_us);
	drain(r);
}

/* What the owner of the list may do at any time. */
static void
owner(struct run *r, unsigned what, unsigned n)
{
	struct remote m = {CANDIDATE_RELAY, address(n), n * 7};

	switch (what % 8) {
	case 0:
	case 1:
		if (r->x.relayed)
			checklist_bind(&r->x, &m, r->now_us);
		break;
	case 2:
		if (r->x.relayed)
			checklist_unbind(&r->x, &m.addr, r->now_us);
		if (r->x.relayed && checklist_bound(&r->x, &m.addr))
			abort();
		break;
	case 3:
		if (r->x.relayed)
			checklist_sleep(&r->x, r->now_us);
		break;
	case 4:
		checklist_wake(&r->x, r->now_us);
		break;
	case 5:
		checklist_nudge(&r->x);
		r->x.hint = n;
		break;
	case 6:
		if (!r->x.relayed)
			checklist_try(&r->x, r->now_us);
		break;
	case 7:
		r->x.spare = n & 1;
		if (!r->x.relayed)
			r->x.consent.kind =
			    n & 2 ? CONSENT_RESERVED : CONSENT_PLAIN;
		break;
	}
}

static void
act(struct run *r, unsigned what, unsigned n)
{
	struct addr a = address(n);

	switch (what % 11) {
	case 0:
		introduce(r, n, what & 0x80);
		break;
	case 1:
		checklist_go(&r->x, n / 32, n, n * 10, r->now_us);
		break;
	case 2:
		checklist_gone(&r->x, r->now_us);
		break;
	case 3:
		peer_checks(r, n, what & 0x80, false);
		break;
	case 4:
	case 5:
		peer_answers(r, n, false);
		break;
	case 6:
		checklist_port_error(&r->x, &a, 1 + (int)(n % 4), r->now_us);
		break;
	case 7:
		pass(r, n);
		break;
	case 8:
		pass(r, n * 100);
		break;
	case 9:
		peer_checks(r, n, what & 0x80, true);
		peer_answers(r, n, true);
		break;
	case 10:
		owner(r, what / 11, n);
		break;
	}
	drain(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct run r;

	memset(&r, 0, sizeof(r));
	r.now_us = 1000000;
	if (len > 0 && data[0] & 2)
		checklist_init_relayed(&r.x, data[0] & 1, 5);
	else
		checklist_init(&r.x, len > 0 && data[0] & 1, 5);
	for (size_t i = 0; i + 1 < len && i < 400; i += 2) {
		act(&r, data[i], data[i + 1]);
		pass(&r, 1);
	}
	checklist_settled(&r.x, r.now_us);
	if (checklist_missing(&r.x) == NULL)
		abort();
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* One peer with its direct ways and its relays, under any order of records,
 * checks, answers, hints and clock steps. What must hold: direct is only said
 * of an address that is no relay and was checked both ways, relayed only of one
 * that is bound; a list of relays that sleeps sends no request; the clock never
 * stands still, and no output is lost. */
#include <stdlib.h>
#include <string.h>

#include "peer.h"
#include "port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define ADDRESSES 16 /* of each kind: .0 to .15 direct, .16 to .31 relays */
#define WINDOW 256
#define MOST 110 /* a second, of both lists */

static const struct check_credentials us = {"userAAAA",
    "aaaaaaaaaaaaaaaaaaaaaaaa", "userBBBB", "bbbbbbbbbbbbbbbbbbbbbbbb"};
static const struct check_credentials them = {"userBBBB",
    "bbbbbbbbbbbbbbbbbbbbbbbb", "userAAAA", "aaaaaaaaaaaaaaaaaaaaaaaa"};

struct run {
	struct peer p;
	uint64_t now_us;
	uint64_t sent_us[WINDOW];
	unsigned n_sent;
	uint8_t tid[2 * ADDRESSES][STUN_TID_LEN];
	bool asked[2 * ADDRESSES], answered[2 * ADDRESSES],
	    heard[2 * ADDRESSES];
};

static struct addr
address(unsigned n)
{
	struct addr a = {.family = ADDR_V4, .ip = {192, 0, 2}, .port = 1000};

	a.ip[3] = (uint8_t)(n % (2 * ADDRESSES));
	return a;
}

static void
sent(struct run *r, const struct output *o)
{
	unsigned n = o->remote.ip[3] % (2 * ADDRESSES);
	struct stun_msg m;

	if (r->n_sent >= MOST &&
	    r->now_us - r->sent_us[(r->n_sent - MOST) % WINDOW] < 1000000)
		abort();
	r->sent_us[r->n_sent++ % WINDOW] = r->now_us;
	if (stun_parse(&m, o->data, o->len) != 0 || !m.fingerprint)
		abort();
	if (m.class != STUN_REQUEST)
		return;
	memcpy(r->tid[n], m.tid, STUN_TID_LEN);
	r->asked[n] = true;
	if (check_is_relayed(&m) &&
	    (r->p.relay.asleep || o->ttl != 0 ||
		!checklist_bound(&r->p.relay, &o->remote)))
		abort();
	if (!check_is_relayed(&m) && r->p.relay_only)
		abort();
}

static void
said(struct run *r, const struct report *report)
{
	unsigned n = report->endpoint.ip[3] % (2 * ADDRESSES);

	if (report->state == PATH_DIRECT &&
	    (r->p.relay_only || !r->answered[n] || !r->heard[n]))
		abort();
	if (report->state == PATH_RELAYED &&
	    (report->reason == NULL || !r->answered[n] || !r->heard[n] ||
		!checklist_bound(&r->p.relay, &report->endpoint)))
		abort();
}

static void
drain(struct run *r)
{
	struct output o;

	while (peer_take(&r->p, &o))
		if (o.is_report)
			said(r, &o.report);
		else
			sent(r, &o);
	if (r->p.out.lost > 0 || r->p.list.out.lost > 0 ||
	    r->p.relay.out.lost > 0)
		abort();
}

static void
pass(struct run *r, unsigned ms)
{
	uint64_t end = r->now_us + ms * 1000ull;

	for (;;) {
		uint64_t next = peer_step(&r->p, r->now_us);

		drain(r);
		if (next <= r->now_us)
			abort();
		if (next > end)
			break;
		r->now_us = next;
	}
	r->now_us = end;
}

static void
record(struct run *r, unsigned what, unsigned n)
{
	struct intake in = {.kind = (enum intake_kind)(what % 9),
	    .generation = n / 64,
	    .remote = {CANDIDATE_RELAY, address(ADDRESSES + n), n * 3},
	    .introduction = {.generation = n / 64,
		.count = n % 8,
		.controlling = what & 16,
		.credentials = us},
	    .age_ms = n,
	    .skew_ms = n * 5};
	const char *wrong;

	if (in.kind == INTAKE_REMOTE)
		in.remote =
		    (struct remote){CANDIDATE_HOST, address(n % ADDRESSES), n};
	/* The remotes that it counts; one of them may be a relay. */
	for (unsigned k = 0; in.kind == INTAKE_INTRODUCED && k < n % 8; k++) {
		struct remote m = {CANDIDATE_SRFLX, address(n + k), 5 + k};

		if (!r->p.relay_only)
			checklist_remote(&r->p.list, in.generation, &m);
	}
	peer_apply(&r->p, &in, r->now_us, &wrong);
	drain(r);
}

static int
receive(struct run *r, const uint8_t *data, int len, unsigned n)
{
	struct addr from = address(n), local = {.family = ADDR_NONE};
	struct stun_msg m;
	int rc;

	if (len < 0 || stun_parse(&m, data, (size_t)len) != 0)
		abort();
	rc = peer_receive(&r->p, &m, &from, &local, r->now_us);
	drain(r);
	return rc;
}

static void
peer_checks(struct run *r, unsigned what, unsigned n, bool forge)
{
	struct check check = {
	    .priority = what & 1 ? CHECK_PRIORITY : CHECK_PRIORITY_RELAYED,
	    .nominate = what & 2,
	    .hint = what >> 2,
	    .controlling = !r->p.relay.controlling};
	struct check_credentials c = them;
	uint8_t data[CHECK_MAX], tid[STUN_TID_LEN];
	int len;

	if (forge)
		c.peer_password[n % CHECK_PASSWORD_LEN] = 'x';
	else if (r->p.relay.introduced)
		r->heard[n % (2 * ADDRESSES)] = true;
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

	n %= 2 * ADDRESSES;
	if (!r->asked[n])
		return;
	if (forge)
		c.password[3] = 'x';
	else
		r->answered[n] = true;
	len = check_response(&c, &seen, r->tid[n], data, sizeof(data));
	if (receive(r, data, len, n) == 0 && forge)
		abort();
}

static void
act(struct run *r, unsigned what, unsigned n)
{
	struct addr a = address(n);

	switch (what % 8) {
	case 0:
	case 1:
		record(r, what / 8, n);
		break;
	case 2:
		peer_checks(r, what / 8, n, false);
		break;
	case 3:
	case 4:
		peer_answers(r, n, false);
		break;
	case 5:
		pass(r, what & 8 ? n * 100 : n);
		break;
	case 6:
		peer_port_error(&r->p, &a, 1 + (int)(n % 4), r->now_us);
		break;
	case 7:
		peer_checks(r, what / 8, n, true);
		peer_answers(r, n, true);
		break;
	}
	drain(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t key[KEY_LEN] = {9};
	struct run r;

	memset(&r, 0, sizeof(r));
	r.now_us = 1000000;
	peer_init(&r.p, key, len > 0 && data[0] & 1, len > 0 && data[0] & 2);
	for (size_t i = 1; i + 1 < len && i < 400; i += 2) {
		act(&r, data[i], data[i + 1]);
		pass(&r, 1);
	}
	peer_settled(&r.p, r.now_us);
	if (peer_missing(&r.p) == NULL)
		abort();
	return 0;
}

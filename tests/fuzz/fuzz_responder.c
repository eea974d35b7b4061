/* SPDX-License-Identifier: ISC */
/* Any datagram at a STUN server, of any shape of server: an answer is
 * well-formed, goes to where it may, and is no longer than what RFC 5780
 * demands (with -A, than the request); none is given to what is no request.
 *
 * Input: what server, from where, which socket (4 bytes), the datagram. */
#include "responder.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define SHAPES 8

static struct responder server[SHAPES];
static uint64_t now;

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static struct addr
at(const char *text)
{
	struct addr a;

	check(addr_parse(&a, text) == 0);
	return a;
}

/* Bit 0: modest; bit 1: two addresses; bit 2: one of them the twin's. */
static void
make(struct responder *r, unsigned int shape)
{
	struct responder_config c = {.rate = 1000, .modest = shape & 1};
	struct addr b1 = at("192.0.2.2:1"), b2 = at("192.0.2.2:2");

	c.v4.place[0] = at("192.0.2.1:1");
	c.v6.place[0] = at("[2001:db8::1]:1");
	if (shape & 6)
		c.v4.place[1] = at("192.0.2.1:2");
	if ((shape & 6) == 2) {
		c.v4.place[2] = b1;
		c.v4.place[3] = b2;
		c.v6.place[1] = at("[2001:db8::1]:2");
		c.v6.place[2] = at("[2001:db8::2]:1");
		c.v6.place[3] = at("[2001:db8::2]:2");
	}
	check(responder_init(r, &c) == 0);
	if (shape & 4)
		check(responder_lend(r, ADDR_V4, &b1, &b2));
}

static void
check_answer(const struct responder *r, const struct responder_request *q,
    uint8_t *out, const struct responder_answer *a)
{
	const struct responder_family *f =
	    q->from.family == ADDR_V4 ? &r->config.v4 : &r->config.v6;
	size_t more = q->from.family == ADDR_V4 ? 48 : 96;
	struct stun_msg m;

	check(q->len >= STUN_HEADER_LEN && q->data[0] == 0 && q->data[1] == 1);
	check(a->len <= q->len + more && a->len <= RESPONDER_MAX);
	check(!r->config.modest || q->stream || a->len <= q->len);
	check(a->place < RESPONDER_PLACES && responder_may_send(r, &a->to));
	check(f->place[a->place].family == q->from.family);
	check(a->twin == (f->twin && a->place >= RESPONDER_OTHER));
	check(addr_equal_ip(&a->to, &q->from));
	check(a->to.port == q->from.port || (!r->config.modest && !q->stream));
	check(memcmp(out + 4, q->data + 4, 16) == 0);
	put_u32(out + 4, STUN_COOKIE);
	check(stun_parse(&m, out, a->len) == 0);
	check(m.method == STUN_BINDING &&
	      (m.class == STUN_SUCCESS || m.class == STUN_ERROR));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const from[] = {"203.0.113.7:40000",
	    "[2001:db8::7]:40000", "192.0.2.2:2", "224.0.0.1:9", "10.0.0.1:0",
	    "[2001:db8:1::7]:1", "192.0.2.1:3", "127.0.0.1:1"};
	struct responder_request q = {.place = 0};
	struct responder_answer a;
	struct responder *r;
	const struct responder_family *f;
	uint8_t out[RESPONDER_MAX];
	enum responder_outcome outcome;

	if (len < 4)
		return 0;
	if (server[0].config.rate == 0) {
		check(sodium_init() >= 0);
		for (unsigned int i = 0; i < SHAPES; i++)
			make(&server[i], i);
	}
	r = &server[data[0] % SHAPES];
	q.from = at(from[data[1] % 8]);
	f = q.from.family == ADDR_V4 ? &r->config.v4 : &r->config.v6;
	if (data[2] & 1 && f->place[1].family != ADDR_NONE)
		q.place |= RESPONDER_PORT2;
	if (data[2] & 2 && f->place[2].family != ADDR_NONE && !f->twin)
		q.place |= RESPONDER_OTHER;
	q.local = f->place[q.place];
	q.stream = data[2] & 4;
	now += data[3];
	q.data = data + 4;
	q.len = len - 4;
	outcome = responder_step(r, &q, now, out, &a);
	check(outcome < RESPONDER_OUTCOMES_N);
	check((a.len > 0) == (outcome <= RESPONDER_refused));
	if (a.len > 0)
		check_answer(r, &q, out, &a);
	return 0;
}

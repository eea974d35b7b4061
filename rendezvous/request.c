/* SPDX-License-Identifier: ISC */
/* A request of the client that is under way under a session. */
#include "request.h"

#include <string.h>

#include "token.h"

#define RTO_MIN_MS 100
#define RTO_MAX_MS 3000

uint32_t
request_rto_ms(uint64_t rtt_us)
{
	uint64_t ms = rtt_us / 500; /* twice the round trip */

	if (rtt_us == 0)
		return TRANSACTION_RTO_MS;
	if (ms < RTO_MIN_MS)
		return RTO_MIN_MS;
	return ms > RTO_MAX_MS ? RTO_MAX_MS : (uint32_t)ms;
}

uint64_t
request_smooth_rtt(uint64_t rtt_us, uint64_t measured_us)
{
	if (measured_us == 0)
		measured_us = 1;
	return rtt_us == 0 ? measured_us
			   : rtt_us - rtt_us / 8 + measured_us / 8;
}

void
request_start(
    struct request *r, const struct moment *now, uint32_t rto_ms, bool confirm)
{
	*r = (struct request){.active = true, .confirm = confirm};
	transaction_start(&r->t, now->ms, rto_ms);
}

static uint8_t *
add(struct request *r, uint16_t type, size_t len)
{
	struct stun_buf b;
	uint8_t *p;
	int n;

	stun_begin_list(&b, r->plain + r->len, sizeof(r->plain) - r->len);
	p = stun_put_space(&b, type, len);
	n = stun_end(&b, false);
	if (p == NULL || n < 0)
		return NULL;
	r->len += (size_t)n;
	return p;
}

bool
request_add_want(struct request *r, int peer, const uint8_t key[KEY_LEN],
    const uint8_t tag[WIRE_TAG_LEN])
{
	uint8_t *p = add(r, NATKIT_WANT, KEY_LEN + WIRE_TAG_LEN);

	if (p == NULL)
		return false;
	memcpy(p, key, KEY_LEN);
	memcpy(p + KEY_LEN, tag, WIRE_TAG_LEN);
	r->wants |= UINT64_C(1) << peer;
	return true;
}

bool
request_add_ready(struct request *r, int peer, const uint8_t key[KEY_LEN],
    uint32_t mine, uint32_t theirs, uint16_t rtt_ms)
{
	uint8_t *p = add(r, NATKIT_READY, KEY_LEN + 10);

	if (p == NULL)
		return false;
	memcpy(p, key, KEY_LEN);
	put_u32(p + KEY_LEN, mine);
	put_u32(p + KEY_LEN + 4, theirs);
	put_u16(p + KEY_LEN + 8, rtt_ms);
	r->readies |= UINT64_C(1) << peer;
	return true;
}

/* The answer to a READY or a WANT is shorter than it, but not to this: there is
 * room for it, so that the whole answer is not longer than the request. */
bool
request_add_token(struct request *r, int peer, const uint8_t key[KEY_LEN])
{
	uint8_t *p = add(r, NATKIT_TOKEN, TOKEN_VALUE_MAX);

	if (p == NULL)
		return false;
	memcpy(p, key, KEY_LEN);
	r->tokens |= UINT64_C(1) << peer;
	return true;
}

enum transaction_action
request_step(struct request *r, const struct moment *now)
{
	enum transaction_action action = transaction_step(&r->t, now->ms);

	if (action == TRANSACTION_SEND)
		r->sent_us = now->us;
	return action;
}

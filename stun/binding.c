/* SPDX-License-Identifier: ISC */
/* One Binding transaction with one server address (RFC 8489 sections 3, 6). */
#include "binding.h"

#include <errno.h>
#include <string.h>

#include "question.h"
#include "stun.h"

#define RTO_SLACK_MS 100

/* Twice the round trip and what a busy host may add, from 100 to 500 ms. */
static uint32_t
rto_ms(uint32_t rtt_us)
{
	uint32_t ms = rtt_us / 1000 * 2 + RTO_SLACK_MS;

	if (rtt_us == 0 || ms > TRANSACTION_RTO_MS)
		return TRANSACTION_RTO_MS;
	return ms;
}

void
binding_start(struct binding *b, const struct addr *server, uint32_t rtt_us,
    uint64_t now_us)
{
	*b = (struct binding){
	    .server = *server,
	    .state = BINDING_OPEN,
	};
	transaction_start(&b->t, now_us / 1000, rto_ms(rtt_us));
}

int
binding_step(
    struct binding *b, uint64_t now_us, uint8_t out[BINDING_REQUEST_MAX])
{
	struct stun_buf buf;

	if (b->state == BINDING_FAILED)
		return -ETIMEDOUT;
	if (b->state != BINDING_OPEN)
		return 0;
	switch (transaction_step(&b->t, now_us / 1000)) {
	case TRANSACTION_SEND:
		break;
	case TRANSACTION_FAIL:
		b->state = BINDING_FAILED;
		return -ETIMEDOUT;
	default:
		return 0;
	}
	stun_begin(&buf, out, BINDING_REQUEST_MAX, STUN_BINDING, STUN_REQUEST,
	    b->t.tid);
	/* as long as the shortest answer, which over IPv6 takes 52 bytes: a
	 * server that amplifies nothing (nat-stund -A) answers no other */
	stun_put_space(&buf, NATKIT_PADDING, 20);
	b->sent_us = now_us;
	return stun_end(&buf, true);
}

bool
binding_reply(struct binding *b, const void *data, size_t len,
    const struct addr *from, const struct addr *local, uint64_t now_us)
{
	struct addr mapped;
	struct stun_msg m;
	int code = 0;

	if (b->state != BINDING_OPEN || b->t.sent == 0 ||
	    !addr_equal(from, &b->server))
		return false;
	if (stun_parse(&m, data, len) != 0 || m.method != STUN_BINDING ||
	    memcmp(m.tid, b->t.tid, STUN_TID_LEN) != 0)
		return false;
	/* RFC 8489 section 6.3.3: such an answer is to be discarded */
	if (answer_unknown(&m) != 0)
		return false;
	if (m.class == STUN_ERROR) {
		if ((code = stun_get_error(&m)) < 0)
			return false;
		b->error = code;
		b->state = BINDING_REFUSED;
	} else if (m.class == STUN_SUCCESS) {
		/* a port 0 or a multicast address is nobody's mapping */
		if (stun_get_mapped(&m, &mapped) != 0 ||
		    !addr_is_sendable(&mapped))
			return false;
		b->mapped = mapped;
		b->state = BINDING_MAPPED;
	} else {
		return false;
	}
	b->local = *local;
	b->rtt_us = (uint32_t)(now_us - b->sent_us);
	return true;
}

/* SPDX-License-Identifier: ISC */
/* One side of a plain pair, bound over a stream. */
#include "streambind.h"

#include <string.h>

void
streambind_start(struct streambind *b, uint64_t now_ms)
{
	b->state = STREAMBIND_ASKING;
	b->reason = NULL;
	b->nonce_len = 0;
	b->open = false;
	b->challenges = 0;
	b->again_ms = STREAMBIND_AGAIN_MS;
	b->next_ms = now_ms;
}

void
streambind_stop(struct streambind *b)
{
	b->state = STREAMBIND_IDLE;
	b->reason = NULL;
	b->open = false;
	b->next_ms = UINT64_MAX;
}

static size_t
make(const struct streambind *b, const uint8_t tid[STUN_TID_LEN], bool unbind,
    uint8_t out[STREAMBIND_OUT])
{
	const struct bindrequest r = {
	    .user = b->user,
	    .user_len = strlen(b->user),
	    .password = b->password,
	    .nonce = b->nonce,
	    .nonce_len = b->nonce_len,
	    .channel = b->channel,
	    .unbind = unbind,
	};

	return bindrequest_make(&r, tid, out);
}

size_t
streambind_step(
    struct streambind *b, uint64_t now_ms, uint8_t out[STREAMBIND_OUT])
{
	if (b->state == STREAMBIND_IDLE || b->state == STREAMBIND_DEAD ||
	    now_ms < b->next_ms)
		return 0;
	if (b->open) {
		b->state = STREAMBIND_DEAD;
		b->reason = "timeout";
		b->next_ms = UINT64_MAX;
		return 0;
	}
	stun_new_tid(b->tid);
	b->open = true;
	b->next_ms = now_ms + STREAMBIND_WAIT_MS;
	return make(b, b->tid, false, out);
}

size_t
streambind_unbind(const struct streambind *b, uint8_t out[STREAMBIND_OUT])
{
	uint8_t tid[STUN_TID_LEN];

	if (b->state != STREAMBIND_BOUND)
		return 0;
	stun_new_tid(tid);
	return make(b, tid, true, out);
}

static void
refused(struct streambind *b, int code, uint64_t now_ms)
{
	b->state = STREAMBIND_REFUSED;
	b->reason = bindrequest_reason(code);
	b->challenges = 0;
	b->next_ms = now_ms + b->again_ms;
	b->again_ms *= 2;
	if (b->again_ms > STREAMBIND_AGAIN_MAX_MS)
		b->again_ms = STREAMBIND_AGAIN_MAX_MS;
}

static bool
challenged(struct streambind *b, const struct stun_msg *m, uint64_t now_ms)
{
	struct stun_attr nonce;

	if (stun_find(m, STUN_NONCE, &nonce) != 0 || nonce.len == 0 ||
	    nonce.len > BINDREQUEST_NONCE_MAX ||
	    b->challenges++ == STREAMBIND_CHALLENGES)
		return false;
	memcpy(b->nonce, nonce.value, nonce.len);
	b->nonce_len = nonce.len;
	b->next_ms = now_ms;
	return true;
}

bool
streambind_input(
    struct streambind *b, const struct stun_msg *m, uint64_t now_ms)
{
	int code = 0;

	if (!b->open || m->method != NATKIT_BIND || !m->fingerprint ||
	    (m->class != STUN_SUCCESS && m->class != STUN_ERROR) ||
	    memcmp(m->tid, b->tid, STUN_TID_LEN) != 0)
		return false;
	if (m->class == STUN_SUCCESS) {
		if (!bindrequest_is_signed(m, b->password))
			return true; /* not the relay that we were told of */
		b->open = false;
		b->challenges = 0;
		b->again_ms = STREAMBIND_AGAIN_MS;
		b->state = STREAMBIND_BOUND;
		b->reason = NULL;
		b->next_ms =
		    now_ms + bindrequest_refresh_ms(m, STREAMBIND_REFRESH_MS);
		return true;
	}
	b->open = false;
	code = stun_get_error(m);
	if ((code == 401 || code == 438) && challenged(b, m, now_ms))
		return true;
	refused(b, code, now_ms);
	return true;
}

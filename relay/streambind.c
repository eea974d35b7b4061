/* SPDX-License-Identifier: ISC */
/* One side of a plain pair, bound over a stream. */
#include "streambind.h"

#include <string.h>

#define REFRESH_MIN_MS 1000

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
	struct stun_buf m;
	int len;

	stun_begin(&m, out, STREAMBIND_OUT, NATKIT_BIND, STUN_REQUEST, tid);
	if (unbind)
		stun_put_u32(&m, TURN_LIFETIME, 0);
	stun_put_u32(&m, TURN_CHANNEL_NUMBER, (uint32_t)b->channel << 16);
	stun_put(&m, STUN_USERNAME, b->user, strlen(b->user));
	if (b->nonce_len > 0) {
		stun_put(&m, STUN_NONCE, b->nonce, b->nonce_len);
		stun_put_integrity_sha256(&m, b->password, strlen(b->password));
	}
	len = stun_end(&m, true);
	return len < 0 ? 0 : (size_t)len;
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

static bool
is_signed(const struct streambind *b, const struct stun_msg *m)
{
	return stun_check_integrity_sha256(
		   m, b->password, strlen(b->password)) == 0;
}

static uint64_t
refresh_ms(const struct stun_msg *m)
{
	uint64_t ms = STREAMBIND_REFRESH_MS, told = 0;
	struct stun_attr a;
	struct cursor c;

	if (stun_find(m, TURN_LIFETIME, &a) == 0 && a.len == 4) {
		cursor_init(&c, a.value, a.len);
		told = cursor_u32(&c) * UINT64_C(500);
		if (told < ms)
			ms = told;
	}
	return ms < REFRESH_MIN_MS ? REFRESH_MIN_MS : ms;
}

static void
refused(struct streambind *b, int code, uint64_t now_ms)
{
	static const struct {
		int code;
		const char *reason;
	} known[] = {{401, "unauthorized"}, {403, "expired"}, {486, "quota"},
	    {508, "full"}};

	b->state = STREAMBIND_REFUSED;
	b->reason = "refused";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].code == code)
			b->reason = known[i].reason;
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
	    nonce.len > STREAMBIND_NONCE_MAX ||
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
		if (!is_signed(b, m))
			return true; /* not the relay that we were told of */
		b->open = false;
		b->challenges = 0;
		b->again_ms = STREAMBIND_AGAIN_MS;
		b->state = STREAMBIND_BOUND;
		b->reason = NULL;
		b->next_ms = now_ms + refresh_ms(m);
		return true;
	}
	b->open = false;
	code = stun_get_error(m);
	if ((code == 401 || code == 438) && challenged(b, m, now_ms))
		return true;
	refused(b, code, now_ms);
	return true;
}

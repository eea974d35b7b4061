/* SPDX-License-Identifier: ISC */
/* The client's side of BIND. */
#include "bindrequest.h"

#include <string.h>

#define REFRESH_MIN_MS 1000

size_t
bindrequest_make(const struct bindrequest *r, const uint8_t tid[STUN_TID_LEN],
    uint8_t out[BINDREQUEST_MAX])
{
	struct stun_buf m;
	int len;

	stun_begin(&m, out, BINDREQUEST_MAX, NATKIT_BIND, STUN_REQUEST, tid);
	if (r->unbind)
		stun_put_u32(&m, TURN_LIFETIME, 0);
	if (r->channel != 0)
		stun_put_u32(
		    &m, TURN_CHANNEL_NUMBER, (uint32_t)r->channel << 16);
	stun_put(&m, STUN_USERNAME, r->user, r->user_len);
	if (r->nonce_len > 0) {
		stun_put(&m, STUN_NONCE, r->nonce, r->nonce_len);
		stun_put_integrity_sha256(&m, r->password, strlen(r->password));
	}
	len = stun_end(&m, true);
	return len < 0 ? 0 : (size_t)len;
}

bool
bindrequest_is_signed(const struct stun_msg *m, const char *password)
{
	return stun_check_integrity_sha256(m, password, strlen(password)) == 0;
}

uint64_t
bindrequest_refresh_ms(const struct stun_msg *m, uint64_t most_ms)
{
	uint64_t ms = most_ms, told;
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

const char *
bindrequest_reason(int code)
{
	static const struct {
		int code;
		const char *reason;
	} known[] = {{401, "unauthorized"}, {403, "expired"}, {486, "quota"},
	    {508, "full"}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].code == code)
			return known[i].reason;
	return "refused";
}

/* SPDX-License-Identifier: ISC */
/* The answer of a plain STUN server (RFC 8489). */
#include "reflect.h"

/* The mapped address, or 420 for an attribute that must be understood and is
 * not. */
int
reflect(
    const struct stun_msg *m, const struct addr *from, uint8_t *out, size_t cap)
{
	static const uint16_t known[] = {STUN_USERNAME, STUN_MESSAGE_INTEGRITY,
	    STUN_MESSAGE_INTEGRITY_SHA256, STUN_REALM, STUN_NONCE,
	    STUN_PRIORITY, STUN_USE_CANDIDATE};
	uint16_t unknown =
	    stun_unknown(m, known, sizeof(known) / sizeof(known[0]));
	struct stun_buf b;
	uint8_t be[2];

	stun_begin(&b, out, cap, STUN_BINDING,
	    unknown ? STUN_ERROR : STUN_SUCCESS, m->tid);
	if (unknown) {
		put_u16(be, unknown);
		stun_put_error(&b, 420, NULL);
		stun_put(&b, STUN_UNKNOWN_ATTRIBUTES, be, sizeof(be));
	} else {
		stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, from);
	}
	return stun_end(&b, m->fingerprint);
}

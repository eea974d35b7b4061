/* SPDX-License-Identifier: ISC */
/* The client's side of BIND (relay/pairs.h has the messages): the request, and
 * what its answers mean, over UDP and over a stream. */
#ifndef NATKIT_BINDREQUEST_H
#define NATKIT_BINDREQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stun.h"

#define BINDREQUEST_MAX 512 /* the longest request */
#define BINDREQUEST_NONCE_MAX 128

struct bindrequest {
	const void *user;
	size_t user_len;
	const char *password;
	const uint8_t *nonce; /* that the relay gave */
	size_t nonce_len;     /* 0: none yet, the request is not signed */
	uint16_t channel;     /* of a stream; 0 over UDP */
	bool unbind;
};

/* Returns the length, or 0 when it has no room. */
size_t bindrequest_make(const struct bindrequest *r,
    const uint8_t tid[STUN_TID_LEN], uint8_t out[BINDREQUEST_MAX]);
bool bindrequest_is_signed(const struct stun_msg *m, const char *password);
/* After a success: when to bind again. The relay's word, or most_ms, after which
 * a NAT may forget us. */
uint64_t bindrequest_refresh_ms(const struct stun_msg *m, uint64_t most_ms);
/* What an error code means: the reason in records, the same pointer each time. */
const char *bindrequest_reason(int code);

#endif

/* SPDX-License-Identifier: ISC */
/* The NONCE by which an address proves that it gets what is sent to it, in
 * the manner of RFC 8489 section 9.2, but kept nowhere: a keyed hash of the
 * address, the port and the time in units of COOKIE_EPOCH_MS. */
#ifndef NATKIT_COOKIE_H
#define NATKIT_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define COOKIE_LEN 32 /* hexadecimal digits: a NONCE is text */
#define COOKIE_EPOCH_MS 60000

struct cookie {
	uint8_t key[32];
};

void cookie_init(struct cookie *c, const uint8_t key[32]);
void cookie_make(const struct cookie *c, const struct addr *from,
    uint64_t now_ms, uint8_t out[COOKIE_LEN]);
/* Was nonce made for this address in the present epoch or the one before? */
bool cookie_check(const struct cookie *c, const struct addr *from,
    uint64_t now_ms, const uint8_t *nonce, size_t len);

#endif

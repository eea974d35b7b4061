/* SPDX-License-Identifier: ISC */
/* The answer of a plain STUN server (RFC 8489 section 6.3.1): the address that
 * a Binding request came from. */
#ifndef NATKIT_REFLECT_H
#define NATKIT_REFLECT_H

#include "addr.h"
#include "stun.h"

/* Returns the length of the answer to m, or -ENOBUFS. */
int reflect(const struct stun_msg *m, const struct addr *from, uint8_t *out,
    size_t cap);

#endif

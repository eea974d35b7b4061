/* SPDX-License-Identifier: ISC */
/* Netlink attributes: struct nlattr (length and type in host order), then a
 * value, padded to 4. What netfilter puts in them is big endian. */
#ifndef NATKIT_NLATTR_H
#define NATKIT_NLATTR_H

#include <stddef.h>
#include <stdint.h>

#include "cursor.h"

struct nlattr_view {
	uint16_t type; /* without the flags */
	uint16_t len;
	const uint8_t *value;
};

/* Returns 1 and fills *out, 0 at the end, -EBADMSG on a cut-off one. */
int nlattr_next(struct cursor *c, struct nlattr_view *out);
/* A cursor over the attributes inside one. */
void nlattr_nested(const struct nlattr_view *a, struct cursor *c);
/* Numbers; 0 when the attribute has another size. */
uint8_t nlattr_u8(const struct nlattr_view *a);
uint16_t nlattr_u16(const struct nlattr_view *a);
uint32_t nlattr_u32(const struct nlattr_view *a);
uint64_t nlattr_u64(const struct nlattr_view *a);
/* A string, cut to the size given, bytes outside printing ASCII as '?'. */
void nlattr_text(const struct nlattr_view *a, char *out, size_t size);

#endif

/* SPDX-License-Identifier: ISC */
/* A bounds-checked reader: the only way that foreign bytes are read. */
#ifndef NATKIT_CURSOR_H
#define NATKIT_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const uint8_t *p;
	const uint8_t *end;
	bool bad; /* a read went past the end; all later reads give zero */
};

void cursor_init(struct cursor *c, const void *data, size_t len);
size_t cursor_left(const struct cursor *c);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c); /* big endian, as all below */
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
/* Returns a pointer to len bytes and steps over them; NULL when too short. */
const uint8_t *cursor_bytes(struct cursor *c, size_t len);

/* The writers' twins, for code that builds messages. */
void put_u16(uint8_t *p, uint16_t v);
void put_u32(uint8_t *p, uint32_t v);
void put_u64(uint8_t *p, uint64_t v);

#endif

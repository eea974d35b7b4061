/* SPDX-License-Identifier: ISC */
/* A bounds-checked reader of foreign bytes, and the big-endian writers. */
#include "cursor.h"

void
cursor_init(struct cursor *c, const void *data, size_t len)
{
	static const uint8_t nothing[1];

	/* NULL with an offset, even of zero, is undefined in C */
	c->p = data != NULL ? data : nothing;
	c->end = c->p + (data != NULL ? len : 0);
	c->bad = false;
}

size_t
cursor_left(const struct cursor *c)
{
	return c->bad ? 0 : (size_t)(c->end - c->p);
}

const uint8_t *
cursor_bytes(struct cursor *c, size_t len)
{
	const uint8_t *p = c->p;

	if (c->bad || len > (size_t)(c->end - c->p)) {
		c->bad = true;
		return NULL;
	}
	c->p += len;
	return p;
}

static uint64_t
take(struct cursor *c, size_t len)
{
	const uint8_t *p = cursor_bytes(c, len);
	uint64_t v = 0;

	for (size_t i = 0; p != NULL && i < len; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t
cursor_u8(struct cursor *c)
{
	return (uint8_t)take(c, 1);
}

uint16_t
cursor_u16(struct cursor *c)
{
	return (uint16_t)take(c, 2);
}

uint32_t
cursor_u32(struct cursor *c)
{
	return (uint32_t)take(c, 4);
}

uint64_t
cursor_u64(struct cursor *c)
{
	return take(c, 8);
}

void
put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void
put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, (uint16_t)(v >> 16));
	put_u16(p + 2, (uint16_t)v);
}

void
put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)(v >> 32));
	put_u32(p + 4, (uint32_t)v);
}

/* SPDX-License-Identifier: ISC */
/* Netlink attributes. */
#include "nlattr.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

int
nlattr_next(struct cursor *c, struct nlattr_view *out)
{
	struct nlattr_view a;
	const uint8_t *head;
	uint16_t field[2];
	size_t pad;

	if (cursor_left(c) == 0)
		return 0;
	head = cursor_bytes(c, sizeof(field));
	if (head == NULL)
		return -EBADMSG;
	memcpy(field, head, sizeof(field)); /* host order */
	if (field[0] < sizeof(field))
		return -EBADMSG;
	a.len = (uint16_t)(field[0] - sizeof(field));
	a.type = field[1] & NLA_TYPE_MASK;
	a.value = cursor_bytes(c, a.len);
	if (c->bad)
		return -EBADMSG;
	pad = (4 - a.len % 4) % 4;
	cursor_bytes(c, pad < cursor_left(c) ? pad : cursor_left(c));
	*out = a;
	return 1;
}

void
nlattr_nested(const struct nlattr_view *a, struct cursor *c)
{
	cursor_init(c, a->value, a->len);
}

uint8_t
nlattr_u8(const struct nlattr_view *a)
{
	return a->len == 1 ? a->value[0] : 0;
}

static uint64_t
number(const struct nlattr_view *a, size_t len)
{
	uint64_t v = 0;

	if (a->len != len)
		return 0;
	for (size_t i = 0; i < len; i++)
		v = v << 8 | a->value[i];
	return v;
}

uint16_t
nlattr_u16(const struct nlattr_view *a)
{
	return (uint16_t)number(a, 2);
}

uint32_t
nlattr_u32(const struct nlattr_view *a)
{
	return (uint32_t)number(a, 4);
}

uint64_t
nlattr_u64(const struct nlattr_view *a)
{
	return number(a, 8);
}

void
nlattr_text(const struct nlattr_view *a, char *out, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && n < a->len && a->value[n] != '\0') {
		out[n] = '?';
		if (a->value[n] >= ' ' && a->value[n] < 0x7f)
			out[n] = (char)a->value[n];
		n++;
	}
	out[n] = '\0';
}

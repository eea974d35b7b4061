/* SPDX-License-Identifier: ISC */
/* Messages out of a byte stream (RFC 8489 section 6.2.2, RFC 8656 section
 * 12.5). */
#include "framing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stun.h"

#define CHANNEL_HEADER_LEN 4
#define PART_MIN 64 /* bytes: both headers, and most of our requests */

void
framing_init(struct framing *f, bool channel_data, size_t max)
{
	*f = (struct framing){.channel_data = channel_data,
	    .max = max < PART_MIN ? PART_MIN : max};
}

void
framing_free(struct framing *f)
{
	free(f->part);
	f->part = NULL;
	f->len = f->cap = 0;
	f->given = false;
}

bool
framing_is_partial(const struct framing *f)
{
	return f->len > 0 && !f->given;
}

/* The length of the frame that data begins with, without padding: 0 when it is
 * not known yet, -EBADMSG when this can't become one. */
static int
measure(const struct framing *f, const uint8_t *data, size_t len)
{
	struct cursor c;
	size_t whole;

	if (len == 0)
		return 0;
	if ((data[0] & 0x80) != 0 ||
	    ((data[0] & 0x40) != 0 && !f->channel_data))
		return -EBADMSG;
	if (len < CHANNEL_HEADER_LEN)
		return 0;
	cursor_init(&c, data, len);
	cursor_u16(&c);
	whole = cursor_u16(&c);
	if ((data[0] & 0x40) != 0) {
		whole += CHANNEL_HEADER_LEN;
	} else {
		if (whole % FRAMING_PAD != 0)
			return -EBADMSG;
		if (len >= 8 && cursor_u32(&c) != STUN_COOKIE)
			return -EBADMSG;
		whole += STUN_HEADER_LEN;
	}
	if (whole > f->max)
		return -EBADMSG;
	/* before its cookie is seen it may be anything, of any length */
	return (data[0] & 0x40) == 0 && len < 8 ? 0 : (int)whole;
}

static size_t
padded(size_t len)
{
	return (len + FRAMING_PAD - 1) / FRAMING_PAD * FRAMING_PAD;
}

static int
reserve(struct framing *f, size_t cap)
{
	uint8_t *p;

	if (cap <= f->cap)
		return 0;
	p = realloc(f->part, cap);
	if (p == NULL)
		return -ENOMEM;
	f->part = p;
	f->cap = cap;
	return 0;
}

/* Moves bytes from in to what is kept, until that is want bytes. */
static int
keep(struct framing *f, struct cursor *in, size_t want)
{
	size_t n = want - f->len, left = cursor_left(in);

	if (n > left)
		n = left;
	if (n == 0)
		return 0;
	if (reserve(f, want < PART_MIN ? PART_MIN : want) != 0)
		return -ENOMEM;
	memcpy(f->part + f->len, cursor_bytes(in, n), n);
	f->len += n;
	return 0;
}

/* Goes on with a frame that has begun earlier. */
static int
go_on(struct framing *f, struct cursor *in, const uint8_t **data, size_t *len)
{
	size_t want;
	int whole;

	do {
		whole = measure(f, f->part, f->len);
		if (whole < 0)
			return whole;
		/* a header first: 4 bytes, then 8 */
		want = whole > 0 ? padded((size_t)whole) : f->len < 4 ? 4 : 8;
		if (f->len == want)
			break;
		if (cursor_left(in) == 0)
			return 0;
		if (keep(f, in, want) != 0)
			return -ENOMEM;
	} while (whole == 0 || f->len < want);
	*data = f->part;
	*len = (size_t)whole;
	f->given = true;
	return 1;
}

int
framing_next(
    struct framing *f, struct cursor *in, const uint8_t **data, size_t *len)
{
	int whole;

	if (f->given)
		framing_free(f);
	if (f->len > 0)
		return go_on(f, in, data, len);
	whole = measure(f, in->p, cursor_left(in));
	if (whole < 0)
		return whole;
	if (whole > 0 && cursor_left(in) >= padded((size_t)whole)) {
		*data = cursor_bytes(in, padded((size_t)whole));
		*len = (size_t)whole;
		return 1;
	}
	if (cursor_left(in) == 0)
		return 0;
	return go_on(f, in, data, len);
}

/* SPDX-License-Identifier: ISC */
/* Messages out of a byte stream (RFC 8489 section 6.2.2, RFC 8656 section
 * 12.5): STUN ones, framed by their own length, and ChannelData, padded to 4
 * bytes. Bytes in, frames out; what comes whole is not copied, and nothing is
 * kept between whole frames. */
#ifndef NATKIT_FRAMING_H
#define NATKIT_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cursor.h"

#define FRAMING_PAD 4

struct framing {
	bool channel_data; /* what begins with 01 is ChannelData */
	size_t max;	   /* longest frame, bytes, without padding */
	uint8_t *part;	   /* the beginning of a frame, or one that was given */
	size_t len, cap;
	bool given;
};

/* max is at least 64. */
void framing_init(struct framing *f, bool channel_data, size_t max);
void framing_free(struct framing *f);
/* Takes bytes from in. Returns 1 and a frame without its padding, valid until
 * the next call and as long as in's memory; 0 when in is used up; -EBADMSG
 * when this is no frame, or one that is too long (then it is of no use any
 * more); -ENOMEM. */
int framing_next(
    struct framing *f, struct cursor *in, const uint8_t **data, size_t *len);
/* Does it hold the beginning of a frame? */
bool framing_is_partial(const struct framing *f);

#endif

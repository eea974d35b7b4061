/* SPDX-License-Identifier: ISC */
/* How a client of the relay is reached: from one of our UDP sockets, or over
 * its TCP or TLS connection. */
#ifndef NATKIT_WAY_H
#define NATKIT_WAY_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

#define WAY_STREAM UINT16_MAX

struct way {
	struct addr remote; /* of the client, also over a stream */
	uint16_t socket;    /* the number of a UDP socket, or WAY_STREAM */
	uint32_t stream;    /* which connection; a number is not used again
			     * before 2^32 others were */
};

static inline bool
way_equal(const struct way *a, const struct way *b)
{
	if (a->socket != b->socket)
		return false;
	return a->socket == WAY_STREAM ? a->stream == b->stream
				       : addr_equal(&a->remote, &b->remote);
}

#endif

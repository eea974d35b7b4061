/* SPDX-License-Identifier: ISC */
/* The way back to who sent a message: its source, the address that it came
 * to (answers leave from there), the socket, and the interface where the
 * source is link-local; or the connection. */
#ifndef NATKIT_PATH_H
#define NATKIT_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

struct path {
	struct addr remote;
	struct addr local;
	uint32_t scope;
	uint8_t socket;
	uint64_t stream; /* a connection, never used again; 0: a datagram */
};

static inline bool
path_equal(const struct path *a, const struct path *b)
{
	return addr_equal(&a->remote, &b->remote) &&
	       addr_equal(&a->local, &b->local) && a->scope == b->scope &&
	       a->socket == b->socket && a->stream == b->stream;
}

#endif

/* SPDX-License-Identifier: ISC */
/* The mapping behaviour of the NAT in front of us (RFC 4787 section 4.1), as
 * far as the answers that several servers gave to one port show it. */
#ifndef NATKIT_MAPPING_H
#define NATKIT_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "servers.h"

#define MAPPING_SHOWN 4 /* answers that fit into a record */

struct mapping {
	struct addr base;
	bool dependent; /* endpoint-dependent: servers saw different ones */
	size_t n;	/* at least 2 */
	struct addr endpoint[MAPPING_SHOWN];
	struct addr server[MAPPING_SHOWN];
};

const char *mapping_name(const struct mapping *m);
/* Walks the bases that at least two servers have answered; *i starts at 0.
 * When servers disagree, endpoint[] shows it. False at the end. */
bool mapping_next(struct mapping *out, const struct servers *s, size_t *i);

#endif

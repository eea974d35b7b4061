/* SPDX-License-Identifier: ISC */
/* Why a packet ended where it did, in one word of RFC 4787:
 *
 *	filtering	the port is mapped, the sender isn't let in (section 5)
 *	no-mapping	nobody inside has that port (section 4)
 *	hairpin		from inside to the public address (section 6)
 *	firewall	no translation, and nobody asked for it
 *	no-socket	it reached a host where no program has that port
 *	ttl		its time to live was over
 *	too-big		longer than the way on takes, and not to be cut (section 11)
 *	not-routed	no way to there, or not from there
 *
 * and what rules say of themselves: blocked, collision, input, fragment,
 * loss. */
#ifndef NATKIT_REASON_H
#define NATKIT_REASON_H

#include <stdbool.h>
#include <stddef.h>

#include "traced.h"

#define REASON_LEN 24

struct reason_facts {
	enum traced_end end;
	const char *comment; /* of the rule that dropped it, or NULL */
	uint8_t ttl;
	bool too_big; /* for the way to where it was to go */
	bool public;  /* it was for an address that the box has outside */
	bool hairpin; /* and came from inside */
	bool mapped;  /* a host inside has that endpoint */
};

void reason_find(const struct reason_facts *f, char out[REASON_LEN]);

#endif

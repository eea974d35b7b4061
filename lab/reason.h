/* SPDX-License-Identifier: ISC */
/* Why a packet ended where it did, in one word of RFC 4787:
 *
 *	filtering	the port is mapped, the sender isn't let in (section 5)
 *	no-mapping	nobody inside has that port (section 4)
 *	hairpin		from inside to the public address (section 6)
 *	firewall	no translation, and nobody asked for it
 *	no-socket	it reached a host where no program has that port
 *	ttl		its time to live was over
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
	bool forwards; /* the box is a router or a NAT */
	bool local;    /* the packet was for an address of the box */
	bool hairpin;  /* for another one than those of where it came in */
	bool mapped;   /* a host inside has that endpoint */
};

void reason_find(const struct reason_facts *f, char out[REASON_LEN]);

#endif

/* SPDX-License-Identifier: ISC */
/* The candidates that we offer. Without where we are seen from, the peer could
 * not open its NAT for us before our checks come there, which is lasting
 * damage (DESIGN.md, "Open with low TTL first"). */
#include "ours.h"

#include <string.h>

/* RFC 8445 section 5.1.2.1: type 100, a middling local preference, RTP. */
#define SRFLX_PRIORITY ((100u << 24) + (32767u << 8) + 255u)

void
ours_init(struct ours *o, const struct feed *f)
{
	memset(o, 0, sizeof(*o));
	o->n = f->n;
	memcpy(o->list, f->list, f->n * sizeof(f->list[0]));
}

static bool
has(const struct ours *o, const struct addr *addr)
{
	for (size_t i = 0; i < o->n; i++)
		if (addr_equal(&o->list[i].addr, addr))
			return true;
	return false;
}

void
ours_complete(struct ours *o, const struct addr *mapped)
{
	if (!addr_is_sendable(mapped) || o->n == OFFER_CANDIDATES ||
	    has(o, mapped))
		return;
	for (size_t i = 0; i < o->n; i++)
		if (o->list[i].type == OFFER_SRFLX &&
		    o->list[i].addr.family == mapped->family)
			return;
	o->list[o->n++] = (struct offer_candidate){
	    .type = OFFER_SRFLX,
	    .priority = SRFLX_PRIORITY,
	    .addr = *mapped,
	};
	o->completed = true;
}

bool
ours_same(const struct ours *before, const struct ours *now)
{
	if (!before->completed || before->n != now->n)
		return false;
	for (size_t i = 0; i < now->n; i++)
		if (!has(before, &now->list[i].addr))
			return false;
	return true;
}

/* SPDX-License-Identifier: ISC */
/* Which peers a TURN client may reach. Refused unless named: private (RFC
 * 1918), shared (RFC 6598), loopback, link-local, multicast, unspecified and
 * reserved ranges, IPv6 unique-local and whatever else is no global unicast
 * (RFC 6890, RFC 8190). Ranges for documentation are nobody's inside, and
 * examples and labs use them: they are not refused. What holds an IPv4 address
 * (mapped, compatible, 6to4, NAT64 by 64:ff9b::/96, Teredo, ISATAP) has to pass
 * the rules of that address, too. */
#ifndef NATKIT_PEERRULE_H
#define NATKIT_PEERRULE_H

#include <stdbool.h>

#include "addr.h"

#define PEERRULE_MAX 64

struct peerrule {
	struct addr net;
	unsigned int bits;
	bool allow;
};
struct peerrules {
	size_t n;
	struct peerrule rule[PEERRULE_MAX];
	/* the relay's, sorted: refused, unless a rule allows exactly that one */
	struct addr *own;
	size_t n_own;
};

/* "10.0.0.0/8", "2001:db8::/32", an address alone; "!NET" refuses. 0, -EBADMSG,
 * -ENOSPC. The first rule that matches decides. */
int peerrules_add(struct peerrules *r, const char *text);
/* One more of the relay's own. Returns 0 or -ENOMEM. */
int peerrules_add_own(struct peerrules *r, const struct addr *a);
/* Takes those of from instead of its own ones, which end. */
void peerrules_take_own(struct peerrules *r, struct peerrules *from);
/* The port does not matter. */
bool peerrules_allow(const struct peerrules *r, const struct addr *peer);

#endif

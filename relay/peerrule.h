/* SPDX-License-Identifier: ISC */
/* Which peers a TURN client may reach. Refused unless named: private (RFC
 * 1918), shared (RFC 6598), loopback, link-local, multicast, unspecified,
 * reserved and documentation-only-if-not-routed ranges, IPv6 unique-local, what
 * holds an IPv4 address (mapped, 6to4, NAT64, Teredo: the rule of that
 * address), and every address of the relay itself. */
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
	size_t n_own;
	struct addr own[16]; /* refused even if a rule allows them */
};

/* "10.0.0.0/8", "2001:db8::/32", an address alone; "!NET" refuses. 0, -EBADMSG,
 * -ENOSPC. The first rule that matches decides. */
int peerrules_add(struct peerrules *r, const char *text);
bool peerrules_allow(const struct peerrules *r, const struct addr *peer);

#endif

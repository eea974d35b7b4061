/* SPDX-License-Identifier: ISC */
/* The addresses of this host, to which its firewall lets us as a local user. */
#ifndef NATKIT_OWNADDRS_H
#define NATKIT_OWNADDRS_H

#include "peerrule.h"

/* Adds them all to the rules' own ones, but for loopback and link-local ones,
 * which are refused by their ranges. Returns 0 or -errno. */
int ownaddrs_add(struct peerrules *rules);

#endif

/* SPDX-License-Identifier: ISC */
/* The self-test of the raw sockets of one family: what they send reaches a
 * UDP socket (so the checksum is right), and what comes in reaches them. */
#ifndef NATKIT_PROBE_H
#define NATKIT_PROBE_H

#include "raw.h"

/* family is 4 or 6. Leaves the filter of the probe's own port attached.
 * Returns 0, or -errno and what failed: -EADDRNOTAVAIL or -ENETUNREACH when
 * the family has no loopback address, -ETIMEDOUT when nothing came. */
int probe_run(struct raw *r, int family, const char **what);

#endif

/* SPDX-License-Identifier: ISC */
/* This host's addresses, and news of their changes: rtnetlink(7). */
#ifndef NATKIT_NETLINK_H
#define NATKIT_NETLINK_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

/* A non-blocking descriptor that becomes readable when an address changes, or,
 * unless addresses_only, a route or a link; or -errno. */
int netlink_open(bool addresses_only);
/* Reads all that is there. Returns 1 when something of it was a change (or
 * news got lost), 0 when not, or -errno. */
int netlink_changed(int fd);

/* Addresses that a peer could reach: of interfaces that are up and have a
 * carrier and are not in exclude[0..n); no loopback, link-local or multicast
 * address, no IPv6 address that is tentative or deprecated. IPv6 first,
 * sorted, port 0. Returns how many, at most cap, or -errno. */
int netlink_hosts(
    struct addr *list, size_t cap, const char *const exclude[], size_t n);
/* Does an interface of exclude[0..n) have this address? */
bool netlink_excluded(
    const struct addr *ip, const char *const exclude[], size_t n);

#endif

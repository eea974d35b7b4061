/* SPDX-License-Identifier: ISC */
/* Our own candidates (RFC 8445 sections 5.1.1 to 5.1.3): endpoints that a peer
 * may reach us at, and sets of them. */
#ifndef NATKIT_CANDSET_H
#define NATKIT_CANDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define CANDSET_MAX 16
/* Host candidates of one family: a machine with dozens of addresses still
 * leaves room for the server-reflexive ones, which matter more. */
#define CANDSET_HOSTS 5

enum candset_type {
	CANDSET_HOST = 1,
	CANDSET_SRFLX = 2,
};

struct candset_entry {
	enum candset_type type;
	struct addr endpoint;
	struct addr base;
	struct addr server; /* ADDR_NONE for a host candidate */
	uint32_t priority;
};

struct candset {
	size_t n;
	struct candset_entry list[CANDSET_MAX];
};

const char *candset_type_name(enum candset_type type);
/* RFC 8445 section 5.1.2.1; component is always 1. */
uint32_t candset_priority(enum candset_type type, uint16_t local);
/* Adds one and gives it a priority: IPv6 before IPv4, earlier before later.
 * A redundant one (section 5.1.3: a server-reflexive one that is a host
 * candidate, or the same endpoint and base again) is left out. Add the host
 * candidates first. Returns 0, -EEXIST when left out, -ENOSPC. */
int candset_add(struct candset *set, enum candset_type type,
    const struct addr *endpoint, const struct addr *base,
    const struct addr *server);
/* Same types, endpoints and bases, in whatever order. Not compared: priority
 * (it follows from the order) and which server told. */
bool candset_equal(const struct candset *a, const struct candset *b);

#endif

/* SPDX-License-Identifier: ISC */
/* Candidates (RFC 8445 sections 5.1.1 to 5.1.3): the endpoints that a peer
 * may reach us at, and sets of them. */
#ifndef NATKIT_CANDIDATE_H
#define NATKIT_CANDIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define CANDIDATE_MAX 16
/* Host candidates of one family: a machine with dozens of addresses still
 * leaves room for the server-reflexive ones, which matter more. */
#define CANDIDATE_HOSTS 5

enum candidate_type {
	CANDIDATE_HOST = 1,
	CANDIDATE_SRFLX = 2,
};

struct candidate {
	enum candidate_type type;
	struct addr endpoint;
	struct addr base;
	struct addr server; /* ADDR_NONE for a host candidate */
	uint32_t priority;
};

struct candidate_set {
	size_t n;
	struct candidate list[CANDIDATE_MAX];
};

const char *candidate_type_name(enum candidate_type type);
/* RFC 8445 section 5.1.2.1; component is always 1. */
uint32_t candidate_priority(enum candidate_type type, uint16_t local);
/* Adds one and gives it a priority: IPv6 before IPv4, earlier before later.
 * A redundant one (section 5.1.3: a server-reflexive one that is a host
 * candidate, or the same endpoint and base again) is left out. Add the host
 * candidates first. Returns 0, -EEXIST when left out, -ENOSPC. */
int candidate_add(struct candidate_set *set, enum candidate_type type,
    const struct addr *endpoint, const struct addr *base,
    const struct addr *server);
/* Same types, endpoints and bases, in whatever order. Not compared: priority
 * (it follows from the order) and which server told. */
bool candidate_set_equal(
    const struct candidate_set *a, const struct candidate_set *b);

#endif

/* SPDX-License-Identifier: ISC */
/* The peer's candidates (RFC 8445 section 5.3) and what the checks to each
 * have shown. A side has one base, so a check list is this list. */
#ifndef NATKIT_CANDIDATE_H
#define NATKIT_CANDIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "flight.h"

#define CANDIDATE_REMOTES 16  /* that a peer may name */
#define CANDIDATE_REFLEXIVE 8 /* that its checks may reveal */
#define CANDIDATE_MAX (CANDIDATE_REMOTES + CANDIDATE_REFLEXIVE + 2)
/* Of a server-reflexive one that no record names (RFC 8445 section 5.1.2: type
 * 100). */
#define CANDIDATE_PRIORITY_SRFLX ((100u << 24) | (65535u << 8) | 255u)

enum candidate_type {
	CANDIDATE_NONE = 0,
	CANDIDATE_HOST = 1, /* the numbers of DESIGN.md's CANDIDATE */
	CANDIDATE_SRFLX = 2,
	CANDIDATE_PRFLX = 3,
	CANDIDATE_RELAY = 4,
};

/* "host", "srflx", "prflx", "relay"; NULL for CANDIDATE_NONE. */
const char *candidate_type_name(enum candidate_type type);
/* CANDIDATE_NONE when unknown, or a type that nobody can name (prflx). */
enum candidate_type candidate_type_parse(const char *name);

/* As the peer named it. */
struct remote {
	enum candidate_type type;
	struct addr addr;
	uint32_t priority;
};

struct candidate {
	struct remote r;
	struct flight flight;
	bool answered;	/* a check of ours was */
	bool heard;	/* a check of the peer came from it */
	bool nominated; /* by the peer, which controls */
	uint8_t error;	/* enum port_error of the latest send */
	unsigned again; /* triggered checks that are left to send */
	unsigned round; /* low-TTL rounds sent since go */
	uint64_t due_us;
	uint64_t interval_us;
	uint64_t found_us; /* for the replacement of the oldest prflx */
	uint32_t rtt_us;   /* of the latest answered check */
	struct addr local; /* where its answer came to */
};

struct candidates {
	struct candidate list[CANDIDATE_MAX];
	size_t n;
};

void candidates_clear(struct candidates *c);
/* Adds, or raises the priority of the one with this address. NULL when full. */
struct candidate *candidates_add(
    struct candidates *c, const struct remote *r, uint64_t now_us);
struct candidate *candidates_find(
    struct candidates *c, const struct addr *addr);
/* A peer-reflexive one: when CANDIDATE_REFLEXIVE exist it takes the place of the
 * oldest that never answered; NULL when all did. Never takes keep's. */
struct candidate *candidates_reflexive(struct candidates *c,
    const struct addr *addr, uint32_t priority, const struct candidate *keep,
    uint64_t now_us);
/* The answered one with the highest priority, except those with skip. */
struct candidate *candidates_best(
    struct candidates *c, const struct candidate *skip);
/* Could one with a higher priority than this still answer? */
bool candidates_better_possible(
    const struct candidates *c, const struct candidate *than);

#endif

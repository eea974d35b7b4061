/* SPDX-License-Identifier: ISC */
/* What a key, or a TURN user, may use and has used. A fixed table: an account
 * stays while it has a pair or an allocation, and then until its place is
 * needed. */
#ifndef NATKIT_ACCOUNT_H
#define NATKIT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limit.h"

#define ACCOUNT_NAME_MAX 64 /* a key in base64, or the USER of a TURN name */
/* The least burst: one train of datagrams, as UDP_GRO hands it over. */
#define ACCOUNT_BURST_PACKETS 64
#define ACCOUNT_BURST_BYTES 65536

struct accounts_config {
	uint32_t max;
	uint32_t per_account;	     /* pairs and allocations of one */
	uint32_t packets_s, bytes_s; /* per account; 0: no limit */
	uint32_t all_packets_s, all_bytes_s;
};

/* In milli-packets and milli-bytes. */
struct account_credit {
	uint64_t packets, bytes, last_ms;
};

/* What forwarding touches is the first cache line. */
struct account {
	uint64_t packets_in, bytes_in;	 /* from this user, carried */
	uint64_t packets_out, bytes_out; /* to this user */
	uint64_t dropped;		 /* packets, over a limit */
	struct account_credit credit;	 /* private */
	uint32_t used;			 /* pairs and allocations */
	char name[ACCOUNT_NAME_MAX + 1];
	/* private */
	uint64_t seen_ms;
	uint32_t next, older, newer;
};

struct accounts_total {
	uint64_t packets, bytes, dropped; /* carried, and over a limit */
	uint32_t accounts;
};

struct accounts;

/* Returns 0, -EINVAL, -ENOMEM. */
int accounts_new(struct accounts **out, const struct accounts_config *config);
void accounts_free(struct accounts *a);
/* Finds or makes; takes one of its places. NULL: full (of the table, or of its own
 * limit, then *mine is set), or the name is too long. */
struct account *accounts_take(
    struct accounts *a, const char *name, uint64_t now_ms, bool *mine);
void accounts_release(struct accounts *a, struct account *acc);
/* May so many datagrams, of bytes in all, be carried? Counts them as that, or as
 * dropped. from, or to, is NULL for who has no account; the other one then
 * has to pay. A burst is a quarter of a second. */
bool accounts_spend(struct accounts *a, struct account *from,
    struct account *to, unsigned int datagrams, size_t bytes, uint64_t now_ms);
/* Walks: *position begins with 0. False at the end. */
bool accounts_next(
    const struct accounts *a, uint64_t *position, const struct account **out);
void accounts_sum(const struct accounts *a, struct accounts_total *out);
size_t accounts_memory(const struct accounts *a); /* bytes */

#endif

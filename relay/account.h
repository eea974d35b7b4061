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

struct accounts_config {
	uint32_t max;
	uint32_t per_account;	     /* pairs and allocations of one */
	uint32_t packets_s, bytes_s; /* per account; 0: no limit */
	uint32_t all_packets_s, all_bytes_s;
};

struct account {
	char name[ACCOUNT_NAME_MAX + 1];
	uint32_t used;			 /* pairs and allocations */
	uint64_t packets_in, bytes_in;	 /* from this user, carried */
	uint64_t packets_out, bytes_out; /* to this user */
	uint64_t dropped;		 /* packets, over a limit */
	/* private */
	uint64_t packet_credit, byte_credit, last_ms;
	uint64_t seen_ms;
	uint32_t next, older, newer;
};

struct accounts;

int accounts_new(struct accounts **out, const struct accounts_config *config);
void accounts_free(struct accounts *a);
/* Finds or makes; takes one of its places. NULL: full (of the table, or of its own
 * limit, then *mine is set). */
struct account *accounts_take(
    struct accounts *a, const char *name, uint64_t now_ms, bool *mine);
void accounts_release(struct accounts *a, struct account *acc);
/* May this account send so much? Counts it as carried, or as dropped. A burst
 * is a quarter of a second. */
bool accounts_spend(struct accounts *a, struct account *from,
    struct account *to, unsigned int datagrams, size_t bytes, uint64_t now_ms);
bool accounts_next(
    const struct accounts *a, uint64_t *position, const struct account **out);
size_t accounts_memory(const struct accounts *a);

#endif

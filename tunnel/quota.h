/* SPDX-License-Identifier: ISC */
/* How much one peer may ask for, and what it has: by its key, so that a new
 * connection begins with no new allowance. */
#ifndef NATKIT_QUOTA_H
#define NATKIT_QUOTA_H

#include <stdint.h>

#include "key.h"
#include "limit.h"

#define QUOTA_RATE 200	/* streams a second that one peer may open... */
#define QUOTA_BURST 512 /* ...after so many at once */
#define QUOTA_PEERS 128 /* twice TUNNEL_PEERS: who went is kept for a while */

struct quota {
	uint8_t key[KEY_LEN];
	/* The caller's; with visits it stays where it is. */
	uint32_t visits;
	uint32_t programs;
	/* quota.c's */
	struct bucket bucket;
	uint64_t last_ms;
	bool used;
};

struct quotas;

int quotas_new(struct quotas **out);
void quotas_free(struct quotas *q);
/* One more stream of this key. NULL: it is too fast, or there are too many
 * keys. */
struct quota *quotas_take(
    struct quotas *q, const uint8_t key[KEY_LEN], uint64_t now_ms);

#endif

/* SPDX-License-Identifier: ISC */
/* The candidates that we offer: those that we were fed, completed by the
 * address that a server sees us at. */
#ifndef NATKIT_OURS_H
#define NATKIT_OURS_H

#include <stdbool.h>
#include <stddef.h>

#include "feed.h"

struct ours {
	size_t n;
	struct offer_candidate list[OFFER_CANDIDATES];
	bool completed; /* by a server's word */
};

/* What f holds of its latest complete generation. */
void ours_init(struct ours *o, const struct feed *f);
/* A server sees our port at this address. Taken when no candidate that was
 * fed tells where this family is seen from: a STUN answer was lost. */
void ours_complete(struct ours *o, const struct addr *mapped);
/* now offers what before did, which a server's word had completed. */
bool ours_same(const struct ours *before, const struct ours *now);

#endif

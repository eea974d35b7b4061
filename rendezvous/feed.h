/* SPDX-License-Identifier: ISC */
/* Our own candidates, from the records of nat-stun gather: lines in, complete
 * generations out. */
#ifndef NATKIT_FEED_H
#define NATKIT_FEED_H

#include "offer.h"

enum feed_result {
	FEED_NOTHING,	 /* another record, or one candidate more */
	FEED_BAD,	 /* ->why says what is wrong with the line */
	FEED_GENERATION, /* ->list is complete; ->why may hold a warning */
};

struct feed {
	size_t n; /* of list, when it is complete */
	struct offer_candidate list[OFFER_CANDIDATES];
	const char *why; /* NULL: nothing to warn of */
	/* what is being read */
	size_t reading_n;
	struct offer_candidate reading[OFFER_CANDIDATES];
	uint64_t seen; /* candidate records, good or bad */
	bool left_out; /* of more than OFFER_CANDIDATES, the worst */
	bool complete; /* there was a generation */
};

void feed_init(struct feed *f);
enum feed_result feed_line(struct feed *f, const char *line, size_t len);
/* At the end of the input: candidates that no record closed count only if
 * there was no generation at all. */
enum feed_result feed_end(struct feed *f);

#endif

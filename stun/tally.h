/* SPDX-License-Identifier: ISC */
/* Counters of nat-stund: one set per process, written by that one alone, in
 * memory that all share, so that the first can tell the sums. */
#ifndef NATKIT_TALLY_H
#define NATKIT_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "responder.h"

/* After the outcomes, whose numbers are the same here: */
#define TALLY_MORE(X)                                                          \
	X(send_failed)	       /* the system refused to send it */             \
	X(connections)	       /* TCP: accepted */                             \
	X(connections_refused) /* TCP: too many of one source */               \
	X(connections_idle)    /* TCP: ended, silent for too long */           \
	X(connections_evicted) /* TCP: ended for a newcomer */                 \
	X(connections_broken)  /* TCP: ended, no STUN, or read too slowly */   \
	X(twin_borrowed)       /* answers handed to the twin to send */        \
	X(twin_up) /* processes that have the twin's address now */            \
	/* what came from the twin, or from who is not: LENDER_OUTCOMES */     \
	X(twin_hello)                                                          \
	X(twin_alive)                                                          \
	X(twin_lent)                                                           \
	X(twin_unknown)                                                        \
	X(twin_replayed)                                                       \
	X(twin_forged)                                                         \
	X(twin_unfit)                                                          \
	X(twin_limited)

enum tally_name {
	TALLY_FIRST_OUTCOME = 0,
	TALLY_LAST_OUTCOME = RESPONDER_OUTCOMES_N - 1,
#define X(name) TALLY_##name,
	TALLY_MORE(X)
#undef X
	TALLY_N
};

struct tally {
	_Alignas(64) _Atomic uint64_t count[TALLY_N];
};

/* For n processes, to be made before they are. Returns NULL without memory. */
struct tally *tally_new(unsigned int n);
void tally_free(struct tally *t, unsigned int n);
uint64_t tally_sum(const struct tally *t, unsigned int n, unsigned int name);
const char *tally_label(unsigned int name);

static inline void
tally_add(struct tally *t, unsigned int name, uint64_t more)
{
	/* the only writer: no locked instruction is needed */
	uint64_t v =
	    atomic_load_explicit(&t->count[name], memory_order_relaxed);

	atomic_store_explicit(&t->count[name], v + more, memory_order_relaxed);
}

#endif

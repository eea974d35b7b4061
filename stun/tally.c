/* SPDX-License-Identifier: ISC */
/* Counters of nat-stund, in memory that its processes share. */
#include "tally.h"

#include <sys/mman.h>

struct tally *
tally_new(unsigned int n)
{
	void *p = mmap(NULL, n * sizeof(struct tally), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void
tally_free(struct tally *t, unsigned int n)
{
	if (t != NULL)
		munmap(t, n * sizeof(*t));
}

uint64_t
tally_sum(const struct tally *t, unsigned int n, unsigned int name)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += atomic_load_explicit(
		    &t[i].count[name], memory_order_relaxed);
	return sum;
}

const char *
tally_label(unsigned int name)
{
	static const char *const more[] = {
#define X(name) #name,
	    TALLY_MORE(X)
#undef X
	};

	return name < RESPONDER_OUTCOMES_N ? responder_names[name]
					   : more[name - RESPONDER_OUTCOMES_N];
}

/* SPDX-License-Identifier: ISC */
/* A binary heap that knows where each thing is. */
#include "expiry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct expiry_entry {
	uint64_t at_ms;
	uint32_t thing;
};

int
expiry_init(struct expiry *e, uint32_t max)
{
	*e = (struct expiry){.max = max};
	e->heap = malloc(max * sizeof(*e->heap));
	e->place = malloc(max * sizeof(*e->place));
	if (e->heap == NULL || e->place == NULL) {
		expiry_free(e);
		return -ENOMEM;
	}
	explicit_bzero(e->heap, max * sizeof(*e->heap)); /* really there */
	memset(e->place, 0xff, max * sizeof(*e->place));
	return 0;
}

void
expiry_free(struct expiry *e)
{
	free(e->heap);
	free(e->place);
	*e = (struct expiry){0};
}

static void
put(struct expiry *e, uint32_t i, struct expiry_entry entry)
{
	e->heap[i] = entry;
	e->place[entry.thing] = i;
}

/* Finds the entry its place, which is i or above. */
static void
rise(struct expiry *e, uint32_t i, struct expiry_entry entry)
{
	while (i > 0 && e->heap[(i - 1) / 2].at_ms > entry.at_ms) {
		put(e, i, e->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(e, i, entry);
}

static void
sink(struct expiry *e, uint32_t i, struct expiry_entry entry)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= e->n)
			break;
		if (child + 1 < e->n &&
		    e->heap[child + 1].at_ms < e->heap[child].at_ms)
			child++;
		if (e->heap[child].at_ms >= entry.at_ms)
			break;
		put(e, i, e->heap[child]);
		i = child;
	}
	put(e, i, entry);
}

static void
settle(struct expiry *e, uint32_t i, struct expiry_entry entry)
{
	if (i > 0 && e->heap[(i - 1) / 2].at_ms > entry.at_ms)
		rise(e, i, entry);
	else
		sink(e, i, entry);
}

void
expiry_set(struct expiry *e, uint32_t thing, uint64_t at_ms)
{
	struct expiry_entry entry = {.at_ms = at_ms, .thing = thing};

	if (e->place[thing] == NONE)
		rise(e, e->n++, entry);
	else
		settle(e, e->place[thing], entry);
}

void
expiry_remove(struct expiry *e, uint32_t thing)
{
	uint32_t i = e->place[thing];

	if (i == NONE)
		return;
	e->place[thing] = NONE;
	if (i != --e->n)
		settle(e, i, e->heap[e->n]);
}

bool
expiry_first(const struct expiry *e, uint32_t *thing, uint64_t *at_ms)
{
	if (e->n == 0)
		return false;
	*thing = e->heap[0].thing;
	*at_ms = e->heap[0].at_ms;
	return true;
}

size_t
expiry_memory(const struct expiry *e)
{
	return e->max * (sizeof(*e->heap) + sizeof(*e->place));
}

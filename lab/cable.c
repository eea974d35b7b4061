/* SPDX-License-Identifier: ISC */
/* One direction of a wire. A frame waits for the line (rate_kbit, queue_ms),
 * is put on it bit by bit, and then travels (delay_ms, jitter_ms). Frames that
 * are on their way wait in a heap, ordered by the time they are due. */
#include "cable.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define NS_PER_US 1000
#define NS_PER_MS 1000000

struct cable_due {
	uint64_t at_ns;
	uint64_t order; /* first in, first out, among equals */
	uint32_t slot;
};

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do. */
static uint64_t
next_random(struct cable *c)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Uniform in 0..n-1: the top 32 bits, scaled. n is at most 2^32. */
static uint64_t
below(uint64_t random, uint64_t n)
{
	return (random >> 32) * n >> 32;
}

static void
seed(struct cable *c, int which)
{
	c->random = c->is.seed << 1 | (uint64_t)which;
}

int
cable_init(struct cable *c, size_t frames, int which)
{
	*c = (struct cable){.frames = frames, .n_unused = frames};
	/* a copy takes a place of its own in the heap */
	c->due = calloc(2 * frames, sizeof(*c->due));
	c->unused = calloc(frames, sizeof(*c->unused));
	c->copies = calloc(frames, sizeof(*c->copies));
	if (c->due == NULL || c->unused == NULL || c->copies == NULL) {
		cable_free(c);
		return -ENOMEM;
	}
	for (size_t i = 0; i < frames; i++)
		c->unused[i] = (uint32_t)(frames - 1 - i);
	impairment_init(&c->is, 0);
	seed(c, which);
	return 0;
}

void
cable_free(struct cable *c)
{
	free(c->due);
	free(c->unused);
	free(c->copies);
	*c = (struct cable){0};
}

void
cable_set(struct cable *c, const struct impairment *is, int which)
{
	bool again = is->seed != c->is.seed;

	if (is->rate_kbit != c->is.rate_kbit)
		c->line_ns = 0;
	c->is = *is;
	if (again)
		seed(c, which);
}

static bool
before(const struct cable_due *a, const struct cable_due *b)
{
	return a->at_ns < b->at_ns ||
	       (a->at_ns == b->at_ns && a->order < b->order);
}

static void
heap_push(struct cable *c, struct cable_due d)
{
	size_t i = c->n++;

	for (; i > 0 && before(&d, &c->due[(i - 1) / 2]); i = (i - 1) / 2)
		c->due[i] = c->due[(i - 1) / 2];
	c->due[i] = d;
}

static struct cable_due
heap_pop(struct cable *c)
{
	struct cable_due top = c->due[0], last = c->due[--c->n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < c->n) {
		if (child + 1 < c->n &&
		    before(&c->due[child + 1], &c->due[child]))
			child++;
		if (!before(&c->due[child], &last))
			break;
		c->due[i] = c->due[child];
		i = child;
	}
	c->due[i] = last;
	return top;
}

/* When the last bit of the frame is on the line; CABLE_NEVER if it would have
 * to wait for that longer than the queue allows. */
static uint64_t
serialise(struct cable *c, uint64_t now_ns, size_t len)
{
	uint64_t begin = c->line_ns > now_ns ? c->line_ns : now_ns;

	if (c->is.rate_kbit == 0)
		return now_ns;
	if (begin - now_ns > c->is.queue_ms * NS_PER_MS)
		return CABLE_NEVER;
	c->line_ns = begin + len * 8 * NS_PER_MS / c->is.rate_kbit;
	return c->line_ns;
}

static uint64_t
travel_ns(const struct cable *c, uint64_t random)
{
	uint64_t us = c->is.delay_us + below(random, 2 * c->is.jitter_us + 1);

	us = us > c->is.jitter_us ? us - c->is.jitter_us : 0;
	return us * NS_PER_US;
}

static void
schedule(struct cable *c, uint64_t at_ns, uint32_t slot)
{
	c->copies[slot]++;
	heap_push(c, (struct cable_due){
			 .at_ns = at_ns, .order = c->order++, .slot = slot});
}

int
cable_put(struct cable *c, uint64_t now_ns, size_t len)
{
	/* always drawn, so that with one seed the same frames get lost,
	 * whatever else is set */
	bool lost = below(next_random(c), IMPAIRMENT_ALL) < c->is.loss;
	bool twice = below(next_random(c), IMPAIRMENT_ALL) < c->is.duplicate;
	bool overtakes = below(next_random(c), IMPAIRMENT_ALL) < c->is.reorder;
	uint64_t jitter = next_random(c), at;
	uint32_t slot;

	c->stats.frames++;
	c->stats.bytes += len;
	if (c->n_unused == 0) {
		c->stats.full++;
		return CABLE_NONE;
	}
	at = serialise(c, now_ns, len);
	if (at == CABLE_NEVER) {
		c->stats.tail++;
		return CABLE_NONE;
	}
	if (lost) { /* on its way: it has used the line */
		c->stats.lost++;
		return CABLE_NONE;
	}
	if (overtakes) {
		c->stats.reordered += c->n > 0 && at < c->last_ns;
	} else {
		at += travel_ns(c, jitter);
		if (at < c->last_ns)
			at = c->last_ns;
		c->last_ns = at;
	}
	slot = c->unused[--c->n_unused];
	schedule(c, at, slot);
	if (twice) {
		c->stats.duplicated++;
		schedule(c, at, slot);
	}
	return (int)slot;
}

uint64_t
cable_next(const struct cable *c)
{
	return c->n > 0 ? c->due[0].at_ns : CABLE_NEVER;
}

int
cable_take(struct cable *c, uint64_t now_ns)
{
	if (cable_next(c) > now_ns || c->n == 0)
		return CABLE_NONE;
	c->stats.sent++;
	return (int)heap_pop(c).slot;
}

void
cable_release(struct cable *c, int slot)
{
	if (--c->copies[slot] == 0)
		c->unused[c->n_unused++] = (uint32_t)slot;
}

/* SPDX-License-Identifier: ISC */
/* One direction of a wire: frames in, "send frame i now" out, by a seeded
 * generator and the caller's clock. Holds no bytes: the caller keeps frame i in
 * the i-th of its slots, from cable_put until cable_release. */
#ifndef NATKIT_CABLE_H
#define NATKIT_CABLE_H

#include <stddef.h>
#include <stdint.h>

#include "impairment.h"

#define CABLE_NEVER UINT64_MAX
#define CABLE_NONE (-1)

struct cable_stats {
	uint64_t frames; /* that came in, and their bytes */
	uint64_t bytes;
	uint64_t sent; /* handed out by cable_take, copies included */
	uint64_t lost; /* by loss= */
	uint64_t tail; /* waited too long for the line */
	uint64_t full; /* no slot was free */
	uint64_t duplicated;
	uint64_t reordered; /* left before one that had come before */
};

struct cable {
	struct impairment is;
	struct cable_stats stats;
	uint64_t random;  /* state of the generator */
	uint64_t line_ns; /* the line is busy until then */
	uint64_t last_ns; /* latest time that a frame is due */
	uint64_t order;
	size_t n, frames, n_unused;
	struct cable_due *due;
	uint32_t *unused;
	uint8_t *copies;
};

/* frames: slots, all memory that it will ever have. which: 0 or 1, so that
 * the two directions of one seed differ. Returns 0 or -ENOMEM. */
int cable_init(struct cable *c, size_t frames, int which);
void cable_free(struct cable *c);
/* The generator starts again when the seed is another. */
void cable_set(struct cable *c, const struct impairment *is, int which);

/* A frame of len bytes has come. Returns the slot to put it in, or CABLE_NONE
 * when it is dropped. The clock never runs backwards. */
int cable_put(struct cable *c, uint64_t now_ns, size_t len);
/* When the next frame is due; CABLE_NEVER when there is none. */
uint64_t cable_next(const struct cable *c);
/* The slot of a frame that is due, earliest first, or CABLE_NONE. Each needs
 * one cable_release once it is sent; a duplicated one comes twice. */
int cable_take(struct cable *c, uint64_t now_ns);
void cable_release(struct cable *c, int slot);

#endif

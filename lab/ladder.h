/* SPDX-License-Identifier: ISC */
/* One time line of what happened in a lab: a row for each packet (with all
 * its stations), each change of a mapping, and each drop of a packet that was
 * not captured; a lane for each box that has a part in it. */
#ifndef NATKIT_LADDER_H
#define NATKIT_LADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "places.h"
#include "record.h"
#include "trails.h"

#define LADDER_WORD 24
#define LADDER_RULE 96
#define LADDER_EVENTS_MAX 100000

enum row_kind {
	ROW_PACKET,
	ROW_MAPPING,
	ROW_DROP,
};

struct row {
	enum row_kind kind;
	uint64_t ns, last_ns; /* of the last one, when it stands for several */
	unsigned int times;
	const struct trail *trail; /* ROW_PACKET */
	int box;		   /* the others */
	char state[LADDER_WORD];   /* made, refreshed, expired */
	char protocol[8];
	char reason[LADDER_WORD];
	char rule[LADDER_RULE];
	uint32_t timeout_s;
	/* internal, external and remote of a mapping; a drop's from and to are
	 * the first two */
	struct addr internal, external, remote;
};

/* A packet's way between two lanes. */
struct leg {
	int from_lane, to_lane; /* to_lane -1: it never came anywhere */
	const struct addr *from, *to;
	bool translated; /* the lane that it begins at changed an address */
};

struct ladder {
	struct places places;
	struct trails trails;
	struct row *event; /* mappings and drops as they are told */
	size_t nevent, event_cap;
	struct row *row;
	size_t nrow;
	int lane[PLACES_MAX]; /* of a box; -1: none */
	int box[PLACES_MAX];  /* of a lane */
	size_t nlane;
	uint64_t begin_ns; /* of the first row of all: time 0 */
	/* what is not shown */
	size_t before, after, over;
	uint64_t no_ip; /* ARP, and what else is no unicast IP */
	uint64_t malformed;
	uint64_t repeated; /* rows that another one stands for */
};

struct ladder_window {
	uint64_t begin_ms, end_ms; /* of the time line; 0: open */
	size_t rows;		   /* at most; 0: all */
	bool repeats;		   /* each in a row of its own */
};

int ladder_init(struct ladder *l); /* 0 or -ENOMEM */
void ladder_free(struct ladder *l);
/* A line of the files "lab" and "watch". Returns 0, -EBADMSG, -ENOMEM. */
int ladder_feed(struct ladder *l, const struct record_view *r);
/* When all sights (trails_add) and records are in. Returns 0 or -ENOMEM. */
int ladder_build(struct ladder *l, const struct ladder_window *w);
/* The rows of a window that is cut shorter: those beyond n are left out. */
void ladder_cut(struct ladder *l, size_t n);
/* The legs of a packet between the lanes that are shown; at most TRAIL_HOPS.
 * Returns how many: 0 when only one box has seen it. */
size_t ladder_legs(
    const struct ladder *l, const struct trail *t, struct leg *legs);
/* The lane at which a packet's way begins and ends, -1 for none. */
int ladder_first_lane(const struct ladder *l, const struct trail *t);
int ladder_last_lane(const struct ladder *l, const struct trail *t);
/* Where a packet that was lost was on its way to: a lane, or -1. */
int ladder_aim(const struct ladder *l, const struct trail *t);
/* Microseconds from the first row of all. */
uint64_t ladder_us(const struct ladder *l, uint64_t ns);

#endif

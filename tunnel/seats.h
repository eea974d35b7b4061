/* SPDX-License-Identifier: ISC */
/* The joints of a link, found by joint and by stream id, and in lines: who
 * waits for the connection, has something to send, or to write. */
#ifndef NATKIT_SEATS_H
#define NATKIT_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct joint;

enum seat_line {
	SEAT_WAITING, /* for a stream */
	SEAT_URGENT,  /* has datagrams to send */
	SEAT_READY,   /* has something else to send */
	SEAT_DIRTY,   /* has data for its descriptor */
	SEAT_ROOM,    /* is to hear that the budget has room */
	SEAT_GONE,    /* is to hear that its connection is over */
	SEAT_LINES,
};

struct seat {
	struct joint *joint;
	int64_t id;	   /* of its stream; -1: none */
	uint64_t until_ms; /* while it waits */
	size_t turn;	   /* bytes since it came to be the first to send */
	bool urgent;	   /* which of the two lines it sends from */
	/* private */
	struct seat *by_joint, *by_id; /* the next in the same bucket */
	struct {
		struct seat *prev, *next;
		bool in;
	} line[SEAT_LINES];
};

struct seats {
	size_t n, mapped; /* in all; with a stream */
	size_t buckets;	  /* a power of 2, of each table */
	struct seat **by_joint, **by_id;
	struct {
		struct seat *first, *last;
	} line[SEAT_LINES];
};

int seats_init(struct seats *s); /* 0 or -ENOMEM */
void seats_clear(struct seats *s);
struct seat *seats_find(const struct seats *s, const struct joint *j);
struct seat *seats_find_id(const struct seats *s, int64_t id);
/* The seat of a joint, a new one if need be. NULL: no memory. */
struct seat *seats_take(struct seats *s, struct joint *j);
void seats_free(struct seats *s, struct seat *one);
/* id -1: no stream any more. Who had that id before has none. */
void seats_map(struct seats *s, struct seat *one, int64_t id);

struct seat *seats_first(const struct seats *s, enum seat_line l);
/* At the end of a line; at its beginning. Whoever stands in it stays where he
 * is. */
void seats_append(struct seats *s, enum seat_line l, struct seat *one);
void seats_prepend(struct seats *s, enum seat_line l, struct seat *one);
void seats_leave(struct seats *s, enum seat_line l, struct seat *one);
bool seats_stands(const struct seat *one, enum seat_line l);
/* Everybody to a line; mapped: only who has a stream. */
void seats_call(struct seats *s, enum seat_line l, bool mapped);

#endif

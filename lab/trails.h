/* SPDX-License-Identifier: ISC */
/* Which captured packets are one and the same datagram: the trail that it
 * leaves through the boxes of a lab, with its addresses at each. */
#ifndef NATKIT_TRAILS_H
#define NATKIT_TRAILS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "describe.h"
#include "packet.h"
#include "places.h"

#define TRAIL_HOPS 12
#define TRAIL_REASON 24
#define TRAIL_RULE 96
#define TRAILS_MAX 50000
#define TRAILS_BUCKETS 65536

struct trail_hop {
	int box;
	bool in, out;		/* seen coming, seen leaving */
	uint32_t in_at, out_at; /* the interfaces, by number */
	uint8_t in_ttl, out_ttl;
	uint64_t in_ns, out_ns;
	struct addr in_from, in_to, out_from, out_to;
};

enum trail_end {
	TRAIL_ARRIVED,
	TRAIL_DROPPED, /* with a reason */
	TRAIL_LOST,    /* left the last box, and never came anywhere */
	TRAIL_ENDED,   /* at the last box; nothing tells why */
};

struct trail {
	struct trail_hop hop[TRAIL_HOPS];
	size_t n;
	uint64_t hash;
	uint64_t begin_ns;
	uint8_t protocol;
	struct describe what;
	bool duplicate; /* of another one, made on the wire */
	enum trail_end end;
	char reason[TRAIL_REASON]; /* of TRAIL_DROPPED */
	char rule[TRAIL_RULE];
	size_t next; /* with the same hash; index + 1, 0 for none */
};

/* A packet at one interface of one box. */
struct sight {
	uint64_t ns; /* since 1970 */
	int box;
	uint32_t at; /* the interface */
	bool out;
	const struct packet *packet;
	const struct describe *what;
};

struct trails {
	struct trail *trail; /* in the order of their first sights */
	size_t n, cap;
	size_t *bucket;	   /* index + 1 of the newest */
	uint64_t left_out; /* beyond TRAILS_MAX */
};

int trails_init(struct trails *t); /* 0 or -ENOMEM */
void trails_free(struct trails *t);
/* Did the box send it (true), or get it? -ENOENT: neither, it was switched
 * through. */
int trails_direction(
    const struct place *box, const struct packet *p, bool *out);
/* Sights must come in the order of their times. Returns 0 or -ENOMEM. */
int trails_add(struct trails *t, const struct sight *s);
/* A drop that nat-watch told of. Returns the trail that ended there, or NULL
 * when none was captured. */
struct trail *trails_drop(struct trails *t, int box, uint8_t protocol,
    const struct addr *from, const struct addr *to, uint64_t ns,
    const char *reason, const char *rule);
/* When all is told: how each one ended, and who translated. */
void trails_settle(struct trails *t, struct places *places);

#endif

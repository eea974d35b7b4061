/* SPDX-License-Identifier: ISC */
/* TURN allocations (RFC 8656 section 3.2), with their permissions and channels:
 * a table in fixed memory, by way and by number, and a wheel of seconds that
 * tells which are due. What they mean is turnserver.c's and turndata.c's. */
#ifndef NATKIT_ALLOCATION_H
#define NATKIT_ALLOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "stun.h"
#include "turnserver.h"
#include "way.h"

#define ALLOCATION_NONE UINT32_MAX
#define ALLOCATION_USER_LEN 16

/* All times are seconds of the monotonic clock, rounded up: it is not there any
 * more when the clock, rounded down, has come to until_s; 0 is nothing. */
struct permission {
	uint8_t ip[16];
	uint32_t until_s;
	uint8_t family;
};

struct channel {
	uint8_t ip[16];
	uint32_t until_s;
	uint16_t port, number;
	uint8_t family;
};

struct relayed {
	struct addr at;
	uint32_t until_s;
	uint16_t error; /* why it could not be had: ADDRESS-ERROR-CODE */
};

struct allocation {
	struct way way;
	struct account *account;   /* NULL: the place is free */
	struct relayed relayed[2]; /* IPv4, IPv6 */
	struct permission permission[TURN_PERMISSIONS];
	struct channel channel[TURN_CHANNELS];
	uint8_t tid[STUN_TID_LEN]; /* of its Allocate */
	uint8_t user[ALLOCATION_USER_LEN];
	/* the port that is held for who shows the token */
	uint32_t token, reserved_until_s;
	uint16_t reserved_port;
	uint8_t reserved_family;
	uint32_t place; /* of its address in the crowd */
	uint32_t due_s;
	uint32_t next; /* of the same hash, or free */
	uint32_t due_next, due_prev;
};

struct allocations {
	struct allocation *all;
	uint32_t *heads; /* by way */
	uint32_t *wheel; /* by due_s */
	uint32_t max, used, mask, free;
	uint32_t now_s; /* the wheel stands here */
	uint8_t key[16];
};

static inline uint32_t
allocation_until(uint64_t now_ms, uint32_t lifetime_s)
{
	return (uint32_t)((now_ms + 999) / 1000) + lifetime_s;
}

static inline bool
allocation_is_live(uint32_t until_s, uint64_t now_ms)
{
	return now_ms / 1000 < until_s;
}

/* 0 for IPv4, 1 for IPv6: of relayed[], and the lowest bit of a port's index. */
static inline unsigned int
allocation_half(uint8_t family)
{
	return family == ADDR_V6 ? 1 : 0;
}

int allocations_init(struct allocations *t, uint32_t max); /* 0, -ENOMEM */
void allocations_free(struct allocations *t);
size_t allocations_memory(const struct allocations *t); /* bytes */

struct allocation *allocations_find(
    const struct allocations *t, const struct way *way);
struct allocation *allocations_at(const struct allocations *t, uint32_t i);
uint32_t allocations_index(
    const struct allocations *t, const struct allocation *a);
/* A zeroed one at that way, which has none yet; NULL: full. */
struct allocation *allocations_take(
    struct allocations *t, const struct way *way, struct account *account);
void allocations_give(struct allocations *t, struct allocation *a);

/* To be called when a time of it has changed, but for those of permissions and
 * channels, which nobody waits for. */
void allocations_schedule(struct allocations *t, struct allocation *a);
/* One of which something has run out, or NULL. It has to be scheduled anew, or
 * given back. */
struct allocation *allocations_due(struct allocations *t, uint64_t now_ms);
/* When the next one will be due; UINT64_MAX: none is there. */
uint64_t allocations_next_ms(const struct allocations *t);

bool permission_is_there(const struct permission list[TURN_PERMISSIONS],
    const struct addr *peer, uint64_t now_ms);
/* Installs or refreshes. False: no place. */
bool permission_put(struct permission list[TURN_PERMISSIONS],
    const struct addr *peer, uint64_t now_ms);

const struct channel *channel_by_number(
    const struct allocation *a, uint16_t number, uint64_t now_ms);
const struct channel *channel_by_peer(
    const struct allocation *a, const struct addr *peer, uint64_t now_ms);
struct addr channel_peer(const struct channel *c);
/* Binds or refreshes. Returns 0, -EEXIST when the number or the peer is bound
 * otherwise, -ENOSPC. */
int channel_put(struct allocation *a, uint16_t number, const struct addr *peer,
    uint64_t now_ms);

#endif

/* SPDX-License-Identifier: ISC */
/* Who is registered, and whom each client wants to meet: clients, their wants
 * (edges), hash tables and lists over fixed arrays. Nothing is allocated
 * after registry_init; what does not fit is refused. Clients and edges are
 * named by their index. */
#ifndef NATKIT_REGISTRY_H
#define NATKIT_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "limit.h"
#include "path.h"
#include "wire.h"

#define REGISTRY_NONE UINT32_MAX
#define REGISTRY_WANTS 64 /* of one client */
#define REGISTRY_CLIENTS_MAX 4000000

/* A client's want of one peer, and what goes on between the two. */
struct edge {
	uint8_t key[KEY_LEN]; /* whom the owner wants */
	uint8_t tag[WIRE_TAG_LEN];
	uint32_t owner; /* client */
	uint32_t next;	/* edge of the same owner, or free */
	uint32_t peer;	/* the edge back, when there is one */
	/* the owner's READY */
	uint32_t mine, theirs; /* generations */
	uint16_t rtt_ms, skew_ms;
	uint64_t moment_ms; /* of GO */
	/* what the owner has yet to be told (introducer.c) */
	uint64_t due_ms;
	uint32_t queue_prev, queue_next;
	uint32_t version; /* of what is pending; part of the push's id, so it
			   * goes on rising when the edge is used again */
	uint8_t pending;  /* enum introducer_push bits */
	uint8_t tries;
	bool queued;
	bool told;  /* PEER was pushed and no GONE since */
	bool ready; /* READY came for these generations and tags */
	bool went;  /* and was answered with GO */
	bool stale; /* of an earlier session, and not confirmed in this one */
};

struct member {
	uint8_t key[KEY_LEN];
	struct session session;
	struct path path;
	uint32_t place; /* whose share it takes: the latest that it proved */
	uint64_t timestamp_ns;	    /* of its HELLO */
	uint64_t since_ms, seen_ms; /* session, latest packet */
	uint64_t stale_ms;	    /* when stale edges go; 0: there are none */
	struct bucket bucket;
	uint32_t id_next, key_next; /* hash chains; free list */
	uint32_t older, newer;	    /* by seen_ms */
	uint32_t edges, n_edges;
	/* Until a client that moved has answered from its new address, only
	 * so many bytes may be sent there unasked: an address that it does
	 * not have can't be flooded through us. */
	uint32_t credit;
	bool proven;
	bool stalled; /* a push was given up */
	bool used;
};

struct registry {
	struct member *clients;
	uint32_t max, count;
	uint32_t *by_id, *by_key;
	uint32_t mask; /* of both tables */
	uint32_t free_client, oldest, newest;

	struct edge *edges;
	uint32_t edges_max, edges_count, free_edge;

	struct place *places; /* addresses and sites of clients, counted */
	uint32_t *by_place, free_place;
	uint32_t per_address;
	uint32_t wants_per_address; /* its share of the pool of edges */

	uint8_t secret[LIMIT_KEY_LEN]; /* of all hashing */
	size_t memory;		       /* bytes */
};

/* per_address: clients that one address (IPv6: one /64) may hold; a /48 may
 * hold LIMIT_WIDE times as many. Returns 0,
 * or -ENOMEM. All memory is touched, so that it is there when needed. */
int registry_init(struct registry *r, uint32_t max, uint32_t per_address);
void registry_free(struct registry *r);

/* These give REGISTRY_NONE when there is none. */
uint32_t registry_by_id(
    const struct registry *r, const uint8_t id[WIRE_ID_LEN]);
uint32_t registry_by_key(const struct registry *r, const uint8_t key[KEY_LEN]);
/* The edge by which a client wants key. */
uint32_t registry_edge(
    const struct registry *r, uint32_t client, const uint8_t key[KEY_LEN]);

/* May a key that is not registered be added from this address? */
bool registry_has_room(const struct registry *r, const struct addr *from);
/* A new client, or (its key is there) its new session: wants stay, stale.
 * Returns the client, REGISTRY_NONE when full. */
uint32_t registry_add(struct registry *r, const uint8_t key[KEY_LEN],
    const struct session *s, const struct path *path, uint64_t timestamp_ns,
    uint64_t now_ms);
/* The client must have no edges any more. */
void registry_remove(struct registry *r, uint32_t client);
void registry_seen(struct registry *r, uint32_t client, uint64_t now_ms);
/* It says that it is at another address, and still takes its share of the old
 * one: else many could be registered from one, each moved out of the way. */
void registry_move(struct registry *r, uint32_t client, const struct path *p);
/* It has proven its address, and takes a share of that, if there is room. */
void registry_proven(struct registry *r, uint32_t client);

/* A new edge, not linked to a peer's. REGISTRY_NONE when the client's limit,
 * its address's share or the pool is used up. */
uint32_t registry_want(
    struct registry *r, uint32_t client, const uint8_t key[KEY_LEN]);
void registry_unwant(struct registry *r, uint32_t edge);

#endif

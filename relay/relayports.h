/* SPDX-License-Identifier: ISC */
/* The relayed ports of TURN allocations (RFC 8656 section 7.2): opened at
 * random within a range when an allocation is made, held in reserve for
 * EVEN-PORT, closed when it ends. */
#ifndef NATKIT_RELAYPORTS_H
#define NATKIT_RELAYPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "loop.h"
#include "train.h"
#include "turnserver.h"

struct relayports_config {
	struct addr at[2];	 /* IPv4, IPv6; ADDR_NONE: not this family */
	struct addr external[2]; /* as peers see them */
	uint16_t low, high;
	uint32_t allocations; /* two ports each at most */
	uint16_t first;	      /* train_index of port 0 */
	bool gso;
	/* A relayed port has something to read. */
	void (*readable)(void *arg, uint32_t index, struct train *t);
	void *arg;
};

struct relayports;

int relayports_new(struct relayports **out, struct loop *l,
    struct trains *trains, const struct relayports_config *config);
void relayports_free(struct relayports *p);
/* For turn_new. */
struct turn_ports relayports_turn(struct relayports *p);
/* NULL when it is not open. */
struct train *relayports_train(const struct relayports *p, uint32_t index);
/* Is this one of ours: an open relayed port of that family? */
bool relayports_open_at(const struct relayports *p, int family, uint16_t port);
size_t relayports_count(const struct relayports *p);
size_t relayports_memory(const struct relayports *p);

#endif

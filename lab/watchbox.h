/* SPDX-License-Identifier: ISC */
/* One box that is watched: netfilter's messages in, records out. */
#ifndef NATKIT_WATCHBOX_H
#define NATKIT_WATCHBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable.h"
#include "netns.h"
#include "record.h"
#include "rulebook.h"
#include "traced.h"

typedef void watchbox_fn(void *arg, const struct record *r);

struct watchbox {
	char name[NETNS_NAME];
	struct rulebook rules;
	struct flowtable flows;
	struct traced traced;
	struct netns_addr addr[NETNS_ADDRS];
	size_t naddr;
	bool forwards;
	uint32_t outside; /* the interface, as netns_outside() has it */
	bool telling;	  /* what was there before is not news */
	watchbox_fn *fn;
	void *arg;
};

/* table is the witness's own. Returns 0 or -ENOMEM. */
int watchbox_init(struct watchbox *b, const char *name, const char *table,
    watchbox_fn *fn, void *arg);
void watchbox_free(struct watchbox *b);
/* One message, from the nfgenmsg on; malformed ones are ignored. Both clocks:
 * monotonic, and microseconds since 1970. */
void watchbox_feed(struct watchbox *b, uint16_t type, uint16_t flags,
    const uint8_t *data, size_t len, uint64_t now_ms, uint64_t wall_us);
/* Tells of packets that went nowhere, in the box's namespace; returns when to
 * call it again. */
uint64_t watchbox_tick(struct watchbox *b, uint64_t now_ms);

#endif

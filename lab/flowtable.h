/* SPDX-License-Identifier: ISC */
/* The mappings of one box (RFC 4787 section 4.1), as its connection tracking
 * tells of them: what each entry stands for, and which of them got in each
 * other's way. */
#ifndef NATKIT_FLOWTABLE_H
#define NATKIT_FLOWTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "ctevent.h"

#define FLOWTABLE_MAX 4096 /* entries; the oldest are forgotten */

struct flow {
	uint32_t id;
	uint8_t protocol;
	struct addr internal, external, remote;
	bool translated;
	bool own; /* no translation, and the box itself is the target */
	bool used;
};

enum flow_state {
	FLOW_MADE,
	FLOW_REFRESHED,
	FLOW_EXPIRED,
};

/* What an event comes to. */
struct flow_news {
	struct flow flow;
	enum flow_state state;
	uint32_t timeout_s;
	bool clash; /* the external port is not the internal one, because an
		     * entry of the NAT itself has that one for this remote */
};

struct flowtable {
	struct flow *flow; /* FLOWTABLE_MAX of them */
	size_t n;
	size_t next;
};

int flowtable_init(struct flowtable *t); /* 0 or -ENOMEM */
void flowtable_free(struct flowtable *t);
/* local: is the address one of the box itself? */
void flowtable_step(struct flowtable *t, const struct ctevent *e,
    bool (*local)(void *arg, const struct addr *ip), void *arg,
    struct flow_news *out);
/* Is there a mapping of a host inside with this external endpoint? */
bool flowtable_mapped(
    const struct flowtable *t, uint8_t protocol, const struct addr *external);

#endif

/* SPDX-License-Identifier: ISC */
/* What the files of the TURN client share: turnclient.c asks, turnanswer.c takes
 * answers and data, turnpeers.c keeps grants and routes. */
#ifndef NATKIT_TURNASK_H
#define NATKIT_TURNASK_H

#include "turnclient.h"

/* The request is over, if it was open, and comes again then. */
static inline void
turn_ask_at(struct turn_ask *a, uint64_t due_ms)
{
	a->open = false;
	a->due_ms = due_ms;
}

void turn_down(struct turnclient *c, int code);
/* Does the allocation have an address of this one's family? */
bool turn_has_family(const struct turnclient *c, const struct addr *a);
void turn_grant_begin(
    struct turnclient *c, struct turn_grant *g, uint64_t now_ms);
void turn_route_begin(
    struct turnclient *c, struct turn_route *r, uint64_t now_ms);
/* Who has, or has had, this channel of the allocation; NULL: nobody. */
const struct addr *turn_channel_peer(
    const struct turnclient *c, uint16_t channel);
struct turn_grant *turn_grant_find(
    const struct turnclient *c, const struct addr *ip);

#endif

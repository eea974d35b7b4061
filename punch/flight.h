/* SPDX-License-Identifier: ISC */
/* Checks in flight: the transaction ids of the latest ones to one address.
 * Every check has an id of its own, retransmissions too, so an answer tells
 * exactly which one it is for, and how long it took. */
#ifndef NATKIT_FLIGHT_H
#define NATKIT_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "stun.h"

#define FLIGHT_SLOTS 8 /* the older ones are forgotten */

struct flight_slot {
	uint8_t tid[STUN_TID_LEN];
	uint64_t at_us; /* when it was sent */
	bool used;
	bool nominate; /* it carried USE-CANDIDATE */
};

struct flight {
	struct flight_slot slot[FLIGHT_SLOTS];
	unsigned next;
};

void flight_add(struct flight *f, const uint8_t tid[STUN_TID_LEN],
    bool nominate, uint64_t now_us);
/* Takes the id out (an answer counts once) into *out; false when it is not
 * one of ours. */
bool flight_take(
    struct flight *f, const uint8_t tid[STUN_TID_LEN], struct flight_slot *out);
bool flight_has(const struct flight *f, const uint8_t tid[STUN_TID_LEN]);

#endif

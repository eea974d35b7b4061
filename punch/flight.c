/* SPDX-License-Identifier: ISC */
/* Checks in flight: the transaction ids of the latest ones to one address. */
#include "flight.h"

#include <string.h>

static int
find(const struct flight *f, const uint8_t tid[STUN_TID_LEN])
{
	for (int i = 0; i < FLIGHT_SLOTS; i++)
		if (f->slot[i].used &&
		    memcmp(f->slot[i].tid, tid, STUN_TID_LEN) == 0)
			return i;
	return -1;
}

void
flight_add(struct flight *f, const uint8_t tid[STUN_TID_LEN], bool nominate,
    uint64_t now_us)
{
	struct flight_slot *s = &f->slot[f->next];

	memcpy(s->tid, tid, STUN_TID_LEN);
	s->at_us = now_us;
	s->used = true;
	s->nominate = nominate;
	f->next = (f->next + 1) % FLIGHT_SLOTS;
}

bool
flight_take(
    struct flight *f, const uint8_t tid[STUN_TID_LEN], struct flight_slot *out)
{
	int i = find(f, tid);

	if (i == -1)
		return false;
	*out = f->slot[i];
	f->slot[i].used = false;
	return true;
}

bool
flight_has(const struct flight *f, const uint8_t tid[STUN_TID_LEN])
{
	return find(f, tid) != -1;
}

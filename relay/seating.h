/* SPDX-License-Identifier: ISC */
/* Who may use our allocation, and where each one sits: peers that are named
 * with their port have a seat from the beginning, those of whom only the
 * address is known get one when they send. Bounded, whatever they send. */
#ifndef NATKIT_SEATING_H
#define NATKIT_SEATING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "loop.h"
#include "seat.h"
#include "turnclient.h"

#define SEATING_PER_ADDRESS 16 /* of peers whose port is not named */
#define SEATING_IDLE_MS 60000  /* until one of them may have to go */

struct seating;

struct seating_place {
	struct seating *owner;
	struct addr peer; /* ADDR_NONE: free */
	bool named;
	uint64_t used_ms;
	struct seat *seat;
};

struct seating {
	struct loop *loop;
	struct turnclient *client;
	uint16_t daemon;    /* or 0 */
	uint16_t next_port; /* of the next named one, or 0 */
	/* A datagram from the daemon for a peer. */
	void (*outgoing)(void *arg, const struct addr *peer,
	    const uint8_t *data, size_t len);
	/* A seat is there, or (local NULL) no more. */
	void (*seated)(
	    void *arg, const struct addr *peer, const struct addr *local);
	void *arg;
	uint64_t refused; /* datagrams that nobody may send, or has room for */
	uint64_t unheard; /* without a daemon */
	struct addr open[TURNCLIENT_GRANTS]; /* any port may send */
	struct seating_place place[TURNCLIENT_ROUTES];
};

/* "ADDRESS" (port 0) or "ADDRESS:PORT". False: neither, or nobody. */
bool seating_peer(struct addr *out, const char *text);
/* port 0: any. Returns 0, -ENOSPC, -EINVAL: any port, but no daemon is
 * known; or -errno of the socket. */
int seating_permit(struct seating *s, const struct addr *peer);
/* Returns 0 or -ENOENT. */
int seating_forbid(struct seating *s, const struct addr *peer);
/* "permit PEER" or "forbid PEER", which is changed. Returns NULL, or what is
 * wrong with it. */
const char *seating_command(struct seating *s, char *line);
/* A datagram of a peer. */
void seating_deliver(struct seating *s, const struct addr *peer,
    const uint8_t *data, size_t len);
void seating_free(struct seating *s);

#endif

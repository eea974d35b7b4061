/* SPDX-License-Identifier: ISC */
/* One peer of nat-punch: a check list of the direct ways and one of relays, and
 * how the two get along (DESIGN.md, "The relay"). Pure, as they are. */
#ifndef NATKIT_PEER_H
#define NATKIT_PEER_H

#include "checklist.h"
#include "choice.h"
#include "intake.h"
#include "key.h"

/* The peer has said that it needs the relay, and says so once a period. */
#define PEER_NEEDED_US 2500000u
/* Of a binding that has begun. */
#define PEER_EXPECT_US 5000000u
/* Since an introduction, with nothing but relays: one is bound, or it has
 * failed. */
#define PEER_UNSERVED_US 5000000u

struct peer {
	uint8_t key[KEY_LEN];
	bool asked;	 /* a peer record named it */
	bool relay_only; /* nothing direct is sent or answered */
	struct checklist list;
	struct checklist relay;
	struct choice choice;
	uint64_t expect_us;   /* a relay may be bound until then */
	uint64_t unserved_us; /* relay_only: to be bound by then; 0 never */
	uint64_t needed_us;   /* the peer needs the relay until then */
	bool needs;	      /* our checks have said that we need it */
	bool told;	      /* through the relay: our NATs are open */
	struct addr source;   /* of ours, when the direct path was found */
	uint64_t next_us;     /* when to step it */
	struct outputs out;
};

void peer_init(
    struct peer *p, const uint8_t key[KEY_LEN], bool again, bool relay_only);
/* A record that names it. Returns 0, or -errno and in *wrong what to say. */
int peer_apply(struct peer *p, const struct intake *in, uint64_t now_us,
    const char **wrong);
/* As checklist_receive. */
int peer_receive(struct peer *p, const struct stun_msg *m,
    const struct addr *from, const struct addr *local, uint64_t now_us);
void peer_port_error(
    struct peer *p, const struct addr *remote, int error, uint64_t now_us);
/* Does what is due; returns when to call again. */
uint64_t peer_step(struct peer *p, uint64_t now_us);
/* The next datagram to send or report to say; false when there is none. To be
 * called until then after all of the above. */
bool peer_take(struct peer *p, struct output *out);

/* Of both lists: PATH_WAITING, _DIRECT, _RELAYED, _FAILED, or _CHECKING for all
 * else. */
enum path_state peer_state(const struct peer *p, uint64_t now_us);
/* Nothing more will happen by itself. */
bool peer_settled(const struct peer *p, uint64_t now_us);
/* What it still waits for, in words. */
const char *peer_missing(const struct peer *p);

#endif

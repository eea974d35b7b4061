/* SPDX-License-Identifier: ISC */
/* What tunnel.c, link.c and talk.c share: a link's inside. Nobody else looks at
 * it. */
#ifndef NATKIT_LINKPART_H
#define NATKIT_LINKPART_H

#include "joint.h"
#include "limit.h"
#include "link.h"
#include "loop.h"
#include "psk.h"
#include "seats.h"
#include "tunnel.h"

#define LINK_MOST 65535 /* bytes of a datagram: what the library finds */
#define LINK_OLD 3	/* endpoints that are still heard */
#define LINK_HALF 4	/* connections that a peer began and did not finish */
/* Ids of first packets that had their connection: a recorded one that is played
 * again gets none. Bytes of each: the part that is chance. */
#define LINK_ACCEPTED 64
#define LINK_ACCEPTED_ID 8

/* One connection. */
struct talk {
	struct link *link;
	struct quic *quic;
	struct talk *next; /* that waits to be freed */
	bool ours;	   /* we dialed */
	uint32_t number;   /* of the link */
	uint64_t begun_ms;
};

struct link {
	struct tunnel *tunnel;
	struct link *next; /* that is touched */
	uint8_t key[KEY_LEN];
	uint8_t psk[PSK_LEN], peer_psk[PSK_LEN]; /* as quic_config */

	struct addr endpoint, old[LINK_OLD];
	char reason[64];
	enum link_path path;
	enum quic_end last;
	uint64_t path_since_ms;
	size_t most;	     /* bytes of a datagram */
	uint64_t tried_ms;   /* since when long ones were sent; 0: not yet */
	uint64_t wide_at_ms; /* when they are, or were, tried again */
	uint32_t narrow_ms;  /* between tries; 0: no need */

	struct talk *up, *dial, *half[LINK_HALF];
	struct talk *over; /* no more used, but perhaps in a call */
	uint64_t up_since_ms, idle_since_ms;
	uint64_t dial_at_ms;
	uint32_t backoff_ms;
	uint32_t generation, connections, talks;

	struct seats seats;
	struct joint *joints;
	struct seat *asked;	/* whose chunk quic_write has */
	size_t burst;		/* bytes of datagrams since a stream's turn */
	uint64_t wait_until_ms; /* the first joint that waits no more */

	uint64_t memory;
	uint64_t bytes_in, bytes_out, dropped, refused;
	struct bucket accepts, resets;
	uint8_t accepted[LINK_ACCEPTED][LINK_ACCEPTED_ID];
	uint32_t n_accepted;
	struct event *timer;
	uint64_t timer_ns;

	bool greater; /* our key is: our dial goes before theirs */
	bool dead;    /* tunnel_forget; freed when nobody is in it any more */
	bool moved;   /* the connection does not know of its path yet */
	bool met;     /* the peer has been heard on that path */
	bool wanted;
	bool yielded;	      /* waited once for the peer's own dial */
	bool short_of_memory; /* somebody was refused */
	bool touched, changed;
};

/* ---- tunnel.c ---- */

const struct tunnel_config *tunnel_config_of(const struct tunnel *t);
/* Its turn comes soon. */
void tunnel_touch(struct tunnel *t, struct link *l);
/* Its turn, now, from a timer. */
void tunnel_turn(struct tunnel *t, struct link *l);
/* The endpoints of a link have changed. */
void tunnel_moved(struct tunnel *t, struct link *l);
/* Room for a datagram or a train of them; tunnel_put sends what was written to
 * its beginning. */
uint8_t *tunnel_room(struct tunnel *t);
void tunnel_put(
    struct tunnel *t, const struct addr *to, size_t len, size_t seg);
/* A datagram that lies elsewhere, at once. */
void tunnel_send(
    struct tunnel *t, const struct addr *to, const uint8_t *data, size_t len);

/* ---- link.c ---- */

int link_new(struct link **out, struct tunnel *t, const uint8_t key[KEY_LEN]);
/* Says good-bye and ends all joints; link_free takes the memory. */
void link_close(struct link *l);
void link_free(struct link *l);
/* Whether it is one of its endpoints. */
bool link_is_at(const struct link *l, const struct addr *from);
/* Another link has it now. */
void link_lose(struct link *l, const struct addr *endpoint);
void link_changed(struct link *l);
bool link_has_room(const struct link *l); /* in its budget */

/* ---- dialer.c ---- */

#define LINK_TALKS (2 + LINK_HALF)
/* i from 0 to LINK_TALKS - 1; NULL: there is none */
struct talk *link_talk(const struct link *l, size_t i);
bool link_owns(const struct link *l, const struct quic_head *head);
/* A datagram of one of its endpoints. */
void link_packet(
    struct link *l, const struct addr *from, const uint8_t *data, size_t len);
/* It is established: joints are its from now on. */
void link_promote(struct link *l, struct talk *t);
void link_ended(struct link *l, struct talk *t, enum quic_end end);
/* Ends the joints of the connection, without a word to the peer. */
void link_down(struct link *l, enum joint_end why);
void link_free_over(struct link *l);
bool link_wants_dial(const struct link *l);
void link_dial(struct link *l); /* if it is wanted, and due */
/* Dials at once: what was sent before has been in vain. */
void link_redial(struct link *l);
void link_fill_buckets(struct link *l);

/* ---- linkturn.c ---- */

/* Does what there is to do. True: there is more. */
bool link_turn(struct link *l);
void link_timer_cb(evutil_socket_t fd, short events, void *arg);

/* ---- talk.c ---- */

#define TALK_CUT 1 /* code of an end that cuts streams off; 0: cuts none */

int talk_dial(struct talk **out, struct link *l);
/* As quic_accept. */
int talk_accept(
    struct talk **out, struct link *l, const uint8_t *data, size_t len);
void talk_free(struct talk *t);
enum quic_end talk_read(struct talk *t, const uint8_t *data, size_t len);
enum quic_end talk_expire(struct talk *t);
/* Sends at most so many bytes (and a train more). True: there is more. */
bool talk_write(struct talk *t, size_t most);
/* Is the path too narrow for what we send? */
bool talk_is_choked(const struct talk *t);
void talk_close(struct talk *t, uint64_t code);

#endif

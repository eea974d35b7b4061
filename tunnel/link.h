/* SPDX-License-Identifier: ISC */
/* A link: the path to one peer, and the QUIC connection on it, dialed when
 * somebody wants something of the peer, again and again with backoff as long as
 * somebody does. A new path is a new place to send to and nothing else; the
 * connection does not learn of it. */
#ifndef NATKIT_LINK_H
#define NATKIT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "key.h"
#include "quic.h"

struct joint;
struct link;
struct tunnel;

enum link_path {
	LINK_NONE,    /* nothing known yet */
	LINK_WAITING, /* for the peer, or for a proof */
	LINK_RELAYED,
	LINK_DIRECT,
	LINK_FAILED, /* or lost: reason says why */
};

/* "waiting" (also for none), "relayed", "direct", "failed". */
const char *link_path_name(enum link_path path);
/* Direct or relayed? */
bool link_path_stands(enum link_path path);
const uint8_t *link_key(const struct link *l);
/* What a path record of nat-punch said. endpoint counts with RELAYED and
 * DIRECT; otherwise the last one stays in use until a new one comes (what QUIC
 * can't reach it finds out by itself). reason: a word or NULL. */
void link_path(struct link *l, enum link_path state,
    const struct addr *endpoint, const char *reason);
/* Dials as long as somebody wants it: joints that wait do so by themselves, a
 * route (-R) by this. */
void link_want(struct link *l, bool wanted);

struct link_status {
	uint8_t key[KEY_LEN];
	enum link_path path;
	struct addr endpoint; /* ADDR_NONE: none yet */
	char reason[64];      /* why not direct, or not at all; "" */
	uint64_t path_since_ms;
	bool up; /* there is an established connection */
	bool dialing;
	bool
	    awaited; /* somebody waits for a connection, or wants one for ever */
	uint64_t up_since_ms;	/* monotonic, of this connection */
	enum quic_end last;	/* how the last one ended */
	uint32_t connections;	/* established since the start */
	struct quic_stats quic; /* when up */
	uint32_t streams;
	uint64_t bytes_in, bytes_out; /* of streams and datagrams */
	uint64_t datagrams_dropped;
	uint64_t memory, budget; /* bytes of buffers */
	uint64_t refused; /* packets that were no proof, of this peer's path */
};
void link_status(const struct link *l, struct link_status *out);

/* ---- for joint.c ---- */

/* The established connection, or NULL. */
struct quic *link_quic(struct link *l);
/* Changes whenever another connection takes over. */
uint32_t link_generation(const struct link *l);
/* Waits in line for the connection: joint_link_up is called, from the loop, when
 * there is one. A joint leaves the line by link_map or link_delist: one that
 * could not open its stream (quic_open: -EAGAIN) keeps its place and is called
 * again when the peer allows more (may_open). When wait_ms passed before that
 * (UINT32_MAX: never), joint_gone with JOINT_NO_PATH. Returns 0, -ENOMEM, -EPIPE (tunnel_forget). */
int link_enlist(struct link *l, struct joint *j, uint32_t wait_ms);
/* Forgets it in all of its lists; the id of its stream stays mapped. */
void link_delist(struct link *l, struct joint *j);
/* stream id -> joint of the current connection. The peer's streams are mapped
 * by the link itself when joint_incoming returns. Returns 0 or -ENOMEM. */
int link_map(struct link *l, int64_t id, struct joint *j);
void link_unmap(struct link *l, int64_t id);
/* It has bytes, an end, or a datagram to send: joint_next will be asked. Cheap
 * when it was said before. */
void link_ready(struct link *l, struct joint *j);
/* It has received data that is not written to its descriptor yet: joint_flush
 * will be called at the end of this batch. */
void link_dirty(struct link *l, struct joint *j);
/* A place of the link's for the head of joint.c's own list. */
struct joint **link_joints(struct link *l);
/* Something was done to the quic (credit, reset, open): let it write, soon. */
void link_kick(struct link *l);
/* Buffers: takes bytes from the peer's budget. false: there is no room. */
bool link_charge(struct link *l, uint64_t bytes);
void link_refund(struct link *l, uint64_t bytes);
/* Whoever was refused by link_charge is called (joint_room) when there is room. */
/* What a QUIC datagram of a stream begins with: its id (both sides open streams,
 * so all of it) as a varint (RFC 9000 section 16). The link takes it off again:
 * joint_datagram gets what follows. Returns its length. */
#define LINK_TAG_MAX 8
size_t link_tag(int64_t id, uint8_t out[LINK_TAG_MAX]);
void link_count(struct link *l, uint64_t in, uint64_t out, uint64_t dropped);
struct tunnel *link_tunnel(struct link *l);
struct loop *link_loop(struct link *l);
/* A joint of the peer's has read its opening: hands it to the program. */
void link_opened(struct link *l, struct joint *j);

#endif

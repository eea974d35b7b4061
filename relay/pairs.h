/* SPDX-License-Identifier: ISC */
/* Plain pairs: datagrams between two bound addresses, as they are. A pure
 * table: requests, datagrams' addresses and a clock go in, answers and ways
 * come out. The engine (engine.c) has the sockets.
 *
 * BIND (method 0x0e5) by a client, from its daemon's own port:
 *
 *   request  [LIFETIME 0: unbind] [CHANNEL-NUMBER: over a stream]
 *            USERNAME NONCE MESSAGE-INTEGRITY-SHA256 FINGERPRINT
 *   success  XOR-MAPPED-ADDRESS LIFETIME MESSAGE-INTEGRITY-SHA256 FINGERPRINT
 *   error    ERROR-CODE [NONCE] [ALTERNATE-SERVER] [integrity] FINGERPRINT
 *
 * Without a right NONCE: 401 (438 for a stale one) with NONCE, shorter than
 * the request (or not at all: a first request has its USERNAME, too), and nothing
 * is looked at but the address's rate. Wrong integrity, or a name that is none: 401
 * without NONCE. 403: expired; 486: too many of this key or address; 508: the
 * table is full, or we drain. 300 with ALTERNATE-SERVER (integrity protected):
 * bind there, this socket has another pair of that key (or takes no datagrams,
 * as the main one). 400, 420: not a BIND as above.
 *
 * 438 also answers a request from another address than the side's that shows an older
 * NONCE than the side has shown: a late copy must not move it back. LIFETIME is how
 * long the side stays if it does nothing, and not more than PAIRS_LIFETIME_S.
 *
 * A datagram from an address that is not bound, but whose IP address a side at that
 * socket has, is dropped and may be that side's behind a NAT that has forgotten it. So it
 * is answered by a Binding success, a hint to bind again (pairs_hint says when). */
#ifndef NATKIT_PAIRS_H
#define NATKIT_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "credential.h"
#include "limit.h"
#include "way.h"

#define PAIRS_PORTS_MAX 64
#define PAIRS_UNUSED_MS 30000 /* until the first datagram went through */
#define PAIRS_IDLE_MS 300000  /* since a datagram or a BIND of that side */
#define PAIRS_LIFETIME_S 60   /* told: bind again before that */
#define PAIRS_HINT_RATE 10    /* per second, of one pair */
#define PAIRS_HINT_BURST 2    /* a NAT may change its mind at once */
#define PAIRS_HINT_SIDES 8    /* of one IP address, so many are looked at */
#define PAIRS_EXPIRY_S 604800 /* a credential that lasts longer is refused */
#define PAIRS_CHANNEL_MIN 0x4000
#define PAIRS_CHANNEL_MAX 0x4fff /* RFC 8656 section 12 */

struct pairs_config {
	uint32_t max; /* pairs */
	/* sockets first_socket ... of each family take datagrams, ports of
	 * them: at[family == ADDR_V6][k], as clients see them (ADDR_NONE:
	 * that family is not there). Socket numbers are
	 * first_socket + k for IPv4, first_socket + ports + k for IPv6. */
	uint16_t first_socket;
	uint16_t ports;
	struct addr at[2][PAIRS_PORTS_MAX];
	const struct credential_secret *secrets; /* any of them signs */
	size_t n_secrets;
	uint32_t bind_rate;   /* per second and address, unproven and proven */
	uint32_t per_address; /* sides of one address (limit_wide as usual) */
	size_t limit_slots;   /* addresses with a rate; 0: 4096 */
};

struct pairs;

/* Where a datagram goes. channel is for a stream, 0 otherwise. */
struct pairs_hop {
	struct way to;
	uint16_t channel;
};

/* Returns 0, -EINVAL, -ENOMEM. */
int pairs_new(struct pairs **out, const struct pairs_config *config,
    struct accounts *accounts);
void pairs_free(struct pairs *p);

/* A request of method NATKIT_BIND (parsed, FINGERPRINT right). Returns the
 * length of the answer, 0 for none. wall_s is for expiries. */
int pairs_bind(struct pairs *p, const struct way *from,
    const struct stun_msg *m, uint64_t now_ms, uint64_t wall_s, uint8_t *out,
    size_t cap);
/* Datagrams, of len bytes in all, that came to a socket (channel is 0) or on a
 * stream's channel. False: nothing is bound there, or not at the other side, or
 * over a limit (counted), and they are dropped. As pure as a look-up that counts can be:
 * this is what a kernel path (XDP) would do instead. */
bool pairs_forward(struct pairs *p, const struct way *from, uint16_t channel,
    size_t len, unsigned int datagrams, uint64_t now_ms, struct pairs_hop *out);
/* Is a side bound there? What comes from it is then for its peer alone. */
bool pairs_bound(
    const struct pairs *p, const struct way *from, uint16_t channel);
/* Is whoever sent a datagram there to get a hint? Counts it as given. False for who is
 * bound there, and for every IP address that no side has proven at that socket. */
bool pairs_hint(struct pairs *p, const struct way *from, uint64_t now_ms);
/* A connection has ended: its sides are unbound. */
void pairs_stream_gone(struct pairs *p, uint32_t stream);
/* Expires; returns when to call again, UINT64_MAX: not before the next bind. */
uint64_t pairs_tick(struct pairs *p, uint64_t now_ms);
void pairs_drain(struct pairs *p, bool drain); /* 508 to new pairs */
size_t pairs_count(const struct pairs *p);     /* with a side bound */
size_t pairs_memory(const struct pairs *p);    /* bytes */
/* Ends all pairs of a key (or one pair). Returns how many. */
size_t pairs_drop(
    struct pairs *p, const uint8_t key[KEY_LEN], const uint8_t *peer);

/* For `pairs` and `watch`. */
struct pairs_side {
	uint8_t key[KEY_LEN];
	bool bound;
	struct way way;
	uint16_t port;			  /* of the relay, 0 over a stream */
	uint64_t packets, bytes, dropped; /* that came from it */
	uint64_t since_ms, seen_ms;
};
struct pairs_entry {
	struct pairs_side side[2];
};
/* Walks: *position begins with 0. False at the end. */
bool pairs_next(
    const struct pairs *p, uint64_t *position, struct pairs_entry *out);
/* "bound", "moved", "paired" (both are), "unbound" with a reason: "unused",
 * "idle", "asked", "taken" (its address is another's now), "closed" (its
 * connection), "dropped". Pairs must not be changed from within. */
typedef void pairs_event_fn(void *arg, const char *what, const char *reason,
    const struct pairs_side *side, const uint8_t peer[KEY_LEN]);
void pairs_watch(struct pairs *p, pairs_event_fn *fn, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/* nat-relayd's sockets and loop, around the pure halves: plain pairs (pairs.h)
 * and TURN (turnserver.h). What comes to a socket is looked at here only as
 * far as it takes to know whose it is. */
#ifndef NATKIT_ENGINE_H
#define NATKIT_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "conn.h"
#include "loop.h"
#include "pairs.h"
#include "peerrule.h"
#include "relayports.h"
#include "relaystreams.h"
#include "train.h"
#include "turnserver.h"

#define ENGINE_TCP_MAX 16 /* listening sockets */
#define ENGINE_SECRETS_MAX 4

/* Numbers of sockets, as struct way has them: the main one of each family,
 * then those of the pairs, then the relayed ports. */
#define ENGINE_MAIN4 0
#define ENGINE_MAIN6 1
#define ENGINE_PAIRS 2
#define ENGINE_RELAYED (ENGINE_PAIRS + 2 * PAIRS_PORTS_MAX)

/* What became of datagrams: the names of the counters, too. */
#define ENGINE_COUNTERS(X)                                                     \
	X(binds, "BIND requests")                                              \
	X(pair_datagrams, "datagrams of pairs passed on")                      \
	X(pair_bytes, "bytes of pairs passed on")                              \
	X(turn_messages, "TURN and Binding messages")                          \
	X(to_peer_datagrams, "datagrams of TURN clients passed on to peers")   \
	X(to_peer_bytes, "bytes of TURN clients passed on to peers")           \
	X(to_client_datagrams, "datagrams of peers passed on to TURN clients") \
	X(to_client_bytes, "bytes of peers passed on to TURN clients")         \
	X(icmp, "ICMP errors told to TURN clients")                            \
	X(hints, "answers to who is not bound at a pair's port")               \
	X(dropped_malformed, "no STUN, or broken, where it had to be")         \
	X(dropped_unbound, "at a pair's port: not bound, or over a limit")     \
	X(dropped_channel, "ChannelData for no channel, or over a limit")      \
	X(dropped_length,                                                      \
	    "ChannelData of a wrong length, and too long datagrams")           \
	X(dropped_permission, "of peers without permission, or over a limit")  \
	X(dropped_own, "for an own port that is no relayed one")               \
	X(dropped_gone, "for a connection that has ended")

struct engine_counters {
#define X(name, text) uint64_t name;
	ENGINE_COUNTERS(X)
#undef X
};

struct engine_config {
	struct addr at[2];	 /* IPv4, IPv6; ADDR_NONE: not this family */
	struct addr external[2]; /* as clients and peers see them */
	uint16_t port;
	uint16_t low, high; /* of pairs' and relayed ports */
	uint16_t pair_ports;
	uint16_t tcp[ENGINE_TCP_MAX]; /* besides port */
	size_t n_tcp;
	bool gso;
	struct conn_tls *tls; /* or NULL; the caller's */

	struct credential_secret secret[ENGINE_SECRETS_MAX];
	size_t n_secrets;
	const char *realm;
	struct peerrules rules;

	uint32_t pairs, allocations;
	uint32_t connections, connections_per_address;
	uint32_t per_address; /* sides of pairs, and allocations */
	uint32_t request_rate;
	struct accounts_config accounts; /* max is set here */
};

struct engine_socket {
	struct engine *engine;
	struct train *train;
	struct event *readable;
};

struct engine {
	struct loop *loop;
	struct engine_config *config;
	struct trains *trains;
	struct engine_socket socket[ENGINE_RELAYED];
	struct relayports *ports;
	struct relaystreams *streams;
	struct accounts *accounts;
	struct pairs *pairs;
	struct turn *turn;
	struct limit hints;
	struct event *timer, *flush, *own; /* own: of addresses */
	uint64_t now_ms, armed_ms;
	bool own_named[2]; /* our own address is a peer's, too: IPv4, IPv6 */
	bool changed;	   /* a table, since the last tick */
	bool flushing;	   /* soon */
	bool draining;	   /* the loop ends with the last pair and allocation */
	struct engine_counters n;
	uint8_t scratch[CONN_MESSAGE_MAX];
};

/* Opens all sockets; config stays the caller's and is completed (port). On an
 * error *failed is the address that could not be had, if it was one. Returns
 * 0 or -errno. */
int engine_open(struct engine *e, struct loop *l, struct engine_config *config,
    struct addr *failed);
/* Begins to answer, once privileges are dropped. */
void engine_start(struct engine *e);
void engine_close(struct engine *e);
void engine_drain(struct engine *e, bool drain);
/* To be called after a change from outside (drop). */
void engine_changed(struct engine *e);
/* Sends what is queued once all sockets that are readable now were read. */
void engine_flush_soon(struct engine *e);
size_t engine_memory(const struct engine *e);

#endif

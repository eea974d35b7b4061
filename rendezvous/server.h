/* SPDX-License-Identifier: ISC */
/* The rendezvous server without its sockets: datagrams and a clock in,
 * datagrams out. nat-rendezvousd.c, the unit tests and the fuzzers drive it. */
#ifndef NATKIT_SERVER_H
#define NATKIT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allow.h"
#include "cookie.h"
#include "introducer.h"
#include "limit.h"
#include "pending.h"
#include "registry.h"
#include "token.h"

#define SERVER_CLIENTS 10000
#define SERVER_HELLO_RATE 20	 /* per second and address */
#define SERVER_REQUEST_RATE 20	 /* per second and key */
#define SERVER_HELLO_ALL 1000	 /* unproven, per second, from everywhere */
#define SERVER_LOST_KEEPALIVES 3 /* and a client is forgotten */

/* Every counter: a name, and what it counts. `stats` shows them all. */
#define SERVER_COUNTERS(X)                                                     \
	X(received)	    /* datagrams */                                    \
	X(sent)		    /* datagrams */                                    \
	X(malformed)	    /* not STUN, or not what its type says */          \
	X(unexpected)	    /* answers to nothing, unknown methods */          \
	X(binding)	    /* plain STUN requests answered */                 \
	X(binding_limited)  /* ... not answered: rate */                       \
	X(hello_ok)	    /* answered with a session */                      \
	X(hello_repeated)   /* retransmissions, answered again */              \
	X(hello_challenged) /* answered with 438 */                            \
	X(hello_limited)    /* a proven address above its rate */              \
	X(hello_bad)	    /* no right Noise message, or a bad key */         \
	X(hello_forbidden)  /* not in the allow file */                        \
	X(hello_replayed)   /* not newer than the key's session */             \
	X(hello_full)	    /* no room */                                      \
	X(registered)	    /* sessions confirmed */                           \
	X(expired)	    /* clients not heard of any more */                \
	X(ended)	    /* clients that said BYE */                        \
	X(session_ok)	    /* authentic messages */                           \
	X(session_unknown)  /* no such session: 481, within a rate */          \
	X(session_bad)	    /* did not decrypt */                              \
	X(session_replayed) /* ... or were there before */                     \
	X(session_limited)  /* above the key's rate */                         \
	X(session_short)    /* shorter than their answer */                    \
	X(moved)	    /* clients seen at a new address */                \
	X(actions_bad)	    /* malformed attributes, keys of low order */      \
	X(wants_full)	    /* wants refused */                                \
	X(introduced)	    /* pairs */                                        \
	X(went)		    /* pairs given GO */                               \
	X(gone)		    /* pairs ended */                                  \
	X(relayed)	    /* sealed payloads carried */                      \
	X(relay_denied)	    /* ... or tokens, not given: no consent */         \
	X(tokens)	    /* for relays, given */                            \
	X(pushes)	    /* requests of ours */                             \
	X(pushes_held)	    /* not sent: the client's address is unproven */   \
	X(acknowledged)	    /* answers to them */

struct server_stats {
#define X(name) uint64_t name;
	SERVER_COUNTERS(X)
#undef X
};

struct server_config {
	const uint8_t *secret; /* KEY_LEN, of the server; stays the caller's */
	const uint8_t *public;
	uint32_t clients;
	uint32_t per_address; /* clients of one address; 0: max(16, n / 8) */
	uint32_t hello_rate, request_rate;
	uint16_t keepalive_s;
};

typedef void server_send_fn(
    void *arg, const struct path *to, const void *data, size_t len);
/* "registered", "expired", "gone"... peer or at may be NULL. */
typedef void server_event_fn(void *arg, const char *what,
    const uint8_t key[KEY_LEN], const uint8_t *peer, const struct addr *at);

struct server {
	struct server_config config;
	struct allow allow;   /* the caller loads it */
	struct tokens tokens; /* and these */
	struct registry registry;
	struct introducer introducer;
	struct pending pending;
	struct cookie cookie;
	struct limit unproven, proven, answers; /* by address */
	struct limit sites; /* of the proven: by what limit_wide says */
	struct bucket unproven_all;
	struct server_stats stats;
	server_send_fn *send;
	server_event_fn *event;
	void *arg;
	uint64_t now_ms; /* of the step that is going on */
};

/* Returns 0, -EINVAL for limits out of range, -ENOMEM. */
int server_init(struct server *s, const struct server_config *config,
    server_send_fn *send, server_event_fn *event, void *arg, uint64_t now_ms);
void server_free(struct server *s);
/* One datagram. */
void server_step(struct server *s, const struct path *from, const uint8_t *data,
    size_t len, uint64_t now_ms);
/* Pushes and expires what is due; to be called after a batch of steps too.
 * Returns when it wants to be called again. */
uint64_t server_tick(struct server *s, uint64_t now_ms);
/* After the allow file was read again: forgets who is not in it. */
void server_allow_changed(struct server *s, uint64_t now_ms);
size_t server_memory(const struct server *s); /* bytes, of all tables */

#endif

/* SPDX-License-Identifier: ISC */
/* The relay's TCP and TLS connections: bounded in all and for each address,
 * and ended when they are of no use to anybody. One port takes both. */
#ifndef NATKIT_RELAYSTREAMS_H
#define NATKIT_RELAYSTREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "conn.h"
#include "loop.h"
#include "way.h"

#define RELAYSTREAMS_MAX 4096
#define RELAYSTREAMS_IDLE_MS 30000 /* without a pair or an allocation */

struct relaystreams_config {
	uint32_t max, per_address;
	uint32_t rate; /* new ones per second and address: a TLS handshake costs
			* us more than who begins it */
	struct conn_tls *tls; /* or NULL: no TLS */
	/* A whole message. False: what came is nothing that may come here. */
	bool (*message)(
	    void *arg, const struct way *from, const uint8_t *data, size_t len);
	void (*gone)(void *arg, uint32_t stream);
	/* Is called from time to time: to call relaystreams_keep for each
	 * connection that is in use. */
	void (*used)(void *arg);
	void *arg;
};

#define RELAYSTREAMS_COUNTERS(X)                                               \
	X(connections, "TCP connections accepted")                             \
	X(connections_tls, "of these with TLS")                                \
	X(connections_refused, "too many, of one address, or too quickly")     \
	X(connections_idle, "ended: of no use for 30 seconds")                 \
	X(connections_broken, "ended: not STUN, or answers not read")          \
	X(connections_ended, "ended by the other side, or an error")

struct relaystreams_counters {
#define X(name, text) uint64_t name;
	RELAYSTREAMS_COUNTERS(X)
#undef X
};

struct relaystreams;

int relaystreams_new(struct relaystreams **out, struct loop *l,
    const struct relaystreams_config *config);
void relaystreams_free(struct relaystreams *s);
/* Binds and listens; with port 0 *at gets the port. Returns 0 or -errno. */
int relaystreams_listen(struct relaystreams *s, struct addr *at);
/* Accepts from now on. */
void relaystreams_start(struct relaystreams *s);
/* Queues a message; false when there is no such connection (any more). */
bool relaystreams_send(struct relaystreams *s, uint32_t stream,
    const void *head, size_t head_len, const void *data, size_t len,
    bool droppable);
void relaystreams_keep(struct relaystreams *s, uint32_t stream);
size_t relaystreams_count(const struct relaystreams *s);
const struct relaystreams_counters *relaystreams_counters(
    const struct relaystreams *s);
uint64_t relaystreams_dropped(const struct relaystreams *s); /* messages */
size_t relaystreams_memory(const struct relaystreams *s);
/* The listening sockets; false after the last. */
bool relaystreams_listening(
    const struct relaystreams *s, size_t i, struct addr *at);

#endif

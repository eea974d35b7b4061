/* SPDX-License-Identifier: ISC */
/* STUN over TCP (RFC 8489 section 6.2.2): messages one after the other, framed
 * by their own length. Connections and what they may hold are bounded. */
#ifndef NATKIT_STREAM_H
#define NATKIT_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "path.h"
#include "tally.h"

/* Connections, or half of RLIMIT_NOFILE; a newcomer ends the idlest. */
#define STREAM_MAX 256
#define STREAM_PER_SOURCE 32 /* of one address; of IPv6, of one /64 */
#define STREAM_IDLE_S 30     /* without a whole message */

struct streams;

/* A whole message of a connection; out has RESPONDER_MAX bytes. Returns the
 * length of the answer, 0 for none, or -1 to end the connection. */
typedef int stream_fn(void *arg, const struct path *from, const uint8_t *data,
    size_t len, uint8_t *out);

/* Returns 0 or -ENOMEM. */
int streams_new(struct streams **out, struct loop *l, struct tally *tally,
    stream_fn *fn, void *arg);
/* Accepts on a listening socket, which stays the caller's; index is what paths
 * name it by. */
void streams_listen(struct streams *s, int fd, uint8_t index);
void streams_free(struct streams *s);

#endif

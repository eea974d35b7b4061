/* SPDX-License-Identifier: ISC */
/* A server's TCP connections (RFC 8489 section 6.2.2). They and what they may
 * hold are bounded, in all and per source, and silent ones end. */
#ifndef NATKIT_STREAM_H
#define NATKIT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "path.h"

#define STREAM_MAX 256	     /* a newcomer ends the idlest */
#define STREAM_PER_SOURCE 32 /* of one address; of IPv6, of one /64 */
#define STREAM_IDLE_S 30     /* without a whole message */

enum stream_fate {
	STREAM_ACCEPTED,
	STREAM_REFUSED, /* too many of one source, or of all */
	STREAM_IDLE,	/* silent for too long */
	STREAM_EVICTED, /* for a newcomer */
	STREAM_BROKEN,	/* no STUN, or read too slowly */
};

struct streams;

struct stream_config {
	int max;	    /* connections; bounded by RLIMIT_NOFILE / 2, too */
	size_t message_max; /* bytes */
	size_t output_max;  /* bytes of answers that nobody reads */
	/* A whole message. Returns false when the connection is to end. */
	bool (*message)(void *arg, const struct path *from, const uint8_t *data,
	    size_t len);
	void (*tell)(void *arg, enum stream_fate what);
	/* Is this the connection of somebody who has proven who it is? Such a
	 * one counts for no source, is never idle, and makes room for nobody:
	 * the owner sees to these bounds. mark is the latest of streams_mark,
	 * or 0. NULL: there are none. */
	bool (*is_kept)(void *arg, const struct path *p, uint32_t mark);
	void *arg;
};

/* Returns 0 or -ENOMEM. */
int streams_new(
    struct streams **out, struct loop *l, const struct stream_config *config);
/* Accepts on a listening socket, which stays the caller's; index is what paths
 * name it by. */
void streams_listen(struct streams *s, int fd, uint8_t index);
/* To where a message came from. Nothing is sent when that has ended; when it
 * does not read, it ends. */
void streams_send(
    struct streams *s, const struct path *to, const void *data, size_t len);
/* Something that the owner remembers with a connection that is there. */
void streams_mark(struct streams *s, const struct path *p, uint32_t mark);
int streams_count(const struct streams *s); /* connections */
void streams_free(struct streams *s);

/* A listening TCP socket, non-blocking. Returns it or -errno; IPv6 takes no
 * 4-in-6. shared: others may be bound to it, too. */
int stream_bind(const struct addr *at, bool shared);

#endif

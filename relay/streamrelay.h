/* SPDX-License-Identifier: ISC */
/* The connection to one relay: tried at its own port and at 443 of each of its
 * addresses at once, the first where a relay answers is used; made again when it
 * breaks, as long as it is wanted. */
#ifndef NATKIT_STREAMRELAY_H
#define NATKIT_STREAMRELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "conn.h"
#include "loop.h"

#define STREAMRELAY_PORT 443	   /* what most networks let out */
#define STREAMRELAY_WAIT_MS 5000   /* for a connection */
#define STREAMRELAY_ANSWER_MS 3000 /* and then, for the relay's answer */
#define STREAMRELAY_AGAIN_MS 200   /* doubling to */
#define STREAMRELAY_AGAIN_MAX_MS 5000

struct streamrelay;

struct streamrelay_config {
	struct conn_tls *tls; /* NULL: plain TCP */
	/* These may not call streamrelay_want or streamrelay_free. */
	void (*up)(void *arg, struct streamrelay *r);
	/* It was up and has ended, or none of its ports answers. */
	void (*down)(void *arg, struct streamrelay *r, const char *why);
	/* STUN and ChannelData */
	void (*message)(
	    void *arg, struct streamrelay *r, const uint8_t *data, size_t len);
	void *arg;
};

/* One address of each family at most. Returns 0 or -ENOMEM. */
int streamrelay_new(struct streamrelay **out, struct loop *l,
    const struct streamrelay_config *config, const struct addr *at, size_t n);
void streamrelay_free(struct streamrelay *r);
/* Has it one of these endpoints? */
bool streamrelay_is(
    const struct streamrelay *r, const struct addr *at, size_t n);
const struct addr *streamrelay_endpoint(const struct streamrelay *r);
/* Connects now, or ends what there is. */
void streamrelay_want(struct streamrelay *r, bool want);
bool streamrelay_is_up(const struct streamrelay *r);
/* It does not answer any more, though nothing has told so: anew. */
void streamrelay_renew(struct streamrelay *r, const char *why);
/* Returns 0 or -errno: it is not up, or too slow for what may not be lost. */
int streamrelay_send(struct streamrelay *r, const uint8_t *message, size_t len);
/* A datagram, of which the oldest are lost when the connection is slow. */
int streamrelay_send_data(
    struct streamrelay *r, uint16_t channel, const uint8_t *data, size_t len);
uint64_t streamrelay_dropped(const struct streamrelay *r);

#endif

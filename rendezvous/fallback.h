/* SPDX-License-Identifier: ISC */
/* The way to a rendezvous server when the network lets no UDP out: TCP to the
 * server's own port and to 443, all at once. Which of them is used is for the
 * client's state machine to say (client.h, dial.h); this holds the
 * connections. */
#ifndef NATKIT_FALLBACK_H
#define NATKIT_FALLBACK_H

#include "addr.h"
#include "conn.h"
#include "dial.h"

#define FALLBACK_PORT 443
#define FALLBACK_WAIT_MS 8000 /* to connect */

struct fallback;

struct fallback_line {
	struct fallback *owner;
	struct conn *conn; /* NULL: a free place */
	struct addr to;	   /* .tcp is set */
	bool ready;
	uint64_t uses; /* of this place */
};

struct fallback {
	struct loop *loop;
	/* All with the server's address, .tcp set. Any of them may call any
	 * function here. */
	void (*message)(void *arg, const struct addr *from, const uint8_t *data,
	    size_t len);
	void (*ready)(void *arg, const struct addr *at);
	void (*cut)(void *arg, const struct addr *at);
	void *arg;
	struct fallback_line line[DIAL_TCP];
};

/* Connects to these addresses, and to the other port of each; ready is called
 * at once for what is connected already. */
void fallback_connect(struct fallback *f, const struct addr *list, size_t n);
void fallback_send(
    struct fallback *f, const struct addr *to, const uint8_t *data, size_t len);
/* Ends what the function does not want to keep; NULL keeps nothing. */
void fallback_keep(struct fallback *f,
    bool (*wanted)(void *arg, const struct addr *at), void *arg);
/* For the last words. */
void fallback_flush(struct fallback *f);

#endif

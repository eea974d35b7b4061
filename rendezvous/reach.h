/* SPDX-License-Identifier: ISC */
/* How one server is reached: its name is looked up, datagrams go through the
 * port, and connections are there while its client has a use for them. */
#ifndef NATKIT_REACH_H
#define NATKIT_REACH_H

#include "client.h"
#include "fallback.h"
#include "options.h"
#include "resolve.h"

struct reach {
	const struct options *options;
	const char *name; /* host:port */
	struct port *port;
	struct resolver *resolver;
	struct client *client; /* its owner's */
	/* The client has got something new: let it take its steps. */
	void (*changed)(void *arg);
	void *arg;

	struct resolve *query;
	bool unresolved; /* and a warning said so */
	struct fallback fallback;
};

/* What stands above the empty line is set. */
void reach_start(struct reach *r, struct loop *l);
void reach_look_up(struct reach *r);
/* What CLIENT_CONNECT wants. */
void reach_connect(struct reach *r);
/* Returns what port_send does, 0 over a connection. */
int reach_send(
    struct reach *r, const struct addr *to, const uint8_t *data, size_t len);
/* The client has taken its steps. */
void reach_tidy(struct reach *r);
void reach_stop(struct reach *r);

#endif

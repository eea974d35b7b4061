/* SPDX-License-Identifier: ISC */
/* The rendezvous server's TCP: the same protocol, message by message, for
 * clients whose network lets no UDP out. A connection is bounded as one of a
 * stranger (lib/stream.h) until a registered client uses it; then the registry
 * bounds it, and it lives as long as the client's registration. */
#ifndef NATKIT_CONNECTIONS_H
#define NATKIT_CONNECTIONS_H

#include "server.h"
#include "stream.h"

#define CONNECTIONS_SOCKETS 80
#define CONNECTIONS_MAX 4096

struct connections {
	struct server *server;
	struct streams *streams;
	void (*stepped)(void *arg);
	void *arg;
	int fd[CONNECTIONS_SOCKETS];
	struct addr at[CONNECTIONS_SOCKETS]; /* .tcp is set */
	bool extra[CONNECTIONS_SOCKETS];
	int n;
	uint64_t count[STREAM_BROKEN + 1];
};

/* Listens there; extra: where nothing listens on UDP. Returns 0 or -errno. */
int connections_bind(struct connections *c, const struct addr *at, bool extra);
bool connections_is_extra(const struct connections *c, int i);
/* To be called after the last bind. stepped is called after each message that
 * the server took. Returns 0 or -ENOMEM. */
int connections_start(struct connections *c, struct loop *l,
    struct server *server, void (*stepped)(void *arg), void *arg);
void connections_send(
    struct connections *c, const struct path *to, const void *data, size_t len);
void connections_stop(struct connections *c);

#endif

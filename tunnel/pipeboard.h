/* SPDX-License-Identifier: ISC */
/* nat-pipe's control socket (lib/control.h): hello, status, routes, streams,
 * stats, watch; nat-records(5) says what their records hold. */
#ifndef NATKIT_PIPEBOARD_H
#define NATKIT_PIPEBOARD_H

#include "forwarding.h"
#include "link.h"
#include "loop.h"
#include "peerbook.h"
#include "record.h"
#include "tunnel.h"

struct pipeboard;

struct pipeboard_config {
	struct loop *loop;
	struct tunnel *tunnel;
	const uint8_t *pub;
	const char *kind; /* what the engine is: "background", "listen", ... */
	/* The peers file of now; may be NULL. */
	const struct peerbook *(*book)(void *arg);
	/* i from 0; NULL: no more. */
	struct forwarding *(*forwarding)(void *arg, size_t i);
	/* Why the pipeline brings nobody a path, or NULL. */
	const char *(*trouble)(void *arg);
	void *arg;
};

/* Returns 0 or -errno. */
int pipeboard_open(
    struct pipeboard **out, const char *path, const struct pipeboard_config *c);
void pipeboard_free(struct pipeboard *b);
/* For those who watch. To be called when a link or a forward has changed, and
 * once a second: streams tell nothing by themselves. */
void pipeboard_link(struct pipeboard *b, const struct link *l);
void pipeboard_route(struct pipeboard *b, const struct forwarding *f);
void pipeboard_tick(struct pipeboard *b);

/* `route key= name= forward= state= port= open= total= refused= reason=` */
void pipeboard_route_record(
    struct record *r, const struct forwarding *f, const struct peerbook *book);

/* ---- nat-pipe status ---- */

/* Asks the engine at path and prints: a table when standard output is a
 * terminal, else records. Returns an exit code. */
int pipestatus(const char *path, const char *key_path, bool json);

#endif

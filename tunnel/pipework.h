/* SPDX-License-Identifier: ISC */
/* The engine at work: one key's tunnel with all that hangs on it: the pipeline,
 * clients, forwards, what is served, the control socket. */
#ifndef NATKIT_PIPEWORK_H
#define NATKIT_PIPEWORK_H

#include <stdbool.h>

#include "doors.h"
#include "driver.h"
#include "follow.h"
#include "forwarding.h"
#include "loop.h"
#include "meter.h"
#include "mux.h"
#include "peerbook.h"
#include "permit.h"
#include "pipeboard.h"
#include "pipeoptions.h"
#include "resolve.h"
#include "routes.h"
#include "serve.h"
#include "tunnel.h"
#include "wants.h"

#define PIPEWORK_FORWARDS (PIPEOPTIONS_FORWARDS + ROUTES_MAX)
#define PIPEWORK_LINGER_S 60 /* of a background engine without clients */

struct pipework {
	struct loop loop;
	const struct pipeoptions *o;
	const struct doors *doors;
	char *key_path; /* as realpath(3) has it */
	uint8_t *priv, pub[KEY_LEN];
	bool background;

	struct resolver *resolver;
	struct tunnel *tunnel;
	struct driver *driver;
	struct mux *mux;
	struct pipeboard *board;
	struct serve *serve;
	struct event *tick, *hangup;
	struct follow *said; /* background: our own standard error */

	struct peerbook *book;
	struct permit *permit;
	struct routes routes;
	struct wants wants;
	uint8_t peer[KEY_LEN]; /* whom the forwards of the command line go to */
	struct forwarding *forwarding[PIPEWORK_FORWARDS];
	size_t forwardings;
	bool stdio;	  /* -l without a program: one stream, then the end */
	uint64_t idle_ms; /* since when there is nothing to do; 0: there is */
	uint64_t linger_ms;
	bool metering;
	struct meter meter;
};

/* Opens everything, drops what privileges there are, and tells readiness. Ends
 * the program with a sentence when something can't be had. The caller holds the
 * lock of the doors. */
void pipework_open(struct pipework *w);
/* Returns an exit code. */
int pipework_run(struct pipework *w);
void pipework_close(struct pipework *w);

/* ---- pipefiles.c: what stands in files ---- */

/* The first reading: ends the program when a file is wrong. */
void pipefiles_read(struct pipework *w);
/* Again (SIGHUP): a file that is wrong changes nothing, and is told of. */
void pipefiles_reload(struct pipework *w);
/* Reads a peers file; ends the program when it is wrong. */
struct peerbook *pipefiles_book(const char *path);
/* Starts the forwards that are not there yet. first: one that can't listen ends
 * the program; else it is tried again and again. */
void pipefiles_start(struct pipework *w, bool first);
/* The link of a key, which is met from now on; NULL: too many peers. */
struct link *pipefiles_want(
    struct pipework *w, const uint8_t key[KEY_LEN], enum wants_why why);
/* Tells the pipeline whom to meet and where. */
void pipefiles_meet(struct pipework *w);

#endif

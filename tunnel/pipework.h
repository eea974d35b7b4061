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
#include "outage.h"
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
	struct demand demand; /* options that it has, even by default */

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
	bool has_reader; /* standard output is a pipe */
	struct outage outage;
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

/* ---- pipewhy.c: what a person who waits is told ---- */

/* "direct 192.0.2.1:51820" */
const char *pipewhy_path(const struct link_status *s, char out[100]);
/* false: the records come from somewhere else. */
bool pipewhy_has_pipeline(const struct pipework *w);
/* What is wrong here, and with our own servers; or NULL. */
const char *pipewhy_fault(struct pipework *w, char out[OUTAGE_TEXT]);
/* Why there is no path, in a sentence (mux_config). */
void pipewhy_cb(void *arg, const uint8_t key[KEY_LEN], char *out, size_t cap);

/* ---- pipefiles.c: what stands in files ---- */

/* The first reading: ends the program when a file is wrong. */
void pipefiles_read(struct pipework *w);
/* Again (SIGHUP): a file that is wrong changes nothing, and is told of. */
void pipefiles_reload(struct pipework *w);
/* Reads a peers file; ends the program when it is wrong. */
struct peerbook *pipefiles_book(const char *path);
/* The peer of the command line, a name or a key; ends the program when it is
 * neither, or our own. */
void pipefiles_peer(uint8_t key[KEY_LEN], const struct pipeoptions *o,
    const struct peerbook *book, const uint8_t own[KEY_LEN]);
/* Starts the forwards that are not there yet. first: one that can't listen ends
 * the program; else it is tried again and again. */
void pipefiles_start(struct pipework *w, bool first);
/* The link of a key, which is met from now on; NULL: too many peers. */
struct link *pipefiles_want(
    struct pipework *w, const uint8_t key[KEY_LEN], enum wants_why why);
/* Tells the pipeline whom to meet and where. */
void pipefiles_meet(struct pipework *w);

#endif

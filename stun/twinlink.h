/* SPDX-License-Identifier: ISC */
/* nat-stund's two ends of the twin link (DESIGN.md, "The twin link") on their
 * sockets: the lender answers where worker.c listens, the borrower asks from a
 * socket of its own. */
#ifndef NATKIT_TWINLINK_H
#define NATKIT_TWINLINK_H

#include "resolve.h"
#include "twin.h"
#include "worker.h"

struct twinlink;

/* The state of the borrower's end: up or down, and what the twin lends. */
typedef void twinlink_fn(void *arg);

struct twinlink_config {
	const char *peer; /* "host:port", "[v6]:port" of the twin's P1 */
	const struct twin_keys *keys;
	bool lends; /* in the first process only: it gets what comes to P1 */
	twinlink_fn *changed;
	void *arg;
};

/* Takes what the command line gave: "KEY@host:port" and our key file. keys is
 * in memory of sodium_malloc. Ends the program (exit 100) when they don't do;
 * *peer points into text. */
void twinlink_options(struct twin_keys *keys, const char **peer,
    const char *text, const char *keyfile, uint16_t port);

/* Puts itself between w and the twin. Both outlive it, and so do the keys.
 * Returns 0 or -errno. */
int twinlink_start(struct twinlink **out, struct worker *w,
    const struct twinlink_config *config);
/* The last but loop_free: it runs the loop for a moment, as resolver_free. NULL
 * does nothing. */
void twinlink_stop(struct twinlink *t);

/* The twin's P1 of a family, or NULL: it lends none now. */
const struct addr *twinlink_place(const struct twinlink *t, int family);

#endif

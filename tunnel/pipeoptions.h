/* SPDX-License-Identifier: ISC */
/* nat-pipe's command line (getopt(3)) and defaults: whatever is wrong with it
 * ends the program with one line that says what to do. */
#ifndef NATKIT_PIPEOPTIONS_H
#define NATKIT_PIPEOPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "demand.h"
#include "driver.h"
#include "forward.h"
#include "key.h"
#include "opening.h"
#include "wants.h"

#define PIPEOPTIONS_FORWARDS 64

enum pipe_role {
	PIPE_CLIENT, /* a stream or forwards, by the engine of the key */
	PIPE_ENGINE, /* -l, routes, or an option that only an engine has; in the
		      * foreground */
	PIPE_STATUS,
};

struct pipeoptions {
	enum pipe_role role;
	const char *key, *peers; /* files; always set */
	const char *allow;	 /* file; NULL without -l */
	const char *control;	 /* socket; NULL: next to the key */
	const char *lend;	 /* -s, or NULL */
	const char *records;	 /* -i, or NULL */
	const char *user;	 /* -u, or NULL */
	const char *routes;	 /* file, or NULL */
	const char *peer;	 /* name or key, or NULL */
	char *const *program;	 /* NULL-terminated, or NULL */
	struct opening want;	 /* -W; OPENING_PROGRAM without */
	struct forward forward[PIPEOPTIONS_FORWARDS];
	size_t forwards;
	const char *server[WANTS_SERVERS]; /* -S, or NATKIT_SERVER */
	size_t servers;
	bool servers_given; /* -S */
	const char *folder; /* the default one, if it had to be made up */
	char *environment;  /* what NATKIT_SERVER's point into */
	const char *without[DRIVER_WITHOUT];
	size_t withouts;
	bool own; /* an option says what only an engine of one's own has */
	struct demand demand; /* the options that say how the engine is to be */
	bool listen, gso, json, progress;
	char only; /* 'd', 'r', or 0 */
	uint16_t port;
	uint32_t budget_mib, streams, wait_s;
	int ready_fd; /* -N, or -1 */
};

void pipeoptions_read(struct pipeoptions *o, int argc, char **argv);
/* Our private key (sodium_malloc) and its public half; a key that is not there
 * ends the program with what makes one. */
uint8_t *pipeoptions_key(const struct pipeoptions *o, uint8_t pub[KEY_LEN]);

#endif

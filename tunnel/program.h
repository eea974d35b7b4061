/* SPDX-License-Identifier: ISC */
/* A program per stream, as inetd and ucspi-tcp have it: what the peer sends is
 * its standard input, its standard output goes to the peer, and each of the two
 * ends by itself. */
#ifndef NATKIT_PROGRAM_H
#define NATKIT_PROGRAM_H

#include "children.h"
#include "joint.h"

struct program;

struct program_config {
	struct children *set;
	char *const *argv, *const *envp;
	/* Both the stream and the process are over; the program is gone. Never
	 * from within. */
	void (*over)(void *arg);
	void *arg;
};

/* Starts it and answers the stream. When the stream ends before its time, the
 * program gets SIGHUP, and SIGKILL 5 s later. Returns 0, or -errno when it can't
 * be run: then the stream still has to be answered. */
int program_start(
    struct program **out, struct joint *j, const struct program_config *c);
/* Ends both; over isn't called any more. */
void program_stop(struct program *p);

#endif

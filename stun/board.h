/* SPDX-License-Identifier: ISC */
/* What nat-stund tells on its control socket: hello, stats, watch. */
#ifndef NATKIT_BOARD_H
#define NATKIT_BOARD_H

#include "control.h"
#include "record.h"
#include "sockets.h"
#include "tally.h"
#include "twinlink.h"

/* What is told about, and whom. */
struct board {
	const struct sockets *sockets; /* of the first process: all have them */
	const struct responder_config *config;
	const struct tally *tallies;
	unsigned int processes;
	struct twinlink *const *link; /* NULL there: no twin */

	struct control *control; /* NULL: nobody is told */
	struct event *tell;
	uint64_t told[TALLY_N];
};

/* The first members are set. Returns 0 or -errno. */
int board_open(struct board *b, struct loop *l, const char *path);
void board_close(struct board *b);
/* The twin has come or gone. */
void board_tell_twin(const struct board *b);
/* listen endpoint= */
void board_listen(struct record *r, const struct listener *l);

#endif

/* SPDX-License-Identifier: ISC */
/* The commands of nat-rendezvous: argv[0] is the command's name. Each returns
 * the exit code. */
#ifndef NATKIT_VERB_H
#define NATKIT_VERB_H

#include "hello.h"
#include "loop.h"

int verb_agent(int argc, char *argv[]);
int verb_key(int argc, char *argv[]);
int verb_ping(int argc, char *argv[]);

/* All the clocks that the protocol nouns take, at one moment. */
static inline struct moment
moment(void)
{
	uint64_t us = now_us();

	return (struct moment){.ms = us / 1000, .us = us, .wall_ns = wall_ns()};
}

#endif

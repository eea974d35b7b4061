/* SPDX-License-Identifier: ISC */
/* SOCKS clients until it is known what they want. */
#ifndef NATKIT_SOCKSDOOR_H
#define NATKIT_SOCKSDOOR_H

#include <stdint.h>

#include "loop.h"
#include "opening.h"

#define SOCKSDOOR_MS 10000 /* then it must be known */

struct socksdoor;

struct socksdoors {
	struct loop *loop;
	struct socksdoor *first;
	uint32_t open;
	uint64_t refused;
	/* The client waits for the reply; what it has sent after its request is
	 * still in the socket. fd is the receiver's. */
	void (*known)(void *arg, int fd, const struct opening *what);
	void *arg;
};

/* fd (non-blocking) is the door's from now on. */
void socksdoor_take(struct socksdoors *set, int fd);
void socksdoors_end(struct socksdoors *set);

#endif

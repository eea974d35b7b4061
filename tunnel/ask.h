/* SPDX-License-Identifier: ISC */
/* What a client asks of the engine of its key: a packet of lines (mux.h), read.
 * Pure. */
#ifndef NATKIT_ASK_H
#define NATKIT_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "demand.h"
#include "forward.h"
#include "key.h"
#include "opening.h"
#include "wants.h"

#define ASK_FORWARDS 64 /* of a client */

struct ask {
	uint8_t key[KEY_LEN];
	uint64_t wait_s, progress;
	char server[WANTS_SERVERS][KEY_SERVER_STRLEN];
	size_t servers;
	struct demand demand; /* options that the engine has to have */
	bool open;	      /* a stream: what; else forwards */
	struct opening what;
	struct forward forward[ASK_FORWARDS];
	size_t forwards;
	bool more; /* forwards, in a packet to come */
};

/* Returns 0 or -EBADMSG: no ask, or neither a stream nor forwards, or both. */
int ask_parse(struct ask *out, const char *text);

#endif

/* SPDX-License-Identifier: ISC */
/* What a person is told of a stream that came to nothing: a sentence with what to
 * do about it, once until it works again. Pure. */
#ifndef NATKIT_BLAME_H
#define NATKIT_BLAME_H

#include <stdbool.h>
#include <stdint.h>

#include "joint.h"
#include "opening.h"

#define BLAME_TEXT 1000

/* who: the peer, by its name or key; own: our public key. "pi does not permit
 * 127.0.0.1:80: add 'permit KEY 127.0.0.1:80' to its allow file" */
const char *blame_refusal(char out[BLAME_TEXT], enum opening_reason r,
    const struct opening *what, const char *who, const char *own);
/* Of a stream of ours that was never answered with yes; wait_s: how long it has
 * waited for a path. NULL: nothing to be told, who wanted it has gone. */
const char *blame_end(char out[BLAME_TEXT], const struct joint_result *res,
    const struct opening *what, unsigned wait_s, const char *who,
    const char *own);
/* Of a target that this host was to connect to (-R). */
const char *blame_here(enum opening_reason r);

/* What has been told already. All zeros: nothing. */
#define BLAME_TARGETS 16
#define BLAME_ROOM_MS 60000 /* until a new target may take an old one's place */

struct blame {
	struct {
		uint64_t target; /* a hash */
		uint64_t since_ms;
		uint32_t told; /* a bit for each reason */
	} one[BLAME_TARGETS];
};

/* Is that to be told? If so, it counts as told. */
bool blame_tell(struct blame *b, const struct joint_result *res,
    const struct opening *what, uint64_t now_ms);
/* This target works: then there is a way to the peer, too. */
void blame_over(struct blame *b, const struct opening *what);

#endif

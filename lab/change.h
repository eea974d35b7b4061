/* SPDX-License-Identifier: ISC */
/* The words that change a wire, for one of its directions or for both. */
#ifndef NATKIT_CHANGE_H
#define NATKIT_CHANGE_H

#include <stddef.h>

#include "impairment.h"

#define CHANGE_WORDS 32
#define CHANGE_WHY 160

struct change {
	struct impairment is[2];
	const char *from[2]; /* direction i is named by where it comes from */
};

/* Words up to the first direction=NAME are for both directions; each of those
 * begins the words for NAME alone (or, again, for "both").
 * Returns 0, or -EBADMSG with what is wrong in why, and *c is as it was. */
int change_words(struct change *c, const char *const words[], size_t n,
    char why[CHANGE_WHY]);
/* The same for a line of words with blanks between them; it may hold one
 * direction=, anywhere, which is for all of the line. */
int change_line(struct change *c, const char *line, char why[CHANGE_WHY]);

#endif

/* SPDX-License-Identifier: ISC */
/* The options on a nat-pipe's command line that say how the engine is to be. One
 * that runs already is as they say, or it is not the one that was meant. Pure. */
#ifndef NATKIT_DEMAND_H
#define NATKIT_DEMAND_H

#include <stdbool.h>
#include <stddef.h>

#define DEMAND_MAX 32
#define DEMAND_TEXT 256 /* of "-x eth0", and a NUL */

struct demand {
	char text[DEMAND_MAX][DEMAND_TEXT];
	size_t n;
};

/* value: NULL if the option has none. Given again it takes the place of the
 * first, but for -x, which has many. Returns 0, -ENOSPC, -EMSGSIZE. */
int demand_add(struct demand *d, char option, const char *value);
/* The same as it came from a client. Returns 0, -ENOSPC, -EMSGSIZE, -EBADMSG. */
int demand_take(struct demand *d, const char *text);
bool demand_has(const struct demand *d, char option);
/* The first that is asked for and that the engine has not, or NULL. */
const char *demand_missing(
    const struct demand *engine, const struct demand *asked);
/* The first by which the engine uses fewer paths (-d, -r, -x) and that is not
 * asked for, or NULL. */
const char *demand_extra(
    const struct demand *engine, const struct demand *asked);

#endif

/* SPDX-License-Identifier: ISC */
/* The environment of a program that serves a peer: ours, without what tells
 * about another stream, and what tells about this one. */
#ifndef NATKIT_ENVSET_H
#define NATKIT_ENVSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENVSET_OURS 16

struct envset {
	char **v; /* NULL-terminated, for exec; NULL: out of memory */
	size_t n;
	char *ours[ENVSET_OURS];
	size_t n_ours;
	bool failed;
};

void envset_init(struct envset *e);
/* value NULL or "": absent. */
void envset_put(struct envset *e, const char *name, const char *value);
void envset_put_number(struct envset *e, const char *name, uint64_t value);
/* The whole; valid until envset_clear. NULL: out of memory. */
char *const *envset_of(const struct envset *e);
void envset_clear(struct envset *e);

#endif

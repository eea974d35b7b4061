/* SPDX-License-Identifier: ISC */
/* The allow file: which keys may register. One base64 key a line; blank lines
 * and what follows a # are comments. */
#ifndef NATKIT_ALLOW_H
#define NATKIT_ALLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key.h"

#define ALLOW_ERRLEN 128

struct allow {
	uint8_t (*keys)[KEY_LEN]; /* sorted; NULL: every key is allowed */
	size_t n;
};

/* Reads the list in text. On success the old list is replaced; on failure it
 * stays, and *line is the number of the bad one (0: none is to blame) and why
 * says what is wrong with it. Returns 0, -EBADMSG, -ENOMEM. */
int allow_parse(struct allow *a, const char *text, size_t len, size_t *line,
    const char **why);
/* The same from a file; error is "path:line: what is wrong" for a person.
 * Returns 0 or -errno. */
int allow_load(struct allow *a, const char *path, char error[ALLOW_ERRLEN]);
void allow_free(struct allow *a);
bool allow_has(const struct allow *a, const uint8_t key[KEY_LEN]);

#endif

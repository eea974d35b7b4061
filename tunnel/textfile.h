/* SPDX-License-Identifier: ISC */
/* Files that a person edits: lines of words between blanks, comments from a word
 * that begins with '#' to the end of the line. */
#ifndef NATKIT_TEXTFILE_H
#define NATKIT_TEXTFILE_H

#include <stddef.h>

#define TEXTFILE_MAX (1u << 20) /* bytes */
#define TEXTFILE_LINE 1024	/* bytes, without the newline */
#define TEXTFILE_WORDS 16

/* Called with each line that has words. Returns 0, or -errno and *why: reading
 * ends with that. */
typedef int textfile_fn(void *arg, char *word[], size_t n, const char **why);

/* *text is to be freed. Whoever decides by what a file says trusts it only when
 * nobody but its owner can write it, and that is the user or root, as ssh does
 * with its configuration (a character device, as /dev/null, is as it is).
 * Returns 0; -errno of open or read; -EPERM when others may write it; -EFBIG
 * above TEXTFILE_MAX. On error *why says it. */
int textfile_load(const char *path, char **text, size_t *len, const char **why);
/* Returns 0, what fn returned, or -EBADMSG for a line that is too long or has
 * control characters or too many words. On error *line is its number, from 1,
 * and *why says what is wrong. */
int textfile_parse(const char *text, size_t len, textfile_fn *fn, void *arg,
    unsigned *line, const char **why);
/* "WORD: why", valid until the next call: for a fn's *why. */
const char *textfile_blame(const char *word, const char *why);

#endif

/* SPDX-License-Identifier: ISC */
/* Programs, looked for as execvp(3) does it. */
#ifndef NATKIT_ONPATH_H
#define NATKIT_ONPATH_H

#include <limits.h>

/* Returns 0 when that is there and may be run, and its path in out (unless that
 * is NULL); -ENOENT; or -EACCES. */
int onpath_look(const char *program, char out[PATH_MAX]);

#endif

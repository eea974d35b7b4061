/* SPDX-License-Identifier: ISC */
/* Programs, looked for as execvp(3) does it. */
#ifndef NATKIT_ONPATH_H
#define NATKIT_ONPATH_H

/* Returns 0 when that is there and may be run, -ENOENT, or -EACCES. */
int onpath_look(const char *program);

#endif

/* SPDX-License-Identifier: ISC */
/* Files that hold a secret: a few bytes, that nobody else should read. */
#ifndef NATKIT_SECRETFILE_H
#define NATKIT_SECRETFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Fills buf as far as the file goes; a caller wipes it. Returns the length or
 * -errno. */
ssize_t secretfile_read(int fd, void *buf, size_t cap);
/* May group or others read it? Only of a regular file. */
bool secretfile_is_loose(int fd);

#endif

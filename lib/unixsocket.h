/* SPDX-License-Identifier: ISC */
/* Unix sockets that are their owner's alone; unix(7). */
#ifndef NATKIT_UNIXSOCKET_H
#define NATKIT_UNIXSOCKET_H

#include <stdbool.h>
#include <sys/un.h>

/* Returns 0, -ENOENT (empty) or -ENAMETOOLONG. */
int unixsocket_name(struct sockaddr_un *out, const char *path);
/* bind(2); the file has mode 0600 from its beginning. Returns 0 or -errno. */
int unixsocket_bind(int fd, const struct sockaddr_un *name);
/* Removes the stream socket that an earlier process left there; never another
 * thing, and never one that somebody listens on. Returns 0 (also when there is
 * nothing), or -errno: -EEXIST, -EADDRINUSE. */
int unixsocket_remove_stale(const struct sockaddr_un *name);
/* Is whoever has connected root, or of our own user (SO_PEERCRED)? */
bool unixsocket_is_permitted(int fd);

#endif

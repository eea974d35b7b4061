/* SPDX-License-Identifier: ISC */
/* The socket at which the engine of a key is met by its clients (mux.h):
 * SOCK_SEQPACKET of unix(7). */
#ifndef NATKIT_MUXDOOR_H
#define NATKIT_MUXDOOR_H

struct msghdr;

/* Returns a descriptor, or -errno: -ENOENT or -ECONNREFUSED: no engine. */
int mux_connect(const char *path);
/* Mode 0600, nonblocking. Returns a descriptor, or -errno: -EADDRINUSE: another
 * engine has it. The caller holds the lock of this path (doors.h), so what is
 * stale stays so until it is replaced. */
int mux_listen(const char *path);
/* The descriptors of a packet: two, or one twice; of any other number none (-1). */
void mux_take_fds(struct msghdr *msg, int fds[2]);

#endif

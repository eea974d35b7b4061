/* SPDX-License-Identifier: ISC */
/* What ssh(1) listens at for a bind address: without one, 127.0.0.1 and ::1;
 * "*", 0.0.0.0 and ::; always at one port, also when the system picks it. */
#ifndef NATKIT_BINDSET_H
#define NATKIT_BINDSET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define BINDSET_MAX 2

/* Opens what listens at this address; ss is its sockaddr. Returns the port, or
 * -errno. */
typedef int bindset_fn(
    void *arg, const struct sockaddr_storage *ss, socklen_t len);
/* Closes all that bindset_fn has opened. */
typedef void bindset_undo_fn(void *arg);

/* bind: "", "localhost", "*" or an address. An address family that this host
 * has not is left out, if there is another; an address that is in use is not:
 * its owner would get what is meant for us. Returns the port, or -errno and
 * nothing is open: -EINVAL (bind is no address), -EADDRINUSE, ... */
int bindset_open(const char *bind, uint16_t port, bindset_fn *fn,
    bindset_undo_fn *undo, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/* Hosts that are addresses, as hostport_host writes them, for the system's calls:
 * also link-local ones with a scope ("fe80::1%eth0", RFC 4007 section 11). */
#ifndef NATKIT_NUMERIC_H
#define NATKIT_NUMERIC_H

#include <stdint.h>
#include <sys/socket.h>

/* Returns the length of the sockaddr; 0: it is no address, or its scope is no
 * interface here. */
socklen_t numeric_sockaddr(
    struct sockaddr_storage *out, const char *host, uint16_t port);

#endif

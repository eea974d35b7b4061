/* SPDX-License-Identifier: ISC */
/* Network namespaces of a lab, by the names that its boxes have. */
#ifndef NATKIT_NETNS_H
#define NATKIT_NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define NETNS_NAME 32
#define NETNS_ADDRS 64

struct netns {
	char name[NETNS_NAME];
	int fd;
};

struct netns_addr {
	struct addr ip;
	struct addr broadcast; /* of IPv4 */
	uint32_t ifindex;
};

/* operand is NAME (of /run/netns) or NAME=/path. Returns 0, -EBADMSG for a name
 * that is none ([A-Za-z0-9_-], no path) or a path that is none, or -errno of
 * open. */
int netns_open(struct netns *ns, const char *operand);
/* From here on sockets and files of /proc are those of that namespace. */
int netns_enter(const struct netns *ns);
/* The addresses of the namespace that we are in. Returns how many. */
size_t netns_addrs(struct netns_addr *list, size_t cap);
/* Does it pass packets on? */
bool netns_forwards(void);
/* The interface of the default route of IPv4, 0 if there is none. */
uint32_t netns_outside(void);
/* How long may a packet be to go there? SIZE_MAX if no way is known. */
size_t netns_mtu(const struct addr *to);

#endif

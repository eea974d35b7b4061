/* SPDX-License-Identifier: ISC */
/* This host's addresses, and news of their changes: rtnetlink(7). */
#include "netlink.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_LEN 8192

int
netlink_open(bool addresses_only)
{
	struct sockaddr_nl nl = {
	    .nl_family = AF_NETLINK,
	    .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(
	    AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	int err = 0;

	if (fd == -1)
		return -errno;
	if (!addresses_only)
		nl.nl_groups |=
		    RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
	if (bind(fd, (struct sockaddr *)&nl, sizeof(nl)) == -1) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* RTM_NEWLINK also tells what concerns nobody here, such as wireless events
 * several times a minute: those have no flag that changes. */
static bool
is_change(const struct nlmsghdr *h)
{
	const struct ifinfomsg *link = NLMSG_DATA(h);

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*link)) &&
		       link->ifi_change != 0;
	case RTM_DELLINK:
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return true;
	default:
		return false;
	}
}

int
netlink_changed(int fd)
{
	union {
		struct nlmsghdr h;
		char bytes[READ_LEN];
	} buf;
	struct sockaddr_nl from = {0};
	socklen_t from_len = sizeof(from);
	int changed = 0;

	for (;;) {
		from_len = sizeof(from);
		ssize_t n = recvfrom(fd, &buf, sizeof(buf), 0,
		    (struct sockaddr *)&from, &from_len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == ENOBUFS) {
			changed = 1; /* so much that some was lost */
			continue;
		}
		if (n == -1)
			return errno == EAGAIN ? changed : -errno;
		if (from.nl_pid != 0)
			continue; /* not from the kernel */
		for (struct nlmsghdr *h = &buf.h; NLMSG_OK(h, (size_t)n);
		     h = NLMSG_NEXT(h, n))
			if (is_change(h))
				changed = 1;
	}
}

/* getifaddrs(3) does not tell an address's flags; /proc/net/if_inet6 does:
 * 32 hex digits, then index, prefix length, scope, flags (hex) and name. */
static bool
v6_unusable(const struct addr *a)
{
	char line[128], want[33];
	unsigned int flags = 0;
	bool found = false;
	FILE *f = fopen("/proc/net/if_inet6", "re");

	if (f == NULL)
		return false;
	for (int i = 0; i < 16; i++)
		snprintf(want + i * 2, 3, "%02x", a->ip[i]);
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, want, 32) != 0)
			continue;
		found = sscanf(line + 32, "%*x %*x %*x %x", &flags) == 1;
	}
	fclose(f);
	if (!found)
		return false;
	return (flags & (IFA_F_DEPRECATED | IFA_F_DADFAILED)) != 0 ||
	       ((flags & IFA_F_TENTATIVE) != 0 &&
		   (flags & IFA_F_OPTIMISTIC) == 0);
}

static bool
is_named(const char *name, const char *const exclude[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, exclude[i]) == 0)
			return true;
	return false;
}

static bool
usable(const struct ifaddrs *ifa, struct addr *a)
{
	unsigned int up = IFF_UP | IFF_RUNNING;

	if (ifa->ifa_addr == NULL || (ifa->ifa_flags & up) != up ||
	    addr_from_sockaddr(a, ifa->ifa_addr) != 0)
		return false;
	a->port = 0;
	if (addr_is_any(a) || addr_is_loopback(a) || addr_is_link_local(a) ||
	    addr_is_multicast(a))
		return false;
	return a->family != ADDR_V6 || !v6_unusable(a);
}

static int
order(const void *x, const void *y)
{
	const struct addr *a = x, *b = y;

	if (a->family != b->family)
		return a->family == ADDR_V6 ? -1 : 1;
	return memcmp(a->ip, b->ip, sizeof(a->ip));
}

int
netlink_hosts(
    struct addr *list, size_t cap, const char *const exclude[], size_t n)
{
	struct ifaddrs *all = NULL;
	size_t found = 0;

	if (getifaddrs(&all) == -1)
		return -errno;
	for (struct ifaddrs *ifa = all; ifa != NULL; ifa = ifa->ifa_next)
		if (found < cap && !is_named(ifa->ifa_name, exclude, n) &&
		    usable(ifa, &list[found]))
			found++;
	freeifaddrs(all);
	qsort(list, found, sizeof(*list), order);
	return (int)found;
}

bool
netlink_excluded(const struct addr *ip, const char *const exclude[], size_t n)
{
	struct ifaddrs *all = NULL;
	bool found = false;
	struct addr a;

	if (n == 0 || getifaddrs(&all) == -1)
		return false;
	for (struct ifaddrs *ifa = all; ifa != NULL; ifa = ifa->ifa_next)
		if (is_named(ifa->ifa_name, exclude, n) &&
		    ifa->ifa_addr != NULL &&
		    addr_from_sockaddr(&a, ifa->ifa_addr) == 0 &&
		    addr_equal_ip(&a, ip))
			found = true;
	freeifaddrs(all);
	return found;
}

/* SPDX-License-Identifier: ISC */
/* Network namespaces of a lab, by the names that its boxes have. */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_BYTES                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

int
netns_open(struct netns *ns, const char *operand)
{
	size_t len = strcspn(operand, "=");
	char path[NETNS_NAME + sizeof("/run/netns/")];
	const char *where = path;

	if (len == 0 || len >= sizeof(ns->name) || operand[0] == '-' ||
	    strspn(operand, NAME_BYTES) < len)
		return -EBADMSG;
	if (operand[len] == '=')
		where = operand + len + 1;
	else
		snprintf(path, sizeof(path), "/run/netns/%s", operand);
	if (where[0] != '/')
		return -EBADMSG;
	memset(ns, 0, sizeof(*ns));
	memcpy(ns->name, operand, len);
	ns->fd = open(where, O_RDONLY | O_CLOEXEC);
	return ns->fd == -1 ? -errno : 0;
}

int
netns_enter(const struct netns *ns)
{
	return setns(ns->fd, CLONE_NEWNET) == -1 ? -errno : 0;
}

static void
set_broadcast(struct netns_addr *a, const struct sockaddr *netmask)
{
	struct addr mask;

	a->broadcast = a->ip;
	if (a->ip.family != ADDR_V4 || netmask == NULL ||
	    addr_from_sockaddr(&mask, netmask) != 0)
		return;
	for (size_t i = 0; i < 4; i++)
		a->broadcast.ip[i] |= (uint8_t)~mask.ip[i];
}

size_t
netns_addrs(struct netns_addr *list, size_t cap)
{
	struct ifaddrs *all, *i;
	size_t n = 0;

	if (getifaddrs(&all) == -1)
		return 0;
	for (i = all; i != NULL && n < cap; i = i->ifa_next) {
		if (i->ifa_addr == NULL ||
		    addr_from_sockaddr(&list[n].ip, i->ifa_addr) != 0)
			continue;
		list[n].ip.port = 0;
		set_broadcast(&list[n], i->ifa_netmask);
		list[n++].ifindex = if_nametoindex(i->ifa_name);
	}
	freeifaddrs(all);
	return n;
}

static bool
file_says_one(const char *path)
{
	char c = '0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return false;
	if (read(fd, &c, 1) != 1)
		c = '0';
	close(fd);
	return c == '1';
}

uint32_t
netns_outside(void)
{
	char line[256], name[IF_NAMESIZE], to[9], mask[9];
	FILE *f = fopen("/proc/net/route", "re");
	uint32_t found = 0;

	if (f == NULL)
		return 0;
	while (found == 0 && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%15s %8s %*s %*s %*s %*s %*s %8s", name, to,
			mask) == 3 &&
		    strcmp(to, "00000000") == 0 && strcmp(mask, to) == 0)
			found = if_nametoindex(name);
	fclose(f);
	return found;
}

size_t
netns_mtu(const struct addr *to)
{
	bool six = to->family == ADDR_V6;
	int mtu = 0, fd;
	socklen_t len = sizeof(mtu);
	struct sockaddr_storage ss;

	fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return SIZE_MAX;
	if (connect(fd, (struct sockaddr *)&ss, addr_to_sockaddr(to, &ss)) ==
		-1 ||
	    getsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
		six ? IPV6_MTU : IP_MTU, &mtu, &len) == -1)
		mtu = 0;
	close(fd);
	return mtu > 0 ? (size_t)mtu : SIZE_MAX;
}

bool
netns_forwards(void)
{
	return file_says_one("/proc/sys/net/ipv4/ip_forward") ||
	       file_says_one("/proc/sys/net/ipv6/conf/all/forwarding");
}

/* SPDX-License-Identifier: ISC */
/* The addresses of this host: getifaddrs(3). */
#include "ownaddrs.h"

#include <errno.h>
#include <ifaddrs.h>

/* An address of the host, and for IPv6 the subnet's one of all routers there, of
 * which we may be one (RFC 4291 section 2.6.1; of two hosts: RFC 6164). */
static int
add(struct peerrules *rules, const struct ifaddrs *i)
{
	struct addr a, mask;
	int rc;

	if (i->ifa_addr == NULL || addr_from_sockaddr(&a, i->ifa_addr) != 0 ||
	    addr_is_loopback(&a) || addr_is_link_local(&a))
		return 0;
	rc = peerrules_add_own(rules, &a);
	if (rc != 0 || a.family != ADDR_V6 || i->ifa_netmask == NULL ||
	    addr_from_sockaddr(&mask, i->ifa_netmask) != 0 ||
	    mask.ip[15] >= 0xfe)
		return rc;
	for (size_t n = 0; n < sizeof(a.ip); n++)
		a.ip[n] &= mask.ip[n];
	return peerrules_add_own(rules, &a);
}

int
ownaddrs_add(struct peerrules *rules)
{
	struct ifaddrs *list;
	int rc = 0;

	if (getifaddrs(&list) == -1)
		return -errno;
	for (const struct ifaddrs *i = list; i != NULL && rc == 0;
	     i = i->ifa_next)
		rc = add(rules, i);
	freeifaddrs(list);
	return rc;
}

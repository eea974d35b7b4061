/* SPDX-License-Identifier: ISC */
/* Hosts that are addresses. */
#include "numeric.h"

#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "addr.h"

socklen_t
numeric_sockaddr(struct sockaddr_storage *out, const char *host, uint16_t port)
{
	const char *percent = strchr(host, '%');
	size_t n = percent == NULL ? strlen(host) : (size_t)(percent - host);
	char ip[ADDR_STRLEN];
	struct addr a;
	socklen_t len;
	unsigned int scope;

	if (n >= sizeof(ip))
		return 0;
	memcpy(ip, host, n);
	ip[n] = '\0';
	if (addr_parse_ip(&a, ip, port) != 0)
		return 0;
	len = addr_to_sockaddr(&a, out);
	if (percent == NULL)
		return len;
	scope = if_nametoindex(percent + 1);
	if (a.family != ADDR_V6 || scope == 0)
		return 0;
	((struct sockaddr_in6 *)out)->sin6_scope_id = scope;
	return len;
}

/* SPDX-License-Identifier: ISC */
/* Endpoints: one spelling in, one spelling out, so that two programs of a
 * pipeline may compare them as text. */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_in_v6[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void
set_v4(struct addr *a, const void *ip, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->family = ADDR_V4;
	memcpy(a->ip, ip, 4);
	a->port = port;
}

static void
set_v6(struct addr *a, const void *ip, uint16_t port)
{
	if (memcmp(ip, v4_in_v6, sizeof(v4_in_v6)) == 0) {
		set_v4(a, (const uint8_t *)ip + sizeof(v4_in_v6), port);
		return;
	}
	memset(a, 0, sizeof(*a));
	a->family = ADDR_V6;
	memcpy(a->ip, ip, 16);
	a->port = port;
}

/* inet_pton takes neither scope ids nor leading zeros in an octet. */
static int
parse_ip(
    struct addr *out, int family, const char *text, size_t len, uint16_t port)
{
	char ip[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (len >= sizeof(ip))
		return -EBADMSG;
	memcpy(ip, text, len);
	ip[len] = '\0';
	if (inet_pton(family, ip, bytes) != 1)
		return -EBADMSG;
	if (family == AF_INET)
		set_v4(out, bytes, port);
	else
		set_v6(out, bytes, port);
	return 0;
}

/* 0 to 65535 in decimal, no sign, no leading zero, nothing after it. */
static int
parse_port(uint16_t *out, const char *text)
{
	unsigned int port = 0;
	size_t len = strlen(text);

	if (len == 0 || len > 5 || (text[0] == '0' && len > 1))
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EBADMSG;
		port = port * 10 + (unsigned int)(text[i] - '0');
	}
	if (port > UINT16_MAX)
		return -EBADMSG;
	*out = (uint16_t)port;
	return 0;
}

int
addr_parse(struct addr *out, const char *text)
{
	const char *end;
	uint16_t port;

	if (text[0] == '[') {
		end = strchr(text, ']');
		if (end == NULL || end[1] != ':' ||
		    parse_port(&port, end + 2) != 0)
			return -EBADMSG;
		text++;
		return parse_ip(
		    out, AF_INET6, text, (size_t)(end - text), port);
	}
	end = strchr(text, ':');
	if (end == NULL || parse_port(&port, end + 1) != 0)
		return -EBADMSG;
	return parse_ip(out, AF_INET, text, (size_t)(end - text), port);
}

int
addr_parse_ip(struct addr *out, const char *text, uint16_t port)
{
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']')
		return parse_ip(out, AF_INET6, text + 1, len - 2, port);
	return parse_ip(out, strchr(text, ':') != NULL ? AF_INET6 : AF_INET,
	    text, len, port);
}

const char *
addr_format_ip(const struct addr *a, char buf[ADDR_STRLEN])
{
	int family = a->family == ADDR_V4 ? AF_INET : AF_INET6;

	if (addr_ip_len(a) == 0 ||
	    inet_ntop(family, a->ip, buf, ADDR_STRLEN) == NULL)
		(void)snprintf(buf, ADDR_STRLEN, "-");
	return buf;
}

const char *
addr_format(const struct addr *a, char buf[ADDR_STRLEN])
{
	char ip[ADDR_STRLEN];

	addr_format_ip(a, ip);
	switch (a->family) {
	case ADDR_V4:
		(void)snprintf(buf, ADDR_STRLEN, "%.46s:%u", ip, a->port);
		break;
	case ADDR_V6:
		(void)snprintf(buf, ADDR_STRLEN, "[%.46s]:%u", ip, a->port);
		break;
	default:
		(void)snprintf(buf, ADDR_STRLEN, "-");
	}
	return buf;
}

int
addr_from_sockaddr(struct addr *out, const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof(in));
		set_v4(out, &in.sin_addr, ntohs(in.sin_port));
		return 0;
	case AF_INET6:
		memcpy(&in6, sa, sizeof(in6));
		set_v6(out, &in6.sin6_addr, ntohs(in6.sin6_port));
		return 0;
	default:
		return -EPROTONOSUPPORT;
	}
}

socklen_t
addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	memset(ss, 0, sizeof(*ss));
	switch (a->family) {
	case ADDR_V4:
		in.sin_port = htons(a->port);
		memcpy(&in.sin_addr, a->ip, 4);
		memcpy(ss, &in, sizeof(in));
		return sizeof(in);
	case ADDR_V6:
		in6.sin6_port = htons(a->port);
		memcpy(&in6.sin6_addr, a->ip, 16);
		memcpy(ss, &in6, sizeof(in6));
		return sizeof(in6);
	default:
		return 0;
	}
}

size_t
addr_ip_len(const struct addr *a)
{
	switch (a->family) {
	case ADDR_V4:
		return 4;
	case ADDR_V6:
		return 16;
	default:
		return 0;
	}
}

bool
addr_equal_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       memcmp(a->ip, b->ip, addr_ip_len(a)) == 0;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && a->tcp == b->tcp && addr_equal_ip(a, b);
}

bool
addr_is_any(const struct addr *a)
{
	static const uint8_t any[16];

	return addr_ip_len(a) > 0 && memcmp(a->ip, any, addr_ip_len(a)) == 0;
}

bool
addr_is_loopback(const struct addr *a)
{
	if (a->family == ADDR_V4)
		return a->ip[0] == 127;
	return a->family == ADDR_V6 &&
	       memcmp(a->ip, &in6addr_loopback, 16) == 0;
}

bool
addr_is_link_local(const struct addr *a)
{
	if (a->family == ADDR_V4)
		return a->ip[0] == 169 && a->ip[1] == 254;
	return a->family == ADDR_V6 && a->ip[0] == 0xfe &&
	       (a->ip[1] & 0xc0) == 0x80;
}

bool
addr_is_multicast(const struct addr *a)
{
	static const uint8_t broadcast[4] = {255, 255, 255, 255};

	if (a->family == ADDR_V4)
		return (a->ip[0] & 0xf0) == 0xe0 ||
		       memcmp(a->ip, broadcast, 4) == 0;
	return a->family == ADDR_V6 && a->ip[0] == 0xff;
}

bool
addr_is_sendable(const struct addr *a)
{
	return addr_ip_len(a) > 0 && a->port != 0 && !addr_is_any(a) &&
	       !addr_is_multicast(a);
}

bool
addr_is_public4(const struct addr *a)
{
	const uint8_t *ip = a->ip;

	if (a->family != ADDR_V4 || addr_is_any(a) || addr_is_loopback(a) ||
	    addr_is_link_local(a) || addr_is_multicast(a))
		return false;
	return ip[0] != 10 && !(ip[0] == 172 && (ip[1] & 0xf0) == 16) &&
	       !(ip[0] == 192 && ip[1] == 168) &&
	       !(ip[0] == 100 && (ip[1] & 0xc0) == 64);
}

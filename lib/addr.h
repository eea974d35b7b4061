/* SPDX-License-Identifier: ISC */
/* Endpoints: an IPv4 or IPv6 address and a port, of UDP where nothing else is
 * said. */
#ifndef NATKIT_ADDR_H
#define NATKIT_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Room for "[v6 address]:65535" and a NUL. */
#define ADDR_STRLEN 64

enum addr_family {
	ADDR_NONE = 0,
	ADDR_V4 = 4,
	ADDR_V6 = 6
};

struct addr {
	uint8_t family; /* enum addr_family */
	uint8_t ip[16]; /* network order; IPv4 uses the first 4, rest zero */
	bool tcp;	/* never part of text or of a message */
	uint16_t port;	/* host order */
};

/* "192.0.2.1:51820" or "[2001:db8::1]:51820" (as wg, ss and socat write
 * them). 4-in-6 is unmapped. Returns 0, or -EBADMSG. */
int addr_parse(struct addr *out, const char *text);
/* An address alone, "192.0.2.1" or "2001:db8::1" (brackets allowed). */
int addr_parse_ip(struct addr *out, const char *text, uint16_t port);
/* Writes the endpoint, "-" for ADDR_NONE; returns buf. */
const char *addr_format(const struct addr *a, char buf[ADDR_STRLEN]);
const char *addr_format_ip(const struct addr *a, char buf[ADDR_STRLEN]);

/* 4-in-6 is unmapped. Returns 0, or -EPROTONOSUPPORT for another family. */
int addr_from_sockaddr(struct addr *out, const struct sockaddr *sa);
/* Returns the length of the sockaddr, 0 for ADDR_NONE. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);

bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_equal_ip(const struct addr *a, const struct addr *b);
size_t addr_ip_len(const struct addr *a); /* 4, 16, or 0 */
bool addr_is_any(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
bool addr_is_link_local(const struct addr *a);
bool addr_is_multicast(const struct addr *a); /* and IPv4 broadcast */
/* An IPv4 address that is neither private (RFC 1918), shared (RFC 6598: behind
 * a provider's NAT), nor any of those above. */
bool addr_is_public4(const struct addr *a);
/* An address that a datagram may be sent to: a port, not any, not multicast */
bool addr_is_sendable(const struct addr *a);

#endif

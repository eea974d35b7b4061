/* SPDX-License-Identifier: ISC */
/* Hosts and ports as people and ssh(1) write them: "host:port",
 * "[2001:db8::1]:port", "bind:port:host:port". No name is ever resolved.
 *
 * A host comes out in one spelling, so that two are compared by strcmp: names in
 * lower case (RFC 4343), addresses as addr_format_ip has them (4-in-6 is IPv4).
 * What is neither an address nor a name but looks like a number ("127.1",
 * "0x7f.1", "2130706433") is refused: a resolver takes it for an address. */
#ifndef NATKIT_HOSTPORT_H
#define NATKIT_HOSTPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOSTPORT_HOST 254 /* longest name (RFC 1035 section 2.3.4) and a NUL */
#define HOSTPORT_TEXT (HOSTPORT_HOST + 8)
#define HOSTPORT_FIELDS 4

/* A name, an IPv4 or an IPv6 address without brackets; a link-local one may
 * have a scope ("fe80::1%eth0"). Returns 0 or -EBADMSG. */
int hostport_host(char out[HOSTPORT_HOST], const char *text);
/* Of a host that hostport_host has written: is it an address? */
bool hostport_is_address(const char *host);
/* 0 to 65535 in decimal; no sign, no blank, no leading zero. 0 or -EBADMSG. */
int hostport_port(uint16_t *out, const char *text);

struct hostport_field {
	char *text;
	bool bracketed;
};

/* Splits text in place at its colons, except within brackets (which are taken
 * off) and after a backslash (as ssh has it). Returns how many, or -EBADMSG. */
int hostport_split(char *text, struct hostport_field field[HOSTPORT_FIELDS]);
/* hostport_host of a field: IPv6 in brackets, all else without. */
int hostport_field_host(
    char out[HOSTPORT_HOST], const struct hostport_field *f);

/* "host:port", with brackets where they are needed; "port" when host is "". */
const char *hostport_format(
    const char *host, uint16_t port, char buf[HOSTPORT_TEXT]);

#endif

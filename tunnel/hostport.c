/* SPDX-License-Identifier: ISC */
/* Hosts and ports as people and ssh(1) write them. */
#include "hostport.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"

#define LABEL_MAX 63 /* octets, RFC 1035 section 2.3.4 */
#define SCOPE_MAX 15 /* IFNAMSIZ - 1 */

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Would inet_aton(3) take it for the last part of an address? */
static bool
is_number(const char *label, size_t len)
{
	if (strspn(label, DIGITS) >= len)
		return true;
	return len >= 2 && label[0] == '0' &&
	       (label[1] == 'x' || label[1] == 'X') &&
	       strspn(label + 2, DIGITS "abcdefABCDEF") >= len - 2;
}

/* A name as RFC 1123 section 2.1 has it, and '_', which is in use; one dot at
 * the end says that it is a whole one. */
static bool
is_name(const char *s)
{
	size_t len;

	for (;;) {
		len = strspn(s, LOWER UPPER DIGITS "-_");
		if (len == 0 || len > LABEL_MAX || s[0] == '-' ||
		    s[len - 1] == '-')
			return false;
		if (s[len] == '\0' || (s[len] == '.' && s[len + 1] == '\0'))
			return !is_number(s, len);
		if (s[len] != '.')
			return false;
		s += len + 1;
	}
}

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

/* "fe80::1%eth0": only a link-local address has a scope. */
static int
scoped(char out[HOSTPORT_HOST], char *text, char *percent)
{
	const char *scope = percent + 1;
	size_t len = strspn(scope, LOWER UPPER DIGITS "._-");
	char ip[ADDR_STRLEN];
	struct addr a;

	if (len == 0 || len > SCOPE_MAX || scope[len] != '\0')
		return -EBADMSG;
	*percent = '\0';
	if (addr_parse_ip(&a, text, 0) != 0 || a.family != ADDR_V6 ||
	    !addr_is_link_local(&a))
		return -EBADMSG;
	(void)snprintf(
	    out, HOSTPORT_HOST, "%s%%%s", addr_format_ip(&a, ip), scope);
	return 0;
}

int
hostport_host(char out[HOSTPORT_HOST], const char *text)
{
	size_t len = strnlen(text, HOSTPORT_HOST);
	char copy[HOSTPORT_HOST], ip[ADDR_STRLEN];
	char *percent;
	struct addr a;

	if (len == HOSTPORT_HOST || strchr(text, '[') != NULL)
		return -EBADMSG;
	memcpy(copy, text, len + 1);
	percent = strchr(copy, '%');
	if (percent != NULL)
		return scoped(out, copy, percent);
	if (addr_parse_ip(&a, copy, 0) == 0) {
		(void)snprintf(
		    out, HOSTPORT_HOST, "%s", addr_format_ip(&a, ip));
		return 0;
	}
	if (!is_name(copy))
		return -EBADMSG;
	lower(copy);
	memcpy(out, copy, len + 1);
	return 0;
}

bool
hostport_is_address(const char *host)
{
	struct addr a;

	return strchr(host, ':') != NULL || addr_parse_ip(&a, host, 0) == 0;
}

int
hostport_port(uint16_t *out, const char *text)
{
	size_t len = strspn(text, DIGITS);
	unsigned int port = 0;

	if (len == 0 || len > 5 || text[len] != '\0' ||
	    (text[0] == '0' && len > 1))
		return -EBADMSG;
	for (; *text != '\0'; text++)
		port = port * 10 + (unsigned int)(*text - '0');
	if (port > UINT16_MAX)
		return -EBADMSG;
	*out = (uint16_t)port;
	return 0;
}

/* Ends the field that begins at *p and steps over its colon. *more: there was
 * one. */
static int
next_field(char **p, struct hostport_field *f, bool *more)
{
	char *s = *p, *to;

	f->bracketed = *s == '[';
	if (f->bracketed) {
		f->text = ++s;
		s += strcspn(s, "[]");
		if (*s != ']' || (s[1] != ':' && s[1] != '\0'))
			return -EBADMSG;
		to = s++;
	} else {
		for (f->text = to = s; *s != ':' && *s != '\0'; s++) {
			if (*s == '\\' && *++s == '\0')
				return -EBADMSG;
			*to++ = *s;
		}
	}
	*more = *s == ':';
	*to = '\0';
	*p = s + 1;
	return 0;
}

int
hostport_split(char *text, struct hostport_field field[HOSTPORT_FIELDS])
{
	bool more = true;
	int n = 0;

	while (more) {
		if (n == HOSTPORT_FIELDS ||
		    next_field(&text, &field[n], &more) != 0)
			return -EBADMSG;
		n++;
	}
	return n;
}

int
hostport_field_host(char out[HOSTPORT_HOST], const struct hostport_field *f)
{
	if (f->bracketed != (strchr(f->text, ':') != NULL))
		return -EBADMSG;
	return hostport_host(out, f->text);
}

const char *
hostport_format(const char *host, uint16_t port, char buf[HOSTPORT_TEXT])
{
	if (host[0] == '\0')
		(void)snprintf(buf, HOSTPORT_TEXT, "%u", port);
	else
		(void)snprintf(buf, HOSTPORT_TEXT,
		    strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
		    port);
	return buf;
}

/* SPDX-License-Identifier: ISC */
/* Forwards in ssh's own notation. */
#include "forward.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BAD_PORT "a port is a number, without a sign or a zero before it"

static int
parse_bind(
    struct forward *f, const struct hostport_field *field, const char **why)
{
	const char *s = field->text;

	*why = "bind to an address (IPv6 in brackets), localhost or *";
	if (!field->bracketed && strcmp(s, "localhost") == 0)
		return 0;
	if (!field->bracketed && (s[0] == '\0' || strcmp(s, "*") == 0)) {
		memcpy(f->bind, "*", 2);
		return 0;
	}
	if (hostport_field_host(f->bind, field) != 0 ||
	    !hostport_is_address(f->bind))
		return -EBADMSG;
	return 0;
}

static bool
is_path(const struct hostport_field *f)
{
	return !f->bracketed && f->text[0] == '/';
}

static int
parse_path(
    char out[OPENING_PATH], const struct hostport_field *f, const char **why)
{
	*why = "a path has at most 107 characters, no .. and no / at its end";
	if (!opening_path_is_good(f->text))
		return -EBADMSG;
	memcpy(out, f->text, strlen(f->text) + 1);
	return 0;
}

/* [bind:]port or /path. */
static int
parse_listener(struct forward *f, const struct hostport_field *field, int n,
    const char **why)
{
	const struct hostport_field *port = &field[n - 1];

	if (n == 1 && is_path(port) && (f->kind == 'L' || f->kind == 'R'))
		return parse_path(f->path, port, why);
	*why = BAD_PORT " (0: any that is free)";
	if (port->bracketed || hostport_port(&f->port, port->text) != 0)
		return -EBADMSG;
	return n == 2 ? parse_bind(f, &field[0], why) : 0;
}

/* host:port or /path. */
static int
parse_target(struct forward *f, const struct hostport_field *field, int n,
    const char **why)
{
	struct opening *t = &f->target;

	if (n == 1) {
		t->to = OPENING_UNIX;
		return parse_path(t->path, field, why);
	}
	t->to = f->kind == 'U' ? OPENING_UDP : OPENING_TCP;
	*why = "the target's host is no name and no address (IPv6 in brackets)";
	if (hostport_field_host(t->host, &field[0]) != 0)
		return -EBADMSG;
	*why = BAD_PORT ", from 1 to 65535";
	if (field[1].bracketed || hostport_port(&t->port, field[1].text) != 0 ||
	    t->port == 0)
		return -EBADMSG;
	return 0;
}

static const char *
shape(char kind)
{
	switch (kind) {
	case 'L':
	case 'R':
		return "give [bind:]port:host:hostport, or paths of Unix "
		       "sockets";
	case 'D':
		return "give [bind:]port";
	case 'U':
		return "give [bind:]port:host:hostport";
	default:
		return "a forward is -L, -R, -D or -U";
	}
}

int
forward_parse(
    struct forward *out, char kind, const char *text, const char **why)
{
	struct hostport_field field[HOSTPORT_FIELDS];
	struct forward f = {.kind = kind};
	char copy[FORWARD_TEXT];
	int n, targets = 2, rc;

	*why = shape(kind);
	if (kind == '\0' || strchr("LRDU", kind) == NULL ||
	    strlen(text) >= sizeof(copy))
		return -EBADMSG;
	memcpy(copy, text, strlen(text) + 1);
	n = hostport_split(copy, field);
	if (kind == 'D')
		targets = 0;
	else if (n > 0 && kind != 'U' && is_path(&field[n - 1]))
		targets = 1;
	if (n - targets < 1 || n - targets > 2)
		return -EBADMSG;
	rc = parse_listener(&f, field, n - targets, why);
	if (rc == 0 && targets > 0)
		rc = parse_target(&f, field + n - targets, targets, why);
	if (rc == 0)
		*out = f;
	return rc;
}

/* Appends a path, with a backslash before what forward_parse splits at. */
static size_t
put_path(char *buf, size_t len, const char *path)
{
	for (; *path != '\0' && len < FORWARD_TEXT - 2; path++) {
		if (*path == ':' || *path == '\\')
			buf[len++] = '\\';
		buf[len++] = *path;
	}
	buf[len] = '\0';
	return len;
}

const char *
forward_format(const struct forward *f, char buf[FORWARD_TEXT])
{
	char at[HOSTPORT_TEXT];
	size_t len;

	len = (size_t)snprintf(buf, FORWARD_TEXT, "-%c ", f->kind);
	if (f->path[0] != '\0')
		len = put_path(buf, len, f->path);
	else
		len += (size_t)snprintf(buf + len, FORWARD_TEXT - len, "%s",
		    hostport_format(f->bind, f->port, at));
	if (f->kind == 'D')
		return buf;
	buf[len++] = ':';
	if (f->target.path[0] != '\0')
		(void)put_path(buf, len, f->target.path);
	else
		(void)snprintf(buf + len, FORWARD_TEXT - len, "%s",
		    hostport_format(f->target.host, f->target.port, at));
	return buf;
}

bool
forward_equal(const struct forward *a, const struct forward *b)
{
	return a->kind == b->kind && a->port == b->port &&
	       strcmp(a->bind, b->bind) == 0 && strcmp(a->path, b->path) == 0 &&
	       opening_equal(&a->target, &b->target);
}

/* SPDX-License-Identifier: ISC */
/* How a stream begins. */
#include "opening.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const to_names[] = {
    [OPENING_PROGRAM] = "program",
    [OPENING_TCP] = "tcp",
    [OPENING_UNIX] = "unix",
    [OPENING_UDP] = "udp",
    [OPENING_LISTEN] = "listen",
    [OPENING_BACK] = "back",
};

static const struct {
	const char *name, *text;
} reasons[] = {
    [OPENING_OK] = {"ok", "it is open"},
    [OPENING_PERMIT] = {"not-permitted", "the peer does not permit that"},
    [OPENING_REFUSED] = {"refused", "the target refused the connection"},
    [OPENING_UNREACHABLE] = {"unreachable",
	"the target does not answer, or there is no way to it"},
    [OPENING_NAME] = {"no-such-name", "the peer finds no such name"},
    [OPENING_BUSY] = {"busy", "the peer has too many streams already"},
    [OPENING_NOBODY] = {"nobody", "nothing serves that at the peer"},
    [OPENING_IN_USE] = {"in-use", "the port is in use at the peer"},
    [OPENING_FAILED] = {"failed",
	"the peer could not do that: its standard error says why"},
};

#define LEN(table) (sizeof(table) / sizeof((table)[0]))

const char *
opening_to_name(enum opening_to to)
{
	return (size_t)to < LEN(to_names) ? to_names[to] : "?";
}

const char *
opening_reason_name(enum opening_reason r)
{
	return (size_t)r < LEN(reasons) ? reasons[r].name : "failed";
}

const char *
opening_reason_text(enum opening_reason r)
{
	return reasons[(size_t)r < LEN(reasons) ? r : OPENING_FAILED].text;
}

bool
opening_equal(const struct opening *a, const struct opening *b)
{
	return a->to == b->to && a->port == b->port && a->id == b->id &&
	       strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0;
}

bool
opening_path_is_good(const char *path)
{
	size_t len = strnlen(path, OPENING_PATH);
	const char *s;

	if (path[0] != '/' || len == OPENING_PATH || path[len - 1] == '/')
		return false;
	for (s = path; *s != '\0'; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
		if (strncmp(s, "/..", 3) == 0 && (s[3] == '/' || s[3] == '\0'))
			return false;
	}
	return true;
}

const char *
opening_format(const struct opening *o, char buf[OPENING_TEXT])
{
	const char *to = opening_to_name(o->to);
	char at[HOSTPORT_TEXT];

	if (o->path[0] != '\0')
		(void)snprintf(buf, OPENING_TEXT, "%s %s", to, o->path);
	else if (o->to == OPENING_TCP || o->to == OPENING_UDP ||
		 o->to == OPENING_LISTEN)
		(void)snprintf(buf, OPENING_TEXT, "%s %s", to,
		    hostport_format(o->host, o->port, at));
	else
		(void)snprintf(buf, OPENING_TEXT, "%s", to);
	return buf;
}

int
opening_write(const struct opening *o, struct record *out)
{
	char at[HOSTPORT_TEXT];

	record_begin(out, "open");
	record_put(out, "to", to_names[o->to]);
	switch (o->to) {
	case OPENING_TCP:
	case OPENING_UDP:
		record_put(out, "host", o->host);
		record_put_u64(out, "port", o->port);
		break;
	case OPENING_UNIX:
		record_put(out, "path", o->path);
		break;
	case OPENING_LISTEN:
		record_put(out, "proto", o->path[0] != '\0' ? "unix" : "tcp");
		record_put(out, "bind",
		    o->path[0] != '\0' ? o->path
				       : hostport_format(o->host, o->port, at));
		record_put_u64(out, "id", o->id);
		break;
	case OPENING_BACK:
		record_put_u64(out, "id", o->id);
		break;
	case OPENING_PROGRAM:
		break;
	}
	return out->overflow ? -EMSGSIZE : 0;
}

int
opening_answer_write(enum opening_reason r, uint16_t port, struct record *out)
{
	if (r == OPENING_OK) {
		record_begin(out, "ok");
		if (port != 0)
			record_put_u64(out, "port", port);
	} else {
		record_begin(out, "no");
		record_put(out, "reason", opening_reason_name(r));
	}
	return out->overflow ? -EMSGSIZE : 0;
}

static int
get_target(struct opening *o, const struct record_view *v)
{
	const char *host = record_get(v, "host");
	const char *port = record_get(v, "port");

	if (host == NULL || port == NULL || hostport_host(o->host, host) != 0 ||
	    hostport_port(&o->port, port) != 0 || o->port == 0)
		return -EBADMSG;
	return 0;
}

static int
get_path(struct opening *o, const char *path)
{
	if (path == NULL || !opening_path_is_good(path))
		return -EBADMSG;
	memcpy(o->path, path, strlen(path) + 1);
	return 0;
}

static int
get_id(struct opening *o, const struct record_view *v)
{
	const char *text = record_get(v, "id");
	uint64_t id;

	if (text == NULL || (text[0] == '0' && text[1] != '\0') ||
	    record_get_u64(v, "id", &id) != 0 || id > UINT32_MAX)
		return -EBADMSG;
	o->id = (uint32_t)id;
	return 0;
}

static int
get_bind(struct opening *o, const char *text)
{
	struct hostport_field f[HOSTPORT_FIELDS];
	char copy[HOSTPORT_TEXT];
	int n;

	if (text == NULL || strlen(text) >= sizeof(copy))
		return -EBADMSG;
	memcpy(copy, text, strlen(text) + 1);
	n = hostport_split(copy, f);
	if (n < 1 || n > 2 || f[n - 1].bracketed ||
	    hostport_port(&o->port, f[n - 1].text) != 0)
		return -EBADMSG;
	if (n == 2 && strcmp(f[0].text, "*") == 0 && !f[0].bracketed)
		memcpy(o->host, "*", 2);
	else if (n == 2 && (hostport_field_host(o->host, &f[0]) != 0 ||
			       !hostport_is_address(o->host)))
		return -EBADMSG;
	return 0;
}

static int
get_listen(struct opening *o, const struct record_view *v)
{
	const char *proto = record_get(v, "proto");
	const char *bind = record_get(v, "bind");
	int rc = -EBADMSG;

	if (proto != NULL && strcmp(proto, "tcp") == 0)
		rc = get_bind(o, bind);
	else if (proto != NULL && strcmp(proto, "unix") == 0)
		rc = get_path(o, bind);
	return rc != 0 ? rc : get_id(o, v);
}

static int
get_to(struct opening *o, const struct record_view *v)
{
	const char *to = record_get(v, "to");
	size_t i;

	for (i = 0; to != NULL && i < LEN(to_names); i++)
		if (strcmp(to, to_names[i]) == 0) {
			o->to = (enum opening_to)i;
			return 0;
		}
	return -EBADMSG;
}

int
opening_parse(struct opening *out, const char *line, size_t len)
{
	struct opening o = {0};
	struct record_view v;
	int rc;

	rc = record_parse(&v, line, len);
	if (rc != 0)
		return rc;
	if (!record_is(&v, "open") || get_to(&o, &v) != 0)
		return -EBADMSG;
	switch (o.to) {
	case OPENING_TCP:
	case OPENING_UDP:
		rc = get_target(&o, &v);
		break;
	case OPENING_UNIX:
		rc = get_path(&o, record_get(&v, "path"));
		break;
	case OPENING_LISTEN:
		rc = get_listen(&o, &v);
		break;
	case OPENING_BACK:
		rc = get_id(&o, &v);
		break;
	case OPENING_PROGRAM:
		break;
	}
	if (rc == 0)
		*out = o;
	return rc;
}

static int
get_reason(enum opening_reason *out, const struct record_view *v)
{
	const char *name = record_get(v, "reason");
	size_t i;

	for (i = OPENING_OK + 1; name != NULL && i < LEN(reasons); i++)
		if (strcmp(name, reasons[i].name) == 0) {
			*out = (enum opening_reason)i;
			return 0;
		}
	return -EBADMSG;
}

int
opening_answer_parse(
    enum opening_reason *out, uint16_t *port, const char *line, size_t len)
{
	enum opening_reason r = OPENING_OK;
	const char *text = NULL;
	struct record_view v;
	uint16_t p = 0;
	int rc;

	rc = record_parse(&v, line, len);
	if (rc != 0)
		return rc;
	if (record_is(&v, "ok"))
		text = record_get(&v, "port");
	else if (!record_is(&v, "no") || get_reason(&r, &v) != 0)
		return -EBADMSG;
	if (text != NULL && (hostport_port(&p, text) != 0 || p == 0))
		return -EBADMSG;
	*out = r;
	*port = p;
	return 0;
}

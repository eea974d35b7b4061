/* SPDX-License-Identifier: ISC */
/* nat-pipe's allow file: which key may reach what. */
#include "permit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peerbook.h"
#include "textfile.h"

#define ANY "*"
#define LOOPBACK "" /* as in struct opening: 127.0.0.1 and ::1 */

struct entry {
	uint8_t key[KEY_LEN];
	enum opening_to to; /* PROGRAM, TCP, UNIX, UDP, LISTEN */
	bool is_path;
	bool any_port;
	uint16_t port;
	char *what; /* host, bind address or path */
	char *hook; /* or NULL */
};

struct permit {
	struct entry *entry;
	size_t n, room;
	uint8_t (*key)[KEY_LEN]; /* sorted, each once */
	size_t keys;
};

struct reading {
	struct permit *permit;
	const struct peerbook *book;
};

static int
set_text(char **out, const char *text, const char **why)
{
	*out = strdup(text);
	if (*out != NULL)
		return 0;
	*why = "out of memory";
	return -ENOMEM;
}

/* Which word of the line. */
static int
blame(int rc, const char *word, const char **why)
{
	if (rc == -EBADMSG)
		*why = textfile_blame(word, *why);
	return rc;
}

static int
read_path(struct entry *e, const char *path, const char **why)
{
	*why = "a path has at most 107 characters, no .. and no / at its end";
	if (!opening_path_is_good(path))
		return -EBADMSG;
	e->is_path = true;
	return set_text(&e->what, path, why);
}

static int
read_port(struct entry *e, const struct hostport_field *f, const char **why)
{
	*why = "a port is a number from 1 to 65535, or *";
	e->any_port = !f->bracketed && strcmp(f->text, ANY) == 0;
	if (e->any_port)
		return 0;
	if (f->bracketed || hostport_port(&e->port, f->text) != 0 ||
	    e->port == 0)
		return -EBADMSG;
	return 0;
}

static int
read_host(struct entry *e, const struct hostport_field *f, const char **why)
{
	char host[HOSTPORT_HOST];

	*why = "the host is no name, no address (IPv6 in brackets) and no *";
	if (!f->bracketed && strcmp(f->text, ANY) == 0)
		return set_text(&e->what, ANY, why);
	if (hostport_field_host(host, f) != 0)
		return -EBADMSG;
	return set_text(&e->what, host, why);
}

/* host:port[/udp] or /path. */
static int
read_target(struct entry *e, char *text, const char **why)
{
	struct hostport_field f[HOSTPORT_FIELDS];
	char *slash;
	int rc;

	e->to = OPENING_UNIX;
	if (text[0] == '/')
		return read_path(e, text, why);
	slash = strrchr(text, '/');
	e->to = slash != NULL ? OPENING_UDP : OPENING_TCP;
	*why = "give host:port, host:port/udp or /path";
	if (slash != NULL && strcmp(slash, "/udp") != 0)
		return -EBADMSG;
	if (slash != NULL)
		*slash = '\0';
	if (hostport_split(text, f) != 2)
		return -EBADMSG;
	rc = read_port(e, &f[1], why);
	return rc != 0 ? rc : read_host(e, &f[0], why);
}

/* [bind:]port or /path. */
static int
read_listen(struct entry *e, char *text, const char **why)
{
	struct hostport_field f[HOSTPORT_FIELDS];
	int rc, n;

	e->to = OPENING_LISTEN;
	if (text[0] == '/')
		return read_path(e, text, why);
	*why = "give port, bind:port or /path";
	n = hostport_split(text, f);
	if (n != 1 && n != 2)
		return -EBADMSG;
	rc = read_port(e, &f[n - 1], why);
	if (rc != 0)
		return rc;
	if (n == 1 || (!f[0].bracketed && strcmp(f[0].text, "localhost") == 0))
		return set_text(&e->what, LOOPBACK, why);
	rc = read_host(e, &f[0], why);
	if (rc != 0)
		return rc;
	*why = "listen at an address (IPv6 in brackets), localhost or *";
	if (strcmp(e->what, ANY) != 0 && !hostport_is_address(e->what))
		return -EBADMSG;
	return 0;
}

static int
read_hook(struct entry *e, const char *word, const char **why)
{
	*why = "what stands last is unknown: there is hook=/path/to/program";
	if (strncmp(word, "hook=", 5) != 0)
		return -EBADMSG;
	*why = "a hook has to be a path that begins with /";
	if (word[5] != '/')
		return -EBADMSG;
	return set_text(&e->hook, word + 5, why);
}

static int
read_permit(struct entry *e, char *word[], size_t n, const char **why)
{
	char target[TEXTFILE_LINE + 1];
	int rc;

	*why = "give permit, a key, and host:port or /path";
	if (n != 3 && n != 4)
		return -EBADMSG;
	snprintf(target, sizeof(target), "%s", word[2]); /* it is taken apart */
	rc = blame(read_target(e, word[2], why), target, why);
	if (rc == 0 && n == 4)
		rc = blame(read_hook(e, word[3], why), word[3], why);
	return rc;
}

static int
read_listener(struct entry *e, char *word[], size_t n, const char **why)
{
	char at[TEXTFILE_LINE + 1];

	*why = "give listen, a key, and [bind:]port or /path";
	if (n != 3)
		return -EBADMSG;
	snprintf(at, sizeof(at), "%s", word[2]);
	return blame(read_listen(e, word[2], why), at, why);
}

static int
read_verb(struct entry *e, char *word[], size_t n, const char **why)
{
	if (strcmp(word[0], "permit") == 0)
		return read_permit(e, word, n, why);
	if (strcmp(word[0], "listen") == 0)
		return read_listener(e, word, n, why);
	e->to = OPENING_PROGRAM;
	if (strcmp(word[0], "allow") == 0) {
		*why = "give allow and a key";
		return n == 2 ? 0 : -EBADMSG;
	}
	*why = "a line begins with allow, permit or listen";
	return blame(-EBADMSG, word[0], why);
}

static int
grow(struct permit *p, const char **why)
{
	size_t room = p->room == 0 ? 16 : p->room * 2;
	struct entry *more;

	if (p->n < p->room)
		return 0;
	*why = "out of memory";
	more = realloc(p->entry, room * sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	p->entry = more;
	p->room = room;
	return 0;
}

static int
read_line(void *arg, char *word[], size_t n, const char **why)
{
	struct reading *r = arg;
	struct entry *e;
	int rc;

	rc = grow(r->permit, why);
	if (rc != 0)
		return rc;
	e = &r->permit->entry[r->permit->n++];
	*e = (struct entry){0};
	rc = read_verb(e, word, n, why);
	if (rc != 0)
		return rc;
	rc = peerbook_find(r->book, word[1], e->key);
	if (rc != 0)
		*why = peerbook_why_there(rc, word[1]);
	return rc;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, KEY_LEN);
}

static int
list_keys(struct permit *p)
{
	size_t n = 0;

	p->key = calloc(p->n + 1, sizeof(*p->key));
	if (p->key == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++)
		memcpy(p->key[i], p->entry[i].key, KEY_LEN);
	qsort(p->key, p->n, KEY_LEN, compare);
	for (size_t i = 0; i < p->n; i++)
		if (n == 0 || memcmp(p->key[n - 1], p->key[i], KEY_LEN) != 0)
			memmove(p->key[n++], p->key[i], KEY_LEN);
	p->keys = n;
	return 0;
}

int
permit_parse(struct permit **out, const char *text, size_t len,
    const struct peerbook *book, unsigned *line, const char **why)
{
	struct reading r = {
	    .permit = calloc(1, sizeof(*r.permit)), .book = book};
	int rc;

	*line = 0;
	*why = "out of memory";
	if (r.permit == NULL)
		return -ENOMEM;
	rc = textfile_parse(text, len, read_line, &r, line, why);
	if (rc == 0) {
		*why = "out of memory";
		rc = list_keys(r.permit);
	}
	if (rc == 0)
		*out = r.permit;
	else
		permit_free(r.permit);
	return rc;
}

int
permit_read(struct permit **out, const char *path, const struct peerbook *book,
    unsigned *line, const char **why)
{
	char *text = NULL;
	size_t len = 0;
	int rc = 0;

	*line = 0;
	if (path != NULL)
		rc = textfile_load(path, &text, &len, why);
	if (rc == 0)
		rc = permit_parse(
		    out, text != NULL ? text : "", len, book, line, why);
	free(text);
	return rc;
}

void
permit_free(struct permit *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++) {
		free(p->entry[i].what);
		free(p->entry[i].hook);
	}
	free(p->entry);
	free(p->key);
	free(p);
}

const uint8_t *
permit_key(const struct permit *p, size_t i)
{
	return p != NULL && i < p->keys ? p->key[i] : NULL;
}

static bool
bind_fits(const char *what, const char *bind)
{
	if (strcmp(what, LOOPBACK) == 0)
		return strcmp(bind, LOOPBACK) == 0 ||
		       strcmp(bind, "127.0.0.1") == 0 ||
		       strcmp(bind, "::1") == 0;
	return strcmp(what, ANY) == 0 || strcmp(what, bind) == 0;
}

static bool
host_fits(const char *what, const char *host)
{
	return strcmp(what, ANY) == 0 || strcmp(what, host) == 0;
}

static bool
fits(const struct entry *e, const struct opening *o)
{
	if (e->to != o->to || e->to == OPENING_BACK)
		return false;
	if (e->to == OPENING_PROGRAM)
		return true;
	if (e->is_path || o->path[0] != '\0')
		return e->is_path && strcmp(e->what, o->path) == 0;
	if (!e->any_port && e->port != o->port)
		return false;
	return e->to == OPENING_LISTEN ? bind_fits(e->what, o->host)
				       : host_fits(e->what, o->host);
}

enum permit_answer
permit_check(const struct permit *p, const uint8_t key[KEY_LEN],
    const struct opening *what, const char **hook)
{
	*hook = NULL;
	for (size_t i = 0; p != NULL && i < p->n; i++) {
		const struct entry *e = &p->entry[i];

		if (memcmp(e->key, key, KEY_LEN) != 0 || !fits(e, what))
			continue;
		*hook = e->hook;
		return e->hook != NULL ? PERMIT_HOOK : PERMIT_YES;
	}
	return PERMIT_NO;
}

/* SPDX-License-Identifier: ISC */
/* The peers file. */
#include "peerbook.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "textfile.h"

struct peerbook {
	struct peerbook_entry *entry;
	size_t n, room;
};

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* '.' and '-' at its start would make it a hidden file, or an option. No key
 * is a name: keys end with '='. */
static bool
is_name(const char *s)
{
	size_t len = strspn(s, ALNUM "._-");

	return len > 0 && len <= PEERBOOK_NAME && s[len] == '\0' &&
	       s[0] != '.' && s[0] != '-';
}

static int
add_server(struct peerbook_entry *e, const char *text, const char **why)
{
	char full[KEY_SERVER_STRLEN];
	int rc;

	*why = "too many servers for one peer";
	if (e->servers == PEERBOOK_SERVERS)
		return -E2BIG;
	*why = "server= takes KEY@host or KEY@host:port";
	rc = key_complete_server(full, text);
	if (rc == -EINVAL)
		*why = "the server's key is weak";
	if (rc != 0)
		return rc;
	*why = "a server's key stands twice";
	for (size_t i = 0; i < e->servers; i++)
		if (strncmp(e->server[i], full, KEY_STRLEN) == 0)
			return -EEXIST;
	*why = "out of memory";
	e->server[e->servers] = strdup(full);
	if (e->server[e->servers] == NULL)
		return -ENOMEM;
	e->servers++;
	return 0;
}

static int
grow(struct peerbook *b, const char **why)
{
	size_t room = b->room == 0 ? 16 : b->room * 2;
	struct peerbook_entry *more;

	*why = "too many peers";
	if (b->n == PEERBOOK_MAX)
		return -E2BIG;
	if (b->n < b->room)
		return 0;
	*why = "out of memory";
	more = realloc(b->entry, room * sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	b->entry = more;
	b->room = room;
	return 0;
}

/* Which of many lines. */
static int
blame(int rc, const char *word, const char **why)
{
	if (rc != 0)
		*why = textfile_blame(word, *why);
	return rc;
}

static int
read_options(struct peerbook_entry *e, char *word[], size_t n, const char **why)
{
	for (size_t i = 0; i < n; i++) {
		int rc;

		*why = "an option that is unknown: there is server=";
		if (strncmp(word[i], "server=", 7) != 0)
			return blame(-EBADMSG, word[i], why);
		rc = blame(add_server(e, word[i] + 7, why), word[i], why);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
read_peer(void *arg, char *word[], size_t n, const char **why)
{
	struct peerbook *b = arg;
	struct peerbook_entry *e;
	int rc;

	rc = grow(b, why);
	if (rc != 0)
		return rc;
	*why = "give a name and a key";
	if (n < 2)
		return blame(-EBADMSG, word[0], why);
	*why = "a name has 1 to 64 characters of A-Za-z0-9._-, "
	       "the first no '.' and no '-'";
	if (!is_name(word[0]))
		return blame(-EBADMSG, word[0], why);
	*why = "the name stands twice";
	if (peerbook_named(b, word[0]) != NULL)
		return blame(-EEXIST, word[0], why);
	e = &b->entry[b->n];
	memset(e, 0, sizeof(*e));
	memcpy(e->name, word[0], strlen(word[0]) + 1);
	rc = key_parse_public(e->key, word[1]);
	*why = rc == -EINVAL ? "the key is weak"
			     : "a public key is 44 characters of base64";
	if (rc != 0)
		return blame(rc, word[0], why);
	b->n++; /* from here on peerbook_free has its servers, too */
	return read_options(e, word + 2, n - 2, why);
}

/* Gives the book out when all went well. */
static int
finish(struct peerbook **out, struct peerbook *b, int rc)
{
	if (rc != 0)
		peerbook_free(b);
	else
		*out = b;
	return rc;
}

int
peerbook_parse(struct peerbook **out, const char *text, size_t len,
    unsigned *line, const char **why)
{
	struct peerbook *b = calloc(1, sizeof(*b));

	*line = 0;
	*why = "out of memory";
	if (b == NULL)
		return -ENOMEM;
	return finish(
	    out, b, textfile_parse(text, len, read_peer, b, line, why));
}

int
peerbook_read(
    struct peerbook **out, const char *path, unsigned *line, const char **why)
{
	char *text = NULL;
	size_t len = 0;
	int rc = 0;

	*line = 0;
	if (path != NULL)
		rc = textfile_load(path, &text, &len, why);
	if (rc == 0 || rc == -ENOENT)
		rc = peerbook_parse(
		    out, text != NULL ? text : "", len, line, why);
	free(text);
	return rc;
}

void
peerbook_free(struct peerbook *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->n; i++)
		for (size_t k = 0; k < b->entry[i].servers; k++)
			free(b->entry[i].server[k]);
	free(b->entry);
	free(b);
}

const struct peerbook_entry *
peerbook_entry(const struct peerbook *b, size_t i)
{
	return b != NULL && i < b->n ? &b->entry[i] : NULL;
}

const struct peerbook_entry *
peerbook_named(const struct peerbook *b, const char *name)
{
	for (size_t i = 0; b != NULL && i < b->n; i++)
		if (strcasecmp(b->entry[i].name, name) == 0)
			return &b->entry[i];
	return NULL;
}

const struct peerbook_entry *
peerbook_keyed(const struct peerbook *b, const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; b != NULL && i < b->n; i++)
		if (memcmp(b->entry[i].key, key, KEY_LEN) == 0)
			return &b->entry[i];
	return NULL;
}

const char *
peerbook_name(
    const struct peerbook *b, const uint8_t key[KEY_LEN], char buf[KEY_STRLEN])
{
	const struct peerbook_entry *e = peerbook_keyed(b, key);

	return e != NULL ? e->name : key_format(key, buf);
}

int
peerbook_find(const struct peerbook *b, const char *text, uint8_t key[KEY_LEN])
{
	const struct peerbook_entry *e;
	int rc = key_parse_public(key, text);

	if (rc != -EBADMSG)
		return rc;
	e = peerbook_named(b, text);
	if (e == NULL)
		return -ENOENT;
	memcpy(key, e->key, KEY_LEN);
	return 0;
}

static const char *
say_why(int error, const char *text, const char *first, const char *where)
{
	static char out[300];

	if (error == -EINVAL)
		return "the key is weak";
	if (is_name(text))
		snprintf(out, sizeof(out),
		    "%s no peer named %s: add a line '%s KEY'%s", first, text,
		    text, where);
	else
		snprintf(out, sizeof(out),
		    "%.120s: this is neither a public key (44 characters of "
		    "base64) nor a name",
		    text);
	return out;
}

const char *
peerbook_why(int error, const char *text)
{
	return say_why(error, text, "there is", "");
}

const char *
peerbook_why_there(int error, const char *text)
{
	return say_why(error, text, "the peers file has", " there");
}

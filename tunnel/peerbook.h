/* SPDX-License-Identifier: ISC */
/* The peers file: names for keys.
 *
 *   # name  key  [options]
 *   pi      HIgo9xNz...=  server=KEY@rendezvous.example.org:3478
 *
 * Names are of A-Za-z0-9._-, begin with a letter, a digit or '_', stand once, and
 * compare without case (ssh(1) puts %h in lower case). Options:
 * server=KEY@host[:port] (3478), which may be repeated, each with another key. */
#ifndef NATKIT_PEERBOOK_H
#define NATKIT_PEERBOOK_H

#include <stddef.h>

#include "key.h"

#define PEERBOOK_NAME 64 /* and a NUL */
#define PEERBOOK_SERVERS 4
#define PEERBOOK_MAX 4096 /* peers */

struct peerbook_entry {
	char name[PEERBOOK_NAME + 1];
	uint8_t key[KEY_LEN];
	char *server[PEERBOOK_SERVERS]; /* KEY@host:port, as -S takes it */
	size_t servers;
};

struct peerbook;

/* path NULL, or a file that is not there: an empty book. Returns 0; as
 * textfile_read; -EBADMSG, -EINVAL (a low-order key), -EEXIST (a name that
 * stands twice), -E2BIG. On error *why says it and *line where (0: the file),
 * and *out is left alone. */
int peerbook_read(
    struct peerbook **out, const char *path, unsigned *line, const char **why);
/* The same of a text. */
int peerbook_parse(struct peerbook **out, const char *text, size_t len,
    unsigned *line, const char **why);
void peerbook_free(struct peerbook *b);
/* i from 0; NULL: no more. */
const struct peerbook_entry *peerbook_entry(const struct peerbook *b, size_t i);
/* In all of these b may be NULL: an empty book. By name, or NULL; by key (its
 * first name), or NULL. */
const struct peerbook_entry *peerbook_named(
    const struct peerbook *b, const char *name);
const struct peerbook_entry *peerbook_keyed(
    const struct peerbook *b, const uint8_t key[KEY_LEN]);
/* Its name, or, in buf, the key itself. */
const char *peerbook_name(
    const struct peerbook *b, const uint8_t key[KEY_LEN], char buf[KEY_STRLEN]);
/* A name or a key as text. Returns 0, -ENOENT (neither), -EINVAL. */
int peerbook_find(
    const struct peerbook *b, const char *text, uint8_t key[KEY_LEN]);
/* What to say of an error of peerbook_find, valid until the next call: after the
 * peers file's name, or of a word of another file. */
const char *peerbook_why(int error, const char *text);
const char *peerbook_why_there(int error, const char *text);

#endif

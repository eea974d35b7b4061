/* SPDX-License-Identifier: ISC */
/* nat-pipe's allow file, and after a NUL (or as a whole) the line of a stream
 * that is held against it. Keys that it does not name reach nothing; a key
 * reaches nothing that no line with its own target or * speaks of; what one
 * reaches does not depend on the spelling. */
#include "permit.h"

#include <stdlib.h>
#include <string.h>

#include "peerbook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY_A "aEBmUkyxOGR+5sVfDMVNP1lJ0iTV4LbPbyBKkL1dZUM="
#define KEY_B "3f7MFj7m/ETUXVir4Gb2wselsI0L6u6OclSkLWfGJh4="

static const char peers[] = "a " KEY_A "\nb " KEY_B "\n";

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static bool
names(const struct permit *p, const uint8_t key[KEY_LEN])
{
	const uint8_t *k;

	for (size_t i = 0; (k = permit_key(p, i)) != NULL; i++)
		if (memcmp(k, key, KEY_LEN) == 0)
			return true;
	return false;
}

/* A host or path that is permitted stands in the file, or a * does. */
static void
check(const struct permit *p, const char *text, size_t len,
    const struct opening *o, const uint8_t key[KEY_LEN])
{
	const char *hook = "x";
	enum permit_answer answer = permit_check(p, key, o, &hook);

	require((hook != NULL) == (answer == PERMIT_HOOK));
	require(hook == NULL || (hook[0] == '/' && strlen(hook) < len));
	if (answer == PERMIT_NO)
		return;
	require(names(p, key) && o->to != OPENING_BACK);
	if (o->path[0] != '\0')
		require(memmem(text, len, o->path, strlen(o->path)) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const probes[] = {"open to=program",
	    "open to=tcp host=127.0.0.1 port=22",
	    "open to=udp host=localhost port=53", "open to=unix path=/run/x",
	    "open to=listen proto=tcp bind=%2A:0 id=1", "open to=back id=1"};
	uint8_t a[KEY_LEN], b[KEY_LEN];
	const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
	size_t len = nul != NULL ? (size_t)(nul - data) : size;
	struct peerbook *book = NULL;
	struct permit *p = NULL;
	const char *why = NULL;
	unsigned line = 0;
	struct opening o;
	char *text;

	require(
	    peerbook_parse(&book, peers, sizeof(peers) - 1, &line, &why) == 0);
	require(key_parse_public(a, KEY_A) == 0);
	require(key_parse_public(b, KEY_B) == 0);
	text = malloc(size + 1);
	require(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	if (permit_parse(&p, text, len, book, &line, &why) != 0)
		require(p == NULL && line > 0 && why != NULL);
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		require(opening_parse(&o, probes[i], strlen(probes[i])) == 0);
		check(p, text, len, &o, a);
		check(p, text, len, &o, b);
	}
	if (nul != NULL &&
	    opening_parse(&o, text + len + 1, size - len - 1) == 0) {
		check(p, text, len, &o, a);
		check(p, text, len, &o, b);
	}
	free(text);
	permit_free(p);
	peerbook_free(book);
	return 0;
}

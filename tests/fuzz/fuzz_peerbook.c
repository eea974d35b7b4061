/* SPDX-License-Identifier: ISC */
/* The peers file. A book that is taken has names that are unique, keys that
 * somebody can own and servers that -S takes; all can be looked up. */
#include "peerbook.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_entry(const struct peerbook *b, const struct peerbook_entry *e)
{
	uint8_t key[KEY_LEN];
	char *copy, *host, *port;

	require(peerbook_named(b, e->name) == e);
	require(key_parse_public(key, e->name) != 0);
	require(peerbook_find(b, e->name, key) == 0);
	require(memcmp(key, e->key, KEY_LEN) == 0);
	require(!key_is_low_order(e->key));
	require(peerbook_keyed(b, e->key) != NULL);
	require(e->servers <= PEERBOOK_SERVERS);
	for (size_t i = 0; i < e->servers; i++) {
		require((copy = strdup(e->server[i])) != NULL);
		require(key_parse_server(copy, key, &host, &port) == 0);
		free(copy);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct peerbook_entry *e;
	struct peerbook *b = NULL;
	const char *why = NULL;
	unsigned line = 0;
	char *text;

	text = malloc(size > 0 ? size : 1);
	require(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	if (peerbook_parse(&b, text, size, &line, &why) != 0)
		require(b == NULL && line > 0 && why != NULL);
	for (size_t i = 0; (e = peerbook_entry(b, i)) != NULL; i++)
		check_entry(b, e);
	peerbook_free(b);
	free(text);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* The routes file. Routes that are taken are there once each, and a file of
 * their texts gives the same ones; a fault leaves the old ones. */
#include "routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY_A "aEBmUkyxOGR+5sVfDMVNP1lJ0iTV4LbPbyBKkL1dZUM="

static const char peers[] = "a " KEY_A "\n";

static void
require(bool ok)
{
	if (!ok)
		abort();
}

/* Paths with blanks can't be written here, nor come from here. */
static void
again(const struct routes *r, const struct peerbook *book)
{
	size_t room = r->n * (KEY_STRLEN + FORWARD_TEXT + 2) + 1, len = 0;
	char *text = malloc(room), key[KEY_STRLEN], buf[FORWARD_TEXT];
	struct routes twin = {0};
	const char *why;
	unsigned line;

	require(text != NULL);
	for (size_t i = 0; i < r->n; i++)
		len += (size_t)snprintf(text + len, room - len, "%s %s\n",
		    key_format(r->route[i].key, key),
		    forward_format(&r->route[i].forward, buf));
	require(routes_parse(&twin, text, len, book, &line, &why) == 0);
	require(twin.n == r->n);
	for (size_t i = 0; i < r->n; i++)
		require(routes_has(&twin, &r->route[i]));
	routes_clear(&twin);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct route old = {.forward = {.kind = 'D', .port = 1}};
	struct routes r = {.route = &old, .n = 1};
	struct peerbook *book = NULL;
	const char *why = NULL;
	unsigned line = 0;
	char *text;

	require(
	    peerbook_parse(&book, peers, sizeof(peers) - 1, &line, &why) == 0);
	text = malloc(size > 0 ? size : 1);
	require(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	if (routes_parse(&r, text, size, book, &line, &why) != 0) {
		require(r.route == &old && r.n == 1);
		require(line > 0 && why != NULL);
	} else {
		require(r.route != &old && r.n <= ROUTES_MAX);
		again(&r, book);
		routes_clear(&r);
	}
	free(text);
	peerbook_free(book);
	return 0;
}

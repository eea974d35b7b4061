/* SPDX-License-Identifier: ISC */
/* What a client asks of an engine: a packet of lines. What is taken for an ask has
 * one purpose, options and servers in their bounds, and forwards that are written
 * and parsed to the same. */
#include "ask.h"

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
check_forward(const struct forward *f)
{
	char text[FORWARD_TEXT];
	struct forward again;
	const char *why;

	forward_format(f, text); /* "-L spec" */
	require(text[0] == '-' && text[1] == f->kind && text[2] == ' ');
	require(forward_parse(&again, f->kind, text + 3, &why) == 0);
	require(forward_equal(f, &again));
}

static void
check(const struct ask *a)
{
	struct record r;

	require(a->open != (a->forwards > 0));
	require(!a->open || !a->more);
	require(a->servers <= WANTS_SERVERS && a->forwards <= ASK_FORWARDS &&
		a->demand.n <= DEMAND_MAX);
	for (size_t i = 0; i < a->servers; i++)
		require(strlen(a->server[i]) < KEY_SERVER_STRLEN);
	for (size_t i = 0; i < a->demand.n; i++)
		require(a->demand.text[i][0] == '-' &&
			strlen(a->demand.text[i]) < DEMAND_TEXT);
	require(demand_missing(&a->demand, &a->demand) == NULL);
	require(demand_extra(&a->demand, &a->demand) == NULL);
	for (size_t i = 0; i < a->forwards; i++)
		check_forward(&a->forward[i]);
	if (a->open)
		require(opening_write(&a->what, &r) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ask a;
	char *text = malloc(size + 1);

	require(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	memset(&a, 'x', sizeof(a));
	if (ask_parse(&a, text) == 0)
		check(&a);
	free(text);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* The options on a nat-pipe's command line that say how the engine is to be. */
#include "demand.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATHS "drx"

static bool
is_among(const struct demand *d, const char *text)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->text[i], text) == 0)
			return true;
	return false;
}

bool
demand_has(const struct demand *d, char option)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->text[i][1] == option)
			return true;
	return false;
}

int
demand_take(struct demand *d, const char *text)
{
	size_t at = 0;

	if (strlen(text) >= DEMAND_TEXT)
		return -EMSGSIZE;
	if (text[0] != '-' || text[1] == '\0' ||
	    (text[2] != '\0' && text[2] != ' '))
		return -EBADMSG;
	if (is_among(d, text))
		return 0;
	while (at < d->n && (text[1] == 'x' || d->text[at][1] != text[1]))
		at++;
	if (at == DEMAND_MAX)
		return -ENOSPC;
	snprintf(d->text[at], DEMAND_TEXT, "%s", text);
	if (at == d->n)
		d->n++;
	return 0;
}

int
demand_add(struct demand *d, char option, const char *value)
{
	char text[DEMAND_TEXT];
	int len = value != NULL
		      ? snprintf(text, sizeof(text), "-%c %s", option, value)
		      : snprintf(text, sizeof(text), "-%c", option);

	if (len < 0 || (size_t)len >= sizeof(text))
		return -EMSGSIZE;
	return demand_take(d, text);
}

const char *
demand_missing(const struct demand *engine, const struct demand *asked)
{
	for (size_t i = 0; i < asked->n; i++)
		if (!is_among(engine, asked->text[i]))
			return asked->text[i];
	return NULL;
}

const char *
demand_extra(const struct demand *engine, const struct demand *asked)
{
	for (size_t i = 0; i < engine->n; i++)
		if (strchr(PATHS, engine->text[i][1]) != NULL &&
		    !is_among(asked, engine->text[i]))
			return engine->text[i];
	return NULL;
}

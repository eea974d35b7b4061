/* SPDX-License-Identifier: ISC */
/* The environment of a program that serves a peer. */
#include "envset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What we say ourselves, or not at all: an older value would be believed. */
static const char *const said[] = {"PROTO", "NATKIT_PEER", "NATKIT_NAME",
    "NATKIT_PATH", "NATKIT_WANT", "NATKIT_HOST", "NATKIT_PORT", "NATKIT_SOCKET",
    "QUICLOCALIP", "QUICLOCALPORT", "QUICREMOTEIP", "QUICREMOTEPORT"};

static bool
is_said(const char *entry)
{
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (strlen(said[i]) == len && memcmp(said[i], entry, len) == 0)
			return true;
	return false;
}

void
envset_init(struct envset *e)
{
	size_t n = 0;

	memset(e, 0, sizeof(*e));
	while (environ != NULL && environ[n] != NULL)
		n++;
	e->v = calloc(n + ENVSET_OURS + 1, sizeof(*e->v));
	for (size_t i = 0; i < n && e->v != NULL; i++)
		if (!is_said(environ[i]))
			e->v[e->n++] = environ[i];
}

void
envset_put(struct envset *e, const char *name, const char *value)
{
	char *entry = NULL;

	if (value == NULL || value[0] == '\0' || e->v == NULL)
		return;
	if (e->n_ours == ENVSET_OURS ||
	    asprintf(&entry, "%s=%s", name, value) == -1) {
		e->failed = true;
		return;
	}
	e->ours[e->n_ours++] = entry;
	e->v[e->n++] = entry;
}

void
envset_put_number(struct envset *e, const char *name, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	envset_put(e, name, text);
}

char *const *
envset_of(const struct envset *e)
{
	return e->failed ? NULL : e->v;
}

void
envset_clear(struct envset *e)
{
	for (size_t i = 0; i < e->n_ours; i++)
		free(e->ours[i]);
	free(e->v);
	memset(e, 0, sizeof(*e));
}

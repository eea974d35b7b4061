/* SPDX-License-Identifier: ISC */
/* Whom an engine wants to meet, and where. */
#include "wants.h"

#include <errno.h>
#include <string.h>

static struct want *
find(const struct wants *w, const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; i < w->n; i++)
		if (memcmp(w->one[i].key, key, KEY_LEN) == 0)
			return (struct want *)&w->one[i];
	return NULL;
}

int
wants_add(struct wants *w, const uint8_t key[KEY_LEN], enum wants_why why)
{
	struct want *one = find(w, key);
	bool known = one != NULL;

	if (!known) {
		if (w->n == TUNNEL_PEERS)
			return -ENOSPC;
		one = &w->one[w->n++];
		memcpy(one->key, key, KEY_LEN);
		one->why = 0;
	}
	one->why |= why;
	return !known;
}

void
wants_drop(struct wants *w, const uint8_t *key, enum wants_why why)
{
	size_t left = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct want one = w->one[i];

		if (key == NULL || memcmp(one.key, key, KEY_LEN) == 0)
			one.why &= ~(unsigned)why;
		if (one.why != 0)
			w->one[left++] = one;
	}
	w->n = left;
}

bool
wants_has(const struct wants *w, const uint8_t key[KEY_LEN])
{
	return find(w, key) != NULL;
}

int
wants_server(struct wants *w, const char *text)
{
	char full[KEY_SERVER_STRLEN];

	if (key_complete_server(full, text) != 0)
		return -EBADMSG;
	for (size_t i = 0; i < w->servers; i++) {
		if (memcmp(w->server[i], full, KEY_STRLEN) != 0)
			continue;
		if (strcmp(w->server[i], full) == 0)
			return 0;
		memcpy(w->server[i], full, strlen(full) + 1);
		return 1;
	}
	if (w->servers == WANTS_SERVERS)
		return -ENOSPC;
	memcpy(w->server[w->servers++], full, strlen(full) + 1);
	return 1;
}

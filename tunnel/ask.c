/* SPDX-License-Identifier: ISC */
/* What a client asks of the engine of its key, read. */
#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "record.h"

#define FORWARD "forward -" /* and its letter, a blank, its spec */

static int
forward_line(struct ask *a, const char *line, size_t len)
{
	char text[FORWARD_TEXT];
	const char *why;

	if (a->forwards == ASK_FORWARDS || len < 2 || line[1] != ' ' ||
	    len - 2 >= sizeof(text))
		return -EBADMSG;
	memcpy(text, line + 2, len - 2);
	text[len - 2] = '\0';
	return forward_parse(&a->forward[a->forwards++], line[0], text, &why);
}

static int
record_line(struct ask *a, const struct record_view *v, bool *has_key)
{
	const char *name = record_get(v, "name");
	const char *option = record_get(v, "option");

	if (record_is(v, "ask")) {
		*has_key = true;
		record_get_u64(v, "wait_s", &a->wait_s);
		record_get_u64(v, "progress", &a->progress);
		return record_get_key(v, "key", a->key);
	}
	if (record_is(v, "with")) /* one that is lost would be disregarded */
		return option != NULL && demand_take(&a->demand, option) == 0
			   ? 0
			   : -EBADMSG;
	if (record_is(v, "more"))
		a->more = true;
	else if (record_is(v, "server") && name != NULL &&
		 a->servers < WANTS_SERVERS && strlen(name) < KEY_SERVER_STRLEN)
		snprintf(
		    a->server[a->servers++], KEY_SERVER_STRLEN, "%s", name);
	return 0;
}

static int
take_line(struct ask *a, const char *line, size_t len, bool *has_key)
{
	struct record_view v;

	if (len >= 5 && memcmp(line, "open ", 5) == 0) {
		a->open = true;
		return opening_parse(&a->what, line, len);
	}
	if (len >= strlen(FORWARD) &&
	    memcmp(line, FORWARD, strlen(FORWARD)) == 0)
		return forward_line(
		    a, line + strlen(FORWARD), len - strlen(FORWARD));
	if (record_parse(&v, line, len) != 0)
		return -EBADMSG;
	return record_line(a, &v, has_key);
}

int
ask_parse(struct ask *a, const char *text)
{
	bool has_key = false;
	size_t len;

	memset(a, 0, sizeof(*a));
	for (; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (take_line(a, text, len, &has_key) != 0)
			return -EBADMSG;
	}
	if (!has_key || a->open != (a->forwards == 0) || (a->open && a->more))
		return -EBADMSG;
	return 0;
}

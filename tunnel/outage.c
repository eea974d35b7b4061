/* SPDX-License-Identifier: ISC */
/* What is wrong with our own rendezvous servers: the lines of nat-rendezvous
 * agent (advice.c, reach.c), read. */
#include "outage.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "nat-rendezvous: warning: "

static bool
has_suffix(const char *text, const char *suffix)
{
	size_t a = strlen(text), b = strlen(suffix);

	return a >= b && strcmp(text + a - b, suffix) == 0;
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* What follows the server's name, in our words. Returns false: no outage. */
static bool
read_why(const char *rest, char why[OUTAGE_WHY])
{
	size_t len = strlen(rest), again = strlen("; trying again");

	if (begins(rest, ": no answer;"))
		snprintf(why, OUTAGE_WHY, "does not answer");
	else if (begins(rest, ": a server answers there, but not with the key"))
		snprintf(why, OUTAGE_WHY,
		    "has another key than the one that -S, NATKIT_SERVER or "
		    "the peers file gives");
	else if (begins(rest, " refuses this key: "))
		snprintf(why, OUTAGE_WHY, "refuses our key: %.60s",
		    rest + strlen(" refuses this key: "));
	else if (begins(rest, ": ") && has_suffix(rest, "; trying again"))
		snprintf(why, OUTAGE_WHY, "can't be found: %.*s",
		    len - again < 82 ? (int)(len - again - 2) : 80, rest + 2);
	else
		return false;
	return true;
}

void
outage_over(struct outage *o)
{
	o->n = 0;
	o->met = false;
}

void
outage_line(struct outage *o, const char *line, uint64_t now_ms)
{
	char name[OUTAGE_NAME], why[OUTAGE_WHY];
	size_t len, i = 0;

	if (!begins(line, PREFIX))
		return;
	line += strlen(PREFIX);
	if (begins(line, "peer ")) { /* "not met yet": but a server is */
		o->met = true;
		return;
	}
	len = strcspn(line, " ");
	len -= len > 0 && line[len - 1] == ':';
	if (len == 0 || len >= sizeof(name) || !read_why(line + len, why))
		return;
	memcpy(name, line, len);
	name[len] = '\0';
	while (i < o->n && strcmp(o->one[i].name, name) != 0)
		i++;
	if (i == OUTAGE_SERVERS)
		return;
	if (i == o->n)
		o->n++;
	memcpy(o->one[i].name, name, len + 1);
	memcpy(o->one[i].why, why, sizeof(why));
	o->at_ms = now_ms;
	o->met = false;
}

const char *
outage_text(const struct outage *o, char out[OUTAGE_TEXT])
{
	if (o->n == 0)
		return NULL;
	snprintf(out, OUTAGE_TEXT, "the rendezvous server %s %s%s",
	    o->one[0].name, o->one[0].why,
	    o->n > 1 ? ", and others fail, too" : "");
	return out;
}

/* SPDX-License-Identifier: ISC */
/* What the engine says to a person who waits for a path. */
#include <stdio.h>

#include "log.h"
#include "pipework.h"
#include "plainly.h"

const char *
pipewhy_path(const struct link_status *s, char out[100])
{
	char at[ADDR_STRLEN];

	if (link_path_stands(s->path))
		snprintf(out, 100, "%s %s", link_path_name(s->path),
		    addr_format(&s->endpoint, at));
	else
		snprintf(out, 100, "no path yet");
	return out;
}

bool
pipewhy_has_pipeline(const struct pipework *w)
{
	return w->o->lend == NULL && w->o->records == NULL;
}

const char *
pipewhy_fault(struct pipework *w, char out[OUTAGE_TEXT])
{
	const char *trouble =
	    w->driver != NULL ? driver_trouble(w->driver) : NULL;

	if (trouble != NULL)
		return trouble;
	return w->outage.met ? NULL : outage_text(&w->outage, out);
}

/* Who has not come to a server that has let us in. Another one may have failed. */
static void
absent(const struct pipework *w, char *out, size_t cap)
{
	bool other = w->outage.n > 0 && w->outage.n < w->wants.servers;
	const char *last = driver_last(w->driver);
	char text[OUTAGE_TEXT];

	snprintf(out, cap,
	    "it has not come to the rendezvous server%s: does nat-pipe run "
	    "there, with our key in its allow file?%s%s",
	    log_is_quiet() ? ", or this host has not" : "",
	    other	    ? " And "
	    : *last != '\0' ? " The pipeline said: "
			    : "",
	    other ? outage_text(&w->outage, text) : last);
}

/* Our own faults come first: with those nobody can be met. */
void
pipewhy_cb(void *arg, const uint8_t key[KEY_LEN], char *out, size_t cap)
{
	struct pipework *w = arg;
	struct link *l = tunnel_find(w->tunnel, key);
	struct link_status s = {.path = LINK_NONE};
	char path[100], text[OUTAGE_TEXT];
	const char *fault;

	if (l != NULL)
		link_status(l, &s);
	if (link_path_stands(s.path))
		snprintf(out, cap,
		    "there is a path (%s), but no nat-pipe that knows our key "
		    "answers on it",
		    pipewhy_path(&s, path));
	else if ((fault = pipewhy_fault(w, text)) != NULL)
		snprintf(out, cap, "%s", fault);
	else if (s.path == LINK_FAILED)
		snprintf(out, cap, "no path was found%s%s",
		    s.reason[0] != '\0' ? ": " : "",
		    plainly("failed", s.reason));
	else if (!pipewhy_has_pipeline(w))
		snprintf(out, cap, "no path record has come for it");
	else
		absent(w, out, cap);
}

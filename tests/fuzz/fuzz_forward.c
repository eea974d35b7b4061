/* SPDX-License-Identifier: ISC */
/* Forwards in ssh's notation: the first byte is the kind. What is taken for one
 * can be asked of a peer, and its text makes an equal one. */
#include "forward.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

/* What the other side would read: the target (-L, -U), or the listener (-R). */
static void
ask(const struct forward *f)
{
	struct opening listen = {
	    .to = OPENING_LISTEN, .port = f->port, .id = 1};
	struct opening again;
	struct record r;

	memcpy(listen.host, f->bind, sizeof(listen.host));
	memcpy(listen.path, f->path, sizeof(listen.path));
	require(opening_write(&listen, &r) == 0);
	require(opening_parse(&again, r.text, r.len) == 0);
	require(opening_equal(&again, &listen));
	if (f->kind == 'D')
		return;
	require((f->kind == 'U') == (f->target.to == OPENING_UDP));
	require(opening_write(&f->target, &r) == 0);
	require(opening_parse(&again, r.text, r.len) == 0);
	require(opening_equal(&again, &f->target));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct forward f = {.kind = 'x'}, again;
	char buf[FORWARD_TEXT], *text;
	const char *why = NULL;

	text = calloc(1, size + 1);
	require(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	if (forward_parse(&f, text[0], text[0] == '\0' ? "" : text + 1, &why) !=
	    0) {
		require(f.kind == 'x' && why != NULL);
	} else {
		require(strchr("LRDU", f.kind) != NULL);
		ask(&f);
		memset(&again, 'x', sizeof(again));
		require(strlen(forward_format(&f, buf)) < FORWARD_TEXT - 1);
		require(forward_parse(&again, f.kind, buf + 3, &why) == 0);
		require(forward_equal(&f, &again));
	}
	free(text);
	return 0;
}

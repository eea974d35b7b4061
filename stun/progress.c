/* SPDX-License-Identifier: ISC */
/* A line on standard error for a person who waits. */
#include "progress.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"

#define PROGRESS_MS 1000

static bool shown; /* there is one terminal */

void
progress_clear(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = false;
}

static void
draw_cb(evutil_socket_t fd, short events, void *arg)
{
	struct progress *p = arg;
	char text[160] = "";

	(void)fd;
	(void)events;
	p->describe(p->arg, text, sizeof(text));
	progress_clear();
	fprintf(stderr, "%s, %" PRIu64 " s so far", text,
	    (now_ms() - p->start_ms) / 1000);
	shown = true;
	loop_at(p->timer, now_ms() + PROGRESS_MS);
}

void
progress_begin(struct progress *p, struct loop *l, uint64_t start_ms,
    progress_fn *describe, void *arg)
{
	if (!isatty(STDERR_FILENO) || log_is_quiet())
		return;
	*p = (struct progress){
	    .describe = describe, .arg = arg, .start_ms = start_ms};
	p->timer = loop_event(l, -1, 0, draw_cb, p);
	log_before(progress_clear);
	loop_at(p->timer, now_ms());
}

void
progress_end(struct progress *p)
{
	progress_clear();
	log_before(NULL);
	if (p->timer != NULL)
		event_free(p->timer);
	p->timer = NULL;
}

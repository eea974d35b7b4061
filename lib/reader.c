/* SPDX-License-Identifier: ISC */
/* Has standard output a reader still? */
#include "reader.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe whose reader is gone becomes "readable" with an error. One that we hold
 * open for reading, too, becomes so with data, and never has the error. */
static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct pollfd pfd = {.fd = fd};
	struct reader *r = arg;

	(void)events;
	if (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLERR) != 0)
		r->gone(r->arg);
}

void
reader_watch(
    struct reader *r, struct loop *loop, reader_gone_fn *gone, void *arg)
{
	struct stat st;

	*r = (struct reader){.gone = gone, .arg = arg};
	if (fstat(STDOUT_FILENO, &st) == -1 || !S_ISFIFO(st.st_mode))
		return;
	r->event = loop_event(loop, STDOUT_FILENO, EV_READ, readable_cb, r);
	event_add(r->event, NULL);
}

void
reader_stop(struct reader *r)
{
	if (r->event != NULL)
		event_free(r->event);
	r->event = NULL;
}

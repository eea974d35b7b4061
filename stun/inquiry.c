/* SPDX-License-Identifier: ISC */
/* What the commands share that question one server for a while. */
#include "inquiry.h"

#include <errno.h>

#include "drop.h"
#include "exitcode.h"
#include "log.h"
#include "option.h"
#include "port.h"

void
inquiry_end(struct inquiry *q, int code)
{
	q->done = true;
	loop_end(&q->loop, code);
}

static void
fail(struct inquiry *q, const char *why)
{
	log_warnx("%s: %s", q->o->server[0], why);
	inquiry_end(q, EXIT_TEMP);
}

static void
add_family(struct inquiry *q, const struct addr *list, size_t n, int family)
{
	for (size_t i = 0; i < n && q->servers < RESOLVE_MAX; i++)
		if (list[i].family == family &&
		    cmdline_use(q->o, q->port, &list[i]))
			q->server[q->servers++] = list[i];
}

static void
resolve_cb(void *arg, int error, const struct addr *list, size_t n)
{
	struct inquiry *q = arg;

	q->lookup = NULL;
	if (q->done)
		return;
	if (error != 0) {
		fail(q, resolve_error(error));
		return;
	}
	add_family(q, list, n, ADDR_V6);
	add_family(q, list, n, ADDR_V4);
	if (q->servers == 0)
		fail(q, "no address of a family that can be used here");
	else
		q->begin(q->arg);
}

static void
limit_cb(evutil_socket_t fd, short events, void *arg)
{
	struct inquiry *q = arg;

	(void)fd;
	(void)events;
	if (q->lookup != NULL)
		fail(q, resolve_error(-ETIMEDOUT));
	else if (!q->done)
		q->late(q->arg);
}

void
inquiry_start(struct inquiry *q, const struct cmdline *o, inquiry_fn *begin,
    inquiry_fn *late, void *arg)
{
	*q = (struct inquiry){.o = o, .begin = begin, .late = late, .arg = arg};
	q->port = option_port(o->path, o->port);
	drop_all();
	loop_init(&q->loop, false);
	if (resolver_new(&q->resolver, &q->loop) != 0 ||
	    asker_new(&q->asker, &q->loop, q->port, o->path != NULL) != 0)
		fatalx(EXIT_TEMP, "out of memory");
	q->limit = loop_event(&q->loop, -1, 0, limit_cb, q);
	q->start_ms = now_ms();
	q->end_ms = q->start_ms + o->wait_ms;
	loop_at(q->limit, q->end_ms);
	/* the lookup may use all of the time: the timer above ends it */
	if (resolve_start(&q->lookup, q->resolver, o->server[0],
		RESOLVE_STUN_PORT, o->wait_ms + 1000, resolve_cb, q) != 0)
		fatalx(EXIT_TEMP, "out of memory");
}

int
inquiry_run(struct inquiry *q)
{
	int code = loop_run(&q->loop);

	return q->done || code != EXIT_YES ? code : EXIT_TEMP;
}

void
inquiry_free(struct inquiry *q)
{
	event_free(q->limit);
	asker_free(q->asker);
	resolver_free(q->resolver);
	loop_free(&q->loop);
}

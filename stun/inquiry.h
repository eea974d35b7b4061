/* SPDX-License-Identifier: ISC */
/* What the commands share that question one server for a while: the event
 * loop, the port, the server's addresses, an asker, and the end of the time
 * that -w gives. */
#ifndef NATKIT_INQUIRY_H
#define NATKIT_INQUIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "asker.h"
#include "cmdline.h"
#include "loop.h"
#include "resolve.h"

/* Called from the loop. */
typedef void inquiry_fn(void *arg);

struct inquiry {
	struct loop loop;
	const struct cmdline *o;
	struct port *port;
	struct asker *asker; /* it owns the port */
	struct resolver *resolver;
	struct resolve *lookup;
	struct event *limit;
	uint64_t start_ms;
	uint64_t end_ms;
	struct addr server[RESOLVE_MAX]; /* IPv6 first; those to be used */
	size_t servers;
	inquiry_fn *begin; /* the addresses are known: at least one */
	inquiry_fn *late;  /* -w is up; the loop goes on until it ends */
	void *arg;
	bool done; /* inquiry_end was called */
};

/* Opens all and drops privileges; ends the program when it can't. */
void inquiry_start(struct inquiry *q, const struct cmdline *o,
    inquiry_fn *begin, inquiry_fn *late, void *arg);
/* Returns the code of inquiry_end, or EXIT_TEMP after a signal: done tells. */
int inquiry_run(struct inquiry *q);
void inquiry_end(struct inquiry *q, int code);
void inquiry_free(struct inquiry *q);

#endif

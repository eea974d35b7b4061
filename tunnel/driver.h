/* SPDX-License-Identifier: ISC */
/* The pipeline that finds and proves the paths: a nat-connect of our own on the
 * port socket, whose path records it turns into link_path. It is started again
 * with backoff when it ends, and anew when the peers or servers change; paths
 * that stand stay as they are meanwhile. Or, in its place, records of any other
 * origin: a file, a fifo, a descriptor. */
#ifndef NATKIT_DRIVER_H
#define NATKIT_DRIVER_H

#include <stdbool.h>
#include <stddef.h>

#include "key.h"
#include "loop.h"
#include "tunnel.h"

#define DRIVER_WITHOUT 16

struct driver;

struct driver_config {
	struct loop *loop;
	struct tunnel *tunnel;
	const char *key_path;
	const char *port_path;	    /* the port socket */
	char only;		    /* 'd', 'r' (nat-connect's options) or 0 */
	int verbosity;		    /* as in log.h */
	const char *const *without; /* interfaces (nat-connect -x) */
	size_t withouts;
	/* A line of the pipeline's standard error, or about the pipeline. That a peer
	 * is away whom nobody here waits for is only told with verbosity. */
	void (*said)(void *arg, const char *line);
	void *arg;
};

/* What the config points to has to outlive it. */
int driver_new(struct driver **out, const struct driver_config *c);
/* Ends the pipeline, and waits until it has ended: two seconds at most. */
void driver_free(struct driver *d);
/* Whom to meet and where; the same again changes nothing. servers: KEY@host:port.
 * Returns 0, -E2BIG. */
int driver_set(struct driver *d, const uint8_t (*peers)[KEY_LEN], size_t n,
    const char *const *servers, size_t n_servers);
/* Path records out of a file instead (-i): a fifo is opened again at its end, "-"
 * is standard input. Returns 0 or -errno. */
int driver_follow(struct driver *d, const char *path);
/* Tells a link that is new what records have said of its peer before. */
void driver_recall(struct driver *d, struct link *l);
/* Why there is no path to anybody, if the pipeline does not run: a sentence, or
 * NULL. */
const char *driver_trouble(const struct driver *d);
/* With such a trouble: 100, 126 or 127 when it does not mend by itself (it is tried
 * again all the same, now and then), else 0. */
int driver_code(const struct driver *d);
/* What the pipeline said last on its standard error, or "". */
const char *driver_last(const struct driver *d);

#endif

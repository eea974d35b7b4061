/* SPDX-License-Identifier: ISC */
/* The relay's counters as Prometheus reads them (text exposition format 0.0.4)
 * over HTTP, by libevent's evhttp; for this host only. */
#ifndef NATKIT_METRICS_H
#define NATKIT_METRICS_H

#include "engine.h"

struct metrics;

/* at is a loopback address with a port, or the path of a Unix socket. Returns
 * 0; -EINVAL: neither; -errno. */
int metrics_open(struct metrics **out, const struct engine *e, const char *at);
/* ADDR_NONE: a Unix socket. */
const struct addr *metrics_addr(const struct metrics *m);
void metrics_close(struct metrics *m);

#endif

/* SPDX-License-Identifier: ISC */
/* "host:port" to a list of endpoints of both families, without blocking:
 * libevent's evdns, which reads /etc/hosts and /etc/resolv.conf itself. */
#ifndef NATKIT_RESOLVE_H
#define NATKIT_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "loop.h"

#define RESOLVE_MAX 16	 /* addresses of one name; more are left out */
#define RESOLVE_HOST 254 /* longest name and a NUL */
#define RESOLVE_STUN_PORT 3478

struct resolver;
struct resolve;

/* error 0: list has n >= 1 addresses without duplicates, in the order of the
 * answer, valid during the call only. Otherwise n is 0 and error is -ENOENT
 * (no such name, or no address), -ETIMEDOUT, or -EAGAIN (name servers
 * unusable). The query is over: it may not be cancelled any more, and others
 * may be started from here. */
typedef void resolve_fn(
    void *arg, int error, const struct addr *list, size_t n);

/* Splits "host", "host:port", "192.0.2.1:1", "[2001:db8::1]:1" or
 * "2001:db8::1". Pure: for checking options at start.
 * Returns 0 or -EBADMSG. */
int resolve_parse(const char *text, uint16_t default_port,
    char host[RESOLVE_HOST], uint16_t *port);

/* One per program. Works after drop_all, and reads the system's files again
 * for every name that is asked while no other is. Returns 0 or -ENOMEM. */
int resolver_new(struct resolver **out, struct loop *l);
/* Cancels what is left. Call it last before loop_free, once all other events
 * are freed: it runs the loop for a moment to let evdns clean up. */
void resolver_free(struct resolver *r);

/* fn is called once, always from the loop and never from within this call;
 * numeric addresses need no name server. Returns 0, -EBADMSG for text that
 * resolve_parse refuses, -ENOMEM. */
int resolve_start(struct resolve **out, struct resolver *r, const char *text,
    uint16_t default_port, uint32_t timeout_ms, resolve_fn *fn, void *arg);
/* fn is not called any more. NULL does nothing. */
void resolve_cancel(struct resolve *q);
/* "no such name", "time-out", ... for the errors above. */
const char *resolve_error(int error);

#endif

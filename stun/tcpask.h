/* SPDX-License-Identifier: ISC */
/* One Binding request over TCP (RFC 8489 section 6.2.2): is a server that does
 * not answer over UDP there at all? */
#ifndef NATKIT_TCPASK_H
#define NATKIT_TCPASK_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "loop.h"

struct tcpask;

/* answered: by a Binding response with our transaction id. */
typedef void tcpask_fn(void *arg, bool answered);

/* fn is called once, from the loop. Returns 0 or -errno. */
int tcpask_start(struct tcpask **out, struct loop *loop,
    const struct addr *server, uint32_t wait_ms, tcpask_fn *fn, void *arg);
/* fn is not called any more. NULL does nothing; needed after fn, too. */
void tcpask_free(struct tcpask *t);

#endif

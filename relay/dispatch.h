/* SPDX-License-Identifier: ISC */
/* What came to the relay's sockets and connections, and whose it is. */
#ifndef NATKIT_DISPATCH_H
#define NATKIT_DISPATCH_H

#include "engine.h"

/* Read what waits at a socket, forward it, answer. */
void dispatch_main(struct engine *e, struct train *t);
void dispatch_pair(struct engine *e, struct train *t);
void dispatch_relayed(struct engine *e, uint32_t index, struct train *t);
/* A whole message of a connection. False: nothing that may come here. */
bool dispatch_stream(
    struct engine *e, const struct way *from, const uint8_t *data, size_t len);

#endif

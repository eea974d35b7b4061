/* SPDX-License-Identifier: ISC */
/* A seat: a UDP port on 127.0.0.1 that stands for one far peer, so that a
 * daemon tells its peers apart and answers each, as if they were near. */
#ifndef NATKIT_SEAT_H
#define NATKIT_SEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "loop.h"

struct seat;

/* A datagram from the daemon to the peer; must not free the seat. */
typedef void seat_fn(void *arg, const uint8_t *data, size_t len);

/* port 0: any. daemon: its port on 127.0.0.1, and nobody else is heard; 0: who
 * sent last is the daemon. Returns 0 or -errno. */
int seat_open(struct seat **out, struct loop *l, uint16_t port, uint16_t daemon,
    seat_fn *fn, void *arg);
void seat_free(struct seat *s);
const struct addr *seat_local(const struct seat *s);
/* A datagram from the peer to the daemon. Returns 0, -ENOTCONN: nobody has
 * taken the seat, or -errno of the send. */
int seat_deliver(struct seat *s, const uint8_t *data, size_t len);

#endif

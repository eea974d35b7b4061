/* SPDX-License-Identifier: ISC */
/* Who a stream comes from and what it wants, in the environment of a program: as
 * ucspi-tcp has it (tcp-environ). */
#ifndef NATKIT_GUEST_H
#define NATKIT_GUEST_H

#include "envset.h"
#include "link.h"
#include "opening.h"
#include "peerbook.h"

/* Of a program that serves the stream: PROTO, NATKIT_PEER, NATKIT_NAME (book may
 * be NULL), NATKIT_PATH, QUICLOCALIP, QUICLOCALPORT, QUICREMOTEIP,
 * QUICREMOTEPORT. To be cleared by envset_clear. */
void guest_stream_env(
    struct envset *e, struct link *l, const struct peerbook *book);
/* Of a hook: NATKIT_PEER, NATKIT_NAME, NATKIT_WANT, NATKIT_HOST, NATKIT_PORT,
 * NATKIT_SOCKET. */
void guest_wish_env(struct envset *e, struct link *l,
    const struct peerbook *book, const struct opening *what);

#endif

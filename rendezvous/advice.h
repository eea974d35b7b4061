/* SPDX-License-Identifier: ISC */
/* What the agent tells the person who waits: what is wrong with a server or a
 * peer, and what to do about it. Warnings, on standard error. */
#ifndef NATKIT_ADVICE_H
#define NATKIT_ADVICE_H

#include "client.h"
#include "options.h"

/* ev is what the session with s has come to. */
void advice_session(
    const struct options_server *s, const struct client_event *ev);
/* There is a session, and still no peer. */
void advice_unmet(const uint8_t peer[KEY_LEN], const uint8_t own[KEY_LEN]);

#endif

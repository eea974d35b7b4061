/* SPDX-License-Identifier: ISC */
/* A part of client.c: the events that client_step gives. */
#ifndef NATKIT_CLIENT_SAY_H
#define NATKIT_CLIENT_SAY_H

#include "client.h"

/* Returns false when there is nothing to say, and fills in *ev otherwise. */
bool client_say(
    struct client *c, const struct moment *now, struct client_event *ev);

#endif

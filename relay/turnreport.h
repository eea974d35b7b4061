/* SPDX-License-Identifier: ISC */
/* What nat-relay turn says: its records, and what to do about a refusal. */
#ifndef NATKIT_TURNREPORT_H
#define NATKIT_TURNREPORT_H

#include <stdbool.h>

#include "addr.h"
#include "record.h"
#include "turnclient.h"
#include "turnlink.h"

void turnreport_up(struct record *r, const struct turnclient *c,
    const struct addr *server, enum turnlink_transport transport);
/* code <= 0: the server did not say one */
void turnreport_down(struct record *r, const struct addr *server,
    enum turnlink_transport transport, int code, const char *why);
void turnreport_grant(struct record *r, const struct turn_grant *g);
/* local NULL: it is closed */
void turnreport_seat(
    struct record *r, const struct addr *peer, const struct addr *local);

/* The exit code for the end of an only attempt. */
int turnreport_exit_code(int code);
/* What the user can do, after a colon, or "". */
const char *turnreport_advice(
    int code, bool secret, enum turnlink_transport transport);

#endif

/* SPDX-License-Identifier: ISC */
/* An engine in the background, for clients that come and go: ssh kills its
 * ProxyCommand, so none of them can be it. It ends when it has had nothing to do
 * for a minute (NATKIT_LINGER seconds). */
#ifndef NATKIT_BACKGROUND_H
#define NATKIT_BACKGROUND_H

#include "doors.h"
#include "pipeoptions.h"

/* Connects to the engine of the key, and starts one if there is none: of several
 * that do so at once one wins. Returns a descriptor for mux_ask, or minus an
 * exit code when the reason was said on standard error. */
int background_reach(const struct pipeoptions *o, const struct doors *d,
    uint8_t *priv, const uint8_t pub[KEY_LEN]);

#endif

/* SPDX-License-Identifier: ISC */
/* Where the engine of a key file is met: next to the file (KEYFILE.sock and so
 * on) when that folder can be written to by us alone and the names fit, else in
 * a private folder, under a hash of the public key. */
#ifndef NATKIT_DOORS_H
#define NATKIT_DOORS_H

#include <stdint.h>

#include "key.h"

#define DOORS_PATH 108 /* of sun_path */

struct doors {
	char mux[DOORS_PATH];	  /* .sock: other nat-pipe of this key */
	char control[DOORS_PATH]; /* .ctl */
	char port[DOORS_PATH];	  /* .port: the port socket */
	char lock[DOORS_PATH];	  /* .lock: held while an engine starts */
};

/* runtime: $XDG_RUNTIME_DIR, or NULL for /tmp. Returns 0, or -errno: -EPERM
 * when the private folder is not ours alone. *folder is that one then. */
int doors_find(struct doors *out, const char *key_path,
    const uint8_t pub[KEY_LEN], const char *runtime, char folder[DOORS_PATH]);
/* Waits until nobody else starts an engine. Returns a descriptor whose end is
 * the lock's, or -errno. */
int doors_lock(const struct doors *d);

#endif

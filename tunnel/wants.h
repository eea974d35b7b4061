/* SPDX-License-Identifier: ISC */
/* Whom an engine wants to meet, why, and at which rendezvous servers. A server
 * that any of them names is used for all. Pure. */
#ifndef NATKIT_WANTS_H
#define NATKIT_WANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key.h"
#include "tunnel.h"

#define WANTS_SERVERS 8 /* as nat-rendezvous agent takes them */

/* What a person is told who has named none. */
#define WANTS_NO_SERVER                                                        \
	"there is no rendezvous server to meet at: give one with "             \
	"-S KEY@host:port, as server= in the peers file, or in "               \
	"NATKIT_SERVER"

enum wants_why {
	WANTS_ALLOWED = 1, /* may come */
	WANTS_ROUTED = 2,  /* a forward goes there */
	WANTS_ASKED = 4,   /* a client asked for it */
};

struct want {
	uint8_t key[KEY_LEN];
	unsigned why;
};

struct wants {
	struct want one[TUNNEL_PEERS];
	size_t n;
	char server[WANTS_SERVERS][KEY_SERVER_STRLEN];
	size_t servers;
};

/* Returns 1 when that is new, 0 when it was there, -ENOSPC. */
int wants_add(struct wants *w, const uint8_t key[KEY_LEN], enum wants_why why);
/* Takes the reason from the key, or (NULL) from all; a key without any reason
 * is gone. */
void wants_drop(struct wants *w, const uint8_t *key, enum wants_why why);
bool wants_has(const struct wants *w, const uint8_t key[KEY_LEN]);
/* Adds "KEY@host[:port]"; the port is 3478 unless given. A server takes one
 * session of ours, so of one key that comes at two places the latest counts: who
 * corrects one is heard. Returns 1, 0 when that was there, -EBADMSG, -ENOSPC. */
int wants_server(struct wants *w, const char *text);

#endif

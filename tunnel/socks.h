/* SPDX-License-Identifier: ISC */
/* SOCKS version 5 (RFC 1928), the server's side, CONNECT without
 * authentication, as ssh -D has it. Bytes in, bytes out. */
#ifndef NATKIT_SOCKS_H
#define NATKIT_SOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "opening.h"

#define SOCKS_REPLY_MAX 32

enum socks_state {
	SOCKS_METHODS, /* waits for the client's methods */
	SOCKS_REQUEST, /* waits for its request */
	SOCKS_DONE,    /* what it wants is known: answer with socks_reply */
	SOCKS_REFUSED, /* reply, if any, then close */
};

struct socks {
	enum socks_state state;
	uint8_t in[300];
	size_t len;
	struct opening want;
};

/* A client that is refused still gets its answer where the RFC has one: no
 * method that we have (0xff), another command than CONNECT (7), another kind of
 * address (8), a name that is none (4), port 0 (1). */
void socks_init(struct socks *s);
/* Takes bytes of the client; *used: how many (in SOCKS_DONE the rest is data for
 * the target). reply gets *reply_len bytes for the client. Returns the state. */
enum socks_state socks_feed(struct socks *s, const uint8_t *data, size_t len,
    size_t *used, uint8_t reply[SOCKS_REPLY_MAX], size_t *reply_len);
/* The answer to the request (RFC 1928 section 6). Returns its length. */
size_t socks_reply(enum opening_reason r, uint8_t reply[SOCKS_REPLY_MAX]);

#endif

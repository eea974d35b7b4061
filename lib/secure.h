/* SPDX-License-Identifier: ISC */
/* TLS 1.2 or newer (RFC 8446, RFC 5246) on a non-blocking descriptor. A client
 * always checks the server's certificate and name (RFC 6125, which also takes
 * an IP address that the certificate holds). */
#ifndef NATKIT_SECURE_H
#define NATKIT_SECURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conn.h"

#define SECURE_RECORD_MAX 16384 /* bytes of one record */

struct secure;

/* t is a server's or a client's; then name is who has to answer. Returns 0,
 * -EINVAL for a client without a name, -ENOMEM. t has to outlive it. */
int secure_new(
    struct secure **out, struct conn_tls *t, int fd, const char *name);
/* Says that it ends, as far as this can be done without waiting. */
void secure_free(struct secure *s);
/* Returns 0 when done, -EAGAIN, or -EPROTO and a text. */
int secure_handshake(struct secure *s, const char **why);
/* Returns bytes, 0 at the end, -EAGAIN, or -EPROTO and a text. */
ssize_t secure_read(struct secure *s, void *out, size_t cap, const char **why);
/* At most SECURE_RECORD_MAX bytes. Returns how many were sent; -EAGAIN: they
 * are being sent, go on by secure_go_on, which returns the same. */
ssize_t secure_write(
    struct secure *s, const void *data, size_t len, const char **why);
ssize_t secure_go_on(struct secure *s, const char **why);
/* After -EAGAIN: does it wait to write? */
bool secure_wants_write(const struct secure *s);
/* Can be read without the descriptor being readable. */
bool secure_has_more(const struct secure *s);

#endif

/* SPDX-License-Identifier: ISC */
/* Forwards in ssh's own notation (ssh(1) -L, -R, -D):
 *
 *   L [bind:]port:host:hostport    [bind:]port:/path   /path:host:port   /path:/path
 *   R the same; the peer listens
 *   D [bind:]port                  SOCKS5
 *   U [bind:]port:host:hostport    UDP
 *
 * bind: an address, "localhost", "" or "*" (every address); without it, and
 * with "localhost", 127.0.0.1 and ::1. IPv6 addresses in brackets. Port 0 to
 * listen at: any that is free. In a path a backslash stands before ':' and '\\'.
 * Hosts come out in the one spelling of hostport.h, paths are good ones of
 * opening.h. */
#ifndef NATKIT_FORWARD_H
#define NATKIT_FORWARD_H

#include <stdbool.h>

#include "opening.h"

struct forward {
	char kind;		 /* 'L', 'R', 'D', 'U' */
	char bind[OPENING_HOST]; /* "": 127.0.0.1 and ::1; "*": all */
	uint16_t port;
	char path[OPENING_PATH]; /* listens at a Unix socket instead, or "" */
	struct opening target;	 /* not with D */
};

/* Returns 0, or -EBADMSG and a sentence that says what is wrong. */
int forward_parse(
    struct forward *out, char kind, const char *text, const char **why);
/* In its shortest form: "-L 8080:127.0.0.1:80"; without "-L " forward_parse
 * makes an equal one of it. */
#define FORWARD_TEXT 640
const char *forward_format(const struct forward *f, char buf[FORWARD_TEXT]);
bool forward_equal(const struct forward *a, const struct forward *b);

#endif

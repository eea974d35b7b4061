/* SPDX-License-Identifier: ISC */
/* nat-pipe's allow file: which key may reach what. Closed by default.
 *
 *   # comment
 *   allow  KEY                     may open the program (or stdio) of nat-pipe -l
 *   permit KEY host:port           a TCP port, as sshd's PermitOpen
 *   permit KEY host:port/udp       a UDP port
 *   permit KEY /path               a Unix socket
 *   permit KEY host:port hook=/path/to/program     the program decides: 0 is yes
 *   listen KEY [bind:]port         may ask us to listen (ssh -R), as PermitListen
 *   listen KEY /path
 *
 * KEY is a public key or a name of the peers file. The first line that fits
 * decides.
 *
 * As with PermitOpen (sshd_config(5)), host and port are compared with what is
 * asked for, * is any host or any port, and no name is looked up: "localhost" is
 * not 127.0.0.1, and who may reach "example.org" may not reach its address.
 * Unlike there, names compare without case (they mean the same host, RFC 4343;
 * sshd compares bytes), and addresses as addresses (::1 is 0:0::1, and
 * ::ffff:192.0.2.1 is 192.0.2.1). IPv6 addresses stand in brackets. Paths are
 * compared as text.
 *
 * listen without bind, or with "localhost", permits 127.0.0.1 and ::1, both or
 * each (sshd's bare port permits every address and leaves the rest to
 * GatewayPorts, which we don't have); with an address that one alone, with * all.
 * Any free port (0) is permitted by port * only. */
#ifndef NATKIT_PERMIT_H
#define NATKIT_PERMIT_H

#include <stddef.h>

#include "key.h"
#include "opening.h"

struct permit;
struct peerbook;

/* path NULL: an empty one. Returns 0; as textfile_load; -EBADMSG, -EINVAL (a
 * low-order key), -ENOENT (neither a key nor a name of book; the file when
 * *line is 0). On error *why says it and *line where (0: the file), and *out is
 * left alone. book may be NULL. */
int permit_read(struct permit **out, const char *path,
    const struct peerbook *book, unsigned *line, const char **why);
/* The same of a text. */
int permit_parse(struct permit **out, const char *text, size_t len,
    const struct peerbook *book, unsigned *line, const char **why);
void permit_free(struct permit *p);
/* The keys that it names, each once: i from 0; NULL: no more. */
const uint8_t *permit_key(const struct permit *p, size_t i);

enum permit_answer {
	PERMIT_NO,
	PERMIT_YES,
	PERMIT_HOOK, /* *hook is a path, valid as long as the permit */
};
/* what has its host as hostport_host writes it, as all that make an opening do.
 * OPENING_BACK is not asked here (no): who has asked for a listener gets it.
 * *hook is NULL without PERMIT_HOOK. p may be NULL: no. */
enum permit_answer permit_check(const struct permit *p,
    const uint8_t key[KEY_LEN], const struct opening *what, const char **hook);

#endif

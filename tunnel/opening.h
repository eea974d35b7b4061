/* SPDX-License-Identifier: ISC */
/* How a stream begins: its opener writes one record (a line of at most
 * RECORD_MAX bytes) that says what it wants, and may go on with data at once;
 * the other side answers with one, `ok` or `no reason=...`, before its data.
 *
 *   open to=program                      the other side's program, or stdio
 *   open to=tcp host=H port=N            H: name, IPv4, IPv6 without brackets
 *   open to=unix path=P
 *   open to=udp host=H port=N            datagrams (RFC 9221) of this stream
 *   open to=listen proto=tcp|unix bind=[A:]N|P id=N   what ssh -R asks for: the
 *                                        stream's life is the listener's
 *   open to=back id=N                    a connection that came to that listener
 *   ok [port=N]                          port: what listen has bound
 *   no reason=WORD
 *
 * A of bind= is an address, IPv6 in brackets, or "*" (every address); without it
 * 127.0.0.1 and ::1. Its N may be 0 (any free port), the N of tcp and udp not.
 * Hosts are in the one spelling of hostport.h, paths absolute. */
#ifndef NATKIT_OPENING_H
#define NATKIT_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "hostport.h"
#include "record.h"

#define OPENING_HOST HOSTPORT_HOST
#define OPENING_PATH 108 /* of sun_path */

enum opening_to {
	OPENING_PROGRAM,
	OPENING_TCP,
	OPENING_UNIX,
	OPENING_UDP,
	OPENING_LISTEN,
	OPENING_BACK,
};

const char *opening_to_name(enum opening_to to); /* "program", "tcp"... */

struct opening {
	enum opening_to to;
	char host[OPENING_HOST]; /* LISTEN: the bind address, "" or "*" */
	uint16_t port;
	char path[OPENING_PATH]; /* UNIX; LISTEN of a Unix socket, or "" */
	uint32_t id;		 /* LISTEN, BACK */
};

/* The reasons of `no`; also how streams end in records and messages. */
enum opening_reason {
	OPENING_OK = 0,
	OPENING_PERMIT,	     /* not permitted */
	OPENING_REFUSED,     /* the target refused the connection */
	OPENING_UNREACHABLE, /* no way to the target, or a time-out */
	OPENING_NAME,	     /* no such name */
	OPENING_BUSY,	     /* too many streams, or too fast */
	OPENING_NOBODY,	     /* nothing serves that here (no program, no -l) */
	OPENING_IN_USE,	     /* the port to listen at is in use */
	OPENING_FAILED,	     /* anything else on that side */
};
const char *opening_reason_name(enum opening_reason r); /* "not-permitted"... */
/* A sentence for people: "the peer does not permit that". */
const char *opening_reason_text(enum opening_reason r);

/* "program", "tcp 127.0.0.1:80", "unix /run/x", ... as people read it. */
#define OPENING_TEXT 300
const char *opening_format(const struct opening *o, char buf[OPENING_TEXT]);

bool opening_equal(const struct opening *a, const struct opening *b);
/* A path that may be asked for: absolute, shorter than OPENING_PATH, without
 * control characters, without a ".." in it (what is compared as text has to
 * mean one place) and not of a folder ("/run/"). */
bool opening_path_is_good(const char *path);

/* Both return 0 or -EMSGSIZE; the record has no newline yet. */
int opening_write(const struct opening *o, struct record *out);
int opening_answer_write(
    enum opening_reason r, uint16_t port, struct record *out);
/* One line without its newline. Strict: unknown words are -EBADMSG, unknown
 * keys are skipped. Numbers have no sign and no leading zero. Returns 0,
 * -EBADMSG, or -EMSGSIZE for a line of RECORD_MAX bytes or more. */
int opening_parse(struct opening *out, const char *line, size_t len);
int opening_answer_parse(
    enum opening_reason *out, uint16_t *port, const char *line, size_t len);

#endif

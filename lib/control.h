/* SPDX-License-Identifier: ISC */
/* Control sockets: SOCK_STREAM, mode 0600, one command line in, records out,
 * then "end status=ok" or "end status=error reason=...". A command may turn
 * its connection into a stream (watch); a reader that falls behind by more
 * than CONTROL_BACKLOG bytes is cut off. */
#ifndef NATKIT_CONTROL_H
#define NATKIT_CONTROL_H

#include "loop.h"
#include "record.h"

#define CONTROL_CLIENTS 16
#define CONTROL_BACKLOG 65536

struct control;
struct control_conn;

/* command is the first word of the line, args the rest (or ""). The handler
 * writes records with control_put and ends with control_end, unless it calls
 * control_watch. */
typedef void control_fn(
    void *arg, struct control_conn *c, const char *command, const char *args);

/* Replaces a stale socket at path (one that nobody listens on). Peers with
 * another uid than root or the caller's are refused (SO_PEERCRED).
 * Returns 0 or -errno. */
int control_open(struct control **out, struct loop *l, const char *path,
    control_fn *fn, void *arg);
void control_free(struct control *c);

void control_put(struct control_conn *c, const struct record *r);
/* reason NULL: ok. The connection takes the next command afterwards. */
void control_end(struct control_conn *c, const char *reason);
void control_watch(struct control_conn *c);
/* For an answer that may be long: fn is called with *position 0, and again each
 * time that what it wrote has been read, until it calls control_end. */
typedef void control_more_fn(
    void *arg, struct control_conn *c, uint64_t *position);
void control_stream(struct control_conn *c, control_more_fn *fn);
/* To every watching connection. */
void control_publish(struct control *c, const struct record *r);

#endif

/* SPDX-License-Identifier: ISC */
/* The lending side of a port socket (lib/port.h): a Unix SEQPACKET listener
 * and its clients, in fixed memory. No call ever waits for a client. */
#ifndef NATKIT_LEND_H
#define NATKIT_LEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "port.h"

#define LEND_CLIENTS 16

struct lend_client {
	int fd; /* -1: free */
	pid_t pid;
	uint64_t dropped; /* datagrams that it was too slow for */
};

struct lend {
	int fd;
	char path[108]; /* of sun_path */
	uid_t uid[2];	/* who may connect besides root */
	struct port_msg hello;
	struct lend_client client[LEND_CLIENTS];
};

/* Listens at path, mode 0600. A stale socket is replaced; a live one is
 * -EADDRINUSE, another kind of file -EEXIST. owner may connect, and so may
 * user, whom the socket then belongs to (unless it is owner).
 * Returns 0 or -errno. */
int lend_open(struct lend *l, const char *path, uid_t owner, uid_t user);
/* Closes all, and unlinks the socket if this user (still) may. */
void lend_close(struct lend *l);

/* Takes one connection and says HELLO. Returns its number, -EAGAIN when there
 * is none, -EACCES (wrong user) or -EBUSY (full), when it has been told so,
 * or another -errno. */
int lend_accept(struct lend *l);
void lend_drop(struct lend *l, int client);
/* One packet of a client. Returns 1; 0 when there is none; -EBADMSG for a bad
 * one; -EPIPE when the client is gone. */
int lend_recv(
    struct lend *l, int client, struct port_msg *out, uint8_t buf[PORT_MAX]);
/* Tells a client that its datagram to remote was not sent. */
void lend_refuse(
    struct lend *l, int client, const struct addr *remote, int error);
/* To every client; one that is too slow misses it. */
void lend_all(struct lend *l, const struct port_msg *m);

#endif

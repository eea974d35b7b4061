/* SPDX-License-Identifier: ISC */
/* A port socket (lib/lend.h) in a program's event loop: takes clients and what
 * they send. */
#ifndef NATKIT_LENDLOOP_H
#define NATKIT_LENDLOOP_H

#include <stdint.h>
#include <sys/types.h>

#include "lend.h"
#include "loop.h"

/* Sends a client's datagram, which is STUN and goes to where it may. Returns 0
 * or -errno: the client is told. */
typedef int lendloop_send_fn(void *arg, const struct port_msg *m);

struct lendloop;

struct lendloop_slot {
	struct lendloop *owner;
	int number;
	struct event *event; /* NULL: no client */
};

struct lendloop {
	struct lend lend;
	struct loop *loop;
	lendloop_send_fn *send;
	void *arg;
	struct event *listen;
	struct event *again; /* accept once more, after a failure */
	struct lendloop_slot slot[LEND_CLIENTS];
	uint64_t sent, refused;
};

/* As lend_open, for a UDP port of these families (ADDR_NONE: both). */
int lendloop_open(struct lendloop *l, const char *path, uid_t owner, uid_t user,
    uint16_t port, int family);
void lendloop_start(
    struct lendloop *l, struct loop *loop, lendloop_send_fn *send, void *arg);
/* Ends both; clients lose their connection. */
void lendloop_close(struct lendloop *l);

#endif

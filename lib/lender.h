/* SPDX-License-Identifier: ISC */
/* A port socket (lib/lend.h) in a program's event loop: takes clients and what
 * they send. */
#ifndef NATKIT_LENDER_H
#define NATKIT_LENDER_H

#include <stdint.h>
#include <sys/types.h>

#include "lend.h"
#include "loop.h"

/* Sends a client's datagram, which is STUN and goes to where it may. Returns 0
 * or -errno: the client is told. */
typedef int lender_send_fn(void *arg, const struct port_msg *m);

struct lender;

struct lender_slot {
	struct lender *lender;
	int number;
	struct event *event; /* NULL: no client */
};

struct lender {
	struct lend lend;
	struct loop *loop;
	lender_send_fn *send;
	void *arg;
	struct event *listen;
	struct event *again; /* accept once more, after a failure */
	struct lender_slot slot[LEND_CLIENTS];
	uint64_t sent, refused;
};

/* As lend_open, for a UDP port of these families (ADDR_NONE: both). */
int lender_open(struct lender *l, const char *path, uid_t owner, uid_t user,
    uint16_t port, int family);
void lender_start(
    struct lender *l, struct loop *loop, lender_send_fn *send, void *arg);
/* Ends both; clients lose their connection. */
void lender_close(struct lender *l);

#endif

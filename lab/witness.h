/* SPDX-License-Identifier: ISC */
/* The netlink socket by which one namespace is watched. It owns an nftables
 * table that marks all packets for tracing and says how far they come (see
 * traced.h); the kernel deletes that table when the socket is closed, however
 * the process ends. */
#ifndef NATKIT_WITNESS_H
#define NATKIT_WITNESS_H

#include <stddef.h>
#include <stdint.h>

#include "traceevent.h"

typedef void witness_fn(
    void *arg, uint16_t type, uint16_t flags, const uint8_t *data, size_t len);

struct witness {
	int fd; /* non-blocking; readable when there is news */
	char table[TRACEEVENT_NAME];
};

/* In the namespace that we are in. fn gets all messages: first the rules and
 * the conntrack entries that are there, then news. data begins with the
 * nfgenmsg. Returns 0, or -errno and what failed in *what. */
int witness_open(
    struct witness *w, witness_fn *fn, void *arg, const char **what);
void witness_close(struct witness *w);
/* Reads all that is there. Returns 0, -ENOBUFS when news got lost (go on), or
 * another -errno. */
int witness_read(struct witness *w, witness_fn *fn, void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/* Packets that Linux takes for forged and drops, because their source is an
 * address of this host: what a NAT sends back that turns a packet round
 * without translating its source. No socket ever sees them, but counters do. */
#ifndef NATKIT_STRAYS_H
#define NATKIT_STRAYS_H

#include <stdbool.h>
#include <stdint.h>

/* How many IPv4 packets this system has dropped as martians, but not more
 * than this network namespace has left undelivered. Only differences mean
 * anything, and those of a quiet time ought to be 0. Returns 0, or -ENOENT:
 * this kernel does not tell. */
struct strays {
	uint64_t martian;
	int64_t undelivered;
};

int strays_read(struct strays *out);
/* At most this many have come in between. */
uint64_t strays_between(const struct strays *a, const struct strays *b);
/* The two files' parsers: text of /proc/net/stat/rt_cache, /proc/net/snmp. */
int strays_martian(uint64_t *out, const char *text);
int strays_undelivered(int64_t *out, const char *text);

#endif

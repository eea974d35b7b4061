/* SPDX-License-Identifier: ISC */
/* The server's side of nat-probe: text in UDP datagrams, for labs. */
#ifndef NATKIT_ASKED_H
#define NATKIT_ASKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "loop.h"

#define ASKED_CALLS 256
#define ASKED_FRAGMENTS_LEN 2400

/* What a datagram begins with. */
#define ASKED_NOTHING "nothing"
#define ASKED_COUNT "count" /* answered with "counted" and its length */
#define ASKED_COUNTED "counted"
#define ASKED_CALL "call" /* and milliseconds: sent back after them */
#define ASKED_FRAGMENTS                                                        \
	"fragments" /* answered with one of 2400 bytes, in two
				     * fragments, the last one first */

#define ASKED_ERROR                                                            \
	"error" /* and an ICMP type * 256 + code: answered with that error     \
		 * about this very datagram */

#define ASKED_CALL_MAX_MS 600000

enum asked_for {
	ASKED_FOR_NOTHING,
	ASKED_FOR_COUNT,
	ASKED_FOR_CALL,
	ASKED_FOR_FRAGMENTS,
	ASKED_FOR_ERROR,
};

struct asked_call {
	struct asked *asked;
	struct event *timer;
	struct addr to;
	unsigned left; /* copies */
};

struct asked {
	int fd, raw;
	struct event *readable;
	struct addr local;
	struct asked_call calls[ASKED_CALLS];
};

/* What a datagram asks for. An answer asks for nothing, or two servers would
 * talk to each other for ever. Sets *number, milliseconds or an ICMP error,
 * with ASKED_FOR_CALL and ASKED_FOR_ERROR only. */
enum asked_for asked_parse(const uint8_t *data, size_t len, uint32_t *number);
/* Needs CAP_NET_RAW, for the fragments and errors. Returns 0 or -errno. */
int asked_open(struct asked *a, struct loop *l, const struct addr *local);
void asked_close(struct asked *a);
/* Is it what a server sends in fragments? */
bool asked_pattern_is(const char *data, size_t len);

#endif

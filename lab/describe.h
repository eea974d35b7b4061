/* SPDX-License-Identifier: ISC */
/* What a packet says, for people: STUN (RFC 8489, 5780, 8445) with what
 * natkit itself sends, WireGuard, ICMP, TCP. */
#ifndef NATKIT_DESCRIBE_H
#define NATKIT_DESCRIBE_H

#include "packet.h"

#define DESCRIBE_NAME 40
#define DESCRIBE_DETAIL 200

enum describe_kind {
	DESCRIBE_OTHER,
	DESCRIBE_STUN,
	DESCRIBE_CHECK,	     /* ICE's, between two peers */
	DESCRIBE_RENDEZVOUS, /* with nat-rendezvousd, or between twins */
	DESCRIBE_WIREGUARD,
	DESCRIBE_ICMP,
	DESCRIBE_TCP,
	DESCRIBE_KINDS
};

struct describe {
	enum describe_kind kind;
	char name[DESCRIBE_NAME];     /* printing ASCII */
	char detail[DESCRIBE_DETAIL]; /* printing ASCII; may be empty */
};

void describe_packet(struct describe *out, const struct packet *p);
/* "stun", "check", ... */
const char *describe_kind_name(enum describe_kind kind);

#endif

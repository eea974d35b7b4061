/* SPDX-License-Identifier: ISC */
/* What nftables says of a traced packet (NFT_MSG_TRACE), taken apart. */
#ifndef NATKIT_TRACEEVENT_H
#define NATKIT_TRACEEVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

#define TRACEEVENT_NAME 40

struct traceevent {
	uint32_t id; /* of the packet; another one once it is routed */
	char table[TRACEEVENT_NAME];
	char chain[TRACEEVENT_NAME];
	uint8_t family; /* NFPROTO_... of the table */
	bool policy;	/* the chain's policy decided, not a rule */
	bool dropped;
	uint64_t handle; /* of the rule; 0 for a policy */
	uint32_t iif;	 /* 0: none */
	bool has_packet; /* the first event of a chain has it */
	struct packet packet;
};

/* type of the nlmsghdr, data from the nfgenmsg on. Returns 0, -EBADMSG, or
 * -EPROTONOSUPPORT for a message that is no trace. */
int traceevent_parse(
    struct traceevent *out, uint16_t type, const uint8_t *data, size_t len);

#endif

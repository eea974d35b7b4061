/* SPDX-License-Identifier: ISC */
/* Events of the kernel's connection tracking (ctnetlink), taken apart. */
#ifndef NATKIT_CTEVENT_H
#define NATKIT_CTEVENT_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"

enum ctevent_kind {
	CTEVENT_NEW,
	CTEVENT_UPDATE,
	CTEVENT_DESTROY,
};

/* Bits of the status (enum ip_conntrack_status) that are of use here. */
#define CTEVENT_SEEN_REPLY 0x2u
#define CTEVENT_ASSURED 0x4u
#define CTEVENT_SRC_NAT 0x10u
#define CTEVENT_DST_NAT 0x20u

struct ctevent_tuple {
	struct addr from, to;
	uint8_t protocol;
};

struct ctevent {
	enum ctevent_kind kind;
	struct ctevent_tuple original, reply;
	uint32_t status;
	uint32_t timeout_s; /* 0: the event does not tell */
	uint32_t id;
};

/* type and flags of the nlmsghdr, data from the nfgenmsg on. Returns 0,
 * -EBADMSG, or -EPROTONOSUPPORT for a message that is no such event. */
int ctevent_parse(struct ctevent *out, uint16_t type, uint16_t flags,
    const uint8_t *data, size_t len);

#endif

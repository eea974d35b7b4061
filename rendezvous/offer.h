/* SPDX-License-Identifier: ISC */
/* The offer: what one peer tells the other inside a sealed payload, as an
 * attribute list (DESIGN.md, "Sealed payloads"). */
#ifndef NATKIT_OFFER_H
#define NATKIT_OFFER_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "wire.h"

#define OFFER_CANDIDATES 16
#define OFFER_USER_LEN 8
#define OFFER_PASSWORD_LEN 24
/* Longest encoding: four fixed attributes and 16 IPv6 candidates. */
#define OFFER_MAX (12 + 20 + 16 + 36 + OFFER_CANDIDATES * 28)

enum offer_type {
	OFFER_HOST = 1,
	OFFER_SRFLX = 2,
	OFFER_RELAY = 4,
};

struct offer_candidate {
	uint8_t type; /* enum offer_type */
	uint32_t priority;
	struct addr addr;
};

struct offer {
	uint64_t timestamp_ns;
	uint8_t from[WIRE_TAG_LEN]; /* the sender's tag for the receiver */
	uint8_t to[WIRE_TAG_LEN];   /* the receiver's tag for the sender */
	uint32_t generation;	    /* of the candidates below; never 0 */
	uint32_t holds; /* the receiver's generation that the sender holds */
	uint32_t known; /* the sender's generation that the receiver holds,
			 * as far as the sender knows: anything else than
			 * its own generation asks for an answer */
	char user[OFFER_USER_LEN + 1];
	char password[OFFER_PASSWORD_LEN + 1];
	size_t n;
	struct offer_candidate candidate[OFFER_CANDIDATES];
};

/* Returns the length, -EINVAL for what offer_decode would refuse, -ENOBUFS. */
int offer_encode(const struct offer *o, uint8_t *out, size_t cap);
/* Strict: each fixed attribute once and in order, at most OFFER_CANDIDATES
 * candidates, sendable addresses. Unknown optional attributes are skipped.
 * Returns 0, -EBADMSG, or -EPROTONOSUPPORT for an unknown required one. */
int offer_decode(struct offer *out, const uint8_t *data, size_t len);

/* "host", "srflx", "relay"; NULL for another type. */
const char *offer_type_name(int type);
/* Returns the type, or -EBADMSG. */
int offer_type_parse(const char *name);

#endif

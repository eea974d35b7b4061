/* SPDX-License-Identifier: ISC */
/* The boxes of a capture: what its file "lab" says of them (records box and
 * interface of nat-records(5)). */
#ifndef NATKIT_PLACES_H
#define NATKIT_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"
#include "record.h"

#define PLACES_MAX 64
#define PLACE_NAME 32
#define PLACE_ADDRS 24
#define PLACE_MACS 24

enum place_kind {
	PLACE_HOST,
	PLACE_NAT,
	PLACE_PUBLIC,
	PLACE_ROUTER,
	PLACE_FIREWALL, /* keeps state, and translates nothing */
};

struct place {
	char name[PLACE_NAME];
	enum place_kind kind;
	struct addr addr[PLACE_ADDRS];
	size_t naddr;
	uint8_t mac[PLACE_MACS][PACKET_MAC_LEN];
	size_t nmac;
};

struct places {
	struct place place[PLACES_MAX];
	size_t n;
};

/* Other records are none of its business: 0. Returns -EBADMSG for a malformed
 * one, -ENOSPC for too many boxes. */
int places_feed(struct places *p, const struct record_view *r);
/* -1 when there is none of that name. */
int places_find(const struct places *p, const char *name);
bool place_has_mac(const struct place *p, const uint8_t *mac);
bool place_has_addr(const struct place *p, const struct addr *ip);
/* A host with a public address is a public host; only loopback and
 * link-local ones, RFC 1918's, 2544's, 6598's and 4193's aren't. */
void places_settle(struct places *p);
const char *place_kind_name(enum place_kind kind);

#endif

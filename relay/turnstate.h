/* SPDX-License-Identifier: ISC */
/* What the files of the TURN server share: turnserver.c answers requests, which
 * turnwish.c takes apart, turngrant.c decides on allocations, turndata.c carries
 * data. */
#ifndef NATKIT_TURNSTATE_H
#define NATKIT_TURNSTATE_H

#include "allocation.h"
#include "crowd.h"
#include "turnauth.h"
#include "turnserver.h"

struct turn {
	struct turn_config config;
	struct turn_ports ports;
	struct accounts *accounts;
	struct allocations table;
	struct crowd crowd; /* allocations by address */
	/* by address and by site: requests without, and with, a nonce that
	 * proves the address */
	struct limit strangers, stranger_sites, proven, proven_sites;
	struct turnauth auth;
	turn_event_fn *event;
	void *event_arg;
	uint64_t now_ms; /* as last told */
	bool drain;
};

/* A request that is being answered. */
struct turn_request {
	const struct stun_msg *m;
	const struct way *from;
	uint64_t now_ms, wall_s;
	struct turnauth_who who;
	struct allocation *a; /* of that way, or NULL */
};

/* What an Allocate asks for (RFC 8656 section 7.1). */
struct turn_wish {
	uint32_t lifetime_s;
	bool family[2]; /* IPv4, IPv6 */
	bool both;	/* ADDITIONAL-ADDRESS-FAMILY */
	bool even, next;
	const uint8_t *token; /* 8 bytes, or NULL */
};

#define TURN_TOKEN_LEN 8

/* The value of an attribute that has to have that length. Returns 1, 0: it is
 * not there, -EBADMSG. */
int turn_find(
    const struct stun_msg *m, uint16_t type, size_t len, struct cursor *c);
/* An address family (section 18.8): *half is 0 or 1, as of relayed[]. Returns
 * as turn_find, or -EPROTONOSUPPORT. */
int turn_find_family(
    const struct stun_msg *m, uint16_t type, unsigned int *half);
/* Section 7.2, the steps 3 to 9. Returns 0 or an error code. */
int turn_read_wish(const struct turn_request *r, struct turn_wish *w);

/* The allocation of a way, if it still lives. */
struct allocation *turn_live(
    struct turn *t, const struct way *way, uint64_t now_ms);
/* Makes r->a. Returns 0 or an error code. */
int turn_grant(
    struct turn *t, struct turn_request *r, const struct turn_wish *w);
/* Ends one family of an allocation, and the whole with its last one. Returns
 * whether it is still there. */
bool turn_end_half(
    struct turn *t, struct allocation *a, unsigned int half, const char *why);
void turn_end(struct turn *t, struct allocation *a, const char *why);
uint32_t turn_lifetime(uint32_t wanted_s);
void turn_token(
    const struct turn *t, const struct allocation *a, uint8_t out[8]);
/* May a client of that allocation reach this address? 0, 403, or 443. */
int turn_peer_error(const struct turn *t, const struct allocation *a,
    const struct addr *peer, uint64_t now_ms);

/* A Send indication (section 11.2). */
void turn_send(struct turn *t, const struct way *from, const struct stun_msg *m,
    uint64_t now_ms, struct turn_result *r);
/* Attributes that no TURN message lacks understanding for. Fills list, with
 * at most max of them; returns how many. */
size_t turn_unknown(const struct stun_msg *m, uint16_t *list, size_t max);

#endif

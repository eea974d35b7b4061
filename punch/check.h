/* SPDX-License-Identifier: ISC */
/* Connectivity checks: STUN Binding requests and answers under the
 * credentials of both sides (RFC 8445 section 7). A check that isn't the
 * peer's gets no answer at all, so that nobody can probe us or bounce packets
 * off us. */
#ifndef NATKIT_CHECK_H
#define NATKIT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "stun.h"

#define CHECK_USER_LEN 8
#define CHECK_PASSWORD_LEN 24
/* Room for every message that we build; the longest has 160 bytes. */
#define CHECK_MAX 192
/* Of a peer-reflexive candidate that our check may create at the peer
 * (RFC 8445 section 5.1.2: type 110, local 65535, component 1). */
#define CHECK_PRIORITY ((110u << 24) | (65535u << 8) | 255u)
/* The same through a relay (type 0): the receiver tells by it which way it
 * came, since relays have any address. */
#define CHECK_PRIORITY_RELAYED ((65535u << 8) | 255u)
#define CHECK_RELAYED(priority) ((priority) >> 24 == 0)
/* NATKIT_HINT, a u32 in checks through a relay. */
#define CHECK_HINT_NEED 1u /* no direct path is sure: help to prove this one */
#define CHECK_HINT_TRY 2u  /* my NATs are open for a direct one: try now */
#define CHECK_HINT_ONLY 4u /* I take nothing but relays */

/* Ours: what the peer checks us with. The peer's: what we check it with. */
struct check_credentials {
	char user[CHECK_USER_LEN + 1];
	char password[CHECK_PASSWORD_LEN + 1];
	char peer_user[CHECK_USER_LEN + 1];
	char peer_password[CHECK_PASSWORD_LEN + 1];
};

struct check {
	uint32_t priority;
	bool nominate;	  /* USE-CANDIDATE */
	bool controlling; /* the role that the sender says it has */
	uint32_t hint;	  /* CHECK_HINT_, 0 for none */
	/* Through a relay: where that sees the sender, or ADDR_NONE. */
	struct addr mapped;
};

/* Right length and alphabet: can't break a USERNAME or a record. */
bool check_user_valid(const char *user);
bool check_password_valid(const char *password);

/* Both return the length or -ENOBUFS. tie_breaker fills the role attribute
 * (RFC 8445 section 16.1); roles follow from the keys, so nobody reads it, but
 * a check that claims the receiver's role is none of the peer's. */
int check_request(const struct check_credentials *c, const struct check *check,
    uint64_t tie_breaker, const uint8_t tid[STUN_TID_LEN], uint8_t *out,
    size_t cap);
/* The answer to a request from the address seen. */
int check_response(const struct check_credentials *c, const struct addr *seen,
    const uint8_t tid[STUN_TID_LEN], uint8_t *out, size_t cap);

/* Is this a request under that pair of users? Says nothing about its
 * integrity: it finds the peer that may be meant. */
bool check_is_for(const struct check_credentials *c, const struct stun_msg *m);
/* Did it come through a relay, as its PRIORITY says (unproven)? */
bool check_is_relayed(const struct stun_msg *m);
/* A request of the peer. Returns 0; -EBADMSG (no check, or not well formed),
 * -ENOENT (another USERNAME), -EACCES (wrong integrity). */
int check_read_request(const struct check_credentials *c,
    const struct stun_msg *m, struct check *out);
/* A success response to one of our checks (the caller knows its transaction
 * id). *seen is our address as the peer sees it. Errors as above. */
int check_read_response(const struct check_credentials *c,
    const struct stun_msg *m, struct addr *seen);

#endif

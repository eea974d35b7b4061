/* SPDX-License-Identifier: ISC */
/* One binding: our daemon's port at one relay, for one peer (relay/pairs.h has the
 * messages). A pure state machine: datagrams and a clock in, datagrams and what
 * was learned out.
 *
 * After every call that hands something in, call relaybinding_step until it
 * gives RELAYBINDING_WAIT, and again at the time that this names. */
#ifndef NATKIT_RELAYBINDING_H
#define NATKIT_RELAYBINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bindrequest.h"
#include "limit.h"
#include "relayrecord.h"
#include "transaction.h"

/* Milliseconds. */
#define RELAYBINDING_RTO_MS 200	    /* while no round trip is known */
#define RELAYBINDING_SILENT_MS 2000 /* unanswered so long: gone */
#define RELAYBINDING_FAMILY_MS 250  /* before the second endpoint is tried */
#define RELAYBINDING_AGAIN_MS 1000  /* doubling to */
#define RELAYBINDING_AGAIN_MAX_MS 10000
#define RELAYBINDING_HINT_RATE 5  /* hints are obeyed so often a second */
#define RELAYBINDING_HINT_BURST 2 /* as PAIRS_HINT_BURST */
/* A path's checks come every second; when they stop, the relay is asked. */
#define RELAYBINDING_QUIET_MS 1500
#define RELAYBINDING_REDIRECTS 3	 /* in a row */
#define RELAYBINDING_CHALLENGES 3	 /* in a row */
#define RELAYBINDING_MAX BINDREQUEST_MAX /* longest datagram that it makes */

enum relaybinding_state {
	RELAYBINDING_BINDING, /* not bound yet */
	RELAYBINDING_BOUND,
	RELAYBINDING_GONE, /* and tried again and again */
};

/* One endpoint of the relay. */
struct relaybinding_try {
	struct addr server; /* as the record names it */
	struct addr to;	    /* that, or the port it sent us to */
	uint8_t nonce[BINDREQUEST_NONCE_MAX];
	size_t nonce_len;
	struct transaction t;
	bool active, challenged;
	uint64_t end_ms;
	unsigned challenges, redirects;
};

struct relaybinding {
	char user[CREDENTIAL_NAME_MAX];
	char password[CREDENTIAL_PASSWORD_LEN + 1];
	uint32_t priority;
	uint64_t expiry_ms; /* of the credential, on our clock */
	size_t n;
	struct relaybinding_try try[2];
	int chosen; /* the one that answered, or -1 */

	enum relaybinding_state state;
	const char *reason; /* of GONE */
	struct addr at;	    /* where it is bound, or was last */
	struct addr mapped; /* where the relay sees us, or ADDR_NONE */
	uint64_t next_ms;   /* when to bind (again); UINT64_MAX: never */
	struct bucket hints;
	uint64_t quiet_ms; /* when checks are missed; UINT64_MAX: never */
	uint32_t again_ms, refresh_ms;
	uint32_t rtt_ms; /* 0: not known */

	/* what the caller knows */
	bool told;
	enum relaybinding_state told_state;
	const char *told_reason;
	struct addr told_at, told_mapped;
	uint32_t told_priority;

	uint8_t out[RELAYBINDING_MAX];
};

enum relaybinding_what {
	RELAYBINDING_WAIT, /* nothing before ->at_ms */
	RELAYBINDING_SEND, /* ->data to ->to */
	RELAYBINDING_STATE,
};

struct relaybinding_event {
	enum relaybinding_what what;
	uint64_t at_ms;
	struct addr to; /* or the endpoint of ->state */
	const uint8_t *data;
	size_t len;
	enum relaybinding_state state;
	const char *reason;
	struct addr server; /* the endpoint of the record */
	struct addr
	    mapped; /* BOUND: ours, as the relay sees it; or ADDR_NONE */
};

const char *relaybinding_state_name(enum relaybinding_state state);

/* Holds a password: to be wiped. refresh_ms: bind again so often. */
void relaybinding_start(struct relaybinding *b, const struct relayrecord *r,
    uint32_t refresh_ms, uint64_t now_ms);
/* Is this record about the same relay: has it one of its endpoints? */
bool relaybinding_is(const struct relaybinding *b, const struct relayrecord *r);
/* A new credential for it, perhaps under other endpoints. */
void relaybinding_renew(
    struct relaybinding *b, const struct relayrecord *r, uint64_t now_ms);
void relaybinding_wipe(struct relaybinding *b);
/* A STUN message (parsed). Returns whether it was for this binding. */
bool relaybinding_input(struct relaybinding *b, const struct addr *from,
    const struct stun_msg *m, uint64_t now_ms);
/* A datagram to this address could not be sent; why is for people. */
void relaybinding_unsent(struct relaybinding *b, const struct addr *to,
    const char *why, uint64_t now_ms);
void relaybinding_step(
    struct relaybinding *b, uint64_t now_ms, struct relaybinding_event *ev);
/* The request that ends it, to be sent to *to without waiting for an answer.
 * Returns its length; 0: it is not bound. */
size_t relaybinding_unbind(
    struct relaybinding *b, struct addr *to, uint8_t out[RELAYBINDING_MAX]);

#endif

/* SPDX-License-Identifier: ISC */
/* One peer's path: from an introduction through low TTL, barrier, checks and
 * one nomination (RFC 8445) to a direct path and its keeping (RFC 7675). A
 * pure state machine: events and a clock go in, outputs come out. DESIGN.md
 * says why each phase is there.
 *
 *   introduced -> OPENING --go or 3 s--> ROUNDS --> FULL --10 s--> failed
 *                    any of them --nominated--> SETTLED (direct)
 *   lost -> OPENING (0.4 s) -> ROUNDS -> FULL     failed --40 s--> OPENING
 *
 * The list of relays (relayed) has our own bindings for candidates, and neither
 * low TTL nor a barrier: its only search is FULL. While it carries the peer,
 * the direct list is spare: short tries, soon again. */
#ifndef NATKIT_CHECKLIST_H
#define NATKIT_CHECKLIST_H

#include "candidate.h"
#include "check.h"
#include "consent.h"
#include "output.h"
#include "pace.h"
#include "stun.h"

#define CHECKLIST_NO_GO_US 3000000u    /* then we go without */
#define CHECKLIST_REOPEN_US 400000u    /* of OPENING when a path was lost */
#define CHECKLIST_OPENING_US 100000u   /* between low-TTL checks */
#define CHECKLIST_ROUNDS_US 100000u    /* least time of low TTL after go */
#define CHECKLIST_ROUNDS_MIN_US 30000u /* also of a go that came late */
#define CHECKLIST_ROUNDS_MAX_US 3000000u
#define CHECKLIST_RTO_US 100000u /* doubling, at full TTL */
#define CHECKLIST_RTO_MAX_US 1000000u
#define CHECKLIST_FULL_US 10000000u /* then it has failed */
#define CHECKLIST_ERROR_US 1000000u /* same, when no candidate can be sent to */
#define CHECKLIST_GRACE_US 150000u  /* for a better candidate to answer */
#define CHECKLIST_NOMINATE_US 2000000u /* then the next best is nominated */
/* Linux forgets an unreplied flow, and so the clash, after 30 s of silence. */
#define CHECKLIST_SILENCE_US 40000000u
/* But it gives new flows the port of a forgotten one until it sweeps its table,
 * once a minute: so every second wait is that long. */
#define CHECKLIST_SWEEP_US 100000000u
/* Of a list that is spare. */
#define CHECKLIST_SHORT_US 2500000u /* of FULL */
#define CHECKLIST_MEET_US 1000000u  /* of OPENING: the peer tries, too */
#define CHECKLIST_OPENED_US 60000u  /* then every candidate was sent to */
#define CHECKLIST_WAIT_US 1000000u  /* after a try, doubling */
#define CHECKLIST_WAIT_MAX_US 60000000u
#define CHECKLIST_RELAY_WAIT_US 1000000u /* of relays that have failed */

enum checklist_phase {
	PHASE_IDLE,
	PHASE_OPENING,
	PHASE_ROUNDS,
	PHASE_FULL,
	PHASE_SETTLED,
};

/* A peer record with state=introduced. */
struct introduction {
	uint32_t generation;
	uint64_t count;
	bool controlling;
	struct check_credentials credentials;
};

/* Remotes of a generation that is not introduced yet. */
struct offer {
	bool open;
	uint32_t generation;
	uint64_t seen; /* counts also what is not kept */
	size_t n;
	struct remote remote[CANDIDATE_REMOTES];
};

struct checklist {
	bool again; /* a failed peer is tried again after the silence */
	bool relayed;
	bool asleep;	 /* relayed: checks nothing until it is woken */
	uint32_t hint;	 /* relayed: what our checks say */
	uint32_t hinted; /* relayed: what the peer's said; to be taken */
	bool content;	 /* relayed: its latest did not say NEED; the same */
	bool only;	 /* relayed: its latest said ONLY */
	/* relayed: where a relay sees us; where the peer says that one sees it,
	 * to be taken */
	struct addr mapped, seen;
	bool spare;	  /* a relay carries the peer meanwhile */
	bool lost;	  /* a path was, since the last introduction */
	bool met;	  /* the peer says that its NATs are open */
	uint64_t wait_us; /* after the next short try */
	bool sweep;	  /* the next full wait is the longer one */
	enum path_state state;
	enum checklist_phase phase;
	bool introduced, went, gone;
	unsigned depth; /* NATs before us (depth.h), 0 unknown; IPv4 only */
	uint32_t generation;
	bool controlling;
	uint64_t tie_breaker;
	struct check_credentials credentials;
	struct offer offer;
	size_t n_remotes;
	struct remote remotes[CANDIDATE_REMOTES];
	struct remote elsewhere; /* checklist_elsewhere; ADDR_NONE: not known */

	struct candidates candidates;
	uint64_t phase_us;     /* when it began */
	uint64_t phase_end_us; /* UINT64_MAX: never */
	uint64_t round_us;     /* between the rounds of ROUNDS */
	uint64_t first_us;     /* first answer of this search, 0 none */
	uint64_t retry_us;     /* of a failed peer, UINT64_MAX never */
	int nominee;	       /* index, or -1 */
	bool nominee_answered;
	uint64_t nominee_us, nominee_due_us, nominee_interval_us;

	struct remote path; /* the selected one; consent tells if it is live */
	struct addr path_local; /* where its answers come to */
	struct consent consent;
	struct pace pace;
	struct outputs out;
};

void checklist_init(struct checklist *x, bool again, uint64_t tie_breaker);
void checklist_init_relayed(
    struct checklist *x, bool again, uint64_t tie_breaker);

/* A remote record; one of CANDIDATE_NONE, a type of the future, is counted
 * and not kept. Returns 0; -EINVAL, an address that nobody sends to, or
 * -ENOSPC: counted, but not kept. */
int checklist_remote(
    struct checklist *x, uint32_t generation, const struct remote *r);
/* Takes the remotes of this generation and begins. Returns 0, or -EBADMSG
 * when their number is not the count (they are then forgotten). */
int checklist_introduce(
    struct checklist *x, const struct introduction *i, uint64_t now_us);
/* Returns 0, or -ENOENT for a generation that was not introduced. */
int checklist_go(struct checklist *x, uint32_t generation, uint64_t age_ms,
    uint64_t skew_ms, uint64_t now_us);
void checklist_gone(struct checklist *x, uint64_t now_us);

/* Of a relayed list: a relay's address where the peer is reached, and its end.
 * Returns 0, -EINVAL, -ENOSPC. */
int checklist_bind(
    struct checklist *x, const struct remote *r, uint64_t now_us);
void checklist_unbind(
    struct checklist *x, const struct addr *addr, uint64_t now_us);
bool checklist_bound(const struct checklist *x, const struct addr *addr);
/* It has had its time to be bound somewhere: without a relay it has failed. */
void checklist_unserved(struct checklist *x, uint64_t now_us);
/* Of the direct list: this is a relay's address, and no direct way. */
void checklist_shun(
    struct checklist *x, const struct addr *addr, uint64_t now_us);
/* Asleep it only answers, until the peer's checks say CHECK_HINT_NEED. Its
 * path has to be proven anew. */
void checklist_sleep(struct checklist *x, uint64_t now_us);
void checklist_wake(struct checklist *x, uint64_t now_us);
/* Checks the path now, so that the peer learns of our hint. */
void checklist_nudge(struct checklist *x);

/* Of the direct list: a relay sees the peer there. Its NAT may have another
 * mapping for us than that which its server sees. */
void checklist_elsewhere(
    struct checklist *x, const struct addr *addr, uint64_t now_us);
/* Of the direct list: the peer has opened its NATs and tries now. */
void checklist_try(struct checklist *x, uint64_t now_us);
/* When ours are open for the try that begins; UINT64_MAX: none does. */
uint64_t checklist_opened_at(const struct checklist *x);
/* A Binding message that came from an address to one of ours. Returns 0 when
 * it was the peer's; -ENOENT, -EACCES, -EBADMSG when not (and nothing has
 * changed and nothing is answered). */
int checklist_receive(struct checklist *x, const struct stun_msg *m,
    const struct addr *from, const struct addr *local, uint64_t now_us);
/* A send failed on this host: error is an enum port_error. */
void checklist_port_error(
    struct checklist *x, const struct addr *remote, int error, uint64_t now_us);
/* Does what is due, at most one datagram. Returns when to call again,
 * UINT64_MAX for not before the next event. */
uint64_t checklist_step(struct checklist *x, uint64_t now_us);

/* Nothing more will happen by itself: direct and acknowledged, or failed. */
bool checklist_settled(const struct checklist *x, uint64_t now_us);
/* What it still waits for, in words. */
const char *checklist_missing(const struct checklist *x);

#endif

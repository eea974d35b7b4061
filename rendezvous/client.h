/* SPDX-License-Identifier: ISC */
/* The client's session with one rendezvous server (DESIGN.md, "The rendezvous
 * protocol"), as a pure state machine: datagrams and a clock in, datagrams
 * and what was learned out.
 *
 * After every call that hands something in, call client_step until it gives
 * CLIENT_WAIT, and again at the time that this names. */
#ifndef NATKIT_CLIENT_H
#define NATKIT_CLIENT_H

#include "contact.h"
#include "dial.h"
#include "ledger.h"
#include "news.h"

/* Milliseconds. */
#define CLIENT_SUSPECT_MS 3000 /* unanswered: say HELLO in parallel */
#define CLIENT_DOWN_MS 8000    /* unanswered: the session is down */
#define CLIENT_CONFIRM_MS 4000 /* to prove a new session */
#define CLIENT_HINT_MS 2000   /* an unknown-session hint is obeyed this often */
#define CLIENT_MAPPED_MS 1000 /* a new own address is told this often */
#define CLIENT_REFUSED_MS 30000 /* after 403 or 508 */
#define CLIENT_REKEY_MS (60 * 60 * 1000)
/* Over TCP: is UDP open again? The pause between two such questions grows. */
#define CLIENT_UDP_MIN_MS 250
#define CLIENT_UDP_MAX_MS 120000
#define CLIENT_UDP_ROAM_MS 1000 /* and on another network */
/* A first session over TCP may only mean loss, and until UDP answers, the peer
 * does not know where our port is seen, and can't open its NAT for us: so it
 * is not told to go before that, or before so much time has passed. */
#define CLIENT_HOLD_MS 3000

enum client_what {
	CLIENT_WAIT,	/* nothing before ->at_ms */
	CLIENT_SEND,	/* ->data to ->to, which may be a connection's */
	CLIENT_CONNECT, /* connect to dial.addrs over TCP, other ports too, then
			 * call client_connected */
	CLIENT_RESOLVE, /* look the name up, then call client_addresses */
	CLIENT_UP,	/* or still up, with a new ->to or ->mapped; rtt_us */
	CLIENT_DOWN,	/* reason: timeout; no-answer or wrong-key if it never
			 * was up, the latter a guess */
	CLIENT_REFUSED, /* reason */
	CLIENT_NEWS,	/* ->news, about a peer */
};

struct client_event {
	enum client_what what;
	uint64_t at_ms;
	struct addr to;	     /* or, for CLIENT_UP, the server's address */
	const uint8_t *data; /* valid until the next call */
	size_t len;
	struct news news;
	const char *reason;
	uint64_t rtt_us;
	struct addr mapped; /* ADDR_NONE: not known (TCP) */
};

/* Holds keys: to be allocated with sodium_malloc. */
struct client {
	struct dial dial;
	struct contact contact;
	bool suspect;	  /* dialling only since the session was silent */
	uint64_t hint_ms; /* when a hint was last obeyed */
	int refused;	  /* the status that was last reported, or 0 */
	uint32_t keepalive_limit_s; /* -t; 0 leaves it to the server */

	bool up, pending; /* a session is in use; one waits for its proof */
	struct session session, next;
	struct addr addr, next_addr; /* of the server, for each */
	struct wire_welcome welcome; /* that next came with */
	struct addr mapped;
	uint64_t mapped_ms; /* when it changed under this session */
	uint32_t keepalive_ms;
	/* when what is next; UINT64_MAX: never */
	uint64_t keepalive_at_ms, rekey_at_ms, full_at_ms, confirm_end_ms;
	uint64_t udp_at_ms; /* of a session over TCP */
	uint32_t udp_ms;
	uint64_t waiting_ms; /* since when for an answer; UINT64_MAX: not */
	uint64_t rtt_us;     /* smoothed */

	struct ledger ledger;
	uint8_t relayed_tid[STUN_TID_LEN]; /* of the latest indication */

	/* what client_step has to say yet */
	bool tell_up, tell_down, tell_refused, tell_resolve, ack;
	bool announce; /* the next session is news, even if all is as before */
	const char *reason;
	uint8_t ack_tid[STUN_TID_LEN];
	uint8_t plain[WIRE_PLAIN_MAX];
	struct cursor learned; /* what is left of plain */
	enum stun_class learned_class;
	uint8_t out[STUN_MAX];
};

/* key is the own secret key and stays the caller's; pub its public half. */
void client_init(struct client *c, const uint8_t *key,
    const uint8_t pub[KEY_LEN], const uint8_t server[KEY_LEN],
    uint32_t keepalive_limit_s, const struct moment *now);
void client_wipe(struct client *c);
/* As dial_addresses. A session that is up stays where it is. */
void client_addresses(struct client *c, const struct addr *list, size_t n,
    const struct moment *now);
/* A connection is there, or has ended; at->tcp is set. What is of no use
 * (client_uses) is to be closed, at the latest after the next CLIENT_WAIT. */
void client_connected(
    struct client *c, const struct addr *at, const struct moment *now);
void client_cut(
    struct client *c, const struct addr *at, const struct moment *now);
bool client_uses(const struct client *c, const struct addr *at);
/* The connection that the session uses may be dead: a new one is better. */
bool client_doubts(const struct client *c, const struct addr *at);
/* From now on the server is to know that we want the peer. */
void client_want(struct client *c, int peer, const uint8_t key[KEY_LEN],
    const uint8_t tag[WIRE_TAG_LEN]);
/* Both sides hold these generations of each other. */
void client_ready(struct client *c, int peer, uint32_t mine, uint32_t theirs);
/* Wraps a sealed payload for the peer into a datagram for client_endpoint.
 * Returns its length, -ENOTCONN without a session, -ENOBUFS. */
int client_relay(struct client *c, int peer, const uint8_t *payload, size_t len,
    uint8_t *out, size_t cap);
/* The datagram that ends the session; as client_relay. */
int client_bye(struct client *c, uint8_t *out, size_t cap);
const struct addr *client_endpoint(const struct client *c);
/* The network changed: tell the server the new address at once. */
void client_roam(struct client *c, const struct moment *now);
/* A datagram. Returns whether it was from this server and meant something. */
bool client_input(struct client *c, const struct addr *from,
    const uint8_t *data, size_t len, const struct moment *now);
void client_step(
    struct client *c, const struct moment *now, struct client_event *ev);

#endif

/* SPDX-License-Identifier: ISC */
/* A TURN client (RFC 8656) without its sockets: one allocation at one server,
 * permissions and channels for its peers, kept fresh. Messages and a clock go
 * in, messages come out. */
#ifndef NATKIT_TURNCLIENT_H
#define NATKIT_TURNCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "stun.h"
#include "transaction.h"
#include "turnlogin.h"

#define TURNCLIENT_GRANTS 64 /* addresses that have a permission */
#define TURNCLIENT_ROUTES 64 /* endpoints, each with a channel */
#define TURNCLIENT_PAST 256  /* endpoints that had a channel */
#define TURNCLIENT_OUT 1536  /* the longest message but those with data */
#define TURNCLIENT_WRAP 64   /* what turnclient_wrap adds at most */
#define TURNCLIENT_CODE_NO_ANSWER (-1)
#define TURNCLIENT_CODE_BAD_ANSWER (-2)

enum turnclient_state {
	TURNCLIENT_IDLE,
	TURNCLIENT_ASKING,
	TURNCLIENT_UP,
	TURNCLIENT_DOWN, /* ->code tells why; start anew, on another socket */
};

enum turnclient_what {
	TURNCLIENT_NOTHING,
	TURNCLIENT_CHANGED, /* ->state, or a grant's */
	TURNCLIENT_DATA,    /* a permitted peer's datagram */
};

/* One request that is asked until it is answered, and then again. */
struct turn_ask {
	struct transaction t;
	bool open;
	unsigned int stale; /* 438 in a row */
	uint64_t due_ms;    /* when not open: ask again then */
};

enum turn_grant_state {
	TURN_GRANT_ASKED,
	TURN_GRANTED,
	TURN_GRANT_REFUSED,
};

/* The permission of one address (RFC 8656 section 9). */
struct turn_grant {
	struct addr ip; /* ADDR_NONE: a free place; port 0 */
	enum turn_grant_state state;
	int code; /* of the refusal */
	struct turn_ask ask;
};

/* One endpoint and its channel (section 12). */
struct turn_route {
	struct addr peer; /* ADDR_NONE: a free place */
	uint16_t channel; /* 0: none yet */
	bool bound;
	struct turn_ask ask;
};

/* The server goes on using a channel that we don't want any more, and gives its
 * peer no other one, for 10 minutes (section 12). */
struct turn_past {
	struct addr peer; /* ADDR_NONE: a free place */
	uint16_t channel;
};

/* In memory of sodium_malloc; zeroed but for config before the first start. */
struct turnclient {
	/* config */
	struct turnlogin login;
	bool stream; /* TCP or TLS: nothing is sent again */
	bool want4, want6;
	uint32_t keepalive_ms; /* refreshes as often: a dead server is seen */
	/* what is known; read only */
	enum turnclient_state state;
	int code;		/* an error code, or TURNCLIENT_CODE_... */
	struct addr relayed[2]; /* IPv4, IPv6 */
	int family_code[2];	/* why there is no relayed address of it */
	struct addr mapped;
	struct addr alternate; /* with code 300 */
	uint32_t lifetime_s;
	uint64_t next_ms; /* when to call turnclient_step again */
	uint64_t ignored; /* messages that were not for us, or forged */
	struct turn_grant grant[TURNCLIENT_GRANTS];
	struct turn_route route[TURNCLIENT_ROUTES];
	/* private */
	struct turn_ask main; /* Allocate, then Refresh */
	uint64_t expiry_ms;
	uint32_t rto_ms;
	uint16_t next_channel;
	struct turn_past past[TURNCLIENT_PAST];
	unsigned int next_past;
};

struct turnclient_in {
	enum turnclient_what what;
	struct addr peer;
	const uint8_t *data; /* points into the message */
	size_t len;
};

/* Forgets what an earlier server said, keeps grants and routes, and asks for
 * an allocation: on a new socket or connection. */
void turnclient_start(struct turnclient *c, uint64_t now_ms);
/* The next message to send now, or 0: call again until then. */
size_t turnclient_step(
    struct turnclient *c, uint64_t now_ms, uint8_t out[TURNCLIENT_OUT]);
void turnclient_input(struct turnclient *c, const uint8_t *data, size_t len,
    uint64_t now_ms, struct turnclient_in *in);
/* Something hints that the server is not there (ICMP): asks at once. */
void turnclient_doubt(struct turnclient *c, uint64_t now_ms);
/* A Refresh with lifetime 0; 0 when there is nothing to end. Not answered to. */
size_t turnclient_release(struct turnclient *c, uint8_t out[TURNCLIENT_OUT]);

/* ip's port does not matter. Returns 0 (also when it is there), or -ENOSPC. */
int turnclient_permit(
    struct turnclient *c, const struct addr *ip, uint64_t now_ms);
/* Nothing from there is taken any more, at once. The server's permission runs
 * out by itself; there is no way to withdraw it. */
void turnclient_forbid(struct turnclient *c, const struct addr *ip);
const struct turn_grant *turnclient_grant(
    const struct turnclient *c, const struct addr *ip);
/* Every grant has been answered. */
bool turnclient_settled(const struct turnclient *c);

/* A channel for a peer that is permitted. Returns 0, -EACCES, -ENOSPC. */
int turnclient_route(
    struct turnclient *c, const struct addr *peer, uint64_t now_ms);
void turnclient_unroute(struct turnclient *c, const struct addr *peer);
/* A datagram for a peer, as the server wants it: ChannelData (without padding)
 * when there is a channel, else a Send indication. out has len + TURNCLIENT_WRAP
 * bytes. Returns the length, -EAGAIN (no allocation, or no permission yet), or
 * -EMSGSIZE. */
int turnclient_wrap(const struct turnclient *c, const struct addr *peer,
    const uint8_t *data, size_t len, uint8_t *out);
/* A sentence about an error code, or TURNCLIENT_CODE_...; never NULL. */
const char *turnclient_why(int code);

#endif

/* SPDX-License-Identifier: ISC */
/* A TURN server (RFC 8656) without its sockets: messages, datagrams' addresses
 * and a clock go in; answers, and what to forward where, come out. The engine
 * (engine.c) opens and closes the relayed ports that it is told to. */
#ifndef NATKIT_TURNSERVER_H
#define NATKIT_TURNSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "credential.h"
#include "limit.h"
#include "peerrule.h"
#include "way.h"

#define TURN_LIFETIME_DEFAULT_S 600 /* RFC 8656 section 3.2 */
#define TURN_LIFETIME_MAX_S 3600
#define TURN_PERMISSION_S 300 /* section 9 */
#define TURN_CHANNEL_S 600    /* section 12 */
#define TURN_PERMISSIONS 64   /* of one allocation: addresses */
#define TURN_CHANNELS 64
#define TURN_OUT_MAX 1280
/* RFC 5766's range, not RFC 8656's 0x4000 to 0x4fff: clients of that time
 * (coturn's among them) take any of these. What begins with bits 01 is
 * ChannelData. */
#define TURN_CHANNEL_MIN 0x4000
#define TURN_CHANNEL_MAX 0x7fff

struct turn_config {
	uint32_t max; /* allocations */
	const char *realm;
	const struct credential_secret *secrets;
	size_t n_secrets;
	const struct peerrules *rules;
	bool has4, has6;       /* families that can be relayed */
	uint32_t request_rate; /* per second and address */
	uint32_t per_address;  /* allocations; 0: no limit */
};

/* The engine's relayed ports. An index names one: 0 .. 2 * max - 1 (an
 * allocation has one of each family at most). */
struct turn_ports {
	/* Opens a relayed port of the family (4, 6) under that index. even:
	 * an even port number; next: also hold the one after it, for a
	 * reservation; port != 0: exactly this one, which is held, and
	 * stays so if that fails. *at is the address as peers see it.
	 * Returns 0 or -errno. */
	int (*open)(void *arg, uint32_t index, int family, bool even, bool next,
	    uint16_t port, struct addr *at);
	void (*close)(void *arg, uint32_t index);
	void (*release)(void *arg, int family, uint16_t port); /* held one */
	void *arg;
};

struct turn;

/* config is copied, what it points to stays the caller's, and must live as
 * long. Returns 0, -EINVAL, -ENOMEM. */
int turn_new(struct turn **out, const struct turn_config *config,
    const struct turn_ports *ports, struct accounts *accounts);
void turn_free(struct turn *t); /* closes all ports first */

/* What a message of a client leads to. */
enum turn_action {
	TURN_NOTHING,
	TURN_ANSWER, /* ->len bytes in the caller's out go back */
	/* ->data, ->data_len to ->peer from port ->index. The peer may have
	 * our own address, as peers see it, when another client's relayed
	 * port is to be reached: other ports are for the engine to refuse,
	 * here and after turn_channel. */
	TURN_FORWARD,
};
struct turn_result {
	enum turn_action action;
	size_t len;
	uint32_t index;
	struct addr peer;
	const uint8_t *data;
	size_t data_len;
	bool df; /* DONT-FRAGMENT */
};

/* A STUN message from a client (parsed): of TURN, or a Binding request. */
void turn_message(struct turn *t, const struct way *from,
    const struct stun_msg *m, uint64_t now_ms, uint64_t wall_s,
    uint8_t out[TURN_OUT_MAX], struct turn_result *r);
/* ChannelData from a client: n datagrams of len bytes in all on a channel. False: no such
 * channel, or over a limit. Fast path. */
bool turn_channel(struct turn *t, const struct way *from, uint16_t channel,
    size_t len, unsigned int n, uint64_t now_ms, uint32_t *index,
    struct addr *peer);
/* Datagrams from a peer to a relayed port. False: no permission or over a limit.
 * Else *to is the client; *channel is 0 when a Data indication is to be made.
 * Fast path. */
bool turn_peer(struct turn *t, uint32_t index, const struct addr *peer,
    size_t len, unsigned int n, uint64_t now_ms, struct way *to,
    uint16_t *channel);
/* The head of a Data indication around data of len bytes, which follow, and then
 * padding to 4, which the caller makes. Returns its length; 0: no message is so
 * long. */
size_t turn_data_head(const struct addr *peer, size_t len, uint8_t head[64]);
/* An ICMP error came to a relayed port: the Data indication for the client
 * (section 11.5), its length or 0. */
size_t turn_icmp(struct turn *t, uint32_t index, const struct addr *peer,
    uint8_t type, uint8_t code, uint32_t data, struct way *to,
    uint8_t out[TURN_OUT_MAX]);
void turn_stream_gone(struct turn *t, uint32_t stream);
/* Ends what has run out; returns when to call again, if no message comes in
 * between. */
uint64_t turn_tick(struct turn *t, uint64_t now_ms);
void turn_drain(struct turn *t, bool drain); /* 508 to new allocations */
size_t turn_count(const struct turn *t);
size_t turn_memory(const struct turn *t); /* bytes */
/* Ends all allocations of a user. Returns how many. */
size_t turn_drop(struct turn *t, const char *user);

struct turn_entry { /* for `allocations` and `watch` */
	char user[ACCOUNT_NAME_MAX + 1];
	struct way way;
	struct addr relayed[2];
	uint64_t expiry_ms;
	unsigned int permissions, channels;
};
bool turn_next(
    const struct turn *t, uint64_t *position, struct turn_entry *out);
/* "allocated", "ended" (reason: deleted, expired, dropped, connection). */
typedef void turn_event_fn(void *arg, const char *what, const char *reason,
    const struct turn_entry *e);
void turn_watch(struct turn *t, turn_event_fn *fn, void *arg);

#endif

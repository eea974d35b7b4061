/* SPDX-License-Identifier: ISC */
/* Introductions by mutual consent (DESIGN.md, "The rendezvous protocol"):
 * takes each action of a client and tells what to push to whom. A push is
 * made from the state of its edge each time that it is sent, so none is
 * stored. No network, no clock: bytes and a time in, bytes out. */
#ifndef NATKIT_INTRODUCER_H
#define NATKIT_INTRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry.h"
#include "stun.h"

#define INTRODUCER_RESEND_MS 250 /* doubling */
#define INTRODUCER_RESENDS 6
/* How long the wants of a client's earlier session wait to be confirmed. */
#define INTRODUCER_STALE_MS 25000
#define INTRODUCER_SKEW_MAX_MS 1000
/* One of the longest pushes: PEER and GO. */
#define INTRODUCER_PLAIN_MAX 128

enum introducer_push {
	PUSH_PEER = 1,
	PUSH_GO = 2,
	PUSH_GONE = 4,
};

enum introducer_action {
	INTRODUCER_DONE,
	INTRODUCER_BAD,	   /* malformed, or a key that nobody can own */
	INTRODUCER_FULL,   /* a WANT did not fit; the answer says so */
	INTRODUCER_RELAY,  /* *relay is to be sent */
	INTRODUCER_DENIED, /* a SEND without mutual consent */
	INTRODUCER_BYE,	   /* the client wants to be forgotten */
	INTRODUCER_TOKEN,  /* a token for *relay's from is due */
};

/* FROM(from, payload), to be sent to a client as an indication; or whose token
 * was asked for (from), and how long the value was that asked. */
struct introducer_relay {
	uint32_t to;
	const uint8_t *from;
	const uint8_t *payload;
	size_t len;
};

/* A request to be sent to a client. */
struct introducer_request {
	uint32_t to;
	uint8_t tid[STUN_TID_LEN];
	uint8_t plain[INTRODUCER_PLAIN_MAX];
	size_t len;
};

/* "introduced", "go", "gone": for who watches. */
typedef void introducer_event_fn(void *arg, const char *what,
    const uint8_t key[KEY_LEN], const uint8_t peer[KEY_LEN]);

struct introducer {
	struct registry *r;
	introducer_event_fn *event;
	void *arg;
	uint8_t secret[16];
	/* edges with something to push, by how often it was sent: each list is
	 * in the order of time, since its members all wait equally long */
	uint32_t head[INTRODUCER_RESENDS + 2];
	uint32_t tail[INTRODUCER_RESENDS + 2];
};

void introducer_init(struct introducer *in, struct registry *r,
    introducer_event_fn *event, void *arg);

/* One attribute that a registered client sent. What must be answered is
 * appended to answer. */
enum introducer_action introducer_step(struct introducer *in, uint32_t client,
    const struct stun_attr *a, uint64_t now_ms, struct stun_buf *answer,
    struct introducer_relay *relay);
/* The client acknowledged a push. False when it was none of the pending. */
bool introducer_ack(
    struct introducer *in, uint32_t client, const uint8_t tid[STUN_TID_LEN]);
/* The next push that is due, one call each; false when there is none. */
bool introducer_next(
    struct introducer *in, uint64_t now_ms, struct introducer_request *out);
/* When the next push is due, UINT64_MAX for none. */
uint64_t introducer_due_ms(const struct introducer *in);

/* The client has a new session: its wants are to be confirmed. */
void introducer_renew(struct introducer *in, uint32_t client, uint64_t now_ms);
/* The client is heard of: pushes that were given up are tried again, and wants
 * that it has not confirmed end. */
void introducer_heard(struct introducer *in, uint32_t client, uint64_t now_ms);
/* The client is at a new address: what is pending is pushed there, under new
 * transaction ids, so that an answer proves the address. If nothing is, an old
 * PEER asks for the answer: until then no long payload would go there. */
void introducer_moved(struct introducer *in, uint32_t client, uint64_t now_ms);
/* Ends its wants and removes it from the registry. */
void introducer_forget(struct introducer *in, uint32_t client, uint64_t now_ms);

#endif

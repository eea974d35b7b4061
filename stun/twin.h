/* SPDX-License-Identifier: ISC */
/* What two nat-stund that lend each other their address say to each other
 * (DESIGN.md, "The twin link"), as pure functions: the keys, HELLO, and what
 * is sealed afterwards. The borrower asks, the lender sends. */
#ifndef NATKIT_TWIN_H
#define NATKIT_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session.h"

#define TWIN_PROLOGUE "natkit twin 1"
#define TWIN_ID_LEN SESSION_ID_LEN
#define TWIN_HELLO_LEN 200 /* of the request, bytes */
#define TWIN_ANSWER_MAX TWIN_HELLO_LEN
/* Longest answer that is carried, longest message of the link, bytes. */
#define TWIN_CARRY_MAX 1700
#define TWIN_MAX 2048

/* Places: what responder.h calls P1 (0) and P2 (1), of one machine. */
#define TWIN_PORTS 2
struct twin_places {
	struct addr v4[TWIN_PORTS], v6[TWIN_PORTS]; /* ADDR_NONE: no such */
};

/* Secret: in memory of sodium_malloc. */
struct twin_keys {
	uint8_t own[KEY_LEN];
	uint8_t pub[KEY_LEN];
	uint8_t peer[KEY_LEN];
	/* of the integrity of HELLO requests, ours and theirs: whoever has
	 * neither private key can't make us compute anything but a hash */
	uint8_t mac_ours[32], mac_theirs[32];
};

/* Returns 0, or -EINVAL: the peer's key is our own, or of low order. */
int twin_keys_init(struct twin_keys *k, const uint8_t own[KEY_LEN],
    const uint8_t pub[KEY_LEN], const uint8_t peer[KEY_LEN]);

/* Borrower: the request, TWIN_HELLO_LEN bytes. n becomes a fresh initiator.
 * Returns the length or -errno. */
int twin_hello_request(struct noise *n, const struct twin_keys *k,
    const uint8_t tid[STUN_TID_LEN], uint64_t timestamp_ns, uint8_t *out,
    size_t cap);
/* Lender: was this made with the twin's key, at some time? One hash. */
bool twin_hello_check(const struct twin_keys *k, const struct stun_msg *m);
/* Lender: the handshake. n becomes a responder that has read message 1.
 * Returns 0, -EBADMSG, or -EACCES for another key. */
int twin_hello_read(struct noise *n, const struct twin_keys *k,
    const struct stun_msg *m, uint64_t *timestamp_ns);
/* Lender: the answer, never longer than the request, and its session. */
int twin_hello_response(struct noise *n, const uint8_t tid[STUN_TID_LEN],
    const uint8_t id[TWIN_ID_LEN], const struct twin_places *places,
    struct session *s, uint8_t *out, size_t cap);
/* Borrower: reads it; n is unchanged when it is forged. Returns 0, -EBADMSG. */
int twin_hello_finish(struct noise *n, const struct stun_msg *m,
    struct twin_places *places, struct session *s);

/* Error 481: I have no such session. No longer than what it answers. */
int twin_unknown(const struct stun_msg *m, uint8_t *out, size_t cap);

/* Send this from your port there. */
struct twin_order {
	uint8_t port; /* 0: P1, 1: P2 */
	struct addr to;
	const uint8_t *data;
	size_t len;
};

void twin_put_order(struct stun_buf *b, const struct twin_order *o);
/* Returns 0, or -EBADMSG. data points into the attribute. */
int twin_get_order(const struct stun_attr *a, struct twin_order *out);
/* Is it what a lender sends: a Binding success (RFC 8489, 5780, 3489) that
 * tells its receiver the receiver's own address, and nothing else, to one that
 * may be sent to? So who steals the link can only send what any STUN server
 * sends to who asks it. */
bool twin_order_fit(const struct twin_order *o);

#endif

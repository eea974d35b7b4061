/* SPDX-License-Identifier: ISC */
/* What the rendezvous client and server say to each other (DESIGN.md, "The
 * rendezvous protocol"), as pure functions: HELLO, which makes a session out
 * of a Noise handshake, and SESSION, which carries attribute lists under it. */
#ifndef NATKIT_WIRE_H
#define NATKIT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "noise.h"
#include "session.h"
#include "stun.h"

#define WIRE_PROLOGUE "natkit rendezvous 1"
#define WIRE_ID_LEN SESSION_ID_LEN
#define WIRE_TAG_LEN 8
#define WIRE_NONCE_MAX 32
#define WIRE_KEEPALIVE_S 25
/* Longest plaintext of one SESSION message, bytes. */
#define WIRE_PLAIN_MAX 1100
#define WIRE_PAYLOAD_MAX 1000 /* longest sealed peer payload */

enum wire_status {
	WIRE_OK = 0,
	WIRE_FORBIDDEN = 403,
	WIRE_STALE_NONCE = 438,
	WIRE_UNKNOWN_SESSION = 481,
	WIRE_FULL = 508,
};

/* Client: the HELLO request. n is a fresh initiator; the same bytes are sent
 * again on a retransmission. nonce may be NULL. Returns length or -errno. */
int wire_hello_request(struct noise *n, const uint8_t tid[STUN_TID_LEN],
    uint64_t timestamp_ns, const uint8_t *nonce, size_t nonce_len, uint8_t *out,
    size_t cap);
/* Server: is this a HELLO request by its shape, no shorter than any answer to
 * it? Costs nothing. */
bool wire_hello_likely(const struct stun_msg *m);
/* Server: reads the Noise message of a HELLO request. n is a fresh responder;
 * on success n->rs is the proven client key. Returns 0, -EBADMSG, -EINVAL. */
int wire_hello_read(
    struct noise *n, const struct stun_msg *m, uint64_t *timestamp_ns);
/* Server: the answer. With status WIRE_OK, s gets the session's keys. */
int wire_hello_response(struct noise *n, const uint8_t tid[STUN_TID_LEN],
    int status, const uint8_t id[WIRE_ID_LEN], uint16_t keepalive_s,
    const struct addr *mapped, struct session *s, uint8_t *out, size_t cap);
struct wire_welcome {
	int status;
	uint16_t keepalive_s;
	struct addr mapped;
};
/* Client: reads the answer; n is unchanged when it is forged. Returns 0 (then
 * look at out->status; s is set only for WIRE_OK), or -EBADMSG. */
int wire_hello_finish(struct noise *n, const struct stun_msg *m,
    struct wire_welcome *out, struct session *s);
/* Server: the 438 challenge. */
int wire_challenge(const uint8_t tid[STUN_TID_LEN], const uint8_t *nonce,
    size_t nonce_len, uint8_t *out, size_t cap);
/* Client: the NONCE of a 438 challenge. Returns 0, or -EBADMSG for any other
 * message. */
int wire_challenge_read(
    const struct stun_msg *m, uint8_t nonce[WIRE_NONCE_MAX], size_t *len);

/* SESSION messages. plain is an attribute list. A retransmission is sealed
 * again (a new counter) under the same transaction id; requests carry PADDING,
 * so that no answer is longer. Returns length or -ENOBUFS. */
int wire_seal(struct session *s, enum stun_class class,
    const uint8_t tid[STUN_TID_LEN], const uint8_t *plain, size_t len,
    uint8_t *out, size_t cap);
/* The id of a SESSION message, or NULL: to find the session by. */
const uint8_t *wire_session_id(const struct stun_msg *m);
/* Opens it, checks and advances the replay window, checks that the plaintext
 * is a well-formed attribute list. Returns its length, -EBADMSG (forged or
 * malformed), -EALREADY (replayed). */
int wire_open(
    struct session *s, const struct stun_msg *m, uint8_t *plain, size_t cap);
/* Server: error 481, for a SESSION message of an unknown id; never longer than
 * what it answers. */
int wire_unknown_session(const struct stun_msg *m, uint8_t *out, size_t cap);

/* Address inside encrypted payloads: family(u8 4|6) zero(u8) port(u16) ip. */
void wire_put_addr(struct stun_buf *b, uint16_t type, const struct addr *a);
int wire_get_addr(const struct stun_attr *a, struct addr *out);

#endif

/* SPDX-License-Identifier: ISC */
/* What a STUN server answers, without its sockets: RFC 8489 Binding requests,
 * those of RFC 5780 (NAT behaviour discovery), and those of RFC 3489, which
 * have no magic cookie. Bytes in, bytes and a place out.
 *
 * A server has up to four places of each family, addresses A and B with ports
 * P1 and P2 each. B may belong to another machine, the twin, that sends
 * answers from there for us. */
#ifndef NATKIT_RESPONDER_H
#define NATKIT_RESPONDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "limit.h"

/* A place's number: A:P1 is 0. */
#define RESPONDER_PORT2 1u /* P2 instead of P1 */
#define RESPONDER_OTHER 2u /* B instead of A */
#define RESPONDER_PLACES 4

/* Longest request that is read, longest answer: room for a PADDING that makes
 * fragments on Ethernet, and for all else. */
#define RESPONDER_MAX 2048
#define RESPONDER_PADDING_MAX 1500 /* bytes of an echoed PADDING's value */

#define RESPONDER_RATE 100 /* answers per second and source address */
#define RESPONDER_RATE_MAX LIMIT_RATE_MAX
#define RESPONDER_REDIRECTS 10 /* of these to another port: RESPONSE-PORT */

struct responder_family {
	/* ADDR_NONE is no such place. Place 0 may be a wildcard; then it is the
	 * only one. */
	struct addr place[RESPONDER_PLACES];
	bool twin; /* places 2 and 3 are the other machine's sockets */
};

struct responder_config {
	struct responder_family v4, v6;
	uint32_t rate; /* per second and source, 1..RESPONDER_RATE_MAX */
	/* -A: no answer is longer than its request. Not over TCP, where nobody
	 * can ask in another's name. */
	bool modest;
};

struct responder {
	struct responder_config config;
	struct limit sources, sites, redirects;
};

struct responder_request {
	const uint8_t *data;
	size_t len;
	struct addr from;
	struct addr local; /* as asked: not the wildcard */
	uint8_t place;	   /* of the socket */
	bool stream;	   /* TCP */
};

struct responder_answer {
	size_t len;    /* 0: none */
	uint8_t place; /* it leaves from here */
	bool twin;     /* and this place is the twin's: one of 2 and 3 */
	struct addr to;
};

/* What became of a request. Also the names of the counters. */
#define RESPONDER_OUTCOMES(X)                                                  \
	X(answered)   /* with a success, from where it was asked */            \
	X(changed)    /* the same from another place: CHANGE-REQUEST */        \
	X(redirected) /* the same to another port: RESPONSE-PORT */            \
	X(unknown)    /* with error 420 */                                     \
	X(refused)    /* with error 400 */                                     \
	X(limited)    /* not at all: too many from this source */              \
	X(malformed)  /* not at all: no STUN message, or a broken one */       \
	X(unexpected) /* not at all: no request, not Binding */                \
	X(unsendable) /* not at all: no source to answer, or one of ours */    \
	X(too_short)  /* not at all: -A, and the answer would be longer */

enum responder_outcome {
#define X(name) RESPONDER_##name,
	RESPONDER_OUTCOMES(X)
#undef X
	RESPONDER_OUTCOMES_N
};
extern const char *const responder_names[RESPONDER_OUTCOMES_N];

/* Returns 0, -EINVAL, -ENOMEM. */
int responder_init(struct responder *r, const struct responder_config *config);
void responder_free(struct responder *r);
/* Answers a request. out has RESPONDER_MAX bytes. */
enum responder_outcome responder_step(struct responder *r,
    const struct responder_request *q, uint64_t now_ms, uint8_t *out,
    struct responder_answer *a);

/* The twin's two places of a family; NULL when it is gone (then the family
 * has one address, and CHANGE-REQUEST gets error 420). Nothing happens to a
 * family that has two addresses of its own, or none. Returns whether the
 * family has four places now. */
bool responder_lend(struct responder *r, int family, const struct addr *b_p1,
    const struct addr *b_p2);
/* May anything be sent there: an address and port that is not one of ours (or
 * the twin's)? */
bool responder_may_send(const struct responder *r, const struct addr *to);

#endif

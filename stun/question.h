/* SPDX-License-Identifier: ISC */
/* One Binding request with the attributes of RFC 5780, and what a response to
 * it says. Pure: bytes in, bytes out. */
#ifndef NATKIT_QUESTION_H
#define NATKIT_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "port.h"
#include "stun.h"

/* Longer than any MTU that we test, so it may go out in fragments. */
#define QUESTION_MAX PORT_MAX_PAYLOAD
/* More unknown attributes than we ever send are of no interest. */
#define ANSWER_UNKNOWN_MAX 8

struct question {
	bool change_ip;		 /* CHANGE-REQUEST, RFC 5780 section 7.2 */
	bool change_port;	 /* none of both: no such attribute */
	uint16_t response_port;	 /* RESPONSE-PORT, section 7.5; 0 none */
	bool response_port_long; /* in 4 bytes (port, two zero), else 2 */
	size_t padding;		 /* bytes of PADDING, section 7.6; 0 none */
	/* Bytes of an attribute that a server ignores, which makes a long
	 * request with a short answer; 0 none. */
	size_t filler;
	/* No FINGERPRINT: a server then sends none, which an ALG on the way
	 * that rewrites addresses would break. */
	bool bare;
	/* Type of an empty attribute that nobody knows; 0 none. */
	uint16_t unknown;
};

struct answer {
	int error; /* 300..699, or 0: a success response */
	uint16_t unknown[ANSWER_UNKNOWN_MAX]; /* of a 420 */
	size_t unknowns;
	struct addr mapped; /* XOR-MAPPED-ADDRESS; ADDR_NONE as all below */
	struct addr plain;  /* MAPPED-ADDRESS */
	struct addr origin; /* RESPONSE-ORIGIN, or RFC 3489's SOURCE-ADDRESS */
	struct addr other;  /* OTHER-ADDRESS, or RFC 3489's CHANGED-ADDRESS */
	bool padded;
	size_t padding; /* bytes of PADDING */
	size_t len;	/* of the whole message */
	struct addr from, local;
};

/* Returns the length of the request in out, or -ENOBUFS. */
int question_build(const struct question *q, const uint8_t tid[STUN_TID_LEN],
    uint8_t *out, size_t cap);
/* A Binding response that came from an address to an own one. A success has
 * at least one of mapped and plain. Returns 0 and its transaction id, or
 * -EBADMSG: no Binding response, malformed, an address that is nobody's, or an
 * attribute that must be understood and is not (RFC 8489 section 6.3.3). */
int answer_parse(struct answer *out, uint8_t tid[STUN_TID_LEN],
    const void *data, size_t len, const struct addr *from,
    const struct addr *local);
/* The first attribute of a response that must be understood and is not (RFC
 * 8489 section 6.3.3: then it is to be discarded), or 0. */
uint16_t answer_unknown(const struct stun_msg *m);
/* mapped, or plain where there is no mapped; ADDR_NONE in an error. */
const struct addr *answer_endpoint(const struct answer *a);
/* Is it a 420 about this attribute? */
bool answer_refuses(const struct answer *a, uint16_t type);
/* May an OTHER-ADDRESS of that server be asked? Who asks where a stranger says
 * must not be sent around in his own host and network. */
bool answer_other_is_askable(
    const struct addr *other, const struct addr *server);

#endif

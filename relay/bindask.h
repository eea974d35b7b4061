/* SPDX-License-Identifier: ISC */
/* One BIND request (pairs.h has its form): is its sender where it says, does
 * it hold the key, what does it want; and the answer. Knows no pairs. */
#ifndef NATKIT_BINDASK_H
#define NATKIT_BINDASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "credential.h"
#include "limit.h"
#include "stun.h"
#include "way.h"

#define BINDASK_SILENT (-1) /* no answer */

/* Who has shown a nonce, or has a connection, has a rate of his own, which nobody else can
 * use up by sending in his name. */
struct bindask_gate {
	struct nonces nonces;
	struct limit unproven, proven;
};

/* A request, as far as we have come with it. */
struct bindask {
	const struct way *from;
	const struct stun_msg *m;
	uint64_t now_ms, wall_s;
	uint64_t given_ms; /* its nonce */
	bool challenge;	   /* the answer has a nonce */
	bool holder;	   /* c and password are right */
	struct credential_pair c;
	char password[CREDENTIAL_PASSWORD_LEN + 1];
	bool leave;	     /* LIFETIME 0 */
	uint16_t channel;    /* over a stream, or 0 */
	uint16_t unknown;    /* an attribute */
	uint32_t lifetime_s; /* for the answer, as the next */
	struct addr alternate;
};

/* Returns 0 or -ENOMEM. rate is per second and address. */
int bindask_gate_init(struct bindask_gate *g, size_t slots, uint32_t rate);
void bindask_gate_free(struct bindask_gate *g);
size_t bindask_gate_memory(const struct bindask_gate *g); /* of the tables */

/* Reads a request whose from, m, now_ms and wall_s are set. Returns 0, the
 * error to answer, or BINDASK_SILENT. */
int bindask_read(struct bindask *a, struct bindask_gate *g,
    const struct credential_secret *secrets, size_t n_secrets);
/* code is 0 for a success. Returns the length, 0: nothing is to be sent. */
int bindask_answer(const struct bindask *a, const struct bindask_gate *g,
    int code, uint8_t *out, size_t cap);

#endif

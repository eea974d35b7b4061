/* SPDX-License-Identifier: ISC */
/* What one address of a STUN server can do (RFC 8489, RFC 5780): the next
 * question, the answer to it, and at the end what was found. Pure.
 *
 * The other addresses are asked themselves before any CHANGE-REQUEST, from the
 * same port: their answers then pass every filter of a NAT that maps this
 * port for all of them alike. */
#ifndef NATKIT_SERVERCHECK_H
#define NATKIT_SERVERCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "question.h"

/* A type that must be understood, and that nobody has assigned. */
#define SERVERCHECK_UNKNOWN 0x7ffe
#define SERVERCHECK_PADDING 64
/* Bytes that make every question longer than its answer: some servers keep
 * silent otherwise (nat-stund -A). */
#define SERVERCHECK_FILLER 192

enum servercheck_step {
	SERVERCHECK_PLAIN,
	SERVERCHECK_ASK_PORT, /* its other port, other address, and both */
	SERVERCHECK_ASK_IP,
	SERVERCHECK_ASK_BOTH,
	SERVERCHECK_CHANGE_PORT,
	SERVERCHECK_CHANGE_IP,
	SERVERCHECK_CHANGE_BOTH,
	SERVERCHECK_SHORT, /* RESPONSE-PORT of 2 bytes, of 4 */
	SERVERCHECK_LONG,
	SERVERCHECK_PADDED,
	SERVERCHECK_STRANGE, /* an attribute that it does not know */
	SERVERCHECK_STEPS,
};

enum servercheck_fault {
	SERVERCHECK_NO_XOR = 1 << 0,	   /* no XOR-MAPPED-ADDRESS */
	SERVERCHECK_WRONG_SOURCE = 1 << 1, /* answers from elsewhere */
	SERVERCHECK_WRONG_ORIGIN = 1 << 2, /* or says so */
	SERVERCHECK_SAME_IP = 1 << 3,	   /* OTHER-ADDRESS is no other one */
	SERVERCHECK_SAME_PORT = 1 << 4,
	SERVERCHECK_BAD_OTHER = 1 << 5, /* nothing that one can send to */
	SERVERCHECK_OTHER_SILENT = 1 << 6,
	SERVERCHECK_BAD_PORT = 1 << 7, /* change-port fails */
	SERVERCHECK_BAD_IP = 1 << 8,   /* change-IP fails */
	SERVERCHECK_NO_420 = 1 << 9,   /* unknown attributes are not refused */
	SERVERCHECK_NO_LIST = 1 << 10, /* or not named */
};

enum servercheck_word {
	SERVERCHECK_UNTRIED = 0,
	SERVERCHECK_YES,
	SERVERCHECK_NO,
	SERVERCHECK_REFUSED, /* error 420 */
	SERVERCHECK_IGNORED,
	SERVERCHECK_SILENT,
	SERVERCHECK_FILTERED, /* silent, which may be the NAT's doing */
	SERVERCHECK_OTHER_ERROR,
};

struct servercheck {
	struct addr server;
	enum servercheck_step step;
	enum servercheck_word found[SERVERCHECK_STEPS];
	struct addr from;   /* of the plain answer */
	struct addr mapped; /* by the server's first address */
	struct addr other;  /* OTHER-ADDRESS */
	size_t filler;	    /* of each question, once a bare one was silent */
	bool dependent;	    /* its other addresses see another endpoint */
	unsigned int faults;
	unsigned int percent; /* greatest answer, of its request */
	enum servercheck_word tcp;
};

struct servercheck_ask {
	bool second; /* from the second port */
	struct addr to;
	struct question q;
};

void servercheck_init(struct servercheck *c, const struct addr *server);
/* False when all is known. */
bool servercheck_next(const struct servercheck *c, struct servercheck_ask *out);
/* What became of it: the answer and whether it came to the second port, or
 * NULL for none, in all the tries that the caller wanted. A bad answer is as
 * good as a good one: it is what the server does. */
void servercheck_tell(
    struct servercheck *c, const struct answer *a, bool second);

/* RFC 5780 as a whole: SERVERCHECK_YES, _NO or _FILTERED; _UNTRIED while
 * questions are left. */
enum servercheck_word servercheck_5780(const struct servercheck *c);
/* Words of the records. */
const char *servercheck_response_port(const struct servercheck *c);
const char *servercheck_padding(const struct servercheck *c);
const char *servercheck_unknown(const struct servercheck *c);
const char *servercheck_reply(const struct servercheck *c);
/* The faults, with commas between; "" none. */
#define SERVERCHECK_FAULTS_LEN 160
void servercheck_faults(
    const struct servercheck *c, char out[SERVERCHECK_FAULTS_LEN]);
/* Answers over UDP, does all of RFC 5780's address changes, has no fault. */
bool servercheck_good(const struct servercheck *c);

#endif

/* SPDX-License-Identifier: ISC */
/* Asks one server questions (question.h), from as many ports as it takes: a
 * queue under a quota, each question sent once under a transaction id of its
 * own, each ended by one call with the answer or with why there is none. */
#ifndef NATKIT_ASKER_H
#define NATKIT_ASKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "loop.h"
#include "port.h"
#include "question.h"

/* New transactions a second with one server, all of its addresses together:
 * one every 101 ms, never a burst. (At 100 ms the eleventh may leave within a
 * second of the first: a clock of milliseconds cuts the rest off.) */
#define ASKER_PER_S 10
#define ASKER_GAP_MS (1000 / ASKER_PER_S + 1)
#define ASKER_PORTS 128	  /* open at once, the first included */
#define ASKER_OPEN 512	  /* questions waiting and under way */
#define ASKER_ADDRESSES 8 /* of the server */

enum asker_outcome {
	ASKER_ANSWER,  /* a response: answer is set (it may be an error) */
	ASKER_SELF,    /* a hairpin: it came in itself at a port of ours */
	ASKER_TIMEOUT, /* nothing came */
	ASKER_ICMP,    /* a router or host on the way reported an error */
	ASKER_UNSENT,  /* the system did not send it: error is set */
};

struct asker_result {
	enum asker_outcome outcome;
	const struct answer *answer; /* valid during the call, or NULL */
	int asked;		     /* the port that it was sent from */
	int port;	  /* the port where something came in, or -1 */
	struct addr to;	  /* where it was sent to */
	struct addr from; /* of ANSWER and SELF; of ICMP: who reports */
	int error;	  /* of UNSENT: -errno; of ICMP: type << 8 | code */
	uint64_t sent_us; /* monotonic; 0 when not sent */
	uint32_t rtt_us;
};

typedef void asker_fn(void *arg, const struct asker_result *r);

struct asker_ask {
	int port; /* index, 0 is the first */
	struct addr to;
	struct addr local; /* the source address, or ADDR_NONE: by routing */
	int ttl;	   /* 0: the system's */
	uint32_t wait_ms;  /* 0: by the round trips so far */
	bool hairpin;	   /* it may itself come in at a port of ours */
	struct question q;
	asker_fn *fn;
	void *arg;
};

struct asker_stats {
	uint64_t sent;	   /* questions that left */
	uint64_t answered; /* by a response */
	uint64_t broken;   /* responses that something on the way has spoilt */
	uint64_t foreign;  /* right ones, but from where the server is not */
	uint32_t rtt_us;   /* smoothed; 0 before the first answer */
};

struct asker;

/* Takes the first port (index 0) over, as option_port gives it; shared: it is
 * a lent one (-s), so there is no news of ICMP errors there. Returns 0,
 * -ENOMEM. */
int asker_new(
    struct asker **out, struct loop *loop, struct port *first, bool shared);
/* No fn is called any more. NULL does nothing. */
void asker_free(struct asker *a);

/* An address of the server. Answers are believed only from the address that
 * was asked and from these. Returns 0 or -ENOSPC. */
int asker_believe(struct asker *a, const struct addr *server);
/* Answers are believed from anywhere, by their transaction id alone: for who
 * wants to know whether they come from the right place. */
void asker_believe_all(struct asker *a);

/* A fresh port of both families. Returns its index, -ENOSPC, -errno. */
int asker_open(struct asker *a);
/* Questions from it that are not over end without a call. Not index 0. */
void asker_close(struct asker *a, int index);
uint16_t asker_number(const struct asker *a, int index);
bool asker_has_family(const struct asker *a, int index, int family);

/* Queues a question. fn is called once, always from the loop, never from
 * within this call; other questions may be asked and ports be closed from
 * there. Returns 0, -ENOSPC, -EINVAL. */
int asker_ask(struct asker *a, const struct asker_ask *ask);
/* Questions with this arg end without a call. */
void asker_forget(struct asker *a, const void *arg);
/* When a question that is asked now would be sent (monotonic ms). */
uint64_t asker_sends_at(const struct asker *a);
/* How long a question is waited for at present. */
uint32_t asker_wait_ms(const struct asker *a);
struct asker_stats asker_stats(const struct asker *a);

#endif

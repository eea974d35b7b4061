/* SPDX-License-Identifier: ISC */
/* One silence of nat-stun lifetime, on one port or several (RFC 5780 section
 * 4.6). A port X makes its mapping by asking the server, says nothing for as
 * long as the trial is, and then another port Z asks the same server to answer
 * to X's mapped port (RESPONSE-PORT):
 *
 *   X ---request-->  NAT  -->  server        X's mapping, at time 0
 *   X <---------------------- answer
 *            (seconds without a packet)
 *   Z ---RESPONSE-PORT = X's mapped port-->  server
 *   X <-----------?---------- answer         does it come through?
 *
 * Z then asks for answers to itself in the same way, which no mapping of X's
 * matters to, so that a server or a path that fails is not taken for a mapping
 * that has ended. */
#ifndef NATKIT_TRIAL_H
#define NATKIT_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "asker.h"
#include "lifetime.h"
#include "loop.h"
#include "slots.h"

#define TRIAL_PORTS 3 /* repeats */
#define TRIALS_MAX 40

struct trial;
/* The trial is over and its memory free. */
typedef void trial_fn(
    void *arg, unsigned int seconds, enum lifetime_result result);

struct trials {
	struct loop *loop;
	struct asker *asker;
	struct addr server;
	int z;			 /* index of the port Z */
	struct addr seen;	 /* Z, as the server saw it last */
	bool long_form;		 /* of RESPONSE-PORT: 4 bytes */
	bool mixed;		 /* the NAT has several addresses for us */
	bool lent;		 /* X is port 0, for one trial at a time */
	unsigned int ports;	 /* of a trial: repeats */
	unsigned int sends;	 /* of each of them, through its mapping */
	uint64_t sent, answered; /* of plain questions */
	/* of those that Z has answered to itself */
	uint64_t control_sent, control_answered;
	uint64_t base_ms; /* of the calendar */
	struct slots slots;
	struct trial *list[TRIALS_MAX];
};

/* What to try: silent, or active, with exchanges for more than two seconds
 * before the silence, after which Linux takes it for a stream. */
struct trial_plan {
	bool active;
	unsigned int seconds;
	uint64_t after_ms;	   /* begin no sooner (monotonic) */
	uint64_t *sent, *answered; /* counts what goes through the mapping */
	trial_fn *fn;
	void *arg;
};

/* How many questions through the mapping a trial has. */
unsigned int trials_sends(const struct trials *ts);
/* How many questions that need no mapping of X's were answered: of those that
 * are answered the least. */
void trials_loss(const struct trials *ts, uint64_t *sent, uint64_t *answered);
/* Returns 0, -ENOSPC or -ENOMEM. */
int trial_start(struct trials *ts, const struct trial_plan *plan);
/* Ends those of arg that are not wanted any more, without a call. */
void trials_sweep(struct trials *ts, const void *arg,
    bool (*wanted)(const void *arg, unsigned int seconds),
    void (*gone)(void *arg, unsigned int seconds));
void trials_stop(struct trials *ts);

#endif

/* SPDX-License-Identifier: ISC */
/* What a check list wants done: datagrams to send, states to report. */
#ifndef NATKIT_OUTPUT_H
#define NATKIT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "candidate.h"
#include "check.h"

#define OUTPUT_SLOTS 16

enum path_state {
	PATH_WAITING,
	PATH_CHECKING,
	PATH_DIRECT,
	PATH_FAILED,
	PATH_LOST,
	PATH_RELAYED,
};

/* A path record, without the key. What is absent is ADDR_NONE, 0, NULL. */
struct report {
	enum path_state state;
	struct addr endpoint;
	uint32_t rtt_us;
	struct addr local;
	enum candidate_type method;
	const char *reason; /* a string constant */
};

struct output {
	struct report report;
	struct addr remote; /* of a datagram, as all below */
	struct addr local;  /* ADDR_NONE: routing picks */
	size_t len;
	uint8_t data[CHECK_MAX];
	uint8_t ttl; /* 0: the system's */
	bool is_report;
};

/* To be emptied after every call that may fill it; then it never is full. */
struct outputs {
	struct output slot[OUTPUT_SLOTS];
	unsigned first;
	unsigned n;
	uint64_t lost;
};

const char *path_state_name(enum path_state state);
/* A slot to fill, zeroed; NULL (and counted) when full. */
struct output *outputs_add(struct outputs *q);
/* Takes the oldest; false when empty. */
bool outputs_take(struct outputs *q, struct output *out);

#endif

/* SPDX-License-Identifier: ISC */
/* The records that nat-rendezvous agent and nat-relay print, as events
 * (nat-records(5)).
 * Pure; a line that is no record of ours changes nothing. */
#ifndef NATKIT_INTAKE_H
#define NATKIT_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "checklist.h"
#include "key.h"

enum intake_kind {
	INTAKE_NOTHING, /* of a type or state that we don't know: no error */
	INTAKE_WAITING, /* ->reason */
	INTAKE_REMOTE,
	INTAKE_INTRODUCED,
	INTAKE_GO,
	INTAKE_GONE,
	INTAKE_RELAY_BINDING, /* a candidate of type=relay may come */
	INTAKE_RELAY_BOUND,
	INTAKE_RELAY_GONE,
};

struct intake {
	enum intake_kind kind;
	uint8_t key[KEY_LEN];
	uint32_t generation;
	/* INTAKE_REMOTE; type CANDIDATE_NONE is one that we don't know, to
	 * be counted all the same. INTAKE_RELAY_BOUND and _GONE. */
	struct remote remote;
	struct addr mapped; /* INTAKE_RELAY_BOUND: ours, or ADDR_NONE */
	struct introduction introduction; /* INTAKE_INTRODUCED */
	uint64_t age_ms, skew_ms;	  /* INTAKE_GO */
	const char *reason;		  /* a constant; NULL: none we know */
};

/* line has no newline. Returns 0, or -EBADMSG and in *wrong what is wrong with
 * it (a string constant, such as "no record" or the name of a key). */
int intake_parse(
    struct intake *out, const char *line, size_t len, const char **wrong);

#endif

/* SPDX-License-Identifier: ISC */
/* Which way connects two hosts, by what each has measured of its own NAT
 * (RFC 4787 sections 4.1 and 5). Lines of records in, a judgement out. */
#ifndef NATKIT_PAIR_H
#define NATKIT_PAIR_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

#define PAIR_ENDPOINTS 8 /* public endpoints of a side that are looked at */
#define PAIR_REASON 200	 /* room for a sentence */
#define PAIR_CERTAIN 99u /* percent; nothing measured is surer than that */
#define PAIR_UNTOLD 50u	 /* a record that does not say how sure it is */

enum pair_word {
	PAIR_UNKNOWN = 0, /* not measured, or inconclusive */
	PAIR_INDEPENDENT, /* of the other end's address and port */
	PAIR_ADDRESS,	  /* address-dependent */
	PAIR_PORT,	  /* address-and-port-dependent */
	PAIR_DEPENDENT,	  /* on one of the two; which was not measured */
	PAIR_NO,	  /* no translation, no hairpin */
	PAIR_YES,
};

struct pair_axis {
	enum pair_word word;
	unsigned int confidence; /* percent, 0..PAIR_CERTAIN */
};

struct pair_side {
	size_t records; /* how many lines told something */
	struct pair_axis translation;
	struct pair_axis mapping;
	struct pair_axis filtering;
	struct pair_axis hairpin;
	bool filtering_told; /* there was a record, be it inconclusive */
	bool silent;	     /* no UDP answer at all */
	bool tcp;	     /* and TCP is what is left */
	size_t endpoints;
	struct addr endpoint[PAIR_ENDPOINTS]; /* as servers see this side */
};

enum pair_direct {
	PAIR_DIRECT_UNKNOWN,
	PAIR_DIRECT_NO,
	PAIR_DIRECT_YES,
};

struct pair_judgement {
	enum pair_direct direct;
	const char *method;	 /* a word, or NULL */
	unsigned int confidence; /* percent; of nothing when unknown */
	char reason[PAIR_REASON];
};

/* One line of what nat-stun behaviour (or gather) printed; a later record of
 * an axis replaces the earlier one, and types and axes that say nothing about
 * reaching are passed over. Start with an empty struct. Returns 0, or -EBADMSG
 * or -EMSGSIZE for a line that is no record or does not make sense: it changes
 * nothing. */
int pair_line(struct pair_side *side, const char *line, size_t len);
/* Does the line that made after of before say otherwise than earlier ones? */
bool pair_contradicts(
    const struct pair_side *before, const struct pair_side *after);
/* The sides are called A and B in the reason. */
void pair_judge(struct pair_judgement *out, const struct pair_side *a,
    const struct pair_side *b);
const char *pair_direct_name(enum pair_direct direct);

#endif

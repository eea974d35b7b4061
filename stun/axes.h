/* SPDX-License-Identifier: ISC */
/* What observations say about a NAT, on the axes of RFC 4787 as RFC 5780
 * measures them. Pure: observations in, a value and how sure it is out. An
 * answer is evidence whatever the loss; "no answer" is evidence only as far as
 * the answers to control questions, asked on the same path in the same time,
 * make chance unlikely. */
#ifndef NATKIT_AXES_H
#define NATKIT_AXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

/* RFC 5780 section 4: no "no answer" after a single lost packet. */
#define AXES_SENDS 4
/* Of chance, for one run to count as "no answer". */
#define AXES_CHANCE 1e-5
/* Past these, a path is too lossy to wait for silence on it. */
#define AXES_SENDS_MAX 40
#define AXES_RUNS_MAX 3

/* ---- silence */

struct axes_rate {
	unsigned asked;
	unsigned answered;
};

/* One more control question is over. Old ones count less and less. */
void axes_rate_add(struct axes_rate *r, bool answered);
/* The chance that n questions in a row get no answer though each is as likely
 * to get one as a control question: the mean over all rates that fit what was
 * seen (a Beta distribution, uniform before). */
double axes_silence(unsigned n, struct axes_rate r);
/* The rate of what has to pass twice as many packets: fragments. */
struct axes_rate axes_rate_twice(struct axes_rate r);

enum axes_heard {
	AXES_OPEN, /* not known yet */
	AXES_YES,
	AXES_NO,
};

enum axes_heard axes_heard(
    unsigned sent, unsigned answered, struct axes_rate r);
/* The same of one of two that should be alike: beside one that was heard,
 * silence has to be AXES_CHANCE times rarer still. */
enum axes_heard axes_heard_beside(
    unsigned sent, unsigned answered, struct axes_rate r, bool other);
/* How many more sends without an answer settle it at this rate, up to
 * AXES_SENDS_MAX in all; 0 when it is settled, or hopeless. */
unsigned axes_missing(unsigned sent, unsigned answered, struct axes_rate r);

/* ---- mapping and filtering (RFC 4787 sections 4.1 and 5) */

enum axes_dependence {
	AXES_UNKNOWN,
	AXES_INDEPENDENT,
	AXES_ADDRESS,
	AXES_ADDRESS_PORT,
};

const char *axes_dependence_name(enum axes_dependence d); /* or NULL */
/* How one port is seen by the server's addresses: seen[i][j] by address i
 * (0 the one asked, 1 the other), port j; ADDR_NONE: not known. */
enum axes_dependence axes_mapping(const struct addr seen[2][2]);
/* Answers from the other address and port, and from the other port alone, to
 * a port that has sent to neither. */
enum axes_dependence axes_filtering(enum axes_heard both, enum axes_heard port);

/* ---- allocation and pooling (RFC 4787 sections 4.2 and 4.1) */

enum axes_allocation {
	AXES_A_UNKNOWN,
	AXES_PRESERVED,
	AXES_PARITY,
	AXES_CONTIGUOUS,
	AXES_RANDOM,
};

struct axes_port {
	uint16_t local;
	struct addr seen; /* by one server address */
};

const char *axes_allocation_name(enum axes_allocation a); /* or NULL */
/* Fresh ports in the order of their first packets. *step is set for
 * contiguous ones; *chance: that another kind of NAT did it. */
enum axes_allocation axes_allocation(
    const struct axes_port *list, size_t n, int *step, double *chance);

/* Public addresses of one internal address, in the order of the ports that
 * they were seen for. */
#define AXES_POOL_MAX 16
struct axes_pool {
	struct addr seen[AXES_POOL_MAX]; /* each once */
	size_t addresses;
	struct addr last;
	unsigned changes;
	unsigned apart;
};

/* A fresh port's, by one server address. apart: after a wait of no certain
 * length. Without it, ports that others take in turn with ours hide a pool
 * whose addresses go round: ours all get the same one. */
void axes_pool_add(struct axes_pool *p, const struct addr *seen, bool apart);
/* NO: to and fro between addresses. YES: always one; *chance that a pool did
 * it. */
enum axes_heard axes_paired(const struct axes_pool *p, double *chance);

/* ---- runs and the verdict */

/* The value (not 0) that at least two runs gave and no other value did;
 * 0 when there is none. *agreeing: how many gave it. */
int axes_agree(const int *values, size_t n, unsigned *agreeing);
/* Percent, 0 to 99. */
unsigned axes_confidence(double chance);

enum axes_reach {
	AXES_REACH_UNKNOWN,
	AXES_REACH_NONE,
	AXES_REACH_OPEN,
	AXES_REACH_INDEPENDENT,
	AXES_REACH_ANY,
};

struct axes_verdict {
	enum axes_reach reach;
	const char *method; /* or NULL */
	const char *reason;
};

const char *axes_reach_name(enum axes_reach r);
struct axes_verdict axes_verdict(enum axes_heard translated,
    enum axes_dependence mapping, enum axes_dependence filtering);

#endif

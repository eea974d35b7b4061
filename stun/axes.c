/* SPDX-License-Identifier: ISC */
/* What observations say about a NAT (RFC 4787, RFC 5780). */
#include "axes.h"

#include <stdlib.h>

#define RATE_WINDOW 60
/* Ports of another client of the NAT may come between two of ours. */
#define STEP_MAX 16
#define CONTIGUOUS_MIN 5
#define PORTS_MIN 6
#define APART_MIN 12 /* a pool of two hides once in 4096 runs */

/* ---- silence */

void
axes_rate_add(struct axes_rate *r, bool answered)
{
	if (r->asked >= RATE_WINDOW) {
		r->asked /= 2;
		r->answered /= 2;
	}
	r->asked++;
	r->answered += answered;
}

double
axes_silence(unsigned n, struct axes_rate r)
{
	unsigned lost = r.asked - r.answered;
	double chance = 1;

	for (unsigned i = 0; i < n; i++)
		chance *= (double)(lost + 1 + i) / (r.asked + 2 + i);
	return chance;
}

struct axes_rate
axes_rate_twice(struct axes_rate r)
{
	if (r.asked > 0)
		r.answered = r.answered * r.answered / r.asked;
	return r;
}

enum axes_heard
axes_heard(unsigned sent, unsigned answered, struct axes_rate r)
{
	if (answered > 0)
		return AXES_YES;
	if (sent >= AXES_SENDS && axes_silence(sent, r) < AXES_CHANCE)
		return AXES_NO;
	return AXES_OPEN;
}

enum axes_heard
axes_heard_beside(
    unsigned sent, unsigned answered, struct axes_rate r, bool other)
{
	enum axes_heard alone = axes_heard(sent, answered, r);

	if (alone == AXES_NO && other &&
	    axes_silence(sent, r) >= AXES_CHANCE * AXES_CHANCE)
		return AXES_OPEN;
	return alone;
}

unsigned
axes_missing(unsigned sent, unsigned answered, struct axes_rate r)
{
	unsigned n = sent;

	while (n < AXES_SENDS_MAX && axes_heard(n, answered, r) == AXES_OPEN)
		n++;
	return n - sent;
}

/* ---- mapping and filtering */

const char *
axes_dependence_name(enum axes_dependence d)
{
	switch (d) {
	case AXES_INDEPENDENT:
		return "endpoint-independent";
	case AXES_ADDRESS:
		return "address-dependent";
	case AXES_ADDRESS_PORT:
		return "address-and-port-dependent";
	default:
		return NULL;
	}
}

static bool
is_known(const struct addr *a)
{
	return a->family != ADDR_NONE;
}

/* One difference between two ports of one address is enough; for "the same"
 * all that is needed must be there. */
enum axes_dependence
axes_mapping(const struct addr seen[2][2])
{
	bool ports = false;

	for (int i = 0; i < 2; i++) {
		if (!is_known(&seen[i][0]) || !is_known(&seen[i][1]))
			continue;
		ports = true;
		if (!addr_equal(&seen[i][0], &seen[i][1]))
			return AXES_ADDRESS_PORT;
	}
	if (!ports)
		return AXES_UNKNOWN;
	for (int j = 0; j < 2; j++)
		if (is_known(&seen[0][j]) && is_known(&seen[1][j]))
			return addr_equal(&seen[0][j], &seen[1][j])
				   ? AXES_INDEPENDENT
				   : AXES_ADDRESS;
	return AXES_UNKNOWN;
}

enum axes_dependence
axes_filtering(enum axes_heard both, enum axes_heard port)
{
	if (both == AXES_YES)
		return AXES_INDEPENDENT;
	if (both == AXES_NO && port == AXES_YES)
		return AXES_ADDRESS;
	if (both == AXES_NO && port == AXES_NO)
		return AXES_ADDRESS_PORT;
	return AXES_UNKNOWN;
}

/* ---- allocation and pooling */

/* The chance that n things happen that are as likely as not. */
static double
halves(size_t n)
{
	double chance = 1;

	while (n-- > 0)
		chance /= 2;
	return chance;
}

const char *
axes_allocation_name(enum axes_allocation a)
{
	switch (a) {
	case AXES_PRESERVED:
		return "preserved";
	case AXES_PARITY:
		return "parity";
	case AXES_CONTIGUOUS:
		return "contiguous";
	case AXES_RANDOM:
		return "random";
	default:
		return NULL;
	}
}

/* Signed distance of two ports; a NAT's range may begin anew in between. */
static int
distance(const struct axes_port *list, size_t i)
{
	return (int)list[i].seen.port - (int)list[i - 1].seen.port;
}

/* All steps are the same, however great. */
static bool
is_even(const struct axes_port *list, size_t n)
{
	size_t i = 2;

	while (i < n && distance(list, i) == distance(list, 1))
		i++;
	return i == n && distance(list, 1) != 0;
}

/* Most steps are the same small one and the rest small multiples of it (or a
 * few jumps: the range began anew, its end was met). Random ports do one such
 * step with a chance of STEP_MAX in 64 thousand. */
static int
find_step(const struct axes_port *list, size_t n)
{
	int best = 0;
	size_t most = 0, near = 0;

	if (is_even(list, n))
		return distance(list, 1);
	for (size_t i = 1; i < n; i++) {
		size_t same = 0;
		int d = distance(list, i);

		if (d == 0 || abs(d) > STEP_MAX)
			continue;
		for (size_t j = 1; j < n; j++)
			same += distance(list, j) == d;
		if (same > most) {
			most = same;
			best = d;
		}
	}
	if (best == 0)
		return 0;
	for (size_t i = 1; i < n; i++)
		near += distance(list, i) % best == 0 &&
			distance(list, i) / best > 0 &&
			abs(distance(list, i)) <= STEP_MAX * 4;
	return most * 2 >= n - 1 && near + 2 >= n - 1 ? best : 0;
}

/* The same parity throughout says something only when both occurred. */
static bool
keeps_parity(const struct axes_port *list, size_t n)
{
	size_t odd = 0;

	for (size_t i = 0; i < n; i++) {
		if ((list[i].local ^ list[i].seen.port) & 1)
			return false;
		odd += list[i].local & 1;
	}
	return odd > 0 && odd < n;
}

/* Random ports are all different to one server, as any ports must be; they go
 * up and down; and they have nothing to do with the local ones. In turn with
 * others' (who take many), or with something added, they have a pattern, though
 * none that has a name. */
static bool
has_pattern(const struct axes_port *list, size_t n)
{
	size_t up = 0, down = 0, shifted = 0, again = 0;

	for (size_t i = 0; i < n; i++) {
		uint16_t by = (uint16_t)(list[i].seen.port - list[i].local);

		shifted += by == (uint16_t)(list[0].seen.port - list[0].local);
		for (size_t j = 0; j < i; j++)
			again += addr_equal(&list[i].seen, &list[j].seen);
		if (i > 0)
			*(distance(list, i) > 0 ? &up : &down) += 1;
	}
	/* the end of the range may be met once */
	return again > 0 || shifted == n || up <= 1 || down <= 1;
}

enum axes_allocation
axes_allocation(
    const struct axes_port *list, size_t n, int *step, double *chance)
{
	size_t same = 0;

	*step = 0;
	*chance = 1;
	if (n < PORTS_MIN)
		return AXES_A_UNKNOWN;
	for (size_t i = 0; i < n; i++)
		same += list[i].local == list[i].seen.port;
	*chance = 0;
	/* not all: another host may hold that port on the outside */
	if (same * 2 >= n)
		return AXES_PRESERVED;
	if ((*step = find_step(list, n)) != 0)
		return AXES_CONTIGUOUS;
	if (keeps_parity(list, n)) {
		*chance = halves(n);
		return AXES_PARITY;
	}
	/* some kept and some not: neither one nor the other */
	*chance = 1;
	if (same > 1 || has_pattern(list, n))
		return AXES_A_UNKNOWN;
	*chance = halves(n);
	return AXES_RANDOM;
}

void
axes_pool_add(struct axes_pool *p, const struct addr *seen, bool apart)
{
	size_t i = 0;

	p->changes += p->addresses > 0 && !addr_equal_ip(&p->last, seen);
	p->apart += apart;
	p->last = *seen;
	while (i < p->addresses && !addr_equal_ip(&p->seen[i], seen))
		i++;
	if (i == p->addresses && i < AXES_POOL_MAX)
		p->seen[p->addresses++] = *seen;
}

/* One change may be a new address of the whole NAT; a pool goes to and fro.
 * Of those apart each would have had the other one as likely as not. */
enum axes_heard
axes_paired(const struct axes_pool *p, double *chance)
{
	*chance = 0;
	if (p->changes > 1)
		return AXES_NO;
	*chance = halves(p->apart);
	return p->apart < APART_MIN || p->changes > 0 ? AXES_OPEN : AXES_YES;
}

/* ---- runs and the verdict */

int
axes_agree(const int *values, size_t n, unsigned *agreeing)
{
	int found = 0;

	*agreeing = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned same = 0;

		if (values[i] == 0 || values[i] == found)
			continue;
		for (size_t j = 0; j < n; j++)
			same += values[j] == values[i];
		if (same < 2)
			continue;
		if (found != 0) {
			*agreeing = 0;
			return 0;
		}
		found = values[i];
		*agreeing = same;
	}
	return found;
}

unsigned
axes_confidence(double chance)
{
	double percent = 100 * (1 - chance);

	if (percent < 0)
		return 0;
	return percent > 99 ? 99 : (unsigned)percent;
}

const char *
axes_reach_name(enum axes_reach r)
{
	static const char *const names[] = {
	    [AXES_REACH_UNKNOWN] = "unknown",
	    [AXES_REACH_NONE] = "none",
	    [AXES_REACH_OPEN] = "open",
	    [AXES_REACH_INDEPENDENT] = "independent",
	    [AXES_REACH_ANY] = "any",
	};

	return names[r];
}

/* Filtering that is endpoint-independent lets everybody in, whatever else
 * holds. Else a peer must know our endpoint: it does when our mapping is
 * endpoint-independent; and with address-dependent filtering it may come from
 * a port that nobody could tell us beforehand. */
struct axes_verdict
axes_verdict(enum axes_heard translated, enum axes_dependence mapping,
    enum axes_dependence filtering)
{
	if (filtering == AXES_INDEPENDENT && translated == AXES_NO)
		return (struct axes_verdict){
		    AXES_REACH_ANY, "direct", "no-nat"};
	if (filtering == AXES_INDEPENDENT)
		return (struct axes_verdict){
		    AXES_REACH_ANY, "direct", "endpoint-independent-filtering"};
	if (filtering == AXES_UNKNOWN)
		return (struct axes_verdict){
		    AXES_REACH_UNKNOWN, NULL, "filtering"};
	if (mapping == AXES_UNKNOWN)
		return (struct axes_verdict){
		    AXES_REACH_UNKNOWN, NULL, "mapping"};
	if (mapping == AXES_INDEPENDENT && filtering == AXES_ADDRESS)
		return (struct axes_verdict){
		    AXES_REACH_ANY, "punch", "address-dependent-filtering"};
	if (mapping == AXES_INDEPENDENT)
		return (struct axes_verdict){AXES_REACH_INDEPENDENT, "punch",
		    "address-and-port-dependent-filtering"};
	return (struct axes_verdict){
	    AXES_REACH_OPEN, "relay", "endpoint-dependent-mapping"};
}

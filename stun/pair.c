/* SPDX-License-Identifier: ISC */
/* Which way connects two hosts, by what each has measured of its own NAT
 * (RFC 4787 sections 4.1 and 5). Every rule needs certain axes and no others:
 * so an axis that nobody could measure matters only when no rule does without
 * it, and a judgement is as sure as the axes of its surest rule. */
#include "pair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "record.h"

/* Of a rule that holds on NATs as they are built, but not by RFC 4787 alone */
#define AS_BUILT 66u

struct word {
	const char *text;
	enum pair_word word;
};

static const struct word translations[] = {
    {"none", PAIR_NO}, {"nat", PAIR_YES}, {NULL, 0}};
static const struct word mappings[] = {
    {"endpoint-independent", PAIR_INDEPENDENT},
    {"address-dependent", PAIR_ADDRESS},
    {"address-and-port-dependent", PAIR_PORT},
    {"endpoint-dependent", PAIR_DEPENDENT}, /* as gather tells it */
    {NULL, 0},
};
static const struct word filterings[] = {
    {"endpoint-independent", PAIR_INDEPENDENT},
    {"address-dependent", PAIR_ADDRESS},
    {"address-and-port-dependent", PAIR_PORT},
    {NULL, 0},
};
static const struct word hairpins[] = {
    {"no", PAIR_NO}, {"external", PAIR_YES}, {"internal", PAIR_YES}, {NULL, 0}};
static const char *const reaches[] = {
    "any", "independent", "open", "none", "unknown"};

/* ---- records */

static int
get_axis(struct pair_axis *out, const struct record_view *v,
    const struct word *words)
{
	const char *value = record_get(v, "value");
	uint64_t confidence = PAIR_UNTOLD;
	int err = record_get_u64(v, "confidence", &confidence);

	if (value == NULL || (err != 0 && err != -ENOENT) ||
	    confidence > PAIR_CERTAIN)
		return -EBADMSG;
	if (strcmp(value, "inconclusive") == 0) {
		*out = (struct pair_axis){.word = PAIR_UNKNOWN};
		return 0;
	}
	for (; words->text != NULL; words++) {
		if (strcmp(value, words->text) != 0)
			continue;
		out->word = words->word;
		out->confidence = (unsigned int)confidence;
		return 0;
	}
	return -EBADMSG;
}

/* "192.0.2.1:1,192.0.2.1:2": all of them are checked, the first are kept. */
static int
get_endpoints(struct pair_side *s, const struct record_view *v)
{
	const char *list = record_get(v, "endpoints");
	char one[ADDR_STRLEN];
	struct addr a;
	size_t len = 0;

	s->endpoints = 0;
	if (list == NULL)
		return 0;
	for (;; list += len + 1) {
		len = strcspn(list, ",");
		if (len >= sizeof(one))
			return -EBADMSG;
		memcpy(one, list, len);
		one[len] = '\0';
		if (addr_parse(&a, one) != 0)
			return -EBADMSG;
		if (s->endpoints < PAIR_ENDPOINTS)
			s->endpoint[s->endpoints++] = a;
		if (list[len] == '\0')
			return 0;
	}
}

static int
take_nat(struct pair_side *s, const struct record_view *v)
{
	const char *axis = record_get(v, "axis");
	int err = 0;

	if (axis == NULL)
		return -EBADMSG;
	if (strcmp(axis, "translation") == 0) {
		err = get_axis(&s->translation, v, translations);
	} else if (strcmp(axis, "mapping") == 0) {
		err = get_axis(&s->mapping, v, mappings);
		if (err == 0)
			err = get_endpoints(s, v);
	} else if (strcmp(axis, "filtering") == 0) {
		err = get_axis(&s->filtering, v, filterings);
		/* Tried in vain is not the same as not tried. */
		s->filtering_told = err == 0;
	} else if (strcmp(axis, "hairpin") == 0) {
		err = get_axis(&s->hairpin, v, hairpins);
	} else {
		return 0;
	}
	s->records++;
	return err;
}

static int
take_verdict(struct pair_side *s, const struct record_view *v)
{
	const char *value = record_get(v, "reaches");
	const char *method = record_get(v, "method");

	if (value == NULL)
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(reaches) / sizeof(reaches[0]); i++) {
		if (strcmp(value, reaches[i]) != 0)
			continue;
		s->silent = strcmp(value, "none") == 0;
		s->tcp =
		    s->silent && method != NULL && strcmp(method, "tcp") == 0;
		s->records++;
		return 0;
	}
	return -EBADMSG;
}

int
pair_line(struct pair_side *side, const char *line, size_t len)
{
	struct pair_side s = *side;
	struct record_view v;
	int err = 0;

	if (len == 0)
		return 0;
	err = record_parse(&v, line, len);
	if (err == 0 && record_is(&v, "nat"))
		err = take_nat(&s, &v);
	else if (err == 0 && record_is(&v, "verdict"))
		err = take_verdict(&s, &v);
	if (err == 0)
		*side = s;
	return err;
}

static bool
differs(const struct pair_axis *a, const struct pair_axis *b)
{
	return a->word != PAIR_UNKNOWN && a->word != b->word;
}

bool
pair_contradicts(const struct pair_side *before, const struct pair_side *after)
{
	return before->records > 0 &&
	       (before->silent != after->silent ||
		   differs(&before->translation, &after->translation) ||
		   differs(&before->mapping, &after->mapping) ||
		   differs(&before->filtering, &after->filtering) ||
		   differs(&before->hairpin, &after->hairpin));
}

/* ---- rules */

struct rule {
	enum pair_direct direct;
	const char *method;
	unsigned int confidence;
	const char *reason; /* %X and %Y stand for the sides */
	bool swapped;	    /* %X is B */
};

static unsigned int
both(unsigned int a, unsigned int b)
{
	return (a * b + 50) / 100;
}

static bool
independent(const struct pair_axis *a)
{
	return a->word == PAIR_INDEPENDENT;
}

static bool
dependent(const struct pair_axis *a)
{
	return a->word == PAIR_ADDRESS || a->word == PAIR_PORT ||
	       a->word == PAIR_DEPENDENT;
}

/* Without a NAT the mapping is the identity; a firewall may still filter, but
 * where none was measured there is none. */
static struct pair_side
as_nat(const struct pair_side *s)
{
	struct pair_side n = *s;

	if (s->translation.word != PAIR_NO)
		return n;
	n.mapping = s->translation;
	n.mapping.word = PAIR_INDEPENDENT;
	if (!s->filtering_told)
		n.filtering = n.mapping;
	return n;
}

static void
propose(struct rule *best, struct rule r)
{
	if (best->direct == PAIR_DIRECT_UNKNOWN ||
	    r.confidence > best->confidence)
		*best = r;
}

/* What x alone decides about reaching y, and the other way round. */
static void
one_sided(struct rule *best, const struct pair_side *x,
    const struct pair_side *y, bool swapped)
{
	unsigned int sure = x->filtering.confidence;

	if (x->filtering.word == PAIR_INDEPENDENT) {
		struct rule r = {.direct = PAIR_DIRECT_YES,
		    .method = "direct",
		    .confidence = sure,
		    .reason = "%X takes packets from anyone",
		    .swapped = swapped};

		/* Its answer leaves by another mapping, as RFC 4787 has it;
		 * NATs that keep connections answer by the same. */
		if (!independent(&x->mapping) && !independent(&y->filtering) &&
		    y->filtering.word != PAIR_ADDRESS) {
			r.confidence = both(sure, AS_BUILT);
			r.reason = "%X takes packets from anyone, but its NAT "
				   "has to answer by the port that they came "
				   "to";
		}
		propose(best, r);
	}
	if (independent(&x->mapping) && x->filtering.word == PAIR_ADDRESS)
		propose(best,
		    (struct rule){.direct = PAIR_DIRECT_YES,
			.method = "punch",
			.confidence = both(x->mapping.confidence, sure),
			.reason = "%X has one endpoint for everybody, and it "
				  "is open to every port of an address that "
				  "%X has sent to",
			.swapped = swapped});
}

/* x's packets to y come from a mapping that y can't know, and neither side
 * lets the other's first packet in. */
static void
neither(struct rule *best, const struct pair_side *x, const struct pair_side *y,
    bool swapped)
{
	unsigned int sure =
	    both(x->mapping.confidence, x->filtering.confidence);

	if (!dependent(&x->mapping) || !dependent(&x->filtering))
		return;
	sure = both(sure, y->filtering.confidence);
	if (y->filtering.word == PAIR_ADDRESS && dependent(&y->mapping))
		sure = both(sure, y->mapping.confidence);
	else if (y->filtering.word != PAIR_PORT)
		return;
	propose(best,
	    (struct rule){.direct = PAIR_DIRECT_NO,
		.method = "relay",
		.confidence = sure,
		.reason = "%X's NAT uses another port towards %Y than any "
			  "server can tell, and %Y's NAT drops packets from "
			  "there",
		.swapped = swapped});
}

static struct rule
best_rule(const struct pair_side *a, const struct pair_side *b)
{
	struct rule best = {.direct = PAIR_DIRECT_UNKNOWN};

	one_sided(&best, a, b, false);
	one_sided(&best, b, a, true);
	if (independent(&a->mapping) && independent(&b->mapping))
		propose(&best,
		    (struct rule){.direct = PAIR_DIRECT_YES,
			.method = "punch",
			.confidence =
			    both(a->mapping.confidence, b->mapping.confidence),
			.reason = "each side has one endpoint for everybody, "
				  "so that both can open their NATs for the "
				  "other's"});
	if (best.direct == PAIR_DIRECT_UNKNOWN) {
		neither(&best, a, b, false);
		neither(&best, b, a, true);
	}
	return best;
}

/* ---- judgement */

static void
set_reason(struct pair_judgement *j, const char *text, bool swapped)
{
	size_t n = 0;

	for (; *text != '\0' && n < sizeof(j->reason) - 1; text++) {
		if (text[0] == '%') {
			bool first = *++text == 'X';

			j->reason[n++] = first != swapped ? 'A' : 'B';
		} else {
			j->reason[n++] = *text;
		}
	}
	j->reason[n] = '\0';
}

static bool
same_address(const struct pair_side *a, const struct pair_side *b)
{
	if (a->translation.word == PAIR_NO || b->translation.word == PAIR_NO)
		return false;
	for (size_t i = 0; i < a->endpoints; i++)
		for (size_t k = 0; k < b->endpoints; k++)
			if (addr_equal_ip(&a->endpoint[i], &b->endpoint[k]))
				return true;
	return false;
}

/* It is one NAT, measured twice. */
static const struct pair_axis *
surer(const struct pair_axis *a, const struct pair_axis *b)
{
	if (a->word != b->word && (a->word == PAIR_YES || b->word == PAIR_YES))
		return a->word == PAIR_YES ? a : b;
	if (a->word != b->word)
		return a->word == PAIR_NO ? a : b;
	return a->confidence >= b->confidence ? a : b;
}

/* Both are behind one NAT: what they are told of each other leads back to it.
 * Whether they can reach each other inside, no server knows. */
static void
judge_inside(struct pair_judgement *j, const struct rule *r,
    const struct pair_side *a, const struct pair_side *b)
{
	const struct pair_axis *h = surer(&a->hairpin, &b->hairpin);

	if (r->direct == PAIR_DIRECT_YES && h->word == PAIR_YES) {
		j->direct = PAIR_DIRECT_YES;
		j->method = "hairpin";
		j->confidence = both(r->confidence, h->confidence);
		set_reason(j,
		    "both are behind the same public address, and its NAT "
		    "sends their packets back inside",
		    false);
		return;
	}
	j->direct = PAIR_DIRECT_UNKNOWN;
	j->method = "host";
	set_reason(j,
	    h->word == PAIR_NO
		? "both are behind the same public address, and its NAT does "
		  "not send packets back inside: only a host candidate can "
		  "connect them"
		: "both are behind the same public address: only a host "
		  "candidate or a NAT that sends packets back inside can "
		  "connect them",
	    false);
}

/* The first axis that would help, in the order of how much it does. */
static void
name_missing(struct pair_judgement *j, const struct pair_side *a,
    const struct pair_side *b)
{
	if (a->mapping.word == PAIR_UNKNOWN)
		set_reason(
		    j, "it depends on A's mapping, which is not known", false);
	else if (b->mapping.word == PAIR_UNKNOWN)
		set_reason(
		    j, "it depends on B's mapping, which is not known", false);
	else if (a->filtering.word == PAIR_UNKNOWN)
		set_reason(j, "it depends on A's filtering, which is not known",
		    false);
	else
		set_reason(j, "it depends on B's filtering, which is not known",
		    false);
}

static void
judge_silent(struct pair_judgement *j, const struct pair_side *a,
    const struct pair_side *b)
{
	j->direct = PAIR_DIRECT_NO;
	j->method = a->tcp || b->tcp ? "tcp" : "relay";
	j->confidence = PAIR_CERTAIN;
	set_reason(j, "%X gets no answer to UDP at all", !a->silent);
}

void
pair_judge(struct pair_judgement *out, const struct pair_side *a,
    const struct pair_side *b)
{
	struct pair_side x = as_nat(a), y = as_nat(b);
	struct rule r = best_rule(&x, &y);

	memset(out, 0, sizeof(*out));
	if (a->silent || b->silent) {
		judge_silent(out, a, b);
	} else if (same_address(a, b)) {
		judge_inside(out, &r, a, b);
	} else if (r.direct == PAIR_DIRECT_UNKNOWN) {
		name_missing(out, &x, &y);
	} else {
		out->direct = r.direct;
		out->method = r.method;
		out->confidence = r.confidence;
		set_reason(out, r.reason, r.swapped);
	}
}

const char *
pair_direct_name(enum pair_direct direct)
{
	static const char *const names[] = {
	    [PAIR_DIRECT_UNKNOWN] = "unknown",
	    [PAIR_DIRECT_NO] = "no",
	    [PAIR_DIRECT_YES] = "yes",
	};

	return names[direct];
}

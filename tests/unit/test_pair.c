/* SPDX-License-Identifier: ISC */
/* stun/pair: all 81 pairs of NATs, by a table derived from RFC 4787 by hand;
 * what is not known; records that are none. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Mapping, then filtering: I endpoint-independent, A address-dependent, P
 * address-and-port-dependent. Derived, not measured:
 *
 * X can send to Y as soon as Y's address at Y's own NAT, as a server sees it,
 * takes packets from where X's come from.
 *  - Y filters I: it takes everybody's.
 *  - Y maps I, filters A: Y has sent to X's address (any port of it), so it
 *    takes what X sends from whichever port, and Y's mapping is the one that
 *    the server saw.
 *  - Y maps I, filters P: Y has sent to X's address and port as the server saw
 *    them; X's packets come from there only if X maps I.
 *  - Y maps A or P and does not filter I: Y's packets to X leave by another
 *    mapping than the server saw. What the server saw is closed to X, and the
 *    other mapping is unknown to X until a packet of Y's arrives there.
 * One direction is enough: the packet that arrives shows the mapping that it
 * comes from, and the answer passes the filter that it opened. */
static const char *const names[9] = {
    "II", "IA", "IP", "AI", "AA", "AP", "PI", "PA", "PP"};
static const char *const joined[9] = {
    /*        II IA IP AI AA AP PI PA PP */
    /* II */ "111111111",
    /* IA */ "111111111",
    /* IP */ "111100100",
    /* AI */ "111111111",
    /* AA */ "110100100",
    /* AP */ "110100100",
    /* PI */ "111111111",
    /* PA */ "110100100",
    /* PP */ "110100100",
};

static const char *
word(char c)
{
	return c == 'I'	  ? "endpoint-independent"
	       : c == 'A' ? "address-dependent"
			  : "address-and-port-dependent";
}

static int
tell(struct pair_side *s, const char *line)
{
	return pair_line(s, line, strlen(line));
}

static struct pair_side
behind(const char *name, unsigned int confidence, int host)
{
	struct pair_side s = {0};
	char line[256];

	assert_int_equal(
	    tell(&s, "nat axis=translation value=nat confidence=99"), 0);
	snprintf(line, sizeof(line),
	    "nat axis=mapping value=%s confidence=%u "
	    "base=192.168.1.2:5000 endpoints=198.51.100.%d:5000",
	    word(name[0]), confidence, host);
	assert_int_equal(tell(&s, line), 0);
	snprintf(line, sizeof(line),
	    "nat axis=filtering value=%s confidence=%u", word(name[1]),
	    confidence);
	assert_int_equal(tell(&s, line), 0);
	return s;
}

static struct pair_judgement
judge(struct pair_side a, struct pair_side b)
{
	struct pair_judgement j;

	pair_judge(&j, &a, &b);
	return j;
}

static void
all_81(void **state)
{
	struct pair_judgement j;

	(void)state;
	for (int a = 0; a < 9; a++) {
		for (int b = 0; b < 9; b++) {
			bool yes = joined[a][b] == '1';

			j = judge(
			    behind(names[a], 98, 1), behind(names[b], 98, 2));
			if (j.direct !=
			    (yes ? PAIR_DIRECT_YES : PAIR_DIRECT_NO))
				fail_msg("%s x %s: %s", names[a], names[b],
				    j.reason);
			assert_string_equal(
			    j.method, !yes ? "relay"
				      : names[a][1] == 'I' || names[b][1] == 'I'
					  ? "direct"
					  : "punch");
			assert_true(j.confidence > 0 && j.confidence <= 98);
			assert_true(strlen(j.reason) > 10);
		}
	}
}

/* The table itself says that nothing depends on who is A. */
static void
either_way(void **state)
{
	(void)state;
	for (int a = 0; a < 9; a++)
		for (int b = 0; b < 9; b++)
			assert_int_equal(joined[a][b], joined[b][a]);
}

/* Nothing that is missing turns into an answer, unless the rest decides. */
static void
missing(void **state)
{
	struct pair_side a, b;

	(void)state;
	for (int x = 0; x < 9; x++) {
		for (int y = 0; y < 9; y++) {
			for (int what = 0; what < 4; what++) {
				bool can = false, cannot = false;

				a = behind(names[x], 98, 1);
				b = behind(names[y], 98, 2);
				if (what == 0)
					tell(&a, "nat axis=mapping "
						 "value=inconclusive reason=x");
				else if (what == 1)
					tell(&a, "nat axis=filtering "
						 "value=inconclusive reason=x");
				else if (what == 2)
					tell(&b, "nat axis=mapping "
						 "value=inconclusive reason=x");
				else
					tell(&b, "nat axis=filtering "
						 "value=inconclusive reason=x");
				for (int i = 0; i < 3; i++) {
					int u = x, v = y;

					if (what == 0)
						u = x % 3 + 3 * i;
					else if (what == 1)
						u = x / 3 * 3 + i;
					else if (what == 2)
						v = y % 3 + 3 * i;
					else
						v = y / 3 * 3 + i;
					if (joined[u][v] == '1')
						can = true;
					else
						cannot = true;
				}
				assert_int_equal(judge(a, b).direct,
				    can && cannot ? PAIR_DIRECT_UNKNOWN
				    : can	  ? PAIR_DIRECT_YES
						  : PAIR_DIRECT_NO);
			}
		}
	}
}

static void
no_nat(void **state)
{
	struct pair_side open = {0}, walled = {0}, unsure = {0};
	struct pair_judgement j;

	(void)state;
	tell(&open, "nat axis=translation value=none confidence=97");
	j = judge(open, behind("PP", 98, 2));
	assert_int_equal(j.direct, PAIR_DIRECT_YES);
	assert_string_equal(j.method, "direct");
	assert_int_equal(j.confidence, 97);
	/* a firewall without translation maps independently, and filters */
	tell(&walled, "nat axis=translation value=none confidence=97");
	tell(&walled, "nat axis=filtering "
		      "value=address-and-port-dependent confidence=97");
	assert_int_equal(
	    judge(walled, behind("PP", 98, 2)).direct, PAIR_DIRECT_NO);
	j = judge(behind("IP", 98, 2), walled);
	assert_int_equal(j.direct, PAIR_DIRECT_YES);
	assert_string_equal(j.method, "punch");
	/* and one that could not be measured is no open door */
	tell(&unsure, "nat axis=translation value=none confidence=97");
	tell(&unsure, "nat axis=filtering value=inconclusive reason=loss");
	assert_int_equal(
	    judge(unsure, behind("PP", 98, 2)).direct, PAIR_DIRECT_UNKNOWN);
}

static void
confidence(void **state)
{
	struct pair_judgement sure, unsure;
	struct pair_side s = {0};

	(void)state;
	sure = judge(behind("IP", 99, 1), behind("IP", 99, 2));
	unsure = judge(behind("IP", 60, 1), behind("IP", 99, 2));
	assert_in_range(sure.confidence, 97, 98);
	assert_int_equal(unsure.confidence, 59);
	/* one certain reason is not spoilt by an uncertain second */
	unsure = judge(behind("IA", 40, 1), behind("II", 99, 2));
	assert_int_equal(unsure.confidence, 99);
	/* no figure: as likely as not */
	tell(&s, "nat axis=filtering value=endpoint-independent");
	tell(&s, "nat axis=mapping value=endpoint-independent");
	assert_int_equal(judge(s, behind("PP", 99, 2)).confidence, PAIR_UNTOLD);
	/* an answer by another mapping does not pass a filter by port */
	assert_true(
	    judge(behind("PI", 99, 1), behind("IP", 99, 2)).confidence < 70);
	assert_int_equal(
	    judge(behind("PI", 99, 1), behind("PA", 99, 2)).confidence, 99);
}

static void
same_address(void **state)
{
	struct pair_side a = behind("IP", 98, 1), b = behind("IP", 98, 1);
	struct pair_judgement j = judge(a, b);

	(void)state;
	assert_int_equal(j.direct, PAIR_DIRECT_UNKNOWN);
	assert_string_equal(j.method, "host");
	assert_non_null(strstr(j.reason, "same public address"));
	assert_non_null(strstr(j.reason, "host candidate"));
	tell(&b, "nat axis=hairpin value=no confidence=90");
	assert_int_equal(judge(a, b).direct, PAIR_DIRECT_UNKNOWN);
	tell(&b, "nat axis=hairpin value=external confidence=90");
	j = judge(a, b);
	assert_int_equal(j.direct, PAIR_DIRECT_YES);
	assert_string_equal(j.method, "hairpin");
	assert_in_range(j.confidence, 80, 90);
	/* hairpin alone does not make their mappings fit */
	a = behind("PP", 98, 1);
	b = behind("PP", 98, 1);
	tell(&a, "nat axis=hairpin value=external confidence=90");
	j = judge(a, b);
	assert_int_equal(j.direct, PAIR_DIRECT_UNKNOWN);
	assert_string_equal(j.method, "host");
	/* the same host, or two addresses without a NAT: nothing of all that */
	memset(&a, 0, sizeof(a));
	tell(&a, "nat axis=translation value=none confidence=97");
	tell(&a, "nat axis=mapping value=endpoint-independent confidence=97 "
		 "endpoints=198.51.100.1:1");
	assert_string_equal(judge(a, a).method, "direct");
}

static void
silent(void **state)
{
	struct pair_side s = {0};
	struct pair_judgement j;

	(void)state;
	tell(&s, "verdict reaches=none method=tcp reason=no%20answer");
	j = judge(behind("II", 98, 1), s);
	assert_int_equal(j.direct, PAIR_DIRECT_NO);
	assert_string_equal(j.method, "tcp");
	assert_non_null(strstr(j.reason, "B "));
	memset(&s, 0, sizeof(s));
	tell(&s, "verdict reaches=none method=relay");
	assert_string_equal(judge(s, behind("II", 98, 1)).method, "relay");
	/* other verdicts say less than their axes: they are not used */
	memset(&s, 0, sizeof(s));
	tell(&s, "verdict reaches=any method=direct");
	assert_int_equal(
	    judge(s, behind("PP", 98, 1)).direct, PAIR_DIRECT_UNKNOWN);
}

/* gather's record tells dependent from independent, and no more. */
static void
gathered(void **state)
{
	struct pair_side s = {0};

	(void)state;
	tell(&s, "nat axis=mapping value=endpoint-dependent "
		 "base=192.168.1.2:1 endpoints=198.51.100.9:1,198.51.100.9:2 "
		 "servers=192.0.2.1:1,192.0.2.2:1");
	assert_int_equal(s.endpoints, 2);
	tell(&s, "nat axis=filtering value=address-dependent confidence=99");
	assert_int_equal(judge(s, behind("AP", 99, 1)).direct, PAIR_DIRECT_NO);
}

static void
refused(void **state)
{
	static const char *const bad[] = {
	    "nat axis=mapping value=endpoint-independent confidence=100",
	    "nat axis=mapping value=endpoint-independent confidence=-1",
	    "nat axis=mapping value=sideways confidence=9",
	    "nat axis=filtering value=endpoint-dependent confidence=9",
	    "nat axis=hairpin value=nat",
	    "nat axis=translation value=endpoint-independent",
	    "nat axis=mapping",
	    "nat value=none",
	    "nat axis=mapping value=endpoint-independent endpoints=nowhere",
	    "nat axis=mapping value=endpoint-independent endpoints=1.2.3.4:5,",
	    "verdict",
	    "verdict reaches=everywhere",
	    "nat axis=mapping  value=endpoint-independent",
	    "NAT axis=mapping value=endpoint-independent",
	    "{\"record\":\"nat\"}",
	};
	char text[700];
	struct pair_side before = behind("IP", 98, 1), s = before;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (tell(&s, bad[i]) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
		assert_memory_equal(&s, &before, sizeof(s));
	}
	memset(text, 'a', sizeof(text));
	assert_int_equal(pair_line(&s, text, sizeof(text)), -EMSGSIZE);
	/* what says nothing about reaching is passed over */
	assert_int_equal(tell(&s, "nat axis=alg value=no confidence=90"), 0);
	assert_int_equal(tell(&s, "nat axis=colour value=red"), 0);
	assert_int_equal(tell(&s, "mapped endpoint=1.2.3.4:5"), 0);
	assert_int_equal(tell(&s, ""), 0);
	assert_memory_equal(&s, &before, sizeof(s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_81),
	    cmocka_unit_test(either_way),
	    cmocka_unit_test(missing),
	    cmocka_unit_test(no_nat),
	    cmocka_unit_test(confidence),
	    cmocka_unit_test(same_address),
	    cmocka_unit_test(silent),
	    cmocka_unit_test(gathered),
	    cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

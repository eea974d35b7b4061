/* SPDX-License-Identifier: ISC */
/* What nat-rendezvous says of our own servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "outage.h"

#define SAYS "nat-rendezvous: warning: "

static void
other_lines(void **state)
{
	static const char *const lines[] = {"",
	    "nat-rendezvous: warning:", SAYS, SAYS ":", SAYS " ", SAYS "h:1",
	    SAYS "h:1:", SAYS "h:1: ", SAYS "standard input: it ended",
	    "nat-stun: warning: h:1: no answer; is it there?",
	    "h:1: no answer;", "nat-rendezvous: fatal: h:1: no answer;"};
	struct outage o = {.n = 0};
	static const char end[] = ": no answer;";
	char out[OUTAGE_TEXT], text[1000] = SAYS;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		outage_line(&o, lines[i], 1);
		assert_null(outage_text(&o, out));
	}
	memset(text + strlen(SAYS), 'a', 500);
	memcpy(text + strlen(text), end, sizeof(end));
	outage_line(&o, text, 1);
	assert_null(outage_text(&o, out));
}

static void
each(void **state)
{
	static const struct {
		const char *line, *text;
	} all[] = {
	    {SAYS "h.example:3478: no answer; is nat-rendezvousd running there",
		"the rendezvous server h.example:3478 does not answer"},
	    {SAYS "[::1]:3478: a server answers there, but not with the key "
		  "given with -S",
		"the rendezvous server [::1]:3478 has another key than the one "
		"that -S, NATKIT_SERVER or the peers file gives"},
	    {SAYS "h:1 refuses this key: forbidden",
		"the rendezvous server h:1 refuses our key: forbidden"},
	    {SAYS "nosuch.example:1: Name or service not known; trying again",
		"the rendezvous server nosuch.example:1 can't be found: Name "
		"or service not known"},
	};
	char out[OUTAGE_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct outage o = {.n = 0};

		outage_line(&o, all[i].line, 1);
		assert_string_equal(outage_text(&o, out), all[i].text);
	}
}

static void
several(void **state)
{
	struct outage o = {.n = 0};
	char out[OUTAGE_TEXT], line[100];

	(void)state;
	outage_line(&o, SAYS "a:1: no answer; is", 1);
	outage_line(&o, SAYS "a:1 refuses this key: full", 2);
	assert_string_equal(outage_text(&o, out),
	    "the rendezvous server a:1 refuses our key: full");
	for (int i = 0; i < 20; i++) {
		snprintf(line, sizeof(line), SAYS "%d:1: no answer; is", i);
		outage_line(&o, line, 3);
	}
	assert_int_equal(o.n, OUTAGE_SERVERS);
	assert_non_null(strstr(outage_text(&o, out), ", and others fail, too"));
	/* one of them works: the peer is not there */
	outage_line(&o, SAYS "peer KEY: not met yet: it must run", 4);
	assert_true(o.met);
	outage_line(&o, SAYS "3:1: no answer; is", 5);
	assert_false(o.met);
	outage_over(&o);
	assert_null(outage_text(&o, out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(other_lines),
	    cmocka_unit_test(each),
	    cmocka_unit_test(several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

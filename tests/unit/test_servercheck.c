/* SPDX-License-Identifier: ISC */
/* stun/servercheck: simulated servers, right ones and ones with each fault. */
#include "servercheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "addr_fixture.h"

/* A server, and a NAT before the one who asks. */
struct sim {
	struct addr a1, a2, b1, b2; /* by address and port */
	bool no_other;		    /* RFC 8489 alone */
	bool same_ip, same_port;
	bool loopback_other;
	bool b_silent;
	bool stuck_port; /* change-port answers from where it was asked */
	bool deaf_ip;	 /* change-IP is not answered */
	bool ignores;	 /* unknown attributes */
	bool no_list;
	bool plain;	   /* MAPPED-ADDRESS only */
	bool wrong_source; /* answers leave from B */
	bool lies;	   /* RESPONSE-ORIGIN */
	bool dependent;	   /* the NAT maps by address, and filters so */
	bool no_response_port;
	bool long_only;
	bool error;
	bool silent;
	bool modest; /* never longer than the question */
	unsigned int asked;
};

static struct sim
good(void)
{
	return (struct sim){.a1 = at("192.0.2.1:3478"),
	    .a2 = at("192.0.2.1:3479"),
	    .b1 = at("192.0.2.2:3478"),
	    .b2 = at("192.0.2.2:3479")};
}

static void
refuse(struct answer *a, uint16_t type, bool list)
{
	a->error = 420;
	if (list)
		a->unknown[a->unknowns++] = type;
}

/* Returns whether there is an answer; *second is where it gets to. */
static bool
serve(struct sim *s, const struct servercheck_ask *q, struct answer *a,
    bool *second)
{
	bool b = addr_equal_ip(&q->to, &s->b1);
	bool port2 = q->to.port == s->a2.port;
	const struct addr *place[2][2] = {{&s->a1, &s->a2}, {&s->b1, &s->b2}};

	s->asked++;
	*second = q->second;
	if (s->silent || (b && s->b_silent))
		return false;
	memset(a, 0, sizeof(*a));
	a->len = 100;
	a->mapped = at(s->dependent && b ? "198.51.100.1:7" : "198.51.100.1:6");
	a->from = *place[b ^ (q->q.change_ip && !s->no_other)]
			[port2 ^ (q->q.change_port && !s->no_other &&
				     !s->stuck_port)];
	if (s->wrong_source)
		a->from = s->b1;
	a->origin = s->lies ? s->b2 : a->from;
	if (s->plain) {
		a->plain = a->mapped;
		a->mapped.family = ADDR_NONE;
	}
	if (!s->no_other)
		a->other = *place[!b][!port2];
	if (s->same_ip)
		a->other = s->a2;
	if (s->same_port)
		a->other = s->b1;
	if (s->loopback_other)
		a->other = at("127.0.0.1:3479");
	if (q->q.unknown != 0 && !s->ignores)
		refuse(a, q->q.unknown, !s->no_list);
	if (q->q.padding > 0) {
		a->padded = true;
		a->padding = q->q.padding;
	}
	if (q->q.response_port != 0 && s->no_response_port)
		refuse(a, STUN_RESPONSE_PORT, true);
	else if (q->q.response_port != 0 &&
		 (!s->long_only || q->q.response_port_long))
		*second = false;
	if (s->error)
		a->error = 500;
	if (s->deaf_ip && q->q.change_ip)
		return false;
	if (s->modest && q->q.filler < a->len)
		return false;
	return !s->dependent || !(q->q.change_ip || q->q.change_port);
}

static struct servercheck
run(struct sim s)
{
	struct servercheck c;
	struct servercheck_ask q;

	servercheck_init(&c, &s.a1);
	while (servercheck_next(&c, &q)) {
		struct answer a;
		bool second = false, is = serve(&s, &q, &a, &second);

		assert_true(addr_is_sendable(&q.to));
		assert_true(s.asked <= SERVERCHECK_STEPS + 1);
		servercheck_tell(&c, is ? &a : NULL, second);
	}
	return c;
}

static void
fault(struct sim s, const char *names)
{
	struct servercheck c = run(s);
	char out[SERVERCHECK_FAULTS_LEN];

	servercheck_faults(&c, out);
	assert_string_equal(out, names);
	assert_false(servercheck_good(&c));
}

static void
right(void **state)
{
	struct servercheck c = run(good());
	char out[SERVERCHECK_FAULTS_LEN];

	(void)state;
	servercheck_faults(&c, out);
	assert_string_equal(out, "");
	assert_true(servercheck_good(&c));
	assert_int_equal(servercheck_5780(&c), SERVERCHECK_YES);
	assert_string_equal(servercheck_response_port(&c), "both");
	assert_string_equal(servercheck_padding(&c), "yes");
	assert_string_equal(servercheck_unknown(&c), "420");
	assert_string_equal(servercheck_reply(&c), "right");
	/* 100 bytes for the 28 of a request with FINGERPRINT */
	assert_int_equal(c.percent, 357);
}

static void
each_fault(void **state)
{
	struct sim s = good();

	(void)state;
	s.same_ip = true;
	fault(s, "same-ip");
	s = good();
	s.same_port = true;
	fault(s, "same-port");
	s = good();
	s.loopback_other = true;
	fault(s, "bad-other");
	s = good();
	s.b_silent = true;
	fault(s, "other-silent");
	s = good();
	s.stuck_port = true;
	fault(s, "change-port");
	s = good();
	s.deaf_ip = true;
	fault(s, "change-ip");
	s = good();
	s.ignores = true;
	fault(s, "no-420");
	s = good();
	s.no_list = true;
	fault(s, "no-list");
	s = good();
	s.plain = true;
	fault(s, "no-xor");
	s = good();
	s.lies = true;
	fault(s, "wrong-origin");
}

static void
wrong_source(void **state)
{
	struct sim s = good();
	struct servercheck c;

	(void)state;
	s.wrong_source = true;
	c = run(s);
	assert_true((c.faults & SERVERCHECK_WRONG_SOURCE) != 0);
	assert_string_equal(servercheck_reply(&c), "wrong-address");
	assert_false(servercheck_good(&c));
}

/* A server of RFC 8489 alone has no fault, but does no RFC 5780. */
static void
one_address(void **state)
{
	struct sim s = good();
	struct servercheck c;

	(void)state;
	s.no_other = s.no_response_port = true;
	c = run(s);
	assert_int_equal(c.faults, 0);
	assert_int_equal(servercheck_5780(&c), SERVERCHECK_NO);
	assert_false(servercheck_good(&c));
	assert_string_equal(servercheck_response_port(&c), "none");
	s.no_response_port = false;
	s.long_only = true;
	c = run(s);
	assert_string_equal(servercheck_response_port(&c), "4");
}

/* Our own NAT may be what keeps the changed answers out. */
static void
behind_a_nat(void **state)
{
	struct sim s = good();
	struct servercheck c;

	(void)state;
	s.dependent = true;
	c = run(s);
	assert_int_equal(c.faults, 0);
	assert_int_equal(servercheck_5780(&c), SERVERCHECK_FILTERED);
	assert_false(servercheck_good(&c));
}

static void
no_answer(void **state)
{
	struct sim s = good();
	struct servercheck c;
	struct servercheck_ask q;

	(void)state;
	s.silent = true;
	c = run(s);
	assert_false(servercheck_next(&c, &q));
	assert_null(servercheck_reply(&c));
	assert_null(servercheck_response_port(&c));
	assert_int_equal(servercheck_5780(&c), SERVERCHECK_UNTRIED);
	s = good();
	s.error = true;
	c = run(s);
	assert_int_equal(c.found[SERVERCHECK_PLAIN], SERVERCHECK_OTHER_ERROR);
	assert_false(servercheck_good(&c));
	/* told too much changes nothing */
	servercheck_tell(&c, NULL, false);
	assert_int_equal(c.step, SERVERCHECK_STEPS);
}

static void
modest(void **state)
{
	struct sim s = good();
	struct servercheck c;

	(void)state;
	s.modest = true;
	c = run(s);
	assert_true(servercheck_good(&c));
	assert_int_equal(servercheck_5780(&c), SERVERCHECK_YES);
	assert_true(c.percent > 0 && c.percent <= 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(right),
	    cmocka_unit_test(each_fault),
	    cmocka_unit_test(wrong_source),
	    cmocka_unit_test(one_address),
	    cmocka_unit_test(behind_a_nat),
	    cmocka_unit_test(no_answer),
	    cmocka_unit_test(modest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

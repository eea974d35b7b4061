/* SPDX-License-Identifier: ISC */
/* What a server sees completes what was fed, and only where that is silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "addr_fixture.h"
#include "ours.h"

static void
feed(struct feed *f, const char *type, const char *endpoint)
{
	struct offer_candidate *c = &f->list[f->n++];

	c->type = (uint8_t)offer_type_parse(type);
	c->priority = 7;
	assert_int_equal(addr_parse(&c->addr, endpoint), 0);
}

static void
is_taken_when_nothing_was_fed_of_its_family(void **state)
{
	struct addr v4 = at("198.51.100.2:51820");
	struct addr other = at("198.51.100.2:1024");
	struct feed f;
	struct ours o;

	(void)state;
	feed_init(&f);
	feed(&f, "host", "192.168.1.2:51820");
	feed(&f, "srflx", "[2001:db8::1]:51820");
	ours_init(&o, &f);
	assert_false(o.completed);
	ours_complete(&o, &v4);
	assert_true(o.completed);
	assert_int_equal(o.n, 3);
	assert_int_equal(o.list[2].type, OFFER_SRFLX);
	assert_true(addr_equal(&o.list[2].addr, &v4));
	ours_complete(&o, &other); /* another server: one is enough */
	assert_int_equal(o.n, 3);
}

static void
is_left_when_it_is_known_or_useless(void **state)
{
	struct addr host = at("203.0.113.2:51820"), none = {0};
	struct addr v4 = at("198.51.100.2:51820");
	struct feed f;
	struct ours o;

	(void)state;
	feed_init(&f);
	feed(&f, "host", "203.0.113.2:51820");
	ours_init(&o, &f);
	ours_complete(&o, &host); /* no NAT at all */
	ours_complete(&o, &none);
	assert_int_equal(o.n, 1);
	feed(&f, "srflx", "198.51.100.2:1024");
	ours_init(&o, &f);
	ours_complete(&o, &v4); /* the STUN server's word is the fresher */
	assert_int_equal(o.n, 2);
	while (f.n < OFFER_CANDIDATES)
		feed(&f, "host", "192.0.2.1:1");
	f.list[1].type = OFFER_HOST;
	ours_init(&o, &f);
	ours_complete(&o, &v4); /* full */
	assert_int_equal(o.n, OFFER_CANDIDATES);
	assert_false(o.completed);
}

static void
the_same_by_stun_is_no_news(void **state)
{
	struct addr v4 = at("198.51.100.2:51820");
	struct ours before, now;
	struct feed f;

	(void)state;
	feed_init(&f);
	feed(&f, "host", "192.168.1.2:51820");
	ours_init(&before, &f);
	ours_init(&now, &f);
	assert_false(ours_same(&before, &now)); /* as it was fed: news */
	ours_complete(&before, &v4);
	assert_false(ours_same(&before, &now));
	feed(&f, "srflx", "198.51.100.2:51820");
	ours_init(&now, &f);
	assert_true(ours_same(&before, &now));
	assert_false(ours_same(&now, &before));
	f.list[0].addr.port++;
	ours_init(&now, &f);
	assert_false(ours_same(&before, &now));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_taken_when_nothing_was_fed_of_its_family),
	    cmocka_unit_test(is_left_when_it_is_known_or_useless),
	    cmocka_unit_test(the_same_by_stun_is_no_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

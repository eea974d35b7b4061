/* SPDX-License-Identifier: ISC */
/* Relay records, as they are to be, and as a hostile pipe has them. */
#include "relayrecord.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PEER "l7XWP+X+min/KEQgBzPE7Zqu7Iz8pVvlsFRgCAY6d1U="
#define OWN "FhKs63frkFFzTQwTlbM+939UKfOYB9UoEr0jasLuSA8="
#define KEY "relay key=" PEER
#define SERVER " server=192.0.2.1:4002,[2001:db8::1]:4002"
#define USER " user=1795345707:" OWN ":" PEER
#define PASSWORD " password=fR9cKw5EQNO30AugwtHRA+1vgmi3ZZQytKhdVpSDb20="
#define REST " priority=14680063 lifetime_s=3600"

static struct relayrecord rec;
static const char *wrong;

static int
line(const char *text)
{
	struct record_view v;

	assert_int_equal(record_parse(&v, text, strlen(text)), 0);
	return relayrecord_read(&rec, &v, &wrong);
}

static void
what_is_wrong_is_named(void **state)
{
	static const char *const bad[][2] = {
	    {"relay" SERVER USER PASSWORD REST, "key"},
	    {"relay key=AAAA" SERVER USER PASSWORD REST, "key"},
	    {KEY " server=192.0.2.1" USER PASSWORD REST, "server"},
	    {KEY " server=192.0.2.1:0" USER PASSWORD REST, "server"},
	    {KEY " server=, user=1" PASSWORD REST, "server"},
	    {KEY " server=192.0.2.1:1," USER PASSWORD REST, "server"},
	    {KEY " server=192.0.2.1:1,192.0.2.2:1" USER PASSWORD REST,
		"server"},
	    {KEY " server=0.0.0.0:1" USER PASSWORD REST, "server"},
	    {KEY " server=224.0.0.1:1" USER PASSWORD REST, "server"},
	    {KEY " server=relay.example:1" USER PASSWORD REST, "server"},
	    {KEY SERVER PASSWORD REST, "user"},
	    {KEY SERVER " user=1795345707" PASSWORD REST, "user"},
	    {KEY SERVER " user=0x1:" OWN ":" PEER PASSWORD REST, "user"},
	    /* for somebody else */
	    {KEY SERVER " user=1795345707:" PEER ":" OWN PASSWORD REST, "user"},
	    {KEY SERVER USER " password=short" REST, "password"},
	    {KEY SERVER USER
		" password=fR9cKw5EQNO30AugwtHRA+1vgmi3ZZQytKhdVpSDb2%0A" REST,
		"password"},
	    {KEY SERVER USER PASSWORD " priority=4294967296 lifetime_s=1",
		"priority"},
	    {KEY SERVER USER PASSWORD " priority=1", "lifetime_s"},
	    {KEY SERVER USER PASSWORD " priority=1 lifetime_s=0", "lifetime_s"},
	    {KEY SERVER USER PASSWORD " priority=1 lifetime_s=86401",
		"lifetime_s"},
	};

	(void)state;
	memset(&rec, 7, sizeof(rec));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(line(bad[i][0]), -EBADMSG);
		assert_string_equal(wrong, bad[i][1]);
		assert_int_equal(rec.n, (size_t)0x0707070707070707); /* left */
	}
}

static void
a_good_one(void **state)
{
	(void)state;
	assert_int_equal(line(KEY SERVER USER PASSWORD REST " new=1"), 0);
	assert_int_equal(rec.n, 2);
	assert_int_equal(rec.at[0].family, ADDR_V4);
	assert_int_equal(rec.at[1].port, 4002);
	assert_int_equal(rec.priority, 14680063);
	assert_int_equal(rec.lifetime_s, 3600);
	assert_int_equal(
	    line(KEY " server=[2001:db8::1]:1" USER PASSWORD REST), 0);
	assert_int_equal(rec.n, 1);
}

static void
no_relay_for_a_peer(void **state)
{
	(void)state;
	assert_int_equal(line(KEY), 0);
	assert_int_equal(rec.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_wrong_is_named),
	    cmocka_unit_test(a_good_one),
	    cmocka_unit_test(no_relay_for_a_peer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

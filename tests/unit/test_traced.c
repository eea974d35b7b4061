/* SPDX-License-Identifier: ISC */
/* What becomes of traced packets and of conntrack's entries: each way in which
 * a packet can end, its reason, and entries that get in each other's way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "flowtable.h"
#include "reason.h"
#include "traced.h"

static struct traced t;
static struct flowtable flows;

static int
setup(void **state)
{
	(void)state;
	return traced_init(&t, "witness") + flowtable_init(&flows);
}

static int
teardown(void **state)
{
	(void)state;
	traced_free(&t);
	flowtable_free(&flows);
	return 0;
}

static struct traceevent
event(uint32_t id, const char *table, const char *chain)
{
	struct traceevent e = {.id = id, .iif = 2, .has_packet = true};

	snprintf(e.table, sizeof(e.table), "%s", table);
	snprintf(e.chain, sizeof(e.chain), "%s", chain);
	e.packet.protocol = PACKET_UDP;
	e.packet.ttl = 64;
	e.packet.hash = 7;
	addr_parse(&e.packet.from, "192.0.2.1:1");
	addr_parse(&e.packet.to, "198.51.100.2:2");
	return e;
}

static struct traced_packet out;

static enum traced_end
step(const struct traceevent *e, uint64_t now_ms)
{
	return traced_step(&t, e, now_ms, now_ms * 1000, &out);
}

static void
test_dropped_by_a_rule(void **state)
{
	struct traceevent e = event(1, "witness", TRACED_EARLY);

	(void)state;
	assert_int_equal(step(&e, 1), TRACED_GOES_ON);
	e = event(1, "filter", "in");
	addr_parse(&e.packet.to, "192.168.1.2:3"); /* translated by then */
	e.dropped = true;
	assert_int_equal(step(&e, 2), TRACED_DROPPED);
	assert_int_equal(out.packet.to.port, 2);
	assert_int_equal(out.wall_us, 1000);
	assert_false(traced_vanished(&t, 1000, &out));
}

static void
test_delivered(void **state)
{
	struct traceevent e = event(1, "witness", TRACED_EARLY);

	(void)state;
	step(&e, 1);
	e = event(1, "witness", TRACED_INSIDE);
	e.handle = 10;
	assert_int_equal(step(&e, 2), TRACED_GOES_ON);
	assert_false(traced_vanished(&t, 1000, &out));
}

/* First the end of the chain, then the policy: no socket. */
static void
test_unwanted(void **state)
{
	struct traceevent e = event(1, "witness", TRACED_EARLY);

	(void)state;
	step(&e, 1);
	e = event(1, "witness", TRACED_INSIDE);
	assert_int_equal(step(&e, 2), TRACED_GOES_ON);
	e.has_packet = false;
	e.policy = true;
	assert_int_equal(step(&e, 2), TRACED_UNWANTED);
}

static void
test_forwarded_under_another_id(void **state)
{
	struct traceevent e = event(1, "witness", TRACED_EARLY);

	(void)state;
	step(&e, 1);
	e = event(9, "witness", TRACED_THROUGH);
	e.packet.ttl = 63;
	step(&e, 2);
	e = event(9, "witness", TRACED_AWAY);
	assert_int_equal(step(&e, 3), TRACED_GOES_ON);
	assert_false(traced_vanished(&t, 1000, &out));
}

static void
test_vanished(void **state)
{
	struct traceevent e = event(1, "witness", TRACED_EARLY);

	(void)state;
	e.packet.ttl = 1;
	step(&e, 1);
	assert_false(traced_vanished(&t, TRACED_WAIT_MS, &out));
	assert_int_equal(traced_next_ms(&t), TRACED_WAIT_MS + 1);
	assert_true(traced_vanished(&t, TRACED_WAIT_MS + 1, &out));
	assert_int_equal(out.packet.ttl, 1);
	assert_false(traced_vanished(&t, 1000, &out));
	assert_true(traced_next_ms(&t) == UINT64_MAX);
}

/* A fragment goes on as part of another packet, after the hook that saw it. */
static void
test_fragments_do_not_vanish(void **state)
{
	struct traceevent e = event(1, "witness", TRACED_EARLY);

	(void)state;
	e.packet.part = true;
	step(&e, 1);
	assert_false(traced_vanished(&t, 1000, &out));
}

static void
test_neighbours_are_no_news(void **state)
{
	struct traceevent e = event(1, "filter", "in");

	(void)state;
	e.dropped = true;
	addr_parse(&e.packet.to, "224.0.0.22:0");
	assert_int_equal(step(&e, 1), TRACED_GOES_ON);
}

static void
test_more_than_can_be_followed(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3 * TRACED_MAX; i++) {
		struct traceevent e = event(i, "witness", TRACED_EARLY);

		e.packet.hash = i;
		assert_int_equal(step(&e, 1), TRACED_GOES_ON);
	}
}

static void
assert_reason(struct reason_facts f, const char *want)
{
	char word[REASON_LEN];

	reason_find(&f, word);
	assert_string_equal(word, want);
}

static void
test_reasons(void **state)
{
	(void)state;
	assert_reason(
	    (struct reason_facts){.end = TRACED_VANISHED, .ttl = 1}, "ttl");
	assert_reason((struct reason_facts){.end = TRACED_VANISHED, .ttl = 9},
	    "not-routed");
	assert_reason(
	    (struct reason_facts){
		.end = TRACED_VANISHED, .ttl = 9, .too_big = true},
	    "too-big");
	assert_reason(
	    (struct reason_facts){.end = TRACED_UNWANTED}, "no-socket");
	assert_reason(
	    (struct reason_facts){.end = TRACED_UNWANTED, .public = true},
	    "no-mapping");
	assert_reason(
	    (struct reason_facts){
		.end = TRACED_UNWANTED, .public = true, .mapped = true},
	    "filtering");
	assert_reason((struct reason_facts){.end = TRACED_UNWANTED,
			  .public = true,
			  .mapped = true,
			  .hairpin = true},
	    "hairpin");
	/* the rule's own word comes first */
	assert_reason((struct reason_facts){.end = TRACED_DROPPED,
			  .public = true,
			  .comment = "drop blocked"},
	    "blocked");
	assert_reason((struct reason_facts){.end = TRACED_DROPPED,
			  .public = true,
			  .comment = "no-mappings at all"},
	    "no-mapping");
	assert_reason(
	    (struct reason_facts){.end = TRACED_DROPPED, .mapped = true},
	    "firewall");
}

static bool
local(void *arg, const struct addr *ip)
{
	struct addr wan;

	(void)arg;
	addr_parse(&wan, "198.51.100.2:0");
	return addr_equal_ip(ip, &wan);
}

static struct flow_news news;

static void
tell(enum ctevent_kind kind, uint32_t id, const char *from, const char *to,
    const char *reply_from, const char *reply_to)
{
	struct ctevent e = {.kind = kind, .id = id, .timeout_s = 30};

	e.original.protocol = e.reply.protocol = PACKET_UDP;
	addr_parse(&e.original.from, from);
	addr_parse(&e.original.to, to);
	addr_parse(&e.reply.from, reply_from);
	addr_parse(&e.reply.to, reply_to);
	flowtable_step(&flows, &e, local, NULL, &news);
}

static void
assert_flow(const char *internal, const char *external, const char *remote)
{
	char text[ADDR_STRLEN];

	assert_string_equal(addr_format(&news.flow.internal, text), internal);
	assert_string_equal(addr_format(&news.flow.external, text), external);
	assert_string_equal(addr_format(&news.flow.remote, text), remote);
}

#define HOST "192.168.1.2:4001"
#define WAN "198.51.100.2:4001"
#define PEER "203.0.113.2:4001"

/* Another port was taken, but nothing of the NAT's own is in the way. */
static void
test_other_port_is_no_clash(void **state)
{
	struct addr a;

	(void)state;
	tell(CTEVENT_NEW, 2, HOST, PEER, PEER, "198.51.100.2:999");
	assert_false(news.clash);
	addr_parse(&a, "198.51.100.2:999");
	assert_true(flowtable_mapped(&flows, PACKET_UDP, &a));
	assert_false(flowtable_mapped(&flows, PACKET_TCP, &a));
}

static void
test_poison_and_clash(void **state)
{
	struct addr a;

	(void)state;
	tell(CTEVENT_NEW, 1, PEER, WAN, WAN, PEER);
	assert_true(news.flow.own);
	assert_flow(WAN, WAN, PEER);
	addr_parse(&a, WAN);
	assert_false(flowtable_mapped(&flows, PACKET_UDP, &a));
	tell(CTEVENT_NEW, 2, HOST, PEER, PEER, "198.51.100.2:999");
	assert_true(news.clash);
	assert_flow(HOST, "198.51.100.2:999", PEER);
	tell(CTEVENT_DESTROY, 1, PEER, WAN, WAN, PEER);
	assert_int_equal(news.state, FLOW_EXPIRED);
	tell(CTEVENT_NEW, 3, HOST, PEER, PEER, "198.51.100.2:998");
	assert_false(news.clash);
}

static void
test_let_in_by_a_filter(void **state)
{
	(void)state;
	tell(CTEVENT_NEW, 1, PEER, WAN, HOST, PEER);
	assert_flow(HOST, WAN, PEER);
	assert_false(news.flow.own);
	tell(CTEVENT_UPDATE, 1, PEER, WAN, HOST, PEER);
	assert_int_equal(news.state, FLOW_REFRESHED);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_dropped_by_a_rule),
	    T(test_delivered),
	    T(test_unwanted),
	    T(test_forwarded_under_another_id),
	    T(test_vanished),
	    T(test_fragments_do_not_vanish),
	    T(test_neighbours_are_no_news),
	    T(test_more_than_can_be_followed),
	    T(test_reasons),
	    T(test_other_port_is_no_clash),
	    T(test_poison_and_clash),
	    T(test_let_in_by_a_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* The time line: which captured packets are one, how they end, what is folded
 * and left out; and the pictures, with names that would be markup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ladder.h"
#include "page.h"
#include "plain.h"
#include "svg.h"

#define MS 1000000u
#define START 1000000000000u

enum box {
	HA,
	NA,
	ISP,
	NB,
};

static void
feed(struct ladder *l, const char *line)
{
	struct record_view r;

	assert_int_equal(record_parse(&r, line, strlen(line)), 0);
	assert_int_equal(ladder_feed(l, &r), 0);
}

static int
setup(void **state)
{
	struct ladder *l = malloc(sizeof(*l));

	if (l == NULL || ladder_init(l) != 0)
		return -1;
	feed(l, "box name=ha kind=host");
	feed(l, "box name=na kind=router");
	feed(l, "box name=isp kind=router");
	feed(l, "box name=nb kind=router");
	feed(l, "interface box=ha name=eth addresses=192.168.1.2");
	feed(l, "interface box=na name=wan addresses=198.51.100.2,192.168.1.1");
	feed(l, "interface box=isp name=a addresses=198.51.100.254");
	feed(l, "interface box=nb name=wan addresses=203.0.113.2");
	*state = l;
	return 0;
}

static int
teardown(void **state)
{
	ladder_free(*state);
	free(*state);
	return 0;
}

static void
see(struct ladder *l, uint64_t ns, enum box box, bool out, const char *from,
    const char *to, uint8_t ttl, uint64_t hash)
{
	struct packet p = {.protocol = PACKET_UDP, .ttl = ttl, .hash = hash};
	struct describe d = {.name = "UDP, <3> bytes", .detail = "\"a&b\""};
	struct sight s = {.ns = START + ns,
	    .box = (int)box,
	    .at = (uint32_t)box * 2 + out,
	    .out = out,
	    .packet = &p,
	    .what = &d};

	assert_int_equal(addr_parse(&p.from, from), 0);
	assert_int_equal(addr_parse(&p.to, to), 0);
	assert_int_equal(trails_add(&l->trails, &s), 0);
}

#define IN "192.168.1.2:4001"
#define OUT "198.51.100.2:33946"
#define PEER "203.0.113.2:4001"

/* From ha through na and the router to nb. */
static void
pass(struct ladder *l, uint64_t ns, uint64_t hash)
{
	see(l, ns, HA, true, IN, PEER, 64, hash);
	see(l, ns + 1000, NA, false, IN, PEER, 64, hash);
	see(l, ns + 2000, NA, true, OUT, PEER, 63, hash);
	see(l, ns + 3000, ISP, false, OUT, PEER, 63, hash);
	see(l, ns + 4000, ISP, true, OUT, PEER, 62, hash);
	see(l, ns + 5000, NB, false, OUT, PEER, 62, hash);
}

static void
build(struct ladder *l)
{
	struct ladder_window w = {0};

	assert_int_equal(ladder_build(l, &w), 0);
}

static void
test_one_trail(void **state)
{
	struct ladder *l = *state;
	struct leg legs[TRAIL_HOPS];

	pass(l, 0, 7);
	build(l);
	assert_int_equal(l->nrow, 1);
	assert_int_equal(l->row[0].trail->n, 4);
	assert_int_equal(l->row[0].trail->end, TRAIL_ARRIVED);
	assert_int_equal(l->places.place[NA].kind, PLACE_NAT);
	/* the router passes it on, and has no lane */
	assert_int_equal(l->lane[ISP], -1);
	assert_int_equal(l->nlane, 3);
	assert_int_equal(ladder_legs(l, l->row[0].trail, legs), 2);
	assert_int_equal(legs[1].to_lane, l->lane[NB]);
	assert_true(legs[1].translated && !legs[0].translated);
}

static void
test_other_packets_are_not_it(void **state)
{
	struct ladder *l = *state;

	see(l, 0, HA, true, IN, PEER, 64, 7);
	see(l, 1000, NA, false, IN, PEER, 64, 8);	 /* another payload */
	see(l, 2000, NA, false, IN, PEER, 63, 7);	 /* another TTL */
	see(l, 3000, NA, false, IN, "1.2.3.4:1", 64, 7); /* another target */
	build(l);
	assert_int_equal(l->trails.n, 4);
	assert_int_equal(l->trails.trail[0].end, TRAIL_LOST);
}

static void
test_bridge_and_port_show_one(void **state)
{
	struct ladder *l = *state;
	struct packet p = {.protocol = PACKET_UDP, .ttl = 64, .hash = 7};
	struct describe d = {.name = "x"};
	struct sight s = {
	    .ns = START + 1100, .box = NA, .at = 99, .packet = &p, .what = &d};

	see(l, 0, HA, true, IN, PEER, 64, 7);
	see(l, 1000, NA, false, IN, PEER, 64, 7);
	addr_parse(&p.from, IN);
	addr_parse(&p.to, PEER);
	assert_int_equal(trails_add(&l->trails, &s), 0);
	assert_int_equal(l->trails.n, 1);
	assert_int_equal(l->trails.trail[0].n, 2);
}

static void
test_made_twice(void **state)
{
	struct ladder *l = *state;

	see(l, 0, HA, true, IN, PEER, 64, 7);
	see(l, 1000, NA, false, IN, PEER, 64, 7);
	see(l, 2000, NA, false, IN, PEER, 64, 7);
	assert_int_equal(l->trails.n, 2);
	assert_true(l->trails.trail[1].duplicate);
	assert_int_equal(l->trails.trail[1].hop[0].box, HA);
}

static void
test_drop_with_its_reason(void **state)
{
	struct ladder *l = *state;
	char text[128];

	pass(l, 0, 7);
	feed(l, "drop box=nb protocol=udp from=" OUT " to=" PEER
		" reason=filtering rule=ip/nat/in/68 time_us=1000000010");
	build(l);
	assert_int_equal(l->nrow, 1);
	assert_int_equal(l->row[0].trail->end, TRAIL_DROPPED);
	plain_end(l, l->row[0].trail, text, sizeof(text));
	assert_string_equal(text, "nb drops it: filtering (rule ip/nat/in/68)");
}

static void
test_drop_of_another_packet(void **state)
{
	struct ladder *l = *state;

	pass(l, 0, 7);
	feed(l, "drop box=nb protocol=udp from=" OUT " to=203.0.113.2:9"
		" reason=filtering rule=r time_us=1000000010");
	build(l);
	assert_int_equal(l->nrow, 2);
	assert_int_equal(l->row[0].trail->end, TRAIL_ARRIVED);
	assert_int_equal(l->row[1].kind, ROW_DROP);
}

static void
test_malformed_records(void **state)
{
	static const char *const bad[] = {
	    "drop box=nobody from=1.2.3.4:1 to=1.2.3.4:2 reason=x time_us=1",
	    "drop box=nb from=1.2.3.4:1 to=1.2.3.4:2 reason=x",
	    "drop box=nb from=1.2.3.4:1 to=1.2.3.4:2 time_us=1",
	    "drop box=nb from=x to=1.2.3.4:2 reason=x time_us=1",
	    "mapping box=nb state=made internal=1.2.3.4:1 time_us=1",
	    "box kind=host",
	    "box name=%3Cb%3E",
	    "interface box=nobody name=eth",
	};
	struct ladder *l = *state;
	struct record_view r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(record_parse(&r, bad[i], strlen(bad[i])), 0);
		assert_int_equal(ladder_feed(l, &r), -EBADMSG);
	}
}

/* The record came 20 ms late: the mapping was made by the packet. */
static void
test_mapping_after_its_packet(void **state)
{
	struct ladder *l = *state;

	pass(l, 0, 7);
	see(l, 10 * MS, HA, true, IN, "192.0.2.1:9", 64, 8);
	feed(l, "mapping box=na state=made protocol=udp internal=" IN
		" external=" OUT " remote=" PEER
		" timeout_s=30 reason=clash time_us=1000020000");
	build(l);
	assert_int_equal(l->nrow, 3);
	assert_int_equal(l->row[1].kind, ROW_MAPPING);
}

static void
test_repeats_fold(void **state)
{
	struct ladder *l = *state;

	for (uint64_t i = 0; i < 5; i++)
		pass(l, i * 500 * MS, 7 + i);
	build(l);
	assert_int_equal(l->nrow, 1);
	assert_int_equal(l->row[0].times, 5);
	assert_true(l->row[0].last_ns == START + 2000 * MS);
}

/* ... but not over what happens to a mapping in between. */
static void
test_repeats_keep_order(void **state)
{
	struct ladder *l = *state;

	pass(l, 0, 7);
	pass(l, 500 * MS, 8);
	feed(l, "mapping box=na state=expired protocol=udp internal=" IN
		" external=" OUT " remote=" PEER " time_us=1000200000");
	build(l);
	assert_int_equal(l->nrow, 3);
}

static void
test_window(void **state)
{
	struct ladder_window w = {.begin_ms = 10, .end_ms = 30, .rows = 1};
	struct ladder *l = *state;
	char text[128];

	for (uint64_t i = 0; i < 5; i++)
		see(l, i * 10 * MS, HA, true, IN, PEER, (uint8_t)(64 + i),
		    7 + i);
	w.repeats = true;
	assert_int_equal(ladder_build(l, &w), 0);
	assert_int_equal(l->nrow, 1);
	assert_string_equal(plain_left_out(l, text, sizeof(text)),
	    "1 row before; 2 rows after; 1 row that found no room");
}

static char *
written(struct ladder *l, int (*fn)(FILE *, struct ladder *, const char *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(fn(f, l, "<script>alert(1)</script>&"), 0);
	fclose(f);
	return text;
}

static int
plain(FILE *f, struct ladder *l, const char *title)
{
	(void)title;
	return plain_write(f, l);
}

static void
test_text(void **state)
{
	struct ladder *l = *state;
	char *text;

	pass(l, 0, 7);
	build(l);
	text = written(l, plain);
	assert_non_null(
	    strstr(text, IN " > " PEER " | na: " OUT " > " PEER "\n"));
	assert_non_null(strstr(text, "     0.000    o------------------>*---"
				     "--------------->|\n"));
	for (char *line = strtok(text, "\n"); line != NULL;
	     line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= PLAIN_WIDTH);
	free(text);
}

static void
test_markup_is_escaped(void **state)
{
	struct ladder *l = *state;
	char *text;

	pass(l, 0, 7);
	feed(l, "mapping box=na state=%22%3E%3Cscript%3E protocol=udp "
		"internal=" IN " external=" OUT " remote=" PEER
		" reason=%3Cb%3E time_us=1000000001");
	build(l);
	text = written(l, svg_write);
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "<b>"));
	assert_non_null(strstr(text, "UDP, &lt;3&gt; bytes: &quot;a&amp;b"));
	free(text);
	text = written(l, page_write);
	assert_null(strstr(text, "<script>alert"));
	assert_non_null(strstr(text, "data-reason=\"&lt;b&gt;\""));
	free(text);
}

/* A page holds what fits, and says what doesn't. */
static void
test_page_is_not_overfull(void **state)
{
	struct ladder_window w = {.repeats = true};
	struct ladder *l = *state;
	char *text;

	for (uint64_t i = 0; i < 500; i++)
		pass(l, i * MS, 7 + i);
	assert_int_equal(ladder_build(l, &w), 0);
	text = written(l, svg_write);
	assert_true(l->nrow > 15 && l->nrow < 60);
	assert_non_null(strstr(text, "rows that found no room"));
	free(text);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_one_trail),
	    T(test_other_packets_are_not_it),
	    T(test_bridge_and_port_show_one),
	    T(test_made_twice),
	    T(test_drop_with_its_reason),
	    T(test_drop_of_another_packet),
	    T(test_malformed_records),
	    T(test_mapping_after_its_packet),
	    T(test_repeats_fold),
	    T(test_repeats_keep_order),
	    T(test_window),
	    T(test_text),
	    T(test_markup_is_escaped),
	    T(test_page_is_not_overfull),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* How joints end: every way in which one side can, and that the other one is
 * told, so that nothing is ever lost silently. */
#include "joint_fixture.h"

static struct fx_side x, y; /* the opener's, the answerer's */
static int a[2], b[2];	    /* their sockets: [0] the joint's, [1] far */

/* The opener's stream is there, and waits to be answered. */
static void
ask(void (*pair)(int s[2]))
{
	pair(a);
	fx_open(&x, a[0], a[0]);
	FX_UNTIL(fx_n_offers == 1);
}

static void
join(void (*pair)(int s[2]))
{
	ask(pair);
	pair(b);
	fx_accept(&y, fx_offers[0], b[0], b[0]);
	FX_UNTIL(x.answered);
}

static void
leave(void)
{
	close(a[1]);
	close(b[1]);
}

static void
say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Waits for that, and no more. "": the end. */
static void
hear(int fd, const char *text)
{
	char buf[100];
	size_t got = 0, len = strlen(text);

	do {
		ssize_t r;

		FX_UNTIL((r = recv(fd, buf + got, sizeof(buf) - got,
			      MSG_DONTWAIT)) != -1 ||
			 errno != EAGAIN);
		if (r == -1)
			fail_msg("%s for \"%s\"", strerror(errno), text);
		assert_true(r > 0 || len == 0);
		got += (size_t)r;
	} while (got < len);
	assert_int_equal(got, len);
	assert_memory_equal(buf, text, len);
}

static void
hear_reset(int fd)
{
	char buf[65536];
	ssize_t r;

	FX_UNTIL((r = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) == 0 ||
		 (r == -1 && errno != EAGAIN));
	assert_int_equal(r, -1);
	assert_int_equal(errno, ECONNRESET);
}

static void
reset(int fd)
{
	struct linger at_once = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void
ended(enum joint_end ours, enum joint_end theirs)
{
	FX_UNTIL(x.ended && y.ended);
	assert_string_equal(joint_end_name(x.r.end), joint_end_name(ours));
	assert_string_equal(joint_end_name(y.r.end), joint_end_name(theirs));
	assert_int_equal(x.ended + y.ended, 2);
}

static void
each_direction_has_its_own_end(void **state)
{
	(void)state;
	join(fx_pair);
	say(a[1], "question");
	shutdown(a[1], SHUT_WR);
	hear(b[1], "question");
	hear(b[1], "");
	fx_turn(4);
	assert_int_equal(x.ended + y.ended, 0);
	say(b[1], "late answer");
	hear(a[1], "late answer");
	shutdown(b[1], SHUT_WR);
	hear(a[1], "");
	ended(JOINT_DONE, JOINT_DONE);
	leave();
}

static void
and_the_other_one_first(void **state)
{
	(void)state;
	join(loopback_tcp);
	say(b[1], "banner");
	shutdown(b[1], SHUT_WR);
	hear(a[1], "banner");
	hear(a[1], "");
	say(a[1], "bye");
	close(a[1]);
	hear(b[1], "bye");
	hear(b[1], "");
	ended(JOINT_DONE, JOINT_DONE);
	close(b[1]);
}

static void
refused(void **state)
{
	(void)state;
	fx_pair(a);
	fx_open(&x, a[0], a[0]);
	say(a[1], "early data");
	FX_UNTIL(fx_n_offers == 1);
	joint_refuse(fx_offers[0], OPENING_PERMIT);
	FX_UNTIL(x.ended);
	assert_int_equal(x.r.end, JOINT_REFUSED);
	assert_int_equal(x.r.reason, OPENING_PERMIT);
	assert_int_equal(x.reason, OPENING_PERMIT);
	assert_int_equal(x.answered, 1);
	hear(a[1], "");
	close(a[1]);
}

/* Far ends that are TCP see an error, not an end. */
static void
a_connection_that_is_reset_resets_the_other(void **state)
{
	(void)state;
	join(loopback_tcp);
	say(a[1], "some");
	hear(b[1], "some");
	reset(a[1]);
	hear_reset(b[1]);
	ended(JOINT_READ, JOINT_ABORTED);
	close(b[1]);
}

static void
also_while_nobody_reads(void **state)
{
	struct fx_feeder f;
	struct joint_status s;
	uint64_t sent = 0;

	(void)state;
	join(loopback_tcp);
	fx_feed(&f, a[1], UINT64_MAX);
	do {
		sent = f.sent;
		fx_turn(20);
	} while (sent != f.sent || sent == 0);
	joint_status(x.j, &s);
	assert_true(s.queued >= JOINT_AHEAD);
	fx_feed_end(&f);
	reset(a[1]);
	ended(JOINT_READ, JOINT_ABORTED);
	hear_reset(b[1]);
	close(b[1]);
}

/* The target is gone with bytes of ours unread. */
static void
bytes_that_nobody_took_are_an_error(void **state)
{
	struct fx_feeder f;

	(void)state;
	join(loopback_tcp);
	fx_feed(&f, a[1], UINT64_MAX);
	FX_UNTIL(f.sent > 3000000);
	close(b[1]); /* with unread data: RST */
	FX_UNTIL(f.over);
	assert_true(f.error == ECONNRESET || f.error == EPIPE);
	FX_UNTIL(x.ended && y.ended);
	assert_true(x.r.end == JOINT_STOPPED || x.r.end == JOINT_ABORTED);
	assert_true(y.r.end == JOINT_WRITE || y.r.end == JOINT_READ);
	fx_feed_end(&f);
	close(a[1]);
}

/* ---- pipes: as programs have them ---- */

static int p_in[2], p_out[2]; /* the answerer's */

static void
join_pipes(void)
{
	ask(fx_pair);
	assert_int_equal(pipe(p_in), 0);
	assert_int_equal(pipe(p_out), 0);
	fx_accept(&y, fx_offers[0], p_in[0], p_out[1]);
	FX_UNTIL(x.answered);
}

/* As `date`: it reads nothing, and says all it has to say. */
static void
a_program_that_reads_nothing(void **state)
{
	(void)state;
	join_pipes();
	say(p_in[1], "Sun Nov 22");
	close(p_out[0]);
	close(p_in[1]);
	hear(a[1], "Sun Nov 22");
	hear(a[1], "");
	/* our end is still open, and not waited for: nothing was lost */
	ended(JOINT_DONE, JOINT_DONE);
	close(a[1]);
}

static void
nor_does_it_take_what_was_sent(void **state)
{
	struct fx_feeder f;
	struct fx_drain d;

	(void)state;
	join_pipes();
	fx_drain(&d, a[1]);
	fx_feed(&f, dup(a[1]), 1000000);
	f.keep = true;
	FX_UNTIL(f.sent > 300000);
	close(p_out[0]);
	assert_int_equal(write(p_in[1], fx_pattern(0), 200), 200);
	close(p_in[1]);
	/* all it said has come, and that it did not listen is told */
	ended(JOINT_STOPPED, JOINT_WRITE);
	FX_UNTIL(d.end || d.error);
	assert_int_equal(d.got, 200);
	assert_false(d.wrong);
	assert_true(x.r.sent < 300000);
	fx_feed_end(&f);
	fx_drain_end(&d);
	close(f.fd);
	close(a[1]);
}

/* It stops listening and goes on talking. */
static void
a_program_that_closes_its_input(void **state)
{
	struct fx_drain d;

	(void)state;
	join_pipes();
	shutdown(a[1], SHUT_WR);
	close(p_out[0]);
	fx_drain(&d, a[1]);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(
		    write(p_in[1], fx_pattern((uint64_t)i * 200), 200), 200);
		fx_turn(1);
	}
	close(p_in[1]);
	ended(JOINT_DONE, JOINT_DONE);
	FX_UNTIL(d.end);
	assert_int_equal(d.got, 20000);
	assert_false(d.wrong);
	fx_drain_end(&d);
	close(a[1]);
}

/* ours | head -1 */
static void
our_reader_is_gone(void **state)
{
	int in[2], out[2];
	struct fx_feeder f;

	(void)state;
	fx_pair(b);
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	fx_open(&x, in[0], out[1]);
	FX_UNTIL(fx_n_offers == 1);
	fx_accept(&y, fx_offers[0], b[0], b[0]);
	close(in[1]);
	fx_feed(&f, b[1], UINT64_MAX);
	FX_UNTIL(f.sent > 500000);
	close(out[0]);
	ended(JOINT_WRITE, JOINT_STOPPED);
	FX_UNTIL(f.over);
	fx_feed_end(&f);
	close(b[1]);
}

static void
a_full_disk(void **state)
{
	struct fx_feeder f;

	(void)state;
	ask(fx_pair);
	fx_accept(&y, fx_offers[0], -1, open("/dev/full", O_WRONLY));
	fx_feed(&f, a[1], 100000);
	f.half = true;
	ended(JOINT_STOPPED, JOINT_WRITE);
	assert_int_equal(x.r.sent, 0);
	assert_int_equal(y.r.received, 0);
	fx_feed_end(&f);
	close(a[1]);
}

/* ---- configurations ---- */

static void
who_wants_nothing_gets_nothing(void **state)
{
	(void)state;
	ask(fx_pair);
	fx_accept(&y, fx_offers[0], -1, -1);
	say(a[1], "unasked");
	ended(JOINT_STOPPED, JOINT_ABORTED);
	close(a[1]);
}

static void
held_it_ends_when_told(void **state)
{
	struct joint_config c = fx_config(&x, -1, -1);

	(void)state;
	c.hold = true;
	fx_open_as(&x, OPENING_PROGRAM, &c);
	FX_UNTIL(fx_n_offers == 1);
	c = fx_config(&y, -1, -1);
	c.hold = true;
	y.j = fx_offers[0];
	assert_int_equal(joint_accept(y.j, 80, &c), 0);
	FX_UNTIL(x.answered);
	assert_int_equal(x.port, 80);
	fx_turn(10);
	assert_int_equal(x.ended + y.ended, 0);
	joint_finish(x.j); /* and the other's end follows */
	ended(JOINT_DONE, JOINT_DONE);
}

static void
a_listener_ends_with_its_peer(void **state)
{
	struct joint_config c;

	(void)state;
	ask(fx_pair);
	fx_pair(b);
	say(b[1], "typed before");
	c = fx_config(&y, b[0], b[0]);
	c.listen_end = true;
	y.j = fx_offers[0];
	shutdown(a[1], SHUT_WR);
	fx_turn(4);
	assert_int_equal(joint_accept(y.j, 0, &c), 0);
	hear(a[1], "typed before");
	hear(a[1], "");
	ended(JOINT_DONE, JOINT_DONE);
	leave();
}

static void
cancelled(void **state)
{
	(void)state;
	join(loopback_tcp);
	joint_cancel(x.j, false);
	assert_int_equal(x.ended, 1); /* from within */
	ended(JOINT_CLOSED, JOINT_ABORTED);
	hear_reset(a[1]);
	hear_reset(b[1]);
	leave();
}

static void
cancelled_quietly(void **state)
{
	(void)state;
	join(fx_pair);
	joint_cancel(y.j, true);
	FX_UNTIL(x.ended);
	assert_int_equal(x.r.end, JOINT_ABORTED);
	fx_turn(4);
	assert_int_equal(y.ended, 0);
	leave();
}

static int gone;

static void
on_gone(void *arg, struct joint *j)
{
	assert_ptr_equal(j, fx_offers[0]);
	assert_ptr_equal(arg, &gone);
	gone++;
}

static void
who_looks_for_an_answer_hears_that_it_is_late(void **state)
{
	(void)state;
	gone = 0;
	ask(fx_pair);
	joint_on_gone(fx_offers[0], on_gone, &gone);
	joint_cancel(x.j, true);
	FX_UNTIL(gone == 1);
	close(a[1]);
}

/* ---- connections ---- */

static void
without_a_path_it_waits_so_long(void **state)
{
	uint8_t key[KEY_LEN] = {9};
	struct link *l = tunnel_link(fx_a, key);
	struct opening what = fx_what(OPENING_PROGRAM);
	struct joint_config c;

	(void)state;
	fx_pair(a);
	say(a[1], "kept");
	c = fx_config(&x, a[0], a[0]);
	c.wait_ms = 50;
	assert_int_equal(joint_open(&x.j, l, &what, &c), 0);
	FX_UNTIL(x.ended);
	assert_int_equal(x.r.end, JOINT_NO_PATH);
	close(a[1]);
}

/* It is told, and so is everybody who waits for its bytes. */
static void
a_process_that_ends(void **state)
{
	struct fx_feeder f;

	(void)state;
	join(loopback_tcp);
	fx_feed(&f, b[1], UINT64_MAX);
	FX_UNTIL(f.sent > 1000000);
	tunnel_free(fx_b);
	fx_b = NULL;
	assert_int_equal(y.ended, 1);
	assert_int_equal(y.r.end, JOINT_CLOSED);
	FX_UNTIL(x.ended);
	assert_int_equal(x.r.end, JOINT_ABORTED);
	hear_reset(a[1]);
	FX_UNTIL(f.over);
	fx_feed_end(&f);
	leave();
}

/* One that ends when it is done may have done so before its last
 * acknowledgement went out: its good-bye says that all was well. */
static void
ends_well(const int ours[2], const int theirs[2], const struct fx_side *us,
    struct tunnel **t)
{
	join(fx_pair);
	say(ours[1], "first words");
	shutdown(ours[1], SHUT_WR);
	hear(theirs[1], "first words");
	hear(theirs[1], "");
	fx_turn(10); /* our end is acknowledged */
	say(theirs[1], "last words");
	hear(ours[1], "last words");
	fx_turn(10); /* acknowledged, too: the end goes alone */
	shutdown(theirs[1], SHUT_WR);
	FX_UNTIL(us->ended);
	tunnel_free(*t);
	*t = NULL;
	ended(JOINT_DONE, JOINT_DONE);
	hear(ours[1], "");
	leave();
}

static void
a_process_that_ends_well(void **state)
{
	(void)state;
	ends_well(b, a, &y, &fx_b);
}

static void
an_opener_that_ends_well(void **state)
{
	(void)state;
	ends_well(a, b, &x, &fx_a);
}

static void
what_waits_to_be_written_outlives_the_connection(void **state)
{
	struct fx_feeder f;
	struct fx_drain d;
	struct link_status s;

	(void)state;
	join(fx_pair);
	shutdown(b[1], SHUT_WR);
	hear(a[1], "");
	fx_feed(&f, a[1], 300000); /* fits in socket and window */
	f.half = true;
	FX_UNTIL(f.over);
	FX_UNTIL((link_status(fx_lb, &s), s.streams == 0));
	FX_UNTIL(x.ended);
	assert_int_equal(y.ended, 0);
	tunnel_free(fx_a);
	fx_a = NULL;
	fx_turn(10);
	fx_drain(&d, b[1]);
	ended(JOINT_DONE, JOINT_DONE);
	FX_UNTIL(d.end);
	assert_int_equal(d.got, 300000);
	assert_false(d.wrong);
	fx_feed_end(&f);
	fx_drain_end(&d);
	leave();
}

/* ---- a path that loses one packet in ten ---- */

static int wire[2]; /* between the relay and b, and a */

static void
lossy_cb(evutil_socket_t fd, short events, void *arg)
{
	uint8_t buf[2048];
	ssize_t r;

	(void)events;
	(void)arg;
	while ((r = recv((int)fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0)
		if (randombytes_uniform(10) != 0)
			send(fd == wire[0] ? wire[1] : wire[0], buf, (size_t)r,
			    MSG_DONTWAIT);
}

#define ROUNDS 60

static struct fx_side answerers[ROUNDS];

static void
answer(struct joint *j)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	fx_accept(&answerers[joint_what(j)->id], j, p[0], p[1]); /* an echo */
}

/* Whatever the connection still held of them, it was there until the end. */
static void
given_up_at_any_time(void **state)
{
	struct opening what = fx_what(OPENING_BACK);
	struct joint_config c;
	static struct fx_side s[ROUNDS];
	static struct fx_feeder f[ROUNDS];
	static struct fx_drain d[ROUNDS];
	struct event *ev[2];
	int p[2];

	(void)state;
	memset(answerers, 0, sizeof(answerers));
	wire[1] = fx_bare_path(fx_la, fx_a);
	wire[0] = fx_bare_path(fx_lb, fx_b);
	for (int i = 0; i < 2; i++) {
		ev[i] = loop_event(
		    &fx_loop, wire[i], EV_READ | EV_PERSIST, lossy_cb, NULL);
		event_add(ev[i], NULL);
	}
	fx_on_offer = answer;
	for (int i = 0; i < ROUNDS; i++) {
		fx_pair(p);
		c = fx_config(&s[i], p[0], p[0]);
		what.id = (uint32_t)i;
		assert_int_equal(joint_open(&s[i].j, fx_la, &what, &c), 0);
		fx_feed(&f[i], p[1], i % 2 ? UINT64_MAX : 20000);
		f[i].half = true;
		fx_drain(&d[i], p[1]);
		if (i % 2 == 0)
			continue;
		fx_turn(1 + (int)randombytes_uniform(3));
		if (i % 4 == 1 && answerers[i].j != NULL)
			joint_cancel(answerers[i].j, false);
		else if (s[i].j != NULL)
			joint_cancel(s[i].j, false);
	}
	for (int i = 0; i < ROUNDS; i++) {
		FX_UNTIL(s[i].ended && (d[i].end || d[i].error));
		assert_false(d[i].wrong);
		if (i % 2 == 0) {
			assert_int_equal(s[i].r.end, JOINT_DONE);
			assert_int_equal(d[i].got, 20000);
		} else {
			assert_int_not_equal(s[i].r.end, JOINT_DONE);
		}
		fx_feed_end(&f[i]);
		fx_drain_end(&d[i]);
		close(f[i].fd);
	}
	FX_UNTIL(fx_streams(fx_la) == 0 && fx_streams(fx_lb) == 0);
	for (int i = 0; i < 2; i++) {
		event_free(ev[i]);
		close(wire[i]);
	}
}

static void
ended_and_forget(void *arg, const struct joint_result *r)
{
	fx_ended(arg, r);
	tunnel_forget(fx_a, fx_la);
}

static void
the_end_may_end_the_link(void **state)
{
	struct joint_config c;

	(void)state;
	fx_pair(a);
	c = fx_config(&x, a[0], a[0]);
	c.ended = ended_and_forget;
	fx_open_as(&x, OPENING_PROGRAM, &c);
	FX_UNTIL(fx_n_offers == 1);
	fx_accept(&y, fx_offers[0], -1, -1);
	shutdown(a[1], SHUT_WR);
	FX_UNTIL(x.ended);
	assert_int_equal(x.r.end, JOINT_DONE);
	assert_null(tunnel_find(fx_a, fx_pub[1]));
	FX_UNTIL(y.ended);
	close(a[1]);
	fx_la = tunnel_link(fx_a, fx_pub[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fx_start, fx_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_direction_has_its_own_end),
	    TEST(and_the_other_one_first),
	    TEST(refused),
	    TEST(a_connection_that_is_reset_resets_the_other),
	    TEST(also_while_nobody_reads),
	    TEST(bytes_that_nobody_took_are_an_error),
	    TEST(a_program_that_reads_nothing),
	    TEST(nor_does_it_take_what_was_sent),
	    TEST(a_program_that_closes_its_input),
	    TEST(our_reader_is_gone),
	    TEST(a_full_disk),
	    TEST(who_wants_nothing_gets_nothing),
	    TEST(held_it_ends_when_told),
	    TEST(a_listener_ends_with_its_peer),
	    TEST(cancelled),
	    TEST(cancelled_quietly),
	    TEST(who_looks_for_an_answer_hears_that_it_is_late),
	    TEST(without_a_path_it_waits_so_long),
	    TEST(a_process_that_ends),
	    TEST(a_process_that_ends_well),
	    TEST(an_opener_that_ends_well),
	    TEST(what_waits_to_be_written_outlives_the_connection),
	    TEST(the_end_may_end_the_link),
	    TEST(given_up_at_any_time),
	};

	if (sodium_init() == -1)
		return 1;
	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

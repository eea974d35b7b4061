/* SPDX-License-Identifier: ISC */
/* Joints over a real connection: every kind of descriptor, every bound, many at
 * once. How they end is test_jointend.c's. */
#include "joint_fixture.h"

#define LEN 1500000

/* in and out of a joint, and their far ends. */
struct ends {
	int in, out, far_in, far_out;
};

static void
socket_ends(struct ends *e)
{
	int s[2];

	fx_pair(s);
	*e = (struct ends){s[0], s[0], s[1], dup(s[1])};
}

static void
tcp_ends(struct ends *e)
{
	int s[2];

	loopback_tcp(s);
	*e = (struct ends){s[0], s[0], s[1], dup(s[1])};
}

static void
pipe_ends(struct ends *e)
{
	int a[2], b[2];

	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	*e = (struct ends){a[0], b[1], a[1], b[0]};
}

/* As inetd gives it: one socket by two numbers. */
static void
twice_ends(struct ends *e)
{
	int s[2];

	fx_pair(s);
	*e = (struct ends){s[0], dup(s[0]), s[1], dup(s[1])};
}

/* A terminal to read, and one to write; their masters are the far ends. */
static void
terminal_ends(struct ends *e)
{
	struct termios raw;
	int m, s;

	assert_int_equal(openpty(&m, &s, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(s, &raw), 0);
	cfmakeraw(&raw);
	tcsetattr(s, TCSANOW, &raw);
	e->in = s;
	e->far_in = m;
	assert_int_equal(openpty(&m, &s, NULL, NULL, NULL), 0);
	tcsetattr(s, TCSANOW, &raw);
	e->out = s;
	e->far_out = m;
}

static void
both_ways(void (*a)(struct ends *e), void (*b)(struct ends *e), uint64_t len)
{
	struct fx_side x, y;
	struct fx_feeder fa, fb;
	struct fx_drain da, db;
	struct ends ea, eb;

	a(&ea);
	b(&eb);
	fx_open(&x, ea.in, ea.out);
	FX_UNTIL(fx_n_offers == 1);
	fx_accept(&y, fx_offers[0], eb.in, eb.out);
	fx_feed(&fa, ea.far_in, len);
	fx_feed(&fb, eb.far_in, 2 * len);
	fa.half = fb.half =
	    a == socket_ends || a == tcp_ends || a == twice_ends;
	fx_drain(&da, ea.far_out);
	fx_drain(&db, eb.far_out);
	if (a == terminal_ends) { /* closed too soon it would lose its bytes */
		fa.keep = true;
		FX_UNTIL(fa.over && db.got == len);
		close(ea.far_in);
	}
	FX_UNTIL(x.ended && y.ended);
	FX_UNTIL((da.end || da.error) && (db.end || db.error));
	assert_int_equal(x.r.end, JOINT_DONE);
	assert_int_equal(y.r.end, JOINT_DONE);
	assert_int_equal(x.answered, 1);
	assert_int_equal(da.got, 2 * len);
	assert_int_equal(db.got, len);
	assert_false(da.wrong || db.wrong);
	assert_int_equal(x.r.sent, len);
	assert_int_equal(x.r.received, 2 * len);
	assert_int_equal(y.r.sent, 2 * len);
	assert_int_equal(y.r.received, len);
	fx_feed_end(&fa);
	fx_feed_end(&fb);
	fx_drain_end(&da);
	fx_drain_end(&db);
	if (fa.half) {
		close(ea.far_in);
		close(eb.far_in);
	}
	close(ea.far_out);
	close(eb.far_out);
}

static void
sockets(void **state)
{
	(void)state;
	both_ways(socket_ends, socket_ends, LEN);
}

static void
tcp(void **state)
{
	(void)state;
	both_ways(tcp_ends, tcp_ends, LEN);
}

static void
pipes(void **state)
{
	(void)state;
	both_ways(pipe_ends, pipe_ends, LEN);
}

static void
one_socket_by_two_numbers(void **state)
{
	(void)state;
	both_ways(twice_ends, twice_ends, LEN);
}

static void
terminals(void **state)
{
	(void)state;
	both_ways(terminal_ends, pipe_ends, 100000);
}

static void
nothing_at_all(void **state)
{
	(void)state;
	both_ways(pipe_ends, pipe_ends, 0);
}

static void
from_file_to_file(void **state)
{
	struct fx_side x, y;
	FILE *from = tmpfile(), *to = tmpfile();
	uint8_t buf[FX_PIECE];
	uint64_t at = 0;

	(void)state;
	while (at < LEN) {
		assert_int_equal(fwrite(fx_pattern(at), FX_PIECE, 1, from), 1);
		at += FX_PIECE;
	}
	fflush(from);
	lseek(fileno(from), 0, SEEK_SET);
	fx_open(&x, dup(fileno(from)), -1);
	FX_UNTIL(fx_n_offers == 1);
	fx_accept(
	    &y, fx_offers[0], open("/dev/null", O_RDONLY), dup(fileno(to)));
	FX_UNTIL(x.ended && y.ended);
	assert_int_equal(x.r.end, JOINT_DONE);
	assert_int_equal(y.r.end, JOINT_DONE);
	assert_int_equal(y.r.received, at);
	rewind(to);
	for (uint64_t n = 0; n < at; n += FX_PIECE) {
		assert_int_equal(fread(buf, FX_PIECE, 1, to), 1);
		assert_memory_equal(buf, fx_pattern(n), FX_PIECE);
	}
	assert_int_equal(fread(buf, 1, 1, to), 0);
	fclose(from);
	fclose(to);
}

/* ---- many at once ---- */

#define MANY 200
#define EACH 40000

static struct fx_side many_y[MANY];

/* An echo: what comes out of the joint goes into it again. */
static void
echo(struct joint *j)
{
	static size_t n;
	int p[2];

	assert_int_equal(pipe(p), 0);
	fx_accept(&many_y[n % MANY], j, p[0], p[1]);
	n++;
}

static void
two_hundred_at_once(void **state)
{
	static struct fx_side x[MANY];
	static struct fx_feeder f[MANY];
	static struct fx_drain d[MANY];
	int s[MANY][2];

	(void)state;
	fx_on_offer = echo;
	for (int i = 0; i < MANY; i++) {
		fx_pair(s[i]);
		fx_open(&x[i], s[i][0], s[i][0]);
		fx_feed(&f[i], s[i][1], EACH);
		f[i].half = true;
		fx_drain(&d[i], s[i][1]);
	}
	for (int i = 0; i < MANY; i++) {
		FX_UNTIL(x[i].ended && d[i].end);
		assert_int_equal(x[i].r.end, JOINT_DONE);
		assert_int_equal(d[i].got, EACH);
		assert_false(d[i].wrong);
		fx_feed_end(&f[i]);
		fx_drain_end(&d[i]);
		close(s[i][1]);
	}
	for (int i = 0; i < MANY; i++)
		FX_UNTIL(many_y[i].ended);
}

/* ---- bounds ---- */

/* Nobody reads them. */
static void
stall(struct joint *j)
{
	static size_t n;
	int s[2];

	fx_pair(s);
	fx_accept(&many_y[n % MANY], j, s[0], s[0]);
	n++;
}

static uint64_t
unwritten(struct link *l)
{
	uint64_t sum = 0;

	for (struct joint *j = joint_next_of(l, NULL); j != NULL;
	     j = joint_next_of(l, j)) {
		struct joint_status s;

		joint_status(j, &s);
		assert_true(s.unwritten <= s.window);
		assert_true(s.queued <= JOINT_AHEAD + s.window + 2048);
		sum += s.unwritten;
	}
	return sum;
}

/* Their memory is bounded, and another stream is as fast as ever. */
static void
who_never_reads_blocks_nobody(void **state)
{
	static struct fx_side x[MANY];
	static struct fx_feeder f[MANY];
	struct fx_side fast, fast_y;
	struct fx_feeder feed;
	struct fx_drain drain;
	int p[2], q[2];

	(void)state;
	fx_on_offer = stall;
	for (int i = 0; i < MANY; i++) {
		int s[2];

		fx_pair(s);
		fx_open(&x[i], s[0], s[0]);
		fx_feed(&f[i], s[1], UINT64_MAX);
	}
	FX_UNTIL(fx_n_offers == MANY);
	for (uint64_t before = 0, now; (now = unwritten(fx_lb)) != before ||
				       now < MANY * (uint64_t)JOINT_WINDOW;
	     before = now)
		fx_turn(20);
	assert_true(fx_memory(fx_lb) <= FX_BUDGET);
	assert_true(fx_memory(fx_la) <= FX_BUDGET);
	assert_true(unwritten(fx_lb) <= FX_BUDGET + MANY * JOINT_WINDOW);

	fx_on_offer = NULL;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(q), 0);
	fx_open(&fast, p[0], -1);
	FX_UNTIL(fx_n_offers == MANY + 1);
	fx_accept(&fast_y, fx_offers[MANY], -1, q[1]);
	fx_feed(&feed, p[1], 4 * LEN);
	fx_drain(&drain, q[0]);
	FX_UNTIL(fast.ended && drain.end);
	assert_int_equal(fast.r.end, JOINT_DONE);
	assert_int_equal(drain.got, 4 * LEN);
	assert_false(drain.wrong);
	fx_feed_end(&feed);
	fx_drain_end(&drain);
	close(q[0]);

	for (int i = 0; i < MANY; i++)
		joint_cancel(x[i].j, false);
	for (int i = 0; i < MANY; i++) {
		FX_UNTIL(many_y[i].ended);
		assert_int_equal(x[i].r.end, JOINT_CLOSED);
		assert_int_equal(many_y[i].r.end, JOINT_ABORTED);
		FX_UNTIL(f[i].over);
		fx_feed_end(&f[i]);
		close(f[i].fd);
	}
}

static void
a_window_grows_for_who_reads(void **state)
{
	struct fx_side x, y;
	struct fx_feeder f;
	struct fx_drain d;
	struct joint_status s;
	int p[2], q[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(q), 0);
	fx_open(&x, p[0], -1);
	FX_UNTIL(fx_n_offers == 1);
	joint_status(fx_offers[0], &s);
	assert_int_equal(s.window, JOINT_WINDOW);
	fx_accept(&y, fx_offers[0], -1, q[1]);
	fx_feed(&f, p[1], 20 * LEN);
	joint_status(y.j, &s);
	assert_int_equal(s.window, JOINT_WINDOW_OPEN);
	/* it is used before the reader reads */
	FX_UNTIL((joint_status(y.j, &s), s.unwritten > s.window / 4 * 3));
	assert_int_equal(fx_memory(fx_lb), s.window - JOINT_WINDOW);
	fx_drain(&d, q[0]);
	FX_UNTIL(d.end && x.ended && y.ended);
	assert_int_equal(d.got, 20 * LEN);
	assert_false(d.wrong);
	fx_feed_end(&f);
	fx_drain_end(&d);
	close(q[0]);
}

/* ---- first lines ---- */

static void
data_may_follow_at_once(void **state)
{
	struct fx_side x, y;
	char buf[20];
	int s[2], t[2];

	(void)state;
	fx_pair(s);
	fx_pair(t);
	assert_int_equal(write(s[1], "\nno\nline\n", 9), 9);
	shutdown(s[1], SHUT_WR);
	fx_open(&x, s[0], s[0]);
	FX_UNTIL(fx_n_offers == 1);
	assert_int_equal(joint_what(fx_offers[0])->to, OPENING_PROGRAM);
	assert_int_equal(x.answered, 0);
	fx_turn(4); /* it has come, and waits */
	fx_accept(&y, fx_offers[0], t[0], t[0]);
	FX_UNTIL(recv(t[1], buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK) == 9);
	assert_int_equal(read(t[1], buf, sizeof(buf)), 9);
	assert_memory_equal(buf, "\nno\nline\n", 9);
	assert_int_equal(read(t[1], buf, sizeof(buf)), 0);
	close(t[1]);
	FX_UNTIL(x.ended && y.ended);
	assert_int_equal(x.r.end, JOINT_DONE);
	close(s[1]);
}

static void
what_is_asked_for_arrives(void **state)
{
	struct fx_side x, y;
	struct joint_config c = fx_config(&x, -1, -1);
	struct opening what = {.to = OPENING_UNIX, .path = "/run/a b%"};
	struct joint_config d;

	(void)state;
	assert_int_equal(joint_open(&x.j, fx_la, &what, &c), 0);
	FX_UNTIL(fx_n_offers == 1);
	assert_string_equal(joint_what(fx_offers[0])->path, "/run/a b%");
	d = fx_config(&y, -1, -1);
	assert_int_equal(joint_accept(fx_offers[0], 4711, &d), 0);
	FX_UNTIL(x.ended && y.ended);
	assert_int_equal(x.port, 4711);
	assert_int_equal(x.r.end, JOINT_DONE);
	assert_int_equal(y.r.end, JOINT_DONE);
}

static void
a_descriptor_that_is_none_is_an_error(void **state)
{
	struct fx_side x, y;
	struct joint_config c;
	struct opening what = fx_what(OPENING_PROGRAM);
	int dir = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	c = fx_config(&x, dir, -1);
	assert_int_equal(joint_open(&x.j, fx_la, &what, &c), -EISDIR);
	assert_null(joint_next_of(fx_la, NULL));
	fx_open(&y, -1, -1);
	FX_UNTIL(fx_n_offers == 1);
	assert_int_equal(joint_accept(fx_offers[0], 0, &c), -EISDIR);
	assert_true(fcntl(dir, F_GETFD) >= 0); /* the caller's still */
	close(dir);
	/* and the stream is not lost by that */
	fx_accept(&x, fx_offers[0], -1, -1);
	FX_UNTIL(x.ended && y.ended);
	assert_int_equal(y.r.end, JOINT_DONE);
}

/* ---- datagrams ---- */

static void
expect(int fd, size_t len)
{
	uint8_t buf[2000];

	FX_UNTIL(recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK) >= 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), (ssize_t)len);
	assert_memory_equal(buf, fx_pattern(len), len);
}

static void
datagrams(void **state)
{
	struct fx_side x, y;
	struct joint_config c;
	struct joint_status s;
	int a[2], b[2]; /* [0] the joint's, [1] far */

	(void)state;
	loopback_udp(a);
	loopback_udp(b);
	c = fx_config(&x, a[0], a[0]);
	fx_open_as(&x, OPENING_UDP, &c);
	/* before there is an answer: it waits for it */
	FX_UNTIL(fx_n_offers == 1);
	assert_int_equal(write(a[1], fx_pattern(100), 100), 100);
	fx_turn(4);
	fx_accept(&y, fx_offers[0], b[0], b[0]);
	expect(b[1], 100);
	for (size_t len = 0; len < 200; len++) {
		assert_int_equal(
		    write(b[1], fx_pattern(len), len), (ssize_t)len);
		expect(a[1], len);
	}
	/* longer than what a packet holds: dropped, counted, no end */
	assert_int_equal(write(a[1], fx_pattern(251), 251), 251);
	expect(b[1], 251);
	assert_int_equal(write(a[1], fx_pattern_table, 1990), 1990);
	FX_UNTIL((joint_status(x.j, &s), s.dropped == 1));
	assert_int_equal(s.received, 199 * 200 / 2);
	assert_int_equal(s.sent, 351);
	/* nobody there for a while */
	close(b[1]);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(write(a[1], "x", 1), 1);
		fx_turn(2);
	}
	assert_int_equal(x.ended + y.ended, 0);
	joint_cancel(x.j, false);
	FX_UNTIL(y.ended);
	assert_int_equal(x.r.sent, 354);
	close(a[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fx_start, fx_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(sockets),
	    TEST(tcp),
	    TEST(pipes),
	    TEST(one_socket_by_two_numbers),
	    TEST(terminals),
	    TEST(nothing_at_all),
	    TEST(from_file_to_file),
	    TEST(two_hundred_at_once),
	    TEST(who_never_reads_blocks_nobody),
	    TEST(a_window_grows_for_who_reads),
	    TEST(data_may_follow_at_once),
	    TEST(what_is_asked_for_arrives),
	    TEST(a_descriptor_that_is_none_is_an_error),
	    TEST(datagrams),
	};

	if (sodium_init() == -1)
		return 1;
	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

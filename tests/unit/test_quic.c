/* SPDX-License-Identifier: ISC */
/* A QUIC connection against strangers, a hostile link and a hostile peer; then
 * streams and datagrams over links that lose, delay and reorder. */
#include "quic.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "quic_fixture.h"

#define NONE UINT64_MAX /* a stream that says nothing */

/* The first datagram of a dial. */
static size_t
hello(struct fx *f, uint8_t *buf, size_t cap)
{
	size_t len, seg;

	assert_int_equal(0, quic_dial(&f->end[0].q, &f->config[0], f->now));
	len = quic_write(f->end[0].q, buf, cap, 1452, &seg, f->now);
	assert_true(len >= 1200 && len == seg);
	return len;
}

/* Nothing of a hello of another key is answered, whatever it is followed by. */
static void
test_wrong_psk(void **state)
{
	struct fx *f = fx_new();
	uint8_t buf[QUIC_WRITE_MAX];
	struct quic *q = NULL;
	size_t len;

	(void)state;
	f->psk[0][0] ^= 1;
	len = hello(f, buf, sizeof(buf));
	assert_int_equal(
	    -EACCES, quic_accept(&q, &f->config[1], buf, len, f->now));
	assert_null(q);
	fx_run(f, 9 * SEC);
	assert_int_equal(QUIC_ALIVE, f->end[0].end);
	fx_run(f, 2 * SEC);
	assert_int_equal(QUIC_NO_ANSWER, f->end[0].end);
	assert_null(f->end[1].q);
	assert_int_equal(0, f->end[0].established);
	fx_free(f);
}

/* Somebody else answers: the dialler believes nothing and says nothing. */
static void
test_wrong_answer(void **state)
{
	struct fx *f = fx_new();
	struct fx *g = fx_new();
	uint8_t buf[QUIC_WRITE_MAX], answer[QUIC_WRITE_MAX];
	size_t len, seg;

	(void)state;
	g->psk[0][0] = g->peer_psk[1][0] = 1;
	len = hello(f, buf, sizeof(buf));
	(void)len;
	/* An answer of the right form: another dialler's, from a server. */
	len = hello(g, buf, sizeof(buf));
	assert_int_equal(
	    0, quic_accept(&g->end[1].q, &g->config[1], buf, len, g->now));
	len =
	    quic_write(g->end[1].q, answer, sizeof(answer), 1452, &seg, g->now);
	assert_true(len > 0);
	quic_read(f->end[0].q, answer, seg, f->now);
	assert_false(quic_is_established(f->end[0].q));
	assert_int_equal(0, f->end[0].established);
	fx_free(g);
	fx_free(f);
}

static void
test_garbage(void **state)
{
	struct fx *f = fx_new();
	uint8_t buf[1500], copy[QUIC_WRITE_MAX];
	struct quic_head head;
	struct quic *q = NULL;
	size_t i, len;

	(void)state;
	assert_int_equal(-EBADMSG, quic_peek(&head, NULL, 0));
	for (i = 0; i < 2000; i++) {
		len = randombytes_uniform(sizeof(buf));
		randombytes_buf(buf, sizeof(buf));
		quic_peek(&head, buf, len);
		assert_true(
		    quic_accept(&q, &f->config[1], buf, len, f->now) < 0);
	}
	/* Every byte of a hello counts. */
	len = hello(f, buf, sizeof(buf));
	for (i = 0; i < len; i += 7) {
		memcpy(copy, buf, len);
		copy[i] ^= 0x10;
		assert_true(
		    quic_accept(&q, &f->config[1], copy, len, f->now) < 0);
	}
	for (i = 0; i < len; i += 50)
		assert_true(quic_accept(&q, &f->config[1], buf, i, f->now) < 0);
	assert_null(q);
	fx_free(f);
}

/* A recorded hello may come again: it is answered as the first one was, but who
 * plays it gets no connection. */
static void
test_replayed_hello(void **state)
{
	struct fx *f = fx_new();
	uint8_t buf[QUIC_WRITE_MAX];
	struct quic_head head;
	size_t len;

	(void)state;
	len = hello(f, buf, sizeof(buf));
	fx_post(f, 1, buf, len);
	fx_run(f, SEC);
	assert_int_equal(1, f->end[1].established);
	/* To the connection that it made it is nothing new. */
	assert_int_equal(0, quic_peek(&head, buf, len));
	assert_true(quic_owns(f->end[1].q, head.cid, head.cid_len));
	assert_int_equal(QUIC_ALIVE, quic_read(f->end[1].q, buf, len, f->now));
	quic_free(f->end[1].q);
	f->end[1].q = NULL;
	quic_free(f->end[0].q);
	f->end[0].q = NULL;
	f->end[1].established = 0;
	assert_int_equal(
	    0, quic_accept(&f->end[1].q, &f->config[1], buf, len, f->now));
	fx_run(f, 9 * SEC);
	fx_post(f, 1, buf, len);
	fx_run(f, 3 * SEC);
	assert_int_equal(0, f->end[1].established);
	assert_int_equal(QUIC_NO_ANSWER, f->end[1].end);
	/* No more went out than amplification allows: RFC 9000 section 8. */
	assert_in_range(f->end[1].wrote, 1, 20);
	fx_free(f);
}

/* What goes before the proof: no stream, no datagram, no close. */
static void
test_half_open(void **state)
{
	struct fx *f = fx_new();
	uint8_t buf[QUIC_WRITE_MAX];
	size_t len;

	(void)state;
	len = hello(f, buf, sizeof(buf));
	assert_int_equal(
	    0, quic_accept(&f->end[1].q, &f->config[1], buf, len, f->now));
	assert_false(quic_is_established(f->end[1].q));
	assert_int_equal(-ENOTCONN, quic_open(f->end[1].q));
	assert_int_equal(-ENOTCONN, quic_open(f->end[0].q));
	assert_int_equal(0, quic_datagram_max(f->end[1].q));
	assert_int_equal(
	    0, quic_close(f->end[1].q, 1, buf, sizeof(buf), f->now));
	assert_int_equal(
	    0, quic_close(f->end[0].q, 1, buf, sizeof(buf), f->now));
	fx_free(f);
}

static void
check_clean(const struct fx *f)
{
	size_t i, k;

	for (i = 0; i < 2; i++) {
		assert_int_equal(0, f->end[i].odd);
		assert_int_equal(QUIC_ALIVE, f->end[i].end);
		for (k = 0; k < f->end[i].used; k++)
			assert_false(f->end[i].s[k].differs);
	}
}

static void
test_handshake(void **state)
{
	struct fx *f = fx_new();
	struct quic_stats stats;

	(void)state;
	fx_connect(f);
	assert_int_equal(1, f->end[0].established);
	assert_int_equal(1, f->end[1].established);
	assert_true(quic_is_established(f->end[0].q));
	assert_true(quic_is_established(f->end[1].q));
	quic_stats(f->end[0].q, &stats);
	assert_in_range(stats.min_rtt_us, 10000, 11000);
	assert_in_range(stats.datagram_len, 1400, 1452);
	assert_true(quic_datagram_max(f->end[0].q) > 1200);
	check_clean(f);
	fx_free(f);
}

/* The dialler's stream, at both ends: it sends so much. */
static int64_t
open_both(
    struct fx *f, uint64_t want, struct fx_stream **a, struct fx_stream **b)
{
	int64_t id = fx_open(f, 0, want);

	assert_true(id >= 0);
	*a = fx_stream(&f->end[0], id);
	*b = fx_stream(&f->end[1], id);
	return id;
}

/* Sends bytes both ways on a stream, and goes on until both ends have closed it
 * and all was acknowledged. */
static void
transfer(struct fx *f, uint64_t there, uint64_t back, uint64_t within)
{
	uint64_t until = f->now + within;
	struct fx_stream *a, *b;

	open_both(f, there, &a, &b);
	b->want = back;
	while ((a->closed == 0 || b->closed == 0) && fx_step(f, until))
		;
	assert_int_equal(1, a->closed);
	assert_int_equal(1, b->closed);
	assert_true(a->got == back && b->got == there);
	assert_true(a->fin_got && b->fin_got);
	assert_true(a->acked == there && b->acked == back);
	assert_int_equal(0, a->reset + b->reset + a->stopped + b->stopped);
	check_clean(f);
}

static void
test_loss_50mb(void **state)
{
	struct fx *f = fx_new();

	(void)state;
	f->loss = 0.05;
	f->jitter = 2 * MS;
	fx_connect(f);
	transfer(f, 50 << 20, 1 << 20, 600 * SEC);
	assert_true(f->lost > 1000);
	fx_free(f);
}

/* 1 % and 20 ms: what CUBIC can't use (it gets about 1 MB/s of it). */
static void
test_random_loss_rate(void **state)
{
	struct fx *f = fx_new();
	uint64_t start;

	(void)state;
	f->delay = 20 * MS;
	f->rate = 25000000;
	f->queue = 50 * MS;
	f->loss = 0.01;
	f->config[0].stream_window = f->config[1].stream_window = 4 << 20;
	fx_connect(f);
	start = f->now;
	transfer(f, 40 << 20, 0, 60 * SEC);
	assert_true(f->now - start < 8 * SEC);
	fx_free(f);
}

/* A burst of loss makes more gaps than the library keeps. */
static void
test_gaps(void **state)
{
	struct fx *f = fx_new();
	struct fx_stream *b;
	int64_t id;

	(void)state;
	f->delay = 20 * MS;
	f->config[0].stream_window = f->config[1].stream_window = 16 << 20;
	f->config[0].window = f->config[1].window = 16 << 20;
	fx_connect(f);
	transfer(f, 20 << 20, 0, 60 * SEC);
	id = fx_open(f, 0, 40 << 20);
	b = fx_stream(&f->end[1], id);
	f->halve = true;
	fx_run(f, 30 * MS);
	f->halve = false;
	assert_true(f->lost > 1500);
	fx_run(f, 2 * SEC);
	assert_int_equal(40 << 20, b->got);
	check_clean(f);
	fx_free(f);
}

static void
test_flipped_bits(void **state)
{
	struct fx *f = fx_new();
	unsigned i, done = 0;

	(void)state;
	/* In handshakes. Both sides try again for ten seconds. */
	for (i = 0; i < 30; i++) {
		struct fx *g = fx_new();

		g->flip = 0.3;
		g->seed += i * 7919;
		fx_dial(g);
		fx_run(g, 9 * SEC);
		assert_int_equal(0, g->end[0].odd + g->end[1].odd);
		done +=
		    g->end[0].established == 1 && g->end[1].established == 1;
		assert_int_equal(QUIC_ALIVE, g->end[0].end);
		fx_free(g);
	}
	assert_true(done >= 28);
	f->flip = 0.02;
	fx_connect(f);
	transfer(f, 5 << 20, 5 << 20, 600 * SEC);
	assert_true(f->flipped > 50);
	fx_free(f);
}

static void
test_reset(void **state)
{
	struct fx *f = fx_new();
	struct fx_stream *a, *b;
	int64_t id;

	(void)state;
	f->loss = 0.1;
	fx_connect(f);
	id = open_both(f, 50 << 20, &a, &b);
	b->want = 1000;
	fx_run(f, 200 * MS);
	assert_true(b->got > 0 && b->got < 50 << 20);
	quic_reset(f->end[0].q, id, 77);
	a->fin_sent = true;
	fx_run(f, 5 * SEC);
	assert_int_equal(1, b->reset);
	assert_int_equal(77, b->code);
	assert_false(b->fin_got);
	/* The other way was not touched. */
	assert_true(a->got == 1000 && a->fin_got);
	assert_true(a->closed == 1 && b->closed == 1);
	assert_int_equal(0, a->stopped + b->stopped);
	check_clean(f);
	transfer(f, 100000, 100000, 10 * SEC);
	fx_free(f);
}

/* The sender hears of it although it has nothing to send, or may not. */
static void
test_stop(void **state)
{
	static const uint64_t wants[] = {50 << 20, 1 << 20, NONE};
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct fx *f = fx_new();
		struct fx_stream *a, *b;
		int64_t id;

		fx_connect(f);
		id = open_both(f, i == 2 ? 10 : wants[i], &a, &b);
		if (i == 1)
			b->mute = true; /* a waits for credit */
		if (i == 2)
			a->hold = true; /* a has nothing more to send */
		b->hold = true;
		fx_run(f, 300 * MS);
		assert_true(b->got > 0 && b->known);
		quic_stop(f->end[1].q, id, 5);
		fx_run(f, 300 * MS);
		assert_int_equal(1, a->stopped);
		assert_int_equal(0, a->closed);
		/* The other way goes on. */
		b->hold = false;
		b->want = 5000;
		fx_run(f, SEC);
		assert_true(a->got == 5000 && a->fin_got && a->closed == 1);
		assert_int_equal(1, a->stopped);
		assert_int_equal(1, b->reset);
		check_clean(f);
		fx_free(f);
	}
}

/* Ended by both at once, within one poll: told all the same. */
static void
test_stop_then_closed(void **state)
{
	struct fx *f = fx_new();
	struct fx_stream *a, *b;
	int64_t id;

	(void)state;
	f->delay = 50000;
	fx_connect(f);
	id = open_both(f, 1 << 20, &a, &b);
	b->mute = true;
	b->want = 0;
	fx_run(f, 300 * MS);
	assert_true(b->got > 0 && b->fin_sent);
	quic_stop(f->end[1].q, id, 5);
	fx_run(f, 300 * MS);
	assert_int_equal(1, a->stopped);
	assert_true(a->closed == 1 && b->closed == 1);
	check_clean(f);
	fx_free(f);
}

/* Given up before its first byte went. Nobody is told of a stream that he does
 * not know, and our side does not wait for an end that never comes. */
static void
test_reset_unheard(void **state)
{
	struct fx *f = fx_new();
	struct fx_stream *a;
	int64_t id;

	(void)state;
	f->config[1].streams = 1;
	fx_connect(f);
	id = fx_open(f, 0, 100);
	a = fx_stream(&f->end[0], id);
	quic_reset(f->end[0].q, id, 1);
	a->fin_sent = true;
	fx_run(f, 300 * MS);
	assert_int_equal(f->end[1].opened, fx_stream(&f->end[1], id)->reset);
	quic_stop(f->end[0].q, id, 1); /* later releases have closed it */
	fx_run(f, 300 * MS);
	assert_int_equal(1, a->closed);
	/* And it does not count. */
	transfer(f, 1000, 1000, SEC);
	fx_free(f);
}

static int64_t reset_id;

static void
reset_on_sent(struct fx_end *e, int64_t id)
{
	if (id != reset_id && fx_stream(e, reset_id)->known) {
		quic_reset(e->q, reset_id, 9);
		quic_stop(e->q, reset_id, 9);
		fx_stream(e, reset_id)->fin_sent = true;
	}
}

/* Of a callback that comes while a packet is being filled. */
static void
test_reset_in_packet(void **state)
{
	struct fx *f = fx_new();
	struct fx_stream *b;
	unsigned i;

	(void)state;
	fx_connect(f);
	reset_id = fx_open(f, 0, 20);
	fx_stream(&f->end[0], reset_id)->hold = true;
	b = fx_stream(&f->end[1], reset_id);
	b->want = 0;
	fx_run(f, 100 * MS);
	assert_true(b->known);
	f->end[0].on_sent = reset_on_sent;
	for (i = 0; i < 10; i++) {
		int64_t id = fx_open(f, 0, 50);

		assert_true(id >= 0);
	}
	fx_run(f, SEC);
	assert_int_equal(1, b->reset);
	assert_int_equal(9, b->code);
	assert_int_equal(11, f->end[1].opened);
	check_clean(f);
	fx_free(f);
}

/* A receiver that takes nothing blocks its own stream only. */
static void
test_reader_that_never_reads(void **state)
{
	struct fx *f = fx_new();
	struct fx_stream *mute;
	int64_t id;

	(void)state;
	fx_connect(f);
	id = fx_open(f, 0, 20 << 20);
	mute = fx_stream(&f->end[1], id);
	mute->mute = true;
	fx_run(f, SEC);
	assert_int_equal(256 * 1024, mute->got);
	assert_true(fx_stream(&f->end[0], id)->blocked);
	transfer(f, 10 << 20, 10 << 20, 60 * SEC);
	assert_int_equal(256 * 1024, mute->got);
	/* Taken late: goes on. */
	mute->mute = false;
	quic_credit_stream(f->end[1].q, id, 256 * 1024);
	fx_run(f, 20 * SEC);
	assert_int_equal(20 << 20, mute->got);
	check_clean(f);
	fx_free(f);
}

/* The credit of all together: nothing goes beyond, and no stream is said to be
 * blocked that nobody would wake. */
static void
test_window(void **state)
{
	struct fx *f = fx_new();
	uint64_t before;

	(void)state;
	f->config[1].window = 300000;
	f->end[1].silent_credit = true;
	fx_connect(f);
	fx_open(f, 0, 1 << 20);
	fx_open(f, 0, 1 << 20);
	fx_run(f, 2 * SEC);
	assert_int_equal(300000, f->end[1].bytes);
	before = f->end[1].bytes;
	/* The library tells the peer once it is more than half of that. */
	quic_credit(f->end[1].q, 150001);
	fx_run(f, 2 * SEC);
	assert_int_equal(before + 150001, f->end[1].bytes);
	quic_credit(f->end[1].q, 4 << 20);
	fx_run(f, 5 * SEC);
	assert_int_equal(2 << 20, f->end[1].bytes);
	check_clean(f);
	fx_free(f);
}

static void
test_stream_limit(void **state)
{
	struct fx *f = fx_new();
	unsigned i;

	(void)state;
	f->config[1].streams = 10;
	fx_connect(f);
	for (i = 0; i < 10; i++)
		assert_true(fx_open(f, 0, 1000) >= 0);
	assert_int_equal(-EAGAIN, fx_open(f, 0, 1000));
	fx_run(f, 100 * MS);
	assert_int_equal(10, f->end[1].opened);
	fx_run(f, SEC);
	assert_true(f->end[0].may_open > 0);
	for (i = 0; i < 10; i++)
		assert_true(fx_open(f, 0, 1000) >= 0);
	fx_run(f, SEC);
	assert_int_equal(20, f->end[1].opened);
	check_clean(f);
	fx_free(f);
}

static void
test_200_streams(void **state)
{
	struct fx *f = fx_new();
	unsigned i, k;

	(void)state;
	f->loss = 0.02;
	f->jitter = 3 * MS;
	f->config[0].streams = f->config[1].streams = 100;
	fx_connect(f);
	for (i = 0; i < 200; i++) {
		int64_t id = fx_open(f, i % 2, 20000 + i);

		assert_true(id >= 0);
		fx_stream(&f->end[!(i % 2)], id)->want = 30000 + i;
	}
	fx_run(f, 60 * SEC);
	for (k = 0; k < 2; k++)
		for (i = 0; i < 200; i++)
			assert_int_equal(1, f->end[k].s[i].closed);
	check_clean(f);
	fx_free(f);
}

static void
test_datagrams(void **state)
{
	struct fx *f = fx_new();
	size_t max;

	(void)state;
	fx_connect(f);
	max = quic_datagram_max(f->end[0].q);
	f->end[0].datagram_len = max;
	f->end[0].datagrams_left = 100;
	fx_open(f, 0, 1 << 20);
	fx_run(f, 2 * SEC);
	assert_int_equal(100, f->end[1].datagrams);
	assert_int_equal(0, f->end[0].refused);
	/* Small ones share packets. */
	f->end[0].datagram_len = 20;
	f->end[0].datagrams_left = 1000;
	f->end[0].wrote = 0;
	fx_run(f, 2 * SEC);
	assert_int_equal(1100, f->end[1].datagrams);
	assert_true(f->end[0].wrote < 100);
	/* Too long: refused, and nothing waits for it. */
	f->end[0].datagram_len = max + 1;
	f->end[0].datagrams_left = 3;
	fx_run(f, SEC);
	assert_int_equal(3, f->end[0].refused);
	assert_int_equal(1100, f->end[1].datagrams);
	/* Empty ones are datagrams, too. */
	f->end[0].datagram_len = 0;
	f->end[0].datagrams_left = 2;
	fx_run(f, SEC);
	assert_int_equal(1102, f->end[1].datagrams);
	transfer(f, 1000, 1000, SEC);
	fx_free(f);
}

/* A path that carries less than before: `most` mends it. */
static void
test_smaller_path(void **state)
{
	struct fx *f = fx_new();
	struct quic_stats stats;
	int64_t id;

	(void)state;
	fx_connect(f);
	id = fx_open(f, 0, 30 << 20);
	fx_run(f, 200 * MS);
	assert_true(fx_stream(&f->end[1], id)->got > 0);
	f->mtu = 1300;
	fx_run(f, 2 * SEC);
	quic_stats(f->end[0].q, &stats);
	assert_true(stats.pto_count >= 2 && stats.datagram_len > 1300);
	f->most = 1200;
	assert_true(quic_datagram_max(f->end[0].q) > 1300);
	fx_run(f, 60 * SEC);
	assert_int_equal(30 << 20, fx_stream(&f->end[1], id)->got);
	assert_true(quic_datagram_max(f->end[0].q) < 1200);
	quic_stats(f->end[0].q, &stats);
	assert_int_equal(0, stats.pto_count);
	check_clean(f);
	fx_free(f);
}

/* A train is of equal datagrams, the last perhaps shorter (the fixture cuts it
 * so); a bulk transfer's trains are long. */
static void
test_trains(void **state)
{
	struct fx *f = fx_new();
	uint8_t buf[1500];
	size_t seg;

	(void)state;
	f->rate = 125000000;
	f->queue = 50 * MS;
	fx_connect(f);
	transfer(f, 20 << 20, 0, 10 * SEC);
	assert_true(f->end[0].longest > 20000);
	assert_int_equal(
	    0, quic_write(f->end[0].q, buf, 1199, 1452, &seg, f->now));
	fx_free(f);
}

/* The path is dead for a while, then another one is there: what is under way is
 * tried again at once, not after time-outs as long as the silence. */
static void
test_moved(void **state)
{
	struct quic_stats stats;
	unsigned i;

	(void)state;
	for (i = 0; i < 40; i++) {
		struct fx *f = fx_new();
		struct fx_stream *b;
		uint64_t before;
		int64_t id;

		f->delay = 10 * MS;
		f->rate = 12500000;
		f->queue = 50 * MS;
		f->config[1].stream_window = 2 << 20;
		fx_connect(f);
		id = fx_open(f, 0, 100 << 20);
		b = fx_stream(&f->end[1], id);
		fx_run(f, SEC);
		f->loss = 1;
		fx_run(f, (500 + i * 373) * MS);
		f->loss = 0;
		before = b->got;
		assert_int_equal(
		    QUIC_ALIVE, quic_moved(f->end[i % 2].q, f->now));
		assert_int_equal(
		    QUIC_ALIVE, quic_moved(f->end[!(i % 2)].q, f->now));
		/* Time that was passed over is no silence of the new path. */
		fx_run(f, 5 * MS);
		quic_stats(f->end[0].q, &stats);
		assert_true(stats.quiet_us < (600 + i * 373) * 1000);
		fx_run(f, 245 * MS);
		assert_true(b->got > before + 20000);
		/* With nothing amiss it does no harm. */
		fx_run(f, SEC);
		quic_moved(f->end[0].q, f->now);
		quic_moved(f->end[1].q, f->now);
		before = b->got;
		fx_run(f, SEC);
		assert_true(b->got > before + 8000000);
		check_clean(f);
		fx_free(f);
	}
}

/* What is not the peer's is no sign of life, though it bears the connection's
 * id: time is not passed over to where the peer would be taken for gone. */
static void
test_moved_after_noise(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 16; i++) {
		struct fx *f = fx_new();
		uint8_t noise[30];

		f->rate = 12500000;
		f->queue = 50 * MS;
		fx_connect(f);
		fx_open(f, 0, 100 << 20);
		fx_run(f, SEC);
		assert_non_null(f->wire[0]);
		assert_true(f->wire[0]->len >= sizeof(noise));
		memcpy(noise, f->wire[0]->data, sizeof(noise));
		noise[sizeof(noise) - 1] ^= 1;
		f->loss = 1;
		fx_run(f, (14000 + i * 1000) * MS);
		assert_int_equal(QUIC_ALIVE,
		    quic_read(f->end[0].q, noise, sizeof(noise), f->now));
		f->loss = 0;
		assert_int_equal(QUIC_ALIVE, quic_moved(f->end[0].q, f->now));
		fx_run(f, 250 * MS);
		assert_int_equal(QUIC_ALIVE, f->end[0].end);
		fx_free(f);
	}
}

static void
test_close(void **state)
{
	struct fx *f = fx_new();
	uint8_t buf[1500];
	uint64_t code = 0;
	size_t len, seg;

	(void)state;
	fx_connect(f);
	len = quic_close(f->end[0].q, 42, buf, sizeof(buf), f->now);
	assert_true(len > 0);
	assert_int_equal(QUIC_CLOSED, quic_read(f->end[1].q, buf, len, f->now));
	assert_int_equal(QUIC_CLOSED, quic_ended(f->end[1].q, &code));
	assert_int_equal(42, code);
	/* And nothing more is to be done with either. */
	for (len = 0; len < 2; len++) {
		struct quic *q = f->end[len].q;

		assert_false(quic_is_established(q));
		assert_int_equal(-ENOTCONN, quic_open(q));
		assert_true(quic_expiry(q) == UINT64_MAX);
		assert_int_equal(
		    0, quic_write(q, buf, sizeof(buf), 1452, &seg, f->now));
		assert_int_equal(0, quic_close(q, 1, buf, sizeof(buf), f->now));
		assert_int_equal(QUIC_CLOSED, quic_expire(q, f->now + SEC));
		quic_credit(q, 1);
		quic_reset(q, 0, 1);
	}
	fx_free(f);
}

static void
test_gone(void **state)
{
	struct fx *f = fx_new();
	uint64_t start;

	(void)state;
	fx_connect(f);
	/* Silence alone is kept alive. */
	fx_run(f, 120 * SEC);
	check_clean(f);
	f->loss = 1;
	start = f->now;
	while (f->end[0].end == QUIC_ALIVE && fx_step(f, start + 100 * SEC))
		;
	assert_int_equal(QUIC_GONE, f->end[0].end);
	assert_in_range((f->now - start) / SEC, QUIC_IDLE_S,
	    QUIC_IDLE_S + QUIC_KEEPALIVE_S);
	fx_run(f, 20 * SEC);
	assert_int_equal(QUIC_GONE, f->end[1].end);
	fx_free(f);
}

/* Either side's new process, which has nothing but the keys, ends the old
 * connection; nobody else can. */
static void
test_stateless_reset(void **state)
{
	uint8_t buf[QUIC_WRITE_MAX], out[1500], other[PSK_LEN] = {9};
	size_t i, k, len, seg, n;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct fx *f = fx_new();
		struct quic *q;
		struct quic_head head;

		fx_connect(f);
		q = f->end[i].q;
		fx_open(f, i, 100);
		len = quic_write(q, buf, sizeof(buf), 1452, &seg, f->now);
		assert_true(len > 0);
		assert_int_equal(0, quic_peek(&head, buf, len));
		assert_false(head.long_header);
		assert_true(quic_owns(f->end[!i].q, head.cid, head.cid_len));
		assert_false(quic_owns(q, head.cid, head.cid_len));
		/* Forged by who lacks the key. */
		n = quic_stateless_reset(out, sizeof(out), other, buf, len);
		assert_true(n >= 21 && n < len);
		assert_int_equal(QUIC_ALIVE, quic_read(q, out, n, f->now));
		/* Of our own making, when our packet came back to us. */
		n = quic_stateless_reset(out, sizeof(out), f->psk[i], buf, len);
		assert_true(n > 0);
		assert_int_equal(QUIC_ALIVE, quic_read(q, out, n, f->now));
		/* Of another connection between the same two. */
		buf[5] ^= 1;
		n = quic_stateless_reset(
		    out, sizeof(out), f->psk[!i], buf, len);
		assert_int_equal(QUIC_ALIVE, quic_read(q, out, n, f->now));
		buf[5] ^= 1;
		/* Always shorter than what it answers. */
		for (k = 0; k < 100; k++) {
			n = quic_stateless_reset(
			    out, sizeof(out), f->psk[!i], buf, k);
			assert_true(n == 0 || (n < k && n >= 21));
		}
		assert_int_equal(
		    0, quic_stateless_reset(out, 20, f->psk[!i], buf, len));
		/* A reset is no reason for another one for ever. */
		n = quic_stateless_reset(
		    out, sizeof(out), f->psk[!i], buf, len);
		assert_int_equal(QUIC_RESTARTED, quic_read(q, out, n, f->now));
		assert_string_equal(
		    "restarted", quic_end_name(quic_ended(q, NULL)));
		fx_free(f);
	}
}

static void
test_peek(void **state)
{
	struct fx *f = fx_new();
	uint8_t buf[QUIC_WRITE_MAX];
	struct quic_head head;
	size_t len;

	(void)state;
	len = hello(f, buf, sizeof(buf));
	assert_int_equal(0, quic_peek(&head, buf, len));
	assert_true(head.initial && head.long_header);
	assert_in_range(head.cid_len, 8, 20);
	/* A shorter datagram holds no client's first packet. */
	assert_int_equal(0, quic_peek(&head, buf, 1199));
	assert_false(head.initial);
	buf[4] = 2; /* another version */
	assert_int_equal(0, quic_peek(&head, buf, len));
	assert_false(head.initial);
	buf[5] = 21; /* too long an id */
	assert_int_equal(-EBADMSG, quic_peek(&head, buf, len));
	memset(buf, 0x40, 17);
	assert_int_equal(-EBADMSG, quic_peek(&head, buf, 16));
	assert_int_equal(0, quic_peek(&head, buf, 17));
	assert_false(head.long_header);
	assert_int_equal(QUIC_CID_LEN, head.cid_len);
	fx_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrong_psk),
	    cmocka_unit_test(test_wrong_answer),
	    cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_replayed_hello),
	    cmocka_unit_test(test_half_open),
	    cmocka_unit_test(test_peek),
	    cmocka_unit_test(test_handshake),
	    cmocka_unit_test(test_loss_50mb),
	    cmocka_unit_test(test_random_loss_rate),
	    cmocka_unit_test(test_gaps),
	    cmocka_unit_test(test_flipped_bits),
	    cmocka_unit_test(test_reset),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_stop_then_closed),
	    cmocka_unit_test(test_reset_in_packet),
	    cmocka_unit_test(test_reset_unheard),
	    cmocka_unit_test(test_reader_that_never_reads),
	    cmocka_unit_test(test_window),
	    cmocka_unit_test(test_stream_limit),
	    cmocka_unit_test(test_200_streams),
	    cmocka_unit_test(test_datagrams),
	    cmocka_unit_test(test_smaller_path),
	    cmocka_unit_test(test_trains),
	    cmocka_unit_test(test_moved),
	    cmocka_unit_test(test_moved_after_noise),
	    cmocka_unit_test(test_close),
	    cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_stateless_reset),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

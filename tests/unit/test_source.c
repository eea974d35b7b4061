/* SPDX-License-Identifier: ISC */
/* Reading ahead and writing behind: how much, of what, and that errors of a
 * descriptor which is not read are noticed. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "hangup.h"
#include "purse_fixture.h"
#include "sink.h"

#define AHEAD (256 * 1024)

static struct loop loop;
static struct purse purse;
static struct source source;
static struct sink sink;
static struct descriptor in, out;
static int far_in, far_out; /* what writes to in, what reads from out */
static int readies, failures, overs;
static size_t wrote;

static void
ready(void *arg)
{
	(void)arg;
	readies++;
}

static void
failed(void *arg, int error)
{
	(void)arg;
	assert_true(error < 0);
	failures++;
}

static void
count(void *arg, size_t n)
{
	(void)arg;
	wrote += n;
}

static void
over(void *arg)
{
	(void)arg;
	overs++;
}

static const struct source_calls source_calls = {ready, failed};
static const struct sink_calls sink_calls = {count, over, failed};

static int
start(void **state)
{
	int p[2];

	(void)state;
	loop_init(&loop, false);
	readies = failures = overs = 0;
	wrote = 0;
	budget = UINT64_MAX;
	purse = purse_with(4);
	source_init(&source, &purse, AHEAD, &source_calls, NULL);
	sink_init(&sink, &sink_calls, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	far_in = p[0];
	assert_int_equal(descriptor_open(&in, p[1], false), 0);
	assert_int_equal(pipe(p), 0);
	far_out = p[0];
	assert_int_equal(descriptor_open(&out, p[1], true), 0);
	descriptor_settle(&out);
	fcntl(far_in, F_SETFL, O_NONBLOCK);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	source_free(&source);
	sink_free(&sink);
	descriptor_close(&in, false);
	descriptor_close(&out, false);
	close(far_in);
	close(far_out);
	assert_int_equal(purse.held, 0);
	assert_int_equal(sink.purse.held, 0);
	block_trim();
	loop_free(&loop);
	return 0;
}

/* As long as there is something to do. */
static void
turn(void)
{
	for (int i = 0; i < 200; i++)
		event_base_loop(loop.base, EVLOOP_NONBLOCK);
}

static size_t
stuff(int fd)
{
	static char zeros[65536];
	size_t total = 0;
	ssize_t r;

	while ((r = write(fd, zeros, sizeof(zeros))) > 0) {
		total += (size_t)r;
		turn();
	}
	return total;
}

static void
it_reads_so_far_ahead_and_no_further(void **state)
{
	size_t total;

	(void)state;
	source_start(&source, &loop, &in);
	total = stuff(far_in);
	assert_int_equal(blockq_ahead(&source.q), AHEAD);
	assert_true(total > AHEAD);
	/* sent, it goes on, though nothing is acknowledged yet */
	source_sent(&source, AHEAD);
	turn();
	assert_true(blockq_ahead(&source.q) > 0);
	assert_true(blockq_len(&source.q) > AHEAD);
	source_sent(&source, AHEAD);
	source_acked(&source, source.q.mark);
	close(far_in);
	far_in = -1;
	while (!source.ended) {
		turn();
		source_sent(&source, AHEAD);
		source_acked(&source, AHEAD);
	}
	assert_int_equal(source.q.end, total);
	assert_int_equal(failures, 0);
}

static void
without_budget_it_waits_and_goes_on(void **state)
{
	(void)state;
	budget = 0;
	source_start(&source, &loop, &in);
	stuff(far_in);
	assert_int_equal(blockq_len(&source.q), 4 * BLOCK_LEN);
	assert_true(source.waits);
	source_resume(&source);
	turn();
	assert_int_equal(blockq_len(&source.q), 4 * BLOCK_LEN);
	budget = UINT64_MAX;
	source_resume(&source);
	turn();
	assert_int_equal(blockq_len(&source.q), AHEAD);
}

static void
small_reads_hold_one_block(void **state)
{
	(void)state;
	source_start(&source, &loop, &in);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(write(far_in, "x", 1), 1);
		turn();
	}
	assert_int_equal(blockq_len(&source.q), 100);
	assert_int_equal(purse.held, 1);
	assert_int_equal(readies, 100);
}

static void
a_file_is_read_though_nothing_is_ready(void **state)
{
	struct descriptor d;
	FILE *f = tmpfile();

	(void)state;
	assert_int_equal(ftruncate(fileno(f), 300000), 0);
	assert_int_equal(descriptor_open(&d, dup(fileno(f)), false), 0);
	source_start(&source, &loop, &d);
	turn();
	assert_int_equal(blockq_len(&source.q), AHEAD);
	source_sent(&source, AHEAD);
	turn();
	assert_int_equal(blockq_len(&source.q), 300000);
	assert_true(source.ended);
	source_free(&source);
	descriptor_close(&d, false);
	fclose(f);
}

static void
drained_it_takes_what_is_there(void **state)
{
	(void)state;
	assert_int_equal(write(far_in, "there", 5), 5);
	source_start(&source, &loop, &in);
	source_drain(&source);
	turn();
	assert_true(source.ended);
	assert_int_equal(blockq_len(&source.q), 5);
	assert_int_equal(write(far_in, "late", 4), 4);
	turn();
	assert_int_equal(blockq_len(&source.q), 5);
}

static void
drained_a_file_is_read_to_its_end(void **state)
{
	struct descriptor d;
	FILE *f = tmpfile();

	(void)state;
	assert_int_equal(ftruncate(fileno(f), 900000), 0);
	assert_int_equal(descriptor_open(&d, dup(fileno(f)), false), 0);
	source_start(&source, &loop, &d);
	turn();
	source_drain(&source);
	for (int i = 0; i < 10; i++) {
		turn();
		source_sent(&source, AHEAD);
		source_acked(&source, AHEAD);
	}
	assert_true(source.ended);
	assert_int_equal(source.q.end, 900000);
	source_free(&source);
	descriptor_close(&d, false);
	fclose(f);
}

static void
what_was_not_read_is_found(void **state)
{
	(void)state;
	source_start(&source, &loop, &in);
	assert_false(source_has_unread(&source));
	assert_int_equal(write(far_in, "x", 1), 1);
	assert_true(source_has_unread(&source));
	close(far_in);
	far_in = -1;
	assert_false(source_has_unread(&source));
}

static void
a_sink_writes_what_fits_and_the_rest_later(void **state)
{
	static char data[300000];
	size_t got = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 >> 3);
	assert_int_equal(sink_put(&sink, data, sizeof(data)), 0);
	sink_end(&sink);
	sink_flush(&sink); /* it was not started: it keeps */
	sink_start(&sink, &loop, &out);
	sink_flush(&sink);
	assert_true(wrote > 0 && wrote < sizeof(data));
	assert_int_equal(overs, 0);
	while (got < sizeof(data)) {
		char buf[5000];
		ssize_t r = read(far_out, buf, sizeof(buf));

		assert_true(r > 0);
		assert_memory_equal(buf, data + got, (size_t)r);
		got += (size_t)r;
		turn();
	}
	assert_int_equal(overs, 1);
	assert_int_equal(wrote, sizeof(data));
}

static void
a_reader_that_goes_while_it_is_full_is_noticed(void **state)
{
	static char data[300000];

	(void)state;
	sink_start(&sink, &loop, &out);
	assert_int_equal(sink_put(&sink, data, sizeof(data)), 0);
	sink_flush(&sink);
	close(far_out);
	far_out = -1;
	turn();
	assert_int_equal(failures, 1);
	assert_int_equal(overs, 0);
	/* and there it ends */
	assert_int_equal(sink_put(&sink, "x", 1), 0);
	sink_flush(&sink);
	turn();
	assert_int_equal(failures, 1);
}

static int hangups;

static void
hung_up(void *arg)
{
	hangups++;
	hangup_forget(arg);
}

static void
a_hangup_is_seen_by_who_reads_nothing(void **state)
{
	struct hangup_watch a, b;

	(void)state;
	hangups = 0;
	hangup_watch(&a, &loop, in.fd, hung_up, &a);
	hangup_watch(&b, &loop, out.fd, hung_up, &b);
	assert_int_equal(write(far_in, "data is none", 12), 12);
	turn();
	assert_int_equal(hangups, 0);
	close(far_in);
	close(far_out);
	far_in = far_out = -1;
	turn();
	assert_int_equal(hangups, 2);
	hangup_watch(&a, &loop, in.fd, hung_up, &a);
	turn();
	assert_int_equal(hangups, 3);
}

static void
a_file_has_no_hangups(void **state)
{
	struct hangup_watch w;
	FILE *f = tmpfile();

	(void)state;
	hangup_watch(&w, &loop, fileno(f), hung_up, &w);
	assert_null(w.of);
	hangup_forget(&w);
	fclose(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(it_reads_so_far_ahead_and_no_further),
	    TEST(without_budget_it_waits_and_goes_on),
	    TEST(small_reads_hold_one_block),
	    TEST(a_file_is_read_though_nothing_is_ready),
	    TEST(drained_it_takes_what_is_there),
	    TEST(drained_a_file_is_read_to_its_end),
	    TEST(what_was_not_read_is_found),
	    TEST(a_sink_writes_what_fits_and_the_rest_later),
	    TEST(a_reader_that_goes_while_it_is_full_is_noticed),
	    TEST(a_hangup_is_seen_by_who_reads_nothing),
	    TEST(a_file_has_no_hangups),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

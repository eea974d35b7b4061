/* SPDX-License-Identifier: ISC */
/* relay/train: whatever is queued arrives, whole and in order, as runs where
 * the kernel can and one by one where not; in a network of its own, whose
 * loopback has the MTU of Ethernet. */
#include "train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MTU 1500
#define BUFFER (8 << 20)
#define DESTINATIONS 40
#define SEEN_MAX 20000
#define DATA (1 << 20)

/* What one destination got: lengths and a checksum of each datagram. */
struct seen {
	size_t n, messages, longest_run;
	struct {
		size_t len;
		uint32_t sum;
	} * datagram;
	struct addr from;
};

static struct trains *ours, *theirs;
static struct train *dest[DESTINATIONS];
static struct seen got[DESTINATIONS], want[DESTINATIONS];
static uint8_t data[DATA];
static uint32_t seed;
static bool own_mtu;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static uint32_t
add_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	while (len-- > 0)
		sum = (sum ^ *p++) * 16777619u;
	return sum;
}

static void
note(struct seen *s, size_t len, uint32_t sum)
{
	assert_true(s->n < SEEN_MAX);
	s->datagram[s->n].len = len;
	s->datagram[s->n].sum = sum;
	s->n++;
}

static struct train *
open_train(
    struct trains *shared, const char *at, bool gso, bool errors, int buffer)
{
	struct train_config c = {
	    .gso = gso, .errors = errors, .buffer = buffer, .index = 7};
	struct train *t;

	assert_int_equal(addr_parse(&c.at, at), 0);
	assert_int_equal(train_open(&t, shared, &c), 0);
	assert_int_equal(train_index(t), 7);
	assert_true(train_addr(t)->port != 0);
	return t;
}

static void
take(void *arg, struct train *t, const struct addr *from, const uint8_t *p,
    size_t len, size_t seg)
{
	struct seen *s = arg;
	size_t run = 0;

	(void)t;
	assert_true(seg <= len);
	do {
		size_t n = len < seg ? len : seg;

		note(s, n, add_sum(1, p, n));
		p += n;
		len -= n;
		run++;
	} while (len > 0);
	s->messages++;
	s->from = *from;
	if (run > s->longest_run)
		s->longest_run = run;
}

/* Until it has what it should have, or nothing comes for 2 s. */
static void
collect(size_t i)
{
	struct pollfd p = {.fd = train_fd(dest[i]), .events = POLLIN};

	while (got[i].n < want[i].n && poll(&p, 1, 2000) == 1)
		while (train_read(dest[i], take, &got[i]) > 0)
			;
	while (train_read(dest[i], take, &got[i]) > 0)
		;
}

static void
check(size_t i)
{
	collect(i);
	assert_int_equal(got[i].n, want[i].n);
	for (size_t k = 0; k < got[i].n; k++) {
		assert_int_equal(
		    got[i].datagram[k].len, want[i].datagram[k].len);
		assert_int_equal(
		    got[i].datagram[k].sum, want[i].datagram[k].sum);
	}
}

static void
send_to(struct train *t, size_t i, const void *head, size_t head_len,
    const uint8_t *p, size_t len, size_t seg)
{
	size_t at = 0;

	train_queue(t, train_addr(dest[i]), head, head_len, p, len, seg);
	do {
		size_t n = len - at < seg ? len - at : seg;

		note(&want[i], head_len + n,
		    add_sum(add_sum(1, head, head_len), p + at, n));
		at += n;
	} while (at < len);
}

static int
begin(void **state)
{
	(void)state;
	seed = 4;
	for (size_t i = 0; i < DATA; i++)
		data[i] = (uint8_t)rnd(256);
	assert_int_equal(trains_new(&ours), 0);
	assert_int_equal(trains_new(&theirs), 0);
	for (size_t i = 0; i < DESTINATIONS; i++) {
		dest[i] =
		    open_train(theirs, "127.0.0.1:0", true, false, BUFFER);
		got[i] = want[i] = (struct seen){0};
		got[i].datagram = calloc(SEEN_MAX, sizeof(*got->datagram));
		want[i].datagram = calloc(SEEN_MAX, sizeof(*want->datagram));
		assert_true(got[i].datagram != NULL);
		assert_true(want[i].datagram != NULL);
	}
	return 0;
}

static int
end(void **state)
{
	(void)state;
	for (size_t i = 0; i < DESTINATIONS; i++) {
		train_free(dest[i]);
		free(got[i].datagram);
		free(want[i].datagram);
	}
	trains_free(ours);
	trains_free(theirs);
	return 0;
}

static void
nothing_leaves_before_the_flush(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, false, 0);
	struct pollfd p = {.fd = train_fd(dest[0]), .events = POLLIN};

	(void)state;
	for (size_t i = 0; i < 200; i++)
		send_to(t, 0, NULL, 0, data + 148 * i, 148, 148);
	assert_int_equal(poll(&p, 1, 0), 0);
	trains_flush(ours);
	check(0);
	assert_true(addr_equal(&got[0].from, train_addr(t)));
	assert_int_equal(got[0].longest_run, 64);
	assert_int_equal(got[0].messages, 4);
	train_free(t);
}

static void
interleaved_flows_leave_as_runs(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, false, 0);

	(void)state;
	for (size_t k = 0; k < 20; k++)
		for (size_t i = 0; i < DESTINATIONS; i++)
			send_to(t, i, NULL, 0, data + 100 * k + i, 100, 100);
	trains_flush(ours);
	for (size_t i = 0; i < DESTINATIONS; i++) {
		check(i);
		assert_int_equal(got[i].messages, 1);
	}
	train_free(t);
}

static void
heads_stand_before_each_datagram(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, false, 0);
	char head[4] = {0x40, 0, 0, 100};

	(void)state;
	send_to(t, 0, head, sizeof(head), data, 30 * 100 + 7, 100);
	memset(head, 1, sizeof(head)); /* was copied */
	send_to(t, 1, head, sizeof(head), data, 100, 100);
	send_to(t, 1, NULL, 0, data, 104, 104); /* of the same length */
	send_to(t, 1, head, sizeof(head), data, 0, 0);
	trains_flush(ours);
	check(0);
	check(1);
	assert_int_equal(got[0].messages, 1);
	assert_int_equal(got[1].messages, 1);
	assert_int_equal(got[1].n, 3);
	train_free(t);
}

static void
a_run_has_no_more_than_a_datagram(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, false, BUFFER);

	(void)state;
	send_to(t, 0, NULL, 0, data, 64 * 1400, 1400);
	for (size_t i = 0; i < 64; i++)
		send_to(t, 1, "abcd", 4, data, 1400, 1400);
	trains_flush(ours);
	check(0);
	check(1);
	assert_int_equal(got[0].messages, 2);
	assert_int_equal(got[1].messages, 2);
	train_free(t);
}

static void
without_gso_one_by_one(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", false, false, 0);

	(void)state;
	send_to(t, 0, "head", 4, data, 50 * 100 + 1, 100);
	send_to(t, 0, NULL, 0, data, 50 * 104, 104);
	trains_flush(ours);
	check(0);
	assert_int_equal(got[0].messages, 101);
	train_free(t);
}

static void
without_gro_one_by_one(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, false, 0);

	(void)state;
	train_free(dest[0]);
	dest[0] = open_train(theirs, "127.0.0.1:0", false, false, BUFFER);
	send_to(t, 0, NULL, 0, data, 50 * 100, 100);
	trains_flush(ours);
	check(0);
	assert_int_equal(got[0].messages, 50);
	train_free(t);
}

static void
a_full_queue_is_flushed(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, false, BUFFER);

	(void)state;
	for (size_t i = 0; i < 3 * TRAIN_QUEUE + 5; i++)
		send_to(t, i % 7, "abcd", 4, data + i, 20 + i % 3, 20 + i % 3);
	trains_flush(ours);
	for (size_t i = 0; i < 7; i++)
		check(i);
	train_free(t);
}

/* Answers have to stay whole over a flush in between. */
static void
answers_are_copies(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, false, BUFFER);
	uint8_t answer[1000];

	(void)state;
	for (size_t i = 0; i < 2 * TRAIN_QUEUE; i++) {
		size_t len = 1 + rnd(sizeof(answer));

		memcpy(answer, data + i, len);
		note(&want[i % 3], len, add_sum(1, answer, len));
		train_answer(t, train_addr(dest[i % 3]), answer, len);
		memset(answer, 0, len);
		if (i % 5 == 0)
			send_to(t, i % 3, NULL, 0, data, 30, 30);
	}
	trains_flush(ours);
	for (size_t i = 0; i < 3; i++)
		check(i);
	assert_int_equal(trains_lost(ours), 0);
	train_free(t);
}

static void
no_bytes_is_a_datagram_too(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, false, 0);

	(void)state;
	send_to(t, 0, NULL, 0, data, 0, 0);
	send_to(t, 0, NULL, 0, data, 0, 0);
	send_to(t, 0, NULL, 0, data, 10, 10);
	send_to(t, 0, NULL, 0, data + 10, 10, 10);
	send_to(t, 0, NULL, 0, data, 0, 0);
	send_to(t, 0, NULL, 0, data + 20, 10, 10);
	trains_flush(ours);
	check(0);
	train_free(t);
}

/* Any mix, from two sockets, to one destination in the order given. */
static void
mix(bool gso, uint32_t with)
{
	struct train *t[2];

	seed = with;
	for (size_t i = 0; i < 2; i++)
		t[i] = open_train(ours, "127.0.0.1:0", gso, i == 1, BUFFER);
	for (size_t i = 0; i < 1500; i++) {
		size_t to = rnd(6);
		size_t seg = rnd(3) ? 40 : 1 + rnd(700);
		size_t len = rnd(4) ? seg : seg * (1 + rnd(70)) + rnd(2);
		size_t head_len = rnd(2) ? 0 : rnd(65);

		if (len > 60000)
			len = seg;
		if (rnd(20) == 0)
			len = seg = rnd(2) * rnd(1400);
		send_to(t[to % 2], to, data, head_len, data + rnd(DATA - 65536),
		    len, seg);
		if (rnd(20) != 0)
			continue;
		trains_flush(ours);
		collect(to); /* nobody's receive buffer runs over */
	}
	train_free(t[0]); /* flushes */
	train_free(t[1]);
	assert_int_equal(trains_lost(ours), 0);
	for (size_t i = 0; i < 6; i++)
		check(i);
}

static void
any_mix(void **state)
{
	(void)state;
	mix(true, 1);
}

static void
any_mix_without_gso(void **state)
{
	(void)state;
	mix(false, 2);
}

static void
ipv6(void **state)
{
	struct train *t;

	(void)state;
	train_free(dest[0]);
	dest[0] = open_train(theirs, "[::1]:0", true, false, BUFFER);
	t = open_train(ours, "[::1]:0", true, true, 0);
	send_to(t, 0, "x", 1, data, 30 * 1000, 1000);
	trains_flush(ours);
	check(0);
	assert_int_equal(got[0].messages, 1);
	train_free(t);
}

/* UDP_SEGMENT refuses what is longer than the MTU, IP can fragment it. */
static void
longer_than_the_mtu(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, true, BUFFER);

	(void)state;
	if (!own_mtu)
		skip();
	send_to(t, 0, NULL, 0, data, 100, 100);
	send_to(t, 0, NULL, 0, data, 12 * 4000 + 1, 4000);
	send_to(t, 1, NULL, 0, data, 20 * 1472, 1472); /* just fits */
	send_to(t, 2, "!", 1, data, 20 * 1472, 1472);
	send_to(t, 0, NULL, 0, data, 65507, 65507);
	send_to(t, 3, NULL, 0, data, 10 * 1473, 1473); /* known by now */
	trains_flush(ours);
	for (size_t i = 0; i < 4; i++)
		check(i);
	assert_int_equal(got[1].messages, 1);
	assert_int_equal(got[2].messages, 20);
	assert_int_equal(got[3].messages, 10);
	send_to(t, 4, NULL, 0, data, 20 * 1472, 1472); /* still runs */
	trains_flush(ours);
	check(4);
	assert_int_equal(got[4].messages, 1);
	assert_int_equal(trains_lost(ours), 0);
	train_free(t);
}

static void
what_is_refused_is_counted(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, false, 1);
	struct addr broadcast, zero;

	(void)state;
	assert_int_equal(addr_parse(&broadcast, "255.255.255.255:9"), 0);
	assert_int_equal(addr_parse_ip(&zero, "127.0.0.1", 0), 0);
	train_queue(t, &broadcast, NULL, 0, data, 10 * 100, 100);
	train_queue(t, &zero, NULL, 0, data, 5 * 100, 100);
	train_queue(t, &zero, data, 65, data, 100, 100); /* head too long */
	send_to(t, 0, NULL, 0, data, 10 * 100, 100);
	trains_flush(ours);
	check(0);
	assert_int_equal(trains_lost(ours), 16);
	send_to(t, 0, NULL, 0, data, 10 * 100, 100);
	trains_flush(ours);
	check(0);
	assert_int_equal(got[0].messages, 2); /* runs are not to blame */
	train_free(t);
}

/* The send buffer of that socket cannot hold it. */
static void
a_full_send_buffer(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, false, 1);

	(void)state;
	if (!own_mtu)
		skip();
	train_queue(t, train_addr(dest[0]), NULL, 0, data, 60000, 60000);
	send_to(t, 0, NULL, 0, data, 100, 100);
	trains_flush(ours);
	check(0);
	assert_int_equal(trains_lost(ours), 1);
	train_free(t);
}

static void
must_not_be_fragmented(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, true, 0);
	uint8_t type, code;
	uint32_t value;
	struct addr to;

	(void)state;
	if (!own_mtu)
		skip();
	send_to(t, 0, NULL, 0, data, 10, 10);
	assert_int_equal(
	    train_send_df(t, train_addr(dest[0]), data, 1473), -EMSGSIZE);
	/* as a router would say it, and once */
	assert_int_equal(train_error(t, &to, &type, &code, &value), 1);
	assert_true(addr_equal(&to, train_addr(dest[0])));
	assert_int_equal(type << 8 | code, 3 << 8 | 4);
	assert_int_equal(value, 1500);
	assert_int_equal(train_error(t, &to, &type, &code, &value), 0);
	assert_int_equal(
	    train_send_df(t, train_addr(dest[0]), data + 9, 1472), 0);
	note(&want[0], 1472, add_sum(1, data + 9, 1472));
	send_to(t, 0, NULL, 0, data, 1473, 1473); /* this one may */
	train_queue(t, train_addr(dest[0]), NULL, 0, data, 65508, 65508);
	trains_flush(ours);
	check(0);
	assert_int_equal(train_error(t, &to, &type, &code, &value), 0);
	train_free(t);
}

static void
errors_are_told_and_cost_nothing(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, true, 0);
	struct addr closed = *train_addr(dest[9]), to;
	struct pollfd p = {.fd = train_fd(t)};
	uint8_t type, code;
	uint32_t value;

	(void)state;
	train_free(dest[9]);
	dest[9] = NULL;
	assert_int_equal(train_error(t, &to, &type, &code, &value), 0);
	for (size_t i = 0; i < 3; i++) {
		send_to(t, 0, NULL, 0, data, 300, 100);
		send_to(t, 1, NULL, 0, data, 100, 100);
		train_queue(t, &closed, NULL, 0, data, 300, 100);
		trains_flush(ours); /* the next one meets the error */
	}
	check(0);
	check(1);
	assert_int_equal(trains_lost(ours), 0);
	assert_int_equal(poll(&p, 1, 2000), 1);
	assert_true(p.revents & POLLERR);
	assert_int_equal(train_error(t, &to, &type, &code, &value), 1);
	assert_true(addr_equal(&to, &closed));
	assert_int_equal(type, 3);
	assert_int_equal(code, 3);
	assert_int_equal(value, 0);
	while (train_error(t, &to, &type, &code, &value) == 1)
		;
	train_free(t);
}

/* An error must not hide the datagram that waits behind it. */
static void
errors_do_not_stop_reading(void **state)
{
	struct train *t = open_train(ours, "127.0.0.1:0", true, true, 0);
	struct addr closed = *train_addr(dest[9]);
	struct pollfd p = {.fd = train_fd(t)};
	struct seen in = got[1];

	(void)state;
	train_free(dest[9]);
	dest[9] = NULL;
	train_queue(t, &closed, NULL, 0, data, 100, 100);
	trains_flush(ours);
	assert_int_equal(poll(&p, 1, 2000), 1);
	train_queue(dest[0], train_addr(t), NULL, 0, data, 300, 100);
	trains_flush(theirs);
	p.events = POLLIN;
	assert_int_equal(poll(&p, 1, 2000), 1);
	assert_int_equal(train_read(t, take, &in), 1);
	assert_int_equal(in.n, 3);
	train_free(t);
}

struct forward {
	struct train *out;
	size_t to;
	bool df; /* with one that flushes in between */
};

static void
forward(void *arg, struct train *t, const struct addr *from, const uint8_t *p,
    size_t len, size_t seg)
{
	const struct forward *f = arg;

	(void)t;
	(void)from;
	if (f->df) {
		assert_int_equal(
		    train_send_df(f->out, train_addr(dest[f->to]), p, 10), 0);
		note(&want[f->to], 10, add_sum(1, p, 10));
	}
	send_to(f->out, f->to, "h", 1, p, len, seg);
}

/* What one socket got must not be overwritten by what the next one gets. */
static void
many_are_read_before_the_flush(void **state)
{
	struct train *in[60];
	struct forward f = {0};

	(void)state;
	f.out = open_train(ours, "127.0.0.1:0", true, false, BUFFER);
	for (size_t i = 0; i < 60; i++)
		in[i] = open_train(ours, "127.0.0.1:0", true, false, BUFFER);
	for (size_t round = 0; round < 4; round++) {
		for (size_t i = 0; i < 60; i++)
			for (size_t k = 0; k < 1 + i % 7; k++)
				train_queue(dest[9], train_addr(in[i]), NULL, 0,
				    data + 7 * i + k, 90 + k, 30 + k);
		trains_flush(theirs);
		for (size_t i = 0; i < 60; i++) {
			f.to = i % 3;
			f.df = i == 31;
			while (train_read(in[i], forward, &f) > 0)
				;
		}
		trains_flush(ours);
		for (size_t i = 0; i < 3; i++)
			check(i);
	}
	for (size_t i = 0; i < 60; i++)
		train_free(in[i]);
	train_free(f.out);
}

static void
what_cannot_be_bound(void **state)
{
	struct train_config c = {.at = {.family = ADDR_NONE}};
	struct train *t = NULL;

	(void)state;
	assert_int_equal(train_open(&t, ours, &c), -EINVAL);
	c.at = *train_addr(dest[0]);
	assert_int_equal(train_open(&t, ours, &c), -EADDRINUSE);
	assert_null(t);
}

/* Nothing of the machine's network may be in the way. */
static void
own_network(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd;

	if (unshare(CLONE_NEWNET) == -1 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) == -1)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r.ifr_mtu = MTU;
	own_mtu = fd != -1 && ioctl(fd, SIOCSIFMTU, &r) == 0;
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	own_mtu = own_mtu && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(nothing_leaves_before_the_flush),
	    TEST(interleaved_flows_leave_as_runs),
	    TEST(heads_stand_before_each_datagram),
	    TEST(a_run_has_no_more_than_a_datagram),
	    TEST(without_gso_one_by_one),
	    TEST(without_gro_one_by_one),
	    TEST(a_full_queue_is_flushed),
	    TEST(answers_are_copies),
	    TEST(no_bytes_is_a_datagram_too),
	    TEST(any_mix),
	    TEST(any_mix_without_gso),
	    TEST(ipv6),
	    TEST(longer_than_the_mtu),
	    TEST(what_is_refused_is_counted),
	    TEST(a_full_send_buffer),
	    TEST(must_not_be_fragmented),
	    TEST(errors_are_told_and_cost_nothing),
	    TEST(errors_do_not_stop_reading),
	    TEST(many_are_read_before_the_flush),
	    TEST(what_cannot_be_bound),
	};

	own_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

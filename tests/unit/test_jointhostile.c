/* SPDX-License-Identifier: ISC */
/* A peer that has the key and breaks every rule of streams: a bare QUIC
 * connection to a tunnel's joints. */
#include "joint_fixture.h"

#include "psk.h"

#define STREAMS 900

struct raw_stream {
	size_t len, sent, got;
	bool fin, fin_sent, end, reset, stopped, closed;
	char in[200], out[4096];
};

static struct quic *raw;
static int raw_fd;
static struct event *raw_ev, *raw_timer;
static struct raw_stream raw_s[STREAMS];
static size_t raw_n;
static uint8_t datagram[1000];
static size_t datagram_len;

static struct raw_stream *
of(int64_t id)
{
	assert_int_equal(id % 4, 0);
	return &raw_s[id / 4];
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
opened(void *arg, int64_t id)
{
	(void)arg;
	(void)id;
	fail();
}

static void
data_cb(void *arg, int64_t id, const uint8_t *data, size_t len, bool fin)
{
	struct raw_stream *s = of(id);

	(void)arg;
	assert_true(s->got + len < sizeof(s->in));
	memcpy(s->in + s->got, data, len);
	s->got += len;
	s->end = fin;
}

static void
acked(void *arg, int64_t id, uint64_t len)
{
	(void)arg;
	(void)id;
	(void)len;
}

static void
reset_cb(void *arg, int64_t id, uint64_t code)
{
	(void)arg;
	(void)code;
	of(id)->reset = true;
}

static void
stopped_cb(void *arg, int64_t id, uint64_t code)
{
	(void)arg;
	(void)code;
	of(id)->stopped = true;
}

static void
writable(void *arg, int64_t id)
{
	(void)arg;
	(void)id;
}

static void
closed(void *arg, int64_t id)
{
	(void)arg;
	of(id)->closed = true;
}

static void
no_datagram(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
}

static bool
next(void *arg, struct quic_chunk *out)
{
	(void)arg;
	if (datagram_len > 0) {
		*out = (struct quic_chunk){
		    .id = -1, .iov[0] = {datagram, datagram_len}, .n = 1};
		return true;
	}
	for (size_t i = 0; i < raw_n; i++) {
		struct raw_stream *s = &raw_s[i];

		if (s->stopped || s->closed ||
		    (s->sent == s->len && (!s->fin || s->fin_sent)))
			continue;
		*out = (struct quic_chunk){.id = (int64_t)i * 4,
		    .iov[0] = {s->out + s->sent, s->len - s->sent},
		    .n = 1,
		    .fin = s->fin};
		return true;
	}
	return false;
}

static void
sent(void *arg, int64_t id, size_t n, bool fin)
{
	(void)arg;
	if (id == -1) {
		datagram_len = 0;
		return;
	}
	of(id)->sent += n;
	of(id)->fin_sent = fin;
}

static void
blocked(void *arg, int64_t id)
{
	(void)arg;
	assert_int_equal(id, -1);
	datagram_len = 0;
}

static const struct quic_calls calls = {nothing, opened, data_cb, acked,
    reset_cb, stopped_cb, writable, closed, no_datagram, nothing, next, sent,
    blocked};

static void
pump(void)
{
	static uint8_t buf[QUIC_WRITE_MAX];
	size_t n, seg;

	while ((n = quic_write(
		    raw, buf, sizeof(buf), 1200, &seg, now_us() * 1000)) > 0)
		for (size_t at = 0; at < n; at += seg)
			send(raw_fd, buf + at, n - at < seg ? n - at : seg, 0);
	loop_at(raw_timer, quic_expiry(raw) / 1000000 + 1);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
	quic_expire(raw, now_us() * 1000);
	pump();
}

static void
read_cb(evutil_socket_t fd, short events, void *arg)
{
	uint8_t buf[2048];
	ssize_t r;

	(void)events;
	(void)arg;
	while ((r = recv((int)fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		quic_read(raw, buf, (size_t)r, now_us() * 1000);
	pump();
}

static int
start(void **state)
{
	uint8_t psk[PSK_LEN];
	struct quic_config c = {.psk = psk,
	    .peer_psk = psk,
	    .calls = &calls,
	    .stream_window = 65536,
	    .window = 1 << 20,
	    .streams = 1};

	fx_start(state);
	memset(raw_s, 0, sizeof(raw_s));
	raw_n = 0;
	raw_fd = fx_bare_path(fx_lb, fx_b);
	assert_int_equal(
	    psk_derive(psk, fx_priv[0], fx_pub[0], fx_pub[1], true), 0);
	assert_int_equal(quic_dial(&raw, &c, now_us() * 1000), 0);
	raw_ev =
	    loop_event(&fx_loop, raw_fd, EV_READ | EV_PERSIST, read_cb, NULL);
	event_add(raw_ev, NULL);
	raw_timer = loop_event(&fx_loop, -1, 0, timer_cb, NULL);
	pump();
	FX_UNTIL(quic_is_established(raw));
	return 0;
}

static int
end(void **state)
{
	int rc = fx_end(state);

	event_free(raw_ev);
	event_free(raw_timer);
	quic_free(raw);
	close(raw_fd);
	return rc;
}

static struct raw_stream *
open_with(const char *text, size_t len, bool fin)
{
	int64_t id = quic_open(raw);
	struct raw_stream *s = of(id);

	memcpy(s->out, text, len);
	s->len = len;
	s->fin = fin;
	raw_n = (size_t)id / 4 + 1;
	pump();
	return s;
}

/* Thrown out, and the connection stands. */
static void
gone(const struct raw_stream *s)
{
	FX_UNTIL(s->reset && (s->stopped || s->fin) && s->closed);
	assert_int_equal(s->got, 0);
	assert_int_equal(fx_n_offers, 0);
	assert_true(quic_is_established(raw));
}

static void
a_line_that_never_ends(void **state)
{
	char text[4000];

	(void)state;
	memset(text, 'x', sizeof(text));
	gone(open_with(text, sizeof(text), false));
	gone(open_with(text, RECORD_MAX, false));
	text[3999] = '\n';
	gone(open_with(text, sizeof(text), true));
}

static void
an_end_without_a_line(void **state)
{
	(void)state;
	gone(open_with("open to=program", 15, true));
	gone(open_with("", 0, true));
}

static void
a_line_that_makes_no_sense(void **state)
{
	static const char *const lines[] = {"\n", "open\n", "open to=moon\n",
	    "ok port=1\n", "open to=tcp host=h port=99999\n",
	    "open to=unix path=relative\n", "open to=tcp port=1\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct raw_stream *s =
		    open_with(lines[i], strlen(lines[i]), true);

		FX_UNTIL(s->end && s->closed);
		assert_memory_equal(s->in, "no reason=", 10);
	}
	assert_int_equal(fx_n_offers, 0);
}

static void
a_line_in_pieces(void **state)
{
	static const char line[] = "open to=program\nand data";
	struct raw_stream *s;
	struct fx_side y;
	char buf[20];
	int p[2];

	(void)state;
	s = open_with(line, 1, false);
	for (size_t i = 1; i < sizeof(line) - 1; i++) {
		fx_turn(1);
		s->out[i] = line[i];
		s->len++;
		pump();
	}
	FX_UNTIL(fx_n_offers == 1);
	fx_pair(p);
	fx_accept(&y, fx_offers[0], p[0], p[0]);
	FX_UNTIL(recv(p[1], buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK) == 8);
	FX_UNTIL(s->got == 3);
	assert_memory_equal(s->in, "ok\n", 3);
	quic_reset(raw, 0, 77);
	pump();
	FX_UNTIL(y.ended);
	assert_int_equal(y.r.end, JOINT_ABORTED);
	quic_stop(raw, 0, 77);
	pump();
	FX_UNTIL(s->closed);
	close(p[1]);
}

static void
bytes_on_a_stream_of_datagrams(void **state)
{
	static const char line[] = "open to=udp host=h port=1\nbytes";
	struct raw_stream *s;

	(void)state;
	s = open_with(line, strlen(line), false);
	FX_UNTIL(s->reset && s->stopped && s->closed);
	assert_int_equal(s->got, 0);
}

/* Their answerer is told that they were given up. */
static int told;

static void
on_gone(void *arg, struct joint *j)
{
	(void)arg;
	(void)j;
	told++;
}

static void
given_up_before_an_answer(void **state)
{
	static const char line[] = "open to=program\nlots";
	struct raw_stream *s = open_with(line, strlen(line), false);

	(void)state;
	told = 0;
	FX_UNTIL(fx_n_offers == 1);
	joint_on_gone(fx_offers[0], on_gone, NULL);
	quic_stop(raw, 0, 5); /* which is all: its bytes go on */
	pump();
	FX_UNTIL(told == 1);
	FX_UNTIL(s->closed);
}

static void
datagrams_of_nothing(void **state)
{
	static const char line[] = "open to=program\n";
	struct raw_stream *s = open_with(line, strlen(line), true);
	struct fx_side y;

	(void)state;
	FX_UNTIL(fx_n_offers == 1);
	for (int i = 0; i < 300; i++) {
		datagram[0] = (uint8_t)(i < 150 ? 0 : i);
		datagram_len = i % 3 == 0 ? 1 : sizeof(datagram);
		pump();
	}
	fx_turn(4);
	assert_true(quic_is_established(raw));
	fx_accept(&y, fx_offers[0], -1, -1);
	FX_UNTIL(y.ended && s->closed);
	assert_int_equal(y.r.end, JOINT_DONE);
}

/* A window full each, which nobody ever reads, before any answer. */
static void
many_that_stall(void **state)
{
	static const char line[] = "open to=program\n";

	(void)state;
	told = 0;
	for (int i = 0; i < STREAMS; i++) {
		char text[4096];

		memset(text, 'x', sizeof(text));
		memcpy(text, line, sizeof(line) - 1);
		open_with(text, sizeof(text), false);
	}
	FX_UNTIL(fx_n_offers == STREAMS);
	assert_true(fx_memory(fx_lb) <= FX_BUDGET);
	for (int i = 0; i < STREAMS; i++)
		joint_refuse(fx_offers[i], OPENING_BUSY);
	for (int i = 0; i < STREAMS; i++) {
		FX_UNTIL(raw_s[i].end);
		quic_reset(raw, i * 4, 0);
		pump();
	}
	FX_UNTIL(fx_streams(fx_lb) == 0);
}

static void
a_connection_that_is_given_up(void **state)
{
	static const char line[] = "open to=program\n";
	uint8_t buf[1200];
	struct fx_side y;
	size_t n;
	int p[2];

	(void)state;
	open_with(line, strlen(line), false);
	open_with(line, 3, false);
	open_with(line, strlen(line), false);
	FX_UNTIL(fx_n_offers == 2);
	fx_pair(p);
	fx_accept(&y, fx_offers[0], p[0], p[0]);
	told = 0;
	joint_on_gone(fx_offers[1], on_gone, NULL);
	n = quic_close(raw, 0, buf, sizeof(buf), now_us() * 1000);
	send(raw_fd, buf, n, 0);
	FX_UNTIL(y.ended);
	assert_int_equal(y.r.end, JOINT_ABORTED);
	assert_int_equal(told, 1);
	close(p[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_line_that_never_ends),
	    TEST(an_end_without_a_line),
	    TEST(a_line_that_makes_no_sense),
	    TEST(a_line_in_pieces),
	    TEST(bytes_on_a_stream_of_datagrams),
	    TEST(given_up_before_an_answer),
	    TEST(datagrams_of_nothing),
	    TEST(many_that_stall),
	    TEST(a_connection_that_is_given_up),
	};

	if (sodium_init() == -1)
		return 1;
	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

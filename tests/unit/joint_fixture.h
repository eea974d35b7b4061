/* SPDX-License-Identifier: ISC */
/* Two tunnels over 127.0.0.1 in one loop, joints between them, and what is at
 * the far ends of their descriptors: who writes a pattern, who checks it. */
#ifndef NATKIT_JOINT_FIXTURE_H
#define NATKIT_JOINT_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "block.h"
#include "joint.h"
#include "link.h"
#include "loopback.h"
#include "tunnel.h"

#define FX_BUDGET (8u << 20)
#define FX_TICKS 4000 /* of 5 ms: what has not happened by then never will */

/* One end of a stream. */
struct fx_side {
	struct joint *j;
	struct joint_result r;
	int ended, answered;
	enum opening_reason reason;
	uint16_t port;
};

static struct loop fx_loop;
static struct tunnel *fx_a, *fx_b; /* a opens, b answers */
static struct link *fx_la, *fx_lb;
static uint8_t fx_priv[2][KEY_LEN], fx_pub[2][KEY_LEN];
static struct event *fx_tick;
static int fx_ticks;
/* b's streams, in the order that they came */
static struct joint *fx_offers[1200];
static size_t fx_n_offers;
static void (*fx_on_offer)(struct joint *j);

static __attribute__((unused)) void
fx_opened(void *arg, struct joint *j)
{
	(void)arg;
	fx_offers[fx_n_offers++] = j;
	if (fx_on_offer != NULL)
		fx_on_offer(j);
}

static __attribute__((unused)) void
fx_tick_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
	fx_ticks++;
}

/* Turns the loop until the condition holds. */
#define FX_UNTIL(condition)                                                    \
	do {                                                                   \
		fx_ticks = 0;                                                  \
		while (!(condition)) {                                         \
			event_base_loop(fx_loop.base, EVLOOP_ONCE);            \
			if (fx_ticks > FX_TICKS)                               \
				fail_msg("never: %s", #condition);             \
		}                                                              \
	} while (0)

static __attribute__((unused)) void
fx_turn(int ticks)
{
	fx_ticks = 0;
	while (fx_ticks < ticks)
		event_base_loop(fx_loop.base, EVLOOP_ONCE);
}

static __attribute__((unused)) void
fx_tunnel(struct tunnel **t, int i)
{
	struct tunnel_config c = {
	    .loop = &fx_loop,
	    .priv = fx_priv[i],
	    .pub = fx_pub[i],
	    .gso = true,
	    .budget = FX_BUDGET,
	    .streams = 1024,
	    .opened = fx_opened,
	};

	assert_int_equal(tunnel_new(t, &c), 0);
}

static __attribute__((unused)) void
fx_path(struct link *l, uint16_t port)
{
	struct addr at;

	assert_int_equal(addr_parse_ip(&at, "127.0.0.1", port), 0);
	link_path(l, LINK_DIRECT, &at, NULL);
}

/* A bare socket that the link takes for its peer's, and what it sends to. */
static __attribute__((unused)) int
fx_bare_path(struct link *l, struct tunnel *t)
{
	struct sockaddr_in at;
	int fd = loopback_bind(SOCK_DGRAM, &at);

	fx_path(l, ntohs(at.sin_port));
	at.sin_port = htons(tunnel_port(t));
	loopback_connect(fd, &at);
	return fd;
}

static __attribute__((unused)) int
fx_start(void **state)
{
	const struct timeval tick = {0, 5000};

	(void)state;
	loop_init(&fx_loop, false);
	fx_tick = loop_event(&fx_loop, -1, EV_PERSIST, fx_tick_cb, NULL);
	event_add(fx_tick, &tick);
	for (int i = 0; i < 2; i++) {
		randombytes_buf(fx_priv[i], KEY_LEN);
		crypto_scalarmult_base(fx_pub[i], fx_priv[i]);
	}
	fx_n_offers = 0;
	fx_on_offer = NULL;
	fx_tunnel(&fx_a, 0);
	fx_tunnel(&fx_b, 1);
	fx_la = tunnel_link(fx_a, fx_pub[1]);
	fx_lb = tunnel_link(fx_b, fx_pub[0]);
	fx_path(fx_la, tunnel_port(fx_b));
	fx_path(fx_lb, tunnel_port(fx_a));
	return 0;
}

static __attribute__((unused)) uint64_t
fx_memory(struct link *l)
{
	struct link_status s;

	link_status(l, &s);
	return s.memory;
}

static __attribute__((unused)) uint32_t
fx_streams(struct link *l)
{
	struct link_status s;

	link_status(l, &s);
	return s.streams;
}

/* Everything was given back, down to the last stream's shell. */
static __attribute__((unused)) int
fx_end(void **state)
{
	(void)state;
	if (fx_a != NULL && fx_b != NULL)
		FX_UNTIL(fx_streams(fx_la) == 0 && fx_streams(fx_lb) == 0);
	if (fx_a != NULL)
		assert_int_equal(fx_memory(fx_la), 0);
	if (fx_b != NULL)
		assert_int_equal(fx_memory(fx_lb), 0);
	tunnel_free(fx_a);
	tunnel_free(fx_b);
	fx_a = fx_b = NULL;
	event_free(fx_tick);
	block_trim();
	loop_free(&fx_loop);
	return 0;
}

/* ---- joints ---- */

static __attribute__((unused)) void
fx_answered(void *arg, enum opening_reason r, uint16_t port)
{
	struct fx_side *s = arg;

	s->answered++;
	s->reason = r;
	s->port = port;
}

static __attribute__((unused)) void
fx_ended(void *arg, const struct joint_result *r)
{
	struct fx_side *s = arg;

	s->ended++;
	s->r = *r;
	s->j = NULL;
}

static __attribute__((unused)) struct joint_config
fx_config(struct fx_side *s, int in, int out)
{
	memset(s, 0, sizeof(*s));
	return (struct joint_config){.in = in,
	    .out = out,
	    .answered = fx_answered,
	    .ended = fx_ended,
	    .arg = s};
}

static __attribute__((unused)) struct opening
fx_what(enum opening_to to)
{
	struct opening o = {.to = to};

	if (to == OPENING_TCP || to == OPENING_UDP) {
		strcpy(o.host, "127.0.0.1");
		o.port = 7;
	}
	return o;
}

static __attribute__((unused)) void
fx_open_as(struct fx_side *s, enum opening_to to, const struct joint_config *c)
{
	struct opening what = fx_what(to);

	assert_int_equal(joint_open(&s->j, fx_la, &what, c), 0);
}

static __attribute__((unused)) void
fx_open(struct fx_side *s, int in, int out)
{
	struct joint_config c = fx_config(s, in, out);

	fx_open_as(s, OPENING_PROGRAM, &c);
}

static __attribute__((unused)) void
fx_accept(struct fx_side *s, struct joint *j, int in, int out)
{
	struct joint_config c = fx_config(s, in, out);

	s->j = j;
	assert_int_equal(joint_accept(j, 0, &c), 0);
}

/* ---- the far ends ---- */

static uint8_t fx_pattern_table[65536 + 251];

/* Byte n of a stream; period and blocks have no common measure. */
static __attribute__((unused)) const uint8_t *
fx_pattern(uint64_t at)
{
	if (fx_pattern_table[0] == 0) {
		uint8_t seed[randombytes_SEEDBYTES] = {7};

		randombytes_buf_deterministic(
		    fx_pattern_table, sizeof(fx_pattern_table), seed);
		fx_pattern_table[0] = 1;
		memcpy(fx_pattern_table + 65521, fx_pattern_table,
		    sizeof(fx_pattern_table) - 65521);
	}
	return fx_pattern_table + at % 65521;
}
#define FX_PIECE (sizeof(fx_pattern_table) - 65521)

/* Writes `total` bytes of the pattern, and closes (or shuts down). */
struct fx_feeder {
	int fd;
	uint64_t total, sent;
	bool keep; /* open, without a word */
	bool half; /* shut down, not closed */
	bool over;
	int error;
	struct event *ev;
};

static __attribute__((unused)) void
fx_feed_cb(evutil_socket_t fd, short events, void *arg)
{
	struct fx_feeder *f = arg;

	(void)events;
	for (int i = 0; i < 200 && f->sent < f->total; i++) {
		size_t len = FX_PIECE;
		ssize_t r;

		if (len > f->total - f->sent)
			len = (size_t)(f->total - f->sent);
		r = write((int)fd, fx_pattern(f->sent), len);
		if (r == -1 && errno == EAGAIN)
			break;
		if (r == -1) {
			f->error = errno;
			f->over = true;
			event_del(f->ev);
			return;
		}
		f->sent += (uint64_t)r;
	}
	if (f->sent < f->total)
		return;
	f->over = true;
	event_del(f->ev);
	if (f->half)
		shutdown((int)fd, SHUT_WR);
	else if (!f->keep)
		close((int)fd);
}

static __attribute__((unused)) void
fx_feed(struct fx_feeder *f, int fd, uint64_t total)
{
	memset(f, 0, sizeof(*f));
	f->fd = fd;
	f->total = total;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	f->ev = loop_event(&fx_loop, fd, EV_WRITE | EV_PERSIST, fx_feed_cb, f);
	event_add(f->ev, NULL);
}

static __attribute__((unused)) void
fx_feed_end(struct fx_feeder *f)
{
	event_free(f->ev);
}

/* Reads the pattern to its end. */
struct fx_drain {
	uint64_t got;
	bool end; /* a clean one */
	int error;
	bool wrong; /* what came was not what was sent */
	struct event *ev;
};

static __attribute__((unused)) void
fx_drain_cb(evutil_socket_t fd, short events, void *arg)
{
	struct fx_drain *d = arg;
	uint8_t buf[FX_PIECE];

	(void)events;
	for (int i = 0; i < 200; i++) {
		ssize_t r = read((int)fd, buf, sizeof(buf));

		if (r == -1 && errno == EAGAIN)
			return;
		if (r <= 0) {
			d->end = r == 0;
			d->error = r == 0 ? 0 : errno;
			event_del(d->ev);
			return;
		}
		if (memcmp(buf, fx_pattern(d->got), (size_t)r) != 0)
			d->wrong = true;
		d->got += (uint64_t)r;
	}
}

static __attribute__((unused)) void
fx_drain(struct fx_drain *d, int fd)
{
	memset(d, 0, sizeof(*d));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	d->ev = loop_event(&fx_loop, fd, EV_READ | EV_PERSIST, fx_drain_cb, d);
	event_add(d->ev, NULL);
}

static __attribute__((unused)) void
fx_drain_end(struct fx_drain *d)
{
	event_free(d->ev);
}

static __attribute__((unused)) void
fx_pair(int s[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
}

#endif

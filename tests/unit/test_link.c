/* SPDX-License-Identifier: ISC */
/* tunnel/link: connections between tunnels on 127.0.0.1, with real sockets:
 * strangers hear nothing, both may dial at once, a peer that was killed is
 * found out, a path may be moved in the midst of a transfer. */
#include "link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../loopwait.h"
#include "joint.h"
#include "linkpart.h"
#include "loopback.h"
#include "tunnel.h"

#define BUDGET (8 << 20)
#define PIECE 65536
#define TRIES 4000 /* of a loop's turn of at most 5 ms */

struct side {
	uint8_t priv[KEY_LEN], pub[KEY_LEN];
	struct tunnel *tunnel;
	struct link *link;
	uint32_t streams; /* 0: many */
	bool refuse, forget;
	unsigned opened;
};

static struct loop loop;
static struct side a, b;
static int flow_end; /* the test's, at the answering side */

/* A stream that is asked for, and the test's end of it. */
struct call {
	struct joint *joint;
	struct joint_result result;
	uint64_t to_send, sent, received;
	int fd;
	bool over, wrong, end, shut;
};

/* ---- fixture ---- */

static const struct opening program = {.to = OPENING_PROGRAM};

/* What comes goes back, and so does its end. */
static void
opened_cb(void *arg, struct joint *j)
{
	struct side *s = arg;
	int p[2];

	s->opened++;
	if (s->forget) {
		tunnel_forget(s->tunnel, s->link);
		return;
	}
	if (s->refuse) {
		joint_refuse(j, OPENING_PERMIT);
		return;
	}
	if (joint_what(j)->to == OPENING_UDP) {
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p),
		    0);
		flow_end = p[1];
		p[1] = p[0];
	} else {
		assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	}
	assert_int_equal(
	    joint_accept(j, 0, &(struct joint_config){.in = p[0], .out = p[1]}),
	    0);
}

static void
begin_side(struct side *s, uint16_t port)
{
	assert_int_equal(tunnel_new(&s->tunnel,
			     &(struct tunnel_config){
				 .loop = &loop,
				 .priv = s->priv,
				 .pub = s->pub,
				 .port = port,
				 .gso = true,
				 .budget = BUDGET,
				 .streams = s->streams != 0 ? s->streams : 1024,
				 .opened = opened_cb,
				 .arg = s,
			     }),
	    0);
}

static void
new_keys(struct side *s)
{
	memset(s, 0, sizeof(*s));
	randombytes_buf(s->priv, KEY_LEN);
	crypto_scalarmult_base(s->pub, s->priv);
}

static struct addr
loopback(uint16_t port)
{
	struct addr at;

	assert_int_equal(addr_parse_ip(&at, "127.0.0.1", port), 0);
	return at;
}

static void
set_path(struct side *s, uint16_t port)
{
	struct addr at = loopback(port);

	link_path(s->link, LINK_DIRECT, &at, NULL);
}

static void
meet(struct side *s, const struct side *other)
{
	s->link = tunnel_link(s->tunnel, other->pub);
	assert_non_null(s->link);
}

static void
set_paths(void)
{
	set_path(&a, tunnel_port(b.tunnel));
	set_path(&b, tunnel_port(a.tunnel));
}

/* Without a path; b takes so many streams (0: many). */
static void
begin_apart(uint32_t streams)
{
	new_keys(&a);
	new_keys(&b);
	b.streams = streams;
	begin_side(&a, 0);
	begin_side(&b, 0);
	meet(&a, &b);
	meet(&b, &a);
}

static void
begin_both(void)
{
	begin_apart(0);
	set_paths();
}

static void
end_both(void)
{
	tunnel_free(a.tunnel);
	tunnel_free(b.tunnel);
}

static void
tick_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
}

/* One turn of the loop, of at most 5 ms. */
static void
turn(void)
{
	struct timeval tv = {0, 5000};
	struct event *tick = loop_event(&loop, -1, 0, tick_cb, NULL);

	event_add(tick, &tv);
	event_base_loop(loop.base, EVLOOP_ONCE);
	event_free(tick);
}

static int
setup(void **state)
{
	(void)state;
	loop_init(&loop, false);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(&loop);
	return 0;
}

/* ---- calls ---- */

static void
ended_cb(void *arg, const struct joint_result *r)
{
	struct call *c = arg;

	c->over = true;
	c->result = *r;
}

static void
call(struct call *c, struct side *s, uint64_t bytes, uint32_t wait_ms)
{
	struct joint_config config = {
	    .wait_ms = wait_ms, .ended = ended_cb, .arg = c};
	int fd[2];

	memset(c, 0, sizeof(*c));
	assert_int_equal(socketpair(AF_UNIX,
			     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd),
	    0);
	config.in = config.out = fd[0];
	c->fd = fd[1];
	c->to_send = bytes;
	assert_int_equal(joint_open(&c->joint, s->link, &program, &config), 0);
}

static uint8_t
pattern(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static void
send_some(struct call *c)
{
	uint8_t buf[PIECE];
	uint64_t n = c->to_send - c->sent;
	ssize_t sent;

	if (n == 0 && !c->shut) {
		c->shut = true;
		shutdown(c->fd, SHUT_WR);
	}
	if (n == 0)
		return;
	if (n > PIECE)
		n = PIECE;
	for (uint64_t i = 0; i < n; i++)
		buf[i] = pattern(c->sent + i);
	sent = send(c->fd, buf, n, MSG_NOSIGNAL);
	if (sent > 0)
		c->sent += (uint64_t)sent;
}

static void
receive_some(struct call *c)
{
	uint8_t buf[PIECE];
	ssize_t n;

	while ((n = recv(c->fd, buf, sizeof(buf), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != pattern(c->received + (uint64_t)i))
				c->wrong = true;
		c->received += (uint64_t)n;
	}
	if (n == 0)
		c->end = true;
}

static bool
drive(struct call *c, size_t n)
{
	bool all = true;

	for (size_t i = 0; i < n; i++) {
		send_some(&c[i]);
		receive_some(&c[i]);
		all = all && c[i].over &&
		      (c[i].end || c[i].result.end != JOINT_DONE);
	}
	if (!all)
		turn();
	return all;
}

static void
finish(struct call *c, size_t n)
{
	for (int i = 0; i < TRIES * 10 && !drive(c, n); i++)
		;
	for (size_t i = 0; i < n; i++) {
		assert_true(c[i].over);
		close(c[i].fd);
	}
}

static void
assert_done(const struct call *c)
{
	assert_string_equal(joint_end_name(c->result.end), "done");
	assert_int_equal(c->received, c->to_send);
	assert_int_equal(c->sent, c->to_send);
	assert_false(c->wrong);
}

static struct link_status
status(const struct side *s)
{
	struct link_status st;

	link_status(s->link, &st);
	return st;
}

static void
wait_received(struct call *c, uint64_t bytes)
{
	for (int i = 0; i < TRIES && c->received < bytes; i++)
		drive(c, 1);
	assert_true(c->received >= bytes);
}

/* ---- a socket that is no tunnel ---- */

struct raw {
	int fd;
	uint16_t port;
};

static void
raw_open(struct raw *r)
{
	struct sockaddr_in at;

	r->fd = loopback_bind(SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, &at);
	r->port = ntohs(at.sin_port);
}

static void
raw_send(const struct raw *r, uint16_t port, const void *data, size_t len)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(port)};

	assert_int_equal(
	    sendto(r->fd, data, len, 0, (struct sockaddr *)&to, sizeof(to)),
	    len);
}

static size_t
make_hello(uint8_t *buf, size_t cap, const struct side *from,
    const uint8_t to[KEY_LEN])
{
	static const struct quic_calls none;
	uint8_t psk[PSK_LEN];
	struct quic_config c = {
	    .psk = psk, .peer_psk = psk, .calls = &none, .streams = 1};
	struct quic *q;
	size_t len, seg;

	assert_int_equal(psk_derive(psk, from->priv, from->pub, to, true), 0);
	assert_int_equal(quic_dial(&q, &c, now_us() * 1000), 0);
	len = quic_write(q, buf, cap, 1452, &seg, now_us() * 1000);
	assert_true(len >= 1200);
	quic_free(q);
	return len;
}

/* Bytes that came back within 60 turns. */
static size_t
heard(const struct raw *r)
{
	uint8_t buf[2048];
	size_t total = 0;
	ssize_t n;

	for (int i = 0; i < 60; i++) {
		turn();
		while ((n = recv(r->fd, buf, sizeof(buf), 0)) >= 0)
			total += (size_t)n + 1;
	}
	return total;
}

/* What the end of one link's stream leads to may be a stream of another. */
static void
over_there_cb(void *arg, const struct joint_result *r)
{
	(void)r;
	call(arg, &a, 100, 8000);
}

static void
test_forget_leads_elsewhere(void **state)
{
	struct joint_config config = {
	    .in = -1, .out = -1, .hold = true, .ended = over_there_cb};
	struct joint *j;
	struct side c;
	struct call next;

	(void)state;
	begin_both();
	new_keys(&c);
	config.arg = &next;
	for (int i = 0; i < 20; i++)
		turn(); /* nobody has anything to do any more */
	assert_int_equal(
	    joint_open(&j, tunnel_link(a.tunnel, c.pub), &program, &config), 0);
	for (int i = 0; i < 20; i++)
		turn();
	tunnel_forget(a.tunnel, tunnel_find(a.tunnel, c.pub));
	finish(&next, 1);
	assert_done(&next);
	end_both();
}

/* Sends back what comes. */
static void
mirror(const struct raw *r, const struct side *s)
{
	static uint8_t buf[65536];
	ssize_t n;

	while ((n = recv(r->fd, buf, sizeof(buf), 0)) >= 0)
		raw_send(r, tunnel_port(s->tunnel), buf, (size_t)n);
}

/* Nobody takes himself for his peer, whichever key is the greater. */
static void
test_mirror(void **state)
{
	struct raw r;
	struct call c;

	(void)state;
	for (int i = 0; i < 2; i++) {
		do {
			new_keys(&a);
			new_keys(&b);
		} while ((memcmp(a.pub, b.pub, KEY_LEN) > 0) != (i > 0));
		begin_side(&a, 0);
		meet(&a, &b);
		raw_open(&r);
		set_path(&a, r.port);
		call(&c, &a, 100, 500);
		while (!drive(&c, 1))
			mirror(&r, &a);
		assert_int_equal(c.result.end, JOINT_NO_PATH);
		assert_int_equal(status(&a).connections, 0);
		assert_int_equal(a.opened, 0);
		close(c.fd);
		close(r.fd);
		tunnel_free(a.tunnel);
	}
}

static void
test_strangers_hear_nothing(void **state)
{
	struct side stranger, friend;
	struct raw unknown, proven;
	uint8_t hello[2048], wrong[2048], noise[1300];
	size_t len, wrong_len;

	(void)state;
	new_keys(&b);
	new_keys(&stranger);
	new_keys(&friend);
	begin_side(&b, 0);
	meet(&b, &friend);
	raw_open(&unknown);
	raw_open(&proven);
	set_path(&b, proven.port);
	len = make_hello(hello, sizeof(hello), &friend, b.pub);
	wrong_len = make_hello(wrong, sizeof(wrong), &stranger, b.pub);
	randombytes_buf(noise, sizeof(noise));

	/* from nowhere: nothing, whatever it is */
	raw_send(&unknown, tunnel_port(b.tunnel), hello, len);
	raw_send(&unknown, tunnel_port(b.tunnel), wrong, wrong_len);
	for (int first = 0; first < 256; first++) {
		noise[0] = (uint8_t)first;
		raw_send(&unknown, tunnel_port(b.tunnel), noise, sizeof(noise));
	}
	assert_int_equal(heard(&unknown), 0);
	assert_int_equal(status(&b).refused, 0);
	/* from a proven path, but without its key */
	raw_send(&proven, tunnel_port(b.tunnel), wrong, wrong_len);
	hello[100] ^= 1;
	raw_send(&proven, tunnel_port(b.tunnel), hello, len);
	hello[100] ^= 1;
	assert_int_equal(heard(&proven), 0);
	assert_int_equal(status(&b).refused, 2);
	/* with it: so the silence above was no accident */
	raw_send(&proven, tunnel_port(b.tunnel), hello, len);
	assert_true(heard(&proven) > 0);
	assert_false(status(&b).up);
	close(unknown.fd);
	close(proven.fd);
	tunnel_free(b.tunnel);
}

static void
test_echo(void **state)
{
	struct call c[3];

	(void)state;
	begin_both();
	call(&c[0], &a, 0, 0);
	call(&c[1], &a, 100, 0);
	call(&c[2], &b, 3000000, 0);
	finish(c, 3);
	for (size_t i = 0; i < 3; i++)
		assert_done(&c[i]);
	assert_int_equal(status(&a).connections, 1);
	assert_int_equal(status(&b).connections, 1);
	assert_true(status(&a).bytes_in >= 3000100);
	/* the last acknowledgement may still be on its way */
	for (int i = 0; i < TRIES && status(&a).memory != 0; i++)
		turn();
	assert_int_equal(status(&a).memory, 0);
	end_both();
}

static void
test_no_path_in_time(void **state)
{
	struct call c;

	(void)state;
	new_keys(&a);
	new_keys(&b);
	begin_side(&a, 0);
	meet(&a, &b);
	call(&c, &a, 10, 50);
	finish(&c, 1);
	assert_string_equal(joint_end_name(c.result.end), "no-path");
	/* a path, but nobody there */
	set_path(&a, 9);
	call(&c, &a, 10, 400);
	finish(&c, 1);
	assert_string_equal(joint_end_name(c.result.end), "no-path");
	tunnel_free(a.tunnel);
}

/* One who waited for the path is served when it comes. */
static void
test_waits_for_the_path(void **state)
{
	struct call c;

	(void)state;
	begin_apart(0);
	call(&c, &a, 1000, 0);
	turn();
	assert_false(status(&a).dialing);
	set_paths();
	finish(&c, 1);
	assert_done(&c);
	end_both();
}

static void
test_both_dial_at_once(void **state)
{
	struct call c[4];

	(void)state;
	for (int round = 0; round < 20; round++) {
		begin_both();
		call(&c[0], &a, 5000, 0);
		call(&c[1], &b, 5000, 0);
		call(&c[2], &a, 5000, 0);
		call(&c[3], &b, 5000, 0);
		finish(c, 4);
		for (size_t i = 0; i < 4; i++)
			assert_done(&c[i]);
		assert_int_equal(status(&a).connections, 1);
		assert_int_equal(status(&b).connections, 1);
		end_both();
	}
}

static void
test_more_streams_than_allowed(void **state)
{
	static struct call c[60];

	(void)state;
	begin_apart(4);
	set_paths();
	for (size_t i = 0; i < 60; i++)
		call(&c[i], &a, 2000, 0);
	finish(c, 60);
	for (size_t i = 0; i < 60; i++)
		assert_done(&c[i]);
	assert_int_equal(b.opened, 60);
	end_both();
}

static void
test_peer_leaves(void **state)
{
	struct call c;

	(void)state;
	begin_both();
	call(&c, &a, 100000000, 0);
	wait_received(&c, 1000);
	tunnel_free(b.tunnel);
	finish(&c, 1);
	assert_string_equal(joint_end_name(c.result.end), "aborted");
	assert_int_equal(status(&a).last, QUIC_CLOSED);
	tunnel_free(a.tunnel);
}

/* A listener of one stream, begun anew each time, as in a shell's loop: who is
 * early and often there does not wait longer and longer. */
static void
test_short_visits(void **state)
{
	struct call c;

	(void)state;
	begin_both();
	for (int i = 0; i < 8; i++) {
		uint16_t port = tunnel_port(b.tunnel);

		call(&c, &a, 10, 1500);
		finish(&c, 1);
		assert_string_equal(joint_end_name(c.result.end), "done");
		while (status(&b).streams > 0)
			turn();
		tunnel_free(b.tunnel);
		begin_side(&b, port);
		meet(&b, &a);
		set_path(&b, tunnel_port(a.tunnel));
		while (status(&a).up)
			turn();
	}
	end_both();
}

static void
test_forgotten_key_is_a_stranger(void **state)
{
	struct call c, again;

	(void)state;
	begin_both();
	call(&c, &a, 100000000, 0);
	wait_received(&c, 1000);
	tunnel_forget(b.tunnel, b.link);
	assert_null(tunnel_find(b.tunnel, a.pub));
	finish(&c, 1);
	assert_string_equal(joint_end_name(c.result.end), "aborted");
	b.opened = 0;
	call(&again, &a, 10, 300);
	finish(&again, 1);
	assert_string_equal(joint_end_name(again.result.end), "no-path");
	assert_int_equal(b.opened, 0);
	end_both();
}

static void
answered_cb(void *arg, enum opening_reason r, uint16_t port)
{
	struct side *s = arg;

	(void)r;
	(void)port;
	tunnel_forget(s->tunnel, s->link);
}

static void
forget_cb(void *arg)
{
	const struct raw *r = arg;

	set_path(&a, r->port); /* it would dial now */
	tunnel_forget(a.tunnel, a.link);
}

/* In its own turn, too: not a word more. */
static void
test_forgotten_in_its_turn(void **state)
{
	struct raw peer;
	struct joint_config config = {.in = -1,
	    .out = -1,
	    .hold = true,
	    .wait_ms = 20,
	    .broken = forget_cb,
	    .arg = &peer};
	struct joint *j;

	(void)state;
	new_keys(&a);
	new_keys(&b);
	begin_side(&a, 0);
	meet(&a, &b);
	raw_open(&peer);
	link_want(a.link, true);
	assert_int_equal(joint_open(&j, a.link, &program, &config), 0);
	assert_int_equal(heard(&peer), 0);
	assert_null(tunnel_find(a.tunnel, b.pub));
	close(peer.fd);
	tunnel_free(a.tunnel);
}

static void
refused_cb(void *arg, enum opening_reason r, uint16_t port)
{
	(void)arg;
	(void)port;
	assert_int_equal(r, OPENING_PERMIT);
	assert_int_equal(status(&b).streams, 1);
	tunnel_free(b.tunnel);
	b.tunnel = NULL;
}

/* A refusal that was given cuts nothing off, although its last acknowledgement
 * is still missing: who was refused may ask for something else at once. */
static void
test_refused_and_closed(void **state)
{
	struct joint_config config = {.in = -1, .answered = refused_cb};
	struct call c = {.over = false};
	struct joint *j;

	(void)state;
	begin_both();
	b.refuse = true;
	config.out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	config.ended = ended_cb;
	config.arg = &c;
	assert_int_equal(joint_open(&j, a.link, &program, &config), 0);
	for (int i = 0; i < TRIES && (!c.over || status(&a).up); i++)
		turn();
	assert_string_equal(joint_end_name(c.result.end), "refused");
	assert_int_equal(status(&a).last, QUIC_CLOSED);
	assert_int_equal(a.link->backoff_ms, 0);
	tunnel_free(a.tunnel);
}

/* A link may be forgotten from whatever it calls. */
static void
test_forgotten_from_within(void **state)
{
	struct joint_config config = {.in = -1, .answered = answered_cb};
	struct joint *j;
	struct call c;

	(void)state;
	begin_both();
	b.forget = true;
	call(&c, &a, 100000, 300);
	finish(&c, 1);
	assert_string_equal(joint_end_name(c.result.end), "aborted");
	assert_int_equal(b.opened, 1);
	assert_null(tunnel_find(b.tunnel, a.pub));
	end_both();
	begin_both();
	config.out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	config.arg = &a;
	assert_int_equal(joint_open(&j, a.link, &program, &config), 0);
	for (int i = 0; i < TRIES && tunnel_each(a.tunnel, 0) != NULL; i++)
		turn();
	assert_null(tunnel_find(a.tunnel, b.pub));
	end_both();
}

/* ---- a peer that is killed ---- */

static pid_t
fork_b(uint16_t *port)
{
	int p[2];
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		uint16_t own;

		loop_init(&loop, false); /* a is the parent's */
		begin_side(&b, 0);
		meet(&b, &a);
		set_path(&b, tunnel_port(a.tunnel));
		own = tunnel_port(b.tunnel);
		if (write(p[1], &own, sizeof(own)) != sizeof(own))
			_exit(1);
		loop_run(&loop);
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(read(p[0], port, sizeof(*port)), sizeof(*port));
	close(p[0]);
	return pid;
}

static void
test_peer_is_killed_and_comes_back(void **state)
{
	struct call c, next;
	uint16_t port;
	pid_t pid;

	(void)state;
	new_keys(&a);
	new_keys(&b);
	begin_side(&a, 0);
	meet(&a, &b);
	pid = fork_b(&port);
	set_path(&a, port);
	call(&c, &a, 1ull << 40, 0);
	wait_received(&c, 100000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	begin_side(&b, port);
	meet(&b, &a);
	set_path(&b, tunnel_port(a.tunnel));
	call(&next, &a, 5000, 0);
	for (int i = 0; i < TRIES && !c.over; i++)
		drive(&c, 1);
	assert_true(c.over);
	assert_string_equal(joint_end_name(c.result.end), "restarted");
	assert_false(c.wrong);
	close(c.fd);
	/* what was asked for on the dead connection has ended with it, too */
	finish(&next, 1);
	call(&next, &a, 5000, 0);
	finish(&next, 1);
	assert_done(&next);
	assert_int_equal(status(&a).connections, 2);
	end_both();
}

/* ---- paths that move ---- */

/* Two sockets: what comes at one leaves from the other, for the other side. */
struct relay {
	struct raw at[2];
	uint16_t to[2];
	struct event *event[2];
	bool deaf;
	size_t most; /* longer datagrams are lost; 0: none */
};

static void
relay_cb(evutil_socket_t fd, short events, void *arg)
{
	struct relay *r = arg;
	uint8_t buf[65536];
	int i = fd == r->at[1].fd;
	ssize_t n;

	(void)events;
	while ((n = recv(fd, buf, sizeof(buf), 0)) >= 0)
		if (!r->deaf && (r->most == 0 || (size_t)n <= r->most))
			raw_send(&r->at[!i], r->to[!i], buf, (size_t)n);
}

/* at[0] is for a, at[1] for b. */
static void
relay_begin(struct relay *r)
{
	memset(r, 0, sizeof(*r));
	r->to[0] = tunnel_port(a.tunnel);
	r->to[1] = tunnel_port(b.tunnel);
	for (int i = 0; i < 2; i++) {
		raw_open(&r->at[i]);
		r->event[i] = loop_event(
		    &loop, r->at[i].fd, EV_READ | EV_PERSIST, relay_cb, r);
		event_add(r->event[i], NULL);
	}
	set_path(&a, r->at[0].port);
	set_path(&b, r->at[1].port);
}

static void
relay_end(struct relay *r)
{
	for (int i = 0; i < 2; i++) {
		event_free(r->event[i]);
		close(r->at[i].fd);
	}
}

/* To the direct path, back and again, one side before the other, while bytes
 * flow; the connection does not notice. */
static void
test_path_moves(void **state)
{
	struct relay r;
	struct call c;

	(void)state;
	begin_both();
	relay_begin(&r);
	call(&c, &a, 24 << 20, 0);
	wait_received(&c, 1 << 20);
	for (int i = 0; i < 3; i++) {
		set_path(&a, tunnel_port(b.tunnel));
		wait_received(&c, c.received + (1 << 20));
		set_path(&b, tunnel_port(a.tunnel));
		wait_received(&c, c.received + (1 << 20));
		set_path(&b, r.at[1].port);
		set_path(&a, r.at[0].port);
		wait_received(&c, c.received + (1 << 20));
	}
	set_paths();
	relay_end(&r);
	finish(&c, 1);
	assert_done(&c);
	assert_int_equal(status(&a).connections, 1);
	end_both();
}

/* The relay is gone for seconds before there is another path: that one is used
 * at once, not when the timers, which have grown meanwhile, say so. */
static void
test_path_moves_after_silence(void **state)
{
	uint64_t from, until, before;
	struct relay r;
	struct call c;

	(void)state;
	begin_both();
	relay_begin(&r);
	call(&c, &a, 64 << 20, 0);
	wait_received(&c, 1 << 20);
	r.deaf = true;
	for (until = now_ms() + 3000; now_ms() < until;)
		drive(&c, 1);
	before = c.received;
	set_paths();
	from = now_ms();
	wait_received(&c, before + 1);
	/* the figure */
	assert_true(now_ms() - from < 1000);
	finish(&c, 1);
	assert_done(&c);
	relay_end(&r);
	end_both();
}

/* Says whether a datagram of a flow arrives, and whether it was counted if not. */
static bool
arrives(int from, int to, size_t len)
{
	static uint8_t data[1400], in[1500];
	uint64_t dropped = status(&a).datagrams_dropped;

	for (int i = 0; i < TRIES; i++) {
		ssize_t n;

		if (i % 20 == 0) /* one may be lost, as datagrams are */
			assert_int_equal(
			    send(from, data, len, MSG_NOSIGNAL), len);
		n = recv(to, in, sizeof(in), MSG_DONTWAIT);

		if (n != -1) {
			assert_int_equal(n, len);
			return true;
		}
		if (status(&a).datagrams_dropped > dropped)
			return false;
		turn();
	}
	fail_msg("%zu bytes: neither there nor counted", len);
	return false;
}

/* A path that carries less is noticed, although nothing was sent on it for
 * long; what does not fit any more is counted; and it is tried again whether
 * that has changed. */
static void
test_narrow_path(void **state)
{
	struct joint_config config = {.wait_ms = 5000};
	const struct opening udp = {
	    .to = OPENING_UDP, .host = "127.0.0.1", .port = 7};
	struct joint *flow;
	struct relay r;
	struct call c;
	int fd[2];

	(void)state;
	begin_both();
	relay_begin(&r);
	call(&c, &a, 24 << 20, 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
	config.in = config.out = fd[0];
	assert_int_equal(joint_open(&flow, a.link, &udp, &config), 0);
	wait_received(&c, 1 << 20);
	assert_true(status(&a).quic.datagram_len > 1300);
	assert_true(arrives(fd[1], flow_end, 1300));
	set_paths();
	wait_received(&c, 2 << 20);
	r.most = 1200;
	set_path(&a, r.at[0].port);
	set_path(&b, r.at[1].port);
	/* as if all had been silent since */
	a.link->up->begun_ms -= 100000;
	b.link->up->begun_ms -= 100000;
	a.link->path_since_ms -= 90000;
	b.link->path_since_ms -= 90000;
	wait_received(&c, 4 << 20);
	assert_int_equal(a.link->most, 1200);
	assert_false(arrives(fd[1], flow_end, 1300));
	assert_true(arrives(fd[1], flow_end, 1150));
	/* it is narrow still */
	assert_true(a.link->wide_at_ms > now_ms() + 50000);
	a.link->wide_at_ms = b.link->wide_at_ms = now_ms();
	wait_received(&c, c.received + (8 << 20));
	assert_int_equal(a.link->most, 1200);
	assert_true(a.link->wide_at_ms > now_ms() + 110000);
	/* and is not any more */
	r.most = 0;
	a.link->wide_at_ms = b.link->wide_at_ms = now_ms();
	wait_received(&c, c.received + (1 << 20));
	assert_true(arrives(fd[1], flow_end, 1300));
	finish(&c, 1);
	assert_done(&c);
	joint_cancel(flow, true);
	close(fd[1]);
	close(flow_end);
	relay_end(&r);
	end_both();
}

/* ---- attacks ---- */

static size_t
memory(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Half-open connections by the thousand, recorded or made with the right key,
 * from a peer's address and from others. */
static void
test_stalled_handshakes(void **state)
{
	static uint8_t hello[500][1500];
	size_t len[500], before;
	struct side friend;
	struct raw proven, unknown;
	struct link_status st;
	struct link *link;
	struct call c;

	(void)state;
	begin_both();
	new_keys(&friend);
	raw_open(&proven);
	raw_open(&unknown);
	link = tunnel_link(b.tunnel, friend.pub);
	link_path(link, LINK_DIRECT,
	    &(struct addr){
		.family = ADDR_V4, .ip = {127, 0, 0, 1}, .port = proven.port},
	    NULL);
	for (size_t i = 0; i < 500; i++)
		len[i] = make_hello(hello[i], sizeof(hello[i]), &friend, b.pub);
	call(&c, &a, 1000, 0);
	finish(&c, 1);
	assert_done(&c);
	for (size_t i = 0; i < 20; i++)
		raw_send(&proven, tunnel_port(b.tunnel), hello[i], len[i]);
	for (int i = 0; i < 20; i++)
		turn();
	before = memory();
	for (size_t i = 0; i < 10000; i++) {
		raw_send(&proven, tunnel_port(b.tunnel), hello[i % 500],
		    len[i % 500]);
		raw_send(&unknown, tunnel_port(b.tunnel), hello[i % 500],
		    len[i % 500]);
		if (i % 100 == 0)
			turn();
	}
	call(&c, &a, 1000000, 0);
	finish(&c, 1);
	assert_done(&c);
	assert_true(memory() < before + (1 << 20));
	link_status(link, &st);
	assert_true(st.refused > 0);
	assert_false(st.up);
	close(proven.fd);
	close(unknown.fd);
	end_both();
}

/* Garbage from a proven address while bytes flow: short packets of no
 * connection, cut ones, and what seems to belong to one. */
static void
test_garbage_of_a_peer(void **state)
{
	uint8_t noise[1400], reset[2048];
	struct relay r;
	struct call c;
	ssize_t n;
	int resets = 0;

	(void)state;
	begin_both();
	relay_begin(&r);
	call(&c, &a, 2 << 20, 0);
	wait_received(&c, 1000);
	event_del(r.event[1]);
	for (int i = 0; i < 2000; i++) {
		randombytes_buf(noise, sizeof(noise));
		raw_send(&r.at[1], tunnel_port(b.tunnel), noise,
		    randombytes_uniform(sizeof(noise)));
		if (i % 50 == 0)
			turn();
	}
	/* resets for some, and no more than ten a second */
	while ((n = recv(r.at[1].fd, reset, sizeof(reset), 0)) >= 0)
		if (n > 0 && n <= 43 && (reset[0] & 0x80) == 0)
			resets++;
	event_add(r.event[1], NULL);
	finish(&c, 1);
	assert_done(&c);
	assert_true(status(&b).refused > 0);
	assert_true(resets < 2000);
	assert_int_equal(status(&a).connections, 1);
	relay_end(&r);
	end_both();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_strangers_hear_nothing),
	    cmocka_unit_test(test_mirror),
	    cmocka_unit_test(test_echo),
	    cmocka_unit_test(test_no_path_in_time),
	    cmocka_unit_test(test_waits_for_the_path),
	    cmocka_unit_test(test_both_dial_at_once),
	    cmocka_unit_test(test_more_streams_than_allowed),
	    cmocka_unit_test(test_peer_leaves),
	    cmocka_unit_test(test_short_visits),
	    cmocka_unit_test(test_forgotten_key_is_a_stranger),
	    cmocka_unit_test(test_forgotten_from_within),
	    cmocka_unit_test(test_forgotten_in_its_turn),
	    cmocka_unit_test(test_refused_and_closed),
	    cmocka_unit_test(test_forget_leads_elsewhere),
	    cmocka_unit_test(test_peer_is_killed_and_comes_back),
	    cmocka_unit_test(test_path_moves),
	    cmocka_unit_test(test_path_moves_after_silence),
	    cmocka_unit_test(test_narrow_path),
	    cmocka_unit_test(test_stalled_handshakes),
	    cmocka_unit_test(test_garbage_of_a_peer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: ISC */
/* The port socket: codec, and the client against a nat-port made of a plain
 * SEQPACKET listener. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "addr_fixture.h"
#include "port.h"
#include "stun.h"

static size_t
make_stun(uint8_t *out, size_t cap)
{
	uint8_t tid[STUN_TID_LEN];
	struct stun_buf b;

	stun_new_tid(tid);
	stun_begin(&b, out, cap, STUN_BINDING, STUN_REQUEST, tid);
	return (size_t)stun_end(&b, true);
}

static size_t
make_datagram(uint8_t out[PORT_HEADER_LEN])
{
	struct port_msg m = {
	    .op = PORT_DATAGRAM,
	    .ttl = 7,
	    .remote = at("192.0.2.1:51820"),
	    .local = at("[2001:db8::1]:3478"),
	};

	return port_encode(&m, out);
}

/* Each byte that has no meaning, and each meaning that an op can't have. */
static void
decode_refuses(void **state)
{
	static const struct {
		int at, value;
		const char *what;
	} bad[] = {
	    {0, 0, "op 0"},
	    {0, 4, "op 4"},
	    {0, 255, "op 255"},
	    {0, PORT_ERROR, "an error without one"},
	    {2, PORT_E_DENIED, "a datagram with an error"},
	    {3, 1, "zero 1"},
	    {4, 0, "a datagram to nowhere"},
	    {4, 5, "family 5"},
	    {5, 255, "family 255"},
	    {10, 1, "zero 2"},
	    {11, 1, "zero 2"},
	    {16, 1, "IPv4 with a fifth byte"},
	    {27, 1, "IPv4 with a sixteenth byte"},
	    {44, 1, "zero 3"},
	    {47, 1, "zero 3"},
	};
	uint8_t b[PORT_HEADER_LEN];
	struct port_msg m;
	size_t i, len;

	(void)state;
	len = make_datagram(b);
	assert_int_equal(port_decode(&m, b, len), 0);
	for (i = 0; i < len; i++)
		assert_int_equal(port_decode(&m, b, i), -EBADMSG);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make_datagram(b);
		b[bad[i].at] = (uint8_t)bad[i].value;
		if (port_decode(&m, b, len) != -EBADMSG)
			fail_msg("took %s", bad[i].what);
	}
}

static void
decode_refuses_payloads(void **state)
{
	static uint8_t b[PORT_MAX + 1];
	struct port_msg m;

	(void)state;
	make_datagram(b);
	assert_int_equal(port_decode(&m, b, PORT_MAX), 0);
	assert_int_equal(m.len, PORT_MAX_PAYLOAD);
	assert_int_equal(port_decode(&m, b, PORT_MAX + 1), -EBADMSG);
	/* only datagrams have one */
	b[0] = PORT_HELLO;
	assert_int_equal(port_decode(&m, b, PORT_HEADER_LEN), 0);
	assert_int_equal(port_decode(&m, b, PORT_HEADER_LEN + 1), -EBADMSG);
	b[0] = PORT_ERROR;
	b[2] = PORT_E_OTHER;
	assert_int_equal(port_decode(&m, b, PORT_HEADER_LEN), 0);
	assert_int_equal(port_decode(&m, b, PORT_HEADER_LEN + 1), -EBADMSG);
	b[2] = PORT_E_OTHER + 1;
	assert_int_equal(port_decode(&m, b, PORT_HEADER_LEN), -EBADMSG);
}

static void
round_trip(void **state)
{
	struct addr remote = at("192.0.2.1:51820");
	struct addr local = at("[2001:db8::1]:3478");
	uint8_t b[PORT_HEADER_LEN + 3], again[PORT_HEADER_LEN];
	struct port_msg m;

	(void)state;
	assert_int_equal(make_datagram(b), PORT_HEADER_LEN);
	b[PORT_HEADER_LEN] = 'a';
	b[PORT_HEADER_LEN + 1] = 'b';
	b[PORT_HEADER_LEN + 2] = 'c';
	assert_int_equal(port_decode(&m, b, sizeof(b)), 0);
	assert_int_equal(m.op, PORT_DATAGRAM);
	assert_int_equal(m.ttl, 7);
	assert_true(addr_equal(&m.remote, &remote));
	assert_true(addr_equal(&m.local, &local));
	assert_int_equal(m.len, 3);
	assert_memory_equal(m.payload, "abc", 3);
	port_encode(&m, again);
	assert_memory_equal(again, b, PORT_HEADER_LEN);
}

/* The layout that lib/port.h draws. */
static void
layout(void **state)
{
	uint8_t b[PORT_HEADER_LEN],
	    want[PORT_HEADER_LEN] = {
		2, 7, 0, 0, 4, 6, 0xca, 0x6c, 0x0d, 0x96, 0, 0, 192, 0, 2, 1};

	(void)state;
	want[28] = 0x20;
	want[29] = 0x01;
	want[30] = 0x0d;
	want[31] = 0xb8;
	want[43] = 1;
	make_datagram(b);
	assert_memory_equal(b, want, sizeof(b));
}

static void
names(void **state)
{
	(void)state;
	assert_string_equal(port_error_name(PORT_E_UNREACHABLE), "unreachable");
	assert_string_equal(port_error_name(PORT_E_DENIED), "denied");
	assert_string_equal(port_error_name(PORT_E_INVALID), "invalid");
	assert_string_equal(port_error_name(-1), "other");
	assert_string_equal(port_error_name(99), "other");
}

/* A listener in a directory of its own. */
struct place {
	char dir[32];
	char path[64];
	int fd;
};

static void
place_open(struct place *p)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(p->dir, sizeof(p->dir), "/tmp/natkit-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/port", p->dir);
	memcpy(sun.sun_path, p->path, sizeof(p->path));
	p->fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(p->fd, 1), 0);
}

static void
place_close(struct place *p)
{
	close(p->fd);
	unlink(p->path);
	rmdir(p->dir);
}

/* Runs one side of a connection in a child: accepts, sends the header (when
 * op is not 0) with its error, and waits for the client to go. */
static pid_t
serve_once(const struct place *p, int op, int error)
{
	struct port_msg m = {.op = (uint8_t)op, .error = (uint8_t)error};
	uint8_t b[PORT_HEADER_LEN];
	pid_t pid = fork();
	int fd;

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	fd = accept(p->fd, NULL, NULL);
	m.local.port = 51820;
	m.remote.family = ADDR_V6;
	if (op != 0 && send(fd, b, port_encode(&m, b), 0) != sizeof(b))
		_exit(1);
	if (op == PORT_HELLO && recv(fd, b, sizeof(b), 0) < 0)
		_exit(1);
	_exit(0);
}

static void
connect_refuses(void **state)
{
	struct place p;
	struct port *port = NULL;
	char longer[200];

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(port_connect(&port, longer), -ENAMETOOLONG);
	assert_int_equal(port_connect(&port, "/nonexistent/port"), -ENOENT);
	place_open(&p);
	serve_once(&p, PORT_ERROR, PORT_E_DENIED);
	assert_int_equal(port_connect(&port, p.path), -EACCES);
	serve_once(&p, PORT_ERROR, PORT_E_OTHER);
	assert_int_equal(port_connect(&port, p.path), -EBUSY);
	serve_once(&p, 0, 0); /* closes without a word */
	assert_int_equal(port_connect(&port, p.path), -ECONNREFUSED);
	serve_once(&p, PORT_DATAGRAM, 0);
	assert_int_equal(port_connect(&port, p.path), -EPROTO);
	/* nobody accepts: the backlog takes the connection, no HELLO comes */
	assert_int_equal(port_connect(&port, p.path), -ETIMEDOUT);
	assert_null(port);
	place_close(&p);
}

static void
connect_takes_hello(void **state)
{
	struct place p;
	struct port *port = NULL;
	struct addr to = at("192.0.2.1:9");
	uint8_t msg[64], buf[PORT_MAX];
	struct port_msg m;
	int fds[2];

	(void)state;
	place_open(&p);
	serve_once(&p, PORT_HELLO, 0);
	assert_int_equal(port_connect(&port, p.path), 0);
	assert_int_equal(port_number(port), 51820);
	assert_false(port_has_family(port, ADDR_V4));
	assert_true(port_has_family(port, ADDR_V6));
	assert_int_equal(port_fds(port, fds), 1);
	/* a family that nat-port does not have */
	assert_int_equal(
	    port_send(port, &to, NULL, 0, msg, make_stun(msg, sizeof(msg))),
	    -ENETUNREACH);
	/* once nat-port goes, the client learns it */
	to = at("[2001:db8::1]:9");
	assert_int_equal(
	    port_send(port, &to, NULL, 0, msg, make_stun(msg, sizeof(msg))), 0);
	assert_int_equal(
	    poll(&(struct pollfd){.fd = fds[0], .events = POLLIN}, 1, 5000), 1);
	assert_int_equal(port_recv(port, &m, buf), -EPIPE);
	port_free(port);
	place_close(&p);
}

static void
bind_refuses(void **state)
{
	struct port *a = NULL, *b = NULL;
	struct addr to = at("127.0.0.1:9"), none = {.family = ADDR_NONE};
	uint8_t msg[64];
	size_t len = make_stun(msg, sizeof(msg));

	(void)state;
	assert_int_equal(port_bind(&a, 0), 0);
	assert_int_equal(port_bind(&b, port_number(a)), -EADDRINUSE);
	assert_null(b);
	assert_int_equal(port_send(a, &none, NULL, 0, msg, len), -EINVAL);
	assert_int_equal(port_send(a, &to, NULL, 256, msg, len), -EINVAL);
	assert_int_equal(port_send(a, &to, NULL, -1, msg, len), -EINVAL);
	assert_int_equal(port_send(a, &to, NULL, 0, msg, len - 1), -EINVAL);
	msg[4] ^= 1;
	assert_int_equal(port_send(a, &to, NULL, 0, msg, len), -EINVAL);
	port_free(a);
	port_free(NULL);
}

static int
wait_recv(struct port *p, struct port_msg *m, uint8_t buf[PORT_MAX])
{
	struct pollfd pfd[2];
	int fds[2], i, n = port_fds(p, fds);

	for (i = 0; i < n; i++)
		pfd[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	if (poll(pfd, (nfds_t)n, 5000) <= 0)
		return 0;
	return port_recv(p, m, buf);
}

/* Over the loopback: source, destination, TTL; and what is no STUN is not
 * seen, however much of it there is. */
static void
exchange(const char *loopback, int ttl)
{
	struct port *a = NULL, *b = NULL;
	struct addr to, from;
	uint8_t msg[64], buf[PORT_MAX];
	struct port_msg m;
	size_t len = make_stun(msg, sizeof(msg));
	struct sockaddr_storage ss;
	socklen_t ss_len;
	int i, junk;

	assert_int_equal(port_bind(&a, 0), 0);
	assert_int_equal(port_bind(&b, 0), 0);
	assert_int_equal(addr_parse_ip(&to, loopback, port_number(b)), 0);
	assert_int_equal(addr_parse_ip(&from, loopback, port_number(a)), 0);
	ss_len = addr_to_sockaddr(&to, &ss);
	junk = socket(ss.ss_family, SOCK_DGRAM, 0);
	for (i = 0; i < 5; i++)
		assert_int_equal(
		    sendto(junk, "", 0, 0, (struct sockaddr *)&ss, ss_len), 0);
	close(junk);
	assert_int_equal(port_send(a, &to, &from, ttl, msg, len), 0);
	assert_int_equal(wait_recv(b, &m, buf), 1);
	assert_int_equal(m.op, PORT_DATAGRAM);
	assert_true(addr_equal(&m.remote, &from));
	assert_true(addr_equal(&m.local, &to));
	assert_int_equal(m.ttl, ttl == 0 ? 64 : ttl);
	assert_int_equal(m.len, len);
	assert_memory_equal(m.payload, msg, len);
	assert_int_equal(port_recv(b, &m, buf), 0);
	port_free(a);
	port_free(b);
}

static void
bind_exchanges(void **state)
{
	struct port *p = NULL;
	bool v6;

	(void)state;
	exchange("127.0.0.1", 0);
	exchange("127.0.0.1", 3);
	exchange("127.0.0.2", 255);
	assert_int_equal(port_bind(&p, 0), 0);
	v6 = port_has_family(p, ADDR_V6);
	port_free(p);
	if (v6 && access("/proc/net/if_inet6", R_OK) == 0) {
		exchange("::1", 0);
		exchange("::1", 3);
	}
}

/* Two sockets with the same number: one answer does not bind the next. */
static void
source_follows_routing(void **state)
{
	struct addr to = at("127.0.0.1:9"), got, want = at("127.0.0.1:0");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(port_source(&got, &to, 0), 0);
	assert_true(addr_equal(&got, &want));
	assert_int_equal(addr_parse_ip(&to, "127.0.0.9", 9), 0);
	assert_int_equal(port_source_with(fd, &got, &to), 0);
	assert_true(addr_equal(&got, &want));
	to = at("127.0.0.1:9");
	assert_int_equal(port_source_with(fd, &got, &to), 0);
	assert_true(addr_equal(&got, &want));
	to.family = ADDR_NONE;
	assert_int_equal(port_source_with(fd, &got, &to), -EINVAL);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decode_refuses),
	    cmocka_unit_test(decode_refuses_payloads),
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(layout),
	    cmocka_unit_test(names),
	    cmocka_unit_test(connect_refuses),
	    cmocka_unit_test(connect_takes_hello),
	    cmocka_unit_test(bind_refuses),
	    cmocka_unit_test(bind_exchanges),
	    cmocka_unit_test(source_follows_routing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

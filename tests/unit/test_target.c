/* SPDX-License-Identifier: ISC */
/* tunnel/target: connecting to sockets of this host that are there, are not, or
 * never answer. */
#include "target.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "../loopwait.h"
#include "udp.h"

struct fix {
	struct loop loop;
	struct resolver *resolver;
	int done;
	int fd;
	enum opening_reason reason;
};

static int
setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	loop_init(&f->loop, false);
	assert_int_equal(resolver_new(&f->resolver, &f->loop), 0);
	f->fd = -1;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fix *f = *state;

	if (f->fd >= 0)
		close(f->fd);
	resolver_free(f->resolver);
	loop_free(&f->loop);
	free(f);
	return 0;
}

static void
connected_cb(void *arg, int fd, enum opening_reason reason)
{
	struct fix *f = arg;

	f->fd = fd;
	f->reason = reason;
	f->done++;
}

static void
try(struct fix *f, const struct opening *what, uint32_t ms)
{
	struct target *t;

	assert_int_equal(target_connect(&t, &f->loop, f->resolver, what, ms,
			     connected_cb, f),
	    0);
	assert_int_equal(f->done, 0); /* never from within */
	loopwait(&f->loop, &f->done);
}

static struct opening
tcp(const char *host, uint16_t port)
{
	struct opening o = {.to = OPENING_TCP, .port = port};

	(void)snprintf(o.host, sizeof(o.host), "%s", host);
	return o;
}

/* Bound, and listening unless backlog is -1. */
static int
bound(int family, uint16_t *port, int backlog)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_storage ss = {.ss_family = (sa_family_t)family};
	socklen_t len = sizeof(ss);
	struct addr a;
	int on = 1;

	if (family == AF_INET) {
		((struct sockaddr_in *)&ss)->sin_addr.s_addr =
		    htonl(INADDR_LOOPBACK);
	} else {
		((struct sockaddr_in6 *)&ss)->sin6_addr = in6addr_loopback;
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	}
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(addr_from_sockaddr(&a, (struct sockaddr *)&ss), 0);
	*port = a.port;
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void
test_refused(void **state)
{
	struct fix *f = *state;
	uint16_t port;
	int fd = bound(AF_INET, &port, -1);
	struct opening what = tcp("127.0.0.1", port);

	try(f, &what, 5000);
	assert_int_equal(f->fd, -1);
	assert_int_equal(f->reason, OPENING_REFUSED);
	close(fd);
}

/* What was permitted is the port that the opening names: a host that smuggles in
 * another one reaches neither. */
static void
test_host_with_port(void **state)
{
	struct fix *f = *state;
	char host[64];
	uint16_t port, other;
	int fd = bound(AF_INET, &port, 8), fd2 = bound(AF_INET, &other, 8);
	struct opening what;

	(void)snprintf(host, sizeof(host), "127.0.0.1:%u", port);
	what = tcp(host, other);
	try(f, &what, 5000);
	assert_int_equal(f->fd, -1);
	assert_int_not_equal(f->reason, OPENING_OK);
	assert_int_equal(accept(fd, NULL, NULL), -1);
	assert_int_equal(accept(fd2, NULL, NULL), -1);
	close(fd);
	close(fd2);
}

static void
test_unanswered(void **state)
{
	struct fix *f = *state;
	uint16_t port;
	int fd = bound(AF_INET, &port, 0);
	struct opening what = tcp("127.0.0.1", port);
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fill[4];

	/* a full line: more is not answered */
	for (int i = 0; i < 4; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fill[i], (struct sockaddr *)&sin, sizeof(sin));
	}
	try(f, &what, 300);
	assert_int_equal(f->fd, -1);
	assert_int_equal(f->reason, OPENING_UNREACHABLE);
	for (int i = 0; i < 4; i++)
		close(fill[i]);
	close(fd);
}

static void
test_no_such_name(void **state)
{
	struct fix *f = *state;
	struct opening what = tcp("", 80);

	/* no name server is asked for an address of another kind */
	(void)snprintf(what.host, sizeof(what.host), "fe80::1%%nosuchif0");
	try(f, &what, 2000);
	assert_int_equal(f->fd, -1);
	assert_int_not_equal(f->reason, OPENING_OK);
}

static void
test_tcp(void **state)
{
	struct fix *f = *state;
	uint16_t port;
	int fd = bound(AF_INET, &port, 8), on = 0, peer;
	struct opening what = tcp("127.0.0.1", port);
	socklen_t len = sizeof(on);
	char buf[4];

	try(f, &what, 5000);
	assert_int_equal(f->reason, OPENING_OK);
	assert_true(f->fd >= 0);
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(write(f->fd, "abc", 3), 3);
	assert_int_equal(read(peer, buf, sizeof(buf)), 3);
	assert_int_equal(
	    getsockopt(f->fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
	assert_int_not_equal(on, 0);
	close(peer);
	close(fd);
}

/* localhost is both of them, in turn. */
static void
test_second_address(void **state)
{
	struct fix *f = *state;
	uint16_t port;
	int fd;
	struct opening what;

	if (access("/proc/net/if_inet6", F_OK) == -1)
		skip(); /* this host has no IPv6 */
	fd = bound(AF_INET6, &port, 8);
	what = tcp("localhost", port);
	try(f, &what, 5000);
	assert_int_equal(f->reason, OPENING_OK);
	close(fd);
}

static void
test_unix(void **state)
{
	struct fix *f = *state;
	char dir[] = "/tmp/natkit-target-XXXXXX";
	struct opening what = {.to = OPENING_UNIX};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_non_null(mkdtemp(dir));
	(void)snprintf(what.path, sizeof(what.path), "%s/s", dir);
	try(f, &what, 5000);
	assert_int_equal(f->reason, OPENING_REFUSED);

	memcpy(name.sun_path, what.path, sizeof(name.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fd, 8), 0);
	f->done = 0;
	try(f, &what, 5000);
	assert_int_equal(f->reason, OPENING_OK);
	unlink(name.sun_path);
	rmdir(dir);
	close(fd);
}

static void
test_udp(void **state)
{
	struct fix *f = *state;
	struct opening what = {.to = OPENING_UDP, .host = "127.0.0.1"};
	int fd = udp_bind(ADDR_V4, 0, 0);
	char buf[8];

	what.port = (uint16_t)udp_port(fd);
	try(f, &what, 5000);
	assert_int_equal(f->reason, OPENING_OK);
	assert_int_equal(send(f->fd, "hello", 5, 0), 5);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 5);
	close(fd);
}

static void
test_cancel(void **state)
{
	struct fix *f = *state;
	uint16_t port;
	int fd = bound(AF_INET, &port, 8);
	struct opening what = tcp("127.0.0.1", port);
	struct target *t;

	assert_int_equal(target_connect(&t, &f->loop, f->resolver, &what, 5000,
			     connected_cb, f),
	    0);
	target_cancel(t);
	assert_false(loopwait_ms(&f->loop, &f->done, 50));
	assert_int_equal(
	    target_connect(&t, &f->loop, f->resolver,
		&(struct opening){.to = OPENING_LISTEN}, 5000, connected_cb, f),
	    -EINVAL);
	close(fd);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_refused),
	    T(test_host_with_port),
	    T(test_unanswered),
	    T(test_no_such_name),
	    T(test_tcp),
	    T(test_second_address),
	    T(test_unix),
	    T(test_udp),
	    T(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

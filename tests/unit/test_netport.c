/* SPDX-License-Identifier: ISC */
/* tunnel/netport: one number in both families; STUN goes to and comes from the
 * port socket, all else to the caller, from one train, too. */
#include "netport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../loopwait.h"
#include "port.h"
#include "stun.h"
#include "udp.h"

#define LEN 40 /* bytes of each datagram of a train */

static struct loop loop;
static struct netport *np;
static struct port *client;
static char dir[] = "/tmp/test_netport.XXXXXX", path[64];

static struct {
	size_t datagrams, bytes, longest;
	uint8_t text[16][LEN];
	struct addr from;
	int batches;
} got;

static void
packet_cb(void *arg, const struct addr *from, const uint8_t *data, size_t len,
    size_t seg)
{
	(void)arg;
	assert_true(seg > 0 && seg <= len);
	for (size_t at = 0; at < len; at += seg) {
		size_t n = len - at < seg ? len - at : seg;

		if (got.datagrams < 16 && n <= LEN)
			memcpy(got.text[got.datagrams], data + at, n);
		if (n > got.longest)
			got.longest = n;
		got.datagrams++;
		got.bytes += n;
	}
	got.from = *from;
}

static void
batch_cb(void *arg)
{
	(void)arg;
	got.batches++;
}

static int
open_port(uint16_t port, const char *where, struct netport **out)
{
	return netport_open(out, &(struct netport_config){.loop = &loop,
				     .port = port,
				     .path = where,
				     .gso = true,
				     .packet = packet_cb,
				     .batch = batch_cb});
}

static int
setup(void **state)
{
	(void)state;
	loop_init(&loop, false);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	assert_int_equal(open_port(0, path, &np), 0);
	return 0;
}

static int
teardown(void **state)
{
	struct stat st;

	(void)state;
	netport_free(np);
	assert_int_equal(stat(path, &st), -1);
	rmdir(dir);
	loop_free(&loop);
	return 0;
}

static void
turns(int n)
{
	while (n-- > 0)
		event_base_loop(loop.base, EVLOOP_NONBLOCK);
}

static int
sender(int family, struct addr *at)
{
	int fd = udp_bind(family, 0, 0);

	assert_true(fd >= 0);
	addr_parse(at, family == ADDR_V6 ? "[::1]:1" : "127.0.0.1:1");
	at->port = netport_number(np);
	return fd;
}

static size_t
make_stun(uint8_t *out, size_t cap)
{
	uint8_t tid[STUN_TID_LEN];
	struct stun_buf b;
	int n;

	stun_new_tid(tid);
	stun_begin(&b, out, cap, STUN_BINDING, STUN_REQUEST, tid);
	n = stun_end(&b, true);
	assert_true(n > 0);
	return (size_t)n;
}

static void
send_to(int fd, const struct addr *to, const void *data, size_t len, size_t seg)
{
	struct iovec iov = {(void *)(uintptr_t)data, len};
	uint16_t size = (uint16_t)seg;

	if (seg != len)
		assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT,
				     &(int){size}, sizeof(int)),
		    0);
	assert_int_equal(udp_send(fd, to, NULL, 0, &iov, 1), 0);
}

/* It blocks until the loop has taken it. */
static void *
connect_thread(void *arg)
{
	struct port **out = arg;

	return port_connect(out, path) == 0 ? out : NULL;
}

static void
connect_client(void)
{
	pthread_t t;
	void *ok = NULL;

	assert_int_equal(pthread_create(&t, NULL, connect_thread, &client), 0);
	while (pthread_tryjoin_np(t, &ok) == EBUSY)
		event_base_loop(loop.base, EVLOOP_NONBLOCK);
	assert_non_null(ok);
}

static int
client_recv(struct port_msg *m, uint8_t buf[PORT_MAX])
{
	int r = 0;

	for (int i = 0; i < 2000 && (r = port_recv(client, m, buf)) == 0; i++) {
		turns(1);
		usleep(500);
	}
	return r;
}

static void
test_number_of_both_families(void **state)
{
	struct netport *other;

	(void)state;
	assert_true(netport_number(np) != 0);
	assert_int_equal(
	    open_port(netport_number(np), NULL, &other), -EADDRINUSE);
	assert_int_equal(open_port(0, path, &other), -EADDRINUSE);
}

static void
test_what_is_no_stun_comes_here(void **state)
{
	static const int family[] = {ADDR_V4, ADDR_V6};
	uint8_t data[1400] = {0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct addr to;
		int fd = sender(family[i], &to);

		memset(&got, 0, sizeof(got));
		for (int first = 0; first < 256; first += 51) {
			data[0] = (uint8_t)first;
			send_to(fd, &to, data, sizeof(data), sizeof(data));
		}
		for (int k = 0; k < 1000 && got.datagrams < 6; k++)
			turns(1);
		assert_int_equal(got.datagrams, 6);
		assert_int_equal(got.bytes, 6 * sizeof(data));
		assert_int_equal(got.from.port, udp_port(fd));
		assert_true(got.batches > 0);
		close(fd);
	}
}

/* By UDP_SEGMENT over the loopback a train arrives as one. */
static void
test_stun_in_the_midst_of_a_train(void **state)
{
	uint8_t train[5 * LEN], stun[LEN], buf[PORT_MAX];
	struct port_msg m;
	struct addr to;
	int fd = sender(ADDR_V4, &to);
	struct stun_buf b;
	uint8_t tid[STUN_TID_LEN];

	(void)state;
	connect_client();
	assert_int_equal(port_number(client), netport_number(np));
	assert_true(port_has_family(client, ADDR_V4));
	stun_new_tid(tid);
	stun_begin(&b, stun, sizeof(stun), STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&b, STUN_SOFTWARE, "12345678", 8);
	assert_int_equal(stun_end(&b, true), LEN);
	memset(train, 0x40, sizeof(train));
	for (size_t i = 0; i < 5; i++)
		train[i * LEN + 1] = (uint8_t)('0' + i);
	memcpy(train + LEN, stun, LEN);
	memcpy(train + 3 * LEN, stun, LEN);
	memset(&got, 0, sizeof(got));
	send_to(fd, &to, train, sizeof(train), LEN);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(client_recv(&m, buf), 1);
		assert_int_equal(m.op, PORT_DATAGRAM);
		assert_int_equal(m.len, LEN);
		assert_memory_equal(m.payload, stun, LEN);
		assert_int_equal(m.remote.port, udp_port(fd));
		assert_true(addr_is_loopback(&m.local));
		assert_int_equal(m.local.port, netport_number(np));
		assert_true(m.ttl > 0);
	}
	assert_int_equal(got.datagrams, 3);
	assert_int_equal(got.text[0][1], '0');
	assert_int_equal(got.text[1][1], '2');
	assert_int_equal(got.text[2][1], '4');
	close(fd);
}

/* A client that does not check what it sends: it gets an error. */
static void
ask_rudely(const struct addr *to, const void *data, size_t len)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct port_msg m = {
	    .op = PORT_DATAGRAM, .remote = *to, .payload = data, .len = len};
	uint8_t buf[PORT_MAX];
	ssize_t n = -1;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	memcpy(sun.sun_path, path, strlen(path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	port_encode(&m, buf);
	memcpy(buf + PORT_HEADER_LEN, data, len);
	assert_true(send(fd, buf, PORT_HEADER_LEN + len, 0) > 0);
	for (int i = 0; i < 1000; i++) {
		turns(1);
		n = recv(fd, buf, sizeof(buf), 0);
		if (n > 0 && port_decode(&m, buf, (size_t)n) == 0 &&
		    m.op != PORT_HELLO)
			break;
	}
	assert_int_equal(m.op, PORT_ERROR);
	assert_int_equal(m.error, PORT_E_INVALID);
	close(fd);
	turns(3);
}

static void
test_client_sends_stun_alone(void **state)
{
	uint8_t stun[LEN], in[LEN + 1];
	struct addr to, there;
	struct udp_info info;
	int fd = sender(ADDR_V4, &to), n;
	size_t len = make_stun(stun, sizeof(stun));

	(void)state;
	there = to;
	there.port = (uint16_t)udp_port(fd);
	assert_int_equal(port_send(client, &there, NULL, 5, stun, len), 0);
	for (int i = 0; i < 1000; i++) {
		turns(1);
		if ((n = udp_recv(fd, in, sizeof(in), &info)) != -EAGAIN)
			break;
	}
	assert_int_equal(n, len);
	assert_int_equal(info.ttl, 5);
	assert_int_equal(info.remote.port, netport_number(np));
	port_free(client);
	/* nothing else, and not to nowhere, whatever the client may be */
	ask_rudely(&there, "hello", 5);
	there.port = 0;
	ask_rudely(&there, stun, len);
	assert_int_equal(udp_recv(fd, in, sizeof(in), &info), -EAGAIN);
	turns(3);
	close(fd);
}

/* One that is longer than the way's MTU is not sent in fragments; what follows
 * it is sent. */
static void
test_sends_trains_and_no_fragments(void **state)
{
	static uint8_t data[65536];
	struct addr to, there;
	struct udp_info info;
	int fd = sender(ADDR_V4, &to), n = 0, all = 0;

	(void)state;
	there = to;
	there.port = (uint16_t)udp_port(fd);
	netport_send(np, &there, data, 65536 - 8, 65536 - 8);
	netport_send(np, &there, data, 40000, 1400);
	netport_flush(np);
	while (n != -EAGAIN) {
		static uint8_t in[65536];

		n = udp_recv(fd, in, sizeof(in), &info);
		if (n > 0)
			all += n;
	}
	assert_int_equal(all, 40000);
	close(fd);
}

/* The pipeline runs as that user (-u). */
static void
test_port_socket_of_another(void **state)
{
	struct netport_config c = {.loop = &loop, .user = 65534};
	char other[sizeof(path) + 8];
	struct netport *p;
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(other, sizeof(other), "%s.user", path);
	c.path = other;
	assert_int_equal(netport_open(&p, &c), 0);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_mode & 07777, 0600);
	netport_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_port_socket_of_another),
	    cmocka_unit_test(test_number_of_both_families),
	    cmocka_unit_test(test_what_is_no_stun_comes_here),
	    cmocka_unit_test(test_stun_in_the_midst_of_a_train),
	    cmocka_unit_test(test_client_sends_stun_alone),
	    cmocka_unit_test(test_sends_trains_and_no_fragments),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: ISC */
/* tunnel/forwarding: -L, -R, -D and -U over two engines, with real sockets at
 * both ends. */
#include "ends_fixture.h"

#include "udpinlet.h"

static void
test_not_permitted(void **state)
{
	struct ends *e = *state;
	uint16_t port, other;
	int listening = listen_tcp(&port), near = listen_tcp(&other), client;

	b_permits(e, "permit KEY 127.0.0.1:%u\n", other);
	forward_on_a(e, 'L', "0:127.0.0.1:%u", port);
	client = dial(SOCK_STREAM, "127.0.0.1", status_of(e->forwarding).port);
	assert_true(client >= 0);
	is_reset(e, client);
	assert_int_equal(accept(listening, NULL, NULL), -1);
	assert_int_equal(accept(near, NULL, NULL), -1);
	assert_int_equal(status_of(e->forwarding).refused, 1);
	close(client);
	close(listening);
	close(near);
}

static void
test_nobody_there(void **state)
{
	struct ends *e = *state;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int none = socket(AF_INET, SOCK_STREAM, 0), client;

	/* bound, and does not listen */
	len = numeric_sockaddr(&ss, "127.0.0.1", 0);
	assert_int_equal(bind(none, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(getsockname(none, (struct sockaddr *)&ss, &len), 0);
	b_permits(e, "permit KEY *:*\n");
	forward_on_a(e, 'L', "0:127.0.0.1:%u",
	    ntohs(((struct sockaddr_in *)&ss)->sin_port));
	client = dial(SOCK_STREAM, "127.0.0.1", status_of(e->forwarding).port);
	is_reset(e, client);
	close(client);
	close(none);
}

static void
test_tcp(void **state)
{
	struct ends *e = *state;
	uint16_t port;
	int listening = listen_tcp(&port), client[3], server[3];

	b_permits(e, "permit KEY 127.0.0.1:%u\n", port);
	forward_on_a(e, 'L', "0:127.0.0.1:%u", port);
	assert_int_equal(status_of(e->forwarding).state, FORWARDING_LISTENING);
	port = status_of(e->forwarding).port;
	for (int i = 0; i < 3; i++) {
		client[i] = dial(SOCK_STREAM, "127.0.0.1", port);
		server[i] = take(e, listening);
	}
	assert_int_equal(status_of(e->forwarding).open, 3);
	for (int i = 2; i >= 0; i--) {
		talk(e, client[i], server[i]);
		close(client[i]);
	}
	close(listening);
}

static void
test_unix(void **state)
{
	struct ends *e = *state;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), client;
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/in", e->dir);
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/to", e->dir);
	assert_int_equal(
	    bind(listening, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(listening, 8), 0);
	b_permits(e, "permit KEY %s\n", name.sun_path);
	forward_on_a(e, 'L', "%s:%s", path, name.sun_path);
	client = dial_unix(path);
	talk(e, client, take(e, listening));
	close(client);
	close(listening);
	unlink(name.sun_path);
}

/* Those that stand go on without the forward; a new one finds nobody. */
static void
test_let_go(void **state)
{
	struct ends *e = *state;
	uint16_t port, target;
	int listening = listen_tcp(&target), client, server;

	b_permits(e, "permit KEY 127.0.0.1:*\n");
	forward_on_a(e, 'L', "0:127.0.0.1:%u", target);
	port = status_of(e->forwarding).port;
	client = dial(SOCK_STREAM, "127.0.0.1", port);
	server = take(e, listening);
	forwarding_stop(e->forwarding, true);
	e->forwarding = NULL;
	assert_int_equal(dial(SOCK_STREAM, "127.0.0.1", port), -ECONNREFUSED);
	talk(e, client, server);
	close(client);
	close(listening);
}

static void
test_cut(void **state)
{
	struct ends *e = *state;
	uint16_t target;
	int listening = listen_tcp(&target), client, server;

	b_permits(e, "permit KEY 127.0.0.1:*\n");
	forward_on_a(e, 'L', "0:127.0.0.1:%u", target);
	client = dial(SOCK_STREAM, "127.0.0.1", status_of(e->forwarding).port);
	server = take(e, listening);
	say(client, "x");
	hear(e, server, "x", false);
	forwarding_stop(e->forwarding, false);
	e->forwarding = NULL;
	is_reset(e, client);
	is_reset(e, server);
	close(client);
	close(server);
	close(listening);
}

/* ---- SOCKS ---- */

static void
hear_bytes(struct ends *e, int fd, const void *want, size_t len)
{
	uint8_t buf[64];
	size_t got = 0;

	while (got < len) {
		ssize_t n;

		until(e, fd);
		n = read(fd, buf + got, len - got);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_memory_equal(buf, want, len);
}

static int
socks_client(struct ends *e)
{
	return dial(SOCK_STREAM, "127.0.0.1", status_of(e->forwarding).port);
}

static void
request(int fd, const char *name, uint16_t port)
{
	uint8_t r[64] = {5, 1, 0, 3};
	size_t n = strlen(name);

	r[4] = (uint8_t)n;
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
	memcpy(r + 5, name, n);
	r[5 + n] = (uint8_t)(port >> 8);
	r[6 + n] = (uint8_t)port;
	assert_int_equal(write(fd, r, 7 + n), 7 + n);
}

static void
test_socks_refused(void **state)
{
	struct ends *e = *state;
	uint16_t port;
	int listening = listen_tcp(&port), client;
	char c;

	b_permits(e, "permit KEY 127.0.0.1:1\n");
	forward_on_a(e, 'D', "0");
	/* another protocol */
	client = socks_client(e);
	say(client, "GET / HTTP/1.0\r\n\r\n");
	until(e, client);
	assert_true(read(client, &c, 1) <= 0);
	close(client);
	/* not permitted: reply 2, then the end */
	client = socks_client(e);
	say(client, "\5\1");
	assert_int_equal(write(client, "\0", 1), 1);
	hear_bytes(e, client, "\5\0", 2);
	request(client, "127.0.0.1", port);
	hear_bytes(e, client, "\5\2\0\1\0\0\0\0\0\0", 10);
	hear(e, client, "", true);
	assert_int_equal(accept(listening, NULL, NULL), -1);
	assert_int_equal(status_of(e->forwarding).open, 0);
	close(client);
	close(listening);
}

static void
test_socks(void **state)
{
	struct ends *e = *state;
	uint16_t port;
	int listening = listen_tcp(&port), client, server;

	b_permits(e, "permit KEY localhost:%u\n", port);
	forward_on_a(e, 'D', "0");
	client = socks_client(e);
	assert_int_equal(write(client, "\5\2\1\0", 4), 4);
	hear_bytes(e, client, "\5\0", 2);
	/* data right behind the request is the target's */
	request(client, "LocalHost", port);
	say(client, "early");
	server = take(e, listening);
	hear(e, server, "early", false);
	hear_bytes(e, client, "\5\0\0\1\0\0\0\0\0\0", 10);
	talk(e, client, server);
	close(client);
	close(listening);
}

/* ---- UDP ---- */

static int
udp_server(uint16_t *port)
{
	struct sockaddr_storage ss;
	socklen_t len = numeric_sockaddr(&ss, "127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	*port = ntohs(((struct sockaddr_in *)&ss)->sin_port);
	return fd;
}

static void
hear_datagram(struct ends *e, int fd, const char *want, struct addr *from)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	char buf[64];
	ssize_t n;

	until(e, fd);
	n = recvfrom(fd, buf, sizeof(buf) - 1, 0, (struct sockaddr *)&ss, &len);
	assert_true(n >= 0);
	assert_int_equal(addr_from_sockaddr(from, (struct sockaddr *)&ss), 0);
	buf[n] = '\0';
	assert_string_equal(buf, want);
}

static void
test_udp_not_permitted(void **state)
{
	struct ends *e = *state;
	uint16_t port;
	int server = udp_server(&port), client;

	/* the TCP port of that number is another one */
	b_permits(e, "permit KEY 127.0.0.1:%u\n", port);
	forward_on_a(e, 'U', "0:127.0.0.1:%u", port);
	client = dial(SOCK_DGRAM, "127.0.0.1", status_of(e->forwarding).port);
	for (int i = 0; i < 20; i++)
		assert_int_equal(send(client, "x", 1, 0), 1);
	for (int i = 0; i < 500 && status_of(e->forwarding).refused == 0; i++)
		assert_false(until_ms(e, server, POLLIN, 20));
	assert_int_equal(status_of(e->forwarding).refused, 1);
	/* and a source that goes on gets no stream for each datagram */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(send(client, "x", 1, 0), 1);
		assert_false(until_ms(e, server, POLLIN, 5));
	}
	assert_true(status_of(e->forwarding).total <= 2);
	close(client);
	close(server);
}

static void
test_udp(void **state)
{
	struct ends *e = *state;
	struct addr one, two;
	struct sockaddr_storage ss;
	socklen_t len;
	uint16_t port;
	int server = udp_server(&port), client, other;
	char text[64];

	b_permits(e, "permit KEY 127.0.0.1:%u/udp\n", port);
	forward_on_a(e, 'U', "0:127.0.0.1:%u", port);
	client = dial(SOCK_DGRAM, "127.0.0.1", status_of(e->forwarding).port);
	other = dial(SOCK_DGRAM, "127.0.0.1", status_of(e->forwarding).port);
	/* the first goes with the opening, one by one in order */
	say(client, "first");
	hear_datagram(e, server, "first", &one);
	say(other, "other");
	hear_datagram(e, server, "other", &two);
	assert_int_equal(status_of(e->forwarding).open, 2);
	/* each flow is one source there, too */
	assert_int_not_equal(one.port, two.port);
	len = addr_to_sockaddr(&one, &ss);
	assert_int_equal(
	    sendto(server, "back", 4, 0, (struct sockaddr *)&ss, len), 4);
	hear_datagram(e, client, "back", &two);
	/* an empty datagram is one, no end */
	assert_int_equal(send(client, "", 0, 0), 0);
	hear_datagram(e, server, "", &two);
	say(client, "again");
	hear_datagram(e, server, "again", &two);
	assert_int_equal(one.port, two.port);
	assert_int_equal(recv(other, text, sizeof(text), 0), -1);
	close(client);
	close(other);
	close(server);
}

/* More sources than there is room for: the latest get through, and no more flows
 * stand than there may. */
static void
test_udp_many(void **state)
{
	struct ends *e = *state;
	struct addr from;
	uint16_t port;
	int server = udp_server(&port), client[UDPINLET_FLOWS + 20];
	char text[64];

	b_permits(e, "permit KEY 127.0.0.1:*/udp\n");
	forward_on_a(e, 'U', "0:127.0.0.1:%u", port);
	for (int i = 0; i < UDPINLET_FLOWS + 20; i++) {
		client[i] = dial(
		    SOCK_DGRAM, "127.0.0.1", status_of(e->forwarding).port);
		(void)snprintf(text, sizeof(text), "%d", i);
		say(client[i], text);
		hear_datagram(e, server, text, &from);
	}
	assert_int_equal(status_of(e->forwarding).open, UDPINLET_FLOWS);
	assert_int_equal(status_of(e->forwarding).total, UDPINLET_FLOWS + 20);
	for (int i = 0; i < UDPINLET_FLOWS + 20; i++)
		close(client[i]);
	close(server);
}

/* ---- R ---- */

static void
until_state(struct ends *e, enum forwarding_state state)
{
	uint64_t end = now_ms() + LOOPWAIT_MS;

	while (status_of(e->forwarding).state != state && now_ms() < end)
		until_ms(e, -1, POLLIN, 5);
	assert_int_equal(status_of(e->forwarding).state, state);
}

static void
test_remote_not_permitted(void **state)
{
	struct ends *e = *state;
	struct serve_status s;

	b_permits(e, "permit KEY *:*\nlisten KEY 1\n");
	forward_on_a(e, 'R', "0:127.0.0.1:1");
	until_state(e, FORWARDING_FAILED);
	assert_string_equal(status_of(e->forwarding).reason, "not-permitted");
	serve_status(e->b.serve, &s);
	assert_int_equal(s.listeners, 0);
}

static void
test_remote_in_use(void **state)
{
	struct ends *e = *state;
	uint16_t port;
	int taken = listen_tcp(&port);

	b_permits(e, "listen KEY *\n");
	forward_on_a(e, 'R', "%u:127.0.0.1:1", port);
	until_state(e, FORWARDING_FAILED);
	assert_string_equal(status_of(e->forwarding).reason, "in-use");
	/* it comes by itself when the port is free */
	close(taken);
	until_state(e, FORWARDING_LISTENING);
	assert_int_equal(status_of(e->forwarding).port, port);
}

static void
test_remote(void **state)
{
	struct ends *e = *state;
	uint16_t target, port;
	int listening = listen_tcp(&target), client;

	b_permits(e, "listen KEY *\n");
	side_serve(e, &e->a, NULL); /* permits nothing, and need not */
	forward_on_a(e, 'R', "0:127.0.0.1:%u", target);
	until_state(e, FORWARDING_LISTENING);
	port = status_of(e->forwarding).port;
	assert_int_not_equal(port, 0);
	client = dial(SOCK_STREAM, "127.0.0.1", port);
	assert_true(client >= 0);
	talk(e, client, take(e, listening));
	close(client);
	/* its end is the listener's */
	forwarding_stop(e->forwarding, false);
	e->forwarding = NULL;
	for (int i = 0; i < 200; i++) {
		client = dial(SOCK_STREAM, "127.0.0.1", port);
		if (client < 0)
			break;
		close(client);
		until_ms(e, -1, POLLIN, 10);
	}
	assert_int_equal(client, -ECONNREFUSED);
	close(listening);
}

static void
ended_cb(void *arg, const struct joint_result *r)
{
	*(struct joint_result *)arg = *r;
}

/* The peer opens what it was not asked for: an id that nobody gave, or has any
 * more. */
static void
test_back_unasked(void **state)
{
	struct ends *e = *state;
	struct opening back = {.to = OPENING_BACK, .id = 12345};
	struct joint_result result = {.end = JOINT_DONE};
	struct joint *j;
	int pair[2];

	side_serve(e, &e->b, NULL);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(joint_open(&j, e->a.link, &back,
			     &(struct joint_config){
				 .in = pair[1],
				 .out = pair[1],
				 .ended = ended_cb,
				 .arg = &result,
			     }),
	    0);
	hear(e, pair[0], "", true);
	for (int i = 0; i < 500 && result.end == JOINT_DONE; i++)
		until_ms(e, -1, POLLIN, 10);
	assert_int_equal(result.end, JOINT_REFUSED);
	assert_int_equal(result.reason, OPENING_NOBODY);
	close(pair[0]);
}

/* Another allow file takes the listener away, and gives it back. */
static void
test_remote_reload(void **state)
{
	struct ends *e = *state;
	uint16_t port;

	b_permits(e, "listen KEY *\n");
	forward_on_a(e, 'R', "0:127.0.0.1:1");
	until_state(e, FORWARDING_LISTENING);
	port = status_of(e->forwarding).port;
	side_permit(&e->b, &e->a, "listen KEY *\npermit KEY *:*\n");
	assert_int_equal(status_of(e->forwarding).port, port);
	close(dial(SOCK_STREAM, "127.0.0.1", port));
	side_permit(&e->b, &e->a, "");
	assert_int_equal(dial(SOCK_STREAM, "127.0.0.1", port), -ECONNREFUSED);
	until_state(e, FORWARDING_FAILED);
	side_permit(&e->b, &e->a, "listen KEY *\n");
	until_state(e, FORWARDING_LISTENING);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, ends_setup, ends_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_not_permitted),
	    T(test_nobody_there),
	    T(test_tcp),
	    T(test_unix),
	    T(test_let_go),
	    T(test_cut),
	    T(test_socks_refused),
	    T(test_socks),
	    T(test_udp_not_permitted),
	    T(test_udp),
	    T(test_udp_many),
	    T(test_remote_not_permitted),
	    T(test_remote_in_use),
	    T(test_remote),
	    T(test_back_unasked),
	    T(test_remote_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

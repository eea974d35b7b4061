/* SPDX-License-Identifier: ISC */
/* Connections: two of them, or one and a bare socket, in a real loop that
 * turns until what is waited for is there. */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <malloc.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cursor.h"
#include "stun.h"

#define WAIT_MS 5000

static struct loop loop;
static struct event *tick;
static char dir[] = "/tmp/test_conn.XXXXXX";
static char cert[64], key[64], other_cert[64], other_key[64];

/* One side, and what it has seen. */
struct side {
	struct conn *c;
	size_t n; /* messages */
	size_t len;
	uint8_t last[CONN_MESSAGE_MAX];
	uint32_t first_number, last_number;
	bool disordered;
	int ready, closed;
	const char *why;
	bool free_at_message, free_at_close, echo;
};

static struct side a, b;

static bool
message(void *arg, const uint8_t *data, size_t len)
{
	struct side *s = arg;
	struct cursor c;
	uint32_t number;

	s->n++;
	s->len = len;
	memcpy(s->last, data, len);
	cursor_init(&c, data, len);
	cursor_u32(&c);
	number = cursor_u32(&c);
	if (s->n == 1)
		s->first_number = number;
	else
		s->disordered |= number <= s->last_number;
	s->last_number = number;
	if (s->echo)
		conn_send(s->c, data, len, NULL, 0, false);
	if (!s->free_at_message)
		return true;
	conn_free(s->c);
	s->c = NULL;
	return false;
}

static void
ready(void *arg)
{
	((struct side *)arg)->ready++;
}

static void
closed(void *arg, const char *why)
{
	struct side *s = arg;

	s->closed++;
	s->why = why;
	if (!s->free_at_close)
		return;
	conn_free(s->c);
	s->c = NULL;
}

static struct conn_config
config_of(struct side *s)
{
	return (struct conn_config){.channel_data = true,
	    .message = message,
	    .ready = ready,
	    .closed = closed,
	    .arg = s};
}

/* Turns until *what is n, or for too long; returns whether it is. */
static bool
until(const int *what, int n)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (*what < n && now_ms() < end)
		event_base_loop(loop.base, EVLOOP_ONCE);
	return *what == n;
}

static bool
until_got(const struct side *s, size_t n)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (s->n < n && now_ms() < end)
		event_base_loop(loop.base, EVLOOP_ONCE);
	return s->n == n;
}

static void
turn(int n)
{
	for (int i = 0; i < n; i++)
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
tick_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
}

static int
start(void **state)
{
	const struct timeval often = {.tv_usec = 10000};

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	loop_init(&loop, false);
	/* so that no wait for an event is for ever */
	tick = loop_event(&loop, -1, EV_PERSIST, tick_cb, NULL);
	event_add(tick, &often);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	conn_free(a.c);
	conn_free(b.c);
	event_free(tick);
	loop_free(&loop);
	return 0;
}

/* A conn for a, and a bare socket. */
static int
with_socket(const struct conn_config *config)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(conn_accept(&a.c, &loop, fd[0], config), 0);
	return fd[1];
}

static int
listen_here(struct addr *at)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	addr_from_sockaddr(at, (struct sockaddr *)&sin);
	return fd;
}

static int
accepted(int listening)
{
	uint64_t end = now_ms() + WAIT_MS;
	int fd = -1;

	while (fd == -1 && now_ms() < end) {
		fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
		turn(1);
	}
	assert_int_not_equal(fd, -1);
	return fd;
}

/* a connects, b is accepted. */
static void
with_both(const struct conn_config *ca, const struct conn_config *cb)
{
	struct addr at;
	int fd = listen_here(&at);

	assert_int_equal(conn_connect(&a.c, &loop, &at, WAIT_MS, ca), 0);
	assert_int_equal(conn_accept(&b.c, &loop, accepted(fd), cb), 0);
	close(fd);
}

static size_t
stun_message(uint8_t *out, uint16_t len)
{
	memset(out, 0x77, STUN_HEADER_LEN + (size_t)len);
	put_u16(out, 1);
	put_u16(out + 2, len);
	put_u32(out + 4, STUN_COOKIE);
	return STUN_HEADER_LEN + (size_t)len;
}

static void
messages_arrive_byte_by_byte(void **state)
{
	static const uint8_t data[] = {
	    0x40, 1, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0};
	struct conn_config config = config_of(&a);
	uint8_t m[64];
	size_t len = stun_message(m, 8);
	int fd = with_socket(&config);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(a.n, 0);
		assert_int_equal(write(fd, m + i, 1), 1);
		turn(2);
	}
	assert_int_equal(a.n, 1);
	assert_int_equal(a.len, len);
	assert_memory_equal(a.last, m, len);
	for (size_t i = 0; i < sizeof(data); i++) {
		assert_int_equal(a.n, 1);
		assert_int_equal(write(fd, data + i, 1), 1);
		turn(2);
	}
	assert_int_equal(a.n, 2);
	assert_int_equal(a.len, 9);
	close(fd);
	assert_true(until(&a.closed, 1));
	assert_string_equal(a.why, "closed by the other side");
}

static void
channel_data_gets_its_padding(void **state)
{
	struct conn_config config = config_of(&a);
	int fd = with_socket(&config);
	uint8_t got[64];

	(void)state;
	assert_int_equal(conn_send(a.c, "\x40\1\0\5", 4, "hello", 5, true), 0);
	assert_int_equal(conn_send(a.c, "\x40\1\0\4abcd", 8, NULL, 0, true), 0);
	turn(3);
	assert_int_equal(read(fd, got, sizeof(got)), 20);
	assert_memory_equal(got, "\x40\1\0\5hello\0\0\0\x40\1\0\4abcd", 20);
	close(fd);
}

static void
garbage_ends_it(void **state)
{
	struct conn_config config = config_of(&a);
	char byte;
	int fd;

	(void)state;
	config.channel_data = false; /* as which "GE" would be the beginning */
	fd = with_socket(&config);
	assert_int_equal(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);
	assert_true(until(&a.closed, 1));
	assert_string_equal(a.why, "what came is no STUN message");
	assert_int_equal(a.n, 0);
	assert_int_equal(
	    conn_send(a.c, "\0\1\0\0", 4, NULL, 0, false), -ENOTCONN);
	assert_true(read(fd, &byte, 1) <= 0); /* it hung up */
	turn(5);
	assert_int_equal(a.closed, 1);
	close(fd);
}

static void
too_long_a_message_ends_it(void **state)
{
	struct conn_config config = config_of(&a);
	int fd;

	(void)state;
	config.message_max = 1000;
	fd = with_socket(&config);
	assert_int_equal(write(fd, "\x40\1\x03\xe5", 4), 4);
	assert_true(until(&a.closed, 1));
	close(fd);
}

static void
the_longest_message_arrives(void **state)
{
	static uint8_t m[CONN_MESSAGE_MAX];
	struct conn_config ca = config_of(&a), cb = config_of(&b);
	size_t len = stun_message(m, 65532);

	(void)state;
	with_both(&ca, &cb);
	assert_int_equal(conn_send(a.c, m, len, NULL, 0, false), 0);
	assert_true(until_got(&b, 1));
	assert_int_equal(b.len, len);
	assert_memory_equal(b.last, m, len);
}

static void
a_side_that_has_stopped_writing_gets_its_answers(void **state)
{
	struct conn_config config = config_of(&a);
	int fd = with_socket(&config);
	uint8_t m[64], got[64];
	size_t len = stun_message(m, 8);

	(void)state;
	a.echo = true;
	assert_int_equal(write(fd, m, len), (ssize_t)len);
	shutdown(fd, SHUT_WR);
	assert_true(until(&a.closed, 1));
	assert_int_equal(read(fd, got, sizeof(got)), (ssize_t)len);
	assert_int_equal(read(fd, got, sizeof(got)), 0);
	close(fd);
}

static void
half_a_message_at_the_end_is_told(void **state)
{
	struct conn_config config = config_of(&a);
	int fd = with_socket(&config);

	(void)state;
	a.free_at_close = true;
	assert_int_equal(write(fd, "\0\1\0", 3), 3);
	close(fd);
	assert_true(until(&a.closed, 1));
	assert_string_equal(a.why, "closed in the middle of a message");
}

static void
a_reset_ends_it_once(void **state)
{
	struct conn_config config = config_of(&a);
	struct linger at_once = {.l_onoff = 1};
	struct addr at;
	int fd, listening = listen_here(&at);

	(void)state;
	assert_int_equal(conn_connect(&a.c, &loop, &at, WAIT_MS, &config), 0);
	fd = accepted(listening);
	assert_true(until(&a.ready, 1));
	assert_int_equal(conn_remote(a.c)->port, at.port);
	assert_int_not_equal(conn_local(a.c)->port, 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	assert_true(until(&a.closed, 1));
	assert_string_equal(a.why, strerror(ECONNRESET));
	turn(5);
	assert_int_equal(a.closed, 1);
	close(listening);
}

static void
nobody_listens(void **state)
{
	struct conn_config config = config_of(&a);
	struct addr at;

	(void)state;
	close(listen_here(&at));
	if (conn_connect(&a.c, &loop, &at, WAIT_MS, &config) == 0) {
		assert_true(until(&a.closed, 1));
		assert_string_equal(a.why, strerror(ECONNREFUSED));
	}
	assert_int_equal(a.ready, 0);
}

static void
freed_by_its_callbacks(void **state)
{
	struct conn_config config = config_of(&a);
	int fd = with_socket(&config);
	uint8_t m[64];
	size_t len = stun_message(m, 8);

	(void)state;
	a.free_at_message = true;
	assert_int_equal(write(fd, m, len), (ssize_t)len);
	assert_int_equal(write(fd, m, len), (ssize_t)len);
	assert_true(until_got(&a, 1));
	turn(5);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.closed, 0);
	close(fd);
}

/* Sends n numbered datagrams as ChannelData. */
static void
flood(struct side *s, uint32_t n)
{
	uint8_t m[1204] = {0x40, 1, 1200 >> 8, 1200 & 0xff};

	for (uint32_t i = 1; i <= n; i++) {
		put_u32(m + 4, i);
		assert_int_equal(conn_send(s->c, m, 4, m + 4, 1200, true), 0);
		if (i % 64 == 0)
			turn(1);
	}
}

static void
a_reader_that_never_reads_costs_no_more(void **state)
{
	struct conn_config ca = config_of(&a);
	struct mallinfo2 before, after;
	uint8_t m[64];
	size_t len = stun_message(m, 8);
	int fd = with_socket(&ca);

	(void)state;
	flood(&a, 1000);
	before = mallinfo2();
	flood(&a, 50000);
	after = mallinfo2();
	assert_true(conn_waiting(a.c) <= CONN_OUTPUT_MAX);
	assert_true(conn_dropped(a.c) > 49000);
	assert_true(after.uordblks < before.uordblks + CONN_OUTPUT_MAX);
	/* answers find room as long as there is anything to drop */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(conn_send(a.c, m, len, NULL, 0, false), 0);
	while (conn_send(a.c, m, len, NULL, 0, false) == 0)
		assert_true(conn_waiting(a.c) <= CONN_OUTPUT_MAX);
	assert_int_equal(conn_send(a.c, m, len, NULL, 0, false), -ENOBUFS);
	assert_int_equal(a.closed, 0);
	close(fd);
	assert_true(until(&a.closed, 1));
}

/* What a slow reader gets is whole, in order, and the newest. */
static void
slow_reader(const struct conn_config *ca, const struct conn_config *cb)
{
	struct addr at;
	int fd, listening = listen_here(&at);
	uint64_t end;

	assert_int_equal(conn_connect(&a.c, &loop, &at, WAIT_MS, ca), 0);
	fd = accepted(listening);
	if (ca->tls != NULL) {
		/* as fast as a handshake needs, and then it stops */
		assert_int_equal(conn_accept(&b.c, &loop, fd, cb), 0);
		assert_true(until(&a.ready, 1));
	} else {
		flood(&a, 20000);
		assert_int_equal(conn_accept(&b.c, &loop, fd, cb), 0);
	}
	flood(&a, 20000);
	end = now_ms() + 4 * WAIT_MS;
	while (b.last_number != 20000 && now_ms() < end)
		turn(1);
	assert_int_equal(b.last_number, 20000);
	assert_int_equal(b.closed, 0);
	close(listening);
}

static void
a_slow_reader_gets_whole_messages(void **state)
{
	struct conn_config ca = config_of(&a), cb = config_of(&b);

	(void)state;
	slow_reader(&ca, &cb);
	assert_true(conn_dropped(a.c) > 0);
	assert_int_equal(conn_dropped(a.c) + b.n, 40000);
}

/* TLS */

static void
write_pem(const char *path, const gnutls_datum_t *d)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(d->data, 1, d->size, f), d->size);
	fclose(f);
}

/* Self-signed, for the name relay.example and 127.0.0.1. */
static void
make_certificate(const char *cert_path, const char *key_path)
{
	static const uint8_t ip[] = {127, 0, 0, 1};
	gnutls_x509_privkey_t k;
	gnutls_x509_crt_t crt;
	gnutls_datum_t d;

	gnutls_x509_privkey_init(&k);
	gnutls_x509_privkey_generate(k, GNUTLS_PK_ECDSA,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\1", 1);
	gnutls_x509_crt_set_dn(crt, "CN=relay.example", NULL);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400);
	gnutls_x509_crt_set_subject_alt_name(
	    crt, GNUTLS_SAN_DNSNAME, "relay.example", 13, GNUTLS_FSAN_SET);
	gnutls_x509_crt_set_subject_alt_name(
	    crt, GNUTLS_SAN_IPADDRESS, ip, 4, GNUTLS_FSAN_APPEND);
	gnutls_x509_crt_set_key(crt, k);
	assert_int_equal(
	    gnutls_x509_crt_sign2(crt, crt, k, GNUTLS_DIG_SHA256, 0), 0);
	gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &d);
	write_pem(cert_path, &d);
	gnutls_free(d.data);
	gnutls_x509_privkey_export2(k, GNUTLS_X509_FMT_PEM, &d);
	write_pem(key_path, &d);
	gnutls_free(d.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(k);
}

static struct conn_tls *
server_tls(void)
{
	struct conn_tls *t = NULL;
	const char *why;

	assert_int_equal(conn_tls_server(&t, cert, key, &why), 0);
	return t;
}

static struct conn_tls *
client_tls(const char *ca)
{
	struct conn_tls *t = NULL;
	const char *why;

	assert_int_equal(conn_tls_client(&t, ca, &why), 0);
	return t;
}

/* Ends conns before what they use. */
static void
end_tls(struct conn_tls *client, struct conn_tls *server)
{
	conn_free(a.c);
	conn_free(b.c);
	a.c = b.c = NULL;
	conn_tls_free(client);
	conn_tls_free(server);
}

/* Returns why a refused, NULL when it did not. */
static const char *
try_tls(const char *ca, const char *name)
{
	struct conn_config ca_config = config_of(&a), cb = config_of(&b);
	struct conn_tls *client = client_tls(ca), *server = server_tls();
	uint8_t m[64];
	size_t len = stun_message(m, 8);

	ca_config.tls = client;
	ca_config.server_name = name;
	cb.tls = server;
	b.echo = true;
	with_both(&ca_config, &cb);
	conn_send(a.c, m, len, NULL, 0, false);
	while (a.ready + a.closed == 0)
		event_base_loop(loop.base, EVLOOP_ONCE);
	if (a.ready == 1) {
		assert_true(conn_is_tls(a.c));
		assert_true(until_got(&a, 1));
		assert_memory_equal(a.last, m, len);
	} else {
		assert_true(until(&b.closed, 1));
		assert_int_equal(b.n, 0); /* nothing was said to it */
	}
	end_tls(client, server);
	return a.why;
}

static void
tls_with_the_right_ca(void **state)
{
	(void)state;
	assert_null(try_tls(cert, "relay.example"));
}

static void
tls_with_an_address_as_name(void **state)
{
	(void)state;
	assert_null(try_tls(cert, "127.0.0.1"));
}

static void
tls_refuses_a_strangers_certificate(void **state)
{
	(void)state;
	assert_string_equal(try_tls(other_cert, "relay.example"),
	    "TLS: the certificate is of no CA that we trust");
}

static void
tls_refuses_a_self_signed_one_by_default(void **state)
{
	struct conn_tls *t;
	const char *why;

	(void)state;
	if (conn_tls_client(&t, NULL, &why) != 0)
		return; /* no CAs here: then nobody is trusted at all */
	conn_tls_free(t);
	assert_string_equal(try_tls(NULL, "relay.example"),
	    "TLS: the certificate is of no CA that we trust");
}

static void
tls_refuses_another_name(void **state)
{
	(void)state;
	assert_string_equal(try_tls(cert, "other.example"),
	    "TLS: the certificate is for another name");
}

static void
tls_refuses_another_address(void **state)
{
	(void)state;
	assert_string_equal(try_tls(cert, "127.0.0.2"),
	    "TLS: the certificate is for another name");
}

static void
tls_wants_a_name(void **state)
{
	struct conn_config config = config_of(&a);
	struct conn_tls *client = client_tls(cert);
	struct addr at;
	int fd = listen_here(&at);

	(void)state;
	config.tls = client;
	assert_int_equal(
	    conn_connect(&a.c, &loop, &at, WAIT_MS, &config), -EINVAL);
	conn_tls_free(client);
	close(fd);
}

static void
wrong_files_are_told(void **state)
{
	struct conn_tls *t;
	const char *why = NULL;

	(void)state;
	assert_int_equal(
	    conn_tls_server(&t, "/nonexistent", key, &why), -EINVAL);
	assert_non_null(why);
	/* another certificate's key */
	assert_int_equal(conn_tls_server(&t, cert, other_key, &why), -EINVAL);
	why = NULL;
	assert_int_equal(conn_tls_client(&t, key, &why), -EINVAL);
	assert_non_null(why);
}

static void
one_port_for_both(void **state)
{
	struct conn_config ca = config_of(&a), cb = config_of(&b);
	struct conn_tls *client = client_tls(cert), *server = server_tls();
	uint8_t m[64];
	size_t len = stun_message(m, 8);

	(void)state;
	cb.tls = server;
	cb.tls_optional = true;
	b.echo = true;
	with_both(&ca, &cb); /* plain */
	conn_send(a.c, m, len, NULL, 0, false);
	assert_true(until_got(&a, 1));
	assert_false(conn_is_tls(b.c));
	conn_free(a.c);
	conn_free(b.c);
	a.n = 0;
	ca.tls = client;
	ca.server_name = "relay.example";
	with_both(&ca, &cb);
	conn_send(a.c, m, len, NULL, 0, false);
	assert_true(until_got(&a, 1));
	assert_true(conn_is_tls(b.c));
	end_tls(client, server);
}

static void
plain_to_tls_only_ends(void **state)
{
	struct conn_config ca = config_of(&a), cb = config_of(&b);
	struct conn_tls *server = server_tls();
	uint8_t m[64];
	size_t len = stun_message(m, 8);

	(void)state;
	cb.tls = server;
	with_both(&ca, &cb);
	conn_send(a.c, m, len, NULL, 0, false);
	assert_true(until(&b.closed, 1));
	assert_int_equal(b.n, 0);
	end_tls(NULL, server);
}

/* A server of TLS 1.1 is none. */
static void
tls_1_1_is_refused(void **state)
{
	struct conn_config cb = config_of(&b);
	struct conn_tls *server = server_tls();
	gnutls_certificate_credentials_t trust;
	gnutls_session_t session;
	struct addr at;
	struct sockaddr_storage ss;
	int rc, fd, listening = listen_here(&at);
	socklen_t len = addr_to_sockaddr(&at, &ss);

	(void)state;
	cb.tls = server;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_int_equal(conn_accept(&b.c, &loop, accepted(listening), &cb), 0);
	gnutls_certificate_allocate_credentials(&trust);
	gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	gnutls_priority_set_direct(
	    session, "LEGACY:-VERS-ALL:+VERS-TLS1.1", NULL);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, trust);
	gnutls_transport_set_int(session, fd);
	do {
		rc = gnutls_handshake(session);
		turn(1);
	} while (rc == GNUTLS_E_AGAIN && b.closed == 0);
	assert_true(until(&b.closed, 1));
	assert_int_equal(b.ready, 0);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(trust);
	close(fd);
	close(listening);
	end_tls(NULL, server);
}

static void
a_silent_server_is_given_up(void **state)
{
	struct conn_config config = config_of(&a);
	struct conn_tls *client = client_tls(cert);
	struct addr at;
	int fd = listen_here(&at); /* and nobody accepts */

	(void)state;
	config.tls = client;
	config.server_name = "relay.example";
	assert_int_equal(conn_connect(&a.c, &loop, &at, 50, &config), 0);
	assert_true(until(&a.closed, 1));
	assert_string_equal(a.why, "TLS: no answer");
	close(fd);
	end_tls(client, NULL);
}

static void
much_over_tls_stays_whole(void **state)
{
	struct conn_config ca = config_of(&a), cb = config_of(&b);
	struct conn_tls *client = client_tls(cert), *server = server_tls();

	(void)state;
	ca.tls = client;
	ca.server_name = "relay.example";
	cb.tls = server;
	slow_reader(&ca, &cb);
	assert_false(b.disordered);
	assert_int_equal(conn_dropped(a.c) + b.n, 20000);
	end_tls(client, server);
}

static int
start_all(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(cert, sizeof(cert), "%s/cert", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(other_cert, sizeof(other_cert), "%s/other_cert", dir);
	snprintf(other_key, sizeof(other_key), "%s/other_key", dir);
	make_certificate(cert, key);
	make_certificate(other_cert, other_key);
	return 0;
}

static int
stop_all(void **state)
{
	(void)state;
	unlink(cert);
	unlink(key);
	unlink(other_cert);
	unlink(other_key);
	rmdir(dir);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(messages_arrive_byte_by_byte),
	    TEST(channel_data_gets_its_padding),
	    TEST(garbage_ends_it),
	    TEST(too_long_a_message_ends_it),
	    TEST(the_longest_message_arrives),
	    TEST(a_side_that_has_stopped_writing_gets_its_answers),
	    TEST(half_a_message_at_the_end_is_told),
	    TEST(a_reset_ends_it_once),
	    TEST(nobody_listens),
	    TEST(freed_by_its_callbacks),
	    TEST(a_reader_that_never_reads_costs_no_more),
	    TEST(a_slow_reader_gets_whole_messages),
	    TEST(tls_with_the_right_ca),
	    TEST(tls_with_an_address_as_name),
	    TEST(tls_refuses_a_strangers_certificate),
	    TEST(tls_refuses_a_self_signed_one_by_default),
	    TEST(tls_refuses_another_name),
	    TEST(tls_refuses_another_address),
	    TEST(tls_wants_a_name),
	    TEST(wrong_files_are_told),
	    TEST(one_port_for_both),
	    TEST(plain_to_tls_only_ends),
	    TEST(tls_1_1_is_refused),
	    TEST(a_silent_server_is_given_up),
	    TEST(much_over_tls_stays_whole),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}

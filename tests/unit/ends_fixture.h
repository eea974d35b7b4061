/* SPDX-License-Identifier: ISC */
/* Two engines on 127.0.0.1 that know each other's path: a asks, b serves. One
 * loop drives both, and the test's own sockets are looked at between its turns. */
#ifndef NATKIT_TESTS_ENDS_FIXTURE_H
#define NATKIT_TESTS_ENDS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../loopwait.h"
#include "forwarding.h"
#include "numeric.h"
#include "permit.h"
#include "serve.h"
#include "tunnel.h"

struct side {
	uint8_t priv[KEY_LEN], pub[KEY_LEN];
	struct tunnel *tunnel;
	struct link *link; /* to the other */
	struct permit *permit;
	struct serve *serve;
};

struct ends {
	struct loop loop;
	struct resolver *resolver;
	struct side a, b;
	struct forwarding *forwarding; /* of a, or NULL */
	char dir[40];
};

static inline void
side_opened_cb(void *arg, struct joint *j)
{
	struct side *s = arg;

	serve_opened(s->serve, j);
}

static inline void
side_begin(struct ends *e, struct side *s)
{
	randombytes_buf(s->priv, KEY_LEN);
	crypto_scalarmult_base(s->pub, s->priv);
	assert_int_equal(tunnel_new(&s->tunnel,
			     &(struct tunnel_config){
				 .loop = &e->loop,
				 .priv = s->priv,
				 .pub = s->pub,
				 .gso = true,
				 .budget = 64 << 20,
				 .streams = 1024,
				 .opened = side_opened_cb,
				 .arg = s,
			     }),
	    0);
}

static inline void
side_meet(struct side *s, const struct side *other)
{
	struct addr at;

	assert_int_equal(
	    addr_parse_ip(&at, "127.0.0.1", tunnel_port(other->tunnel)), 0);
	s->link = tunnel_link(s->tunnel, other->pub);
	assert_non_null(s->link);
	link_path(s->link, LINK_DIRECT, &at, NULL);
}

/* The allow file; KEY stands for the other side's key. Set before the old one is
 * freed. */
static inline void
side_permit(struct side *s, const struct side *other, const char *text)
{
	char all[1024] = "", key[KEY_STRLEN];
	struct permit *old = s->permit;
	const char *why = "", *p;
	unsigned int line = 0;
	size_t n = 0;

	key_format(other->pub, key);
	for (p = text; *p != '\0'; p++)
		if (strncmp(p, "KEY", 3) == 0) {
			n += (size_t)snprintf(
			    all + n, sizeof(all) - n, "%s", key);
			p += 2;
		} else {
			all[n++] = *p;
		}
	if (permit_parse(&s->permit, all, n, NULL, &line, &why) != 0)
		fail_msg("%u: %s", line, why);
	if (s->serve != NULL)
		serve_allow(s->serve, s->permit, NULL);
	permit_free(old);
}

static inline void
side_serve(struct ends *e, struct side *s, char *const *program)
{
	struct serve_config c = {
	    .loop = &e->loop,
	    .resolver = e->resolver,
	    .permit = s->permit,
	    .program = program,
	    .hook_ms = 1500,
	};

	assert_int_equal(serve_new(&s->serve, &c), 0);
}

static inline void
side_end(struct side *s)
{
	serve_free(s->serve);
	tunnel_free(s->tunnel);
	permit_free(s->permit);
}

static inline int
ends_setup(void **state)
{
	struct ends *e = calloc(1, sizeof(*e));

	assert_true(sodium_init() >= 0);
	loop_init(&e->loop, false);
	assert_int_equal(resolver_new(&e->resolver, &e->loop), 0);
	side_begin(e, &e->a);
	side_begin(e, &e->b);
	side_meet(&e->a, &e->b);
	side_meet(&e->b, &e->a);
	(void)snprintf(e->dir, sizeof(e->dir), "/tmp/natkit-ends-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	*state = e;
	return 0;
}

static inline int
ends_teardown(void **state)
{
	struct ends *e = *state;

	forwarding_stop(e->forwarding, false);
	side_end(&e->a);
	side_end(&e->b);
	resolver_free(e->resolver);
	loop_free(&e->loop);
	while (waitpid(-1, NULL, 0) > 0) /* programs that got SIGHUP */
		;
	rmdir(e->dir);
	free(e);
	return 0;
}

/* b serves what its allow file, as for printf(3), permits a. */
static inline __attribute__((format(printf, 2, 3))) void
b_permits(struct ends *e, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	side_permit(&e->b, &e->a, text);
	side_serve(e, &e->b, NULL);
}

/* The forward, as for printf(3). */
static inline __attribute__((format(printf, 3, 4))) void
forward_on_a(struct ends *e, char kind, const char *format, ...)
{
	struct forward f;
	const char *why = "";
	char text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (forward_parse(&f, kind, text, &why) != 0)
		fail_msg("%s: %s", text, why);
	assert_int_equal(forwarding_start(&e->forwarding,
			     &(struct forwarding_config){
				 .loop = &e->loop,
				 .resolver = e->resolver,
				 .link = e->a.link,
				 .forward = &f,
			     },
			     false),
	    0);
}

static inline struct forwarding_status
status_of(const struct forwarding *f)
{
	struct forwarding_status s;

	forwarding_status(f, &s);
	return s;
}

/* Turns the loop until there is something at fd, for which poll(2) has a name. */
static inline bool
until_ms(struct ends *e, int fd, short what, uint32_t ms)
{
	struct pollfd p = {.fd = fd, .events = what};
	uint64_t end = now_ms() + ms;
	struct event *tick =
	    loop_event(&e->loop, -1, EV_PERSIST, loopwait_cb, &(bool){false});
	int n;

	event_add(tick, &(struct timeval){.tv_usec = 2000});
	while ((n = poll(&p, 1, 0)) == 0 && now_ms() < end)
		event_base_loop(e->loop.base, EVLOOP_ONCE);
	event_free(tick);
	return n == 1;
}

#define until(e, fd) assert_true(until_ms(e, fd, POLLIN, LOOPWAIT_MS))

static inline int
listen_tcp(uint16_t *port)
{
	struct sockaddr_storage ss;
	socklen_t len = numeric_sockaddr(&ss, "127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	*port = ntohs(((struct sockaddr_in *)&ss)->sin_port);
	return fd;
}

static inline int
dial(int type, const char *host, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = numeric_sockaddr(&ss, host, port);
	int fd = socket(ss.ss_family, type, 0);

	if (connect(fd, (struct sockaddr *)&ss, len) == -1) {
		close(fd);
		return -errno;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static inline int
dial_unix(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static inline int
take(struct ends *e, int listening)
{
	int fd;

	until(e, listening);
	fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	return fd;
}

static inline void
say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* All of text comes, and then (end) the end. */
static inline void
hear(struct ends *e, int fd, const char *text, bool end)
{
	size_t len = 0, want = strlen(text);
	char buf[256];
	ssize_t n;

	while (len < want) {
		until(e, fd);
		n = read(fd, buf + len, sizeof(buf) - 1 - len);
		assert_true(n > 0);
		len += (size_t)n;
	}
	buf[len] = '\0';
	assert_string_equal(buf, text);
	if (!end)
		return;
	until(e, fd);
	assert_int_equal(read(fd, buf, sizeof(buf)), 0);
}

/* Both ways, with ends of their own. */
static inline void
talk(struct ends *e, int client, int server)
{
	say(client, "question");
	hear(e, server, "question", false);
	say(server, "answer");
	hear(e, client, "answer", false);
	shutdown(client, SHUT_WR);
	hear(e, server, "", true);
	say(server, "more");
	close(server);
	hear(e, client, "more", true);
}

/* The connection ends, and not as if all were well. */
static inline void
is_reset(struct ends *e, int fd)
{
	char c;

	until(e, fd);
	assert_int_equal(read(fd, &c, 1), -1);
	assert_int_equal(errno, ECONNRESET);
}

#endif

/* SPDX-License-Identifier: ISC */
/* Clients of nat-relayd for tests: a side is a letter with a key and a socket,
 * UDP or TCP, which can bind for another side and do it wrong in every way. */
#ifndef NATKIT_TESTS_RELAY_SIDE_H
#define NATKIT_TESTS_RELAY_SIDE_H

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "credential.h"
#include "key.h"
#include "loop.h"
#include "stun.h"
#include "turnclient.h"

#define SIDES 26
#define BUFFER 70000
#define INBOX 64
#define CHANNEL 0x4000
#define TRIES 6 /* of a BIND: nonces, other ports */

struct letter {
	size_t len;
	uint8_t *data;
};

struct side {
	char name;
	int fd; /* -1: none yet */
	bool tcp;
	struct addr own;
	uint8_t key[KEY_LEN];
	struct addr at[SIDES]; /* where it is bound for whom */
	int peer;	       /* of the latest bind */
	struct addr to;
	long expiry;
	const char *raw_name, *nonce;
	struct credential_secret secret;
	uint8_t bind[STUN_MAX]; /* the latest signed one */
	size_t bind_len;
	struct turnclient *turn;
	struct letter inbox[INBOX];
	unsigned int first, n; /* of inbox */
	uint8_t in[BUFFER];    /* of the stream */
	size_t in_len;
};

static struct side sides[SIDES];
static struct addr server, own;
static struct credential_secret secret;
static int wait_ms = 8000;

__attribute__((noreturn, format(printf, 1, 2))) static void
fail(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("relay-client: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static int
open_socket(struct side *s, int type, int buffer)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&s->own, &ss);
	int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0), on = 1;

	if (fd == -1)
		fail("socket: %s", strerror(errno));
	if (buffer > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	/* two UDP sockets could get one port by it */
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&ss, len) == -1)
		fail("own address: %s", strerror(errno));
	return fd;
}

static void
find_own(struct side *s)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(s->fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(&s->own, (struct sockaddr *)&ss);
}

static void
open_udp(struct side *s)
{
	int big = 1 << 22;

	if (s->fd != -1)
		close(s->fd);
	s->own.port = 0;
	s->tcp = false;
	s->fd = open_socket(s, SOCK_DGRAM, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
	find_own(s);
}

static void
open_tcp(struct side *s, int buffer)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&server, &ss);

	if (s->fd != -1)
		close(s->fd);
	s->own.port = 0;
	s->tcp = true;
	s->in_len = 0;
	s->fd = open_socket(s, SOCK_STREAM, buffer);
	if (connect(s->fd, (struct sockaddr *)&ss, len) == -1)
		fail("connect: %s", strerror(errno));
	find_own(s);
	s->to = server;
}

static struct side *
side(char name)
{
	struct side *s;

	if (name < 'a' || name > 'z')
		fail("%c is no side", name);
	s = &sides[name - 'a'];
	s->name = name;
	if (s->fd == -1)
		open_udp(s);
	return s;
}

static void
put_bytes(
    struct side *s, const struct addr *to, const uint8_t *data, size_t len)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(to, &ss);

	while (s->tcp && len > 0) {
		ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the server has ended it: a test sees that */
		data += n;
		len -= (size_t)n;
	}
	if (!s->tcp &&
	    sendto(s->fd, data, len, 0, (struct sockaddr *)&ss, ss_len) == -1)
		fail("%c: send: %s", s->name, strerror(errno));
}

/* A datagram of a pair; over a connection it is ChannelData. */
static void
put_data(struct side *s, const uint8_t *data, size_t len)
{
	static uint8_t out[BUFFER];
	size_t pad = -len & 3;

	if (!s->tcp) {
		put_bytes(s, &s->to, data, len);
		return;
	}
	put_u16(out, (uint16_t)(CHANNEL + s->peer));
	put_u16(out + 2, (uint16_t)len);
	memcpy(out + 4, data, len);
	memset(out + 4 + len, 0, pad);
	put_bytes(s, &s->to, out, 4 + len + pad);
}

/* A whole message out of the stream: its length, 0 if there is none. */
static size_t
unframe(struct side *s, uint8_t *out)
{
	size_t len, all;

	if (s->in_len < 4)
		return 0;
	len = (size_t)(s->in[2] << 8 | s->in[3]) +
	      (s->in[0] >> 6 == 1 ? 4 : STUN_HEADER_LEN);
	all = (len + 3) & ~(size_t)3;
	if (s->in_len < all)
		return 0;
	memcpy(out, s->in, len);
	s->in_len -= all;
	memmove(s->in, s->in + all, s->in_len);
	return len;
}

/* One message, or -1 after the time; -2: the connection has ended. */
static ssize_t
get(struct side *s, uint8_t *out, struct addr *from, uint64_t until_ms)
{
	for (;;) {
		struct sockaddr_storage ss;
		socklen_t ss_len = sizeof(ss);
		uint64_t now = now_ms();
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		ssize_t n;

		if (s->tcp && (n = (ssize_t)unframe(s, out)) > 0) {
			*from = server;
			return n;
		}
		/* what is there already counts, however late we are */
		if (poll(&p, 1, now < until_ms ? (int)(until_ms - now) : 0) < 1)
			return -1;
		if (s->tcp) {
			n = recv(s->fd, s->in + s->in_len,
			    sizeof(s->in) - s->in_len, 0);
			if (n <= 0)
				return -2;
			s->in_len += (size_t)n;
			continue;
		}
		n = recvfrom(
		    s->fd, out, BUFFER, 0, (struct sockaddr *)&ss, &ss_len);
		if (n == -1)
			continue; /* an ICMP error */
		addr_from_sockaddr(from, (struct sockaddr *)&ss);
		return n;
	}
}

/* What came to the pair's side, without ChannelData's head. */
static void
keep(struct side *s, const uint8_t *data, size_t len)
{
	struct letter *l = &s->inbox[(s->first + s->n) % INBOX];

	if (s->n == INBOX)
		return;
	if (s->tcp && s->turn == NULL && len >= 4 && data[0] >> 6 == 1) {
		data += 4;
		len -= 4;
	}
	l->data = malloc(len + 1);
	l->len = len;
	if (len > 0)
		memcpy(l->data, data, len);
	s->n++;
}

/* An answer to that transaction; all else is kept. Its length or -1. */
static ssize_t
await(struct side *s, const uint8_t *tid, uint8_t *out, struct stun_msg *m)
{
	uint64_t until = now_ms() + (uint64_t)wait_ms;
	struct addr from;
	ssize_t n;

	while ((n = get(s, out, &from, until)) >= 0) {
		if (stun_parse(m, out, (size_t)n) == 0 &&
		    m->class >= STUN_SUCCESS &&
		    memcmp(m->tid, tid, STUN_TID_LEN) == 0)
			return n;
		keep(s, out, (size_t)n);
	}
	return -1;
}

/* What a command wanted: nothing in particular, "none", or a number. */
static void
check(const struct side *s, const char *verb, int code, const char *want)
{
	if (code == -1)
		printf("%c %s none\n", s->name, verb);
	else if (code > 0)
		printf("%c %s error=%d\n", s->name, verb, code);
	if (want == NULL
		? code != 0
		: code != (strcmp(want, "none") == 0 ? -1 : atoi(want)))
		fail("%c: %s: %d is not what was wanted", s->name, verb, code);
}

/* Pairs */

struct ticket {
	char name[CREDENTIAL_NAME_MAX];
	char password[CREDENTIAL_PASSWORD_LEN + 1];
};

static void
make_ticket(const struct side *s, int peer, struct ticket *t)
{
	struct credential_pair c = {.expiry_s = 0};

	c.expiry_s = (uint64_t)((long)(wall_ns() / 1000000000u) + s->expiry);
	memcpy(c.key, s->key, KEY_LEN);
	memcpy(c.peer, sides[peer].key, KEY_LEN);
	if (s->raw_name != NULL)
		snprintf(t->name, sizeof(t->name), "%s", s->raw_name);
	else
		credential_pair_name(&c, t->name);
	credential_pair_password(&s->secret, t->name, t->password);
}

static size_t
build_bind(const struct side *s, const struct ticket *t, const char *nonce,
    int peer, bool leave, uint8_t *out)
{
	uint8_t tid[STUN_TID_LEN], channel[4] = {0};
	struct stun_buf b;

	stun_new_tid(tid);
	stun_begin(&b, out, STUN_MAX, NATKIT_BIND, STUN_REQUEST, tid);
	if (leave)
		stun_put_u32(&b, TURN_LIFETIME, 0);
	put_u16(channel, (uint16_t)(CHANNEL + peer));
	if (s->tcp)
		stun_put(&b, TURN_CHANNEL_NUMBER, channel, sizeof(channel));
	stun_put(&b, STUN_USERNAME, t->name, strlen(t->name));
	if (nonce != NULL) {
		stun_put(&b, STUN_NONCE, nonce, strlen(nonce));
		stun_put_integrity_sha256(
		    &b, t->password, CREDENTIAL_PASSWORD_LEN);
	}
	return (size_t)stun_end(&b, true);
}

static bool
take_nonce(const struct stun_msg *m, char *nonce, size_t cap)
{
	struct stun_attr a;

	if (stun_find(m, STUN_NONCE, &a) != 0 || a.len >= cap)
		return false;
	memcpy(nonce, a.value, a.len);
	nonce[a.len] = '\0';
	return true;
}

static void
tell_bound(struct side *s, const struct addr *at, const struct stun_msg *m)
{
	char text[ADDR_STRLEN], seen[ADDR_STRLEN];
	struct addr mapped = {.family = ADDR_NONE};
	struct stun_attr a;
	unsigned int lifetime = 0;

	stun_get_mapped(m, &mapped);
	if (stun_find(m, TURN_LIFETIME, &a) == 0 && a.len == 4)
		lifetime = (unsigned int)(a.value[2] << 8 | a.value[3]);
	printf("%c bound endpoint=%s mapped=%s lifetime_s=%u\n", s->name,
	    addr_format(at, text), addr_format(&mapped, seen), lifetime);
}

/* Asks until it is bound. Returns 0, an error code, or -1. */
static int
bind_loop(struct side *s, int peer, bool leave, struct addr at)
{
	static uint8_t in[BUFFER];
	char nonce[256] = "";
	uint8_t out[STUN_MAX];
	struct ticket ticket;
	struct stun_msg m;
	struct stun_attr a;

	make_ticket(s, peer, &ticket);
	if (s->nonce != NULL)
		snprintf(nonce, sizeof(nonce), "%s", s->nonce);
	s->nonce = NULL;
	for (int i = 0, code; i < TRIES; i++) {
		bool signs = nonce[0] != '\0';
		size_t len = build_bind(
		    s, &ticket, signs ? nonce : NULL, peer, leave, out);

		if (signs) {
			memcpy(s->bind, out, len);
			s->bind_len = len;
		}
		put_bytes(s, &at, out, len);
		if (await(s, out + 8, in, &m) < 0)
			return -1;
		if (m.class == STUN_SUCCESS) {
			if (stun_check_integrity_sha256(&m, ticket.password,
				CREDENTIAL_PASSWORD_LEN) != 0)
				fail("%c: a forged answer", s->name);
			s->at[peer] = s->to = at;
			tell_bound(s, &at, &m);
			return 0;
		}
		code = stun_get_error(&m);
		if (code == 300 &&
		    stun_find(&m, STUN_ALTERNATE_SERVER, &a) == 0)
			stun_get_addr(&a, &at);
		else if ((code != 401 && code != 438) ||
			 !take_nonce(&m, nonce, sizeof(nonce)))
			return code;
	}
	return 300;
}

/* "b" is another side's own address. */
static struct addr
endpoint(const char *text)
{
	struct addr a;

	if (text[0] != '\0' && text[1] == '\0' && isalpha(text[0]))
		return side(text[0])->own;
	if (addr_parse(&a, text) != 0 && addr_parse_ip(&a, text, 0) != 0)
		fail("%s: an address or a side", text);
	return a;
}

static size_t
unhex(const char *text, uint8_t *out, size_t cap)
{
	size_t n = 0;

	if (sodium_hex2bin(out, cap, text, strlen(text), " ", &n, NULL) != 0)
		fail("%s: not hexadecimal", text);
	return n;
}

/* The next datagram of a pair or a TURN peer, or -1, -2 as of get. */
static ssize_t
next_data(struct side *s, uint8_t *out, uint64_t until)
{
	struct turnclient_in in;
	struct addr from;
	ssize_t n;

	if (s->n > 0) {
		struct letter *l = &s->inbox[s->first];

		n = (ssize_t)l->len;
		memcpy(out, l->data, l->len);
		free(l->data);
		s->first = (s->first + 1) % INBOX;
		s->n--;
		return n;
	}
	n = get(s, out, &from, until);
	if (n > 4 && s->tcp && s->turn == NULL && out[0] >> 6 == 1) {
		n -= 4;
		memmove(out, out + 4, (size_t)n);
	}
	if (n >= 0 && s->turn != NULL) {
		turnclient_input(s->turn, out, (size_t)n, now_ms(), &in);
		if (in.what != TURNCLIENT_DATA)
			return next_data(s, out, until);
		memmove(out, in.data, in.len);
		n = (ssize_t)in.len;
	}
	return n;
}

#endif

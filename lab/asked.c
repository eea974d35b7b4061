/* SPDX-License-Identifier: ISC */
/* The server's side of nat-probe. */
#include "asked.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cursor.h"
#include "udp.h"

#define COPIES 3 /* one may get lost */
#define COPY_MS 30
#define IP_LEN 20
#define UDP_LEN 8
#define ICMP_LEN 8
#define FIRST 1200 /* bytes of the datagram in its first fragment: n * 8 */

static void
fill_pattern(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 31 + i / 256 + 1);
}

bool
asked_pattern_is(const char *data, size_t len)
{
	uint8_t wanted[ASKED_FRAGMENTS_LEN];

	fill_pattern(wanted, sizeof(wanted));
	return len == sizeof(wanted) && memcmp(data, wanted, len) == 0;
}

static void
put_ip(uint8_t *p, uint8_t protocol, const uint8_t *from, const uint8_t *to)
{
	p[0] = 0x45;
	p[8] = 64;
	p[9] = protocol;
	memcpy(p + 12, from, 4);
	memcpy(p + 16, to, 4);
}

/* One fragment: len bytes of the datagram from at on. The kernel fills in
 * IPv4's checksum and total length. */
static void
send_fragment(const struct asked *a, const struct addr *to, uint16_t id,
    const uint8_t *datagram, size_t at, size_t len, bool more)
{
	uint8_t p[IP_LEN + FIRST * 2] = {0};
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(to, &ss);

	put_ip(p, IPPROTO_UDP, a->local.ip, to->ip);
	put_u16(p + 4, id);
	put_u16(p + 6, (uint16_t)(at / 8 | (more ? 0x2000 : 0)));
	memcpy(p + IP_LEN, datagram + at, len);
	/* lost is lost: the client asks again */
	(void)!sendto(
	    a->raw, p, IP_LEN + len, 0, (struct sockaddr *)&ss, ss_len);
}

static uint16_t
checksum(const uint8_t *p, size_t len)
{
	uint32_t s = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		s += (uint32_t)(p[i] << 8 | p[i + 1]);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* An ICMP error about a datagram of len bytes that came from there: both
 * headers, as RFC 792 has it. A parameter problem points at the first byte. */
static void
send_error(
    const struct asked *a, const struct addr *to, uint16_t error, size_t len)
{
	uint8_t p[IP_LEN + ICMP_LEN + IP_LEN + UDP_LEN] = {0};
	uint8_t *icmp = p + IP_LEN, *about = icmp + ICMP_LEN;
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(to, &ss);

	put_ip(p, IPPROTO_ICMP, a->local.ip, to->ip);
	put_ip(about, IPPROTO_UDP, to->ip, a->local.ip);
	put_u16(about + 2, (uint16_t)(IP_LEN + UDP_LEN + len));
	put_u16(about + 10, checksum(about, IP_LEN));
	put_u16(about + IP_LEN, to->port);
	put_u16(about + IP_LEN + 2, a->local.port);
	put_u16(about + IP_LEN + 4, (uint16_t)(UDP_LEN + len));
	put_u16(icmp, error);
	put_u16(icmp + 2, checksum(icmp, sizeof(p) - IP_LEN));
	/* lost is lost: the client asks again */
	(void)!sendto(a->raw, p, sizeof(p), 0, (struct sockaddr *)&ss, ss_len);
}

/* The checksum counts: some NATs change it without looking for 0. */
static uint16_t
udp_checksum(
    const struct asked *a, const struct addr *to, const uint8_t *p, size_t len)
{
	uint8_t pseudo[12];
	uint32_t s = 0;

	memcpy(pseudo, a->local.ip, 4);
	memcpy(pseudo + 4, to->ip, 4);
	put_u16(pseudo + 8, IPPROTO_UDP);
	put_u16(pseudo + 10, (uint16_t)len);
	for (size_t i = 0; i < sizeof(pseudo); i += 2)
		s += (uint32_t)(pseudo[i] << 8 | pseudo[i + 1]);
	for (size_t i = 0; i + 1 < len; i += 2)
		s += (uint32_t)(p[i] << 8 | p[i + 1]);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return s == 0xffff ? 0xffff : (uint16_t)~s;
}

static void
send_fragments(const struct asked *a, const struct addr *to)
{
	static uint16_t id;
	uint8_t d[UDP_LEN + ASKED_FRAGMENTS_LEN] = {0};

	put_u16(d, a->local.port);
	put_u16(d + 2, to->port);
	put_u16(d + 4, sizeof(d));
	fill_pattern(d + UDP_LEN, ASKED_FRAGMENTS_LEN);
	put_u16(d + 6, udp_checksum(a, to, d, sizeof(d)));
	id++;
	send_fragment(a, to, id, d, FIRST, sizeof(d) - FIRST, false);
	send_fragment(a, to, id, d, 0, FIRST, true);
}

static void
send_text(const struct asked *a, const struct addr *to, const char *text)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

	udp_send(a->fd, to, NULL, 0, &iov, 1);
}

static void
call_cb(evutil_socket_t fd, short events, void *arg)
{
	struct asked_call *c = arg;

	(void)fd;
	(void)events;
	send_text(c->asked, &c->to, ASKED_CALL);
	if (--c->left > 0)
		loop_at(c->timer, now_ms() + COPY_MS);
}

static void
call_later(struct asked *a, const struct addr *to, uint32_t ms)
{
	for (int i = 0; i < ASKED_CALLS; i++) {
		struct asked_call *c = &a->calls[i];

		if (c->left > 0)
			continue;
		c->left = COPIES;
		c->to = *to;
		loop_at(c->timer, now_ms() + ms);
		return;
	}
}

/* The word and what ends it: a blank, a zero, or the end of data. */
static bool
begins(const uint8_t *data, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && memcmp(data, word, n) == 0 &&
	       (len == n || memchr(" \n", data[n], 3) != NULL);
}

/* Digits, and what ends them. */
static bool
parse_number(uint32_t *out, const uint8_t *data, size_t len)
{
	uint32_t number = 0;
	size_t i;

	for (i = 0; i < len && data[i] >= '0' && data[i] <= '9'; i++) {
		number = number * 10 + (data[i] - '0');
		if (number > ASKED_CALL_MAX_MS)
			return false;
	}
	if (i == 0 || (i < len && memchr(" \n", data[i], 3) == NULL))
		return false;
	*out = number;
	return true;
}

enum asked_for
asked_parse(const uint8_t *data, size_t len, uint32_t *number)
{
	size_t call = strlen(ASKED_CALL " "), error = strlen(ASKED_ERROR " ");
	uint32_t n;

	if (begins(data, len, ASKED_COUNT))
		return ASKED_FOR_COUNT;
	if (begins(data, len, ASKED_FRAGMENTS))
		return ASKED_FOR_FRAGMENTS;
	if (begins(data, len, ASKED_CALL) && len > call &&
	    parse_number(number, data + call, len - call))
		return ASKED_FOR_CALL;
	if (begins(data, len, ASKED_ERROR) && len > error &&
	    parse_number(&n, data + error, len - error) && n <= UINT16_MAX) {
		*number = n;
		return ASKED_FOR_ERROR;
	}
	return ASKED_FOR_NOTHING;
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct asked *a = arg;
	struct udp_info info;
	uint8_t data[2048];
	char text[32];
	uint32_t number;
	int n = udp_recv(fd, data, sizeof(data), &info);

	(void)events;
	if (n < 0)
		return;
	switch (asked_parse(data, (size_t)n, &number)) {
	case ASKED_FOR_COUNT:
		snprintf(text, sizeof(text), ASKED_COUNTED " %d", n);
		send_text(a, &info.remote, text);
		break;
	case ASKED_FOR_CALL:
		call_later(a, &info.remote, number);
		break;
	case ASKED_FOR_ERROR:
		send_error(a, &info.remote, (uint16_t)number, (size_t)n);
		break;
	case ASKED_FOR_FRAGMENTS:
		send_fragments(a, &info.remote);
		break;
	case ASKED_FOR_NOTHING:
		break;
	}
}

int
asked_open(struct asked *a, struct loop *l, const struct addr *local)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(local, &ss);
	int err;

	*a = (struct asked){.local = *local};
	a->raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (a->raw == -1)
		return -errno;
	a->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd == -1 || bind(a->fd, (struct sockaddr *)&ss, len) == -1) {
		err = -errno;
		close(a->raw);
		if (a->fd != -1)
			close(a->fd);
		return err;
	}
	for (int i = 0; i < ASKED_CALLS; i++) {
		a->calls[i].asked = a;
		a->calls[i].timer = loop_event(l, -1, 0, call_cb, &a->calls[i]);
	}
	a->readable =
	    loop_event(l, a->fd, EV_READ | EV_PERSIST, readable_cb, a);
	event_add(a->readable, NULL);
	return 0;
}

void
asked_close(struct asked *a)
{
	for (int i = 0; i < ASKED_CALLS; i++)
		event_free(a->calls[i].timer);
	event_free(a->readable);
	close(a->fd);
	close(a->raw);
}

/* SPDX-License-Identifier: ISC */
/* The server's side of nat-probe. */
#include "asked.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cursor.h"
#include "udp.h"

#define CALL_MAX_MS 600000
#define COPIES 3 /* one may get lost */
#define COPY_MS 30
#define IP_LEN 20
#define UDP_LEN 8
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

/* One fragment: len bytes of the datagram from at on. The kernel fills in
 * IPv4's checksum and total length. */
static void
send_fragment(const struct asked *a, const struct addr *to, uint16_t id,
    const uint8_t *datagram, size_t at, size_t len, bool more)
{
	uint8_t p[IP_LEN + FIRST * 2] = {0x45};
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(to, &ss);

	put_u16(p + 4, id);
	put_u16(p + 6, (uint16_t)(at / 8 | (more ? 0x2000 : 0)));
	p[8] = 64;
	p[9] = IPPROTO_UDP;
	memcpy(p + 12, a->local.ip, 4);
	memcpy(p + 16, to->ip, 4);
	memcpy(p + IP_LEN, datagram + at, len);
	/* lost is lost: the client asks again */
	(void)!sendto(
	    a->raw, p, IP_LEN + len, 0, (struct sockaddr *)&ss, ss_len);
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
call_later(struct asked *a, const struct addr *to, const char *text)
{
	long ms = strtol(text + strlen(ASKED_CALL), NULL, 10);

	if (ms < 0 || ms > CALL_MAX_MS)
		return;
	for (int i = 0; i < ASKED_CALLS; i++) {
		struct asked_call *c = &a->calls[i];

		if (c->left > 0)
			continue;
		c->left = COPIES;
		c->to = *to;
		loop_at(c->timer, now_ms() + (uint64_t)ms);
		return;
	}
}

static bool
begins(const char *data, const char *word)
{
	return strncmp(data, word, strlen(word)) == 0;
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct asked *a = arg;
	struct udp_info info;
	char data[2049], text[32];
	int n = udp_recv(fd, data, sizeof(data) - 1, &info);

	(void)events;
	if (n < 0)
		return;
	data[n] = '\0';
	snprintf(text, sizeof(text), ASKED_COUNTED " %d", n);
	if (begins(data, ASKED_COUNT))
		send_text(a, &info.remote, text);
	else if (begins(data, ASKED_CALL))
		call_later(a, &info.remote, data);
	else if (begins(data, ASKED_FRAGMENTS))
		send_fragments(a, &info.remote);
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

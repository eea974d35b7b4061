/* SPDX-License-Identifier: ISC */
/* A lent UDP port: raw sockets beside the daemon that owns it. They sit after
 * netfilter's INPUT, where the daemon's packets pass, and only observe: the
 * daemon gets every packet all the same. */
#include "raw.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cursor.h"
#include "filter.h"
#include "port.h"
#include "probe.h"
#include "stun.h"

#define UDP_HEADER_LEN 8
#define UDP_CHECKSUM 6 /* its offset */
#define DRAIN_MAX 4096

static const uint8_t families[2] = {ADDR_V4, ADDR_V6};

static int
option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == -1 ? -errno
									: 0;
}

static int
domain(int family)
{
	return family == ADDR_V6 ? AF_INET6 : AF_INET;
}

static int
open_raw(int family)
{
	int r, fd = socket(domain(family),
		   SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);

	if (fd == -1)
		return -errno;
	r = udp_want_info(fd, family);
	/* the kernel fills in (and checks) IPv6's checksum; IPv4 has no such
	 * option */
	if (r == 0 && family == ADDR_V6)
		r = option(fd, IPPROTO_IPV6, IPV6_CHECKSUM, UDP_CHECKSUM);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

static int
open_source(int family)
{
	int fd = socket(domain(family), SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd == -1 ? -errno : fd;
}

static bool
is_absent(int r)
{
	return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL ||
	       r == -EPROTONOSUPPORT || r == -ENETUNREACH;
}

static void
close_family(struct raw *r, int i)
{
	if (r->fd[i] != -1)
		close(r->fd[i]);
	if (r->source_fd[i] != -1)
		close(r->source_fd[i]);
	r->fd[i] = r->source_fd[i] = -1;
}

void
raw_close(struct raw *r)
{
	close_family(r, 0);
	close_family(r, 1);
}

static int
open_family(struct raw *r, int i, const char **what)
{
	int n;

	*what = r->own ? "can't bind the port" : "can't open a raw socket";
	r->fd[i] = r->own ? udp_bind(families[i], r->port, r->mark)
			  : open_raw(families[i]);
	if (r->fd[i] < 0) {
		n = r->fd[i];
		r->fd[i] = -1;
		return n;
	}
	if (r->own) {
		n = udp_port(r->fd[i]);
		r->port = n > 0 ? (uint16_t)n : r->port;
		return n < 0 ? n : 0;
	}
	*what = "can't open a socket";
	r->source_fd[i] = open_source(families[i]);
	if (r->source_fd[i] < 0) {
		n = r->source_fd[i];
		r->source_fd[i] = -1;
		return n;
	}
	*what = "can't set the fwmark";
	if (r->mark == 0)
		return 0;
	n = option(r->fd[i], SOL_SOCKET, SO_MARK, (int)r->mark);
	if (n == 0)
		n = option(r->source_fd[i], SOL_SOCKET, SO_MARK, (int)r->mark);
	return n;
}

int
raw_open(
    struct raw *r, bool own, uint16_t port, uint32_t mark, const char **what)
{
	int i, err = 0, absent = 0;

	*r = (struct raw){
	    .own = own,
	    .fd = {-1, -1},
	    .source_fd = {-1, -1},
	    .port = port,
	    .mark = mark,
	};
	for (i = 0; i < 2; i++) {
		err = open_family(r, i, what);
		if (err < 0)
			close_family(r, i);
		if (err < 0 && !is_absent(err))
			break;
		absent += err < 0;
	}
	if (i == 2 && absent < 2)
		return 0;
	raw_close(r);
	return err;
}

bool
raw_has_family(const struct raw *r, int family)
{
	return r->fd[family == ADDR_V6] != -1;
}

int
raw_leave_out(struct raw *r, unsigned interface)
{
	for (int i = 0; i < RAW_WITHOUT; i++)
		if (r->without[i] == 0) {
			r->without[i] = interface;
			return 0;
		}
	return -ENOSPC;
}

static bool
is_left_out(const struct raw *r, unsigned interface)
{
	for (int i = 0; i < RAW_WITHOUT && r->without[i] != 0; i++)
		if (r->without[i] == interface)
			return true;
	return false;
}

/* RFC 1071 over the bytes, added to a running sum. */
static uint32_t
sum(uint32_t acc, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		acc += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len % 2 != 0)
		acc += (uint32_t)(p[len - 1] << 8);
	while (acc >> 16 != 0)
		acc = (acc & 0xffff) + (acc >> 16);
	return acc;
}

/* The sum of IPv4's pseudo header (RFC 768). */
static uint32_t
pseudo_sum(const uint8_t from[4], const uint8_t to[4], uint16_t udp_len)
{
	uint8_t tail[4] = {0, IPPROTO_UDP};
	uint32_t acc;

	put_u16(tail + 2, udp_len);
	acc = sum(0, from, 4);
	acc = sum(acc, to, 4);
	return sum(acc, tail, sizeof(tail));
}

/* Writes the UDP header. IPv6's checksum is left to the kernel. */
static void
put_header(uint8_t out[UDP_HEADER_LEN], uint16_t port, const struct addr *from,
    const struct addr *to, const void *payload, size_t len)
{
	uint32_t acc;

	put_u16(out, port);
	put_u16(out + 2, to->port);
	put_u16(out + 4, (uint16_t)(UDP_HEADER_LEN + len));
	put_u16(out + UDP_CHECKSUM, 0);
	if (to->family == ADDR_V6)
		return;
	acc = pseudo_sum(from->ip, to->ip, (uint16_t)(UDP_HEADER_LEN + len));
	acc = sum(acc, out, UDP_HEADER_LEN);
	acc = sum(acc, payload, len);
	/* 0 would mean that there is none */
	put_u16(out + UDP_CHECKSUM, acc == 0xffff ? 0xffff : (uint16_t)~acc);
}

int
raw_send(struct raw *r, const struct addr *remote, const struct addr *local,
    int ttl, const void *payload, size_t len)
{
	int i = remote->family == ADDR_V6, err;
	uint8_t header[UDP_HEADER_LEN];
	struct addr source = *local, to = *remote;
	struct iovec iov[2] = {
	    {.iov_base = header, .iov_len = sizeof(header)},
	    {.iov_base = (void *)payload, .iov_len = len},
	};

	if (r->fd[i] == -1)
		return -ENETUNREACH;
	if (r->own)
		return udp_send(r->fd[i], remote, local, ttl, iov + 1, 1);
	/* The checksum covers the source: ask for it first, then pin it. */
	if (source.family == ADDR_NONE) {
		err = port_source_with(r->source_fd[i], &source, remote);
		if (err < 0)
			return err;
	}
	if (source.family != remote->family)
		return -EINVAL;
	put_header(header, r->port, &source, remote, payload, len);
	to.port = 0; /* a raw socket's "port" is the protocol */
	return udp_send(r->fd[i], &to, &source, ttl, iov, 2);
}

/* A sum that a virtual device of this host has left to be finished
 * (CHECKSUM_PARTIAL) is that of the pseudo header alone; 0 is none. */
static bool
checksum_ok(const uint8_t *udp, uint16_t udp_len, const struct udp_info *info)
{
	uint32_t pseudo = pseudo_sum(info->remote.ip, info->local.ip, udp_len);
	uint16_t got =
	    (uint16_t)(udp[UDP_CHECKSUM] << 8 | udp[UDP_CHECKSUM + 1]);

	return got == 0 || got == pseudo || sum(pseudo, udp, udp_len) == 0xffff;
}

/* Steps over the IPv4 header; the addresses come from it, too. */
static int
skip_ip(struct cursor *c, struct udp_info *info)
{
	size_t header = (size_t)(cursor_u8(c) & 0x0f) * 4;
	const uint8_t *from, *to;

	cursor_bytes(c, 11);
	from = cursor_bytes(c, 4);
	to = cursor_bytes(c, 4);
	if (from == NULL || to == NULL || header < 20 ||
	    (header > 20 && cursor_bytes(c, header - 20) == NULL))
		return -EBADMSG;
	memcpy(info->remote.ip, from, 4);
	memcpy(info->local.ip, to, 4);
	info->remote.family = info->local.family = ADDR_V4;
	return 0;
}

static int
read_udp(const struct raw *r, struct cursor *c, struct udp_info *info,
    const uint8_t **payload)
{
	const uint8_t *udp = c->p;
	uint16_t from = cursor_u16(c), to = cursor_u16(c), len = cursor_u16(c);

	cursor_u16(c);
	if (c->bad || to != r->port || len < UDP_HEADER_LEN)
		return -EBADMSG;
	*payload = cursor_bytes(c, len - (size_t)UDP_HEADER_LEN);
	if (*payload == NULL)
		return -EBADMSG;
	if (info->remote.family == ADDR_V4 && !checksum_ok(udp, len, info))
		return -EBADMSG;
	info->remote.port = from;
	return len - UDP_HEADER_LEN;
}

int
raw_recv(struct raw *r, int family, uint8_t buf[RAW_BUF_LEN],
    const uint8_t **payload, struct udp_info *info)
{
	struct cursor c;
	int n = udp_recv(r->fd[family == ADDR_V6], buf, RAW_BUF_LEN, info);

	if (n < 0)
		return n == -EAGAIN ? -EAGAIN : -EBADMSG;
	cursor_init(&c, buf, (size_t)n);
	*payload = buf;
	if (!r->own && family == ADDR_V4 && skip_ip(&c, info) < 0)
		return -EBADMSG;
	if (!r->own)
		n = read_udp(r, &c, info, payload);
	if (n < 0 || n > RAW_MAX_PAYLOAD || !addr_is_sendable(&info->remote) ||
	    addr_is_multicast(&info->local) ||
	    is_left_out(r, info->interface) ||
	    !stun_is_stun(*payload, (size_t)n))
		return -EBADMSG;
	info->local.port = r->port;
	return n;
}

int
raw_filter(struct raw *r, int family, uint16_t port, bool lock)
{
	bool udp = r->own || family == ADDR_V6;

	return filter_attach(
	    r->fd[family == ADDR_V6], udp ? FILTER_UDP : FILTER_IP, port, lock);
}

static void
drain(struct raw *r, int i)
{
	uint8_t buf[RAW_BUF_LEN];
	struct udp_info info;

	int n;

	/* a stream of STUN to the port must not keep us here */
	for (n = 0; n < DRAIN_MAX; n++)
		if (udp_recv(r->fd[i], buf, sizeof(buf), &info) == -EAGAIN)
			return;
}

int
raw_start(struct raw *r, const char **what)
{
	int i, err, absent = 0;

	for (i = 0; i < 2; i++) {
		if (r->fd[i] == -1)
			continue;
		err = r->own ? 0 : probe_run(r, families[i], what);
		if (err < 0 && is_absent(err)) {
			close_family(r, i);
			absent = err;
			continue;
		}
		if (err < 0)
			return err;
		*what = "can't attach the packet filter";
		err = raw_filter(r, families[i], r->port, true);
		if (err < 0)
			return err;
		drain(r, i);
	}
	return r->fd[0] == -1 && r->fd[1] == -1 ? absent : 0;
}

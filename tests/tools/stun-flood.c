/* SPDX-License-Identifier: ISC */
/* stun-flood [-A] [-n packets] [-p pid] [-s seed] endpoint file ...: throws
 * every file, the same over TCP, then so many random and mutated datagrams at a
 * STUN server, and fails when an answer comes where none is due, when plain
 * requests are answered no more, or when process pid grows. -A: the server is
 * one that answers with no more bytes than it got.
 *
 * What may be answered is judged here by code of its own (RFC 8489 sections 5
 * and 6.3), and leaves from one socket; all else from another one, where every
 * byte that comes is a fault. Between them are plain requests, which have to
 * be answered before it goes on: so nothing is thrown away unread. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"

#define PACKET_MAX 2100
#define BATCH 64
#define SYNC_EVERY 256 /* packets, which fit into any socket's buffer */
#define TRIES 20       /* of a plain request, 500 ms each */
#define FILES_MAX 4096
#define WARM 20000     /* packets before memory is looked at */
#define GROWTH_KB 2048 /* not a leak yet */

static const uint8_t cookie[] = {0x21, 0x12, 0xa4, 0x42};

struct packet {
	uint8_t data[PACKET_MAX];
	size_t len;
};

struct queue {
	int fd;
	uint16_t port;
	unsigned int n;
	struct packet packet[BATCH];
};

struct flood {
	struct addr server;
	struct sockaddr_storage ss;
	socklen_t ss_len;
	struct queue due, undue;
	struct packet *file;
	size_t files;
	uint64_t random, sent, sent_due, answers;
	unsigned int since;
	int pid;
	bool modest;
};

static void
fail(const char *what)
{
	fprintf(stderr, "stun-flood: %s\n", what);
	exit(1);
}

static uint64_t
rnd(struct flood *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random;
}

static unsigned int
be16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static uint32_t
crc32(const uint8_t *p, size_t len)
{
	uint32_t crc = UINT32_MAX;

	while (len-- > 0) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* May this be answered, to a source that can be answered? */
static bool
is_due(const uint8_t *p, size_t len, bool v6, bool tcp)
{
	size_t at = 20;
	bool modern;

	if (len < 20 || len > 2048 || len % 4 != 0 || be16(p) != 1 ||
	    be16(p + 2) != len - 20)
		return false;
	modern = memcmp(p + 4, cookie, sizeof(cookie)) == 0;
	if (!modern && (v6 || tcp))
		return false;
	while (at < len) {
		size_t value, end;

		if (len - at < 4)
			return false;
		value = be16(p + at + 2);
		end = at + 4 + (value + 3) / 4 * 4;
		if (end > len)
			return false;
		if (modern && be16(p + at) == 0x8028)
			return value == 4 && end == len &&
			       be32(p + at + 4) == (crc32(p, at) ^ 0x5354554e);
		at = end;
	}
	return true;
}

/* Would it send the answer to the other socket? */
static bool
is_redirected(const uint8_t *p, size_t len, unsigned int port)
{
	for (size_t at = 20; at + 6 <= len; at += 4)
		if (be16(p + at) == 0x27 && be16(p + at + 4) == port)
			return true;
	return false;
}

static int
udp(struct flood *f, uint16_t *port)
{
	struct addr any = {.family = f->server.family};
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&any, &ss);
	int size = 4 << 20;
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&ss, len) == -1)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	len = sizeof(ss);
	getsockname(fd, (struct sockaddr *)&ss, &len);
	addr_from_sockaddr(&any, (struct sockaddr *)&ss);
	*port = any.port;
	return fd;
}

static void
flush(struct flood *f, struct queue *q)
{
	struct mmsghdr hdr[BATCH];
	struct iovec iov[BATCH];
	unsigned int done = 0;

	memset(hdr, 0, sizeof(hdr));
	for (unsigned int i = 0; i < q->n; i++) {
		iov[i].iov_base = q->packet[i].data;
		iov[i].iov_len = q->packet[i].len;
		hdr[i].msg_hdr.msg_name = &f->ss;
		hdr[i].msg_hdr.msg_namelen = f->ss_len;
		hdr[i].msg_hdr.msg_iov = &iov[i];
		hdr[i].msg_hdr.msg_iovlen = 1;
	}
	while (done < q->n) {
		int n = sendmmsg(q->fd, hdr + done, q->n - done, 0);

		if (n <= 0)
			fail("sendmmsg");
		done += (unsigned int)n;
	}
	q->n = 0;
}

static void
hear(struct flood *f)
{
	uint8_t in[65536];
	ssize_t n;

	while (recv(f->due.fd, in, sizeof(in), MSG_DONTWAIT) >= 0)
		f->answers++;
	n = recv(f->undue.fd, in, sizeof(in), MSG_DONTWAIT);
	if (n < 0)
		return;
	fprintf(stderr, "stun-flood: an answer where none is due:");
	for (ssize_t i = 0; i < n && i < 100; i++)
		fprintf(stderr, " %02x", in[i]);
	fprintf(stderr, "\n");
	exit(1);
}

/* A plain request, answered after all that was sent before it. */
static void
sync_up(struct flood *f)
{
	uint8_t in[65536], ask[64] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	size_t len = f->modest ? sizeof(ask) : 20;
	struct pollfd p = {.fd = f->due.fd, .events = POLLIN};

	flush(f, &f->due);
	flush(f, &f->undue);
	if (f->modest) { /* one SOFTWARE */
		ask[3] = 44;
		memcpy(ask + 20, "\x80\x22\0\x28", 4);
	}
	for (int i = 0; i < 12; i++)
		ask[8 + i] = (uint8_t)rnd(f);
	for (int i = 0; i < TRIES; i++) {
		if (sendto(f->due.fd, ask, len, 0, (struct sockaddr *)&f->ss,
			f->ss_len) == -1)
			fail("sendto");
		while (poll(&p, 1, 500) == 1) {
			ssize_t n = recv(f->due.fd, in, sizeof(in), 0);

			if (n < 0)
				fail("the server is gone");
			f->answers++;
			if (n >= 20 && memcmp(in + 8, ask + 8, 12) == 0) {
				hear(f);
				f->since = 0;
				return;
			}
		}
	}
	fail("a plain request is not answered any more");
}

static void throw(struct flood * f, const uint8_t *data, size_t len)
{
	bool due = (len >= 28 || !f->modest) &&
		   is_due(data, len, f->server.family == ADDR_V6, false);
	struct queue *q = due ? &f->due : &f->undue;

	if (due && is_redirected(data, len, f->undue.port))
		return;
	f->sent++;
	f->sent_due += due;
	memcpy(q->packet[q->n].data, data, len);
	q->packet[q->n++].len = len;
	if (q->n == BATCH)
		flush(f, q);
	if (++f->since == SYNC_EVERY)
		sync_up(f);
}

static void
fill(struct flood *f, uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)rnd(f);
}

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* A header that may be right, and attributes that may be. */
static size_t
stun_like(struct flood *f, uint8_t *p)
{
	static const uint16_t types[] = {
	    1, 3, 6, 8, 0x14, 0x1c, 0x20, 0x24, 0x26, 0x27, 0x8022, 0x8028};
	size_t len = 20;
	unsigned int n = rnd(f) % 5;

	fill(f, p, 300);
	put16(p, rnd(f) % 4 ? 1 : rnd(f));
	if (rnd(f) % 4)
		memcpy(p + 4, cookie, sizeof(cookie));
	while (n-- > 0 && len < 200) {
		size_t value = rnd(f) % 4 ? 4 : rnd(f) % 40;

		put16(p + len, rnd(f) % 8 ? types[rnd(f) % 12] : rnd(f));
		put16(p + len + 2, rnd(f) % 16 ? value : rnd(f));
		len += 4 + (value + 3) / 4 * 4;
	}
	put16(p + 2, rnd(f) % 8 ? len - 20 : rnd(f));
	return rnd(f) % 16 ? len : rnd(f) % 300;
}

/* One of the files, changed here and there, cut off or made longer. */
static size_t
mutant(struct flood *f, uint8_t *p)
{
	const struct packet *seed = &f->file[rnd(f) % f->files];
	size_t len = seed->len;

	fill(f, p, 64);
	memcpy(p, seed->data, len);
	for (unsigned int i = rnd(f) % 5; i > 0 && len > 0; i--)
		p[rnd(f) % len] = (uint8_t)rnd(f);
	if (rnd(f) % 4 == 0)
		len = rnd(f) % (len + 1);
	if (rnd(f) % 2 && len >= 20) { /* nearer to STUN */
		put16(p, 1);
		put16(p + 2, len - 20);
		memcpy(p + 4, cookie, sizeof(cookie));
	}
	return len;
}

static void
throw_random(struct flood *f)
{
	uint8_t p[PACKET_MAX];
	size_t len;

	switch (rnd(f) % 4) {
	case 0:
		len = rnd(f) % 16 ? rnd(f) % 64 : rnd(f) % sizeof(p);
		fill(f, p, len);
		break;
	case 1:
		len = stun_like(f, p);
		break;
	default:
		len = mutant(f, p);
	}
	throw(f, p, len);
}

/* All of it, our end, and what comes until theirs. */
static void
throw_stream(struct flood *f, const struct packet *file)
{
	int fd = socket(f->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t first = 20 + (file->len >= 4 ? be16(file->data + 2) : 0u);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool due = first <= file->len && is_due(file->data, first, false, true);
	uint8_t in[4096];
	ssize_t n;

	if (fd == -1 || connect(fd, (struct sockaddr *)&f->ss, f->ss_len) == -1)
		fail("no connection");
	if (send(fd, file->data, file->len, MSG_NOSIGNAL) == -1 &&
	    errno != EPIPE && errno != ECONNRESET)
		fail("send");
	shutdown(fd, SHUT_WR);
	do {
		if (poll(&p, 1, 5000) != 1)
			fail("a connection is not ended");
		n = recv(fd, in, sizeof(in), 0);
		if (n > 0 && !due)
			fail("an answer over TCP where none is due");
	} while (n > 0);
	close(fd);
}

static long
memory_kb(int pid)
{
	char path[64], line[256];
	long kb = -1;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	in = fopen(path, "r");
	if (in == NULL)
		fail("no such process");
	while (fgets(line, sizeof(line), in) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	fclose(in);
	return kb;
}

static void
load(struct flood *f, const char *path)
{
	struct packet *p = &f->file[f->files];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1 || f->files == FILES_MAX)
		fail(path);
	n = read(fd, p->data, PACKET_MAX - 64);
	close(fd);
	if (n < 0)
		fail(path);
	p->len = (size_t)n;
	f->files++;
}

static void
run(struct flood *f, uint64_t packets)
{
	long before = -1, after;

	for (size_t i = 0; i < f->files; i++) {
		throw(f, f->file[i].data, f->file[i].len);
		/* from the 5th byte on: some fuzzers take more than a datagram */
		if (f->file[i].len > 4)
			throw(f, f->file[i].data + 4, f->file[i].len - 4);
	}
	sync_up(f);
	for (size_t i = 0; i < f->files; i++)
		throw_stream(f, &f->file[i]);
	for (uint64_t i = 0; i < packets; i++) {
		if (i == WARM && f->pid != 0)
			before = memory_kb(f->pid);
		throw_random(f);
	}
	sync_up(f);
	sync_up(f);
	after = f->pid != 0 ? memory_kb(f->pid) : 0;
	printf("files=%zu sent=%llu due=%llu answers=%llu memory_kb=%ld\n",
	    f->files, (unsigned long long)f->sent,
	    (unsigned long long)f->sent_due, (unsigned long long)f->answers,
	    after);
	if (before >= 0 && after > before + GROWTH_KB)
		fail("it grows");
	if (f->answers == 0 || f->sent_due == f->sent)
		fail("nothing was tested");
}

int
main(int argc, char **argv)
{
	static struct flood f = {.random = 88172645463325252ull};
	uint64_t packets = 0;
	int ch;

	while ((ch = getopt(argc, argv, "An:p:s:")) != -1) {
		if (ch == 'A')
			f.modest = true;
		else if (ch == 'n')
			packets = strtoull(optarg, NULL, 10);
		else if (ch == 'p')
			f.pid = (int)strtol(optarg, NULL, 10);
		else if (ch == 's')
			f.random ^= strtoull(optarg, NULL, 10) << 20;
		else
			return 100;
	}
	if (argc - optind < 2 || addr_parse(&f.server, argv[optind]) != 0)
		return 100;
	f.ss_len = addr_to_sockaddr(&f.server, &f.ss);
	f.due.fd = udp(&f, &f.due.port);
	f.undue.fd = udp(&f, &f.undue.port);
	f.file = calloc(FILES_MAX, sizeof(*f.file));
	if (f.file == NULL)
		return 111;
	for (int i = optind + 1; i < argc; i++)
		load(&f, argv[i]);
	run(&f, packets);
	free(f.file);
	return 0;
}

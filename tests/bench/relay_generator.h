/* SPDX-License-Identifier: ISC */
/* The generator of bench_relay: datagrams through a relay in both directions,
 * so many in flight as the relay takes without losing any. They look like
 * WireGuard's: type 4, receiver (the flow), counter; then the time.
 *
 *  |  (TURN: channel (16), length (16))  |
 *  |  4 0 0 0  |  flow (32)  |  counter (32), run (32)  |  nanoseconds (64)  |
 *
 * Side A has one socket for all clients, side B one for all their peers: each
 * client has an address of its own (IP_PKTINFO), not a socket. So what the
 * generator costs hardly depends on the number of flows. */
#ifndef NATKIT_RELAY_GENERATOR_H
#define NATKIT_RELAY_GENERATOR_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FLOWS 1000
#define TRAIN 16 /* datagrams of one UDP_SEGMENT message */
#define HEAD 4	 /* of ChannelData */
#define STAMP 24 /* bytes that every datagram has at least */
#define DATAGRAM_MAX 1400
#define IN_BATCH 16
#define OUT_BATCH 8
#define PLACE 65536
#define WINDOW_MIN 32
#define WINDOW_MAX 2048
#define STUCK_NS 20000000 /* nothing comes any more: all is lost */
#define SOCKET_BUFFER (16 << 20)

enum {
	A_TO_B,
	B_TO_A,
	DIRECTIONS
};

struct flow {
	struct sockaddr_in to[DIRECTIONS];
	struct in_addr from[DIRECTIONS];
	uint64_t sent[DIRECTIONS], seen[DIRECTIONS];
};

struct load {
	size_t size; /* bytes, without ChannelData's head */
	unsigned int flows;
	unsigned int train; /* datagrams that are sent at once */
	bool cut;	    /* on their way into single ones */
};

/* A relay's sockets and flows. */
struct course {
	int fd[2];   /* of the sides */
	bool framed; /* TURN: ChannelData at side A */
	bool learn;  /* where B answers to */
	struct flow flow[FLOWS];
	unsigned int next[DIRECTIONS];
	uint64_t in_flight[DIRECTIONS], window[DIRECTIONS];
	uint64_t since_cut[DIRECTIONS];
	uint64_t got, lost, bad;
	uint32_t run; /* what comes of an earlier one is not counted */
	/* latencies, where they are wanted */
	uint32_t *latency;
	size_t n_latency, max_latency;
};

static struct {
	struct mmsghdr hdr[IN_BATCH];
	struct iovec iov[IN_BATCH];
	struct sockaddr_in name[IN_BATCH];
	_Alignas(struct cmsghdr) char control[IN_BATCH][64];
	uint8_t data[IN_BATCH][PLACE];
} gen_in;

static struct {
	struct mmsghdr hdr[OUT_BATCH];
	struct iovec iov[OUT_BATCH];
	_Alignas(struct cmsghdr) char control[OUT_BATCH][64];
	uint8_t data[OUT_BATCH][TRAIN * (HEAD + DATAGRAM_MAX)];
} gen_out;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int
gen_socket(uint16_t port)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
	int size = SOCKET_BUFFER;

	if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1)
		die("generator's socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ==
	    -1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ==
	    -1)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	return fd;
}

static void
gen_init(void)
{
	for (int i = 0; i < IN_BATCH; i++) {
		struct msghdr *mh = &gen_in.hdr[i].msg_hdr;

		gen_in.iov[i].iov_base = gen_in.data[i];
		gen_in.iov[i].iov_len = PLACE;
		mh->msg_iov = &gen_in.iov[i];
		mh->msg_iovlen = 1;
		mh->msg_name = &gen_in.name[i];
	}
	for (int i = 0; i < OUT_BATCH; i++) {
		struct msghdr *mh = &gen_out.hdr[i].msg_hdr;

		gen_out.iov[i].iov_base = gen_out.data[i];
		mh->msg_iov = &gen_out.iov[i];
		mh->msg_iovlen = 1;
	}
}

static void
put_control(struct msghdr *mh, char *control, struct in_addr from,
    size_t segment, bool run)
{
	struct in_pktinfo info = {.ipi_spec_dst = from};
	uint16_t size = (uint16_t)segment;
	struct cmsghdr *c;

	memset(control, 0, 64);
	mh->msg_control = control;
	mh->msg_controllen =
	    CMSG_SPACE(sizeof(info)) + (run ? CMSG_SPACE(sizeof(size)) : 0);
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	if (!run)
		return;
	c = CMSG_NXTHDR(mh, c);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
}

/* One message of a flow. */
static void
gen_fill(struct course *c, int d, const struct load *l, unsigned int number,
    struct flow *f, int slot)
{
	struct msghdr *mh = &gen_out.hdr[slot].msg_hdr;
	size_t head = c->framed && d == A_TO_B ? HEAD : 0;
	size_t each = head + l->size;
	uint64_t now = c->latency != NULL ? now_ns() : 0;

	for (unsigned int i = 0; i < l->train; i++) {
		uint8_t *p = gen_out.data[slot] + i * each;
		uint64_t counter = (uint64_t)c->run << 32 | f->sent[d]++;

		if (head > 0) {
			p[0] = 0x40;
			p[1] = 0;
			p[2] = (uint8_t)(l->size >> 8);
			p[3] = (uint8_t)l->size;
			p += head;
		}
		memcpy(p, "\4\0\0\0", 4);
		memcpy(p + 4, &number, 4);
		memcpy(p + 8, &counter, 8);
		memcpy(p + 16, &now, 8);
	}
	gen_out.iov[slot].iov_len = l->train * each;
	mh->msg_name = &f->to[d];
	mh->msg_namelen = sizeof(f->to[d]);
	put_control(mh, gen_out.control[slot], f->from[d], each, l->train > 1);
}

/* Sends `messages` (at most OUT_BATCH), of the flows in turn. */
static void
gen_send(struct course *c, int d, const struct load *l, unsigned int messages)
{
	unsigned int done = 0;

	for (unsigned int i = 0; i < messages; i++) {
		unsigned int number = c->next[d];

		gen_fill(c, d, l, number, &c->flow[number], (int)i);
		c->next[d] = number + 1 < l->flows ? number + 1 : 0;
	}
	while (done < messages) {
		int n =
		    sendmmsg(c->fd[d], gen_out.hdr + done, messages - done, 0);

		if (n < 0)
			die("generator: sendmmsg");
		done += (unsigned int)n;
	}
	c->in_flight[d] += (uint64_t)messages * l->train;
}

static size_t
gen_segment(struct msghdr *mh, size_t len)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(mh);
	int size;

	if (cm == NULL || cm->cmsg_level != IPPROTO_UDP ||
	    cm->cmsg_type != UDP_GRO)
		return len;
	memcpy(&size, CMSG_DATA(cm), sizeof(size));
	return (size_t)size;
}

/* Fewer in flight from now on; not again before the effect can be seen. */
static void
gen_cut(struct course *c, int d)
{
	if (c->since_cut[d] < c->window[d])
		return;
	c->since_cut[d] = 0;
	c->window[d] = c->window[d] * 3 / 4;
	if (c->window[d] < WINDOW_MIN)
		c->window[d] = WINDOW_MIN;
}

static void
gen_arrived(struct course *c, int d, uint64_t n)
{
	c->in_flight[d] = c->in_flight[d] > n ? c->in_flight[d] - n : 0;
}

static void
gen_note_latency(struct course *c, const uint8_t *p, uint64_t now)
{
	uint64_t then;

	memcpy(&then, p + 16, 8);
	if (c->n_latency < c->max_latency && now - then < UINT32_MAX)
		c->latency[c->n_latency++] = (uint32_t)(now - then);
}

/* One datagram that came. */
static void
gen_datagram(struct course *c, int d, const struct load *l, const uint8_t *p,
    size_t len, const struct sockaddr_in *from, uint64_t now)
{
	size_t head = c->framed && d == B_TO_A ? HEAD : 0;
	uint64_t counter;
	uint32_t number;
	struct flow *f;

	if (len < head + STAMP || (head > 0 && p[0] != 0x40)) {
		c->bad++;
		return;
	}
	p += head;
	memcpy(&number, p + 4, 4);
	memcpy(&counter, p + 8, 8);
	if (counter >> 32 != c->run)
		return;
	counter &= UINT32_MAX;
	if (memcmp(p, "\4\0\0\0", 4) != 0 || number >= FLOWS ||
	    len != head + l->size) {
		c->bad++;
		return;
	}
	f = &c->flow[number];
	if (counter > f->seen[d]) {
		c->lost += counter - f->seen[d];
		gen_arrived(c, d, counter - f->seen[d]);
		gen_cut(c, d);
	}
	if (counter >= f->seen[d])
		f->seen[d] = counter + 1;
	gen_arrived(c, d, 1);
	c->got++;
	if (c->learn && d == A_TO_B)
		f->to[B_TO_A] = *from;
	if (c->latency != NULL)
		gen_note_latency(c, p, now);
}

/* Returns how many datagrams there were. */
static uint64_t
gen_take(struct course *c, int d, const struct load *l)
{
	uint64_t datagrams = 0, now;
	int n;

	for (int i = 0; i < IN_BATCH; i++) {
		gen_in.hdr[i].msg_hdr.msg_namelen = sizeof(gen_in.name[i]);
		gen_in.hdr[i].msg_hdr.msg_control = gen_in.control[i];
		gen_in.hdr[i].msg_hdr.msg_controllen =
		    sizeof(gen_in.control[i]);
	}
	n = recvmmsg(c->fd[!d], gen_in.hdr, IN_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN)
		die("generator: recvmmsg");
	now = c->latency != NULL ? now_ns() : 0;
	for (int i = 0; i < n; i++) {
		size_t len = gen_in.hdr[i].msg_len;
		size_t seg = gen_segment(&gen_in.hdr[i].msg_hdr, len);

		for (size_t at = 0; at < len; at += seg, datagrams++)
			gen_datagram(c, d, l, gen_in.data[i] + at,
			    len - at < seg ? len - at : seg, &gen_in.name[i],
			    now);
	}
	c->since_cut[d] += datagrams;
	if (c->since_cut[d] >= 2 * c->window[d] && c->window[d] < WINDOW_MAX) {
		c->since_cut[d] = c->window[d];
		c->window[d] += TRAIN;
	}
	return datagrams;
}

static void
gen_forget(struct course *c)
{
	for (int d = 0; d < DIRECTIONS; d++) {
		c->in_flight[d] = 0;
		c->window[d] = c->window[d] / 2 > WINDOW_MIN ? c->window[d] / 2
							     : WINDOW_MIN;
	}
}

/* Keeps the windows full for so long. */
static void
gen_run(struct course *c, const struct load *l, uint64_t duration_ns)
{
	uint64_t end = now_ns() + duration_ns, heard = now_ns(), now;

	do {
		uint64_t n = 0;

		for (int d = 0; d < DIRECTIONS; d++) {
			uint64_t room = c->window[d] > c->in_flight[d]
					    ? c->window[d] - c->in_flight[d]
					    : 0;
			uint64_t messages = room / l->train;

			if (messages > OUT_BATCH)
				messages = OUT_BATCH;
			if (messages > 0)
				gen_send(c, d, l, (unsigned int)messages);
			n += gen_take(c, d, l);
		}
		now = now_ns();
		if (n > 0) {
			heard = now;
		} else if (now - heard > STUCK_NS) {
			gen_forget(c);
			heard = now;
		}
	} while (now < end);
}

/* What is still on its way belongs to nobody. */
static void
gen_drain(struct course *c, const struct load *l)
{
	uint64_t quiet = now_ns();

	while (now_ns() - quiet < STUCK_NS / 2)
		if (gen_take(c, A_TO_B, l) + gen_take(c, B_TO_A, l) > 0)
			quiet = now_ns();
	for (int i = 0; i < FLOWS; i++)
		for (int d = 0; d < DIRECTIONS; d++)
			c->flow[i].sent[d] = c->flow[i].seen[d] = 0;
	for (int d = 0; d < DIRECTIONS; d++) {
		c->in_flight[d] = c->since_cut[d] = 0;
		c->next[d] = 0;
		c->window[d] = 256;
	}
	c->got = c->lost = 0;
	c->run++;
}

/* Single datagrams from A to B, so many per second. */
static void
gen_pace(
    struct course *c, const struct load *l, double rate, uint64_t duration_ns)
{
	uint64_t begin = now_ns(), now, sent = 0;

	do {
		uint64_t due;

		now = now_ns();
		due = (uint64_t)((double)(now - begin) * rate / 1e9);
		if (due > sent) {
			unsigned int n = due - sent < OUT_BATCH
					     ? (unsigned int)(due - sent)
					     : OUT_BATCH;

			gen_send(c, A_TO_B, l, n);
			sent += n;
		}
		gen_take(c, A_TO_B, l);
	} while (now - begin < duration_ns);
}

/* The first datagrams of a flow, one each way; B learns where to answer. False:
 * nothing came. */
static bool
gen_open(struct course *c, unsigned int number)
{
	const struct load one = {.size = 64, .flows = FLOWS, .train = 1};
	struct flow *f = &c->flow[number];

	c->learn = true;
	for (int d = 0; d < DIRECTIONS; d++) {
		struct pollfd p = {.fd = c->fd[!d], .events = POLLIN};
		uint64_t before = f->seen[d];

		for (int i = 0; i < 50 && f->seen[d] == before; i++) {
			c->next[d] = number;
			gen_send(c, d, &one, 1);
			if (poll(&p, 1, 20) == 1)
				gen_take(c, d, &one);
		}
		if (f->seen[d] == before)
			return false;
	}
	c->learn = false;
	return true;
}

#endif

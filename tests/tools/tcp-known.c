/* SPDX-License-Identifier: ISC */
/* TCP connections that carry known bytes both ways at once, and who checks on
 * either side that each has come, or that the connection ended with an error:
 *   tcp-known serve ADDRESS:PORT                  until it is ended
 *   tcp-known ask ADDRESS:PORT COUNT BYTES [BLOCKS] COUNT at once: none has
 *             sent a byte before all are answered. BLOCKS: of 64 bytes, a second
 *   tcp-known ticks ADDRESS:PORT BLOCKS BYTES     one; prints MILLISECONDS NUMBER
 *             of each block, as udp-count does
 * A line for each connection, `seed= got= of= ms= end=`, where end is complete,
 * reset (an error), short (an end, with bytes missing) or wrong (other bytes);
 * ask ends with `all` and counts. Exit code: 0 if all are complete, else 1. */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "loop.h"

#define BLOCK 64
#define STEP (64 * 1024)
#define MOST 1024

enum end {
	OPEN,
	COMPLETE,
	RESET,
	SHORT,
	WRONG,
	ENDS
};
static const char *const end_name[ENDS] = {
    "open", "complete", "reset", "short", "wrong"};

/* What a connection begins with, and is answered with. Byte order: this host's,
 * as both ends are on it. */
struct head {
	uint64_t seed, bytes, rate;
};

struct known {
	int fd;
	bool server, shut, barred, ticks;
	enum end end;
	struct head head;
	size_t head_in, head_out; /* bytes */
	uint64_t sent, got, began_ms;
};

static uint8_t
byte_of(uint64_t seed, uint64_t at)
{
	uint64_t z = seed + (at / 8 + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z ^= z >> 27;
	return (uint8_t)(z >> (at % 8 * 8));
}

static void
finish(struct known *k, enum end e)
{
	struct linger hard = {.l_onoff = 1};

	k->end = e;
	printf("seed=%016" PRIx64 " got=%" PRIu64 " of=%" PRIu64 " ms=%" PRIu64
	       " end=%s\n",
	    k->head.seed, k->got, k->head.bytes, now_ms() - k->began_ms,
	    end_name[e]);
	if (e != COMPLETE)
		(void)setsockopt(
		    k->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(k->fd);
	k->fd = -1;
}

/* How many bytes may be sent by now. */
static uint64_t
due(const struct known *k)
{
	uint64_t n;

	if (k->head.rate == 0)
		return k->head.bytes;
	n = ((now_ms() - k->began_ms) * k->head.rate / 1000 + 1) * BLOCK;
	return n < k->head.bytes ? n : k->head.bytes;
}

static bool
wants_to_send(const struct known *k)
{
	if (k->server ? k->head_in < sizeof(k->head) : k->barred)
		return !k->server && k->head_out < sizeof(k->head);
	return !k->shut && (k->sent == k->head.bytes || k->sent < due(k));
}

static void
failed(struct known *k)
{
	if (errno != EAGAIN)
		finish(k, RESET);
}

static void
send_some(struct known *k)
{
	static uint8_t buf[STEP];
	uint64_t n = due(k) - k->sent;
	ssize_t went;

	if (k->head_out < sizeof(k->head)) {
		went = send(k->fd, (uint8_t *)&k->head + k->head_out,
		    sizeof(k->head) - k->head_out, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (went < 0)
			failed(k);
		else
			k->head_out += (size_t)went;
		return;
	}
	if (k->sent == k->head.bytes) {
		k->shut = true;
		(void)shutdown(k->fd, SHUT_WR);
		return;
	}
	n = n < STEP ? n : STEP;
	for (uint64_t i = 0; i < n; i++)
		buf[i] = byte_of(k->head.seed + k->server, k->sent + i);
	went = send(k->fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (went < 0)
		failed(k);
	else
		k->sent += (uint64_t)went;
}

static void
check(struct known *k, const uint8_t *data, size_t n)
{
	uint64_t before = k->got / BLOCK;

	for (size_t i = 0; i < n; i++, k->got++)
		if (k->got == k->head.bytes ||
		    data[i] != byte_of(k->head.seed + !k->server, k->got)) {
			finish(k, WRONG);
			return;
		}
	for (; k->ticks && before < k->got / BLOCK; before++)
		printf("%" PRIu64 " %" PRIu64 "\n", now_ms(), before);
}

static void
get_some(struct known *k)
{
	static uint8_t buf[STEP];
	struct head answer;
	bool heading = k->head_in < sizeof(answer);
	ssize_t n = recv(k->fd, buf,
	    heading ? sizeof(answer) - k->head_in : STEP, MSG_DONTWAIT);

	if (n < 0) {
		failed(k);
	} else if (n == 0) {
		finish(
		    k, !heading && k->got == k->head.bytes ? COMPLETE : SHORT);
	} else if (!heading) {
		check(k, buf, (size_t)n);
	} else {
		if (k->server)
			memcpy(
			    (uint8_t *)&k->head + k->head_in, buf, (size_t)n);
		else if (memcmp((uint8_t *)&k->head + k->head_in, buf,
			     (size_t)n) != 0)
			finish(k, WRONG);
		k->head_in += (size_t)n;
	}
}

static bool
is_over(const struct known *k)
{
	return k->fd == -1;
}

/* Both have to be done before a complete connection is closed: the end of ours
 * is sent when all of ours is. */
static void
serve_one(struct known *k, short revents)
{
	if ((revents & POLLOUT) != 0 && wants_to_send(k))
		send_some(k);
	if (!is_over(k) && (revents & ~POLLOUT) != 0 &&
	    (k->got < k->head.bytes || k->head.bytes == 0 || k->shut ||
		k->head_in < sizeof(k->head)))
		get_some(k);
}

static short
events_of(const struct known *k)
{
	short e = 0;

	if (wants_to_send(k))
		e |= POLLOUT;
	/* The end is read last, or a connection that is over would be closed
	 * before all of ours has gone. */
	if (k->head_in < sizeof(k->head) || k->got < k->head.bytes || k->shut)
		e |= POLLIN;
	return e;
}

/* One round of poll(2); how long it may wait is a block's time at most. */
static void
turn(struct known *all, struct pollfd *p, size_t n, int listener)
{
	bool paced = false;

	for (size_t i = 0; i < n; i++) {
		p[i] = (struct pollfd){
		    .fd = all[i].fd, .events = events_of(&all[i])};
		paced = paced || all[i].head.rate != 0;
	}
	p[n] = (struct pollfd){.fd = listener, .events = POLLIN};
	if (poll(p, n + 1, paced ? 2 : -1) == -1 && errno != EINTR)
		err(111, "poll");
	for (size_t i = 0; i < n; i++)
		if (!is_over(&all[i]) && p[i].revents != 0)
			serve_one(&all[i], p[i].revents);
}

static int
open_socket(const char *text, struct sockaddr_storage *ss, socklen_t *len)
{
	struct addr a;
	int fd, one = 1;

	if (addr_parse(&a, text) != 0)
		errx(100, "%s is no address:port", text);
	*len = addr_to_sockaddr(&a, ss);
	fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		err(111, "socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

static int
serve(const char *at)
{
	static struct known all[MOST];
	static struct pollfd p[MOST + 1];
	struct sockaddr_storage ss;
	socklen_t len;
	size_t n = 0;
	int listener = open_socket(at, &ss, &len), fd;

	if (bind(listener, (struct sockaddr *)&ss, len) == -1 ||
	    listen(listener, MOST) == -1)
		err(111, "%s", at);
	while (true) {
		turn(all, p, n, n < MOST ? listener : -1);
		if ((p[n].revents & POLLIN) != 0 && n < MOST &&
		    (fd = accept4(listener, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK)) != -1)
			all[n++] = (struct known){
			    .fd = fd, .server = true, .began_ms = now_ms()};
		for (size_t i = n; i-- > 0;)
			if (is_over(&all[i]))
				all[i] = all[--n];
	}
}

static struct known *
connect_all(const char *to, size_t n, const struct head *h)
{
	struct known *all = calloc(n, sizeof(*all));
	struct sockaddr_storage ss;
	socklen_t len;

	if (all == NULL || getrandom(&all->head, 8, 0) != 8)
		err(111, "calloc");
	for (size_t i = 0; i < n; i++) {
		int fd = open_socket(to, &ss, &len);

		if (connect(fd, (struct sockaddr *)&ss, len) == -1)
			err(111, "%s", to);
		all[i] = (struct known){
		    .fd = fd, .barred = true, .head = *h, .began_ms = now_ms()};
		if (getrandom(&all[i].head.seed, sizeof(uint64_t), 0) !=
		    sizeof(uint64_t))
			err(111, "getrandom");
	}
	return all;
}

/* Has each of them been answered (or has it ended)? */
static bool
all_answered(const struct known *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_over(&all[i]) && all[i].head_in < sizeof(struct head))
			return false;
	return true;
}

static int
ask(const char *to, size_t n, const struct head *h, bool ticks)
{
	struct known *all = connect_all(to, n, h);
	struct pollfd *p = calloc(n + 1, sizeof(*p));
	size_t count[ENDS] = {0}, open = n;
	uint64_t began = now_ms();
	bool barred = true;

	if (p == NULL)
		err(111, "calloc");
	while (open > 0) {
		turn(all, p, n, -1);
		if (barred && all_answered(all, n)) {
			barred = false;
			for (size_t i = 0; i < n; i++) {
				all[i].barred = false;
				all[i].ticks = ticks;
			}
		}
		open = 0;
		for (size_t i = 0; i < n; i++)
			open += !is_over(&all[i]);
	}
	for (size_t i = 0; i < n; i++)
		count[all[i].end]++;
	if (!ticks)
		printf("all n=%zu complete=%zu reset=%zu short=%zu wrong=%zu "
		       "ms=%" PRIu64 "\n",
		    n, count[COMPLETE], count[RESET], count[SHORT],
		    count[WRONG], now_ms() - began);
	free(p);
	free(all);
	return count[COMPLETE] == n ? 0 : 1;
}

int
main(int argc, char *argv[])
{
	struct head h = {0};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if ((argc == 5 || argc == 6) && strcmp(argv[1], "ask") == 0 &&
	    atoi(argv[3]) > 0 && atoi(argv[3]) <= MOST) {
		h.bytes = strtoull(argv[4], NULL, 10);
		h.rate = argc == 6 ? strtoull(argv[5], NULL, 10) : 0;
		return ask(argv[2], (size_t)atoi(argv[3]), &h, false);
	}
	if (argc == 5 && strcmp(argv[1], "ticks") == 0) {
		h.rate = strtoull(argv[3], NULL, 10);
		h.bytes = strtoull(argv[4], NULL, 10);
		return ask(argv[2], 1, &h, true);
	}
	fprintf(stderr,
	    "usage: tcp-known serve ADDRESS:PORT\n"
	    "       tcp-known ask ADDRESS:PORT COUNT BYTES [BLOCKS]\n"
	    "       tcp-known ticks ADDRESS:PORT BLOCKS BYTES\n");
	return 100;
}

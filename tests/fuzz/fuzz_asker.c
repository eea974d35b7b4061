/* SPDX-License-Identifier: ISC */
/* Whatever comes back to an asker. A question leaves a real port; the fuzzer
 * answers from the server's address or from another one, with the right
 * transaction id or not. Only a well-formed answer with that id and from the
 * server ends the question; and it does so once. */
#include "asker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "udp.h"

#define RIGHT_TID 1
#define RIGHT_SOURCE 2
#define TWICE 4
#define HAIRPIN 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	unsigned calls;
	enum asker_outcome outcome;
	struct addr from;
};

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
take(void *arg, const struct asker_result *r)
{
	struct seen *s = arg;

	s->calls++;
	s->outcome = r->outcome;
	s->from = r->from;
	require((r->outcome == ASKER_ANSWER) == (r->answer != NULL));
}

/* Port 0 of every address gives one that replies may be sent from. */
static struct addr
bound(int fd)
{
	struct addr a;

	addr_parse(&a, "127.0.0.1:1");
	a.port = (uint16_t)udp_port(fd);
	return a;
}

static void
turn(struct loop *l)
{
	event_base_loop(l->base, EVLOOP_NONBLOCK);
}

/* The question as the server gets it; false: it did not leave in time. */
static bool
receive(struct loop *l, int fd, uint8_t *buf, struct addr *from)
{
	struct udp_info info;

	for (int i = 0; i < 50; i++) {
		turn(l);
		if (udp_recv(fd, buf, QUESTION_MAX, &info) > 0) {
			*from = info.remote;
			return true;
		}
	}
	return false;
}

static void
reply(int fd, const struct addr *to, const uint8_t *data, size_t len)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};

	udp_send(fd, to, NULL, 0, &iov, 1);
}

static void
run(struct loop *l, struct asker *a, const int fd[2], const uint8_t *data,
    size_t size)
{
	uint8_t question[QUESTION_MAX], answer[QUESTION_MAX] = {0};
	uint8_t how = data[0];
	struct seen seen = {0};
	struct addr server = bound(fd[0]), from;
	struct asker_ask ask = {.to = server,
	    .hairpin = (how & HAIRPIN) != 0,
	    .fn = take,
	    .arg = &seen};

	size = size - 1 < sizeof(answer) ? size - 1 : sizeof(answer);
	memcpy(answer, data + 1, size);
	require(asker_ask(a, &ask) == 0);
	require(seen.calls == 0);
	if (!receive(l, fd[0], question, &from))
		return;
	if ((how & RIGHT_TID) != 0 && size >= STUN_HEADER_LEN)
		memcpy(answer + 8, question + 8, STUN_TID_LEN);
	for (int n = (how & TWICE) != 0 ? 2 : 1; n > 0; n--)
		reply(
		    fd[(how & RIGHT_SOURCE) != 0 ? 0 : 1], &from, answer, size);
	turn(l);
	turn(l);
	require(seen.calls <= 1);
	if (seen.calls == 0)
		return;
	/* a request with the id of our own is a hairpin, from anywhere */
	require(
	    seen.outcome == ASKER_SELF ||
	    (seen.outcome == ASKER_ANSWER && addr_equal(&seen.from, &server)));
	require(memcmp(answer + 8, question + 8, STUN_TID_LEN) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd[2] = {udp_bind(ADDR_V4, 0, 0), udp_bind(ADDR_V4, 0, 0)};
	struct port *port = NULL;
	struct asker *a = NULL;
	struct loop l;

	loop_init(&l, false);
	if (size > 0 && fd[0] >= 0 && fd[1] >= 0 && port_bind(&port, 0) == 0 &&
	    asker_new(&a, &l, port, false) == 0)
		run(&l, a, fd, data, size);
	asker_free(a);
	loop_free(&l);
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* The whole server: foreign datagrams from any address between authentic
 * messages of two clients and the passing of time. What is not authentic
 * changes nobody's registration, and gets no answer that is longer (plain
 * STUN Binding apart); all that is sent is well-formed.
 *
 * Input: steps of what and who (1 byte), length (2 bytes), data. */
#include <stdlib.h>

#include "../rv.h"
#include "server.h"

#define CLIENTS 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct server srv;
static struct rv self, clients[CLIENTS];
static uint64_t now;
static uint8_t answer[STUN_MAX]; /* the latest */
static size_t answer_len, limit;

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
sent(void *arg, const struct path *to, const void *data, size_t len)
{
	struct stun_msg m;

	(void)arg;
	(void)to;
	check(len <= STUN_MAX && stun_parse(&m, data, len) == 0);
	check(m.method == STUN_BINDING || len <= limit);
	memcpy(answer, data, len);
	answer_len = len;
}

static void
event(void *arg, const char *what, const uint8_t *key, const uint8_t *peer,
    const struct addr *at)
{
	(void)arg;
	(void)what;
	(void)key;
	(void)peer;
	(void)at;
}

static void
feed(uint8_t host, const uint8_t *data, size_t len)
{
	struct path from = {.remote = {.family = ADDR_V4, .port = 1}};

	from.remote.ip[0] = (uint8_t)(host + 1);
	server_step(&srv, &from, data, len, now);
}

static void
join(int i)
{
	uint8_t buf[STUN_MAX];
	int len = rv_hello(&clients[i], self.public, NULL, 0, buf);

	limit = STUN_MAX;
	answer_len = 0;
	feed((uint8_t)i, buf, (size_t)len);
	if (answer_len == 0 ||
	    rv_finish(&clients[i], answer, answer_len) != WIRE_OK)
		return; /* the rate, or full */
	len = rv_request(&clients[i], 0, NULL, 0, buf);
	feed((uint8_t)i, buf, (size_t)len);
}

static void
step(uint8_t op, const uint8_t *data, size_t len)
{
	uint64_t registered = srv.stats.registered, moved = srv.stats.moved;
	uint8_t buf[STUN_MAX], who = op & 1;
	uint32_t count;
	int n;

	switch (op >> 6) {
	case 0: /* foreign */
		count = srv.registry.count;
		limit = len;
		feed(op & 7, data, len);
		check(count == srv.registry.count &&
		      registered == srv.stats.registered &&
		      moved == srv.stats.moved);
		break;
	case 1: /* authentic, from its own address or another */
		n = wire_seal(&clients[who].session,
		    op & 2 ? STUN_INDICATION : STUN_REQUEST, clients[who].tid,
		    data, len < WIRE_PLAIN_MAX ? len : WIRE_PLAIN_MAX, buf,
		    sizeof(buf));
		limit = STUN_MAX;
		if (n > 0)
			feed(op & 4 ? 6 : who, buf, (size_t)n);
		break;
	case 2:
		now += (uint64_t)len * 16;
		break;
	case 3: /* a consent, or a new session */
		if (op & 2)
			join(who);
		else {
			n = rv_want(
			    &clients[who], clients[!who].public, op & 4, buf);
			limit = STUN_MAX;
			feed(who, buf, (size_t)n);
		}
	}
	limit = STUN_MAX;
	server_tick(&srv, now);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server_config config = {.secret = self.secret,
	    .public = self.public,
	    .clients = 4,
	    .hello_rate = 10,
	    .request_rate = 10,
	    .keepalive_s = 25};
	static bool ready;

	if (!ready) {
		check(sodium_init() != -1);
		rv_init(&self);
		for (int i = 0; i < CLIENTS; i++)
			rv_init(&clients[i]);
		now = 1000;
		check(server_init(&srv, &config, sent, event, NULL, now) == 0);
		ready = true;
	}
	/* from the same start, with what earlier inputs left gone */
	now += 1000000;
	limit = STUN_MAX;
	server_tick(&srv, now);
	check(srv.registry.count == 0);
	for (int i = 0; i < CLIENTS; i++)
		join(i);
	check(srv.registry.count == CLIENTS);
	while (size >= 3) {
		size_t len = (size_t)data[1] << 8 | data[2];

		if (len > size - 3)
			len = size - 3;
		step(data[0], data + 3, len);
		data += 3 + len;
		size -= 3 + len;
	}
	return 0;
}

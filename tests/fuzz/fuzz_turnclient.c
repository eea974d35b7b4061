/* SPDX-License-Identifier: ISC */
/* A TURN client and a server that says anything. The input is a script: what
 * the peers are, how time passes, and messages. A message may have the
 * transaction id of a request that waits, and be signed with the right key, or
 * no fuzzer would ever get past the first answer. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "turnclient.h"

#define STEPS 64
#define SENDS 400 /* of one step: more is a loop */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct turnclient c;
static uint64_t now;
static uint8_t sent[TURNCLIENT_OUT];
static struct stun_msg asked;

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
run(void)
{
	size_t n = 0;
	int sends = 0;

	while ((n = turnclient_step(&c, now, sent)) > 0) {
		require(n <= sizeof(sent) && sends++ < SENDS);
		require(stun_parse(&asked, sent, n) == 0);
	}
	require(c.next_ms > now);
	if (c.state == TURNCLIENT_UP)
		require(c.relayed[0].family != ADDR_NONE ||
			c.relayed[1].family != ADDR_NONE);
}

static struct addr
read_addr(struct cursor *in)
{
	struct addr a = {.family = cursor_u8(in) % 2 != 0 ? ADDR_V6 : ADDR_V4};
	uint8_t low = cursor_u8(in);

	a.ip[0] = 192;
	a.ip[3] = low;
	a.port = cursor_u8(in);
	return a;
}

static void
take(const uint8_t *data, size_t len)
{
	struct turnclient_in in;

	turnclient_input(&c, data, len, now, &in);
	if (in.what == TURNCLIENT_DATA) {
		require(in.data >= data && in.data + in.len <= data + len);
		require(turnclient_grant(&c, &in.peer) != NULL);
	}
}

/* An answer to the latest request, with the attributes of the input. */
static void
reply(struct cursor *in)
{
	uint8_t out[2048], flags = cursor_u8(in);
	size_t len = cursor_u8(in) * 2;
	const uint8_t *list = cursor_bytes(in, len);
	struct stun_attr a;
	struct cursor attrs;
	struct stun_buf b;
	int n = 0;

	if (asked.tid == NULL || list == NULL)
		return;
	stun_begin(&b, out, sizeof(out),
	    (flags & 8) != 0 ? STUN_BINDING : asked.method,
	    (flags & 1) != 0 ? STUN_SUCCESS : STUN_ERROR, asked.tid);
	cursor_init(&attrs, list, len);
	while (stun_attr_next(&attrs, &a) == 1)
		stun_put(&b, a.type, a.value, a.len);
	if ((flags & 2) != 0 && c.login.offer_len > 0)
		stun_put_integrity_sha256(&b, c.login.key, c.login.key_len);
	else if ((flags & 2) != 0)
		stun_put_integrity(&b, c.login.key, c.login.key_len);
	n = stun_end(&b, (flags & 4) == 0);
	if (n > 0)
		take(out, (size_t)n);
}

static void
peer(struct cursor *in)
{
	uint8_t what = cursor_u8(in), out[600] = {0};
	struct addr a = read_addr(in);
	int n = 0;

	switch (what % 5) {
	case 0:
		(void)turnclient_permit(&c, &a, now);
		break;
	case 1:
		(void)turnclient_route(&c, &a, now);
		break;
	case 2:
		turnclient_forbid(&c, &a);
		require(turnclient_grant(&c, &a) == NULL);
		break;
	case 3:
		turnclient_unroute(&c, &a);
		break;
	case 4:
		n = turnclient_wrap(&c, &a, sent, 500, out);
		require(n <= 500 + TURNCLIENT_WRAP);
		break;
	}
}

static void
step(struct cursor *in)
{
	size_t len = 0;

	switch (cursor_u8(in) % 6) {
	case 0:
		reply(in);
		break;
	case 1:
		len = cursor_u8(in);
		if (len <= cursor_left(in))
			take(cursor_bytes(in, len), len);
		break;
	case 2:
		peer(in);
		break;
	case 3:
		now += (uint64_t)cursor_u8(in) * cursor_u8(in) * 10;
		break;
	case 4:
		turnclient_doubt(&c, now);
		break;
	case 5:
		if (c.state == TURNCLIENT_DOWN) {
			asked.tid = NULL;
			turnclient_start(&c, now);
		}
		break;
	}
	if (!in->bad)
		run();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in;
	uint8_t flags = 0;

	cursor_init(&in, data, size);
	flags = cursor_u8(&in);
	memset(&c, 0, sizeof(c));
	asked.tid = NULL;
	now = 1000000;
	require(turnlogin_set(&c.login, "user", "pass") == 0);
	c.stream = (flags & 1) != 0;
	c.want4 = (flags & 2) == 0;
	c.want6 = (flags & 4) != 0;
	c.keepalive_ms = (flags & 8) != 0 ? 0 : 25000;
	turnclient_start(&c, now);
	run();
	for (int i = 0; i < STEPS && cursor_left(&in) > 0; i++)
		step(&in);
	(void)turnclient_release(&c, sent);
	return 0;
}

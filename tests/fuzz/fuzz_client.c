/* SPDX-License-Identifier: ISC */
/* A client with a session takes whatever comes: raw datagrams, and attribute
 * lists that a hostile server seals. Input: (op, length, bytes) ... */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum op {
	OP_RAW,	     /* bytes as they are, from the server's address */
	OP_HEADER,   /* bytes behind a right STUN header */
	OP_REQUEST,  /* bytes as a sealed list: pushed */
	OP_ANSWER,   /* ... in answer to what was asked last */
	OP_INDICATE, /* ... as an indication */
	OP_ERROR,    /* an error to what was asked last, code from bytes */
	OP_TIME,     /* time goes by */
	OP_READY,    /* the caller's side */
	OP_ROAM,
	OP_TCP, /* what comes from now on, comes over a connection or not */
	OP_CUT,
	OPS,
};

#define EVENTS_MAX 500 /* out of one step, or it never waits */

static struct client template, c;
static uint8_t secret[KEY_LEN], pub[KEY_LEN];
static uint8_t server_secret[KEY_LEN], server_pub[KEY_LEN];
static struct session template_session, session; /* the server's end */
static struct addr server_addr, tcp_addr;
static bool tcp;
static uint64_t now_us;
static uint8_t last_tid[STUN_TID_LEN]; /* of the latest request of ours */
static uint8_t hello[STUN_MAX];
static size_t hello_len;

static struct moment
moment(void)
{
	return (struct moment){
	    .ms = now_us / 1000, .us = now_us, .wall_ns = now_us * 1000};
}

static void
drain(void)
{
	struct client_event ev;
	struct moment now = moment();

	for (int i = 0; i < EVENTS_MAX; i++) {
		client_step(&c, &now, &ev);
		if (ev.what == CLIENT_WAIT)
			return;
		if (ev.what == CLIENT_NEWS &&
		    (ev.news.peer < 0 || ev.news.peer >= REQUEST_PEERS ||
			ev.news.len > WIRE_PLAIN_MAX))
			abort();
		if (ev.what == CLIENT_CONNECT)
			client_connected(&c, &tcp_addr, &now);
		if (ev.what == CLIENT_UP && ev.to.tcp &&
		    ev.mapped.family != ADDR_NONE)
			abort(); /* it is not our UDP port's */
		if (ev.what != CLIENT_SEND)
			continue;
		if (ev.len > STUN_MAX || ev.len < STUN_HEADER_LEN)
			abort();
		memcpy(last_tid, ev.data + 8, STUN_TID_LEN);
		memcpy(hello, ev.data, ev.len);
		hello_len = ev.len;
	}
	abort();
}

static void
input(const uint8_t *data, size_t len)
{
	struct moment now = moment();

	client_input(&c, tcp ? &tcp_addr : &server_addr, data, len, &now);
	drain();
}

/* A real handshake, by the server's own functions. */
static void
make_template(void)
{
	uint8_t id[WIRE_ID_LEN] = {1}, peer[KEY_LEN] = {9}, out[STUN_MAX];
	uint8_t tag[WIRE_TAG_LEN] = {0};
	struct moment now = moment();
	struct stun_msg m;
	struct noise n;
	uint64_t t;
	int len;

	client_init(&c, secret, pub, server_pub, 0, &now);
	client_addresses(&c, &server_addr, 1, &now);
	for (int i = 0; i < 3; i++) {
		peer[1] = (uint8_t)i;
		client_want(&c, i, peer, tag);
	}
	drain();
	noise_init_responder(&n, server_secret, server_pub, WIRE_PROLOGUE,
	    sizeof(WIRE_PROLOGUE) - 1);
	if (stun_parse(&m, hello, hello_len) != 0 ||
	    wire_hello_read(&n, &m, &t) != 0)
		abort();
	len = wire_hello_response(&n, m.tid, WIRE_OK, id, 25, &server_addr,
	    &session, out, sizeof(out));
	input(out, (size_t)len);
	len = wire_seal(
	    &session, STUN_SUCCESS, last_tid, out, 0, out, sizeof(out));
	input(out, (size_t)len);
	if (!c.up)
		abort();
	template = c;
	template_session = session;
}

static void
sealed(enum stun_class class, const uint8_t *data, size_t len)
{
	uint8_t tid[STUN_TID_LEN] = {7}, out[STUN_MAX];
	int n;

	if (class == STUN_SUCCESS)
		memcpy(tid, last_tid, sizeof(tid));
	n = wire_seal(&session, class, tid, data, len, out, sizeof(out));
	if (n > 0)
		input(out, (size_t)n);
}

static void
framed(const uint8_t *data, size_t len, enum stun_class class)
{
	uint8_t buf[STUN_MAX];
	struct stun_buf b;
	int n;

	stun_begin(&b, buf, sizeof(buf),
	    len > 0 && data[0] % 2 ? NATKIT_HELLO : NATKIT_SESSION, class,
	    last_tid);
	if (class == STUN_ERROR)
		stun_put_error(&b, len > 1 ? 400 + data[1] : 481, NULL);
	while (len > 2) {
		size_t take = data[2] < len - 2 ? data[2] : len - 2;

		stun_put(
		    &b, (uint16_t)(data[0] << 8 | data[1]), data + 2, take);
		data += 2 + take;
		len -= 2 + take;
	}
	n = stun_end(&b, true);
	if (n > 0)
		input(buf, (size_t)n);
}

static void
run(enum op op, const uint8_t *data, size_t len)
{
	struct moment now = moment();

	switch (op) {
	case OP_RAW:
		input(data, len);
		break;
	case OP_HEADER:
		framed(data, len, STUN_SUCCESS);
		break;
	case OP_REQUEST:
		sealed(STUN_REQUEST, data, len);
		break;
	case OP_ANSWER:
		sealed(STUN_SUCCESS, data, len);
		break;
	case OP_INDICATE:
		sealed(STUN_INDICATION, data, len);
		break;
	case OP_ERROR:
		framed(data, len, STUN_ERROR);
		break;
	case OP_TIME:
		now_us += len > 0 ? (uint64_t)data[0] * 500000 : 1000;
		break;
	case OP_READY:
		client_ready(&c, (int)(len % 3), 1, 2);
		break;
	case OP_TCP:
		tcp = !tcp;
		break;
	case OP_CUT:
		client_cut(&c, &tcp_addr, &now);
		break;
	default:
		client_roam(&c, &now);
	}
	drain();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;

	now_us = 1000000000;
	if (!ready) {
		if (sodium_init() == -1)
			abort();
		memset(secret, 3, sizeof(secret));
		memset(server_secret, 5, sizeof(server_secret));
		crypto_scalarmult_base(pub, secret);
		crypto_scalarmult_base(server_pub, server_secret);
		addr_parse(&server_addr, "192.0.2.1:3478");
		tcp_addr = server_addr;
		tcp_addr.tcp = true;
		make_template();
		ready = true;
	}
	tcp = false;
	c = template;
	session = template_session;
	while (len >= 3) {
		size_t take = (size_t)(data[1] << 8 | data[2]);

		if (take > len - 3)
			take = len - 3;
		run((enum op)(data[0] % OPS), data + 3, take);
		data += 3 + take;
		len -= 3 + take;
	}
	return 0;
}

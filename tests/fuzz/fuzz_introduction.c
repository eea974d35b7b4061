/* SPDX-License-Identifier: ISC */
/* A hostile peer and a hostile server together: payloads that are rightly
 * sealed but hold anything, and whatever a server may say in between. Input:
 * (op, length, bytes) ... */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "introduction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum op {
	OP_LIST,  /* bytes as the plaintext */
	OP_OFFER, /* an offer with fields out of bytes */
	OP_RAW,	  /* bytes as the sealed payload */
	OP_PEER,
	OP_GO,
	OP_GONE,
	OP_SESSION,
	OP_CANDIDATES,
	OP_TIME,
	OPS,
};

#define EVENTS_MAX 200

static struct introduction i;
static uint8_t to_us[32], from_us[32];
static uint64_t now_ms, stamp;
static uint32_t generation;

static void
drain(void)
{
	struct moment now = {
	    .ms = now_ms, .us = now_ms * 1000, .wall_ns = now_ms * 1000000};
	static struct introduction_event ev;
	bool introduced = i.told;

	for (int n = 0; n < EVENTS_MAX; n++) {
		introduction_step(&i, &now, &ev);
		if (ev.what == INTRODUCTION_WAIT)
			return;
		if (ev.what == INTRODUCTION_DONE)
			introduced = true;
		/* nothing to go to without candidates of that generation */
		if (ev.what == INTRODUCTION_GO &&
		    (!introduced || ev.theirs != i.theirs.generation))
			abort();
		if (ev.what == INTRODUCTION_SEND &&
		    (ev.server < 0 || ev.server >= INTRODUCTION_SERVERS ||
			ev.len > sizeof(ev.payload)))
			abort();
	}
	abort();
}

static void
payload(const uint8_t *plain, size_t len, int server)
{
	uint8_t box[WIRE_PAYLOAD_MAX + SEAL_OVERHEAD];

	if (len > WIRE_PAYLOAD_MAX)
		return;
	introduction_payload(&i, server, box, seal_box(to_us, plain, len, box));
}

static void
offer(const uint8_t *data, size_t len, int server)
{
	struct offer o = {.generation = 1, .user = "12345678"};
	uint8_t buf[OFFER_MAX];
	int n;

	if (len < 5)
		return;
	memset(o.password, 'x', OFFER_PASSWORD_LEN);
	stamp += data[0] % 4;
	o.timestamp_ns = stamp;
	o.from[0] = data[1] % 3;
	memcpy(o.to, i.tag, sizeof(o.to));
	o.generation = data[2] % 8;
	o.holds = data[3] % 8;
	o.known = data[4] % 8;
	n = offer_encode(&o, buf, sizeof(buf));
	if (n > 0)
		payload(buf, (size_t)n, server);
}

static void
run(enum op op, const uint8_t *data, size_t len)
{
	uint8_t a = len > 0 ? data[0] : 0, b = len > 1 ? data[1] : 0;
	uint8_t tag[WIRE_TAG_LEN] = {b % 3};
	int server = a % INTRODUCTION_SERVERS;
	struct offer_candidate none = {0};

	switch (op) {
	case OP_LIST:
		payload(data, len, 0);
		break;
	case OP_OFFER:
		offer(data, len, 0);
		break;
	case OP_RAW:
		introduction_payload(&i, server, data, len);
		break;
	case OP_PEER:
		introduction_peer(&i, server, tag);
		break;
	case OP_GO:
		introduction_go(&i, a % 8, b % 8, 0, 0);
		break;
	case OP_GONE:
		introduction_gone(&i, server);
		break;
	case OP_SESSION:
		introduction_session(&i, server, b % 2);
		break;
	case OP_CANDIDATES:
		introduction_candidates(&i, ++generation, &none, 0);
		break;
	default:
		now_ms += a * 10;
	}
	drain();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t ours[KEY_LEN], our_pub[KEY_LEN];
	static uint8_t theirs[KEY_LEN], their_pub[KEY_LEN];

	memset(ours, 3, sizeof(ours));
	memset(theirs, 5, sizeof(theirs));
	if (their_pub[0] == 0 && their_pub[1] == 0) {
		if (sodium_init() == -1)
			abort();
		crypto_scalarmult_base(our_pub, ours);
		crypto_scalarmult_base(their_pub, theirs);
	}
	now_ms = 1000000;
	stamp = 1;
	generation = 0;
	if (introduction_init(&i, ours, our_pub, their_pub) != 0 ||
	    seal_keys(to_us, from_us, theirs, their_pub, our_pub) != 0)
		abort();
	memset(i.tag, 9, sizeof(i.tag));
	while (len >= 2) {
		size_t take = data[1] < len - 2 ? data[1] : len - 2;

		run((enum op)(data[0] % OPS), data + 2, take);
		data += 2 + take;
		len -= 2 + take;
	}
	return 0;
}

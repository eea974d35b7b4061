/* SPDX-License-Identifier: ISC */
/* A binding takes whatever a relay, or who takes its address, says: nothing is
 * ever sent but to the relay's own address, it is never bound without the
 * password, and it always waits in the end. Input: (op, length, bytes)... */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "relaybinding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum op {
	OP_RAW,	   /* bytes as they are */
	OP_BIND,   /* bytes as attributes of an answer to what was asked */
	OP_SIGNED, /* ... with the right integrity */
	OP_HINT,   /* a Binding success */
	OP_TIME,
	OP_UNSENT,
	OP_RENEW,
	OP_LINE, /* a relay record */
	OPS,
};

#define STEPS_MAX 64

static struct relaybinding b;
static struct relayrecord record;
static uint64_t now;
static uint8_t tid[STUN_TID_LEN];
static struct addr sent_to;
static bool proven; /* a signed answer came */

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static bool
is_relay(const struct addr *a)
{
	for (size_t i = 0; i < record.n; i++)
		if (addr_equal_ip(a, &record.at[i]) && a->port != 0)
			return true;
	return false;
}

static void
drain(void)
{
	struct relaybinding_event ev;

	for (int i = 0; i < STEPS_MAX; i++) {
		relaybinding_step(&b, now, &ev);
		if (ev.what == RELAYBINDING_WAIT) {
			check(ev.at_ms > now);
			return;
		}
		/* what ends may be of an earlier record */
		check(is_relay(&ev.to) || (ev.what == RELAYBINDING_STATE &&
					      ev.state == RELAYBINDING_GONE));
		if (ev.what == RELAYBINDING_STATE) {
			check(ev.state != RELAYBINDING_BOUND || proven);
			check(
			    ev.state != RELAYBINDING_GONE || ev.reason != NULL);
			continue;
		}
		check(ev.len >= STUN_HEADER_LEN && ev.len <= RELAYBINDING_MAX);
		memcpy(tid, ev.data + 8, STUN_TID_LEN);
		sent_to = ev.to;
	}
	abort();
}

static void
input(const uint8_t *data, size_t len)
{
	struct stun_msg m;

	if (stun_parse(&m, data, len) == 0)
		relaybinding_input(&b, &sent_to, &m, now);
}

/* class(1) code(1), then attributes: type(2) length(1) value */
static void
message(uint16_t method, bool sign, const uint8_t *data, size_t len)
{
	uint8_t buf[STUN_MAX], class, code;
	struct stun_buf m;
	struct cursor c;
	int n;

	cursor_init(&c, data, len);
	class = cursor_u8(&c) % 2;
	code = cursor_u8(&c);
	stun_begin(&m, buf, sizeof(buf), method,
	    class == 1 ? STUN_ERROR : STUN_SUCCESS, tid);
	if (class == 1)
		stun_put_error(&m, 300 + code, NULL);
	while (cursor_left(&c) >= 3) {
		uint16_t type = cursor_u16(&c);
		size_t take = cursor_u8(&c) % 64;

		if (take > cursor_left(&c))
			take = cursor_left(&c);
		stun_put(&m, type, cursor_bytes(&c, take), take);
	}
	if (sign)
		stun_put_integrity_sha256(&m, b.password, strlen(b.password));
	proven = proven || sign;
	n = stun_end(&m, true);
	if (n > 0)
		input(buf, (size_t)n);
}

static void
make_record(uint8_t arg)
{
	struct credential_pair c = {.expiry_s = arg};

	memset(&record, 0, sizeof(record));
	c.key[0] = 9;
	c.peer[0] = record.key[0] = 10;
	credential_pair_name(&c, record.user);
	memset(record.password, 'a' + arg % 26, CREDENTIAL_PASSWORD_LEN);
	record.n = 1 + arg % 2;
	record.at[0] = (struct addr){
	    .family = ADDR_V4, .ip = {192, 0, 2, 1}, .port = 3478};
	record.at[1] = (struct addr){
	    .family = ADDR_V6, .ip = {0x20, 1, [15] = 1}, .port = 3478};
	record.priority = arg;
	record.lifetime_s = 1 + arg * 30u;
}

static void
line(const uint8_t *data, size_t len)
{
	struct record_view v;
	struct relayrecord got;
	const char *wrong;

	if (record_parse(&v, (const char *)data, len) != 0 ||
	    relayrecord_read(&got, &v, &wrong) != 0)
		return;
	check(got.n <= 2);
	for (size_t i = 0; i < got.n; i++)
		check(addr_is_sendable(&got.at[i]));
	check(got.n == 0 || strlen(got.password) == CREDENTIAL_PASSWORD_LEN);
}

static void
step(enum op op, const uint8_t *data, size_t len)
{
	uint8_t arg = len > 0 ? data[0] : 0;

	switch (op) {
	case OP_RAW:
		input(data, len);
		break;
	case OP_BIND:
	case OP_SIGNED:
		message(NATKIT_BIND, op == OP_SIGNED, data, len);
		break;
	case OP_HINT:
		message(STUN_BINDING, false, data, len);
		break;
	case OP_TIME:
		now += (uint64_t)arg * arg;
		break;
	case OP_UNSENT:
		relaybinding_unsent(&b, &sent_to, "denied", now);
		break;
	case OP_RENEW:
		make_record(arg);
		relaybinding_renew(&b, &record, now);
		break;
	case OP_LINE:
		line(data, len);
		break;
	default:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (sodium_init() == -1)
		abort();
	now = 1000;
	proven = false;
	make_record(len > 0 ? data[0] : 0);
	relaybinding_start(&b, &record, 20000, now);
	drain();
	while (len >= 2) {
		enum op op = (enum op)(data[0] % OPS);
		size_t take = data[1] < len - 2 ? data[1] : len - 2;

		step(op, data + 2, take);
		data += 2 + take;
		len -= 2 + take;
		drain();
	}
	return 0;
}

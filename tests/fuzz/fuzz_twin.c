/* SPDX-License-Identifier: ISC */
/* Foreign bytes at both ends of the link between two nat-stund: nothing that
 * was not made with the keys is taken, no answer is longer than its request,
 * and even the twin makes us send nothing but STUN answers.
 *
 * Input: what (1 byte: 0 to the lender, 1 to the borrower, 2 an attribute list
 * under the right keys to the lender, 3 a message 2 with this payload, 4 an
 * order with this message), data. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "borrower.h"
#include "lender.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS 1000
#define PAYLOAD_MAX 1000

static const struct addr from = {
    .family = ADDR_V4, .ip = {192, 0, 2, 1}, .port = 50000};
static const struct addr client = {
    .family = ADDR_V4, .ip = {203, 0, 113, 5}, .port = 40000};
static struct twin_keys a, b;
static struct twin_places places_a, places_b;
static struct lender lender;
static struct borrower borrower;
static uint8_t buf[TWIN_MAX], out[TWIN_MAX];
static uint64_t now_ms = NOW_MS;

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static enum lender_outcome
to_lender(const uint8_t *data, size_t len, struct lender_action *act)
{
	enum lender_outcome rc =
	    lender_input(&lender, data, len, now_ms, out, act);

	check(act->len <= len);
	check(rc != LENDER_lent || twin_order_fit(&act->order));
	return rc;
}

static void
init(void)
{
	uint8_t secret[2][KEY_LEN], pub[2][KEY_LEN];
	struct lender_action act;
	uint64_t at;
	size_t len;

	check(sodium_init() != -1);
	for (int i = 0; i < 2; i++) {
		randombytes_buf(secret[i], KEY_LEN);
		crypto_scalarmult_base(pub[i], secret[i]);
	}
	for (uint8_t i = 0; i < TWIN_PORTS; i++) {
		places_a.v4[i] = places_b.v4[i] = from;
		places_b.v4[i].ip[3] = 2;
		places_a.v4[i].port = places_b.v4[i].port = 3478 + i;
	}
	check(twin_keys_init(&a, secret[0], pub[0], pub[1]) == 0);
	check(twin_keys_init(&b, secret[1], pub[1], pub[0]) == 0);
	borrower_init(&borrower, &a, &places_a, now_ms);
	check(lender_init(&lender, &b, &places_b, LIMIT_RATE_MAX / 2, now_ms) ==
	      0);
	while ((len = borrower_step(&borrower, now_ms, 1, buf, &at)) > 0) {
		to_lender(buf, len, &act);
		borrower_input(&borrower, out, act.len, now_ms);
	}
	check(borrower_places(&borrower, ADDR_V4) != NULL);
}

static void
foreign(const uint8_t *data, size_t size)
{
	struct lender_action act;
	enum lender_outcome rc = to_lender(data, size, &act);

	check(rc == LENDER_unknown || rc == LENDER_forged);
}

static void
foreign_answer(const uint8_t *data, size_t size)
{
	borrower_input(&borrower, data, size, now_ms);
	check(borrower_places(&borrower, ADDR_V4) != NULL);
	check(borrower.handshake == BORROWER_IDLE);
}

static void
list(const uint8_t *data, size_t size)
{
	static const uint8_t tid[STUN_TID_LEN];
	struct lender_action act;
	int len = session_seal(&borrower.now.session, NATKIT_TWIN,
	    STUN_INDICATION, tid, data, size, 0, buf, sizeof(buf));

	if (len > 0)
		to_lender(buf, (size_t)len, &act);
}

static void
payload(const uint8_t *data, size_t size)
{
	static const uint8_t tid[STUN_TID_LEN];
	struct noise asks, answers;
	struct twin_places places;
	struct noise_keys keys;
	struct session s;
	struct stun_buf sb;
	struct stun_msg m;
	uint64_t ts;
	uint8_t *p;
	int len;

	if (size > PAYLOAD_MAX)
		return;
	len = twin_hello_request(&asks, &a, tid, 1, buf, sizeof(buf));
	check(len == TWIN_HELLO_LEN && stun_parse(&m, buf, (size_t)len) == 0 &&
	      twin_hello_check(&b, &m) &&
	      twin_hello_read(&answers, &b, &m, &ts) == 0);
	stun_begin(&sb, out, sizeof(out), NATKIT_TWIN_HELLO, STUN_SUCCESS, tid);
	p = stun_put_space(&sb, NATKIT_NOISE, NOISE_MSG2_LEN + size);
	check(p != NULL && noise_write2(&answers, data, size, p,
			       NOISE_MSG2_LEN + size, &keys) > 0);
	len = stun_end(&sb, true);
	check(len > 0 && stun_parse(&m, out, (size_t)len) == 0);
	twin_hello_finish(&asks, &m, &places, &s);
}

static void
order(const uint8_t *data, size_t size)
{
	struct twin_order o = {
	    .port = 0, .to = client, .data = data, .len = size};
	struct lender_action act;
	int len = borrower_lend(&borrower, &o, now_ms, buf, sizeof(buf));

	if (len > 0)
		to_lender(buf, (size_t)len, &act);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (!ready)
		init();
	ready = true;
	if (size == 0)
		return 0;
	now_ms += 1; /* for the rates; the keepalive is never due */
	switch (data[0] % 5) {
	case 0:
		foreign(data + 1, size - 1);
		break;
	case 1:
		foreign_answer(data + 1, size - 1);
		break;
	case 2:
		list(data + 1, size - 1);
		break;
	case 3:
		payload(data + 1, size - 1);
		break;
	default:
		order(data + 1, size - 1);
	}
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* The STUN parser, walker, getters and checks on any bytes; and what parses,
 * rebuilt attribute by attribute, parses to the same. */
#include <stdlib.h>
#include <string.h>

#include "stun.h"

#define KEY "VOkJxbRl1RmTxUk/WvJxBt" /* of the seeds from RFC 5769 */
#define REBUILT_MAX (STUN_HEADER_LEN + UINT16_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
read_attr(const struct stun_attr *a, const uint8_t *tid)
{
	struct addr plain, xored;
	int r = stun_get_addr(a, &plain);

	require((r == 0) == (stun_get_xor_addr(a, tid, &xored) == 0));
	if (r == 0)
		require(addr_ip_len(&plain) > 0);
}

/* Any bytes may be a list; the walk ends, within bounds. */
static void
walk_list(const uint8_t *data, size_t size)
{
	static const uint8_t tid[STUN_TID_LEN];
	struct stun_attr a;
	struct cursor c;
	size_t steps = 0;

	cursor_init(&c, data, size);
	while (stun_attr_next(&c, &a) == 1) {
		require(a.value >= data && a.value + a.len <= data + size);
		read_attr(&a, tid);
		steps++;
	}
	require(steps <= size / 4);
}

static void
use_getters(const struct stun_msg *m)
{
	static const uint16_t known[] = {STUN_USERNAME, STUN_PRIORITY};
	struct addr mapped;
	int code;

	if (stun_get_mapped(m, &mapped) == 0)
		require(addr_ip_len(&mapped) > 0);
	code = stun_get_error(m);
	require(code < 0 || (code >= 300 && code <= 699));
	require(stun_unknown(m, known, 2) < 0x8000);
	(void)stun_check_integrity(m, KEY, sizeof(KEY) - 1);
	(void)stun_check_integrity_sha256(m, KEY, sizeof(KEY) - 1);
}

/* Zero padding comes out as it was, so then the bytes must be the same; other
 * padding changes the FINGERPRINT. */
static void
rebuild(const struct stun_msg *m)
{
	static uint8_t out[REBUILT_MAX];
	struct stun_attr a, b;
	struct stun_msg again;
	struct stun_buf buf;
	struct cursor ca, cb;
	bool zero_padded = true;
	int len, r;

	stun_begin(&buf, out, sizeof(out), m->method, m->class, m->tid);
	stun_attrs(&ca, m);
	while (stun_attr_next(&ca, &a) == 1) {
		for (const uint8_t *p = a.value + a.len; p < ca.p; p++)
			zero_padded = zero_padded && *p == 0;
		if (a.type != STUN_FINGERPRINT)
			stun_put(&buf, a.type, a.value, a.len);
	}
	len = stun_end(&buf, m->fingerprint);
	require(len >= 0 && (size_t)len == m->len);
	require(!zero_padded || memcmp(out, m->raw, m->len) == 0);
	require(stun_parse(&again, out, (size_t)len) == 0);
	require(again.method == m->method && again.class == m->class &&
		again.fingerprint == m->fingerprint &&
		memcmp(again.tid, m->tid, STUN_TID_LEN) == 0);
	stun_attrs(&ca, m);
	stun_attrs(&cb, &again);
	while ((r = stun_attr_next(&ca, &a)) == 1) {
		require(stun_attr_next(&cb, &b) == 1);
		require(a.type == b.type && a.len == b.len);
		require(a.type == STUN_FINGERPRINT ||
			memcmp(a.value, b.value, a.len) == 0);
	}
	require(r == 0 && stun_attr_next(&cb, &b) == 0);
}

static void
read_message(const uint8_t *data, size_t size)
{
	struct stun_msg m;

	if (stun_parse(&m, data, size) != 0)
		return;
	require(stun_is_stun(data, size));
	use_getters(&m);
	rebuild(&m);
}

/* The same with what a mutation seldom gets right: length, cookie, CRC. */
static void
read_repaired(const uint8_t *data, size_t size)
{
	size_t body = (size - STUN_HEADER_LEN) & ~(size_t)3;
	struct stun_buf buf;
	uint8_t *copy;
	int len;

	if (body > STUN_MAX)
		return;
	copy = malloc(STUN_HEADER_LEN + body + 8);
	if (copy == NULL)
		return;
	memcpy(copy, data, STUN_HEADER_LEN + body);
	copy[0] &= 0x3f;
	put_u16(copy + 2, (uint16_t)body);
	put_u32(copy + 4, STUN_COOKIE);
	read_message(copy, STUN_HEADER_LEN + body);
	buf = (struct stun_buf){.data = copy,
	    .len = STUN_HEADER_LEN + body,
	    .cap = STUN_HEADER_LEN + body + 8};
	len = stun_end(&buf, true);
	require(len > 0);
	read_message(copy, (size_t)len);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	walk_list(data, size);
	read_message(data, size);
	if (size >= STUN_HEADER_LEN)
		read_repaired(data, size);
	return 0;
}

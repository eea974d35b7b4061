/* SPDX-License-Identifier: ISC */
/* SOCKS5: who is refused and with what answer, and that the pieces in which
 * bytes come make no difference. */
#include "socks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HELLO 5, 1, 0
#define HELLO_LEN 3

struct run {
	struct socks s;
	size_t used;
	uint8_t reply[2 * SOCKS_REPLY_MAX];
	size_t reply_len;
};

/* At most step bytes at a time. */
static enum socks_state
feed(struct run *r, const uint8_t *data, size_t len, size_t step)
{
	size_t used, reply_len, n;

	memset(r, 0, sizeof(*r));
	socks_init(&r->s);
	for (size_t at = 0; at < len; at += n) {
		n = len - at < step ? len - at : step;
		socks_feed(&r->s, data + at, n, &used, r->reply + r->reply_len,
		    &reply_len);
		assert_true(used <= n && reply_len <= SOCKS_REPLY_MAX);
		if (used < n)
			assert_true(r->s.state == SOCKS_DONE ||
				    r->s.state == SOCKS_REFUSED);
		r->used += used;
		r->reply_len += reply_len;
		assert_true(r->reply_len <= SOCKS_REPLY_MAX);
	}
	return r->s.state;
}

/* code -1: nothing is answered after the hello. */
static void
refused(const uint8_t *data, size_t len, int code)
{
	struct run r;

	for (size_t step = 1; step <= len; step++) {
		assert_int_equal(SOCKS_REFUSED, feed(&r, data, len, step));
		assert_int_equal(5, r.reply[0]);
		assert_int_equal(0, r.reply[1]);
		if (code == -1) {
			assert_int_equal(2, r.reply_len);
			continue;
		}
		assert_int_equal(12, r.reply_len);
		assert_int_equal(5, r.reply[2]);
		assert_int_equal(code, r.reply[3]);
		assert_int_equal(1, r.reply[5]);
		assert_int_equal(0, r.s.want.port);
		assert_string_equal("", r.s.want.host);
	}
}

#define REFUSED(code, ...)                                                     \
	refused((const uint8_t[]){HELLO, __VA_ARGS__},                         \
	    sizeof((const uint8_t[]){HELLO, __VA_ARGS__}), code)

static void
no_version(void **state)
{
	static const uint8_t others[] = {0, 4, 6, 'G', 0xff};
	uint8_t data[10] = {0, 1, 0};
	struct run r;

	(void)state;
	for (size_t i = 0; i < sizeof(others); i++) {
		data[0] = others[i];
		assert_int_equal(
		    SOCKS_REFUSED, feed(&r, data, sizeof(data), 10));
		assert_int_equal(0, r.reply_len);
		assert_int_equal(SOCKS_REFUSED, feed(&r, data, 1, 1));
	}
	REFUSED(-1, 4, 1, 0, 1, 127, 0, 0, 1, 0, 80);
	REFUSED(-1, 0);
}

static void
no_method(void **state)
{
	static const uint8_t none[] = {5, 0, 5, 1, 0};
	static const uint8_t others[] = {5, 3, 1, 2, 0x80};
	uint8_t most[2 + 255] = {5, 255};
	struct run r;

	(void)state;
	memset(most + 2, 2, 255);
	assert_int_equal(SOCKS_REFUSED, feed(&r, none, sizeof(none), 5));
	assert_int_equal(2, r.used);
	assert_int_equal(2, r.reply_len);
	assert_int_equal(0xff, r.reply[1]);
	assert_int_equal(SOCKS_REFUSED, feed(&r, others, sizeof(others), 1));
	assert_int_equal(2, r.reply_len);
	assert_int_equal(5, r.reply[0]);
	assert_int_equal(0xff, r.reply[1]);
	assert_int_equal(SOCKS_REFUSED, feed(&r, most, sizeof(most), 99));
	assert_int_equal(0xff, r.reply[1]);
	most[256] = 0;
	assert_int_equal(SOCKS_REQUEST, feed(&r, most, sizeof(most), 99));
	assert_int_equal(0, r.reply[1]);
	assert_int_equal(2, r.reply_len);
}

static void
no_command(void **state)
{
	(void)state;
	REFUSED(7, 5, 2, 0, 1, 127, 0, 0, 1, 0, 80); /* BIND */
	REFUSED(7, 5, 3, 0, 3, 1, 'a', 0, 80);	     /* UDP ASSOCIATE */
	REFUSED(7, 5, 0, 0, 1, 127, 0, 0, 1, 0, 80);
	REFUSED(7, 5, 0xff, 0, 9, 0);
}

static void
no_target(void **state)
{
	(void)state;
	REFUSED(8, 5, 1, 0, 0, 0);
	REFUSED(8, 5, 1, 0, 2, 0);
	REFUSED(8, 5, 1, 0, 5, 0);
	REFUSED(1, 5, 1, 0, 1, 127, 0, 0, 1, 0, 0);
	REFUSED(1, 5, 1, 0, 3, 1, 'a', 0, 0);
	REFUSED(4, 5, 1, 0, 3, 0, 0, 80);
	REFUSED(4, 5, 1, 0, 3, 3, 'a', 0, 'b', 0, 80);
	REFUSED(4, 5, 1, 0, 3, 2, 'a', 0, 0, 80);
	REFUSED(4, 5, 1, 0, 3, 2, 'a', '\n', 0, 80);
	REFUSED(4, 5, 1, 0, 3, 1, '*', 0, 80);
	REFUSED(4, 5, 1, 0, 3, 3, '1', '.', '1', 0, 80);
	REFUSED(4, 5, 1, 0, 3, 5, '[', ':', ':', '1', ']', 0, 80);
}

/* A name may be longer here than a name can be. */
static void
long_name(void **state)
{
	uint8_t data[HELLO_LEN + 5 + 255 + 2] = {HELLO, 5, 1, 0, 3, 255};
	uint8_t *name = data + HELLO_LEN + 5;
	char host[OPENING_HOST];
	struct run r;

	(void)state;
	for (size_t i = 0; i < 255; i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	name[256] = 80;
	refused(data, sizeof(data), 4);
	data[HELLO_LEN + 4] = 254;
	name[254] = 0;
	name[255] = 80;
	refused(data, sizeof(data) - 1, 4);
	data[HELLO_LEN + 4] = 253;
	name[253] = 0;
	name[254] = 80;
	memcpy(host, name, 253);
	host[253] = '\0';
	assert_int_equal(SOCKS_DONE, feed(&r, data, sizeof(data), 300));
	assert_int_equal(sizeof(data) - 2, r.used);
	assert_string_equal(host, r.s.want.host);
	assert_int_equal(80, r.s.want.port);
}

static void
connects(void **state)
{
	static const struct {
		uint8_t data[40];
		size_t len;
		const char *host;
		uint16_t port;
	} good[] = {
	    {{5, 1, 0, 1, 127, 0, 0, 1, 0, 80}, 10, "127.0.0.1", 80},
	    {{5, 1, 7, 1, 192, 0, 2, 1, 255, 255}, 10, "192.0.2.1", 65535},
	    {{5, 1, 0, 3, 2, 'P', 'i', 1, 187}, 9, "pi", 443},
	    {{5, 1, 0, 3, 3, ':', ':', '1', 0, 22}, 10, "::1", 22},
	    {{5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
		 22},
		22, "::1", 22},
	    {{5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1,
		 0, 22},
		22, "192.0.2.1", 22},
	};
	uint8_t data[HELLO_LEN + 40 + 4] = {HELLO};
	struct run r;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		len = HELLO_LEN + good[i].len;
		memcpy(data + HELLO_LEN, good[i].data, good[i].len);
		/* what follows is the target's, even if it looks like ours */
		memcpy(data + len, (const uint8_t[]){HELLO, 5}, 4);
		for (size_t step = 1; step <= len + 4; step++) {
			assert_int_equal(
			    SOCKS_DONE, feed(&r, data, len + 4, step));
			assert_int_equal(len, r.used);
			assert_int_equal(2, r.reply_len);
			assert_int_equal(OPENING_TCP, r.s.want.to);
			assert_string_equal(good[i].host, r.s.want.host);
			assert_int_equal(good[i].port, r.s.want.port);
		}
		/* one byte less is not enough */
		assert_int_equal(SOCKS_REQUEST, feed(&r, data, len - 1, 99));
	}
}

static void
no_more_is_taken(void **state)
{
	static const uint8_t data[] = {HELLO, 5, 1, 0, 3, 1, 'a', 0, 80};
	uint8_t reply[SOCKS_REPLY_MAX];
	size_t used = 9, reply_len = 9;
	struct run r;

	(void)state;
	assert_int_equal(SOCKS_DONE, feed(&r, data, sizeof(data), 99));
	assert_int_equal(SOCKS_DONE,
	    socks_feed(&r.s, data, sizeof(data), &used, reply, &reply_len));
	assert_int_equal(0, used);
	assert_int_equal(0, reply_len);
	assert_int_equal(SOCKS_METHODS, feed(&r, data, 0, 1));
	assert_int_equal(SOCKS_METHODS, feed(&r, data, 2, 1));
	assert_int_equal(0, r.reply_len);
}

static void
replies(void **state)
{
	static const struct {
		enum opening_reason r;
		uint8_t code;
	} all[] = {
	    {OPENING_OK, 0},
	    {OPENING_PERMIT, 2},
	    {OPENING_REFUSED, 5},
	    {OPENING_UNREACHABLE, 4},
	    {OPENING_NAME, 4},
	    {OPENING_BUSY, 1},
	    {OPENING_NOBODY, 1},
	    {OPENING_IN_USE, 1},
	    {OPENING_FAILED, 1},
	};
	uint8_t reply[SOCKS_REPLY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		uint8_t want[10] = {5, all[i].code, 0, 1};

		memset(reply, 0xee, sizeof(reply));
		assert_int_equal(10, socks_reply(all[i].r, reply));
		assert_memory_equal(want, reply, sizeof(want));
		assert_int_equal(0xee, reply[10]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_version),
	    cmocka_unit_test(no_method),
	    cmocka_unit_test(no_command),
	    cmocka_unit_test(no_target),
	    cmocka_unit_test(long_name),
	    cmocka_unit_test(connects),
	    cmocka_unit_test(no_more_is_taken),
	    cmocka_unit_test(replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

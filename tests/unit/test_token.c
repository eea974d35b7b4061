/* SPDX-License-Identifier: ISC */
/* Tokens: no answer longer than its request, both sides the same order, nothing
 * of a foreign text that is not as it has to be. */
#include "token.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "relaybook.h"

static struct tokens tokens;
static uint8_t a[KEY_LEN], b[KEY_LEN];
static uint8_t out[1200];
static struct stun_buf answer;

static int
add(const char *text)
{
	return tokens_add(&tokens, text);
}

static int
teardown(void **state)
{
	(void)state;
	tokens_wipe(&tokens);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	tokens_wipe(&tokens);
	memset(a, 'a', KEY_LEN);
	memset(b, 'b', KEY_LEN);
	tokens.wall_s = 1700000000;
	return 0;
}

static void
relays(int n)
{
	char text[200];

	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text),
		    "f@192.0.2.%d:3478,[2001:db8::%d]:3478", i + 1, i + 1);
		assert_int_equal(add(text), 0);
		memset(tokens.relay[i].secret.bytes, 's', 20);
		tokens.relay[i].secret.len = 20;
	}
}

/* What key is given for peer. */
static bool
ask(const uint8_t *key, const uint8_t *peer, size_t room, struct token *t)
{
	struct stun_attr attr;
	int len;

	memset(t, 0, sizeof(*t));
	stun_begin_list(&answer, out, sizeof(out));
	if (!tokens_put(&tokens, key, peer, room, &answer)) {
		assert_int_equal(answer.len, 0);
		return false;
	}
	len = stun_end(&answer, false);
	assert_int_equal(
	    stun_list_find(out, (size_t)len, NATKIT_TOKEN, &attr), 0);
	assert_true(attr.len <= room);
	assert_memory_equal(attr.value, peer, KEY_LEN);
	assert_int_equal(
	    token_read(t, attr.value + KEY_LEN, attr.len - KEY_LEN), 0);
	return true;
}

static void
command_lines_that_are_wrong(void **state)
{
	static const char *const bad[] = {"", "file", "@192.0.2.1:3478",
	    "file@", "file@192.0.2.1", "file@192.0.2.1:0", "file@0.0.0.0:1",
	    "file@192.0.2.1:1,", "file@192.0.2.1:1,192.0.2.2:1",
	    "file@192.0.2.1:1,[2001:db8::1]:1,[2001:db8::2]:1",
	    "file@relay.example:3478"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(add(bad[i]), -EBADMSG);
	assert_int_equal(tokens.n, 0);
	assert_int_equal(add("a@b@192.0.2.1:1,[2001:db8::1]:1"), 0);
	assert_string_equal(tokens.relay[0].path, "a@b");
	assert_int_equal(tokens.relay[0].n, 2);
	assert_int_equal(add("c@[2001:db8::1]:1"), -EEXIST);
	for (int i = 1; i < TOKEN_SERVED; i++) {
		char text[60];

		snprintf(text, sizeof(text), "c@192.0.2.9:%d", i);
		assert_int_equal(add(text), 0);
	}
	assert_int_equal(add("c@192.0.2.10:1"), -ENOSPC);
}

/* It may be the command line, for all to see. */
static void
what_is_given_stays_as_it_is(void **state)
{
	char good[] = "f@192.0.2.1:1,[2001:db8::1]:1", bad[] = "f@192.0.2.2:1,";

	(void)state;
	assert_int_equal(tokens_add(&tokens, good), 0);
	assert_string_equal(good, "f@192.0.2.1:1,[2001:db8::1]:1");
	assert_int_equal(tokens_add(&tokens, bad), -EBADMSG);
	assert_string_equal(bad, "f@192.0.2.2:1,");
	memset(good, 'x', sizeof(good) - 1);
	assert_string_equal(tokens.relay[0].path, "f");
}

static void
a_secret_that_is_not_there_changes_nothing(void **state)
{
	char dir[] = "/tmp/test_token.XXXXXX", path[64], text[120];
	const char *which = NULL;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/secret", dir);
	snprintf(text, sizeof(text), "%s@192.0.2.1:1", path);
	assert_int_equal(add(text), 0);
	assert_int_equal(tokens_load(&tokens, &which), -ENOENT);
	assert_string_equal(which, path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("sixteen bytes at least\n", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(tokens_load(&tokens, &which), 0);
	assert_int_equal(tokens.relay[0].secret.len, 22);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("short\n", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(tokens_load(&tokens, &which), -EINVAL);
	assert_int_equal(tokens.relay[0].secret.len, 22);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void
no_answer_is_longer_than_its_request(void **state)
{
	struct token t;

	(void)state;
	relays(16);
	for (size_t room = KEY_LEN; room < TOKEN_VALUE_MAX; room++)
		assert_false(ask(a, b, room, &t));
	assert_true(ask(a, b, TOKEN_VALUE_MAX, &t));
	assert_int_equal(t.n, TOKEN_RELAYS);
	setup(state); /* without relays it is shorter */
	assert_false(ask(a, b, KEY_LEN + 11, &t));
	assert_true(ask(a, b, KEY_LEN + 12, &t));
	assert_int_equal(t.n, 0);
	assert_int_equal(t.lifetime_s, TOKEN_LIFETIME_S);
}

static void
both_sides_get_the_same_order(void **state)
{
	bool other_order = false;
	struct token ta, tb;

	(void)state;
	relays(16);
	for (int k = 0; k < 50; k++) {
		a[0] = (uint8_t)k;
		assert_true(ask(a, b, TOKEN_VALUE_MAX, &ta));
		assert_true(ask(b, a, TOKEN_VALUE_MAX, &tb));
		assert_int_equal(ta.n, TOKEN_RELAYS);
		for (size_t i = 0; i < ta.n; i++) {
			assert_true(
			    addr_equal(&ta.relay[i].at[0], &tb.relay[i].at[0]));
			assert_true(
			    addr_equal(&ta.relay[i].at[1], &tb.relay[i].at[1]));
			/* the credentials are each one's own */
			assert_string_not_equal(
			    ta.relay[i].password, tb.relay[i].password);
		}
		other_order |= ta.relay[0].at[0].ip[3] != 1;
	}
	assert_true(other_order); /* of another pair: that is the spreading */
}

static void
pairs_are_spread(void **state)
{
	int first[4] = {0};
	struct token t;

	(void)state;
	relays(4);
	for (int k = 0; k < 400; k++) {
		a[0] = (uint8_t)k;
		a[1] = (uint8_t)(k >> 8);
		assert_true(ask(a, b, TOKEN_VALUE_MAX, &t));
		first[t.relay[0].at[0].ip[3] - 1]++;
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(first[i], 60, 140);
}

/* The rank is that of one of the lists, whichever family comes first. */
static void
rank_needs_no_order(void **state)
{
	struct addr at[2], swapped[2];

	(void)state;
	relays(1);
	memcpy(at, tokens.relay[0].at, sizeof(at));
	swapped[0] = at[1];
	swapped[1] = at[0];
	assert_true(token_rank(a, b, at, 2) == token_rank(b, a, swapped, 2));
	assert_true(token_rank(a, b, at, 2) != token_rank(a, b, at, 1));
}

/* What the relay makes of the name is what the client was told. */
static void
the_password_is_that_of_the_name(void **state)
{
	char name[CREDENTIAL_NAME_MAX];
	char password[CREDENTIAL_PASSWORD_LEN + 1];
	struct relaybook_entry news[TOKEN_RELAYS];
	struct relaybook book;
	struct token t;
	bool none;

	(void)state;
	relays(1);
	a[31] = b[31] = 0; /* keys that may be used */
	assert_true(ask(a, b, TOKEN_VALUE_MAX, &t));
	relaybook_init(&book, a, b);
	assert_int_equal(relaybook_token(&book, 0, &t, 5, news, &none), 1);
	relaybook_name(&book, &news[0], name);
	credential_pair_password(&tokens.relay[0].secret, name, password);
	assert_string_equal(password, news[0].relay.password);
}

/* A TOKEN's value behind the key, with one byte changed or cut off. */
static void
foreign_bytes(void **state)
{
	uint8_t value[TOKEN_VALUE_MAX], copy[TOKEN_VALUE_MAX];
	struct stun_attr attr;
	struct token t;
	size_t len;

	(void)state;
	relays(2);
	assert_true(ask(a, b, TOKEN_VALUE_MAX, &t));
	assert_int_equal(
	    stun_list_find(out, answer.len, NATKIT_TOKEN, &attr), 0);
	len = attr.len - (size_t)KEY_LEN;
	memcpy(value, attr.value + KEY_LEN, len);
	for (size_t cut = 0; cut < len; cut++) {
		int rc = token_read(&t, value, cut);

		/* whole RELAYs only */
		if (cut == 12 || cut == 12 + 4 + TOKEN_RELAY_MAX)
			assert_int_equal(rc, 0);
		else
			assert_int_equal(rc, -EBADMSG);
	}
	for (size_t i = 12 + 4; i < 12 + 4 + CREDENTIAL_PASSWORD_LEN; i++) {
		memcpy(copy, value, len);
		copy[i] = " \n\0=%\x80\x1b"[i % 7];
		assert_int_equal(
		    token_read(&t, copy, len), copy[i] == '=' ? 0 : -EBADMSG);
	}
	memcpy(copy, value, len); /* no port */
	memset(copy + 12 + 4 + CREDENTIAL_PASSWORD_LEN + 2, 0, 2);
	assert_int_equal(token_read(&t, copy, len), -EBADMSG);
	memcpy(copy, value, len); /* no family */
	copy[12 + 4 + CREDENTIAL_PASSWORD_LEN] = 7;
	assert_int_equal(token_read(&t, copy, len), -EBADMSG);
	memcpy(copy, value, len); /* a lifetime of none, or of years */
	memset(copy + 8, 0, 4);
	assert_int_equal(token_read(&t, copy, len), -EBADMSG);
	memset(copy + 8, 0xff, 4);
	assert_int_equal(token_read(&t, copy, len), -EBADMSG);
}

/* The list of all servers */

static struct relaybook_entry news[TOKEN_RELAYS];
static bool none;

static struct token
made(uint64_t expiry_s, int first, int n)
{
	struct token t = {.expiry_s = expiry_s, .lifetime_s = 3600};

	for (int i = 0; i < n; i++) {
		struct token_relay *r = &t.relay[t.n++];

		memset(r->password, 'A' + (int)(expiry_s % 26), 44);
		r->n = 1;
		r->at[0] = (struct addr){.family = ADDR_V4,
		    .ip = {192, 0, 2, (uint8_t)(first + i)},
		    .port = 3478};
	}
	return t;
}

static void
told_once_and_anew_when_it_is_new(void **state)
{
	struct token first = made(100, 1, 2), later = made(200, 1, 2);
	struct token empty = {.expiry_s = 300, .lifetime_s = 3600};
	struct relaybook book;

	(void)state;
	relaybook_init(&book, a, b);
	assert_int_equal(relaybook_token(&book, 0, &empty, 0, news, &none), 0);
	assert_false(none); /* there never was one */
	assert_int_equal(relaybook_token(&book, 0, &first, 0, news, &none), 2);
	assert_true(news[0].priority > news[1].priority);
	assert_true(news[0].priority < 1u << 24); /* type preference 0 */
	assert_int_equal(relaybook_token(&book, 0, &first, 0, news, &none), 0);
	assert_int_equal(relaybook_token(&book, 0, &later, 0, news, &none), 2);
	assert_int_equal(news[0].expiry_s, 200);
	assert_int_equal(relaybook_token(&book, 0, &empty, 0, news, &none), 0);
	assert_true(none);
}

static void
several_servers_make_one_list(void **state)
{
	struct token x = made(100, 1, 2), y = made(200, 2, 2);
	struct relaybook one, other;
	struct addr order[3];

	(void)state;
	relaybook_init(&one, a, b);
	relaybook_init(&other, b, a);
	relaybook_token(&one, 0, &x, 0, news, &none);
	relaybook_token(&one, 1, &y, 0, news, &none);
	relaybook_token(&other, 0, &y, 0, news, &none); /* another -S order */
	relaybook_token(&other, 1, &x, 0, news, &none);
	assert_int_equal(one.n_told, 3);
	assert_int_equal(other.n_told, 3);
	for (int i = 0; i < 3; i++) {
		order[i] = one.told[i].relay.at[0];
		assert_true(addr_equal(&order[i], &other.told[i].relay.at[0]));
		assert_int_equal(one.told[i].priority, other.told[i].priority);
		if (order[i].ip[3] == 2) /* of both: the first server's */
			assert_int_equal(one.told[i].expiry_s, 100);
	}
	/* no renewal of the second server's changes what the first gives */
	y = made(300, 2, 2);
	assert_int_equal(relaybook_token(&one, 1, &y, 0, news, &none), 1);
	assert_int_equal(news[0].relay.at[0].ip[3], 3);
	/* until the first one's has expired */
	y = made(400, 2, 1);
	assert_int_equal(
	    relaybook_token(&one, 1, &y, 3600 * 1000, news, &none), 1);
	assert_int_equal(news[0].expiry_s, 400);
}

static void
never_more_than_four(void **state)
{
	struct relaybook book;

	(void)state;
	relaybook_init(&book, a, b);
	for (int s = 0; s < INTRODUCTION_SERVERS; s++) {
		struct token t = made(100, 4 * s + 1, 4);

		assert_true(relaybook_token(&book, s, &t, 0, news, &none) <= 4);
	}
	assert_int_equal(book.n_told, TOKEN_RELAYS);
	for (int i = 1; i < TOKEN_RELAYS; i++)
		assert_true(book.told[i].priority < book.told[i - 1].priority);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(command_lines_that_are_wrong),
	    TEST(what_is_given_stays_as_it_is),
	    TEST(a_secret_that_is_not_there_changes_nothing),
	    TEST(no_answer_is_longer_than_its_request),
	    TEST(foreign_bytes),
	    TEST(both_sides_get_the_same_order),
	    TEST(pairs_are_spread),
	    TEST(rank_needs_no_order),
	    TEST(the_password_is_that_of_the_name),
	    TEST(told_once_and_anew_when_it_is_new),
	    TEST(several_servers_make_one_list),
	    TEST(never_more_than_four),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

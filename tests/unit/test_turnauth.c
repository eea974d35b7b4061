/* SPDX-License-Identifier: ISC */
/* Who may have an allocation: the credentials of others, of other times and
 * other places, first. */
#include "turn_fixture.h"

#define USER "1000100:ann" /* expires 100 s after the beginning */
static void
strangers_get_a_short_challenge(void **state)
{
	struct world w;
	struct client c;
	struct stun_attr a;
	uint8_t buf[STUN_MAX];
	struct stun_buf b;
	static const uint16_t method[] = {TURN_ALLOCATE, TURN_REFRESH,
	    TURN_CREATE_PERMISSION, TURN_CHANNEL_BIND};

	(void)state;
	world_make(&w, 4, 0);
	client_make(&c, "198.51.100.1:1000", USER);
	for (size_t i = 0; i < 4; i++) {
		ask(&b, buf, method[i]);
		assert_int_equal(give(&w, &c.way, b.data, b.len), 401);
		/* header, code, realm, nonce, algorithms: no more */
		assert_int_equal(w.result.len, 20 + 8 + 16 + 36 + 12);
		assert_int_equal(stun_find(&w.answer, STUN_REALM, &a), 0);
		assert_memory_equal(a.value, REALM, strlen(REALM));
		assert_int_equal(stun_find(&w.answer, STUN_NONCE, &a), 0);
		/* the feature of algorithms, not that of hashed names */
		assert_memory_equal(a.value, "obMatJos2gAAA", 13);
		assert_int_not_equal(
		    stun_find(&w.answer, STUN_MESSAGE_INTEGRITY, &a), 0);
	}
	/* nobody has to answer answers, indications or what is unknown */
	for (int class = STUN_INDICATION; class <= STUN_ERROR; class ++) {
		uint8_t tid[STUN_TID_LEN] = {1};

		stun_begin(&b, buf, sizeof(buf), TURN_ALLOCATE, class, tid);
		assert_int_equal(give(&w, &c.way, b.data, b.len), ANSWER_NONE);
	}
	ask(&b, buf, 0x00a);
	assert_int_equal(give(&w, &c.way, b.data, b.len), ANSWER_NONE);
	assert_int_equal(turn_count(w.t), 0);
	world_end(&w);
}

static void
of_another_realm_secret_or_name(void **state)
{
	static const char *const bad[] = {"ann", "", "1000100:", "01000100:ann",
	    ":ann", "1000100ann", "-1:ann", "99999999999999999999999:ann"};
	struct credential_secret other = {.len = 20};
	char name[80];
	struct world w;
	struct client c;

	(void)state;
	memset(other.bytes, 'x', other.len);
	world_make(&w, 4, 0);
	for (int modern = 0; modern < 2; modern++) {
		client_make(&c, "198.51.100.1:1000", USER);
		c.modern = modern;
		c.realm = "example.net";
		client_key(&c);
		assert_int_equal(allocate(&w, &c), 401);
		/* its key, but the right name of the realm */
		c.realm = REALM;
		assert_int_equal(allocate(&w, &c), 401);
		credential_turn_password(&other, USER, c.password);
		client_key(&c);
		assert_int_equal(allocate(&w, &c), 401);
		client_make(&c, "198.51.100.1:1000", USER);
		c.modern = modern;
		client_key(&c);
		c.user[0] = '2'; /* a longer time, with the same password */
		assert_int_equal(allocate(&w, &c), 401);
		client_key(&c);
		assert_int_equal(allocate(&w, &c), 401);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			client_make(&c, "198.51.100.1:1000", bad[i]);
			c.modern = modern;
			client_key(&c);
			assert_int_equal(allocate(&w, &c), 401);
		}
		for (int len = 64; len <= 65; len++) {
			snprintf(name, sizeof(name), "1000100:%0*d", len, len);
			client_make(&c, "198.51.100.1:1000", name);
			assert_int_equal(allocate(&w, &c), len == 64 ? 0 : 401);
			turn_drop(w.t, name + 8);
		}
	}
	assert_int_equal(turn_count(w.t), 0);
	world_end(&w);
}

static void
of_either_secret(void **state)
{
	struct world w;
	struct client c;

	(void)state;
	world_make(&w, 4, 0);
	client_make(&c, "198.51.100.1:1000", USER);
	credential_turn_password(&w.secret[0], USER, c.password);
	client_key(&c);
	assert_int_equal(allocate(&w, &c), 0);
	client_make(&c, "198.51.100.1:1001", "1000100"); /* without a user */
	assert_int_equal(allocate(&w, &c), 0);
	world_end(&w);
}

static void
expired(void **state)
{
	struct world w;
	struct client c, late;

	(void)state;
	world_make(&w, 4, 0);
	client_make(&c, "198.51.100.1:1000", USER);
	client_make(&late, "198.51.100.1:1001", USER);
	later(&w, 99);
	assert_int_equal(allocate(&w, &c), 0);
	later(&w, 1);
	assert_int_equal(allocate(&w, &late), 401);
	assert_int_equal(turn_count(w.t), 1);
	/* who is in a call is not cut off, */
	assert_int_equal(refresh(&w, &c, 600), 0);
	assert_int_equal(permit(&w, &c, "192.0.2.77:1"), 0);
	/* but does not come back after it */
	assert_int_equal(refresh(&w, &c, 0), 0);
	assert_int_equal(refresh(&w, &c, 600), 401);
	world_end(&w);
}

static void
nonce_of_another_time_or_place(void **state)
{
	struct world w;
	struct client a, b;
	struct stun_attr attr;
	uint8_t buf[STUN_MAX];
	struct stun_buf sb;

	(void)state;
	world_make(&w, 4, 0);
	client_make(&a, "198.51.100.1:1000", "9000000:ann");
	client_make(&b, "198.51.100.1:1001", "9000000:ann");
	challenge(&w, &a);
	memcpy(b.nonce, a.nonce, sizeof(b.nonce));
	for (int i = 0; i < 2; i++) { /* another port, another address */
		ask(&sb, buf, TURN_ALLOCATE);
		stun_put_u32(&sb, TURN_REQUESTED_TRANSPORT, 17u << 24);
		assert_int_equal(asked(&w, &b, &sb), 438);
		assert_int_equal(
		    stun_find(&w.answer, STUN_PASSWORD_ALGORITHMS, &attr), 0);
		b.way.remote = at("198.51.100.2:1000");
	}
	assert_int_equal(turn_count(w.t), 0);
	assert_int_equal(allocate(&w, &a), 0);
	later(&w, 121);
	assert_int_equal(refresh(&w, &a, 600), 438);
	take_nonce(&w, &a);
	assert_int_equal(refresh(&w, &a, 600), 0);
	/* one that only looks like ours */
	memset(a.nonce + 13, 'A', strlen(a.nonce + 13));
	assert_int_equal(refresh(&w, &a, 0), 438);
	/* without the cookie, so that we forget what we have offered */
	take_nonce(&w, &a);
	memmove(a.nonce, a.nonce + 13, strlen(a.nonce + 13) + 1);
	assert_int_equal(refresh(&w, &a, 0), 438);
	assert_int_equal(turn_count(w.t), 1);
	world_end(&w);
}

/* Someone on the way who takes the better algorithm out of the offer. */
static void
bidden_down(void **state)
{
	static const uint8_t only_md5[] = {0, 1, 0, 0};
	static const uint8_t all[] = {0, 2, 0, 0, 0, 1, 0, 0};
	static const uint8_t third[] = {0, 3, 0, 0};
	static const struct {
		const uint8_t *all;
		size_t all_len;
		const uint8_t *one;
		size_t one_len;
		int code;
	} cases[] = {
	    {only_md5, 4, only_md5, 4, 400}, {all, 8, NULL, 0, 400},
	    {NULL, 0, only_md5, 4, 400}, {all, 8, third, 4, 400},
	    {all, 8, all, 8, 400}, /* not one */
	    {all, 8, all, 2, 400}, {all, 8, all, 0, 400}, {all, 4, all, 4, 400},
	    {all, 8, only_md5, 4, 0}, /* which a client may choose */
	};
	struct world w;
	struct client c;
	uint8_t buf[STUN_MAX];
	struct stun_buf b;

	(void)state;
	world_make(&w, 4, 0);
	client_make(&c, "198.51.100.1:1000", USER);
	challenge(&w, &c);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask(&b, buf, TURN_ALLOCATE);
		stun_put_u32(&b, TURN_REQUESTED_TRANSPORT, 17u << 24);
		stun_put(&b, STUN_USERNAME, c.user, strlen(c.user));
		stun_put(&b, STUN_REALM, REALM, strlen(REALM));
		stun_put(&b, STUN_NONCE, c.nonce, strlen(c.nonce));
		if (cases[i].all != NULL)
			stun_put(&b, STUN_PASSWORD_ALGORITHMS, cases[i].all,
			    cases[i].all_len);
		if (cases[i].one != NULL)
			stun_put(&b, STUN_PASSWORD_ALGORITHM, cases[i].one,
			    cases[i].one_len);
		stun_put_integrity_sha256(&b, c.key, c.key_len);
		assert_int_equal(
		    give(&w, &c.way, b.data, b.len), cases[i].code);
	}
	assert_int_equal(
	    stun_check_integrity_sha256(&w.answer, c.key, c.key_len), 0);
	world_end(&w);
}

static void
parts_are_missing(void **state)
{
	struct world w;
	struct client c;
	uint8_t buf[STUN_MAX], hash[32] = {0};
	struct stun_buf b;

	(void)state;
	world_make(&w, 4, 0);
	client_make(&c, "198.51.100.1:1000", USER);
	challenge(&w, &c);
	for (int without = 0; without < 5; without++) {
		ask(&b, buf, TURN_ALLOCATE);
		stun_put_u32(&b, TURN_REQUESTED_TRANSPORT, 17u << 24);
		if (without == 3) /* a name by its hash: 401, not a crash */
			stun_put(&b, STUN_USERHASH, hash, sizeof(hash));
		else if (without != 0)
			stun_put(&b, STUN_USERNAME, c.user, strlen(c.user));
		if (without != 1)
			stun_put(&b, STUN_REALM, REALM, strlen(REALM));
		if (without != 2)
			stun_put(&b, STUN_NONCE, c.nonce, strlen(c.nonce));
		if (without == 4) /* of a wrong length */
			stun_put(&b, STUN_MESSAGE_INTEGRITY, hash, 16);
		else
			stun_put_integrity(&b, c.key, c.key_len);
		assert_int_equal(
		    give(&w, &c.way, b.data, b.len), without < 3 ? 400 : 401);
	}
	/* what stands after the integrity attribute is not signed */
	ask(&b, buf, TURN_ALLOCATE);
	sign(&c, &b);
	stun_put_u32(&b, TURN_REQUESTED_TRANSPORT, 17u << 24);
	assert_int_equal(give(&w, &c.way, b.data, b.len), 400);
	assert_int_equal(turn_count(w.t), 0);
	world_end(&w);
}

static void
both_ways_of_signing(void **state)
{
	struct world w;
	struct client c;
	struct stun_attr a;
	uint8_t buf[STUN_MAX];
	struct stun_buf b;

	(void)state;
	world_make(&w, 4, 0);
	client_make(&c, "198.51.100.1:1000", USER);
	assert_int_equal(allocate(&w, &c), 0);
	assert_int_equal(stun_find(&w.answer, STUN_MESSAGE_INTEGRITY, &a), 0);
	client_make(&c, "198.51.100.1:1001", USER);
	c.modern = true;
	client_key(&c);
	assert_int_equal(allocate(&w, &c), 0);
	assert_int_not_equal(
	    stun_find(&w.answer, STUN_MESSAGE_INTEGRITY, &a), 0);
	/* both: the stronger has to be right */
	ask(&b, buf, TURN_REFRESH);
	c.modern = false;
	client_key(&c);
	sign(&c, &b);
	stun_put_space(&b, STUN_MESSAGE_INTEGRITY_SHA256, 32);
	assert_int_equal(give(&w, &c.way, b.data, b.len), 401);
	world_end(&w);
}

static void
requests_are_limited(void **state)
{
	struct world w;
	struct client c;
	uint8_t buf[STUN_MAX];
	struct stun_buf b;
	unsigned int answers = 0, proven = 0;

	(void)state;
	world_make(&w, 4, 0);
	client_make(&c, "198.51.100.1:1000", USER);
	assert_int_equal(allocate(&w, &c), 0);
	ask(&b, buf, TURN_ALLOCATE);
	for (unsigned int i = 0; i < 30000; i++) {
		/* the port does not matter */
		struct way from = {.remote = c.way.remote};

		from.remote.port = (uint16_t)(1 + i % 60000);
		if (give(&w, &from, b.data, b.len) == 401)
			answers++;
	}
	assert_true(answers >= 19990 && answers <= 20000);
	/* who has shown to receive there is not kept out by those */
	for (int i = 0; i < 100; i++)
		proven += refresh(&w, &c, 600) == 0;
	assert_int_equal(proven, 100);
	world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(strangers_get_a_short_challenge),
	    cmocka_unit_test(of_another_realm_secret_or_name),
	    cmocka_unit_test(of_either_secret),
	    cmocka_unit_test(expired),
	    cmocka_unit_test(nonce_of_another_time_or_place),
	    cmocka_unit_test(bidden_down),
	    cmocka_unit_test(parts_are_missing),
	    cmocka_unit_test(both_ways_of_signing),
	    cmocka_unit_test(requests_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* The Noise_IK handshake against published vectors and against an attacker,
 * the transport, the replay window. */
#include "noise.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../data/noise_ik.h"

#define PROLOGUE "natkit test"
#define MAX 512

/* Both ends of a handshake, each with its static key. */
struct pair {
	struct noise i, r;
	uint8_t i_s[KEY_LEN], i_pub[KEY_LEN];
	uint8_t r_s[KEY_LEN], r_pub[KEY_LEN];
	uint8_t msg1[MAX], msg2[MAX];
	int msg1_len, msg2_len;
	struct noise_keys i_keys, r_keys;
};

static size_t
unhex(uint8_t out[MAX], const char *hex)
{
	size_t len;

	assert_int_equal(
	    0, sodium_hex2bin(out, MAX, hex, strlen(hex), NULL, &len, NULL));
	return len;
}

static void
key_pair(uint8_t s[KEY_LEN], uint8_t pub[KEY_LEN])
{
	randombytes_buf(s, KEY_LEN);
	crypto_scalarmult_base(pub, s);
}

static void
start(struct pair *p)
{
	key_pair(p->i_s, p->i_pub);
	key_pair(p->r_s, p->r_pub);
	noise_init_initiator(
	    &p->i, p->i_s, p->i_pub, p->r_pub, PROLOGUE, strlen(PROLOGUE));
	noise_init_responder(
	    &p->r, p->r_s, p->r_pub, PROLOGUE, strlen(PROLOGUE));
	p->msg1_len = noise_write1(&p->i, "one", 3, p->msg1, MAX);
	assert_int_equal(NOISE_MSG1_LEN + 3, p->msg1_len);
}

static void
answer(struct pair *p)
{
	uint8_t buf[MAX];

	assert_int_equal(
	    3, noise_read1(&p->r, p->msg1, (size_t)p->msg1_len, buf, MAX));
	assert_memory_equal("one", buf, 3);
	assert_memory_equal(p->i_pub, p->r.rs, KEY_LEN);
	p->msg2_len = noise_write2(&p->r, "three", 5, p->msg2, MAX, &p->r_keys);
	assert_int_equal(NOISE_MSG2_LEN + 5, p->msg2_len);
}

static void
finish(struct pair *p)
{
	uint8_t buf[MAX];

	assert_int_equal(5, noise_read2(&p->i, p->msg2, (size_t)p->msg2_len,
				buf, MAX, &p->i_keys));
	assert_memory_equal("three", buf, 5);
	assert_memory_equal(p->i_keys.send, p->r_keys.recv, 32);
	assert_memory_equal(p->i_keys.recv, p->r_keys.send, 32);
	assert_memory_not_equal(p->i_keys.send, p->i_keys.recv, 32);
}

static void
vector_sides(
    const struct noise_ik_vector *v, struct noise *ini, struct noise *resp)
{
	uint8_t prologue[MAX], s[MAX], pub[KEY_LEN], rs[MAX], rpub[KEY_LEN];
	size_t len = unhex(prologue, v->prologue);

	unhex(s, v->init_static);
	unhex(rs, v->resp_static);
	crypto_scalarmult_base(pub, s);
	crypto_scalarmult_base(rpub, rs);
	noise_init_initiator(ini, s, pub, rpub, prologue, len);
	noise_init_responder(resp, rs, rpub, prologue, len);
	unhex(s, v->init_ephemeral);
	memcpy(ini->e, s, KEY_LEN);
	crypto_scalarmult_base(ini->e_pub, s);
	unhex(s, v->resp_ephemeral);
	memcpy(resp->e, s, KEY_LEN);
	crypto_scalarmult_base(resp->e_pub, s);
}

static void
vector_handshake(const struct noise_ik_vector *v, struct noise_keys *ik,
    struct noise_keys *rk)
{
	uint8_t plain[MAX], want[MAX], got[MAX], back[MAX];
	struct noise ini, resp;
	size_t len, want_len;

	vector_sides(v, &ini, &resp);
	len = unhex(plain, v->message[0].payload);
	want_len = unhex(want, v->message[0].ciphertext);
	assert_int_equal(want_len, noise_write1(&ini, plain, len, got, MAX));
	assert_memory_equal(want, got, want_len);
	assert_int_equal(len, noise_read1(&resp, want, want_len, back, MAX));
	assert_memory_equal(plain, back, len);
	assert_memory_equal(ini.s_pub, resp.rs, KEY_LEN);
	if (v->hash_after_0 != NULL) {
		assert_int_equal(NOISE_HASH_LEN, unhex(want, v->hash_after_0));
		assert_memory_equal(want, ini.h, NOISE_HASH_LEN);
	}

	len = unhex(plain, v->message[1].payload);
	want_len = unhex(want, v->message[1].ciphertext);
	assert_int_equal(
	    want_len, noise_write2(&resp, plain, len, got, MAX, rk));
	assert_memory_equal(want, got, want_len);
	assert_int_equal(len, noise_read2(&ini, want, want_len, back, MAX, ik));
	assert_memory_equal(plain, back, len);
	assert_memory_equal(ini.h, resp.h, NOISE_HASH_LEN);
}

static void
vector_transport(const struct noise_ik_vector *v, const struct noise_keys *ik,
    const struct noise_keys *rk)
{
	uint8_t plain[MAX], want[MAX], got[MAX];
	size_t len, want_len, m;

	for (m = 2; m < NOISE_IK_MESSAGES; m++) {
		if (v->message[m].ciphertext == NULL)
			break;
		len = unhex(plain, v->message[m].payload);
		want_len = unhex(want, v->message[m].ciphertext);
		assert_int_equal(len + NOISE_TAG_LEN, want_len);
		noise_seal(m % 2 ? rk->send : ik->send, m / 2 - 1, NULL, 0,
		    plain, len, got);
		assert_memory_equal(want, got, want_len);
		assert_int_equal(
		    0, noise_open(m % 2 ? ik->recv : rk->recv, m / 2 - 1, NULL,
			   0, want, want_len, got));
		assert_memory_equal(plain, got, len);
	}
	assert_true(m >= 4);
}

static void
published_vectors(void **state)
{
	struct noise_keys ik, rk;
	size_t i, n = sizeof(noise_ik_vectors) / sizeof(noise_ik_vectors[0]);

	(void)state;
	assert_int_equal(5, n);
	for (i = 0; i < n; i++) {
		print_message("# %s\n", noise_ik_vectors[i].source);
		vector_handshake(&noise_ik_vectors[i], &ik, &rk);
		vector_transport(&noise_ik_vectors[i], &ik, &rk);
	}
}

static void
message1_changed_or_cut(void **state)
{
	uint8_t buf[MAX];
	struct noise before;
	struct pair p;
	size_t i;
	int rc;

	(void)state;
	start(&p);
	before = p.r;
	for (i = 0; i < (size_t)p.msg1_len * 8; i++) {
		p.msg1[i / 8] ^= (uint8_t)(1 << (i % 8));
		rc = noise_read1(&p.r, p.msg1, (size_t)p.msg1_len, buf, MAX);
		assert_int_equal(-EBADMSG, rc);
		p.msg1[i / 8] ^= (uint8_t)(1 << (i % 8));
	}
	for (i = 0; i < (size_t)p.msg1_len; i++)
		assert_int_equal(
		    -EBADMSG, noise_read1(&p.r, p.msg1, i, buf, MAX));
	p.msg1[p.msg1_len] = 0;
	assert_int_equal(-EBADMSG,
	    noise_read1(&p.r, p.msg1, (size_t)p.msg1_len + 1, buf, MAX));
	assert_memory_equal(&before, &p.r, sizeof(before));
	answer(&p);
}

/* A forged message 2 does no harm: the right one is still taken. */
static void
message2_changed_or_cut(void **state)
{
	struct noise_keys keys, untouched;
	uint8_t buf[MAX];
	struct noise before;
	struct pair p;
	size_t i;
	int rc;

	(void)state;
	start(&p);
	answer(&p);
	before = p.i;
	memset(&keys, 0xa5, sizeof(keys));
	untouched = keys;
	for (i = 0; i < (size_t)p.msg2_len * 8; i++) {
		p.msg2[i / 8] ^= (uint8_t)(1 << (i % 8));
		rc = noise_read2(
		    &p.i, p.msg2, (size_t)p.msg2_len, buf, MAX, &keys);
		assert_int_equal(-EBADMSG, rc);
		p.msg2[i / 8] ^= (uint8_t)(1 << (i % 8));
	}
	for (i = 0; i < (size_t)p.msg2_len; i++)
		assert_int_equal(
		    -EBADMSG, noise_read2(&p.i, p.msg2, i, buf, MAX, &keys));
	assert_memory_equal(&before, &p.i, sizeof(before));
	assert_memory_equal(&untouched, &keys, sizeof(keys));
	finish(&p);
}

static void
wrong_party(void **state)
{
	uint8_t buf[MAX];
	struct pair p, q;
	struct noise n;

	(void)state;
	start(&p);
	start(&q);
	/* for another server */
	assert_int_equal(
	    -EBADMSG, noise_read1(&q.r, p.msg1, (size_t)p.msg1_len, buf, MAX));
	/* for another protocol */
	noise_init_responder(&n, p.r_s, p.r_pub, "natkit tesu", 11);
	assert_int_equal(
	    -EBADMSG, noise_read1(&n, p.msg1, (size_t)p.msg1_len, buf, MAX));
	/* the answer to another handshake */
	answer(&p);
	answer(&q);
	assert_int_equal(-EBADMSG,
	    noise_read2(&p.i, q.msg2, (size_t)q.msg2_len, buf, MAX, &p.i_keys));
	/* who holds the client's public key only: an own secret does not do */
	noise_init_initiator(
	    &n, q.i_s, p.i_pub, p.r_pub, PROLOGUE, strlen(PROLOGUE));
	assert_int_equal(
	    NOISE_MSG1_LEN, noise_write1(&n, NULL, 0, p.msg1, MAX));
	noise_init_responder(&p.r, p.r_s, p.r_pub, PROLOGUE, strlen(PROLOGUE));
	assert_int_equal(
	    -EBADMSG, noise_read1(&p.r, p.msg1, NOISE_MSG1_LEN, buf, MAX));
	finish(&q);
}

/* p = 2^255 - 19, plus offset, in little endian */
static void
near_p(uint8_t out[KEY_LEN], int offset, uint8_t top)
{
	memset(out, 0xff, KEY_LEN);
	out[0] = (uint8_t)(0xed + offset);
	out[KEY_LEN - 1] = top;
}

/* Every encoding that X25519 takes as a point of low order. */
static size_t
low_order_points(uint8_t out[14][KEY_LEN])
{
	static const char *const order8[] = {
	    "e0eb7a7c3b41b8ae1656e3faf19fc46a"
	    "da098deb9c32b1fd866205165f49b800",
	    "5f9c95bca3508c24b1d0b1559c83ef5b"
	    "04445cc4581c8e86d8224eddd09f1157",
	};
	uint8_t buf[MAX];
	size_t i;

	memset(out[0], 0, KEY_LEN);
	memset(out[1], 0, KEY_LEN);
	out[1][0] = 1;
	for (i = 0; i < 2; i++) {
		assert_int_equal(KEY_LEN, unhex(buf, order8[i]));
		memcpy(out[2 + i], buf, KEY_LEN);
	}
	near_p(out[4], -1, 0x7f);
	near_p(out[5], 0, 0x7f);
	near_p(out[6], 1, 0x7f);
	for (i = 0; i < 7; i++) {
		memcpy(out[7 + i], out[i], KEY_LEN);
		out[7 + i][KEY_LEN - 1] |= 0x80;
	}
	return 14;
}

static void
low_order_refused(void **state)
{
	uint8_t points[14][KEY_LEN], buf[MAX];
	size_t i, n = low_order_points(points);
	struct pair p;

	(void)state;
	for (i = 0; i < n; i++) {
		start(&p);
		/* as the responder's static key */
		memcpy(p.i.rs, points[i], KEY_LEN);
		p.i.step = 0;
		assert_int_equal(
		    -EINVAL, noise_write1(&p.i, NULL, 0, buf, MAX));
		/* as the initiator's ephemeral key */
		memcpy(p.msg1, points[i], KEY_LEN);
		assert_int_equal(-EINVAL,
		    noise_read1(&p.r, p.msg1, (size_t)p.msg1_len, buf, MAX));
		/* as the initiator's static key, in a message that decrypts */
		noise_init_initiator(&p.i, p.i_s, points[i], p.r_pub, PROLOGUE,
		    strlen(PROLOGUE));
		assert_int_equal(
		    NOISE_MSG1_LEN, noise_write1(&p.i, NULL, 0, p.msg1, MAX));
		assert_int_equal(-EINVAL,
		    noise_read1(&p.r, p.msg1, NOISE_MSG1_LEN, buf, MAX));
		/* as the responder's ephemeral key */
		start(&p);
		answer(&p);
		memcpy(buf, p.msg2, MAX);
		memcpy(p.msg2, points[i], KEY_LEN);
		assert_int_equal(
		    -EINVAL, noise_read2(&p.i, p.msg2, (size_t)p.msg2_len,
				 p.msg1, MAX, &p.i_keys));
		memcpy(p.msg2, buf, MAX);
		finish(&p);
	}
}

static void
out_of_turn(void **state)
{
	struct noise_keys k;
	uint8_t buf[MAX];
	struct pair p;

	(void)state;
	start(&p);
	assert_int_equal(-EINVAL, noise_write1(&p.i, NULL, 0, buf, MAX));
	assert_int_equal(-EINVAL, noise_write1(&p.r, NULL, 0, buf, MAX));
	assert_int_equal(-EINVAL, noise_write2(&p.r, NULL, 0, buf, MAX, &k));
	assert_int_equal(-EINVAL, noise_write2(&p.i, NULL, 0, buf, MAX, &k));
	assert_int_equal(
	    -EINVAL, noise_read1(&p.i, p.msg1, (size_t)p.msg1_len, buf, MAX));
	assert_int_equal(-EINVAL,
	    noise_read2(&p.r, p.msg1, (size_t)p.msg1_len, buf, MAX, &k));
	answer(&p);
	assert_int_equal(
	    -EINVAL, noise_read1(&p.r, p.msg1, (size_t)p.msg1_len, buf, MAX));
	finish(&p);
	assert_int_equal(-EINVAL,
	    noise_read2(&p.i, p.msg2, (size_t)p.msg2_len, buf, MAX, &k));
}

static void
buffers_too_small(void **state)
{
	uint8_t buf[MAX];
	struct noise n;
	struct pair p;

	(void)state;
	start(&p);
	noise_init_initiator(&n, p.i_s, p.i_pub, p.r_pub, NULL, 0);
	assert_int_equal(-ENOBUFS, noise_write1(&n, "x", 1, buf, 0));
	assert_int_equal(
	    -ENOBUFS, noise_write1(&n, "x", 1, buf, NOISE_MSG1_LEN));
	assert_int_equal(NOISE_MSG1_LEN + 1,
	    noise_write1(&n, "x", 1, buf, NOISE_MSG1_LEN + 1));
	assert_int_equal(
	    -EBADMSG, noise_read1(&p.r, p.msg1, (size_t)p.msg1_len, buf, 2));
	answer(&p);
	p.r.step = 1;
	assert_int_equal(-ENOBUFS,
	    noise_write2(&p.r, "x", 1, buf, NOISE_MSG2_LEN, &p.r_keys));
	assert_int_equal(-EBADMSG,
	    noise_read2(&p.i, p.msg2, (size_t)p.msg2_len, buf, 4, &p.i_keys));
	finish(&p);
}

static void
ephemerals_are_fresh(void **state)
{
	struct pair p, q;

	(void)state;
	start(&p);
	noise_init_initiator(&q.i, p.i_s, p.i_pub, p.r_pub, NULL, 0);
	assert_memory_not_equal(p.i.e, q.i.e, KEY_LEN);
	assert_memory_not_equal(p.i.e_pub, q.i.e_pub, KEY_LEN);
}

static void
transport_refuses(void **state)
{
	uint8_t key[32], sealed[MAX], buf[MAX];
	const size_t len = 4 + NOISE_TAG_LEN;
	size_t i;

	(void)state;
	randombytes_buf(key, sizeof(key));
	noise_seal(key, 7, "ad", 2, (const uint8_t *)"text", 4, sealed);
	for (i = 0; i < len * 8; i++) {
		sealed[i / 8] ^= (uint8_t)(1 << (i % 8));
		assert_int_equal(
		    -EBADMSG, noise_open(key, 7, "ad", 2, sealed, len, buf));
		sealed[i / 8] ^= (uint8_t)(1 << (i % 8));
	}
	for (i = 0; i < len; i++)
		assert_int_equal(
		    -EBADMSG, noise_open(key, 7, "ad", 2, sealed, i, buf));
	assert_int_equal(
	    -EBADMSG, noise_open(key, 8, "ad", 2, sealed, len, buf));
	assert_int_equal(-EBADMSG, noise_open(key, 7 + ((uint64_t)1 << 32),
				       "ad", 2, sealed, len, buf));
	assert_int_equal(
	    -EBADMSG, noise_open(key, 7, "aD", 2, sealed, len, buf));
	assert_int_equal(
	    -EBADMSG, noise_open(key, 7, "ad", 1, sealed, len, buf));
	noise_seal(key, UINT64_MAX, NULL, 0, NULL, 0, buf);
	assert_int_equal(-EBADMSG,
	    noise_open(key, UINT64_MAX, NULL, 0, buf, NOISE_TAG_LEN, buf));
	assert_int_equal(0, noise_open(key, 7, "ad", 2, sealed, len, buf));
	assert_memory_equal("text", buf, 4);
}

static void
transport_in_place(void **state)
{
	uint8_t key[32], buf[MAX] = "in place";

	(void)state;
	randombytes_buf(key, sizeof(key));
	noise_seal(key, 1, NULL, 0, buf, 8, buf);
	assert_memory_not_equal("in place", buf, 8);
	assert_int_equal(
	    0, noise_open(key, 1, NULL, 0, buf, 8 + NOISE_TAG_LEN, buf));
	assert_memory_equal("in place", buf, 8);
	noise_seal(key, 2, NULL, 0, NULL, 0, buf);
	assert_int_equal(
	    0, noise_open(key, 2, NULL, 0, buf, NOISE_TAG_LEN, buf));
}

static void
replay_window_edges(void **state)
{
	const uint64_t window = (REPLAY_WORDS - 1) * 64;
	struct replay r = {0};

	(void)state;
	assert_int_equal(0, replay_check(&r, 0));
	assert_int_equal(-EALREADY, replay_check(&r, 0));
	assert_int_equal(0, replay_check(&r, 1000));
	assert_int_equal(-EALREADY, replay_check(&r, 1000));
	assert_int_equal(-EALREADY, replay_check(&r, 0));
	assert_int_equal(-EALREADY, replay_check(&r, 1000 - window - 1));
	assert_int_equal(0, replay_check(&r, 1000 - window));
	assert_int_equal(-EALREADY, replay_check(&r, 1000 - window));
	assert_int_equal(0, replay_check(&r, 999));
	assert_int_equal(-EALREADY, replay_check(&r, 999));
	/* a jump over the whole ring leaves no old bit behind */
	assert_int_equal(0, replay_check(&r, 1000 + 256));
	assert_int_equal(0, replay_check(&r, 1000 + 256 - 1));
	assert_int_equal(0, replay_check(&r, (uint64_t)1 << 62));
	assert_int_equal(0, replay_check(&r, ((uint64_t)1 << 62) - 1));
	/* the end */
	assert_int_equal(-EALREADY, replay_check(&r, UINT64_MAX));
	assert_int_equal(0, replay_check(&r, UINT64_MAX - 1));
	assert_int_equal(-EALREADY, replay_check(&r, UINT64_MAX - 1));
	assert_int_equal(-EALREADY, replay_check(&r, UINT64_MAX));
	assert_int_equal(0, replay_check(&r, UINT64_MAX - 2));
}

/* Against the plainest implementation there is: an array of what was seen. */
static void
replay_like_a_list(void **state)
{
	const uint64_t window = (REPLAY_WORDS - 1) * 64;
	static uint8_t seen[20000];
	struct replay r = {0};
	uint64_t top = 0, c;
	int want, i;

	(void)state;
	memset(seen, 0, sizeof(seen));
	assert_int_equal(0, replay_check(&r, 0));
	seen[0] = 1;
	for (i = 0; i < 60000; i++) {
		c = top + randombytes_uniform(300);
		c = c > 240 ? c - 240 : c;
		if (randombytes_uniform(64) == 0)
			c += randombytes_uniform(600);
		if (c >= sizeof(seen))
			break;
		want = seen[c] || c + window < top ? -EALREADY : 0;
		assert_int_equal(want, replay_check(&r, c));
		seen[c] = 1;
		top = c > top ? c : top;
	}
	assert_true(top > 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_vectors),
	    cmocka_unit_test(message1_changed_or_cut),
	    cmocka_unit_test(message2_changed_or_cut),
	    cmocka_unit_test(wrong_party),
	    cmocka_unit_test(low_order_refused),
	    cmocka_unit_test(out_of_turn),
	    cmocka_unit_test(buffers_too_small),
	    cmocka_unit_test(ephemerals_are_fresh),
	    cmocka_unit_test(transport_refuses),
	    cmocka_unit_test(transport_in_place),
	    cmocka_unit_test(replay_window_edges),
	    cmocka_unit_test(replay_like_a_list),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* Noise_IK_25519_ChaChaPoly_BLAKE2b: the Noise Protocol Framework, revision
 * 34. Section numbers below are of that document.
 *
 *   IK:  <- s
 *        ...
 *        -> e, es, s, ss
 *        <- e, ee, se
 *
 * Each message works on a copy of the state, which takes its place only when
 * the whole message was right. */
#include "noise.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define BLOCK_LEN 128 /* of BLAKE2b, section 12.8 */

/* No longer than the hash, so it is padded with zeros and not hashed
 * (section 5.2, InitializeSymmetric). */
static const char protocol_name[] = "Noise_IK_25519_ChaChaPoly_BLAKE2b";
_Static_assert(sizeof(protocol_name) - 1 <= NOISE_HASH_LEN,
    "a longer name has to be hashed");

static void
hash2(uint8_t out[NOISE_HASH_LEN], const void *a, size_t a_len, const void *b,
    size_t b_len)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, NOISE_HASH_LEN);
	crypto_generichash_update(&st, a, a_len);
	crypto_generichash_update(&st, b, b_len);
	crypto_generichash_final(&st, out, NOISE_HASH_LEN);
	sodium_memzero(&st, sizeof(st));
}

/* HMAC (RFC 2104) over a || b with a 64-byte key. */
static void
hmac(uint8_t out[NOISE_HASH_LEN], const uint8_t key[NOISE_HASH_LEN],
    const void *a, size_t a_len, const void *b, size_t b_len)
{
	crypto_generichash_state st;
	uint8_t pad[BLOCK_LEN], inner[NOISE_HASH_LEN];
	size_t i;

	memset(pad, 0x36, sizeof(pad));
	for (i = 0; i < NOISE_HASH_LEN; i++)
		pad[i] ^= key[i];
	crypto_generichash_init(&st, NULL, 0, NOISE_HASH_LEN);
	crypto_generichash_update(&st, pad, sizeof(pad));
	crypto_generichash_update(&st, a, a_len);
	crypto_generichash_update(&st, b, b_len);
	crypto_generichash_final(&st, inner, sizeof(inner));
	for (i = 0; i < BLOCK_LEN; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	hash2(out, pad, sizeof(pad), inner, sizeof(inner));
	sodium_memzero(&st, sizeof(st));
	sodium_memzero(pad, sizeof(pad));
	sodium_memzero(inner, sizeof(inner));
}

/* HKDF with two outputs (section 4.3). out1 may be ck. */
static void
hkdf(uint8_t out1[NOISE_HASH_LEN], uint8_t out2[NOISE_HASH_LEN],
    const uint8_t ck[NOISE_HASH_LEN], const void *ikm, size_t ikm_len)
{
	static const uint8_t one = 1, two = 2;
	uint8_t temp[NOISE_HASH_LEN];

	hmac(temp, ck, ikm, ikm_len, NULL, 0);
	hmac(out1, temp, &one, 1, NULL, 0);
	hmac(out2, temp, out1, NOISE_HASH_LEN, &two, 1);
	sodium_memzero(temp, sizeof(temp));
}

static void
mix_hash(struct noise *n, const void *data, size_t len)
{
	hash2(n->h, n->h, NOISE_HASH_LEN, data, len);
}

/* MixKey(DH(secret, point)). The cipher key is the first half of HKDF's second
 * output (section 5.2). Returns 0, or -EINVAL when the point adds nothing. */
static int
mix_dh(struct noise *n, const uint8_t secret[KEY_LEN],
    const uint8_t point[KEY_LEN])
{
	uint8_t dh[32], k[NOISE_HASH_LEN];
	int rc = -EINVAL;

	if (!key_is_low_order(point) &&
	    crypto_scalarmult(dh, secret, point) == 0) {
		hkdf(n->ck, k, n->ck, dh, sizeof(dh));
		memcpy(n->k, k, sizeof(n->k));
		n->n = 0;
		rc = 0;
	}
	sodium_memzero(dh, sizeof(dh));
	sodium_memzero(k, sizeof(k));
	return rc;
}

/* EncryptAndHash. IK has a key before it first encrypts, so the case without
 * one does not exist here. */
static void
encrypt(struct noise *n, const void *plain, size_t len, uint8_t *out)
{
	noise_seal(n->k, n->n++, n->h, NOISE_HASH_LEN, plain, len, out);
	mix_hash(n, out, len + NOISE_TAG_LEN);
}

/* DecryptAndHash */
static int
decrypt(struct noise *n, const uint8_t *sealed, size_t len, uint8_t *out)
{
	uint8_t h[NOISE_HASH_LEN];
	int rc;

	/* first, because out may be where sealed is */
	hash2(h, n->h, NOISE_HASH_LEN, sealed, len);
	rc = noise_open(n->k, n->n, n->h, NOISE_HASH_LEN, sealed, len, out);
	if (rc != 0)
		return rc;
	n->n++;
	memcpy(n->h, h, sizeof(n->h));
	return 0;
}

/* k1 is for what the initiator sends (section 5.2, Split). */
static void
split(const struct noise *n, struct noise_keys *keys)
{
	uint8_t k1[NOISE_HASH_LEN], k2[NOISE_HASH_LEN];

	hkdf(k1, k2, n->ck, NULL, 0);
	memcpy(keys->send, n->initiator ? k1 : k2, sizeof(keys->send));
	memcpy(keys->recv, n->initiator ? k2 : k1, sizeof(keys->recv));
	sodium_memzero(k1, sizeof(k1));
	sodium_memzero(k2, sizeof(k2));
}

static void
init(struct noise *n, const uint8_t s[KEY_LEN], const uint8_t s_pub[KEY_LEN],
    const uint8_t responder[KEY_LEN], const void *prologue, size_t len)
{
	memset(n, 0, sizeof(*n));
	memcpy(n->h, protocol_name, sizeof(protocol_name) - 1);
	memcpy(n->ck, n->h, sizeof(n->ck));
	mix_hash(n, prologue, len);
	mix_hash(n, responder, KEY_LEN);
	memcpy(n->s, s, KEY_LEN);
	memcpy(n->s_pub, s_pub, KEY_LEN);
	randombytes_buf(n->e, KEY_LEN);
	crypto_scalarmult_base(n->e_pub, n->e);
}

void
noise_init_initiator(struct noise *n, const uint8_t s[KEY_LEN],
    const uint8_t s_pub[KEY_LEN], const uint8_t rs[KEY_LEN],
    const void *prologue, size_t prologue_len)
{
	init(n, s, s_pub, rs, prologue, prologue_len);
	memcpy(n->rs, rs, KEY_LEN);
	n->initiator = 1;
}

void
noise_init_responder(struct noise *n, const uint8_t s[KEY_LEN],
    const uint8_t s_pub[KEY_LEN], const void *prologue, size_t prologue_len)
{
	init(n, s, s_pub, s_pub, prologue, prologue_len);
}

static int
write1(struct noise *n, const void *payload, size_t len, uint8_t *out)
{
	int rc;

	memcpy(out, n->e_pub, KEY_LEN);
	mix_hash(n, n->e_pub, KEY_LEN);
	rc = mix_dh(n, n->e, n->rs);
	if (rc != 0)
		return rc;
	encrypt(n, n->s_pub, KEY_LEN, out + KEY_LEN);
	rc = mix_dh(n, n->s, n->rs);
	if (rc != 0)
		return rc;
	encrypt(n, payload, len, out + 2 * KEY_LEN + NOISE_TAG_LEN);
	return 0;
}

static int
read1(struct noise *n, const uint8_t *msg, size_t len, uint8_t *payload)
{
	const size_t sealed_len = KEY_LEN + NOISE_TAG_LEN;
	int rc;

	memcpy(n->re, msg, KEY_LEN);
	mix_hash(n, n->re, KEY_LEN);
	rc = mix_dh(n, n->s, n->re);
	if (rc != 0)
		return rc;
	rc = decrypt(n, msg + KEY_LEN, sealed_len, n->rs);
	if (rc != 0)
		return rc;
	rc = mix_dh(n, n->s, n->rs);
	if (rc != 0)
		return rc;
	msg += KEY_LEN + sealed_len;
	return decrypt(n, msg, len - KEY_LEN - sealed_len, payload);
}

static int
write2(struct noise *n, const void *payload, size_t len, uint8_t *out)
{
	int rc;

	memcpy(out, n->e_pub, KEY_LEN);
	mix_hash(n, n->e_pub, KEY_LEN);
	rc = mix_dh(n, n->e, n->re);
	if (rc != 0)
		return rc;
	rc = mix_dh(n, n->e, n->rs);
	if (rc != 0)
		return rc;
	encrypt(n, payload, len, out + KEY_LEN);
	return 0;
}

static int
read2(struct noise *n, const uint8_t *msg, size_t len, uint8_t *payload)
{
	int rc;

	memcpy(n->re, msg, KEY_LEN);
	mix_hash(n, n->re, KEY_LEN);
	rc = mix_dh(n, n->e, n->re);
	if (rc != 0)
		return rc;
	rc = mix_dh(n, n->s, n->re);
	if (rc != 0)
		return rc;
	return decrypt(n, msg + KEY_LEN, len - KEY_LEN, payload);
}

/* The copy becomes the state, or goes, and leaves no key behind. */
static int
commit(struct noise *n, struct noise *copy, int rc, size_t len)
{
	if (rc == 0) {
		copy->step++;
		*n = *copy;
	}
	sodium_memzero(copy, sizeof(*copy));
	return rc == 0 ? (int)len : rc;
}

int
noise_write1(
    struct noise *n, const void *payload, size_t len, uint8_t *out, size_t cap)
{
	struct noise copy = *n;
	int rc;

	if (!n->initiator || n->step != 0)
		rc = -EINVAL;
	else if (cap < NOISE_MSG1_LEN || len > cap - NOISE_MSG1_LEN)
		rc = -ENOBUFS;
	else
		rc = write1(&copy, payload, len, out);
	return commit(n, &copy, rc, len + NOISE_MSG1_LEN);
}

int
noise_read1(struct noise *n, const uint8_t *msg, size_t len, uint8_t *payload,
    size_t cap)
{
	struct noise copy = *n;
	int rc;

	if (n->initiator || n->step != 0)
		rc = -EINVAL;
	else if (len < NOISE_MSG1_LEN || len - NOISE_MSG1_LEN > cap)
		rc = -EBADMSG;
	else
		rc = read1(&copy, msg, len, payload);
	return commit(n, &copy, rc, len - NOISE_MSG1_LEN);
}

int
noise_write2(struct noise *n, const void *payload, size_t len, uint8_t *out,
    size_t cap, struct noise_keys *keys)
{
	struct noise copy = *n;
	int rc;

	if (n->initiator || n->step != 1)
		rc = -EINVAL;
	else if (cap < NOISE_MSG2_LEN || len > cap - NOISE_MSG2_LEN)
		rc = -ENOBUFS;
	else
		rc = write2(&copy, payload, len, out);
	if (rc == 0)
		split(&copy, keys);
	return commit(n, &copy, rc, len + NOISE_MSG2_LEN);
}

int
noise_read2(struct noise *n, const uint8_t *msg, size_t len, uint8_t *payload,
    size_t cap, struct noise_keys *keys)
{
	struct noise copy = *n;
	int rc;

	if (!n->initiator || n->step != 1)
		rc = -EINVAL;
	else if (len < NOISE_MSG2_LEN || len - NOISE_MSG2_LEN > cap)
		rc = -EBADMSG;
	else
		rc = read2(&copy, msg, len, payload);
	if (rc == 0)
		split(&copy, keys);
	return commit(n, &copy, rc, len - NOISE_MSG2_LEN);
}

/* Section 12.3: 32 zero bits, then the counter in little endian. */
static void
nonce(
    uint8_t out[crypto_aead_chacha20poly1305_IETF_NPUBBYTES], uint64_t counter)
{
	size_t i;

	memset(out, 0, 4);
	for (i = 0; i < 8; i++)
		out[4 + i] = (uint8_t)(counter >> (8 * i));
}

void
noise_seal(const uint8_t key[32], uint64_t counter, const void *ad,
    size_t ad_len, const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t npub[crypto_aead_chacha20poly1305_IETF_NPUBBYTES];

	nonce(npub, counter);
	crypto_aead_chacha20poly1305_ietf_encrypt(
	    out, NULL, plain, len, ad, ad_len, NULL, npub, key);
}

int
noise_open(const uint8_t key[32], uint64_t counter, const void *ad,
    size_t ad_len, const uint8_t *sealed, size_t len, uint8_t *out)
{
	uint8_t npub[crypto_aead_chacha20poly1305_IETF_NPUBBYTES];

	/* the greatest counter is reserved (section 5.1) */
	if (len < NOISE_TAG_LEN || counter == UINT64_MAX)
		return -EBADMSG;
	nonce(npub, counter);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(
		out, NULL, NULL, sealed, len, ad, ad_len, npub, key) != 0)
		return -EBADMSG;
	return 0;
}

#define WINDOW ((uint64_t)(REPLAY_WORDS - 1) * 64)

/* RFC 6479: a ring of words, one more than the window is long, so that
 * moving on is to clear the words passed, never to shift. */
int
replay_check(struct replay *r, uint64_t counter)
{
	uint64_t word = counter / 64, bit = (uint64_t)1 << (counter % 64);
	uint64_t last, i, passed;

	if (counter == UINT64_MAX)
		return -EALREADY;
	if (counter >= r->next) {
		last = r->next > 0 ? (r->next - 1) / 64 : 0;
		passed = word - last;
		if (passed > REPLAY_WORDS)
			passed = REPLAY_WORDS;
		for (i = 0; i < passed; i++)
			r->bits[(word - i) % REPLAY_WORDS] = 0;
		r->next = counter + 1;
	} else if (r->next - 1 - counter > WINDOW) {
		return -EALREADY;
	}
	if (r->bits[word % REPLAY_WORDS] & bit)
		return -EALREADY;
	r->bits[word % REPLAY_WORDS] |= bit;
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* Handshake messages and transport packets, of any bytes and as small changes
 * of valid ones. Nothing but the valid one may be taken, and nothing else may
 * change the state.
 *
 * The first byte picks what is attacked. With its top bit set the rest is laid
 * over a valid message: pairs of position and XOR, and how many bytes to cut. */
#include "noise.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MAX 512

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct noise ini, resp; /* as they are before each reads */
static struct noise_keys keys;
static uint8_t valid[3][MAX]; /* message 1, message 2, transport packet */
static size_t valid_len[3];

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
fixed_pair(uint8_t s[KEY_LEN], uint8_t pub[KEY_LEN], uint8_t seed)
{
	memset(s, seed, KEY_LEN);
	crypto_scalarmult_base(pub, s);
}

/* All keys are fixed, ephemeral ones too, so that a crash can be repeated. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t s[KEY_LEN], pub[KEY_LEN], rs[KEY_LEN], rpub[KEY_LEN];
	uint8_t payload[MAX];
	struct noise answer;

	(void)argc;
	(void)argv;
	check(sodium_init() != -1);
	fixed_pair(s, pub, 1);
	fixed_pair(rs, rpub, 2);
	noise_init_initiator(&ini, s, pub, rpub, "fuzz", 4);
	noise_init_responder(&resp, rs, rpub, "fuzz", 4);
	fixed_pair(ini.e, ini.e_pub, 3);
	fixed_pair(resp.e, resp.e_pub, 4);
	valid_len[0] = (size_t)noise_write1(&ini, "12345678", 8, valid[0], MAX);
	answer = resp;
	check(noise_read1(&answer, valid[0], valid_len[0], payload, MAX) == 8);
	valid_len[1] =
	    (size_t)noise_write2(&answer, "12", 2, valid[1], MAX, &keys);
	valid_len[2] = 16 + NOISE_TAG_LEN;
	noise_seal(keys.send, 5, "ad", 2, (const uint8_t *)"0123456789abcdef",
	    16, valid[2]);
	return 0;
}

/* Returns whether the message was taken. */
static bool
attack(unsigned what, const uint8_t *msg, size_t len)
{
	uint8_t *out = malloc(len + 1); /* exact, for the sanitizer */
	const struct noise *before = what == 0 ? &resp : &ini;
	struct noise n = *before;
	struct noise_keys got;
	int rc;

	check(out != NULL);
	if (what == 0)
		rc = noise_read1(&n, msg, len, out, MAX);
	else if (what == 1)
		rc = noise_read2(&n, msg, len, out, MAX, &got);
	else
		rc = noise_open(keys.send, 5, "ad", 2, msg, len, out);
	if (rc < 0)
		check(memcmp(before, &n, sizeof(n)) == 0);
	free(out);
	return rc >= 0;
}

static void
mutated(unsigned what, const uint8_t *data, size_t len)
{
	size_t n = valid_len[what], i;
	uint8_t *msg = malloc(n);

	check(msg != NULL);
	memcpy(msg, valid[what], n);
	for (i = 1; i + 1 < len; i += 2)
		msg[data[i] % n] ^= data[i + 1];
	if (len > 0)
		n -= data[0] % n;
	check(attack(what, msg, n) ==
	      (n == valid_len[what] && memcmp(msg, valid[what], n) == 0));
	free(msg);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned what;

	if (len == 0)
		return 0;
	what = (data[0] & 0x7f) % 3;
	if (data[0] & 0x80)
		mutated(what, data + 1, len - 1);
	else if (attack(what, data + 1, len - 1))
		check(len - 1 == valid_len[what] &&
		      memcmp(data + 1, valid[what], len - 1) == 0);
	return 0;
}

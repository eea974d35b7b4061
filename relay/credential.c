/* SPDX-License-Identifier: ISC */
/* Time-limited names and their passwords (draft-uberti-behave-turn-rest for
 * TURN), and nonces (RFC 8489 section 9.2) that need no memory. */
#include "credential.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/hmac.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "secretfile.h"

#define PAIR_CONTEXT "natkit pair 1"
#define KEY_TEXT (KEY_STRLEN - 1)

#define NONCE_COOKIE "obMatJos2" /* RFC 8489 section 9.2 */
#define NONCE_HEAD 13		 /* characters: the cookie and 24 bits */
#define NONCE_TIME 5		 /* bytes, of ms: 34 years */
#define NONCE_HASH 9
#define NONCE_TIME_MASK ((UINT64_C(1) << 8 * NONCE_TIME) - 1)

static bool
is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

static int
first_line(struct credential_secret *out, const uint8_t *buf, size_t len)
{
	size_t n = 0;

	while (n < len && buf[n] != '\n') {
		if (is_control(buf[n]))
			return -EINVAL;
		n++;
	}
	if (n < CREDENTIAL_SECRET_MIN || n > CREDENTIAL_SECRET_MAX)
		return -EINVAL;
	memcpy(out->bytes, buf, n);
	out->len = n;
	return 0;
}

int
credential_load(struct credential_secret *out, const char *path)
{
	uint8_t buf[CREDENTIAL_SECRET_MAX + 1];
	ssize_t len;
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return -errno;
	len = secretfile_read(fd, buf, sizeof(buf));
	rc = len < 0 ? (int)len : first_line(out, buf, (size_t)len);
	if (rc == 0)
		out->loose = secretfile_is_loose(fd);
	sodium_memzero(buf, sizeof(buf));
	close(fd);
	return rc;
}

/* Decimal seconds at the beginning, in the one way to write them. Returns the number
 * of digits, 0 when it is none. */
static size_t
parse_expiry(uint64_t *out, const uint8_t *text, size_t len)
{
	uint64_t v = 0;
	size_t n;

	for (n = 0; n < len && text[n] >= '0' && text[n] <= '9'; n++) {
		uint64_t digit = text[n] - (uint64_t)'0';

		if (v > (UINT64_MAX - digit) / 10)
			return 0;
		v = v * 10 + digit;
	}
	if (n > 1 && text[0] == '0')
		return 0;
	*out = v;
	return n;
}

int
credential_turn_parse(
    struct credential_turn *out, const uint8_t *name, size_t len)
{
	struct credential_turn c = {0};
	size_t n = parse_expiry(&c.expiry_s, name, len), user;

	if (n == 0)
		return -EBADMSG;
	if (n < len) {
		user = len - n - 1;
		if (!ispunct(name[n]) || user == 0 ||
		    user > CREDENTIAL_USER_MAX)
			return -EBADMSG;
		for (size_t i = n + 1; i < len; i++)
			if (is_control(name[i]))
				return -EBADMSG;
		memcpy(c.user, name + n + 1, user);
	}
	*out = c;
	return 0;
}

void
credential_turn_password(const struct credential_secret *s, const char *name,
    char password[CREDENTIAL_TURN_PASSWORD_LEN + 1])
{
	struct hmac_sha1_ctx state;
	uint8_t mac[SHA1_DIGEST_SIZE];

	hmac_sha1_set_key(&state, s->len, s->bytes);
	hmac_sha1_update(&state, strlen(name), (const uint8_t *)name);
	hmac_sha1_digest(&state, sizeof(mac), mac);
	sodium_bin2base64(password, CREDENTIAL_TURN_PASSWORD_LEN + 1, mac,
	    sizeof(mac), sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(&state, sizeof(state));
	sodium_memzero(mac, sizeof(mac));
}

void
credential_pair_name(
    const struct credential_pair *c, char name[CREDENTIAL_NAME_MAX])
{
	char key[KEY_STRLEN], peer[KEY_STRLEN];

	snprintf(name, CREDENTIAL_NAME_MAX, "%llu:%s:%s",
	    (unsigned long long)c->expiry_s, key_format(c->key, key),
	    key_format(c->peer, peer));
}

static int
parse_key(uint8_t out[KEY_LEN], const uint8_t *text)
{
	char key[KEY_STRLEN] = "";

	memcpy(key, text, KEY_TEXT);
	return key_parse_public(out, key);
}

int
credential_pair_parse(
    struct credential_pair *out, const uint8_t *name, size_t len)
{
	struct credential_pair c;
	size_t n = parse_expiry(&c.expiry_s, name, len);

	if (n == 0 || len - n != 2 + 2 * KEY_TEXT || name[n] != ':' ||
	    name[n + 1 + KEY_TEXT] != ':')
		return -EBADMSG;
	if (parse_key(c.key, name + n + 1) != 0 ||
	    parse_key(c.peer, name + n + 2 + KEY_TEXT) != 0 ||
	    memcmp(c.key, c.peer, KEY_LEN) == 0)
		return -EBADMSG;
	*out = c;
	return 0;
}

void
credential_pair_password(const struct credential_secret *s, const char *name,
    char password[CREDENTIAL_PASSWORD_LEN + 1])
{
	crypto_generichash_state state;
	uint8_t key[32], mac[32];

	crypto_generichash(key, sizeof(key), s->bytes, s->len, NULL, 0);
	crypto_generichash_init(&state, key, sizeof(key), sizeof(mac));
	crypto_generichash_update(
	    &state, (const uint8_t *)PAIR_CONTEXT, sizeof(PAIR_CONTEXT) - 1);
	crypto_generichash_update(&state, (const uint8_t *)name, strlen(name));
	crypto_generichash_final(&state, mac, sizeof(mac));
	sodium_bin2base64(password, CREDENTIAL_PASSWORD_LEN + 1, mac,
	    sizeof(mac), sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(&state, sizeof(state));
	sodium_memzero(key, sizeof(key));
	sodium_memzero(mac, sizeof(mac));
}

void
nonces_init(struct nonces *n)
{
	*n = (struct nonces){0};
	randombytes_buf(n->key, sizeof(n->key));
}

/*   cookie (9 characters) | features (4, base64 of 24 bits) |
 *   base64 of: given_ms (40 bits) | hash (72 bits)            */
void
nonces_make(const struct nonces *n, const struct addr *client, uint64_t now_ms,
    char nonce[CREDENTIAL_NONCE_LEN + 1])
{
	uint8_t in[8 + 4 + 1 + 16 + 2], out[NONCE_TIME + NONCE_HASH], mac[16];
	uint8_t head[4];

	put_u64(in, now_ms & NONCE_TIME_MASK);
	put_u32(in + 8, n->features);
	in[12] = client->family;
	memcpy(in + 13, client->ip, 16);
	put_u16(in + 29, client->port);
	crypto_generichash(
	    mac, sizeof(mac), in, sizeof(in), n->key, sizeof(n->key));
	memcpy(out, in + 8 - NONCE_TIME, NONCE_TIME);
	memcpy(out + NONCE_TIME, mac, NONCE_HASH);
	put_u32(head, n->features);
	memcpy(nonce, NONCE_COOKIE, sizeof(NONCE_COOKIE) - 1);
	sodium_bin2base64(nonce + sizeof(NONCE_COOKIE) - 1,
	    NONCE_HEAD - sizeof(NONCE_COOKIE) + 2, head + 1, 3,
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	sodium_bin2base64(nonce + NONCE_HEAD,
	    CREDENTIAL_NONCE_LEN + 1 - NONCE_HEAD, out, sizeof(out),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

enum nonce_state
nonces_look(const struct nonces *n, const struct addr *client, uint64_t now_ms,
    const uint8_t *nonce, size_t len, uint64_t *given_ms)
{
	char want[CREDENTIAL_NONCE_LEN + 1];
	uint8_t raw[NONCE_TIME + NONCE_HASH];
	uint64_t given = 0;
	size_t raw_len;

	if (len != CREDENTIAL_NONCE_LEN ||
	    sodium_base642bin(raw, sizeof(raw),
		(const char *)nonce + NONCE_HEAD, len - NONCE_HEAD, NULL,
		&raw_len, NULL,
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
	    raw_len != sizeof(raw))
		return NONCE_WRONG;
	for (size_t i = 0; i < NONCE_TIME; i++)
		given = given << 8 | raw[i];
	nonces_make(n, client, given, want);
	if (sodium_memcmp(want, nonce, CREDENTIAL_NONCE_LEN) != 0)
		return NONCE_WRONG;
	*given_ms = given;
	return ((now_ms - given) & NONCE_TIME_MASK) < CREDENTIAL_NONCE_MS
		   ? NONCE_FRESH
		   : NONCE_STALE;
}

bool
nonces_check(const struct nonces *n, const struct addr *client, uint64_t now_ms,
    const uint8_t *nonce, size_t len)
{
	uint64_t given_ms;

	return nonces_look(n, client, now_ms, nonce, len, &given_ms) ==
	       NONCE_FRESH;
}
